"""Invented events, as the sinks would make them."""

from __future__ import annotations

from collections.abc import Sequence

from target_driftrock.events.event import Capture, Endpoint, Event, InvalidPart, Origin
from target_driftrock.events.identity import NOBODY, Way, Who, digest, identity
from target_driftrock.settings import OnChanged

API = "sandbox"
WEBHOOK = Endpoint.WEBHOOK


def capture(source: str = "capture-1") -> Capture:
    """A capture of the webhook endpoint, labelled by its own name."""
    return Capture(endpoint=WEBHOOK, source_id=source, label=source)


def origin(position: int, *, record: bytes | None = None, key: str | None = None, row: str | None = None) -> Origin:
    """Where a part came from: the `record`, else the one with this number. Its digest is that of its bytes."""
    read = b'{"id": %d}' % position if record is None else record
    return Origin(
        position=position, stream="leads", record=read, schema=b"{}", key=key, kept_row=row, digest=digest(read)
    )


def event(
    position: int,
    *,
    event_id: str | None = "",
    event_type: str = "lead",
    event_name: str = "leads",
    source: str | Capture = "capture-1",
    person: str | None = None,
    who: Who | None = None,
    body: bytes | None = None,
    content_of: bytes | None = None,
    way: Way | None = None,
    former: Sequence[Event] = (),
    on_changed: OnChanged | None = None,
    read: Origin | None = None,
) -> Event:
    """The event of a record, with the identity that the mappings would give it.

    Without an `event_id` of its own it bears its record's number; None is none at all. `source` is a capture, or the
    id of one. Its content is that of its body, or of `content_of`: two records with the same one can still be told
    apart by their requests. Without a `who` of its own it is about its `person`. `former` are events whose identities
    it may have had before its mapping was mended.
    """
    taker = source if isinstance(source, Capture) else capture(source)
    found_id = f"leads:{position}" if event_id == "" else event_id
    sent = b'{"serial": %d}' % position if body is None else body
    return Event(
        origin=origin(position) if read is None else read,
        mapping="streams[0] (leads)",
        capture=taker,
        event_type=event_type,
        event_name=event_name,
        event_id=found_id,
        person_id=person,
        day="2026-01-31",
        body=sent,
        identity=identity(taker, event_type=event_type, event_name=event_name, event_id=found_id),
        content=digest(sent if content_of is None else content_of),
        who=Who(person=person) if who is None else who,
        way=way,
        former=tuple(each.identity for each in former if each.identity is not None),
        former_ways=tuple(each.way for each in former if each.way is not None),
        on_changed=on_changed,
    )


def invalid_part(position: int, *, who: Who = NOBODY, read: Origin | None = None) -> InvalidPart:
    """A record that cannot become an event."""
    return InvalidPart(
        origin=origin(position) if read is None else read,
        mapping="stream leads",
        reason="schema: /email type",
        who=who,
    )
