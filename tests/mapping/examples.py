"""A stream of invented leads, and how tests map it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from target_driftrock.events.event import Event, InvalidPart, Origin, Part
from target_driftrock.mapping.compiler import MappingFaults, compile_stream
from target_driftrock.mapping.stream import CompiledStream
from target_driftrock.settings import StreamMapping

ORIGIN = Origin(position=1, stream="leads", record=b"{}", schema=b"{}")

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "email": {"type": ["null", "string"]},
        "contact": {"type": ["null", "object"], "properties": {"name": {"type": "string"}}},
        "at": {"type": "string", "format": "date-time"},
        "extra": {},
    },
}

OPEN: Mapping[str, Any] = {}


def lead_mapping(**attributes: Any) -> StreamMapping:
    """A mapping of `leads` that is right, but for what `attributes` say."""
    given = {"index": 0, "stream": "leads", "event_type": "lead", "source_id": "capture-1", "fields": {}}
    return StreamMapping(**{**given, **attributes})


def compiled(
    *mappings: StreamMapping,
    stream: str = "leads",
    scope: str | None = None,
    schema: Mapping[str, Any] = OPEN,
    key_properties: Sequence[str] = ("id",),
) -> CompiledStream:
    """The mappings of a stream, which must be right."""
    found = compile_stream(mappings, stream=stream, schema=schema, key_properties=key_properties, scope=scope)
    assert isinstance(found, CompiledStream), found
    return found


def faults(
    *mappings: StreamMapping,
    stream: str = "leads",
    schema: Mapping[str, Any] = SCHEMA,
    key_properties: Sequence[str] = ("id",),
) -> tuple[str, ...]:
    """What is wrong with the mappings: something must be."""
    found = compile_stream(mappings, stream=stream, schema=schema, key_properties=key_properties)
    assert isinstance(found, MappingFaults), found
    return found.faults


def part(record: Mapping[str, Any], **attributes: Any) -> Part | None:
    """What one record becomes."""
    return compiled(lead_mapping(**attributes)).map(record, ORIGIN)


def event(record: Mapping[str, Any], **attributes: Any) -> Event:
    """The event that one record becomes."""
    made = part(record, **attributes)
    assert isinstance(made, Event), made
    return made


def body(record: Mapping[str, Any], **attributes: Any) -> dict[str, Any]:
    """What would be sent for one record."""
    sent: dict[str, Any] = msgspec.json.decode(event(record, **attributes).body)
    return sent


def reason(record: Mapping[str, Any], **attributes: Any) -> str:
    """Why one record is refused."""
    made = part(record, **attributes)
    assert isinstance(made, InvalidPart), made
    return made.reason
