"""The SDK's flattening: what it needs of a SCHEMA, and what it cannot do with one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from singer_sdk.helpers._flattening import FlatteningOptions, flatten_schema

from target_driftrock.naming import shown

_ANYTHING = ["null", "string"]
"""What the SDK makes of a property that says nothing of its type."""
_TYPES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    Decimal: "number",
    type(None): "null",
    dict: "object",
    list: "array",
}


_SEPARATOR = "choose another flattening_separator"


def typed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The SCHEMA with a type for each property, made of what else it says of it: flattening goes by types alone."""
    return {**schema, "properties": {name: _typed(node) for name, node in schema["properties"].items()}}


def flattening_fault(
    schema: Mapping[str, Any], options: FlatteningOptions, *, told: Callable[[str], str] = shown
) -> str | None:
    """Why a SCHEMA cannot be flattened, as a clause that names the property, as it is `told`; None if it can."""
    makers: Counter[str] = Counter()
    for name, node in schema["properties"].items():
        try:
            makers.update(_flat({name: node}, options).keys())
        except ValueError:  # the SDK's word for it
            return f"two properties within {told(name)} would have one name; {_SEPARATOR}"
        except Exception as error:  # noqa: BLE001 - of many kinds
            return f"its property {told(name)} ({type(error).__name__}); take it out of the SCHEMA, or give it a type"
    twice = next((name for name, count in makers.items() if count > 1), None)
    if twice is None:
        return None
    return f"two of its properties would be called {told(twice)}; {_SEPARATOR}"


def _flat(properties: Mapping[str, Any], options: FlatteningOptions) -> dict[str, Any]:
    flattened = flatten_schema(
        {"properties": dict(properties)},
        max_level=options.max_level,
        separator=options.separator,
        max_key_length=options.max_key_length,
    )
    found: dict[str, Any] = flattened["properties"]
    return found


def _typed(node: Any) -> dict[str, Any]:
    if not isinstance(node, Mapping):
        return {"type": _ANYTHING}
    made = {**node, "type": _types(node) or _ANYTHING}
    properties = _properties(node)
    if properties:
        made["properties"] = {name: _typed(below) for name, below in properties.items()}
    elif not isinstance(node.get("properties"), Mapping):
        made.pop("properties", None)
    return made


def _types(node: Any) -> str | list[str]:
    """The types that a value may have by what the node says; none where it says nothing of them."""
    if not isinstance(node, Mapping):
        return []
    named = node.get("type")
    if isinstance(named, str) or (isinstance(named, list) and named and all(isinstance(each, str) for each in named)):
        return named
    if "const" in node:
        return [_TYPES.get(type(node["const"]), "string")]
    if isinstance(listed := node.get("enum"), list):
        return _each_once(_TYPES.get(type(value), "string") for value in listed)
    if isinstance(node.get("properties"), Mapping):
        return ["object"]
    return _each_once(each for part in _parts(node) for each in _as_list(_types(part)))


def _properties(node: Mapping[str, Any]) -> dict[str, Any]:
    own = node.get("properties")
    if isinstance(own, Mapping):
        return dict(own)
    found: dict[str, Any] = {}
    for part in _parts(node):
        found |= _properties(part) if isinstance(part, Mapping) else {}
    return found


def _parts(node: Mapping[str, Any]) -> list[Any]:
    branches = (node.get(word) for word in ("anyOf", "oneOf", "allOf"))
    return [part for parts in branches if isinstance(parts, list) for part in parts]


def _as_list(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _each_once(types: Any) -> list[str]:
    return list(dict.fromkeys(types))
