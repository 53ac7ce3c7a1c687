"""A value as JSON writes it: the body of an event, and the numbers and objects within a text."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from dataclasses import dataclass
from typing import Any

import msgspec

from target_driftrock.mapping.values import number

_ENCODER = msgspec.json.Encoder(decimal_format="number")  # 1.10 stays 1.10

_PLAIN = frozenset({str, int, bool, type(None)})
_TIMES = frozenset({dt.datetime, dt.date, dt.time})


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why there is no value to send: a rule that follows the attribute's name (`is null`), never a value.

    `name` is the property, as a template names it, whose value breaks the rule; None where the attribute has only one.
    """

    rule: str
    name: str | None = None


UNWRITABLE = Wrong("cannot be written as JSON")


def write(value: Any) -> bytes | None:
    """The value in compact JSON (RFC 8259), or None if JSON has no form for it.

    Times are written in ISO 8601. No form have: numbers that are not finite, lone surrogates, names that
    are not text, nesting too deep to follow, and any type that a JSON text cannot hold.
    """
    try:
        return _ENCODER.encode(value) if _has_a_form(value) else None
    except (ValueError, OverflowError, RecursionError):  # UnicodeEncodeError is a ValueError
        return None


def as_text(value: Any) -> str | Wrong:
    """The value as it stands within a text: text as it is, all else as JSON, times without quotes."""
    if type(value) is str:
        return value
    written = write(value)
    return UNWRITABLE if written is None else written.decode().strip('"')


def as_identifier(value: Any) -> str | Wrong:
    """The value as it stands within an identity: as a text, but all spellings of one number give one text."""
    if type(value) is str:
        return value
    if isinstance(value, int | float | decimal.Decimal) and not isinstance(value, bool):
        same = number(value)
        return str(same) if type(same) is int else as_text(same)
    return as_text(value)


def _has_a_form(value: Any) -> bool:
    kind = type(value)
    if kind in _PLAIN or kind in _TIMES:
        return True
    if kind is dict:
        for name, item in value.items():  # a plain loop: every event passes here, and `all` costs half as much again
            if type(name) is not str:
                return False
            if type(item) not in _PLAIN and not _has_a_form(item):
                return False
        return True
    if kind is list:
        return all(map(_has_a_form, value))
    if kind is decimal.Decimal:
        return bool(value.is_finite())
    return kind is float and math.isfinite(value)
