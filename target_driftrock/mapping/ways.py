"""Whether a mapping makes identities in another way than before, so that all that was delivered would be sent again.

Pure: a ledger remembers the ways, see `ledger.ways`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from target_driftrock.events.identity import KnownWay, Way
from target_driftrock.mapping.compiler import key_template
from target_driftrock.mapping.masking import Mask
from target_driftrock.mapping.stream import CompiledMapping, CompiledStream
from target_driftrock.naming import escaped


def forgotten(known: Mapping[Way, KnownWay], stream: CompiledStream) -> dict[Way, Way | None]:
    """The ways that are gone, and of which a mapping says that all may be sent again; each with the mapping's own."""
    return {way: mapping.way for way, mapping in _replaced(known, stream) if mapping.forgets_former}


def mended(known: Mapping[Way, KnownWay], stream: CompiledStream) -> list[str]:
    """What a mapping must say before it may take the place of one that delivered, a sentence each.

    A mapping that is added beside the old ones, or taken away, takes nobody's place.
    """
    replaced: dict[str, list[Way]] = {}
    for way, mapping in _replaced(known, stream):
        if not mapping.forgets_former:
            replaced.setdefault(mapping.label, []).append(way)
    return [
        _fault(mapping, replaced[mapping.label], known=known, stream=stream)
        for mapping in stream.mappings
        if mapping.label in replaced
    ]


def _replaced(known: Mapping[Way, KnownWay], stream: CompiledStream) -> Iterator[tuple[Way, CompiledMapping]]:
    """Each way that is gone and that a mapping replaces, with that one: of several, the one most like it."""
    for way in _gone(known, stream):
        replacing = [mapping for mapping in stream.mappings if _replaces(mapping, way, known)]
        if replacing:
            yield way, min(replacing, key=lambda mapping: _distance(mapping, way))


def _distance(mapping: CompiledMapping, gone: Way) -> tuple[bool, int, bool]:
    """How little it looks like the way. One that says how it made identities before has named its own already."""
    return bool(mapping.formers), len(_differing(gone, mapping)), mapping.forgets_former


def _gone(known: Mapping[Way, KnownWay], stream: CompiledStream) -> Iterator[Way]:
    """The ways of this stream in which something was delivered, and which no mapping uses or says it used."""
    used = {mapping.way for mapping in stream.mappings} | {
        way for mapping in stream.mappings for way in mapping.former_ways
    }
    for way, state in known.items():
        if way.scope != stream.scope or way in used or not state.delivered:
            continue
        if not any(mine is not None and _extends(mine, way) for mine in used):
            yield way


def _extends(mine: Way, gone: Way) -> bool:
    """Whether the two differ in no more than texts that were added to tables, so that what had an identity keeps it.

    What a table does not list has one only by its `*`, which the next text may take it from.
    """
    is_, was = _read(mine), _read(gone)
    tables, tables_then = is_.pop("tables", {}), was.pop("tables", {})
    if mine.scope != gone.scope or is_ != was or tables.keys() != tables_then.keys():
        return False
    return all(
        table == tables[name] or ("*" not in table and table.items() <= tables[name].items())
        for name, table in tables_then.items()
    )


def _replaces(mapping: CompiledMapping, gone: Way, known: Mapping[Way, KnownWay]) -> bool:
    """Whether it says so, or its way is new, or one of the two took the other's place in an earlier run."""
    if mapping.forgets_former or mapping.way is None:
        return mapping.forgets_former
    if mapping.way not in known:
        return True
    return known[gone].successor == mapping.way or known[mapping.way].successor == gone


def _differing(gone: Way, mapping: CompiledMapping) -> dict[str, Any]:
    """The attributes that are not as they were, as they were; key properties as the template that stands for them."""
    was = _read(gone)
    now = {} if mapping.way is None else _read(mapping.way)
    differing = {name: value for name, value in was.items() if value != now.get(name)}
    if isinstance(differing.get("event_id"), list):
        differing["event_id"] = key_template(gone.scope, differing["event_id"])
    return differing


def _fault(
    mapping: CompiledMapping, replaced: Sequence[Way], *, known: Mapping[Way, KnownWay], stream: CompiledStream
) -> str:
    was = min(replaced, key=lambda way: len(_differing(way, mapping)))
    differing = _differing(was, mapping)
    delivered = sum(known[way].delivered for way in replaced)
    former = escaped(msgspec.json.encode(differing, order="sorted").decode().replace('":"', '": "'))
    if _is_hidden(was, differing.keys(), stream.mask):
        former = _HIDDEN.format(names=" and ".join(differing))
    return _MENDED.format(
        label=mapping.label,
        names=" and ".join(differing),
        stream=stream.mask.stream(stream.stream),
        events=f"{delivered:,} event{'' if delivered == 1 else 's'} of",
        were="was" if delivered == 1 else "were",
        former=(_ANOTHER if mapping.formers else _FIRST).format(former=former),
    )


def _is_hidden(gone: Way, attributes: Collection[str], mask: Mask) -> bool:
    """Whether the stream or a key property, of which its identities were made in these attributes, is not told."""
    was = _read(gone)
    is_by_name = "event_name" in attributes and was["event_name"] == gone.scope
    is_by_key = "event_id" in attributes and isinstance(was["event_id"], list)
    if (is_by_name or is_by_key) and mask.hides_stream(gone.scope):
        return True
    return is_by_key and mask.hides_any(was["event_id"])


def _read(way: Way) -> dict[str, Any]:
    templates: dict[str, Any] = msgspec.json.decode(way.templates)
    return templates


_MENDED = (
    "{label}: {names} made other identities before, so {events} stream {stream} that {were} delivered then would be "
    "sent again. {former}, or set `formerly: null` to send all again."
)
_HIDDEN = "{{{names} as it was; not told here, since a name in it may be a value}}"
_FIRST = "Add `formerly: {former}` to this mapping to go on from them"
_ANOTHER = "Make `formerly` of this mapping an array, and add `{former}` to it, to go on from them"
