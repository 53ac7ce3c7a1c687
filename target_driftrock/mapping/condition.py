"""Whether a record is one of those that a mapping is for: its `when`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from target_driftrock.mapping.filters.chain import chain
from target_driftrock.mapping.filters.reading import PLAIN, Scene
from target_driftrock.mapping.grammar import Place, place
from target_driftrock.mapping.path import Reader, Record, reader
from target_driftrock.mapping.values import is_nothing, number
from target_driftrock.mapping.writing import Wrong
from target_driftrock.naming import shown
from target_driftrock.settings import Comparison, Scalar

Condition = Callable[[Record], bool | Wrong]
"""`Wrong` where nobody can tell: a filter cannot read a value, or one that is compared with a number is none."""
Wanted = Sequence[Scalar] | Comparison
"""The values one of which a property must equal, or what else holds of it."""

_NOTHING = object()
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBERS = frozenset({int, float, Decimal})


def condition(when: Mapping[str, Wanted], *, scene: Scene = PLAIN) -> Condition:
    """What says whether each named property is as it is wanted.

    Equality keeps types: true is not 1, "1" is not 1, but 1.0 is 1, and 0.1 is 0.1 in binary and decimal.
    Null also equals a property that is missing. Where one property is not as wanted, the others are not asked for.

    Raises:
        TemplateInvalid: A name, or a filter behind it, is not written as it must be.
    """
    wanted = [(place(key), each) for key, each in when.items()]
    if not any(asked.calls or isinstance(each, Comparison) for asked, each in wanted):
        tests = [(reader(asked.name), frozenset(map(typed, each))) for asked, each in wanted]  # type: ignore[arg-type]
        return lambda record: all(typed(read(record)) in values for read, values in tests)
    return _all_of([_test(asked, each, scene) for asked, each in wanted])


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


def _all_of(tests: Sequence[Condition]) -> Condition:
    """A record that one of them keeps out is out, whatever cannot be told of the others."""

    def fits(record: Record) -> bool | Wrong:
        found: bool | Wrong = True
        for test in tests:
            said = test(record)
            if said is False:
                return False
            found = found if said is True else said
        return found

    return fits


def _test(asked: Place, wanted: Wanted, scene: Scene) -> Condition:
    read = chain(asked, scene, whole=True) if asked.calls else reader(asked.name)
    if isinstance(wanted, Comparison):
        judge = _compared(wanted, asked.name)
    else:
        values = frozenset(map(typed, wanted))
        judge = lambda value: typed(value) in values  # noqa: E731 - one of two
    return _unless_wrong(read, judge)


def _unless_wrong(read: Reader, judge: Callable[[Any], bool | Wrong]) -> Condition:
    def test(record: Record) -> bool | Wrong:
        value = read(record)
        return value if type(value) is Wrong else judge(value)

    return test


def _compared(wanted: Comparison, name: str) -> Callable[[Any], bool | Wrong]:
    but = frozenset(map(typed, wanted.but))
    bounds = [(_SIGNS[sign], number(bound)) for sign, bound in wanted.bounds]
    signs = " and ".join(sign for sign, _ in wanted.bounds)
    no_number = Wrong(f"is no number, and {signs} asks for one (property {shown(name)})")

    def judge(value: Any) -> bool | Wrong:
        if typed(value) in but:
            return False
        if not bounds:
            return True
        if is_nothing(value):
            return False
        if type(value) not in _NUMBERS or (exact := number(value)) != exact:
            return no_number
        return all(compare(exact, bound) for compare, bound in bounds)

    return judge
