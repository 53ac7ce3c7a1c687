"""Whether a SCHEMA lists a name, so that a typo is told before any record is sent.

JSON Schema reads a schema without `additionalProperties` as open; taps leave it out of schemas that list
every column. So a name must be listed unless the schema says in so many words that there is more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any, NamedTuple

from target_driftrock.mapping.grammar import in_quotes
from target_driftrock.mapping.masking import BARE, Mask
from target_driftrock.mapping.path import Step, steps
from target_driftrock.naming import hint, shown

Schema = Mapping[str, Any]

_SHOWN = 8
_MOST_NAMES = 10_000
_DEEPEST = 8
"""So many names, and levels of them, are searched for the nearest one."""
_ALIKE = 0.8
"""How alike a path must be to a name that is made otherwise: they have much in common where they begin alike."""


class _Gap(NamedTuple):
    """Where a path leads no further: the step that nothing lists, the way to it, and what stands there."""

    step: Step
    found: str
    level: list[Schema]
    nodes: list[Schema]


def unlisted(name: str, schema: Schema, mask: Mask = BARE) -> str | None:
    """What is wrong with `name` under `schema`, with the nearest name that `mask` does not hide; None if nothing is.

    Looks through `anyOf`, `oneOf`, `allOf` and `items`. A level lists nothing, and so takes any name, if it
    says `additionalProperties` or `patternProperties`, or may be an object and names no properties at all.
    """
    gap = _gap(name, schema)
    return None if gap is None or any(map(_is_open, gap.level)) else _fault(name, schema, gap, mask)


def is_listed(name: str, schema: Schema) -> bool:
    """Whether the SCHEMA lists the name, and not only may have more than it lists."""
    return _gap(name, schema) is None


def leaves(schema: Schema) -> list[str]:
    """The paths to all that the SCHEMA lists and that lists nothing itself. Of lists they name the first place."""
    return list(dict.fromkeys(islice(_leaves([schema], _DEEPEST), _MOST_NAMES)))


def _leaves(nodes: Iterable[Schema], levels: int) -> Iterator[str]:
    for node in chain.from_iterable(map(_alternatives, nodes)) if levels else ():
        for name, below in properties(node).items():
            inner = list(_leaves([_schema(below)], levels - 1)) if "." not in name else []
            yield from (f"{name}.{other}" for other in inner) if inner else (name,)
        if _names_type(node, "array"):
            yield from (f"0.{other}" for other in _leaves(_items(node, 0), levels - 1))


def properties(node: Schema) -> Mapping[str, Any]:
    """What the schema itself lists, whatever else it is made of."""
    listed = node.get("properties")
    return listed if isinstance(listed, Mapping) else {}


def _gap(name: str, schema: Schema) -> _Gap | None:
    level: list[Schema] = [schema]
    found = ""
    for step in steps(name):
        nodes = list(chain.from_iterable(map(_alternatives, level)))
        if any(step.rest in properties(node) for node in nodes):
            return None
        below = list(chain.from_iterable(_below(node, step) for node in nodes))
        if not below:
            return _Gap(step, found, level, nodes)
        level = below
        found += f"{step.head}."
    return None


def _fault(name: str, schema: Schema, gap: _Gap, mask: Mask) -> str:
    step, found, _, nodes = gap
    fault = f"{mask.column(name)} is not listed in the SCHEMA"
    places = [each.place or 0 for each in steps(name)]
    elsewhere = [] if not found else mask.told(_elsewhere(_names([schema], places), found))
    listed = sorted(set(chain.from_iterable(map(properties, nodes))))
    if not listed:
        near = hint(name, elsewhere, close=_ALIKE, written=in_quotes)
        return f"{fault}: {_nothing_listed(step, found=found, nodes=nodes)}{f'; {near}' if near else ''}"
    below = (other for other in _names(nodes, places[found.count(".") :]) if not mask.hides(found + other))
    near = _near(step.rest, list(below), above=found)
    near = near or hint(name, elsewhere, close=_ALIKE, written=in_quotes)
    if near is not None:
        return f"{fault}; {near}"
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    told = dict.fromkeys(mask.column(found + other) for other in listed[:_SHOWN])  # what is hidden is told alike
    return f"{fault}, which lists {', '.join(told)}{more}"


def _elsewhere(names: Iterable[str], found: str) -> Iterator[str]:
    """The names that are neither below `found`, nor on the way there."""
    return (name for name in names if not name.startswith(found) and not found.startswith(f"{name}."))


def _near(name: str, names: list[str], *, above: str) -> str | None:
    """The name that was probably meant: of a path as a whole, else by its last part."""
    if "." not in name:
        return hint(name, names, above=above, written=in_quotes)
    last = name.rpartition(".")[2]
    near = partial(hint, names=names, above=above, close=_ALIKE, written=in_quotes)
    return near(name) or near(last)


def _names(nodes: Iterable[Schema], places: Sequence[int]) -> Iterator[str]:
    """All that the nodes list, as it is named from there. In lists it names the place that stands at that level."""
    return islice(_named(nodes, places, _DEEPEST), _MOST_NAMES)


def _named(nodes: Iterable[Schema], places: Sequence[int], levels: int) -> Iterator[str]:
    for node in chain.from_iterable(map(_alternatives, nodes)) if levels else ():
        for name, below in properties(node).items():
            yield name
            if "." not in name:  # else no path leads through it
                yield from (f"{name}.{other}" for other in _named([_schema(below)], places[1:], levels - 1))
        place = places[0] if places else 0
        items = _items(node, place) if _names_type(node, "array") else []
        yield from (f"{place}.{other}" for other in _named(items, places[1:], levels - 1))


def _nothing_listed(step: Step, *, found: str, nodes: list[Schema]) -> str:
    above = shown(found.removesuffix(".")) if found else "it"
    if any(_names_type(node, "array") for node in nodes):
        return f"{above} is a list, so name a place in it, as in {shown(f'{found}0.{step.rest}')}"
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
