"""The Singer target: the SDK's hooks, messages to parts, and the batch that all sinks share."""

from __future__ import annotations

import logging
import os
from collections import Counter
from typing import IO, TYPE_CHECKING, Any, ClassVar, NoReturn

from singer_sdk.exceptions import RecordsWithoutSchemaException
from singer_sdk.target_base import Target

from target_driftrock.errors import Defect, InputInvalid, RunStopped, SettingsInvalid
from target_driftrock.events.columns import deletion
from target_driftrock.events.event import Origin
from target_driftrock.mapping.compiler import template_faults, unreachable
from target_driftrock.naming import shown
from target_driftrock.progress import Input
from target_driftrock.run import Run
from target_driftrock.settings import config_jsonschema, from_environment, parse, sdk_config
from target_driftrock.singer.reader import Reader
from target_driftrock.singer.stream_maps import failure, is_taken_away, register, scopes, settings_faults, unmet
from target_driftrock.singer.unchanged import as_read, rules
from target_driftrock.sinks import Batch, DriftrockSink, record_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from singer_sdk.mapper import StreamMap

    from target_driftrock.events.event import Part
    from target_driftrock.mapping.stream import CompiledStream
    from target_driftrock.settings import StreamMapping
    from target_driftrock.signals import Signals
    from target_driftrock.singer.messages import ActivateVersion, Record, Schema, State

log = logging.getLogger(__name__)

BATCH_SECONDS = 4.0
"""A half-full batch is looked at once a second, and must not wait for more than five."""


