"""The SDK's stream maps: what is wrong with them before any record comes, and what they are silent about.

The SDK's own errors hold expressions, and name neither map nor property, so none of their texts is shown.
"""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import MapExpressionError
from singer_sdk.mapper import CustomStreamMap, PluginMapper, RemoveRecordTransform

from target_driftrock.errors import SettingsInvalid
from target_driftrock.mapping.masking import BARE, Mask
from target_driftrock.naming import hint, shown
from target_driftrock.singer import computing, expressions
from target_driftrock.singer.expressions import Names
from target_driftrock.singer.flattening import flattening_fault, typed

if TYPE_CHECKING:
    from singer_sdk.mapper import StreamMap

_FILTER, _KEYS, _ELSE = "__filter__", "__key_properties__", "__else__"
_ALIAS, _SOURCE = "__alias__", "__source__"
_OPTIONS = (_FILTER, _KEYS, _ELSE, _ALIAS, _SOURCE)
_NULLS = (None, "__NULL__")
_FLATTENING_CODE = "_flattening.py"


# Before any stream comes.


def settings_faults(stream_maps: Mapping[str, Any], *, config: Collection[str] = ()) -> list[str]:
    """What is wrong with `stream_maps` whatever the streams, a sentence each; `config` is `stream_map_config`."""
    faults: list[str] = []
    names = Names(config=config)
    for key, rules in stream_maps.items():
        where = shown(f"stream_maps.{key}")
        if key == _ELSE:
            faults += [] if rules in _NULLS else [f"{where} must be null, which takes away all streams without a map."]
        elif key.startswith("__"):
            faults.append(f"{where} is no stream: {_ELSE}, which may be null, is all that may stand there.")
        elif isinstance(rules, Mapping):
            faults += [f"{shown(f'stream_maps.{key}.{name}')}: {fault}." for name, fault in _shape_faults(rules, names)]
        elif rules not in _NULLS:
            faults.append(f"{where} must be {_MAP}{_IN_MELTANO if '.' in key else ''}.")
    return faults


def _shape_faults(rules: Mapping[str, Any], names: Names) -> Iterator[tuple[str, str]]:
    for name, given in rules.items():
        if name in {_ALIAS, _SOURCE}:
            if not isinstance(given, str) or not given:
                yield name, "it must be the name of a stream, in quotes"
        elif name == _KEYS:
            if given is not None and not (isinstance(given, list) and all(isinstance(each, str) for each in given)):
                yield name, "it must be an array of properties' names, or null"
        elif name == _ELSE:
            if given not in _NULLS:
                yield name, "it must be null, which leaves out all properties that the map does not name"
        elif isinstance(given, str):
            is_null = given in _NULLS and name != _FILTER
            yield from () if is_null else ((name, fault) for fault in expressions.faults(given, names))
        elif given is not None:
            is_nested = isinstance(given, Mapping)
            yield name, f"it must be an expression in quotes, or null{_IN_MELTANO if is_nested else ''}"


def named_by_maps(stream_maps: Mapping[str, Any]) -> frozenset[str]:
    """The names of streams and properties that they name, in their expressions too."""
    return frozenset(name for key, rules in stream_maps.items() for name in (key, *_named(rules)))


def _named(rules: Any) -> Iterator[str]:
    for name, given in rules.items() if isinstance(rules, Mapping) else ():
        yield name
        if isinstance(given, str):
            yield from (given,) if name in {_ALIAS, _SOURCE} else expressions.named(given)
        elif isinstance(given, list):
            yield from (each for each in given if isinstance(each, str))


# When a stream comes.


