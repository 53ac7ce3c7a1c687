"""From the templates of the settings and a SCHEMA to what maps records, or to all that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from target_driftrock.events.identity import Way
from target_driftrock.mapping import attribute
from target_driftrock.mapping.condition import condition
from target_driftrock.mapping.listing import nearest, properties, unlisted
from target_driftrock.mapping.path import Reader, reader
from target_driftrock.mapping.position import is_position
from target_driftrock.mapping.stream import CompiledMapping, CompiledStream, FormerIdentity
from target_driftrock.mapping.template import Template, TemplateInvalid, constant
from target_driftrock.mapping.who import names_somebody
from target_driftrock.mapping.writing import Wrong
from target_driftrock.settings import Scalar, StreamMapping

_TELLS_APART = ("event_id", "person_id")


@dataclass(frozen=True, slots=True)
class MappingFaults:
    """All that is wrong with how a stream is mapped, a sentence each. Nothing of it may be sent."""

    faults: tuple[str, ...]


def template_faults(mapping: StreamMapping) -> list[str]:
    """What is wrong with a mapping whatever the SCHEMA: a sentence each, with its label and attribute.

    Only what templates say is judged; that nothing required is missing is for the settings to see to.
    """
    if mapping.skip:
        return []
    faults = []
    if mapping.affiliate_id is not None and mapping.metadata is not None:
        faults.append(f"{mapping.label}: metadata: affiliate events have none; leave out metadata or affiliate_id.")
    for where, text in _templates(mapping):
        fault = _template_fault(where, text)
        if fault is not None:
            faults.append(f"{mapping.label}: {where}: {fault}.")
    return faults


def compile_stream(
    mappings: Sequence[StreamMapping],
    *,
    stream: str,
    schema: Mapping[str, Any],
    key_properties: Sequence[str],
    scope: str | None = None,
) -> CompiledStream | MappingFaults:
    """What maps the records of `stream`, compiled for this SCHEMA; else all faults at once.

    A mapping is judged if a record can reach it: if it names the stream, by name or glob, and none before it
    takes every record. `scope` is what ids are made of where a mapping says nothing, beside the key: the tap's own name
    of the stream, or the key of the stream map that makes another one of it; `stream`, unless it is said.
    """
    reachable = list(_reachable(mappings, stream))
    if not reachable:
        return MappingFaults((_unmapped(mappings, stream),))
    source = _Source(
        stream=stream,
        scope=stream if scope is None else scope,
        schema=schema,
        key_properties=tuple(sorted(set(key_properties))),  # some taps build the list from a set
    )
    faults = [fault for mapping in reachable for fault in (*template_faults(mapping), *source.faults(mapping))]
    if faults:
        return MappingFaults(tuple(faults))
    return CompiledStream(
        stream=stream,
        mappings=tuple(map(source.compiled, reachable)),
        warnings=tuple(warning for mapping in reachable for warning in source.warnings(mapping)),
        scope=source.scope,
    )


def _reachable(mappings: Sequence[StreamMapping], stream: str) -> Iterator[StreamMapping]:
    for mapping in mappings:
        if mapping.stream != stream and not fnmatchcase(stream, mapping.stream):
            continue
        yield mapping
        if not mapping.when:
            return


def _unmapped(mappings: Sequence[StreamMapping], stream: str) -> str:
    close = nearest(stream, {mapping.stream for mapping in mappings})
    hint = "" if close is None else f"; the nearest is {close}"
    return f"streams: no mapping names the stream {stream}{hint}. Map it, or say `skip: true`."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """What a SCHEMA message says. `key_properties` are in the order of their names, each once."""

    stream: str
    scope: str
    schema: Mapping[str, Any]
    key_properties: tuple[str, ...]

    def faults(self, mapping: StreamMapping) -> Iterator[str]:
        """Names that the SCHEMA does not list, and an event_id that cannot be made."""
        for where, name in self._names(mapping):
            fault = unlisted(name, self.schema)
            if fault is not None:
                yield f"{mapping.label}: {where}, stream {self.stream}: {fault}."
        if _has_default_id(mapping) and not self.key_properties:
            yield (
                f"{mapping.label}: event_id is missing, and {self.stream} has no key properties to make it of: "
                "name it, or say `event_id: null` to accept that repeats cannot be recognised."
            )
        positions = [name for name in self.key_properties if is_position(name)]
        if _has_default_id(mapping) and positions:
            yield _POSITION.format(
                label=mapping.label,
                stream=self.stream,
                names=", ".join(positions),
                kept=key_template(self.scope, self.key_properties),
            )

    def warnings(self, mapping: StreamMapping) -> Iterator[str]:
        """What is right, and still not what many would expect."""
        if mapping.skip:
            return
        if mapping.created_at is None:
            yield f"{mapping.label}: created_at is missing, so events of {self.stream} are dated on arrival."
        if not mapping.has_identity:
            yield f"{mapping.label}: event_id is null, so repeats of an event of {self.stream} cannot be recognised."
        if mapping.has_identity and mapping.on_changed is None and not self._names_somebody(mapping):
            yield _NOBODY.format(label=mapping.label, stream=self.stream)
        for where, text in _templates(mapping):
            if where != "event_type" and not where.startswith("formerly.") and text in properties(self.schema):
                yield f"{mapping.label}: {where}: it is one text for every record; for the property write {{{text}}}."

    def compiled(self, mapping: StreamMapping) -> CompiledMapping:
        """The mapping, which is faultless."""
        way = None if mapping.skip or not mapping.has_identity else self._way(mapping)
        formers = tuple({former.way: former for former in self._formers(mapping) if former.way != way}.values())
        return CompiledMapping(
            label=mapping.label,
            capture_label=_capture_label(mapping),
            fits=condition(mapping.when),
            attributes=() if mapping.skip else tuple(self._attributes(mapping)),
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
        made = tuple((name, read) for name, read in self._attributes(former) if name in attribute.IDENTITY)
        return FormerIdentity(way=self._way(former), attributes=made)

    def _as_key(self, event_id: str | None) -> tuple[str, ...]:
        """The key properties of which the same template would be made."""
        template = None if event_id is None else Template.parse(event_id)
        if template is None or template.form != key_template(self.scope, [""] * len(template.names)):
            return ()
        return tuple(sorted(template.names))

    def _names_somebody(self, mapping: StreamMapping) -> bool:
        if mapping.person_id is not None:
            return True
        return names_somebody(properties(self.schema) if mapping.fields == "*" else mapping.fields or ())

    def _names(self, mapping: StreamMapping) -> Iterator[tuple[str, str]]:
        for name in mapping.when:
            yield "when", name
        if mapping.skip:
            return
        for where, text in _templates(mapping):
            try:
                names = Template.parse(text).names
            except TemplateInvalid:
                continue  # told already
            for name in names:
                yield where, name
        if _has_default_id(mapping):
            for name in self.key_properties:
                yield "event_id (the key properties)", name

    def _attributes(self, mapping: StreamMapping) -> Iterator[tuple[str, Reader]]:
        defaults = {
            "event_name": constant(self.stream),
            "event_id": attribute.key(self.scope, list(map(reader, self.key_properties))),
        }
        for name in attribute.SENT_IN_ORDER:
            given = getattr(mapping, name)
            if given is not None:
                yield name, _attribute(name, given)
            elif name in defaults and (name != "event_id" or mapping.has_identity):
                yield name, defaults[name]


def key_template(scope: str, key_properties: Sequence[str]) -> str:
    """What makes the same ids as saying nothing does, but for a `:` or `%` in a value."""
    return ":".join([attribute.encoded(scope), *(f"{{{name}}}" for name in key_properties)])


def _has_default_id(mapping: StreamMapping) -> bool:
    return not mapping.skip and mapping.event_id is None and mapping.has_identity


def _templates(mapping: StreamMapping) -> Iterator[tuple[str, str]]:
    """Every template of a mapping, and where it stands."""
    for name in attribute.SENT_IN_ORDER:
        given = getattr(mapping, name)
        if isinstance(given, Mapping):
            yield from ((f"{name}.{member}", text) for member, text in given.items() if isinstance(text, str))
        elif given is not None and (name, given) != ("fields", "*"):
            yield name, given
    for attributes in mapping.formerly:
        yield from ((f"formerly.{name}", text) for name, text in attributes.items() if text is not None)


def _template_fault(where: str, text: str) -> str | None:
    where = where.removeprefix("formerly.")
    try:
        template = Template.parse(text)
    except TemplateInvalid as invalid:
        return str(invalid)
    if where == "metadata" and not template.is_one_name:
        return "a text is no object; name one property, or write an object of templates"
    if where not in attribute.CHECKS or not template.is_constant:
        return None
    if where in _TELLS_APART:
        return "it would be the same for every record; name a property in braces"
    value = _attribute(where, text)({})
    return f"it {value.rule}" if isinstance(value, Wrong) else None


def _attribute(name: str, given: str | Mapping[str, Scalar]) -> Reader:
    if (name, given) == ("fields", "*"):
        return attribute.every_property
    if isinstance(given, Mapping):
        return attribute.named({member: _member(template) for member, template in given.items()})
    return _checked(name, Template.parse(given))


def _member(given: Scalar) -> Reader:
    return Template.parse(given).reader() if isinstance(given, str) else constant(given)


def _checked(name: str, template: Template) -> Reader:
    is_for_people = name == "event_name"
    filled = template.reader(identifies=name != "metadata", has_blanks=is_for_people or name == "metadata")
    read = attribute.CHECKS[name](filled)
    return constant(read({})) if template.is_constant else read


def _capture_label(mapping: StreamMapping) -> str:
    """The capture as the settings tell it: templates, never what they give."""
    affiliate = "" if mapping.affiliate_id is None else f" affiliate_id {mapping.affiliate_id}"
    return f"{mapping.label} source_id {mapping.source_id}{affiliate}"


_POSITION = (
    "{label}: event_id is missing, and the key of {stream} says where a row stood ({names}): one new row on top would "
    "make every row another's. Write an event_id of what tells the records apart, such as {{lead_id}} or "
    '{{email}}:{{date}}; or, if rows are only ever added at the end, keep such ids with event_id: "{kept}".'
)
_NOBODY = (
    "{label}: its events name nobody (no person_id, and no field that is called email or phone), so a changed record "
    "of {stream} cannot be told from another's, and would be held: say on_changed: skip or send, if each event_id is "
    "surely its own."
)
