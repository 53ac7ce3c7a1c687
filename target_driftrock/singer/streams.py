"""A tap's streams: each SCHEMA through the SDK's stream maps and flattening to where its records are mapped."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

from singer_sdk.exceptions import RecordsWithoutSchemaException
from singer_sdk.mapper import PluginMapper

from target_driftrock.errors import InputInvalid, SettingsInvalid
from target_driftrock.events.columns import deletion
from target_driftrock.events.event import Origin
from target_driftrock.events.identity import digest as bytes_digest
from target_driftrock.mapping.compiler import named, unreachable
from target_driftrock.mapping.masking import Mask
from target_driftrock.records.stream import record_digest
from target_driftrock.singer.stream_maps import (
    failure,
    is_taken_away,
    named_by_maps,
    register,
    scopes,
    settings_faults,
    unmet,
)
from target_driftrock.singer.unchanged import as_read, rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from singer_sdk.mapper import StreamMap

    from target_driftrock.events.event import Part
    from target_driftrock.mapping.stream import CompiledStream
    from target_driftrock.records.as_read import AsRead
    from target_driftrock.records.batch import Batch
    from target_driftrock.records.stream import RecordStream
    from target_driftrock.settings import StreamMapping
    from target_driftrock.singer.messages import Record, Schema

log = logging.getLogger(__name__)


class RecordBeforeSchema(InputInvalid, RecordsWithoutSchemaException):
    """A RECORD came before any SCHEMA of its stream. It is the SDK's own error too, for whoever drives its hooks."""


