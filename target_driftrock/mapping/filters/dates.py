"""Dates and times as people and spreadsheets write them, in ISO 8601.

What names no hours gives a day in a field, and for `created_at` the midnight with which that day began in its zone. A
local time that its zone skipped, or had twice, is nobody's to guess.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from target_driftrock.mapping import timestamps
from target_driftrock.mapping.filters.reading import UNREADABLE, ArgumentInvalid, Filter, Scene, of_text, unknown
from target_driftrock.mapping.grammar import Argument

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT = 3


def _either(words: Sequence[str]) -> str:
    return "|".join(words)


_CODES = {
    "d": "3[01]|[12][0-9]|0?[1-9]",
    "m": "1[0-2]|0?[1-9]",
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "B": _either(_MONTHS),
    "b": _either([month[:_SHORT] for month in _MONTHS]),
    "A": _either(_DAYS),
    "a": _either([day[:_SHORT] for day in _DAYS]),
    "H": "2[0-3]|[01]?[0-9]",
    "I": "1[0-2]|0?[1-9]",
    "p": "am|pm",
    "M": "[0-5]?[0-9]",
    "S": "[0-5]?[0-9]",
    "f": "[0-9]{1,6}",
    "z": "z|[+-][0-9]{2}:?[0-5][0-9]",
}
"""`strptime`'s codes, but for those of weeks and of a locale: its own names of months are those of the process."""
_TOGETHER = (("d",), ("m", "b", "B"), ("Y", "y"))
"""A day is made of one of each."""
_TIME = frozenset("HIMSfp")
_CODE = re.compile(r"%(.?)|(\s+)|([^%\s]+)", re.DOTALL)
_PIVOT = 69
"""Years of two digits are from 1969 to 2068, as in `strptime`."""


def date(arguments: Sequence[Argument], scene: Scene) -> Filter:
    """Reads dates of one form."""
    match arguments:
        case (Argument(text="epoch", is_quoted=False),):
            return _epoch
        case (Argument(text="excel", is_quoted=False), *zones) if len(zones) <= 1:
            return partial(_excel, zone=_zone(zones), is_moment=scene.is_moment)
        case (Argument(text="epoch", is_quoted=False), _):
            raise ArgumentInvalid("of an epoch takes no zone: that is a moment by itself")
        case (form, *zones) if len(zones) <= 1:
            return _by_form(form.text, zones, scene)
    raise ArgumentInvalid(
        "takes a form and perhaps a zone, as in date: %d.%m.%Y, Europe/Berlin, or excel, or epoch; a form that holds a "
        "comma stands in quotes"
    )


def _zone(names: Sequence[Argument]) -> dt.tzinfo:
    """The zone of this name; UTC, which is meant where none is named."""
    if not names:
        return dt.UTC
    name = names[0].text
    if "%" in name:
        raise ArgumentInvalid("has a form with a comma, which stands in quotes: date: '%b %d, %Y'")
    from zoneinfo import ZoneInfo, available_timezones

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # of a name that is none, of one that leads out of the folder, of a folder
        raise unknown(name, available_timezones() - {name}, what="time zone") from None


def _by_form(form: str, zones: Sequence[Argument], scene: Scene) -> Filter:
    codes, pattern = _compiled(form)
    if "z" in codes and zones:
        raise ArgumentInvalid("has a zone twice, as %z and behind the form: take one away")
    has_time = bool(_TIME & codes)
    zone = _zone(zones)

    def read(text: str) -> Any:
        found = pattern.fullmatch(text.strip())
        if found is None:
            return UNREADABLE
        parts = {code: part.lower() for code, part in found.groupdict().items()}
        try:
            day = _day(parts)
            local = dt.datetime.combine(day, _time(parts)) if has_time or scene.is_moment else None
            return day.isoformat() if local is None else _moment(local, _offset(parts) or zone)
        except ValueError:  # 31 February, and a day that is not the one of its week
            return UNREADABLE

    return of_text(read)


def _compiled(form: str) -> tuple[frozenset[str], re.Pattern[str]]:
    """The codes of a form, and what a date of it looks like."""
    pieces: list[tuple[str, str, str]] = _CODE.findall(form)
    codes = [code for code, space, literal in pieces if not space and not literal and code != "%"]
    if not set(codes) <= _CODES.keys():
        raise ArgumentInvalid(f"has no such code; there are {' '.join(f'%{each}' for each in _CODES)} and %%")
    _demand_whole(codes)
    is_code = [code in _CODES for code, _, _ in pieces]
    beside = zip([False, *is_code], [*is_code[1:], False], strict=False)
    pattern = "".join(_part(piece, is_tight=any(neighbours)) for piece, neighbours in zip(pieces, beside, strict=False))
    return frozenset(codes), re.compile(pattern, re.IGNORECASE)


