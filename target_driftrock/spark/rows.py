"""On the executors, before the shuffle: a row becomes its record's line, with what it is dealt out and ordered by."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
from pyspark.sql import types

from target_driftrock.errors import RunStopped
from target_driftrock.events.event import Event, InvalidPart, Origin
from target_driftrock.mapping.compiler import template_faults
from target_driftrock.records.lines import record_line
from target_driftrock.records.stream import RecordStream
from target_driftrock.redaction import describe
from target_driftrock.settings import parse
from target_driftrock.spark.columns import converter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_driftrock.mapping.masking import Mask

DONE = types.StructType([types.StructField("partition", types.IntegerType())])
"""What is left of a partition that is delivered: its number."""
ROW, LINE, LANE, MOMENT, IS_INVALID = "row", "line", "lane", "moment", "is_invalid"
MAPPED = types.StructType(
    [
        types.StructField(LINE, types.BinaryType()),
        types.StructField(LANE, types.BinaryType()),
        types.StructField(MOMENT, types.StringType()),
        types.StructField(IS_INVALID, types.BooleanType()),
    ]
)
"""The record's line; what rows have in common that belong into one partition; when its event happened; whether it makes
none, since it is invalid."""


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
        """The column `ROW` becomes those of `MAPPED`; what stands beside it stays.

        Raises:
            TaskFailed: A row cannot be read, or our own code has a defect.
        """
        try:
            yield from self._lines(batches)
        except Exception as error:  # noqa: BLE001 - which may hold rows
            failure = failed(error)
        else:
            return
        raise failure  # here, where nothing stands behind it that could hold a value

    def _lines(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        of_row = converter(self.row)
        stream = self.open()
        for batch in batches:
            rows = _read(batch.column(ROW), stream.mapper.mask)
            mapped = [self._mapped(stream, of_row(row)) for row in rows]
            columns = zip(*mapped, strict=True) if mapped else ([] for _ in _ARROW)
            made = [pa.array(list(each), kind) for each, kind in zip(columns, _ARROW, strict=True)]
            beside = [name for name in batch.schema.names if name != ROW]
            yield pa.RecordBatch.from_arrays(
                [*made, *(batch.column(name) for name in beside)], names=[*MAPPED.names, *beside]
            )

    def _mapped(self, stream: RecordStream, row: Mapping[str, Any]) -> tuple[bytes, bytes, str | None, bool]:
        line, record = record_line(self.name, row, position=0)
        part = stream.part(record, Origin(position=0, stream=self.name, record=line, schema=b""))
        event = part if isinstance(part, Event) else None
        if self.partition_by:
            lane = _digest(_ENCODER.encode([row[name] for name in self.partition_by]))
        else:
            lane = _digest(line if event is None or event.person is None else "\0".join(event.person).encode())
        return line, lane, None if event is None else _moment(event.body), isinstance(part, InvalidPart)


_ENCODER = msgspec.json.Encoder(decimal_format="number")
_ARROW = (pa.binary(), pa.binary(), pa.string(), pa.bool_())


class TaskFailed(Exception):
    """One attempt ends without its partition. Spark begins another one, and shows this text wherever it can."""


def failed(error: Exception) -> TaskFailed:
    """What Spark may show in place of an exception: our own sentences, else what it is and where it came from."""
    if isinstance(error, (RunStopped, TaskFailed)):
        return TaskFailed(str(error))
    return TaskFailed(_DEFECT.format(trace="\n".join(describe(error))))


def _read(rows: pa.StructArray, mask: Mask) -> list[dict[str, Any]]:
    """Rows as `converter` takes them. Raises TaskFailed, which names the columns that Python cannot have."""
    try:
        return _values(rows)
    except Exception:  # noqa: BLE001 - Arrow's own, which may quote a value
        names = ", ".join(map(mask.column, _unreadable(rows))) or "one of them"
        raise TaskFailed(_UNREADABLE.format(names=names)) from None


def _unreadable(rows: pa.StructArray) -> Iterator[str]:
    for number, column in enumerate(rows.type):
        try:
            _values(rows.field(number))
        except Exception:  # noqa: BLE001 - the same
            yield column.name


def _values(column: pa.Array) -> list[Any]:
    values: list[Any] = column.cast(_in_numbers(column.type)).to_pylist()
    return values


def _in_numbers(kind: pa.DataType) -> pa.DataType:
    """The same with times and days as numbers: Python knows neither every zone nor every year that Spark has."""
    if pa.types.is_timestamp(kind):
        return pa.int64()
    if pa.types.is_date32(kind):
        return pa.int32()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_in_numbers(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, _in_numbers(kind.item_type))
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_in_numbers(kind.value_type)))
    return kind


_DEFECT = "A defect of target-driftrock: please report the lines below, which hold no data.\n{trace}"
_UNREADABLE = (
    "A row has a value that cannot be delivered in these columns: {names}. Most likely it is a text that is not UTF-8: "
    "mend it in the query, or drop the column, and deliver the same rows again."
)


class _Body(msgspec.Struct):
    created_at: str | None = None


def _moment(body: bytes) -> str | None:
    """When it happened: one form, so that texts are ordered as times are."""
    return msgspec.json.decode(body, type=_Body).created_at


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()
