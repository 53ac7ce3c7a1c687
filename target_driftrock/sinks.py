"""Records become parts here: validated, mapped, and put into the one batch that all streams share."""

from __future__ import annotations

import time
from collections import Counter
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from singer_sdk.sinks import BatchSink

from target_driftrock.errors import SettingsInvalid
from target_driftrock.events.columns import without_added
from target_driftrock.events.event import Refusal
from target_driftrock.events.identity import NOBODY
from target_driftrock.events.identity import digest as bytes_digest
from target_driftrock.mapping import attribute, values
from target_driftrock.mapping.compiler import MappingFaults, compile_stream
from target_driftrock.naming import shown
from target_driftrock.singer.unchanged import AsRead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from target_driftrock.events.event import Origin, Part
    from target_driftrock.events.identity import Who
    from target_driftrock.mapping.stream import CompiledMapping, CompiledStream
    from target_driftrock.settings import StreamMapping
    from target_driftrock.singer.messages import Record
    from target_driftrock.singer.schema import RecordValidator
    from target_driftrock.target import TargetDriftrock

ENOUGH_TO_WONDER = 100
"""Records of which one at least should have met a condition."""


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
        read: AsRead | None = None,
    ) -> None:
        super().__init__(target, stream_name, deepcopy(schema), key_properties)  # it takes properties out of it
        keys = sorted(set(key_properties or ()))
        scope = stream_name if scope is None else scope
        self._batch = target.batch
        self._submit = target.submit
        self.mapper = _compile(
            target.mappings,
            stream_name,
            schema=schema,
            key_properties=keys,
            scope=scope,
            changed=frozenset() if read is None else read.changed(schema),
        )
        self._key = attribute.key(scope, keys)
        self._read = read or AsRead(schema=schema)
        self._chosen = target.chosen.setdefault(scope, Counter())
        self._validators: dict[str | None, RecordValidator | None] = {}

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

    def part(self, record: dict[str, Any], origin: Origin, *, read: dict[str, Any] | None = None) -> Part | None:
        """What a record of this stream becomes, or None where it is filtered.

        It is judged as it was `read`, before stream maps and flattening, and only in what its mapping takes of it, and
        in what the mappings are chosen by: of what cannot be compared nobody knows whether it was to be filtered.
        """
        origin = self.keyed(record, origin)
        mapping = self.mapper.choose(record)
        self._chosen[None if mapping is None else mapping.label] += 1
        part = None if mapping is None or mapping.skips else mapping.part(record, origin)
        fault = self._fault(record if read is None else read, mapping) if self.validate_schema else None
        if fault is None:
            return part
        return self.refusal(origin, f"schema: {fault}", who=NOBODY if part is None else part.who)

    def _fault(self, read: dict[str, Any], mapping: CompiledMapping | None) -> str | None:
        label = None if mapping is None else mapping.label
        if label not in self._validators:
            self._validators[label] = self._judge_of(mapping)
        validator = self._validators[label]
        return None if validator is None else validator.fault(read)

    def _judge_of(self, mapping: CompiledMapping | None) -> RecordValidator | None:
        """What judges the records that a mapping takes, or those that none does; None where nothing of them is used."""
        if mapping is None:
            return self._read.validator(self.mapper.is_chosen_by)
        return self._read.validator_of_all() if mapping.reads_all else self._read.validator(mapping.reads)

    def asks_for(self, name: str) -> bool:
        """Whether a mapping of this stream names a property of the tap, or nothing would be sent of it anyway."""
        return name in self.mapper.reads or all(mapping.skips for mapping in self.mapper.mappings)

    @property
    def nulls(self) -> Mapping[str, None]:
        """What its stream map must find as null where a record leaves it out."""
        return self._read.nulls

    def idle_mappings(self) -> Iterator[str]:
        """The mappings whose `when` kept out all records, where there were enough to wonder; a sentence each."""
        asked = self._chosen.total()
        for mapping in self.mapper.mappings:
            if mapping.has_condition and not self._chosen[mapping.label] and asked >= ENOUGH_TO_WONDER:
                yield _IDLE.format(label=mapping.label, count=asked, stream=shown(self.stream_name))
            asked -= self._chosen[mapping.label]

    def keyed(self, record: dict[str, Any], origin: Origin) -> Origin:
        """The origin with the stream and key properties of the record, where it has them."""
        key = self._key(record) if self.key_properties else None
        return replace(origin, key=key if isinstance(key, str) else None)

    def refusal(self, origin: Origin, reason: str, *, who: Who = NOBODY) -> Refusal:
        """A record of this stream that must not be sent."""
        return Refusal(origin=origin, mapping=f"stream {shown(self.stream_name)}", reason=reason, who=who)

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Put into the shared batch what the record becomes.

        `context["origin"]` says where it came from, `context["read"]` what it was before stream maps and flattening.
        """
        part = self.part(record, context["origin"], read=context.get("read"))
        if part is not None:
            self._batch.add(part)

    def process_batch(self, context: dict[str, Any]) -> None:  # noqa: ARG002 - the batch is not the SDK's
        """Hand the shared batch over to delivery."""
        self._submit()


def record_digest(message: Record) -> bytes:
    """What stands for a record as read, without what loaders add (`_sdc_*`), which is new each time."""
    if message.fault is not None:  # what could not be read in it is null, and would be the same for many
        line, is_marked, _ = message.raw.partition(b',"driftrock_row":')  # what `rejects` puts behind such a line
        return bytes_digest(line if is_marked else line.removesuffix(b"}"))
    has_added = b"_sdc_" in message.raw.lower()
    found = values.record_digest(without_added(message.record) if has_added else message.record)
    return bytes_digest(message.raw) if found is None else found


def _compile(
    mappings: Sequence[StreamMapping],
    stream: str,
    *,
    schema: dict[str, Any],
    key_properties: Sequence[str],
    scope: str,
    changed: frozenset[str],
) -> CompiledStream:
    compiled = compile_stream(
        mappings, stream=stream, schema=schema, key_properties=key_properties, scope=scope, changed=changed
    )
    if isinstance(compiled, MappingFaults):
        raise SettingsInvalid(compiled.faults)
    return compiled


_IDLE = (
    "{label}: its `when` kept out all {count} records of stream {stream} that reached it: check the values that it "
    "compares with, and their types, with `target-driftrock preview`."
)
