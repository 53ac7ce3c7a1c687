"""The columns of a DataFrame as a tap would give them: a JSON Schema of their types, and values as JSON has them.

The forms are those of a tap, so that a row is the same event with the same content whichever way it comes.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
import struct
from typing import TYPE_CHECKING, Any

from pyspark.sql import types

from target_driftrock.mapping.masking import BARE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_driftrock.mapping.masking import Mask

    Convert = Callable[[Any], Any]


def json_schema(row: types.StructType, *, mask: Mask = BARE) -> tuple[dict[str, Any], list[str]]:
    """A JSON Schema of a DataFrame's rows, and what stands against delivering them, a sentence each.

    `mask` says how columns are told, whose names may be values: those of a pivot, or of a file without a header row.
    """
    found = _Columns(mask)
    schema = found.object(row, path="")
    return schema, found.faults


def converter(kind: types.DataType) -> Convert:
    """What makes of a value as Arrow gives it one that JSON has. The type is one that `json_schema` takes."""
    match kind:
        case types.StructType():
            return _object({each.name: converter(each.dataType) for each in kind.fields})
        case types.ArrayType():
            return _array(converter(kind.elementType))
        case types.MapType():
            return _map(converter(kind.valueType))
        case types.FloatType():
            return _single
        case types.DoubleType():
            return _double
        case types.BinaryType():
            return _base64
        case types.DateType():
            return _date
        case types.TimestampType():
            return _moment
        case _:
            return _same


class _Columns:
    """Describes columns, and notes those that JSON has no form for."""

    def __init__(self, mask: Mask) -> None:
        self.faults: list[str] = []
        self._mask = mask

    def object(self, row: types.StructType, *, path: str) -> dict[str, Any]:
        names = [each.name for each in row.fields] if path else []  # of columns Spark itself may take two for one
        self.faults += [
            f"{path}: two of its fields are called {self._mask.column(name)}."
            for name in {*names}
            if names.count(name) > 1
        ]
        return {
            "type": "object",
            "properties": {
                each.name: _nullable(self._of(each.dataType, self._at(path, each.name)), is_nullable=each.nullable)
                for each in row.fields
            },
        }

    def _of(self, kind: types.DataType, path: str) -> dict[str, Any]:
        match kind:
            case types.StructType():
                return self.object(kind, path=path)
            case types.ArrayType():
                items = self._of(kind.elementType, f"{path}[]")
                return {"type": "array", "items": _nullable(items, is_nullable=kind.containsNull)}
            case types.MapType():
                if not isinstance(kind.keyType, types.StringType):
                    self.faults.append(f"{path}: only a map with text keys has a form in JSON: cast its keys.")
                values = self._of(kind.valueType, f"{path}{{}}")
                return {"type": "object", "additionalProperties": _nullable(values, is_nullable=kind.valueContainsNull)}
        for of, form in FORMS.items():
            if isinstance(kind, of):
                return dict(form)
        self.faults.append(f"{path}: {_REFUSED.get(type(kind), _UNKNOWN).format(kind=kind.simpleString())}")
        return {}

    def _at(self, path: str, name: str) -> str:
        told = self._mask.column(name)
        return f"{path}.{told}" if path else f"Column {told}"


FORMS: Mapping[type[types.DataType], Mapping[str, Any]] = {
    types.NullType: {"type": "null"},
    types.BooleanType: {"type": "boolean"},
    types.ByteType: {"type": "integer"},
    types.ShortType: {"type": "integer"},
    types.IntegerType: {"type": "integer"},
    types.LongType: {"type": "integer"},
    types.FloatType: {"type": "number"},
    types.DoubleType: {"type": "number"},
    types.DecimalType: {"type": "number"},
    types.StringType: {"type": "string"},  # CHAR and VARCHAR are kinds of it
    types.CharType: {"type": "string"},
    types.VarcharType: {"type": "string"},
    types.BinaryType: {"type": "string", "contentEncoding": "base64"},
    types.DateType: {"type": "string", "format": "date"},
    types.TimestampType: {"type": "string", "format": "date-time"},
}
"""What a tap would say of a column of each type; structs, arrays and maps are made of these."""

_REFUSED: Mapping[type[types.DataType], str] = {
    types.TimestampNTZType: (
        "a time without a zone may be any of 26 hours: state its zone by casting it to TIMESTAMP, which takes it for "
        "one of the session's zone (spark.sql.session.timeZone)."
    ),
}
_UNKNOWN = "{kind} has no one form in JSON: cast it, to a text for one, or drop it."


def _nullable(schema: dict[str, Any], *, is_nullable: bool) -> dict[str, Any]:
    kind = schema.get("type")
    return {**schema, "type": [kind, "null"]} if is_nullable and kind not in {None, "null"} else schema


# Values.


def _same(value: Any) -> Any:
    return value


def _object(by_name: Mapping[str, Convert]) -> Convert:
    def convert(value: Any) -> Any:
        return None if value is None else {name: by_name[name](each) for name, each in value.items()}

    return convert


def _array(convert_item: Convert) -> Convert:
    def convert(value: Any) -> Any:
        return None if value is None else [convert_item(each) for each in value]

    return convert


def _map(convert_value: Convert) -> Convert:
    """Arrow gives pairs."""

    def convert(value: Any) -> Any:
        return None if value is None else {name: convert_value(each) for name, each in value}

    return convert


def _double(value: float | None) -> float | str | None:
    """What is no number is a text, which no SCHEMA takes for one: the record is invalid where that is used."""
    return value if value is None or math.isfinite(value) else str(value)


def _single(value: float | None) -> float | str | None:
    """The shortest number that is this one in 32 bits, as its column shows it: 0.1, and not 0.10000000149011612."""
    if value is None or not math.isfinite(value):
        return _double(value)
    shortest = (float(f"{value:.{digits}g}") for digits in range(6, 10))
    return next(each for each in shortest if struct.unpack("f", struct.pack("f", each))[0] == value)


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECONDS = 86_400_000_000
"""Of a day."""
_CYCLE = 146_097
"""Days in 400 years, after which the calendar repeats itself."""


def _date(days: int | None) -> str | None:
    """Of so many days since 1970. A year that Python does not have gets a sign, as ISO 8601 says: +10000-01-01."""
    if days is None:
        return None
    try:
        return (_EPOCH + dt.timedelta(days=days)).date().isoformat()
    except OverflowError:
        cycles, rest = divmod(days, _CYCLE)
        day = _EPOCH + dt.timedelta(days=rest)
        return f"{day.year + 400 * cycles:+06d}-{day:%m-%d}"


def _moment(microseconds: int | None) -> str | None:
    """Of so many since 1970, in UTC. Of a year that Python does not have, no `created_at` can be made."""
    if microseconds is None:
        return None
    try:
        return (_EPOCH + dt.timedelta(microseconds=microseconds)).isoformat()
    except OverflowError:
        days, rest = divmod(microseconds, _MICROSECONDS)
        return f"{_date(days)}T{(_EPOCH + dt.timedelta(microseconds=rest)).timetz().isoformat()}"