def register(
    mapper: PluginMapper,
    stream: str,
    *,
    schema: Mapping[str, Any],
    key_properties: Sequence[str],
    config: Mapping[str, Any],
    mask: Mask = BARE,
) -> None:
    """Have the SDK make the stream's maps; `config` are the SDK's settings. Those of an earlier SCHEMA are gone.

    `mask` says how the names of stream and SCHEMA are told.

    Raises:
        SettingsInvalid: A map, or flattening, does not go with this SCHEMA. The stream has no maps then.
    """
    mapper.stream_maps.pop(stream, None)
    is_flattening = bool(config.get("flattening_enabled"))
    if _is_dropped(mapper, config.get("stream_maps", {}), stream):
        schema = {"properties": {}}  # what is in it does not matter
    listed = typed(schema) if is_flattening else dict(schema)
    faults = list(_map_faults(stream, listed, key_properties, config, mask))
    if faults and (doubt := mask.doubt(stream)):
        faults.insert(0, f"stream_maps: {doubt}.")
    if is_flattening and (fault := flattening_fault(listed, mapper.flattening_options, told=mask.column)):
        faults.append(f"flattening_enabled: stream {mask.stream(stream)} cannot be flattened: {fault}.")
    if faults:
        raise SettingsInvalid(faults)
    try:
        mapper.register_raw_stream_schema(stream, listed, list(key_properties))
    except Exception as error:  # noqa: BLE001 - of many kinds, with expressions in their texts
        mapper.stream_maps.pop(stream, None)
        cause = "flattening_enabled" if _is_of(error, _FLATTENING_CODE) else "stream_maps"
        raise SettingsInvalid([_REFUSED.format(cause=cause, stream=mask.stream(stream), kind=_kind(error))]) from None
    for made in mapper.stream_maps[stream]:
        if isinstance(made, CustomStreamMap):
            computing.bound(made.expr_evaluator)


def is_taken_away(stream_map: StreamMap) -> bool:
    """Whether a map takes all records of its stream away."""
    return isinstance(stream_map, RemoveRecordTransform)


def failure(error: Exception) -> str:
    """Why a stream map failed on one record: the property and the kind of error, never a value."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "_eval" and "property_name" in frame.f_locals:
            name = frame.f_locals["property_name"]
            return f"stream map of {_FILTER if name is None else shown(name)}: {_kind(error)}"
    return f"{'flattening' if _is_of(error, _FLATTENING_CODE) else 'stream map'}: {_kind(error)}"


def _is_dropped(mapper: PluginMapper, stream_maps: Mapping[str, Any], stream: str) -> bool:
    """Whether nothing is left of a stream: the SDK would still look at its SCHEMA."""
    is_dropped = mapper.default_mapper_type is RemoveRecordTransform
    for key, source in _sources(stream_maps):
        if _is_met(source, [stream]):
            if isinstance(stream_maps[key], Mapping) and _SOURCE in stream_maps[key]:
                return False
            is_dropped = stream_maps[key] in _NULLS
    return is_dropped


def _kind(error: BaseException) -> str:
    """The class of an error; of one that the SDK wraps, of what is within."""
    is_wrapper = isinstance(error, MapExpressionError) and error.__cause__ is not None
    return type(error.__cause__ if is_wrapper else error).__name__


def _is_of(error: BaseException, code: str) -> bool:
    return any(Path(frame.f_code.co_filename).name == code for frame, _ in traceback.walk_tb(error.__traceback__))


def _map_faults(
    stream: str, schema: Mapping[str, Any], key_properties: Sequence[str], config: Mapping[str, Any], mask: Mask
) -> Iterator[str]:
    properties = schema["properties"]
    names = Names(
        properties=list(properties),
        config=list(config.get("stream_map_config", {})),
        is_open=_is_open(schema),
        mask=mask,
    )
    for key, rules in config.get("stream_maps", {}).items():
        if isinstance(rules, Mapping) and _is_met(rules.get(_SOURCE, key), [stream]):
            for name, fault in _rule_faults(rules, names, stream=stream, key_properties=key_properties):
                yield f"{shown(f'stream_maps.{key}.{name}')}, stream {mask.stream(stream)}: {fault}."


def _rule_faults(
    rules: Mapping[str, Any], names: Names, *, stream: str, key_properties: Sequence[str]
) -> Iterator[tuple[str, str]]:
    for name, given in rules.items():
        if name == _FILTER or (name not in _OPTIONS and given not in _NULLS):
            yield from _expression_faults(name, given, names)
        if name not in _OPTIONS and name.startswith("__") and name.endswith("__") and name not in names.properties:
            near = hint(name, _OPTIONS)
            yield name, f"it is no option of a stream map, and no property of the stream{f'; {near}' if near else ''}"
    if _SOURCE not in rules and _ALIAS in rules and not _is_stream(rules[_ALIAS], stream):
        yield _ALIAS, f"it is an expression, and gives no name: write a name in quotes of its own, \"'{_A_STREAM}'\""
    yield from _key_faults(rules, names, key_properties)


def _expression_faults(name: str, given: Any, names: Names) -> Iterator[tuple[str, str]]:
    if given is None:
        return
    own = None if name == _FILTER else name
    yield from ((name, fault) for fault in expressions.faults(given, names, own=own))


def _key_faults(rules: Mapping[str, Any], names: Names, key_properties: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Key properties that are no properties once the map is applied: the SDK refuses the stream."""
    is_own = _KEYS in rules
    keys = (rules[_KEYS] or ()) if is_own else key_properties
    made = {name for name, given in rules.items() if name not in _OPTIONS and given not in _NULLS}
    kept = made if _ELSE in rules else made.union(names.properties)
    for name in keys:
        if name in rules and rules[name] in _NULLS:
            yield name, f"a map cannot take a key property away: leave it, or set {_KEYS} beside it, null for none"
        elif name not in kept:
            near = hint(name, names.mask.told(kept))
            where = _KEYS if is_own or names.mask.hides(name) else name
            told = names.mask.column(name)
            yield where, f"the map has no key property {told}{f'; {near}' if near else ''}: {_NO_KEY}"


