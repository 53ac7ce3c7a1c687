"""The form of kept rows: a tap's two lines, whoever the front is, so that what was refused can be sent again by any."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from target_driftrock.errors import InputInvalid
from target_driftrock.mapping.masking import BARE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


def schema_line(stream: str, *, schema: Mapping[str, Any], key_properties: Sequence[str]) -> bytes:
    """A SCHEMA message, without its newline."""
    return _ENCODER.encode(
        {"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": list(key_properties)}
    )


def record_line(stream: str, record: Mapping[str, Any], *, position: int) -> tuple[bytes, dict[str, Any]]:
    """A RECORD message, without its newline, and the record as it is read from that: times as texts, numbers exact.

    So the same row becomes the same event, whichever way it comes.

    Raises:
        InputInvalid: JSON cannot say what the record holds, such as NaN. The text names stream and position.
    """
    try:
        line = _ENCODER.encode({"type": "RECORD", "stream": stream, "record": record})
    except (TypeError, ValueError, RecursionError):
        line = None  # the error may hold values
    if line is None or not _is_json(record):
        raise InputInvalid(
            f"Record {position}, of stream {BARE.stream(stream)}, holds what JSON cannot say, such as NaN: mend it. "
            "What was put before it is delivered."
        )
    return line, read_line(line)


def read_line(line: bytes) -> dict[str, Any]:
    """The record of a line that `record_line` made."""
    record: dict[str, Any] = _DECODER.decode(line)["record"]
    return record


def _is_json(value: Any) -> bool:
    """Whether it is written as what it is: NaN would become null, and a set an array in any order."""
    match value:
        case float() | Decimal():
            return math.isfinite(value)
        case dict():
            return all(map(_is_json, value.values()))
        case list() | tuple():
            return all(map(_is_json, value))
        case _:
            return not isinstance(value, set | frozenset)
