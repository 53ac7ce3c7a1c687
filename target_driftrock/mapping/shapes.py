"""The shape of a value: what it is made of, and nothing of what it says: `xxx@xxxxx.xxx`, `+99 9999`.

Letters are told as `x`, of a long run five, so that no name is known by its length; digits as `9`, each of them, since
dates and numbers differ by how many there are. Signs and spaces stay: by them a column is known for what it holds.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Any

from target_driftrock.mapping.writing import as_text

_MOST = 60
"""Characters of a shape."""
_LETTERS = re.compile("x{6,}")
_DIGITS = re.compile("9{19,}")
_BY_CATEGORY = {"L": "x", "M": "", "N": "9", "P": None, "Z": " "}
"""What stands for a character, by the first letter of its Unicode category: None is the character itself."""
_OTHER = "·"
_SIGNS = frozenset("$+<=>^`|~")
"""ASCII's other signs, which stay."""


def shape(value: Any) -> str:
    """The shape of a value of JSON: of an object or a list only that it is one, and of true and false alike."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case dict() | list():
            return kind(value)
        case str():
            return text_shape(value)
        case _:
            text = as_text(value)
            return text_shape(text) if isinstance(text, str) else kind(value)


def text_shape(text: str) -> str:
    """The shape of a text. What is long is cut off, with a `…`."""
    signs = "".join(map(_sign, text[: 4 * _MOST]))
    found = _DIGITS.sub("9" * 18 + "…", _LETTERS.sub("xxxxx", signs))
    return found if len(found) <= _MOST and len(text) <= 4 * _MOST else f"{found[:_MOST]}…"


def kind(value: Any) -> str:
    """What JSON calls it, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float() | Decimal():
            return "number"
        case list():
            return "list"
        case dict():
            return "object"
        case _:
            return "other"


def _sign(sign: str) -> str:
    category = unicodedata.category(sign)
    if category == "Sc" or sign in _SIGNS:
        return sign
    stands = _BY_CATEGORY.get(category[0], _OTHER)
    return sign if stands is None else stands
