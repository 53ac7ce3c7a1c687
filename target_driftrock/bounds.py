"""How much is taken of one thing that is read. Each bound is far above what a tap or a person writes in earnest."""

from __future__ import annotations

import decimal
from typing import Any

LINE_BYTES = 64 * 1024 * 1024
"""Of a line of the input, and of a file of settings."""
DIGITS = 4300
"""Of a number, and the most that its exponent may be: as many as Python takes of a whole number."""
DEPTH = 100
"""Of a SCHEMA, and of settings: objects and arrays within each other. What compiles a SCHEMA stands twice as many."""
SCHEMA_RULES = 100_000
"""Schemas that may have to be asked on one way down through a record, those that are referred to each time anew."""
TEXT_LENGTH = 16 * 1024 * 1024
"""Of what a stream map makes in one step."""
NARROWINGS = 10_000
"""Schemas that may have to be looked at to see what they say of one property."""

NUMBERS = decimal.Context(
    prec=DIGITS,
    Emax=DIGITS,
    Emin=-DIGITS,
    traps=[decimal.Clamped, decimal.InvalidOperation, decimal.Overflow, decimal.Rounded, decimal.Subnormal],
)


exact = NUMBERS.create_decimal
"""A text's number, every digit of it. A `decimal.DecimalException` where it is out of bounds: to compute with it could
take hours, and all memory."""


def is_deeper(value: Any, most: int) -> bool:
    """Whether more than so many objects and arrays lie within each other."""
    level = [value]
    for _ in range(most):
        level = [below for each in level for below in _within(each)]
    return any(isinstance(each, dict | list) for each in level)


def _within(value: Any) -> Any:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()