def _is_stream(alias: str, stream: str) -> bool:
    try:
        made = PluginMapper._eval_stream(alias, stream)  # noqa: SLF001 - whatever that takes is right
    except Exception:  # noqa: BLE001 - an expression can fail in any way
        return False
    return isinstance(made, str) and bool(made)


def _is_open(schema: Mapping[str, Any]) -> bool:
    """Whether a record may have more than the SCHEMA lists: it says so, or lists nothing at all."""
    more = schema.get("additionalProperties")
    if more is True or isinstance(more, Mapping) or schema.get("patternProperties"):
        return True
    return not schema["properties"] or any(word in schema for word in ("anyOf", "oneOf", "allOf"))


# What made which stream.


def scopes(stream_maps: Mapping[str, Any], stream: str) -> list[str]:
    """By what to tell the streams apart that the maps make of one of the tap's: its name, then each other map's key.

    In the order in which the SDK applies them: the map of the stream itself, which may rename it, comes first. A map
    whose source is a glob makes a stream of each of several, so with its key stands the tap's name.
    """
    others = (
        key if rules["__source__"] == stream else f"{key}.{stream}"
        for key, rules in stream_maps.items()
        if isinstance(rules, Mapping) and "__source__" in rules and _is_met(rules["__source__"], [stream])
    )
    return [stream, *others]


def unmet(stream_maps: Mapping[str, Any], streams: Collection[str], mask: Mask = BARE) -> list[str]:
    """The keys that none of these streams met, a sentence each. `mask` says how the streams' names are told."""
    told = [stream for stream in streams if not mask.hides_stream(stream)]
    return [_unmet(key, source, told) for key, source in _sources(stream_maps) if not _is_met(source, streams)]


def _unmet(key: str, source: str, streams: Collection[str]) -> str:
    near = hint(source, streams)
    return _UNMET.format(key=shown(key), near=f" ({near})" if near else "")


def _sources(stream_maps: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each key with the stream, or the glob, whose records it is for."""
    for key, rules in stream_maps.items():
        if key != "__else__":
            yield key, rules.get("__source__", key) if isinstance(rules, Mapping) else key


def _is_met(source: str, streams: Collection[str]) -> bool:
    return any(stream == source or fnmatch(stream, source) for stream in streams)  # as the SDK matches them


_A_STREAM = "my leads"
_MAP = "an object of properties and expressions, or null to take the stream away"
_IN_MELTANO = " (Meltano takes keys apart at their dots: there, write stream_maps as JSON in quotes, and ? for a dot)"
_NO_KEY = "keep it, or set __key_properties__ in the map, null for none"
_REFUSED = "{cause}: stream {stream} cannot be mapped by the SDK ({kind}): check what names it there."
_UNMET = (
    "stream_maps has the key {key}, and no stream of the input is meant by it{near}, so its rules, filters too, were "
    "applied to nothing: mend the name, or take the key away."
)
