"""The items of `streams`: what is wrong with one, and the mapping that a right one becomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema_rs

from target_driftrock.naming import nearest, shown
from target_driftrock.settings.groups import EVENT_TYPES, Comparison, OnChanged, StreamMapping, mapping_label
from target_driftrock.settings.table import FORMER_SCHEMAS, MAPPING_SCHEMAS
from target_driftrock.wording import either

_BESIDE_SKIP = ("stream", "skip", "when", "tables")
EXAMPLE = '{"stream": "leads", "event_type": "lead", "fields": {"email": "{email}"}}'
_OBJECT = (
    "streams is an object, whose keys Meltano would take apart at every dot in a stream's name. It must be an array, "
    f"of which each item names its stream: [{EXAMPLE}]."
)


def streams_faults(streams: object, source_id: object) -> list[str]:
    """What is wrong with `streams` as a whole, and with items that are no objects; a sentence each.

    `source_id` is the setting at the top, None where it was not given.
    """
    if isinstance(streams, Mapping):
        return [_OBJECT]
    if not isinstance(streams, list):
        quotes = " without quotes around it" if isinstance(streams, str) else ""
        return [f"streams must be an array of mappings{quotes}, such as [{EXAMPLE}]."]
    if not streams:
        return [f"streams is empty: give at least one mapping, such as {EXAMPLE}."]
    return [fault for index, item in enumerate(streams) for fault in mapping_faults(item, index, source_id=source_id)]


def mapping_faults(item: object, index: int, *, source_id: object) -> list[str]:
    """What is wrong with one item, a sentence each that names the item; none where it can become a mapping."""
    if not isinstance(item, Mapping):
        return [f"streams[{index}] must be an object, such as {EXAMPLE}."]
    given = _given(item)
    stream = given.get("stream")
    label = mapping_label(index, stream) if isinstance(stream, str) and stream.strip() else f"streams[{index}]"
    return [f"{label}: {fault}" for fault in _faults(given, source_id)]


def mapping(
    item: Mapping[str, Any], index: int, *, source_id: str | None, on_changed: str | None = None
) -> StreamMapping:
    """The mapping of an item without faults. `source_id` and `on_changed` hold where it does not say them."""
    said: dict[str, Any] = {"source_id": source_id, "on_changed": on_changed} | _given(item)
    said["on_changed"] = None if said["on_changed"] is None else OnChanged(said["on_changed"])
    said["when"] = {name: _wanted(value) for name, value in said.get("when", {}).items()}
    said["formerly"] = _alternatives(said["formerly"]) if "formerly" in said else ()
    return StreamMapping(
        index=index,
        has_identity="event_id" in said or "event_id" not in item,
        forgets_former="formerly" in item and item["formerly"] is None,
        **said,
    )


def _given(item: Mapping[str, Any]) -> dict[str, Any]:
    """What an item says: a null says nothing."""
    return {name: value for name, value in item.items() if value is not None}


def _wanted(value: Any) -> tuple[Any, ...] | Comparison:
    if not isinstance(value, Mapping):
        return _alternatives(value)
    bounds = tuple((sign, bound) for sign, bound in value.items() if sign != _NOT)
    return Comparison(but=_alternatives(value[_NOT]) if _NOT in value else (), bounds=bounds)


def _alternatives(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _faults(given: Mapping[str, Any], source_id: object) -> Iterator[str]:
    """What is wrong with an item, without the item's name."""
    yield from _unknown_attributes(given)
    is_skipped = given.get("skip") is True
    for name in _BESIDE_SKIP if is_skipped else MAPPING_SCHEMAS:
        if name in given:
            yield from _attribute_faults(name, given[name])
        elif name in _MISSING and (name != "source_id" or source_id is None):
            yield f"{name} is missing: {_MISSING[name]}."
    others = [name for name in MAPPING_SCHEMAS if name in given and name not in _BESIDE_SKIP]
    if is_skipped and others:
        yield f"skip is true, so no event comes of it: take away {', '.join(others)}, or skip itself."


