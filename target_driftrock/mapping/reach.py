"""Whether a value that a `when` compares with can ever come, by what the SCHEMA says of the property."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any

from target_driftrock.mapping.condition import Wanted, typed
from target_driftrock.mapping.path import steps
from target_driftrock.settings import Comparison, Scalar

Schema = Mapping[str, Any]

_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


def nodes(name: str, schema: Schema) -> list[Schema]:
    """What the SCHEMA says of the property of this name, in each of its alternatives; nothing where it lists none."""
    level: list[Schema] = [schema]
    found: list[Schema] = []
    for step in steps(name):
        found += _listed(level, step.rest)
        level = _listed(level, step.head)
    return found


def _listed(level: Sequence[Schema], name: str) -> list[Schema]:
    properties = (each.get("properties") for each in level)
    found = (listed[name] for listed in properties if isinstance(listed, Mapping) and name in listed)
    return [each for each in found if isinstance(each, Mapping)]


def can_meet(values: Sequence[Scalar], found: Sequence[Schema]) -> bool:
    """Whether one of the values can come. Null can: a property may be left out. What lists nothing says nothing."""
    return not found or any(value is None or any(_allows(each, value) for each in found) for value in values)


def never_met(wanted: Wanted, found: Sequence[Schema]) -> str | None:
    """Why no record that is as the SCHEMA says can be as it is wanted, or none be otherwise; None where it can."""
    if not isinstance(wanted, Comparison):
        return None if can_meet(wanted, found) else _NEVER_MET.format(reason=_reason(found))
    if wanted.bounds and not can_meet([0], found) and not _may_be_number(found):
        return _NO_NUMBER.format(reason=_reason(found))
    if wanted.but and not can_meet(wanted.but, found):
        return _KEEPS_NONE.format(reason=_reason(found))
    return None


def _may_be_number(found: Sequence[Schema]) -> bool:
    """Whether it says of the property that it is a number, or not what it is."""
    kinds = [_kinds(each) for each in found]
    return not all(kinds) or any({"number", "integer"}.intersection(each) for each in kinds)


def _reason(found: Sequence[Schema]) -> str:
    types = type_names(found)
    return f"of type {types} there" if types else "never one of these there"


def is_only_null(found: Sequence[Schema]) -> bool:
    """Whether the tap says of the property nothing but that it is null: it does not know its type."""
    return bool(found) and all(set(_kinds(each)) == {"null"} for each in found)


def type_names(found: Sequence[Schema]) -> str:
    """The types that the property can have, in words."""
    return " or ".join(dict.fromkeys(kind for each in found for kind in _kinds(each) if kind != "null"))


def _kinds(node: Any) -> list[str]:
    """The types of a node, or of its alternatives; nothing where one of these says nothing."""
    types = _types(node) if isinstance(node, Mapping) else []
    if types or not isinstance(node, Mapping):
        return types
    branches = [_kinds(each) for each in (*_branches(node, "anyOf"), *_branches(node, "oneOf"))]
    return [kind for kinds in branches for kind in kinds] if all(branches) else []


def _allows(node: Any, value: Scalar) -> bool:
    """As far as type, enum and const tell; every other keyword may allow it."""
    if not isinstance(node, Mapping):
        return node is not False
    types = _types(node)
    if types and not any(_is_of(kind, value) for kind in types):
        return False
    if isinstance(listed := node.get("enum"), list) and typed(value) not in set(map(typed, listed)):
        return False
    if "const" in node and typed(node["const"]) != typed(value):
        return False
    return all(any(_allows(each, value) for each in branches) for branches in _choices(node)) and all(
        _allows(each, value) for each in _branches(node, "allOf")
    )


def _choices(node: Schema) -> Iterable[list[Any]]:
    return (branches for word in ("anyOf", "oneOf") if (branches := _branches(node, word)))


def _branches(node: Schema, word: str) -> list[Any]:
    branches = node.get(word)
    return branches if isinstance(branches, list) else []


def _types(node: Schema) -> list[str]:
    """What JSON calls types; a word that it has not (`any`, `varchar`) says nothing, as when records are judged."""
    named = node.get("type")
    types: list[Any] = named if isinstance(named, list) else [named]
    return types if all(isinstance(each, str) and each in _TYPES for each in types) else []


def _is_of(kind: str, value: Scalar) -> bool:
    match value:
        case bool():
            return kind == "boolean"
        case int():
            return kind in {"integer", "number"}
        case float() | Decimal():
            return kind == "number" or (kind == "integer" and isfinite(value) and value == int(value))
        case str():
            return kind == "string"
        case _:
            return kind == "null"


_NEVER_MET = (
    "no record can meet it, since the property is {reason}: types count (true is not 1, and 1 is no text), so compare "
    "with a value of that type"
)
_KEEPS_NONE = (
    "`not` keeps out no record, since the property is {reason}: types count (true is not 1, and 1 is no text), so name "
    "a value of that type"
)
_NO_NUMBER = (
    "no record can meet it, since <, <=, > and >= are for numbers, and the property is {reason}: read it by the filter "
    "number, or compare it with its values"
)
