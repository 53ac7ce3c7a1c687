"""Invented events, as the sinks would make them."""

from __future__ import annotations

from target_driftrock.events.event import Capture, Endpoint, Event, Origin, Refusal

API = "sandbox"
WEBHOOK = Endpoint.WEBHOOK


def capture(source: str = "capture-1") -> Capture:
    """A capture of the webhook endpoint, labelled by its own name."""
    return Capture(endpoint=WEBHOOK, source_id=source, label=source)


def origin(position: int) -> Origin:
    """Where a part came from."""
    return Origin(position=position, stream="leads", record=b'{"id": %d}' % position, schema=b"{}")


def event(
    position: int,
    *,
    event_id: str | None = "",
    person: str | None = None,
    source: str = "capture-1",
    body: bytes | None = None,
) -> Event:
    """The event of a record. Without an `event_id` of its own it bears its record's number; None is none at all."""
    return Event(
        origin=origin(position),
        mapping="streams[0] (leads)",
        capture=capture(source),
        event_type="lead",
        event_name="leads",
        event_id=f"leads:{position}" if event_id == "" else event_id,
        person_id=person,
        day="2026-01-31",
        body=b'{"serial": %d}' % position if body is None else body,
    )


def refusal(position: int) -> Refusal:
    """A record that cannot become an event."""
    return Refusal(origin=origin(position), mapping="stream leads", reason="schema: /email type")