def _part(piece: tuple[str, str, str], *, is_tight: bool) -> str:
    """What a piece of a form looks like. Beside another code a number has all its digits: is `2026111` in November?"""
    code, space, literal = piece
    if code not in _CODES:
        return r"\s+" if space else re.escape(literal or "%")
    looks = _CODES[code]
    return f"(?P<{code}>{looks.replace(']?', ']').replace('0?', '0') if is_tight else looks})"


def _demand_whole(codes: Sequence[str]) -> None:
    """See that a form makes one day, and one time or none."""
    if not codes:
        raise ArgumentInvalid("needs a form such as %d.%m.%Y (%Y-%m-%d %H:%M has a time), excel or epoch")
    if len(set(codes)) < len(codes):
        raise ArgumentInvalid("has a code twice: take one away")
    if any(len(set(group).intersection(codes)) != 1 for group in _TOGETHER):
        raise ArgumentInvalid("needs a day (%d), a month (%m, %b or %B) and a year (%Y or %y), each once")
    hours = {"H", "I"}.intersection(codes)
    if len(hours) > 1 or ("I" in hours) != ("p" in codes) or (not hours and _TIME.intersection(codes)):
        raise ArgumentInvalid("needs hours for a time: %H, or %I with %p")
    needed = {"S": "M", "f": "S"}
    if any(code in codes and before not in codes for code, before in needed.items()):
        raise ArgumentInvalid("needs minutes (%M) for seconds (%S), and these for their fraction (%f)")
    if "z" in codes and not hours:
        raise ArgumentInvalid("has an offset (%z) and no hours: take one away, or add %H")


def _day(parts: dict[str, str]) -> dt.date:
    year = int(parts["Y"]) if "Y" in parts else int(parts["y"]) + (1900 if int(parts["y"]) >= _PIVOT else 2000)
    month = int(parts["m"]) if "m" in parts else _place(parts.get("B") or parts["b"], _MONTHS)
    day = dt.date(year, month, int(parts["d"]))
    weekday = parts.get("A") or parts.get("a")
    if weekday is not None and _place(weekday, _DAYS) != day.isoweekday():
        raise ValueError
    return day


def _place(word: str, words: Sequence[str]) -> int:
    """Which of the words it is, from 1."""
    return next(place for place, each in enumerate(words, 1) if each.startswith(word))


def _time(parts: dict[str, str]) -> dt.time:
    hour = int(parts.get("H", "0"))
    if "I" in parts:
        hour = int(parts["I"]) % 12 + (12 if parts["p"] == "pm" else 0)
    microsecond = int(parts.get("f", "0").ljust(6, "0"))
    return dt.time(hour, int(parts.get("M", "0")), int(parts.get("S", "0")), microsecond)


def _offset(parts: dict[str, str]) -> dt.tzinfo | None:
    text = parts.get("z")
    if text is None or text == "z":
        return None if text is None else dt.UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return dt.timezone(dt.timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _moment(local: dt.datetime, zone: dt.tzinfo) -> Any:
    """A local time with its zone's offset; UNREADABLE where the zone skipped it, or had it twice."""
    first = local.replace(tzinfo=zone)
    try:
        if first.utcoffset() != first.replace(fold=1).utcoffset():
            return UNREADABLE
        first.astimezone(dt.UTC)
    except OverflowError:  # at the ends of the calendar
        return UNREADABLE
    return _written(first)


def _written(moment: dt.datetime) -> str:
    text = moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


_FIRST_DAY = dt.date(1899, 12, 30)
_SERIALS = range(61, 2_958_466)
"""1 March 1900 to 31 December 9999. Before, Excel counts a 29 February that never was, and other spreadsheets do not,
so that nobody can tell which day is meant."""
_MILLISECONDS = 86_400_000


def _excel(value: Any, *, zone: dt.tzinfo, is_moment: bool) -> Any:
    """Of a serial date: days since 1900, the time as a fraction."""
    serial = _decimal(value)
    if serial is None or not _SERIALS.start <= serial < _SERIALS.stop:
        return UNREADABLE
    milliseconds = round(serial % 1 * _MILLISECONDS)  # the fraction is a binary one: 0.4375 is half past ten
    day = _FIRST_DAY + dt.timedelta(days=int(serial))
    if not milliseconds and not is_moment:
        return day.isoformat()
    try:
        local = dt.datetime.combine(day, dt.time()) + dt.timedelta(milliseconds=milliseconds)
    except OverflowError:
        return UNREADABLE
    return _moment(local, zone)


def _epoch(value: Any) -> Any:
    """Of seconds or milliseconds since 1970, where these can be meant as such."""
    seconds = _decimal(value)
    moment = None if seconds is None else timestamps.from_epoch(seconds)
    return UNREADABLE if moment is None else _written(moment)


_NUMERAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")


def _decimal(value: Any) -> Decimal | None:
    """A number that is not negative, or its text."""
    if isinstance(value, str):
        text = value.strip()
        return Decimal(text) if _NUMERAL.fullmatch(text) else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return exact if exact.is_finite() else None
