"""When it happened, in the one form that the API documents: `2019-12-02T10:00:00.000Z`."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SECONDS = range(946_684_800, 4_133_980_800)
"""The years 2000 to 2100: what a number means as seconds. A spreadsheet's serial date, a year, `20260302` are none."""
_EPOCH_DIGITS = frozenset({10, 13})
_DATE_DIGITS = 8


def utc(value: Any) -> str | None:
    """The moment in UTC, cut to milliseconds; None if `value` is no time between the years 1 and 9999.

    Takes what `datetime.fromisoformat` takes of ISO 8601, a date (its midnight), a datetime, and a Unix epoch: seconds
    or milliseconds, where these give a moment in the years 2000 to 2100. A text of digits alone is an epoch if it has
    10 or 13 of them (seconds, milliseconds), a date if it has 8, and else nothing. A naive time is UTC.
    """
    try:
        moment = _moment(value)
        if moment is None:
            return None
        if moment.tzinfo is not None:
            moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
    except (ValueError, ArithmeticError):  # the latter of a date out of range, and of NaN
        return None
    return f"{moment.isoformat(timespec='milliseconds')}Z"


def _moment(value: Any) -> dt.datetime | None:
    match value:
        case str():
            return _from_text(value.strip())
        case bool():
            return None
        case int() | float() | Decimal():
            return from_epoch(Decimal(repr(value)) if isinstance(value, float) else Decimal(value))
        case dt.datetime():
            return value
        case dt.date():
            return dt.datetime.combine(value, dt.time())
        case _:
            return None


def _from_text(text: str) -> dt.datetime | None:
    if text.isascii() and text.isdecimal() and len(text) != _DATE_DIGITS:
        return from_epoch(Decimal(text)) if len(text) in _EPOCH_DIGITS else None
    return dt.datetime.fromisoformat(text.upper())  # RFC 3339 lets `t` and `z` be small


def from_epoch(number: Decimal) -> dt.datetime | None:
    """A moment in UTC by seconds or milliseconds since 1970; None where neither is in the years 2000 to 2100."""
    for milliseconds in (number * 1000, number):
        if _SECONDS.start * 1000 <= milliseconds < _SECONDS.stop * 1000:
            return _EPOCH + dt.timedelta(milliseconds=math.floor(milliseconds))
    return None