def _unknown_attributes(given: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(given.keys() - MAPPING_SCHEMAS.keys()):
        meant = nearest(name, MAPPING_SCHEMAS)
        hint = f"did you mean {meant}?" if meant else f"take it away. There are {', '.join(MAPPING_SCHEMAS)}."
        yield f"{shown(name)} is not an attribute of a mapping: {hint}"


def _attribute_faults(name: str, value: Any) -> Iterable[str]:
    """What is wrong with one attribute by its schema, once for each property in it."""
    if name == "formerly":
        return _formerly_faults(value)
    unquoted = list(_unquoted_keys(name, value))
    return unquoted or dict.fromkeys(_told(name, *wrong) for wrong in _wrong(name, value))


def _unquoted_keys(name: str, value: Any) -> Iterator[str]:
    """The tables that have a key which is no text."""
    if name.removeprefix(_FORMERLY) != "tables" or not isinstance(value, Mapping):
        return
    for table, entries in value.items():
        if isinstance(entries, Mapping) and not all(isinstance(key, str) for key in entries):
            yield f"{shown(f'{name}.{table}')} has a key that is no text: {_QUOTE_KEYS}."
    if not all(isinstance(table, str) for table in value):
        yield f"{name} has a table whose name is no text: {_QUOTE_KEYS}."


def _wrong(name: str, value: Any) -> Iterator[tuple[str | None, str]]:
    """Each keyword of its schema that an attribute does not meet, and of what property in it."""
    try:
        for error in _validator(name).iter_errors(value):
            yield next((part for part in error.instance_path if isinstance(part, str)), None), error.kind.name
    except ValueError:  # no JSON, such as a name that is no text
        yield None, "type"


@cache
def _validator(name: str) -> jsonschema_rs.Validator:
    schemas = FORMER_SCHEMAS if name.startswith(_FORMERLY) else MAPPING_SCHEMAS
    return jsonschema_rs.validator_for(schemas[name.removeprefix(_FORMERLY)])


def _told(name: str, within: str | None, keyword: str) -> str:
    if within is not None:
        return f"{shown(f'{name}.{within}')} must be {_WITHIN.get(name.removeprefix(_FORMERLY), _CONSTANT)}."
    if keyword == "minProperties" or (keyword == "pattern" and name not in _KINDS):
        return f"{name} {_EMPTY.get(name, 'is empty: give it a text, or take it away')}."
    return f"{name} must be {_KINDS.get(name, 'text: put it in quotes')}."


def _formerly_faults(value: Any) -> Iterator[str]:
    for former in _alternatives(value) or (None,):
        if isinstance(former, Mapping) and former:
            yield from _former_faults(former)
        else:
            yield _NOT_FORMERLY


def _former_faults(former: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(former.keys() - FORMER_SCHEMAS.keys()):
        meant = nearest(name, FORMER_SCHEMAS)
        hint = f"did you mean {meant}?" if meant else f"there are {', '.join(FORMER_SCHEMAS)}."
        yield f"{shown(_FORMERLY + name)} is no part of an identity: {hint}"
    for name in [name for name in FORMER_SCHEMAS if name in former]:
        place = _FORMERLY + name
        if former[name] is None and not _validator(place).is_valid(None):
            yield f"{place} is null, and no event was without: give it as it was, or take it away."
        else:
            yield from _attribute_faults(place, former[name])


_FORMERLY = "formerly."
_NOT_FORMERLY = (
    'formerly must be an object of the attributes as they were, such as {"event_id": "{id}"}, an array of these, or '
    "null to send all again."
)
_CHOICES = f'{either(EVENT_TYPES)}, or a template such as "{{type}}"'
_FIELDS = 'an object of templates such as {"email": "{email}"}, or "*" for every property'
_OBJECT_OF_TABLES = 'an object of tables, such as {"stages": {"won": "Closed"}}'
_KINDS = {
    "skip": "true or false, without quotes",
    "when": 'an object of properties and their values, such as {"stage": ["won", "lost"]}',
    "event_type": _CHOICES,
    "metadata": 'an object of templates, or one template that gives an object, such as "{utm}"',
    "tables": _OBJECT_OF_TABLES,
    "formerly.tables": _OBJECT_OF_TABLES,
    "on_changed": either([choice.value for choice in OnChanged]),
    "fields": _FIELDS,
}
"""What an attribute must be that is no plain text."""
_NOT = "not"
_ALTERNATIVES = (
    "a text, a number, true, false or null, an array of one or more of these, or an object of not (one or more of "
    'these), <, <=, > and >= (a number each), such as {">=": 100}'
)
_CONSTANT = "a template, or a constant: a text, a number, true or false"
_TABLE = (
    'an object, from texts to what stands for them, such as {"won": "Closed", "*": null}: a text, a number, true, '
    "false or null"
)
_QUOTE_KEYS = 'put it in quotes ("yes", "1"), since YAML makes a boolean or a number of it'
_WITHIN = {"when": _ALTERNATIVES, "tables": _TABLE}
_MISSING = {
    "stream": "name the stream that is meant, or a glob",
    "event_type": f"set it to {_CHOICES}",
    "source_id": "give it here, or once for all mappings as the setting source_id",
    "fields": f"give {_FIELDS}",
}
_EMPTY = {
    "stream": f"is missing: {_MISSING['stream']}",
    "when": "is empty: name a property and its values, or take when away",
    "tables": "is empty: write a table, or take tables away",
    "fields": f"is empty: {_MISSING['fields']}",
}
