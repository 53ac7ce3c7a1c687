"""An event as it will be sent, and the piece of a record that could not become one."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from target_driftrock.events.identity import NOBODY, Way, Who
from target_driftrock.settings import OnChanged


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


class Value(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A frozen value, made for every record: a struct, since a frozen dataclass takes ten times as long.

    It prints the fields named in `_shown`; all others may be personal. It must hold nothing that could hold it.
    """

    _shown: ClassVar[tuple[str, ...]] = ()

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """What may be printed, by `repr` and by Rich."""
        return [(name, getattr(self, name)) for name in self._shown]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


class Origin(Value, frozen=True, kw_only=True, gc=False):
    """The record that a part came from, as it was read.

    `position` counts records from 1 in the order read. `record` and `schema` are the raw lines: opaque
    below the sinks, and personal, so never printed. `digest` stands for the record as read, by names and values.
    """

    _shown = ("position", "stream", "kept_row")

    position: int
    stream: str
    record: bytes
    schema: bytes
    key: str | None = None
    """Stream and key properties (`leads:42`), where the record has them."""
    kept_row: str | None = None
    """The key of the kept row that it was read from, where it is sent again."""
    digest: bytes = b""


class Event(Value, frozen=True, kw_only=True, gc=False):
    """One event, ready to be sent.

    `body` is the JSON to post. `event_id` is None only where the mapping says `event_id: null`: such an
    event has no `identity`, and a repeat of it cannot be recognised. `content` stands for the rest of the body, by
    names and values. `day` is the UTC day of `created_at` (`2026-01-31`), or None where the event is dated on arrival.
    """

    _shown = ("mapping", "capture", "event_type", "day")

    origin: Origin
    mapping: str
    capture: Capture
    event_type: str
    event_name: str
    name_label: str = ""
    """Its name as the settings tell it: where it comes of a record, the template."""
    event_id: str | None
    person_id: str | None = None
    day: str | None = None
    body: bytes
    identity: bytes | None
    content: bytes
    who: Who = NOBODY
    way: Way | None = None
    """How its identity was made."""
    former: tuple[bytes, ...] = ()
    """The identities that it may have had before its mapping was mended."""
    former_ways: tuple[Way, ...] = ()
    """How those were made."""
    on_changed: OnChanged | None = None
    """What the settings say of a changed event; None where they say nothing."""

    @property
    def person(self) -> tuple[str, str] | None:
        """Whose order this event belongs to: the person, else the event itself, else nobody's."""
        if self.person_id is not None:
            return "person", self.person_id
        return None if self.event_id is None else ("event", self.event_id)


class Misfit(Value, frozen=True, kw_only=True, gc=False):
    """A value that breaks a rule: of which property, as that is told, and which rule. For counts of shapes alone."""

    _shown = ("of", "rule")

    of: str
    rule: str
    value: Any


class InvalidPart(Value, frozen=True, kw_only=True, gc=False):
    """A part of a record that we refuse to send. It goes the way of an event, so that one place settles all.

    `reason` is a rule (`schema: /email type`), never a value. `who` is whom the event would be about, as far as that
    could be read. `misfit` is the value that breaks the rule, where it is one property's.
    """

    _shown = ("mapping", "reason")

    origin: Origin
    mapping: str
    reason: str
    who: Who = NOBODY
    misfit: Misfit | None = None


Part = Event | InvalidPart
"""What a record becomes: none, one or several of these."""
