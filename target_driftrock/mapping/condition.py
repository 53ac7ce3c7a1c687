"""Whether a record is one of those that a mapping is for: its `when`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from target_driftrock.mapping.path import Record, reader
from target_driftrock.settings import Scalar

Condition = Callable[[Record], bool]

_NOTHING = object()


def condition(when: Mapping[str, Sequence[Scalar]]) -> Condition:
    """What says whether each named property equals one of its values.

    Equality keeps types: true is not 1, "1" is not 1, but 1.0 is 1, and 0.1 is 0.1 in binary and decimal.
    Null also equals a property that is missing.
    """
    tests = [(reader(name), frozenset(map(typed, values))) for name, values in when.items()]
    return lambda record: all(typed(read(record)) in wanted for read, wanted in tests)


def typed(value: Any) -> Hashable:
    """What equals exactly the values that a condition takes for equal."""
    match value:
        case str() | None:
            return value
        case bool():
            return bool, value
        case float():
            return typed(Decimal(repr(value)))
        case Decimal() if not value.is_finite():
            return _NOTHING
        case int() | Decimal():
            return value
        case _:
            return _NOTHING
