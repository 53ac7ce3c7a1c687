"""Whether a SCHEMA lists a name, so that a typo is told before any record is sent.

JSON Schema reads a schema without `additionalProperties` as open; taps leave it out of schemas that list
every column. So a name must be listed unless the schema says in so many words that there is more.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from target_driftrock.mapping.path import Step, steps

Schema = Mapping[str, Any]

_SHOWN = 8


def unlisted(name: str, schema: Schema) -> str | None:
    """What is wrong with `name` under `schema`, with the nearest name; None if nothing is.

    Looks through `anyOf`, `oneOf`, `allOf` and `items`. A level lists nothing, and so takes any name, if it
    says `additionalProperties` or `patternProperties`, or may be an object and names no properties at all.
    """
    level: list[Schema] = [schema]
    found = ""
    for step in steps(name):
        nodes = list(chain.from_iterable(map(_alternatives, level)))
        if any(step.rest in properties(node) for node in nodes):
            return None
        below = list(chain.from_iterable(_below(node, step) for node in nodes))
        if not below:
            return None if any(map(_is_open, level)) else _fault(name, step=step, found=found, nodes=nodes)
        level = below
        found += f"{step.head}."
    return None


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `name` was probably meant to be, whatever the case of its letters."""
    folded = {candidate.casefold(): candidate for candidate in sorted(names)}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    return folded[close[0]] if close else None


def properties(node: Schema) -> Mapping[str, Any]:
    """What the schema itself lists, whatever else it is made of."""
    listed = node.get("properties")
    return listed if isinstance(listed, Mapping) else {}


def _fault(name: str, *, step: Step, found: str, nodes: list[Schema]) -> str:
    listed = sorted(set(chain.from_iterable(map(properties, nodes))))
    fault = f"{name} is not listed in the SCHEMA"
    if not listed:
        return f"{fault}: {_nothing_listed(step, found=found, nodes=nodes)}"
    whole = nearest(step.rest, [other for other in listed if "." in other] if "." in step.rest else listed)
    if whole is not None:
        return f"{fault}; the nearest is {found}{whole}"
    head = nearest(step.head, listed)
    if head is not None:
        return f"{fault}; the nearest is {found}{head}{step.rest.removeprefix(step.head)}"
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return f"{fault}, which lists {', '.join(found + other for other in listed[:_SHOWN])}{more}"


def _nothing_listed(step: Step, *, found: str, nodes: list[Schema]) -> str:
    above = found.removesuffix(".") or "it"
    if any(_names_type(node, "array") for node in nodes):
        return f"{above} is a list, so name a place in it, as in {above}.0.{step.rest}"
    return f"{above} has no properties"


def _alternatives(node: Schema) -> Iterator[Schema]:
    """The schema and all that it is made of, at the same level."""
    yield node
    for part in (*_parts(node, "anyOf"), *_parts(node, "oneOf"), *_parts(node, "allOf")):
        yield from _alternatives(part)


def _below(node: Schema, step: Step) -> list[Schema]:
    found = [_schema(properties(node)[step.head])] if step.head in properties(node) else []
    return found if step.place is None else [*found, *_items(node, step.place)]


def _items(node: Schema, index: int) -> list[Schema]:
    """What a list holds at `index`; a list of schemas, here or in `prefixItems`, goes by place."""
    places = [node[word] for word in ("prefixItems", "items") if isinstance(node.get(word), list)]
    for place in places:
        if index < len(place):
            return [_schema(place[index])]
    if places or "items" in node:
        return [_schema(node.get("items"))]
    return [{}] if _names_type(node, "array") else []


def _is_open(node: Schema) -> bool:
    """Whether a name that nobody listed may be right here."""
    if any(map(_says_more, _alternatives(node))):
        return True
    together = list(_together(node))
    if any(map(properties, together)):
        return False
    choices = [choice for part in together for choice in (*_parts(part, "anyOf"), *_parts(part, "oneOf"))]
    if choices:
        return any(map(_is_open, choices))
    return all(_may_be(part, "object") for part in together)


def _together(node: Schema) -> Iterator[Schema]:
    """The schema and what holds with it in any case."""
    yield node
    for part in _parts(node, "allOf"):
        yield from _together(part)


def _says_more(node: Schema) -> bool:
    more = node.get("additionalProperties")
    return more is True or isinstance(more, Mapping) or bool(node.get("patternProperties"))


def _parts(node: Schema, word: str) -> list[Schema]:
    parts = node.get(word)
    return list(map(_schema, parts)) if isinstance(parts, list) else []


def _schema(node: Any) -> Schema:
    """A schema of any form as an object: `true` takes everything, as `{}` does."""
    return node if isinstance(node, Mapping) else {}


def _may_be(node: Schema, kind: str) -> bool:
    return "type" not in node or _names_type(node, kind)


def _names_type(node: Schema, kind: str) -> bool:
    named = node.get("type")
    return kind in named if isinstance(named, list) else named == kind
