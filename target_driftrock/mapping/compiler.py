"""From the templates of the settings and a SCHEMA to what maps records, or to all that is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import accumulate, starmap
from operator import or_
from typing import Any

import msgspec

from target_driftrock.events.columns import is_added
from target_driftrock.events.identity import Way
from target_driftrock.mapping import attribute
from target_driftrock.mapping.condition import condition
from target_driftrock.mapping.filters.reading import Scene, Unread
from target_driftrock.mapping.grammar import in_quotes
from target_driftrock.mapping.habits import habit_fault, habits
from target_driftrock.mapping.listing import is_listed, properties, unlisted
from target_driftrock.mapping.masking import Mask, ways_to
from target_driftrock.mapping.path import Reader
from target_driftrock.mapping.position import is_position
from target_driftrock.mapping.reach import is_only_null, never_met, nodes
from target_driftrock.mapping.stream import CompiledMapping, CompiledStream, FormerIdentity
from target_driftrock.mapping.template import Template, constant
from target_driftrock.mapping.templates import (
    attribute_reader,
    conditions,
    faults,
    places,
    tables_of,
    templates,
    unchanged,
)
from target_driftrock.mapping.who import names_somebody
from target_driftrock.naming import escaped, hint, shown
from target_driftrock.settings import Comparison, StreamMapping
from target_driftrock.wording import stopped


@dataclass(frozen=True, slots=True)
class MappingFaults:
    """All that is wrong with how a stream is mapped, a sentence each. Nothing of it may be sent."""

    faults: tuple[str, ...]


def template_faults(mapping: StreamMapping) -> list[str]:
    """What is wrong with a mapping whatever the SCHEMA: a sentence each, with its label and attribute.

    Only what templates say is judged; that nothing required is missing is for the settings to see to.
    """
    found = [stopped(f"{mapping.label}: {shown(where)}: {fault}") for where, fault in faults(mapping)]
    if not mapping.skip and mapping.affiliate_id is not None and mapping.metadata is not None:
        found.append(f"{mapping.label}: metadata: affiliate events have none; leave out metadata or affiliate_id.")
    return found


def compile_stream(
    mappings: Sequence[StreamMapping],
    *,
    stream: str,
    schema: Mapping[str, Any],
    key_properties: Sequence[str],
    scope: str | None = None,
    changed: Collection[str] = frozenset(),
    mask: Mask | None = None,
) -> CompiledStream | MappingFaults:
    """What maps the records of `stream`, compiled for this SCHEMA; else all faults at once.

    A mapping is judged if a record can reach it: if it names the stream, by name or glob, and none before it
    takes every record. `scope` is what ids are made of where a mapping says nothing, beside the key: the tap's own name
    of the stream, or the key of the stream map that makes another one of it; `stream`, unless it is said. `changed` are
    the top-level properties that a stream map makes, of which the SCHEMA knows no more than a guess. `mask` says how
    names are told; it is that of the mappings over this SCHEMA, unless another is given.
    """
    mask = mask or Mask(said=named(mappings)).over(schema, key_properties)
    reachable = list(_reachable(mappings, stream))
    if not reachable:
        return MappingFaults((_unmapped(mappings, stream, mask),))
    source = _Source(
        stream=stream,
        scope=stream if scope is None else scope,
        schema=schema,
        key_properties=tuple(sorted(set(key_properties))),  # some taps build the list from a set
        changed=changed,
        mask=mask,
    )
    found = [fault for mapping in reachable for fault in (*template_faults(mapping), *source.faults(mapping))]
    if found:
        return MappingFaults(tuple(found))
    asks = accumulate((source.tops(unchanged(conditions(mapping))) for mapping in reachable), or_)
    return CompiledStream(
        stream=stream,
        mappings=tuple(starmap(source.compiled, zip(reachable, map(frozenset, asks), strict=True))),
        warnings=tuple(warning for mapping in reachable for warning in source.warnings(mapping)),
        scope=source.scope,
        mask=mask,
        unread=source.unread,
    )


def named(mappings: Iterable[StreamMapping]) -> frozenset[str]:
    """The names of streams and properties that these mappings name, and all on the way to them."""
    names = {name for mapping in mappings for _, name in _named(mapping)}
    return frozenset(ways_to(names)) | {mapping.stream for mapping in mappings}


def _named(mapping: StreamMapping) -> Iterator[tuple[str, str]]:
    """Each name in the `when` or a template of a mapping, and where it stands."""
    yield from (("when", asked.name) for asked, _ in conditions(mapping))
    if not mapping.skip:
        yield from ((where, each.name) for where, each in places(mapping))


def _sources(mapping: StreamMapping) -> Iterator[tuple[str, str]]:
    """Each attribute that is one property and nothing else, and which."""
    for where, text in () if mapping.skip else templates(mapping):
        template = Template.parse(text)
        if where in attribute.CHECKS and template.is_one_name:
            yield where, template.names[0]


def _reachable(mappings: Sequence[StreamMapping], stream: str) -> Iterator[StreamMapping]:
    for mapping in mappings:
        if mapping.stream != stream and not fnmatchcase(stream, mapping.stream):
            continue
        yield mapping
        if not mapping.when:
            return


def unreachable(mappings: Sequence[StreamMapping]) -> list[str]:
    """The mappings that no record can reach, since an earlier one takes everything; a sentence each."""
    found = []
    for index, mapping in enumerate(mappings):
        before = next((each for each in mappings[:index] if not each.when and _covers(each, mapping)), None)
        if before is not None:
            found.append(_UNREACHABLE.format(label=mapping.label, before=before.label))
    return found


def _covers(before: StreamMapping, mapping: StreamMapping) -> bool:
    """Whether `before` means every stream that `mapping` can mean."""
    if before.stream == mapping.stream or not before.stream.strip("*"):
        return True
    if "[" in mapping.stream or ("[" in before.stream and set("*?") & set(mapping.stream)):
        return False  # nobody need know of choices of letters which is the wider
    return all(fnmatchcase(name, before.stream) for name in _examples(mapping.stream))


def _examples(stream: str) -> Iterator[str]:
    """Names that a glob means: with nothing for its `*`, and with what no narrower glob means."""
    yield from (stream.replace("*", text).replace("?", "\0") for text in ("", "\0" * 99))


def _unmapped(mappings: Sequence[StreamMapping], stream: str, mask: Mask) -> str:
    near = hint(stream, {mapping.stream for mapping in mappings})
    return (
        f"streams: no mapping names the stream {mask.stream(stream)}{f'; {near}' if near else ''}. Map it, or {_SKIP}."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """What a SCHEMA message says. `key_properties` are in the order of their names, each once."""

    stream: str
    scope: str
    schema: Mapping[str, Any]
    key_properties: tuple[str, ...]
    changed: Collection[str] = frozenset()
    """Top-level properties that stream maps make."""
    mask: Mask
    unread: list[Unread] = field(default_factory=list)
    """Where what an `else` lets pass is noted."""

    @property
    def told(self) -> str:
        """The stream in a sentence."""
        return self.mask.stream(self.stream)

    def faults(self, mapping: StreamMapping) -> Iterator[str]:
        """Names that the SCHEMA does not list, and an event_id that cannot be made."""
        missing = list(self._missing(mapping))
        doubt = self.mask.doubt(self.stream) if missing or self._sends_a_row(mapping) else None
        yield from () if doubt is None else [f"{mapping.label}: {doubt}."]
        yield from missing
        if _has_default_id(mapping) and not self.key_properties:
            yield (
                f"{mapping.label}: event_id is missing, and {self.told} has no key properties to make it of: "
                "name it, or set `event_id: null` to accept that repeats cannot be recognised."
            )
        yield from self._other_tools_forms(mapping)
        yield from self._conditions_never_met(mapping)
        positions = [name for name in self.key_properties if is_position(name)]
        if _has_default_id(mapping) and positions:
            yield self._position_fault(mapping, positions)

    def _missing(self, mapping: StreamMapping) -> Iterator[str]:
        for where, name in self._names(mapping):
            fault = None if is_added(name) or self._is_habit(name) else unlisted(name, self.schema, self.mask)
            if fault is not None:
                yield stopped(f"{mapping.label}: {shown(where)}, stream {self.told}: {fault}")

    def _sends_a_row(self, mapping: StreamMapping) -> bool:
        """Whether columns would be sent by names that may be values. One that the settings name proves a header row."""
        sends = mapping.fields == "*" and self.mask.is_row and any(map(self.mask.hides, properties(self.schema)))
        return sends and all(is_added(name) for _, name in _named(mapping))

    def _position_fault(self, mapping: StreamMapping, positions: Iterable[str]) -> str:
        template = told_template(self.scope, self.key_properties, self.mask)
        return _POSITION.format(
            label=mapping.label,
            stream=self.told,
            names=", ".join(dict.fromkeys(map(self.mask.column, positions))),
            kept="" if template is None else _KEPT.format(template=escaped(template)),
        )

    def _other_tools_forms(self, mapping: StreamMapping) -> Iterator[str]:
        """Properties that a template names as dbt, Jinja or a shell would, so that the bare name would be sent."""
        for where, text in () if mapping.skip else templates(mapping):
            for written, name in () if where.startswith("formerly.") else habits(text):
                if self._is_meant(name):
                    yield f"{mapping.label}: {shown(where)}, stream {self.told}: {habit_fault(written)}."

    def _is_habit(self, name: str) -> bool:
        return name.startswith("$") and self._is_meant(name.removeprefix("$"))

    def _is_meant(self, name: str) -> bool:
        return is_listed(name, self.schema) and not is_listed(f"${name}", self.schema)

    def _conditions_never_met(self, mapping: StreamMapping) -> Iterator[str]:
        for name, wanted in unchanged(conditions(mapping)):
            found = self._unchanged_nodes(name)
            fault = None if is_only_null(found) else never_met(wanted, found)
            if fault is not None:
                yield stopped(f"{mapping.label}: when.{shown(name)}, stream {self.told}: {fault}")

    def _unchanged_nodes(self, name: str) -> list[Mapping[str, Any]]:
        """What the SCHEMA says of a property that the tap itself wrote; nothing of one that a stream map made."""
        return [] if self.top(name) in self.changed else nodes(name, self.schema)

    def warnings(self, mapping: StreamMapping) -> Iterator[str]:
        """What is right, and still not what many would expect."""
        for name, wanted in unchanged(conditions(mapping)):
            found = self._unchanged_nodes(name)
            if is_only_null(found) and never_met(wanted, found):
                yield _ONLY_NULL.format(label=mapping.label, name=shown(name), stream=self.told)
        if mapping.skip:
            return
        stream = self.told
        if mapping.created_at is None:
            yield f"{mapping.label}: created_at is missing, so events of {stream} are dated on arrival."
        if not mapping.has_identity:
            yield f"{mapping.label}: event_id is null, so repeats of an event of {stream} cannot be recognised."
        if mapping.has_identity and mapping.on_changed is None and not self._names_somebody(mapping):
            yield _NOBODY.format(label=mapping.label, stream=stream)
        for where, text in templates(mapping):
            if where != "event_type" and not where.startswith("formerly.") and text in properties(self.schema):
                yield f"{mapping.label}: {shown(where)}: {_ONE_TEXT.format(name=escaped(text))}"

    def compiled(self, mapping: StreamMapping, asks: frozenset[str]) -> CompiledMapping:
        """The mapping, which is faultless. `asks` are the unchanged top-level properties by which it is chosen."""
        way = None if mapping.skip or not mapping.has_identity else self._way(mapping)
        formers = tuple({former.way: former for former in self._formers(mapping) if former.way != way}.values())
        return CompiledMapping(
            label=mapping.label,
            capture_label=_capture_label(mapping),
            name_label=self.mask.raw_stream(self.stream) if mapping.event_name is None else mapping.event_name,
            fits=condition(mapping.when, scene=self._scene(mapping)),
            takes_all=not mapping.when,
            may_refuse=any(asked.calls or isinstance(wanted, Comparison) for asked, wanted in conditions(mapping)),
            attributes=() if mapping.skip else tuple(self._attributes(mapping, self._scene(mapping))),
            sources=dict(_sources(mapping)),
            reads=frozenset(self.top(name) for _, name in self._names(mapping)),
            takes=asks | self._taken(mapping),
            reads_all=mapping.fields == "*",
            asks=asks,
            way=way,
            formers=formers,
            former_ways=tuple(former.way for former in formers),
            forgets_former=mapping.forgets_former,
            on_changed=mapping.on_changed,
        )

    # How identities are made, and were.

    def _way(self, mapping: StreamMapping) -> Way:
        templates: dict[str, object] = {
            "event_type": mapping.event_type,
            "event_name": self.stream if mapping.event_name is None else mapping.event_name,
            "source_id": mapping.source_id,
            "affiliate_id": mapping.affiliate_id,
            "event_id": list(self.key_properties) if mapping.event_id is None else mapping.event_id,
        }
        given = {name: getattr(mapping, name) for name in templates if getattr(mapping, name) is not None}
        templates |= {name: Template.parse(text).spelled for name, text in given.items()}
        tables = tables_of(given, mapping)
        if tables:  # of which the identity is made, too
            templates["tables"] = tables
        return Way(self.scope, msgspec.json.encode(templates, order="sorted").decode())

    def _formers(self, mapping: StreamMapping) -> Iterator[FormerIdentity]:
        """How the identities were made, by what `formerly` says.

        An `event_id` that looks like what is made of a key where nothing is said may have been just that.
        """
        for given in mapping.formerly:
            attributes: dict[str, Any] = dict(given)
            former = replace(mapping, has_identity=True, **attributes)
            yield self._former(former)
            keys = self._as_key(former.event_id)
            if keys:
                by_key = replace(self, key_properties=keys)
                yield by_key._former(replace(former, event_id=None))  # noqa: SLF001 - of its own kind

    def _former(self, former: StreamMapping) -> FormerIdentity:
        attributes = self._attributes(former, Scene(tables=former.tables))
        made = tuple((name, read) for name, read in attributes if name in attribute.IDENTITY)
        return FormerIdentity(way=self._way(former), attributes=made)

    def _as_key(self, event_id: str | None) -> tuple[str, ...]:
        """The key properties of which the same template would be made."""
        template = None if event_id is None else Template.parse(event_id)
        if template is None or template.has_filters:
            return ()
        if template.form != key_template(self.scope, [""] * len(template.names)):
            return ()
        return tuple(sorted(template.names))

    def _names_somebody(self, mapping: StreamMapping) -> bool:
        if mapping.person_id is not None:
            return True
        return names_somebody(properties(self.schema) if mapping.fields == "*" else mapping.fields or ())

    def top(self, name: str) -> str:
        """The top-level property in which a name is found."""
        return name if name in properties(self.schema) or "." not in name else name.partition(".")[0]

    def tops(self, names: Iterable[tuple[str, object]]) -> frozenset[str]:
        """The top-level properties of these names."""
        return frozenset(self.top(name) for name, _ in names)

    def _names(self, mapping: StreamMapping) -> Iterator[tuple[str, str]]:
        yield from _named(mapping)
        if _has_default_id(mapping):
            for name in self.key_properties:
                yield "event_id (the key properties)", name

    def _taken(self, mapping: StreamMapping) -> frozenset[str]:
        """The top-level properties that a mapping takes as they are; what only filters read, they judge."""
        keys = self.key_properties if _has_default_id(mapping) else ()
        names = () if mapping.skip else unchanged((each, where) for where, each in places(mapping))
        return self.tops(names) | self.tops((name, None) for name in keys)

    def _scene(self, mapping: StreamMapping) -> Scene:
        return Scene(mapping=mapping.label, tables=mapping.tables, note=self.unread.append)

    def _attributes(self, mapping: StreamMapping, scene: Scene) -> Iterator[tuple[str, Reader]]:
        defaults = {
            "event_name": constant(self.stream),
            "event_id": attribute.key(self.scope, self.key_properties, told=self.mask.column),
        }
        for name in attribute.SENT_IN_ORDER:
            given = getattr(mapping, name)
            if given is not None:
                yield name, attribute_reader(name, given, scene)
            elif name in defaults and (name != "event_id" or mapping.has_identity):
                yield name, defaults[name]


def key_template(scope: str, key_properties: Sequence[str]) -> str:
    """What makes the same ids as saying nothing does, but for a `:` or `%` in a value."""
    start = attribute.encoded(scope).replace("{", "{{").replace("}", "}}")
    return ":".join([start, *(f"{{{in_quotes(name)}}}" for name in key_properties)])


def told_template(scope: str, key_properties: Sequence[str], mask: Mask) -> str | None:
    """The same where all that it names may be told, else None."""
    is_hidden = mask.hides_stream(scope) or mask.hides_any(key_properties)
    return None if is_hidden else key_template(scope, key_properties)


def _has_default_id(mapping: StreamMapping) -> bool:
    return not mapping.skip and mapping.event_id is None and mapping.has_identity


def _capture_label(mapping: StreamMapping) -> str:
    """The capture as the settings tell it: templates, never what they give."""
    affiliate = "" if mapping.affiliate_id is None else f" affiliate_id {shown(mapping.affiliate_id)}"
    return f"{mapping.label} source_id {shown(str(mapping.source_id))}{affiliate}"


_SKIP = "set `skip: true`"
_ONE_TEXT = "it is one text for every record; for the property write {{{name}}}."
_ONLY_NULL = (
    "{label}: when.{name}, stream {stream}: the SCHEMA says of this property that it is null, and no more, so nobody "
    "can tell whether a record will meet it."
)
_UNREACHABLE = (
    "{label}: no record reaches it, since {before} takes everything before it: put it in front of that one, or give "
    "that one a `when`."
)
_POSITION = (
    "{label}: event_id is missing, and the key of {stream} says where a row stood ({names}): one new row on top would "
    "make every row another's. Write an event_id of what tells the records apart, such as {{lead_id}} or "
    "{{email}}:{{date}}{kept}."
)
_KEPT = '; or, if rows are only ever added at the end, keep such ids with event_id: "{template}"'
_NOBODY = (
    "{label}: its events name nobody (no person_id, and no field that is called email or phone), so a changed record "
    "of {stream} cannot be told from another's, and would be held: set on_changed: skip or send, if each event_id is "
    "surely its own."
)
