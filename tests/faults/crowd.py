"""The input: several streams, in which fifty persons have twenty events and more each, and others one."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PERSONS = 50
EACH = 20
OTHERS = 200
STATE_EVERY = 25
STREAMS: Mapping[str, str] = {"leads": "lead", "orders": "conversion", "visits": "action"}
"""Stream to event type."""
POISON = "poison-marker"
_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "person": {"type": "string"},
        "email": {"type": "string"},
        "note": {"type": ["string", "null"]},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record of the input. `serial` counts the records from 1, over all streams."""

    serial: int
    stream: str
    person: str = field(repr=False)
    note: str | None = None
    number: int | str = 0
    """What the record says its id is: its serial, unless the record is to be invalid."""

    @property
    def event_id(self) -> str:
        """The event's, by default: stream and key."""
        return f"{self.stream}:{self.serial}"

    @property
    def line(self) -> bytes:
        """The RECORD."""
        record = {
            "id": self.number or self.serial,
            "person": self.person,
            "email": f"{self.person}@example.com",
            "note": self.note,
        }
        return _line({"type": "RECORD", "stream": self.stream, "record": record})


def crowd(*, seed: int = 0, others: int = OTHERS) -> list[Entry]:
    """The same crowd for the same seed, in an order in which everybody's events are mixed."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    persons = [f"person-{number}" for number in range(PERSONS) for _ in range(EACH + chance.randrange(4))]
    persons += [f"other-{number}" for number in range(others)]
    chance.shuffle(persons)
    streams = list(STREAMS)
    return [
        Entry(serial=serial, stream=chance.choice(streams), person=person) for serial, person in enumerate(persons, 1)
    ]


def tap(entries: Iterable[Entry], *, end: bytes = b"") -> Iterator[bytes]:
    """Their lines as a tap writes them, with a STATE after every few and at the end, unless it ends with `end`."""
    for stream in STREAMS:
        yield _line({"type": "SCHEMA", "stream": stream, "schema": _SCHEMA, "key_properties": ["id"]})
    entry = None
    for count, entry in enumerate(entries, 1):
        yield entry.line
        if count % STATE_EVERY == 0:
            yield _state(entry)
    if end:
        yield end
    elif entry is not None:
        yield _state(entry)


def bookmark(line: bytes) -> int:
    """The serial that a STATE stands at."""
    return int(json.loads(line)["bookmarks"]["crowd"]["replication_key_value"])


def mappings(source: str) -> list[dict[str, Any]]:
    """A mapping for each stream, with a capture of its own."""
    return [
        {
            "stream": stream,
            "event_type": event_type,
            "source_id": f"{source}-{stream}",
            "person_id": "{person}",
            "fields": {"serial": "{id}", "email": "{email}", "note": "{note}"},
        }
        for stream, event_type in STREAMS.items()
    ]


def since(entries: Sequence[Entry], serial: int) -> list[Entry]:
    """What a tap reads at a bookmark: inclusive, as SQL taps do."""
    return [entry for entry in entries if entry.serial >= serial]


def _state(entry: Entry) -> bytes:
    return _line({"type": "STATE", "value": {"bookmarks": {"crowd": {"replication_key_value": entry.serial}}}})


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
