"""How much an expression of a stream map may compute: the SDK's evaluator bounds some of it, and here the rest is."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from target_driftrock.bounds import DIGITS, TEXT_LENGTH

_BITS = DIGITS * 332 // 100
"""Two to the power of 3.32 is ten."""
_WIDE = re.compile(r"\d{7}")
_WIDE_PLACE = re.compile(r"%[^a-zA-Z%]*(\*|\d{7})")


class TooMuch(Exception):
    """An expression would make a number or a text of no use to anybody, for as long as it takes."""


def bound(evaluator: Any) -> None:
    """Have an evaluator of the SDK's raise `TooMuch` instead of computing for minutes or filling the memory."""
    operators, nodes = evaluator.operators, evaluator.nodes
    operators[ast.Pow] = partial(_power, operators[ast.Pow])
    operators[ast.Mult] = partial(_times, operators[ast.Mult])
    operators[ast.Mod] = partial(_remainder, operators[ast.Mod])
    nodes[ast.Attribute] = partial(_attribute, nodes[ast.Attribute])
    nodes[ast.FormattedValue] = partial(_formatted, nodes[ast.FormattedValue], nodes[ast.JoinedStr])


def _power(power: Callable[[Any, Any], Any], base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int):
        _demand(abs(base) < 2 or base.bit_length() * exponent <= _BITS)  # noqa: PLR2004 - the powers of 1 are no work
    return power(base, exponent)


def _times(times: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        _demand(left.bit_length() + right.bit_length() <= _BITS)
    return times(left, right)


def _remainder(remainder: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """Of a text, what Python makes of its places: `"%9d" % 1`."""
    _demand(not (isinstance(left, str) and _WIDE_PLACE.search(left)))
    return remainder(left, right)


def _formatted(formatted: Callable[[Any], Any], joined: Callable[[Any], Any], node: ast.FormattedValue) -> Any:
    _demand(node.format_spec is None or not _WIDE.search(joined(node.format_spec)))
    return formatted(node)


def _attribute(attribute: Callable[[Any], Any], node: ast.Attribute) -> Any:
    found = attribute(node)
    is_method = callable(found) and isinstance(getattr(found, "__self__", None), str | bytes | int)
    return partial(_called, found) if is_method else found


def _called(method: Any, *arguments: Any, **named: Any) -> Any:
    """What a method of a text or a number gives, unless a width, or what it puts together, is too much."""
    _demand(not any(isinstance(each, int) and each > TEXT_LENGTH for each in (*arguments, *named.values())))
    match method.__name__, arguments:
        case "join", [list() as parts]:
            _demand(sum(len(part) for part in parts if isinstance(part, str)) <= TEXT_LENGTH)
        case "replace", [str() as old, str() as new, *_]:
            _demand(method.__self__.count(old) * len(new) <= TEXT_LENGTH)
    return method(*arguments, **named)


def _demand(is_little: bool) -> None:  # noqa: FBT001 - it reads as a sentence
    if not is_little:
        raise TooMuch
