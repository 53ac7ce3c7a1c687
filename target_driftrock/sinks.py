"""Records become parts here: validated, mapped, and put into the one batch that all streams share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from singer_sdk.sinks import BatchSink

from target_driftrock.errors import SettingsInvalid
from target_driftrock.events.event import Refusal
from target_driftrock.events.identity import NOBODY
from target_driftrock.events.identity import digest as bytes_digest
from target_driftrock.mapping import attribute, values
from target_driftrock.mapping.compiler import MappingFaults, compile_stream
from target_driftrock.mapping.path import reader
from target_driftrock.singer.schema import RecordValidator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_driftrock.events.event import Origin, Part
    from target_driftrock.events.identity import Who
    from target_driftrock.mapping.stream import CompiledStream
    from target_driftrock.settings import StreamMapping
    from target_driftrock.singer.messages import Record
    from target_driftrock.target import TargetDriftrock

MISSING_KEY = "a key property is missing"
MAP_FAILED = "stream_maps cannot be applied"


class Batch:
    """Parts on their way to delivery, in the order read.

    One for all sinks: batches of their own would let a later stream's events overtake an earlier one's.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._parts: list[Part] = []
        self._began_at = 0.0

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, part: Part) -> None:
        """Append a part."""
        if not self._parts:
            self._began_at = self._clock()
        self._parts.append(part)

    def take(self) -> list[Part]:
        """All parts; the batch is empty afterwards."""
        parts, self._parts = self._parts, []
        return parts

    def since(self, index: int) -> list[Part]:
        """The parts from an index on."""
        return self._parts[index:]

    @property
    def age(self) -> float:
        """Seconds that the oldest part has waited; 0 for an empty batch."""
        return self._clock() - self._began_at if self._parts else 0.0


class DriftrockSink(BatchSink):
    """One stream of the tap, through one stream map, under one SCHEMA: its validator, its key, its compiled mappings.

    `stream_name` is what the mappings know it by, so that several sinks may share it; `scope` is its own, and what its
    ids are made of: see `compile_stream`.
    """

    MAX_SIZE_DEFAULT = 100

    def __init__(
        self,
        target: TargetDriftrock,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,
        *,
        scope: str | None = None,
    ) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        keys = sorted(set(key_properties or ()))
        scope = stream_name if scope is None else scope
        self._batch = target.batch
        self._submit = target.submit
        self.mapper = _compile(target.mappings, stream_name, schema=schema, key_properties=keys, scope=scope)
        self._key = attribute.key(scope, list(map(reader, keys)))
        self._record_validator = RecordValidator(schema) if self.validate_schema else None

    @property
    def warnings(self) -> Sequence[str]:
        """What a person should know of this stream before anything is sent, a sentence each."""
        return self.mapper.warnings

    def get_validator(self) -> None:
        """None: the SDK's way of validating stops the run at the first invalid record; ours makes a refusal."""

    @property
    def current_size(self) -> int:
        """Parts in the shared batch, whichever stream they are of."""
        return len(self._batch)

    def part(self, record: dict[str, Any], origin: Origin) -> Part | None:
        """What a record of this stream becomes, or None where it is filtered."""
        origin = self.keyed(record, origin)
        part = self.mapper.map(record, origin)
        if part is None:
            return None
        if any(name not in record for name in self.key_properties):
            return self.refusal(origin, MISSING_KEY, who=part.who)
        fault = self._record_validator and self._record_validator.fault(record)
        return self.refusal(origin, f"schema: {fault}", who=part.who) if fault else part

    def keyed(self, record: dict[str, Any], origin: Origin) -> Origin:
        """The origin with the stream and key properties of the record, where it has them."""
        key = self._key(record) if self.key_properties else None
        return replace(origin, key=key if isinstance(key, str) else None)

    def refusal(self, origin: Origin, reason: str, *, who: Who = NOBODY) -> Refusal:
        """A record of this stream that must not be sent."""
        return Refusal(origin=origin, mapping=f"stream {self.stream_name}", reason=reason, who=who)

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Put into the shared batch what the record becomes. `context["origin"]` says where it came from."""
        part = self.part(record, context["origin"])
        if part is not None:
            self._batch.add(part)

    def process_batch(self, context: dict[str, Any]) -> None:  # noqa: ARG002 - the batch is not the SDK's
        """Hand the shared batch over to delivery."""
        self._submit()


def record_digest(message: Record) -> bytes:
    """What stands for a record as read, without what loaders add (`_sdc_*`), which is new each time."""
    if message.fault is not None:  # what could not be read in it is null, and would be the same for many
        return bytes_digest(message.raw)
    record = message.record
    if b'"_sdc_' in message.raw:
        record = {name: record[name] for name in record if not name.startswith("_sdc_")}
    found = values.record_digest(record)
    return bytes_digest(message.raw) if found is None else found


def _compile(
    mappings: Sequence[StreamMapping], stream: str, *, schema: dict[str, Any], key_properties: Sequence[str], scope: str
) -> CompiledStream:
    compiled = compile_stream(mappings, stream=stream, schema=schema, key_properties=key_properties, scope=scope)
    if isinstance(compiled, MappingFaults):
        raise SettingsInvalid(compiled.faults)
    return compiled
