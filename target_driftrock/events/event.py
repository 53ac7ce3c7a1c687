"""An event as it will be sent, and the piece of a record that could not become one."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Endpoint(enum.Enum):
    """Where an event is posted to: the path under the API's base URL."""

    WEBHOOK = "/v2/event"
    AFFILIATE = "/v2/affiliate_event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Where Driftrock collects events: what a refusal is judged by. The API itself is the run's own.

    The values may come out of a record, so they are not printed: `label` names the capture by its mapping.
    """

    endpoint: Endpoint
    source_id: str = field(repr=False)
    affiliate_id: str | None = field(default=None, repr=False)
    label: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The record that a part came from, as it was read.

    `position` counts records from 1 in the order read. `record` and `schema` are the raw lines: opaque
    below the sinks, and personal, so never printed.
    """

    position: int
    stream: str
    record: bytes = field(repr=False)
    schema: bytes = field(repr=False)
    key: str | None = field(default=None, repr=False)
    """Stream and key properties (`leads:42`), where the record has them."""
    row: str | None = None
    """The key of the kept row that it was read from, where it is sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, ready to be sent.

    `body` is the JSON to post. `event_id` is None only where the mapping says `event_id: null`: such an
    event has no identity, and a repeat of it cannot be recognised. `day` is the UTC day of `created_at`
    (`2026-01-31`), or None where the event is dated on arrival.
    """

    origin: Origin = field(repr=False)
    mapping: str
    capture: Capture
    event_type: str
    event_name: str = field(repr=False)
    event_id: str | None = field(repr=False)
    person_id: str | None = field(default=None, repr=False)
    day: str | None = None
    body: bytes = field(repr=False)

    @property
    def person(self) -> tuple[str, str] | None:
        """Whose order this event belongs to: the person, else the event itself, else nobody's."""
        if self.person_id is not None:
            return "person", self.person_id
        return None if self.event_id is None else ("event", self.event_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A part of a record that we refuse to send. It goes the way of an event, so that one place settles all.

    `reason` is a rule (`schema: /email type`), never a value.
    """

    origin: Origin = field(repr=False)
    mapping: str
    reason: str


Part = Event | Refusal
"""What a record becomes: none, one or several of these."""