class TargetDriftrock(Target):
    """Sends the records of any Singer tap to Driftrock as events."""

    name = "target-driftrock"
    config_jsonschema: ClassVar[dict[str, Any]] = config_jsonschema()
    default_sink_class = DriftrockSink

    def __init__(
        self,
        *,
        config: Mapping[str, Any] | None = None,
        parse_env_config: bool = False,
        signals: Signals | None = None,
        **_: Any,
    ) -> None:
        given = dict(config or {}) | (from_environment(os.environ) if parse_env_config else {})
        self.settings = parse(given, template_faults=template_faults)
        self.batch = Batch()
        self._run = Run(self.settings, signals=signals, read=self._input_read)
        self._schema_lines: dict[str, bytes] = {}
        self.chosen: dict[str, Counter[str | None]] = {}
        """How many records each mapping took, by the sink's scope; None for those that no mapping's `when` fits."""
        self._sinks: dict[str, list[DriftrockSink]] = {}
        """For each stream of the tap, one for each of its stream maps that leaves anything, in their order."""
        self._streams: set[str] = set()
        self._reader = Reader(
            wake_fd=None if signals is None else signals.wake_fd, is_stopped=self._run.is_over, tick=self._tick
        )
        super().__init__(
            config=sdk_config(given), validate_config=False, setup_mapper=False, message_reader=self._reader
        )
        self.max_parallelism = 1
        self._set_up_mapper()

    # What the SDK asks for.

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Nothing: the table of settings has those of the SDK's settings that do something here."""

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002 - the SDK's signature
        """Nothing: `settings.parse` has judged all, and the SDK's messages show values."""
        return []

    def _setup_signal_handlers(self) -> None:
        """None: the SDK's drain inside the handler, write the newest STATE, and end with 0."""

    def _set_up_mapper(self) -> None:
        faults = settings_faults(self.config.get("stream_maps", {}), config=self.config.get("stream_map_config", {}))
        if faults:
            raise SettingsInvalid(faults)
        self.setup_mapper()

    # What the sinks and the commands ask for.

    @property
    def mappings(self) -> Sequence[StreamMapping]:
        """The settings' mappings, in their order."""
        return self.settings.mappings

    def submit(self) -> None:
        """Hand the shared batch over to delivery."""
        self._run.submit(self.batch.take())

    def map_record(self, message: Record) -> list[Part]:
        """Put the parts that a record becomes into the shared batch, and give them: none if it is filtered.

        Raises:
            RecordsWithoutSchemaException: No SCHEMA of its stream was read.
        """
        if message.stream not in self._schema_lines:
            raise RecordsWithoutSchemaException(_NO_SCHEMA.format(line=message.line, stream=shown(message.stream)))
        origin = Origin(
            position=self._run.next_position,
            stream=message.stream,
            record=message.raw,
            schema=self._schema_lines[message.stream],
            row=message.row,
            digest=record_digest(message),
        )
        before = len(self.batch)
        deleted_by = deletion(message.record)
        for stream_map, sink in zip(self.mapper.stream_maps[message.stream], self._sinks[message.stream], strict=True):
            if deleted_by is None or sink.asks_for(deleted_by):  # else it is no lead
                self._map(stream_map, sink, message, origin)
        return self.batch.since(before)

    def filters_deletion(self, message: Record) -> bool:
        """Whether the record says that its row was deleted, and not every mapping that it can reach asks for that."""
        deleted_by = deletion(message.record)
        return deleted_by is not None and not all(sink.asks_for(deleted_by) for sink in self._sinks[message.stream])

    def take_schema(self, message: Schema) -> list[str]:
        """Compile what maps its stream from here on; what a person should know of that, a sentence each.

        Raises:
            SettingsInvalid: The mapping, or a stream map, does not go with it. The stream is left without a SCHEMA.
        """
        self._process_schema_message(message)
        return [warning for sink in self._sinks[message.stream] for warning in sink.warnings]

    def compiled(self, stream: str) -> list[CompiledStream]:
        """What maps a stream of the tap, of which a SCHEMA was taken."""
        return [sink.mapper for sink in self._sinks[stream]]

    def unmet_stream_maps(self) -> list[str]:
        """What is wrong with `stream_maps` if no further stream comes, a sentence each."""
        return unmet(self.config.get("stream_maps", {}), self._streams)

    def idle_mappings(self) -> list[str]:
        """What took no record, and should have by its looks, once all are read; a sentence each."""
        sinks = (sink for sinks in self._sinks.values() for sink in sinks)
        return [*unreachable(self.mappings), *(fault for sink in sinks for fault in sink.idle_mappings())]

    def _map(self, stream_map: StreamMap, sink: DriftrockSink, message: Record, origin: Origin) -> None:
        if message.fault is not None:
            self.batch.add(sink.refusal(sink.keyed(message.record, origin), message.fault))
            return
        try:
            record = stream_map.transform({**sink.nulls, **message.record} if sink.nulls else message.record)
        except Exception as error:  # noqa: BLE001 - an expression can fail in any way, and its text holds values
            self.batch.add(sink.refusal(sink.keyed(message.record, origin), failure(error)))
            return
        if record is not None:
            sink.process_record(record, {"origin": origin, "read": message.record})

    # Messages, in the order read. They are our reader's values, not the SDK's dictionaries.

    def _process_schema_message(self, message: Schema) -> None:  # type: ignore[override]
        """The SDK's own keeps one sink for all streams that share an alias, and so judges one by another's SCHEMA."""
        stream = message.stream
        if self._schema_lines.get(stream) == message.raw:
            return
        self._streams.add(stream)
        self._schema_lines.pop(stream, None)
        schema = {"properties": {}, **message.schema}
        register(self.mapper, stream, schema=schema, key_properties=message.key_properties, config=self.config)
        self._sinks[stream] = list(self._sinks_for(stream, message.schema))
        self.mapper.stream_maps[stream] = [each for each in self.mapper.stream_maps[stream] if not is_taken_away(each)]
        self._run.judge_ways(self.compiled(stream))
        self._schema_lines[stream] = message.raw

    def _sinks_for(self, stream: str, schema: dict[str, Any]) -> Iterator[DriftrockSink]:
        maps = self.config.get("stream_maps", {})
        for stream_map, changes, scope in zip(
            self.mapper.stream_maps[stream], rules(maps, stream), scopes(maps, stream), strict=True
        ):
            if is_taken_away(stream_map):
                continue
            yield DriftrockSink(
                self,
                stream_map.stream_alias,
                stream_map.transformed_schema,
                stream_map.transformed_key_properties,
                scope=scope,
                read=as_read(stream_map, changes, schema),
            )

    def _process_record_message(self, message: Record) -> None:  # type: ignore[override]
        """The SDK's own prints values, rewrites dates, and stops at the first invalid record."""
        parts = self.map_record(message)
        is_deletion = not parts and self.filters_deletion(message)
        self._run.enter(message.stream, parts, row=message.row, is_deletion=is_deletion)
        if len(self.batch) >= self.settings.batch_size_rows:
            self.submit()
        while self._run.must_wait():
            self.submit()
            self._run.wait_for_room()
            self._tick()

    def _process_state_message(self, message: State) -> None:  # type: ignore[override]
        self._run.note_state(message.value)

    def _process_activate_version_message(self, message: ActivateVersion) -> None:  # type: ignore[override]
        """Events have no versions."""

    def _process_batch_message(self, message_dict: dict[str, Any]) -> NoReturn:
        """Never called: the reader refuses BATCH messages."""
        raise NotImplementedError

    def process_endofpipe(self) -> None:
        """What the SDK's `listen` calls: deliver the rest, write the last STATE, and let go of the ledger.

        Raises:
            RunStopped: What stopped the delivery.
        """
        causes = _causes(self._deliver)
        self._run.conclude(causes, was_read=not self._reader.was_stopped)
        for cause in causes:
            raise cause

    def run(self, source: IO[bytes] | None) -> int:
        """Read all of `source` (standard input if None), deliver it, account for it; the exit code."""
        causes = _causes(lambda: self._read(source), self._deliver)
        return self._run.conclude(causes, was_read=not self._reader.was_stopped)

    def _read(self, source: IO[bytes] | None) -> None:
        if not self._run.start():
            return
        try:
            self.process_lines(source)  # type: ignore[arg-type]  # our reader takes bytes
        except RecordsWithoutSchemaException as missing:
            raise InputInvalid(str(missing)) from None
        if not self._run.is_over():
            for fault in (*self.unmet_stream_maps(), *self.idle_mappings()):
                log.warning("%s", fault)

    def _deliver(self) -> None:
        self.submit()
        self._run.deliver_rest()

    def _input_read(self) -> Input:
        return Input(records=self._reader.counts["RECORD"], place=self._reader.place)

    def _tick(self) -> None:
        if self.batch.age >= BATCH_SECONDS:
            self.submit()
        self._run.tick()


def _causes(*stages: Callable[[], None]) -> list[RunStopped]:
    """What ended each stage, if anything did."""
    causes = []
    for stage in stages:
        try:
            stage()
        except RunStopped as cause:
            causes.append(cause)
        except Exception:
            log.critical("A defect of target-driftrock ends this run.", exc_info=True)
            causes.append(Defect(_DEFECT))
    return causes


_NO_SCHEMA = "Line {line}: a RECORD of stream {stream} came before any SCHEMA of it. Mend the tap, then run again."
_DEFECT = "A defect of target-driftrock: please report the lines above, which hold no data."