class Sink(Protocol):
    """Where the records of one stream of the tap, through one of its stream maps, are mapped."""

    @property
    def stream(self) -> RecordStream:
        """What maps them."""
        ...

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Put into the batch what the record becomes.

        `context["origin"]` says where it came from, `context["read"]` what it was before stream maps and flattening.
        """
        ...


class OpenSink(Protocol):
    """Makes a sink."""

    def __call__(
        self,
        name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,
        *,
        scope: str,
        as_read: AsRead,
        chosen: Counter[str | None],
    ) -> Sink:
        """For a stream as it comes out of its map. See `RecordStream`."""
        ...


def _approve(_: object) -> None:
    pass


class Streams:
    """What maps each stream of a tap from its latest SCHEMA on. `config` are the settings that the SDK knows.

    Raises:
        SettingsInvalid: `stream_maps` make no sense, whatever the streams.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        mappings: Sequence[StreamMapping],
        *,
        batch: Batch,
        open_sink: OpenSink,
    ) -> None:
        self._maps: Mapping[str, Any] = config.get("stream_maps", {})
        if faults := settings_faults(self._maps, config=config.get("stream_map_config", {})):
            raise SettingsInvalid(faults)
        self._config = config
        self._mappings = mappings
        self.mask = Mask(said=named(mappings) | named_by_maps(self._maps))
        """How the names of streams are told."""
        self._batch = batch
        self._open_sink = open_sink
        self._mapper = PluginMapper(plugin_config=dict(config), logger=log)
        self._lines: dict[str, bytes] = {}
        self._sinks: dict[str, list[tuple[StreamMap, Sink]]] = {}
        """For each stream of the tap, one for each of its stream maps that leaves anything, in their order."""
        self._chosen: dict[str, Counter[str | None]] = {}
        """How many records each mapping took, by the stream's scope."""
        self._seen: set[str] = set()

    def take_schema(
        self, message: Schema, *, judge: Callable[[Sequence[CompiledStream]], object] = _approve
    ) -> list[str]:
        """Compile what maps its stream from here on; what a person should know of that, a sentence each.

        Nothing where the tap only says it again. `judge` may raise where what was compiled must not be used.

        Raises:
            SettingsInvalid: The mapping, or a stream map, does not go with it. The stream is left without a SCHEMA.
        """
        stream = message.stream
        if self._lines.get(stream) == message.raw:
            return []
        self._seen.add(stream)
        self._lines.pop(stream, None)
        schema = {"properties": {}, **message.schema}
        mask = self.mask.over(message.schema, message.key_properties)
        register(
            self._mapper, stream, schema=schema, key_properties=message.key_properties, config=self._config, mask=mask
        )
        self._sinks[stream] = list(self._opened(stream, message.schema, mask))
        judge(self.compiled(stream))
        self._lines[stream] = message.raw
        return [warning for sink in self._of(stream) for warning in sink.stream.warnings]

    def map(self, message: Record, *, position: int) -> list[Part]:
        """Put the parts that a record becomes into the batch, and give them: none if it is filtered.

        Raises:
            RecordBeforeSchema: No SCHEMA of its stream was read.
        """
        if message.stream not in self._lines:
            raise RecordBeforeSchema(_NO_SCHEMA.format(line=message.line, stream=self.mask.stream(message.stream)))
        origin = Origin(
            position=position,
            stream=message.stream,
            record=message.raw,
            schema=self._lines[message.stream],
            kept_row=message.kept_row,
            digest=digest(message),
        )
        before = len(self._batch)
        deleted_by = deletion(message.record)
        try:
            for stream_map, sink in self._sinks[message.stream]:
                if deleted_by is None or sink.stream.asks_for(deleted_by):  # else it is no lead
                    self._map(stream_map, sink, message, origin)
        except BaseException:
            self._batch.drop(before)
            raise
        return self._batch.since(before)

    def filters_deletion(self, message: Record) -> bool:
        """Whether the record says that its row was deleted, and not every mapping that it can reach asks for that."""
        deleted_by = deletion(message.record)
        return deleted_by is not None and not all(sink.stream.asks_for(deleted_by) for sink in self._of(message.stream))

    def compiled(self, stream: str) -> list[CompiledStream]:
        """What maps a stream of the tap, of which a SCHEMA was taken."""
        return [sink.stream.mapper for sink in self._of(stream)]

    def unmet_stream_maps(self) -> list[str]:
        """What is wrong with `stream_maps` if no further stream comes, a sentence each."""
        return unmet(self._maps, self._seen, self.mask)

    def idle_mappings(self) -> list[str]:
        """What took no record, and should have by its looks, once all are read; a sentence each."""
        idle = (fault for stream in self._sinks for sink in self._of(stream) for fault in sink.stream.idle_mappings())
        return [*unreachable(self._mappings), *idle]

    def _of(self, stream: str) -> Iterator[Sink]:
        return (sink for _, sink in self._sinks[stream])

    def _opened(self, stream: str, schema: dict[str, Any], mask: Mask) -> Iterator[tuple[StreamMap, Sink]]:
        """The SDK keeps one sink for all streams that share an alias, and so judges one by another's SCHEMA."""
        made = self._mapper.stream_maps[stream]
        for stream_map, changes, scope in zip(made, rules(self._maps, stream), scopes(self._maps, stream), strict=True):
            if is_taken_away(stream_map):
                continue
            yield (
                stream_map,
                self._open_sink(
                    stream_map.stream_alias,
                    stream_map.transformed_schema,
                    stream_map.transformed_key_properties,
                    scope=scope,
                    as_read=as_read(stream_map, changes, schema, mask=mask),
                    chosen=self._chosen.setdefault(scope, Counter()),
                ),
            )

    def _map(self, stream_map: StreamMap, sink: Sink, message: Record, origin: Origin) -> None:
        stream = sink.stream
        if message.fault is not None:
            self._batch.add(stream.invalid(stream.keyed(message.record, origin), message.fault))
            return
        try:
            record = stream_map.transform({**stream.nulls, **message.record} if stream.nulls else message.record)
        except Exception as error:  # noqa: BLE001 - an expression can fail in any way, and its text holds values
            self._batch.add(stream.invalid(stream.keyed(message.record, origin), failure(error)))
            return
        if record is not None:
            sink.process_record(record, {"origin": origin, "read": message.record})


def digest(message: Record) -> bytes:
    """What stands for the record of a message, as it was read."""
    if message.fault is None:
        return record_digest(message.record, message.raw)
    # what could not be read in it is null, and would be the same for many
    line, is_marked, _ = message.raw.partition(b',"driftrock_row":')  # what `rejects` puts behind such a line
    return bytes_digest(line if is_marked else line.removesuffix(b"}"))


_NO_SCHEMA = "Line {line}: a RECORD of stream {stream} came before any SCHEMA of it. Mend the tap, then run again."
