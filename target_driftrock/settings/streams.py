"""The items of `streams`: what is wrong with one, and the mapping that a right one becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from target_driftrock.naming import nearest, shown
from target_driftrock.settings.groups import OnChanged, StreamMapping, mapping_label
from target_driftrock.settings.table import MAPPING_SCHEMAS

EVENT_TYPES = ("lead", "conversion", "action")
_TEXTS = ("event_name", "source_id", "affiliate_id", "event_id", "person_id", "ga_client_id", "created_at")
_SCALARS = (str, int, float, Decimal, bool)
_FORMER = ("event_type", "event_name", "source_id", "affiliate_id", "event_id")
_ALWAYS = ("event_type", "source_id")
"""What every event has, by a mapping's own word or a setting's."""
_FORMERLY = (
    'formerly must be an object of the attributes as they were, such as {"event_id": "{id}"}, an array of these, or '
    "null to send all again."
)
_BESIDE_SKIP = ("stream", "skip", "when")
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
    given = _given(item)
    changed = given.get("on_changed", on_changed)
    texts = {name: given.get(name) for name in _TEXTS} | {"source_id": given.get("source_id", source_id)}
    return StreamMapping(
        index=index,
        stream=given["stream"],
        skip=given.get("skip", False),
        when={name: _alternatives(value) for name, value in given.get("when", {}).items()},
        event_type=given.get("event_type"),
        has_identity="event_id" in given or "event_id" not in item,
        metadata=given.get("metadata"),
        fields=given.get("fields"),
        on_changed=None if changed is None else OnChanged(changed),
        formerly=_alternatives(given["formerly"]) if "formerly" in given else (),
        forgets_former="formerly" in item and item["formerly"] is None,
        **texts,
    )


def _given(item: Mapping[str, Any]) -> dict[str, Any]:
    """What an item says: a null says nothing."""
    return {name: value for name, value in item.items() if value is not None}


def _alternatives(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _faults(given: Mapping[str, Any], source_id: object) -> Iterator[str]:
    """What is wrong with an item, in the order of its attributes, without the item's name."""
    yield from _unknown_attributes(given)
    yield from _stream_faults(given)
    if not isinstance(given.get("skip", False), bool):
        yield "skip must be true or false, without quotes."
    yield from _when_faults(given)
    if given.get("skip") is True:
        yield from _skip_faults(given)
        return
    yield from _event_type_faults(given)
    if "source_id" not in given and source_id is None:
        yield "source_id is missing: give it here, or once for all mappings as the setting source_id."
    for name in _TEXTS:
        yield from _text_faults(name, given)
    yield from _metadata_faults(given)
    yield from _fields_faults(given)
    yield from _on_changed_faults(given)
    yield from _formerly_faults(given)


def _unknown_attributes(given: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(given.keys() - MAPPING_SCHEMAS.keys()):
        meant = nearest(name, MAPPING_SCHEMAS)
        if meant:
            yield f"{shown(name)} is not an attribute of a mapping: did you mean {meant}?"
        else:
            there = ", ".join(MAPPING_SCHEMAS)
            yield f"{shown(name)} is not an attribute of a mapping: take it away. There are {there}."


def _stream_faults(given: Mapping[str, Any]) -> Iterator[str]:
    stream = given.get("stream", "")
    if not isinstance(stream, str):
        yield "stream must be text: put it in quotes."
    elif not stream.strip():
        yield "stream is missing: name the stream that is meant, or a glob."


def _text_faults(name: str, given: Mapping[str, Any]) -> Iterator[str]:
    if name not in given:
        return
    if not isinstance(given[name], str):
        yield f"{name} must be text: put it in quotes."
    elif not given[name].strip():
        yield f"{name} is empty: give it a text, or take it away."


def _skip_faults(given: Mapping[str, Any]) -> Iterator[str]:
    others = [name for name in MAPPING_SCHEMAS if name in given and name not in _BESIDE_SKIP]
    if others:
        yield f"skip is true, so no event comes of it: take away {', '.join(others)}, or skip itself."


def _event_type_faults(given: Mapping[str, Any]) -> Iterator[str]:
    choices = 'lead, conversion or action, or a template such as "{type}"'
    if "event_type" not in given:
        yield f"event_type is missing: set it to {choices}."
        return
    text = given["event_type"]
    is_template = isinstance(text, str) and ("{" in text or "}" in text)
    if not is_template and text not in EVENT_TYPES:
        yield f"event_type must be {choices}."


def _when_faults(given: Mapping[str, Any]) -> Iterator[str]:
    if "when" not in given:
        return
    when = given["when"]
    if not isinstance(when, Mapping):
        yield 'when must be an object of properties and their values, such as {"stage": ["won", "lost"]}.'
        return
    if not when:
        yield "when is empty: name a property and its values, or take when away."
    for name, value in when.items():
        alternatives = _alternatives(value)
        if not alternatives or not all(one is None or isinstance(one, _SCALARS) for one in alternatives):
            place = shown(f"when.{name}")
            yield f"{place} must be a text, a number, true, false or null, or an array of one or more of these."


def _metadata_faults(given: Mapping[str, Any]) -> Iterator[str]:
    metadata = given.get("metadata", {})
    if isinstance(metadata, Mapping):
        yield from _constant_faults("metadata", metadata)
    elif not isinstance(metadata, str) or "{" not in metadata:
        yield 'metadata must be an object of templates, or one template that gives an object, such as "{utm}".'


def _fields_faults(given: Mapping[str, Any]) -> Iterator[str]:
    either = 'an object of templates such as {"email": "{email}"}, or "*" for every property'
    if "fields" not in given:
        yield f"fields is missing: give {either}."
        return
    fields = given["fields"]
    if fields == "*":
        return
    if not isinstance(fields, Mapping):
        yield f"fields must be {either}."
        return
    if not fields:
        yield f"fields is empty: give {either}."
    yield from _constant_faults("fields", fields)


def _on_changed_faults(given: Mapping[str, Any]) -> Iterator[str]:
    choices = [choice.value for choice in OnChanged]
    if given.get("on_changed", choices[0]) not in choices:
        yield f"on_changed must be {' or '.join(choices)}."


def _formerly_faults(given: Mapping[str, Any]) -> Iterator[str]:
    if "formerly" not in given:
        return
    for former in _alternatives(given["formerly"]):
        yield from _former_faults(former)
    if not _alternatives(given["formerly"]):
        yield _FORMERLY


def _former_faults(former: Any) -> Iterator[str]:
    if not isinstance(former, Mapping) or not former:
        yield _FORMERLY
        return
    for name in sorted(former.keys() - set(_FORMER)):
        meant = nearest(name, _FORMER)
        hint = f"did you mean {meant}?" if meant else f"there are {', '.join(_FORMER)}."
        yield f"{shown(f'formerly.{name}')} is no part of an identity: {hint}"
    for name in _FORMER:
        if former.get(name) is not None:
            yield from (f"formerly.{fault}" for fault in _text_faults(name, former))
        elif name in former and name in _ALWAYS:
            yield f"formerly.{name} is null, and no event was without: give it as it was, or take it away."


def _constant_faults(attribute: str, values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if not isinstance(value, _SCALARS):
            place = shown(f"{attribute}.{name}")
            yield f"{place} must be a template, or a constant: a text, a number, true or false."
