"""Singer input of invented leads, as lines that are made while they are read.

`python -m benchmarks.inputs VARIANT COUNT` writes it to standard output. It needs nothing but Python, so that the
rivals can take their events' bodies from here too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

MAPPING = {"stream": "leads", "event_type": "lead", "source_id": "bench", "person_id": "{person}", "fields": "*"}
MARKER = "marked"
"""Text in the records that the double is to treat in another way."""
PERSONS = 10_000
LARGE_BYTES = 1_000_000
SCHEMA_EVERY = 100
MARKED_OF = 50
_PROPERTIES = ("id", "serial", "person", "email", "name", "city", "note")


def lead(serial: int, **others: object) -> dict[str, Any]:
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


def typical() -> dict[str, Any]:
    return lead(10_000)


def body(record: Mapping[str, Any]) -> bytes:
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


def messages(records: Iterable[Mapping[str, Any]], *, state_every: int = 1_000) -> Iterator[str]:
    """Lines of a tap: the SCHEMA, the records, and a STATE every so many of them."""
    yield schema(_PROPERTIES)
    for count, record in enumerate(records, start=1):
        yield _line(type="RECORD", stream="leads", record=record)
        if count % state_every == 0:
            yield _line(type="STATE", value={"bookmarks": {"leads": {"id": count}}})


def schema(properties: Iterable[str]) -> str:
    """A SCHEMA message whose properties may be texts, whole numbers or null."""
    listed = {name: {"type": ["integer", "string", "null"]} for name in properties}
    return _line(type="SCHEMA", stream="leads", schema={"properties": listed}, key_properties=["id"])


def write(path: Path, lines: Iterable[str]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(lines)
    return path


def leads(count: int) -> Iterator[dict[str, Any]]:
    return (lead(serial) for serial in range(1, count + 1))


def of_persons(count: int, *, persons: int) -> Iterator[dict[str, Any]]:
    return (lead(serial, person=f"person-{serial % persons}") for serial in range(1, count + 1))


def with_one_marked(count: int, *, at: int) -> Iterator[dict[str, Any]]:
    return (lead(serial, note=MARKER) if serial == at else lead(serial) for serial in range(1, count + 1))


def with_a_row_of_one(others: int, *, row: int, at: int) -> Iterator[dict[str, Any]]:
    """So many records of persons of their own, and after `at` of them `row` marked ones of one person."""
    yield from leads(at)
    for serial in range(others + 1, others + row + 1):
        yield lead(serial, person="one", note=MARKER)
    yield from (lead(serial) for serial in range(at + 1, others + 1))


def _some_marked(count: int) -> Iterator[dict[str, Any]]:
    for record in leads(count):
        yield record | {"note": MARKER} if record["serial"] % MARKED_OF == 0 else record


def _large(count: int) -> Iterator[dict[str, Any]]:
    return (lead(serial, note="x" * LARGE_BYTES) for serial in range(1, count + 1))


def _changing(count: int) -> Iterator[str]:
    """A SCHEMA with another property every so many records."""
    for count_before, record in enumerate(leads(count)):
        if count_before % SCHEMA_EVERY == 0:
            yield schema([*_PROPERTIES, f"added_{count_before}"])
        yield _line(type="RECORD", stream="leads", record=record)


def _line(**message: Any) -> str:
    return json.dumps(message) + "\n"


VARIANTS: Mapping[str, Callable[[int], Iterable[str]]] = {
    "leads": lambda count: messages(leads(count)),
    "persons": lambda count: messages(of_persons(count, persons=PERSONS)),
    "some marked": lambda count: messages(_some_marked(count)),
    "large": lambda count: messages(_large(count), state_every=10),
    "changing": _changing,
}


if __name__ == "__main__":
    sys.stdout.writelines(VARIANTS[sys.argv[1]](int(sys.argv[2])))
