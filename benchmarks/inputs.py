"""Singer input of invented leads, as lines that are made while they are read.

It needs nothing but Python, so that the rivals can take their events' bodies from here too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Record = dict[str, Any]
MAPPING = {"stream": "leads", "event_type": "lead", "source_id": "bench", "person_id": "{person}", "fields": "*"}
MARKER = "marked"
"""Text in the records that the double is to treat in another way."""
LARGE_BYTES = 1_000_000
_PROPERTIES = ("id", "serial", "person", "email", "name", "city", "note")


def lead(serial: int, **others: object) -> Record:
    """A record, of a person that has no other."""
    return {
        "id": serial,
        "serial": serial,
        "person": f"person-{serial}",
        "email": f"p{serial}@example.com",
        "name": "Invented",
        "city": "Nowhere",
        **others,
    }


def leads(count: int, **others: Callable[[int], object]) -> Iterator[Record]:
    """So many records; `others` make properties of the serial number."""
    return (lead(serial, **{name: made(serial) for name, made in others.items()}) for serial in range(1, count + 1))


def large(count: int) -> Iterator[Record]:
    return leads(count, note=lambda _: "x" * LARGE_BYTES)


def with_a_row_of_one(others: int, *, row: int, at: int) -> Iterator[Record]:
    """So many records of persons of their own, and after `at` of them `row` marked ones of one person."""
    ones = range(at + 1, at + row + 1)
    return leads(
        others + row,
        person=lambda serial: "one" if serial in ones else f"person-{serial}",
        note=lambda serial: MARKER if serial in ones else None,
    )


def typical() -> Record:
    return lead(10_000)


def body(record: Record) -> bytes:
    """The event that a record becomes by `MAPPING`, as the target writes it."""
    event = {
        "event_type": "lead",
        "event_name": "leads",
        "event_id": f"leads:{record['id']}",
        "person_id": record["person"],
        "source_id": "bench",
        "fields": record,
    }
    return json.dumps(event, separators=(",", ":")).encode()


def messages(records: Iterable[Record], *, state_every: int = 1_000, schema_every: int | None = None) -> Iterator[str]:
    """Lines of a tap: the SCHEMA, the records, a STATE every so many of them, and perhaps another SCHEMA."""
    yield _schema(_PROPERTIES)
    for count, record in enumerate(records, start=1):
        yield _line(type="RECORD", stream="leads", record=record)
        if count % state_every == 0:
            yield _line(type="STATE", value={"bookmarks": {"leads": {"id": count}}})
        if schema_every and count % schema_every == 0:
            yield _schema([*_PROPERTIES, f"added_{count}"])


def _schema(properties: Iterable[str]) -> str:
    """Its properties may be texts, whole numbers or null."""
    listed = {name: {"type": ["integer", "string", "null"]} for name in properties}
    return _line(type="SCHEMA", stream="leads", schema={"properties": listed}, key_properties=["id"])


def _line(**message: Any) -> str:
    return json.dumps(message) + "\n"
