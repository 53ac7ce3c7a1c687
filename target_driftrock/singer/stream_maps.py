"""What the SDK's stream maps are silent about: a key whose stream never came, and which map made which stream."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any


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


def unmet(stream_maps: Mapping[str, Any], streams: Collection[str]) -> list[str]:
    """The keys that none of these streams met, a sentence each."""
    return [_UNMET.format(key=key) for key, source in _sources(stream_maps) if not _is_met(source, streams)]


def _sources(stream_maps: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each key with the stream, or the glob, whose records it is for."""
    for key, rules in stream_maps.items():
        if key != "__else__":
            yield key, rules.get("__source__", key) if isinstance(rules, Mapping) else key


def _is_met(source: str, streams: Collection[str]) -> bool:
    return any(stream == source or fnmatch(stream, source) for stream in streams)  # as the SDK matches them


_UNMET = (
    "stream_maps has the key {key}, and no stream of the input is meant by it, so its rules, filters too, were "
    "applied to nothing: mend the name, or take the key away."
)
