"""Which properties of a mapped record the tap itself wrote: stream maps make others, flattening renames them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

from singer_sdk.mapper import CustomStreamMap, StreamMap

from target_driftrock.mapping.masking import BARE, Mask
from target_driftrock.records.as_read import AsRead

_ELSE = "__else__"
_AS_IT_IS = "driftrock-as-it-is"
"""A keyword that no draft knows: what flattening takes over still bears it, what it guesses does not."""


def as_read(stream_map: StreamMap, rules: Mapping[str, Any], schema: dict[str, Any], *, mask: Mask = BARE) -> AsRead:
    """What the records of this SCHEMA were, before a stream map of these rules, and before flattening."""
    listed = _properties(schema)
    kept = {} if _ELSE in rules else {name: node for name, node in listed.items() if name not in rules}
    flat = {
        name: (source, is_as_it_is)
        for source, node in kept.items()
        for name, is_as_it_is in _flattened(stream_map, source, node)
    }
    return AsRead(
        schema=schema,
        made=frozenset(rules),
        is_made_anew=_ELSE in rules,
        flat={name: source for name, (source, _) in flat.items()} if stream_map.flattening_enabled else None,
        guessed=frozenset(name for name, (_, is_as_it_is) in flat.items() if not is_as_it_is),
        nulls=dict.fromkeys(listed) if isinstance(stream_map, CustomStreamMap) else {},
        mask=mask,
    )


def rules(stream_maps: Mapping[str, Any], stream: str) -> list[Mapping[str, Any]]:
    """What each of the SDK's maps of a stream does to its properties, in the SDK's order; nothing for a plain one."""
    primary: Mapping[str, Any] = {}
    others = []
    for key, found in stream_maps.items():
        is_mapping = isinstance(found, Mapping)
        source = found.get("__source__", key) if is_mapping else key
        if key.startswith("__") or not (stream == source or fnmatch(stream, source)):
            continue
        if is_mapping and "__source__" in found:
            others.append(found)
        else:
            primary = found if is_mapping else {}
    return [primary, *others]


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    listed = schema.get("properties")
    return listed if isinstance(listed, Mapping) else {}


def _flattened(stream_map: StreamMap, name: str, node: Any) -> Iterator[tuple[str, bool]]:
    """The names that flattening makes of a property, and whether it takes over what the SCHEMA says of each."""
    if not stream_map.flattening_enabled:
        return
    try:
        made = stream_map.flatten_schema({"type": "object", "properties": {name: _marked(node)}})["properties"]
    except Exception:  # noqa: BLE001 - of many kinds; the whole SCHEMA is flattened too, and its fault is told there
        return
    for flat, found in made.items():
        yield flat, _AS_IT_IS in found


def _marked(node: Any) -> Any:
    """A node, and all properties below it, with a keyword that is lost where another node takes its place."""
    if not isinstance(node, Mapping) or "type" not in node:
        return node  # flattening looks at its first keyword
    marked = {**node, _AS_IT_IS: True}
    if isinstance(below := node.get("properties"), Mapping):
        marked["properties"] = {name: _marked(each) for name, each in below.items()}
    return marked
