"""What a value is, whatever its spelling: blanks are nothing, `42`, `42.0` and `42.00` are one number."""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from target_driftrock.events.identity import digest as digest_of

_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
SPACES = "".join(map(chr, filter(lambda code: chr(code).isspace(), range(0x3001)))) + _INVISIBLE
_EXACT = decimal.Context(prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
_LONGEST_WHOLE = 64
"""Digits up to which a whole number is written out: `1e30000000` must not become thirty million of them."""
_TOO_LONG = 10**_LONGEST_WHOLE
_NUMBERS = frozenset({int, Decimal, float})
_AS_THEY_ARE = frozenset({str, bool})
_ENCODER = msgspec.json.Encoder(decimal_format="number", order="sorted")


def is_blank(text: str) -> bool:
    """Whether a text is empty, or holds nothing that can be seen."""
    return not text or (text[0] in SPACES and not text.strip(SPACES))


def is_nothing(value: Any) -> bool:
    """Whether a value is null or a blank."""
    return value is None or (type(value) is str and is_blank(value))


def number(value: float | Decimal) -> int | Decimal:
    """A number in the one form that all its spellings share. What is not finite comes back as a Decimal."""
    if isinstance(value, int) and -_TOO_LONG < value < _TOO_LONG:
        return value
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        return exact
    shortest = exact.normalize(_EXACT)
    if shortest.as_tuple().exponent >= 0 and shortest.adjusted() < _LONGEST_WHOLE:  # type: ignore[operator] # finite
        return int(shortest)
    return shortest


def content_digest(content: Mapping[str, Any]) -> bytes | None:
    """What stands for a content within this process: by sorted names and values, blanks and nulls left out.

    Of `fields`, the mapping has left these out at the top. None if it cannot be written.
    """
    try:
        return digest_of(_ENCODER.encode(_plain_content(content)))
    except _UNWRITABLE:
        return None


def record_digest(record: Mapping[str, Any]) -> bytes | None:
    """What stands for a record as read, by sorted names, its values as they are. None if it cannot be written."""
    try:
        return digest_of(_ENCODER.encode(record))
    except _UNWRITABLE:
        return None


_UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError)


def _plain_content(content: Mapping[str, Any]) -> Any:
    """Many events hold nothing but texts in `fields`, which stay as they are: asked without a loop of ours."""
    fields = content.get("fields")
    if type(fields) is not dict or not _AS_THEY_ARE.issuperset(map(type, fields.values())):
        return _plain(dict(content))
    return {**_plain({name: value for name, value in content.items() if name != "fields"}), "fields": fields}


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return None if is_blank(value) else value
    if kind is dict:
        plain = {}
        for name, item in value.items():  # a plain loop: every event passes here
            kind = type(item)
            if kind is str and item and item[0] not in SPACES:
                plain[name] = item
            elif item is not None and (kept := _plain(item)) is not None:
                plain[name] = kept
        return plain
    if kind is list:
        return [_plain(item) for item in value]
    if kind in _NUMBERS:
        return number(value)
    return value
