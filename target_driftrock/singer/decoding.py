"""One line of a tap → one message, or the reason why it is none."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal, DecimalException
from typing import TYPE_CHECKING, Any, assert_never

import msgspec

from target_driftrock.bounds import DEPTH, exact, is_deeper
from target_driftrock.errors import InputInvalid
from target_driftrock.mapping.masking import BARE
from target_driftrock.singer.messages import ActivateVersion, Record, Schema, State

if TYPE_CHECKING:
    from target_driftrock.singer.messages import Message


class _Record(msgspec.Struct, tag_field="type", tag="RECORD"):
    stream: str
    record: dict[str, Any]
    driftrock_row: str | None = None


class _Schema(msgspec.Struct, tag_field="type", tag="SCHEMA"):
    stream: str
    schema: dict[str, Any]
    key_properties: list[str] | None = None


class _State(msgspec.Struct, tag_field="type", tag="STATE"):
    value: msgspec.Raw


class _ActivateVersion(msgspec.Struct, tag_field="type", tag="ACTIVATE_VERSION"):
    stream: str


class _Batch(msgspec.Struct, tag_field="type", tag="BATCH"):
    pass


_Wire = _Record | _Schema | _State | _ActivateVersion | _Batch
_KINDS = ("RECORD", "SCHEMA", "STATE", "ACTIVATE_VERSION", "BATCH")
_ROW = re.compile(r"[0-9a-f]{32}")
_DECODER = msgspec.json.Decoder(_Wire, float_hook=exact)


def decode(line: bytes, number: int) -> Message:
    """The message on the `number`-th line, which ends with its newline unless the input ended first.

    Raises:
        InputInvalid: It is no message that this target takes. The text names the line, never its content.
    """
    raw = line.strip()
    wire, fault = _read(raw, number, is_whole=line.endswith(b"\n"))
    match wire:
        case _Record():
            row = _row(wire, number)
            return Record(line=number, stream=wire.stream, record=wire.record, raw=raw, fault=fault, kept_row=row)
        case _State():
            return State(line=number, value=_state_value(wire, number))
        case _Schema():
            return _schema(wire, number, raw=raw)
        case _ActivateVersion():
            return ActivateVersion(line=number, stream=wire.stream)
        case _Batch():
            raise InputInvalid(
                f"Line {number} is a BATCH message, which this target does not take:"
                " take `batch_config` out of the tap's settings, so that it sends records."
            )
        case _:
            assert_never(wire)


def _read(raw: bytes, number: int, *, is_whole: bool) -> tuple[_Wire, str | None]:
    try:
        text = str(raw, "utf-8")  # asked of the whole line: msgspec does not look into what it skips
        return _DECODER.decode(raw), None
    except UnicodeDecodeError:
        if not is_whole:
            raise _cut(number) from None
        raise InputInvalid(f"Line {number} is not UTF-8: have the tap write UTF-8.") from None
    except (msgspec.DecodeError, DecimalException, RecursionError):
        pass  # and out of its context: its text may hold a value
    return _read_again(text, number, is_whole=is_whole)


def _read_again(text: str, number: int, *, is_whole: bool) -> tuple[_Wire, str | None]:
    """What msgspec refuses: the standard library tells a bad value in a good line from a line that is none."""
    leniently = _Leniently()
    try:
        value = leniently.read(text)
    except RecursionError:
        raise InputInvalid(f"Line {number} is nested too deeply to be read: mend the tap.") from None
    except ValueError:
        if not is_whole:
            raise _cut(number) from None
        raise InputInvalid(
            f"Line {number} is not JSON: nothing but the tap's messages may be on its standard output."
        ) from None
    kind = _kind(value, number)
    if leniently.fault is not None and kind != "RECORD":
        raise InputInvalid(f"Line {number}, a {kind} message, holds {leniently.fault}: mend the tap.")
    try:
        wire: _Wire = msgspec.convert(value, _Wire)
    except msgspec.ValidationError as error:  # its text knows our own keys and JSON's types, no value
        raise InputInvalid(f"Line {number} is no {kind} message: {error}. Mend the tap.") from None
    return wire, leniently.fault


def _kind(value: Any, number: int) -> str:
    if not isinstance(value, dict):
        raise InputInvalid(f"Line {number} is no Singer message, since it is no JSON object: mend the tap.")
    for kind in _KINDS:
        if value.get("type") == kind:
            return kind
    raise InputInvalid(f"Line {number} is no Singer message: its `type` is none of {', '.join(_KINDS)}. Mend the tap.")


def _schema(wire: _Schema, number: int, *, raw: bytes) -> Schema:
    if not isinstance(wire.schema.get("properties", {}), dict):
        raise InputInvalid(
            f"Line {number}, the SCHEMA of {BARE.stream(wire.stream)}: its `properties` must be an object."
        )
    if is_deeper(wire.schema, DEPTH):
        raise InputInvalid(
            f"Line {number}, the SCHEMA of {BARE.stream(wire.stream)}, is nested more than {DEPTH} deep: mend the tap."
        )
    keys = tuple(wire.key_properties or ())
    return Schema(line=number, stream=wire.stream, schema=wire.schema, key_properties=keys, raw=raw)


def _row(wire: _Record, number: int) -> str | None:
    if wire.driftrock_row is not None and not _ROW.fullmatch(wire.driftrock_row):
        raise InputInvalid(
            f"Line {number}, a RECORD: its `driftrock_row` is not the key of a kept row. Send the line as"
            " `target-driftrock rejects` printed it, or take `driftrock_row` out of it."
        )
    return wire.driftrock_row


def _state_value(wire: _State, number: int) -> bytes:
    value = bytes(wire.value)
    if not value.startswith(b"{"):
        raise InputInvalid(f"Line {number}, a STATE: its `value` must be an object. Mend the tap.")
    return value


def _cut(number: int) -> InputInvalid:
    return InputInvalid(f"The input ends inside line {number}: the tap was cut off. Run again.")


@dataclass(slots=True)
class _Leniently:
    """Reads JSON and what is nearly JSON. What it cannot take is None, and the first such thing the `fault`."""

    fault: str | None = field(default=None, init=False)

    def read(self, text: str) -> Any:
        return self._without_surrogates(
            json.loads(text, parse_float=self._float, parse_int=self._int, parse_constant=self._constant)
        )

    def _float(self, text: str) -> Decimal | None:
        try:
            return exact(text)
        except DecimalException:
            self._note("a number out of range")
            return None

    def _int(self, text: str) -> int | None:
        try:
            return int(text)
        except ValueError:  # longer than sys.get_int_max_str_digits()
            self._note("a number out of range")
            return None

    def _constant(self, _: str) -> None:
        self._note("NaN or Infinity, which JSON has not")

    def _without_surrogates(self, value: Any) -> Any:
        match value:
            case str():
                return self._text(value)
            case dict():
                read = self._without_surrogates
                return {name: read(item) for name, item in value.items() if read(name) is not None}
            case list():
                return [self._without_surrogates(item) for item in value]
            case _:
                return value

    def _text(self, text: str) -> str | None:
        try:
            text.encode()
        except UnicodeEncodeError:
            self._note("a lone surrogate, which is no Unicode text")
            return None
        return text

    def _note(self, fault: str) -> None:
        self.fault = self.fault or fault
