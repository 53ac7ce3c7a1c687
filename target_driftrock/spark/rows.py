"""On the executors, before the shuffle: a row becomes its record's line, with what it is dealt out and ordered by."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
from pyspark.sql import types

from target_driftrock.events.event import Event, Origin
from target_driftrock.mapping.compiler import template_faults
from target_driftrock.records.lines import record_line
from target_driftrock.records.stream import RecordStream
from target_driftrock.settings import parse
from target_driftrock.spark.columns import converter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROW, LINE, LANE, MOMENT = "row", "line", "lane", "moment"
MAPPED = types.StructType(
    [
        types.StructField(LINE, types.BinaryType()),
        types.StructField(LANE, types.BinaryType()),
        types.StructField(MOMENT, types.StringType()),
    ]
)
"""The record's line; what rows have in common that belong into one partition; when its event happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One DataFrame as a stream of records. Settings hold secrets, so this is never an option, nor printed."""

    settings: Mapping[str, Any] = field(repr=False)
    name: str
    schema: Mapping[str, Any] = field(repr=False)
    key: tuple[str, ...]
    row: types.StructType = field(repr=False)
    partition_by: tuple[str, ...] = ()

    def open(self) -> RecordStream:
        """What judges and maps its records."""
        settings = parse(self.settings, template_faults=template_faults)
        return RecordStream(settings, self.name, schema={**self.schema}, key_properties=self.key)

    def lines(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The column `ROW` becomes those of `MAPPED`; what stands beside it stays."""
        of_row = converter(self.row)
        stream = self.open()
        for batch in batches:
            mapped = [self._mapped(stream, of_row(row)) for row in batch.column(ROW).to_pylist()]
            columns = zip(*mapped, strict=True) if mapped else ([], [], [])
            made = [pa.array(list(each), kind) for each, kind in zip(columns, _ARROW, strict=True)]
            beside = [name for name in batch.schema.names if name != ROW]
            yield pa.RecordBatch.from_arrays(
                [*made, *(batch.column(name) for name in beside)], names=[*MAPPED.names, *beside]
            )

    def _mapped(self, stream: RecordStream, row: Mapping[str, Any]) -> tuple[bytes, bytes, str | None]:
        line, record = record_line(self.name, row, position=0)
        part = stream.part(record, Origin(position=0, stream=self.name, record=line, schema=b""))
        event = part if isinstance(part, Event) else None
        if self.partition_by:
            lane = _digest(_ENCODER.encode([row[name] for name in self.partition_by]))
        else:
            lane = _digest(line if event is None or event.person is None else "\0".join(event.person).encode())
        return line, lane, None if event is None else _moment(event.body)


_ENCODER = msgspec.json.Encoder(decimal_format="number")
_ARROW = (pa.binary(), pa.binary(), pa.string())


class _Body(msgspec.Struct):
    created_at: str | None = None


def _moment(body: bytes) -> str | None:
    """When it happened: one form, so that texts are ordered as times are."""
    return msgspec.json.decode(body, type=_Body).created_at


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()
