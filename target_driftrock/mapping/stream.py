"""What the records of one stream become, under one SCHEMA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from target_driftrock.events.event import Capture, Endpoint, Event, Origin, Part, Refusal
from target_driftrock.mapping.condition import Condition
from target_driftrock.mapping.path import Reader, Record
from target_driftrock.mapping.writing import UNWRITABLE, Wrong, write


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledMapping:
    """One mapping, ready for records. Without `attributes` it skips what it takes."""

    label: str
    capture_label: str
    fits: Condition = field(repr=False)
    attributes: tuple[tuple[str, Reader], ...] = field(default=(), repr=False)
    """In the order in which they are sent."""

    def part(self, record: Record, origin: Origin) -> Part:
        """The event that the record becomes, or the first rule that it breaks."""
        body: dict[str, Any] = {}
        for name, read in self.attributes:
            value = read(record)
            if value is None:
                continue
            if type(value) is Wrong:
                return self._refusal(origin, f"{name} {value.rule}")
            body[name] = value
        written = write(body)
        if written is None:
            return self._refusal(origin, f"{_unwritable(body)} {UNWRITABLE.rule}")
        return self._event(origin, body, written=written)

    def _event(self, origin: Origin, body: Mapping[str, Any], *, written: bytes) -> Event:
        created_at = body.get("created_at")
        return Event(
            origin=origin,
            mapping=self.label,
            capture=self._capture(body),
            event_type=body["event_type"],
            event_name=body["event_name"],
            event_id=body.get("event_id"),
            person_id=body.get("person_id"),
            day=created_at and created_at[:10],
            body=written,
        )

    def _capture(self, body: Mapping[str, Any]) -> Capture:
        affiliate_id = body.get("affiliate_id")
        return Capture(
            endpoint=Endpoint.WEBHOOK if affiliate_id is None else Endpoint.AFFILIATE,
            source_id=body["source_id"],
            affiliate_id=affiliate_id,
            label=self.capture_label,
        )

    def _refusal(self, origin: Origin, reason: str) -> Refusal:
        return Refusal(origin=origin, mapping=self.label, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledStream:
    """The mappings of one stream under one SCHEMA, in the order in which they are asked."""

    stream: str
    mappings: tuple[CompiledMapping, ...]
    warnings: tuple[str, ...] = ()
    """What a person should know before anything is sent, a sentence each."""

    def map(self, record: Record, origin: Origin) -> Part | None:
        """What the record becomes under the first mapping that fits it.

        None if it is filtered: no mapping's `when` fits, or the one that does says `skip`. Any record of JSON
        values is answered; nothing is raised.
        """
        for mapping in self.mappings:
            if mapping.fits(record):
                return mapping.part(record, origin) if mapping.attributes else None
        return None


def _unwritable(body: Mapping[str, Any]) -> str:
    return next((name for name, value in body.items() if write(value) is None), "fields")
