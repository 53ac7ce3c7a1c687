"""Numbers as people write them: `1.234,50 €`, `-1 234.50`, `USD 1,234.50`."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from target_driftrock.mapping.filters.reading import UNREADABLE, ArgumentInvalid, Filter, Scene
from target_driftrock.mapping.grammar import Argument

_CODES = frozenset(
    (  # noqa: SIM905 - a list of its own would be two hundred lines
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD "
        "CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ "
        "GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP "
        "LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB "
        "PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL "
        "THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW "
        "ZWG"
    ).split()
)
"""ISO 4217. A list, since `5 Mio` and `5 Tsd` are no amounts of five."""
_SPACES = " \u00a0\u2007\u2009\u202f"
_APOSTROPHES = "'\u2019"
_MINUS = "-\u2212"
_LONGEST = 64


def number(arguments: Sequence[Argument], _: Scene) -> Filter:
    """Reads numbers with a decimal point, or with a comma where that is said."""
    match arguments:
        case ():
            forms = _forms(decimal=".", other=",")
        case (Argument(text="comma"),):
            forms = _forms(decimal=",", other=".")
        case _:
            raise ArgumentInvalid("takes nothing, for a decimal point, or comma: number: comma")
    return partial(_number, forms)


def _forms(*, decimal: str, other: str) -> re.Pattern[str]:
    """Digits, grouped by one sign in threes or not at all. Groups do not begin with a zero: `0,123` means less."""
    sign = rf"(?P<sign>[{_MINUS}]?)"
    gap = f"[{re.escape(other)}{_SPACES}{_APOSTROPHES}]"
    groups = rf"[1-9][0-9]{{0,2}}(?P<gap>{gap})[0-9]{{3}}(?:(?P=gap)[0-9]{{3}})*"
    return re.compile(rf"{sign}(?P<whole>{groups}|[0-9]+)(?:{re.escape(decimal)}(?P<part>[0-9]+))?")


def _number(forms: re.Pattern[str], value: Any) -> Any:
    if isinstance(value, str):
        return _read(forms, value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return UNREADABLE
    is_finite = value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)
    return value if is_finite else UNREADABLE


def _read(forms: re.Pattern[str], text: str) -> Any:
    found = forms.fullmatch(_without_currency(text)) if len(text) <= _LONGEST else None
    if found is None:
        return UNREADABLE
    minus = "-" if found["sign"] else ""
    whole = "".join(sign for sign in found["whole"] if sign.isdecimal())
    return int(minus + whole) if found["part"] is None else Decimal(f"{minus}{whole}.{found['part']}")


def _without_currency(text: str) -> str:
    """The text without one sign or code of a currency at one of its ends; a minus may stand before the one in front."""
    minus = text[:1] if text[:1] and text[0] in _MINUS else ""
    front = _currency(text[len(minus) :], at_end=False)
    if front:
        rest = text[len(minus) + front :].lstrip(_SPACES)
        return text if minus and rest[:1] in _MINUS else minus + rest
    end = _currency(text, at_end=True)
    return text[: len(text) - end].rstrip(_SPACES) if end else text


def _currency(text: str, *, at_end: bool) -> int:
    """How many characters of the text, at one of its ends, are a currency's."""
    code, sign = (text[-3:], text[-1:]) if at_end else (text[:3], text[:1])
    if code in _CODES:
        return len(code)
    return 1 if sign and unicodedata.category(sign) == "Sc" else 0
