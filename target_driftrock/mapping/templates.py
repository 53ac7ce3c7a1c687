"""The templates of a mapping: where they stand, what is wrong with them whatever the SCHEMA, and what reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from target_driftrock.mapping import attribute
from target_driftrock.mapping.condition import Wanted, condition
from target_driftrock.mapping.filters.chain import can_give, substitutes
from target_driftrock.mapping.filters.reading import PLAIN, Scene
from target_driftrock.mapping.grammar import Place, place
from target_driftrock.mapping.habits import habit_fault, habits
from target_driftrock.mapping.path import Reader
from target_driftrock.mapping.template import Template, TemplateInvalid, constant
from target_driftrock.mapping.who import email_of, kind_of, phone_of
from target_driftrock.mapping.writing import Wrong
from target_driftrock.settings import Comparison, Scalar, StreamMapping, Table

Other = TypeVar("Other")

_TELLS_APART = ("event_id", "person_id")
_FORMERLY = "formerly."


def templates(mapping: StreamMapping) -> Iterator[tuple[str, str]]:
    """Every template of a mapping, and where it stands."""
    for name in attribute.SENT_IN_ORDER:
        given = getattr(mapping, name)
        if isinstance(given, Mapping):
            yield from ((f"{name}.{member}", text) for member, text in given.items() if isinstance(text, str))
        elif given is not None and (name, given) != ("fields", "*"):
            yield name, given
    for attributes in mapping.formerly:
        yield from ((f"{_FORMERLY}{name}", text) for name, text in attributes.items() if isinstance(text, str))


def places(mapping: StreamMapping) -> Iterator[tuple[str, Place]]:
    """Each property in a template of a mapping, with its filters, and where it stands."""
    for where, text in templates(mapping):
        try:
            yield from ((where, each) for each in Template.parse(text).places)
        except TemplateInvalid:
            continue  # told already


def conditions(mapping: StreamMapping) -> Iterator[tuple[Place, Wanted]]:
    """Each property in the `when` of a mapping, with its filters, and what is wanted of it."""
    for key, wanted in mapping.when.items():
        try:
            yield place(key), wanted
        except TemplateInvalid:
            continue  # told already


def unchanged(found: Iterable[tuple[Place, Other]]) -> Iterator[tuple[str, Other]]:
    """Those of these that no filter reads, so that the SCHEMA says of them what they are; by name."""
    return ((each.name, other) for each, other in found if not each.calls)


def faults(mapping: StreamMapping) -> Iterator[tuple[str, str]]:
    """What is wrong with the templates and the names in `when`, whatever the SCHEMA, and where that stands."""
    scene = Scene(tables=mapping.tables)
    for key, wanted in mapping.when.items():
        try:
            condition({key: wanted}, scene=scene)
            fault = _never_given(place(key), wanted)
        except TemplateInvalid as invalid:
            fault = str(invalid)
        if fault is not None:
            yield f"when.{key}", fault
    if mapping.skip:
        return
    for where, text in templates(replace(mapping, formerly=())):
        yield from ((where, fault) for fault in _faults(where, text, scene))
    for attributes in mapping.formerly:
        yield from _former_faults(mapping, attributes)


def _former_faults(mapping: StreamMapping, attributes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Under other tables what is as it was has to be right, too."""
    then = replace(mapping, **attributes)
    for name in attribute.SENT_IN_ORDER:
        is_meant = name in attributes or ("tables" in attributes and name in attribute.IDENTITY)
        text = getattr(then, name) if is_meant else None
        if isinstance(text, str):
            yield from ((_FORMERLY + name, fault) for fault in _faults(name, text, Scene(tables=then.tables)))


def _never_given(asked: Place, wanted: Wanted) -> str | None:
    """Why no record can be as it is wanted, or none otherwise, by what its filters give."""
    if not asked.calls:
        return None
    if not isinstance(wanted, Comparison):
        return None if any(can_give(asked, value) for value in wanted) else _NEVER_GIVEN
    if wanted.bounds and not can_give(asked, 0):
        return _NO_NUMBER
    if wanted.but and not any(can_give(asked, value) for value in wanted.but):
        return _KEEPS_NONE
    return None


def _faults(where: str, text: str, scene: Scene) -> Iterator[str]:
    try:
        template = Template.parse(text)
        template.reader(scene=scene)
    except TemplateInvalid as invalid:
        yield str(invalid)
        return
    if where == "metadata" and not template.is_one_name:
        yield "a text is no object; name one property, or write an object of templates"
    elif template.is_constant:
        yield from _constant_faults(where, text)
    else:
        yield from _substitute_faults(where, template)


def _constant_faults(where: str, text: str) -> Iterator[str]:
    if where not in attribute.CHECKS:
        return
    if where in _TELLS_APART:
        found = next(habits(text), None)
        right = "; name a property in braces" if found is None else f", since {habit_fault(found[0])}"
        yield f"it would be the same for every record{right}"
        return
    value = attribute_reader(where, text, PLAIN)({})
    if isinstance(value, Wrong):
        yield f"it {value.rule}"


def _substitute_faults(where: str, template: Template) -> Iterator[str]:
    """What must not stand in the place of a value, since it would be everybody's."""
    given = [each for found in template.places for each in substitutes(found)]
    if where in _TELLS_APART:
        yield from dict.fromkeys(_ONE_IDENTITY.format(name=name) for name, _ in given)
        return
    names_person = where.startswith("fields.") and kind_of(where.removeprefix("fields.")) is not None
    for name, value in given if names_person else ():
        if isinstance(value, bool) or value is None:
            continue
        if email_of(str(value)) is not None or phone_of(str(value)) is not None:
            yield _ONE_PERSON.format(name=name)


def attribute_reader(name: str, given: str | Mapping[str, Scalar], scene: Scene) -> Reader:
    """What gives an attribute, which is faultless."""
    if (name, given) == ("fields", "*"):
        return attribute.every_property
    if isinstance(given, Mapping):
        return attribute.named({member: _member(template, scene) for member, template in given.items()})
    return _checked(name, Template.parse(given), replace(scene, is_moment=name == "created_at"))


def _member(given: Scalar, scene: Scene) -> Reader:
    return Template.parse(given).reader(scene=scene) if isinstance(given, str) else constant(given)


def _checked(name: str, template: Template, scene: Scene) -> Reader:
    is_for_people = name == "event_name"
    filled = template.reader(identifies=name != "metadata", has_blanks=is_for_people or name == "metadata", scene=scene)
    read = attribute.CHECKS[name](filled)
    return constant(read({})) if template.is_constant else read


def tables_of(texts: Mapping[str, str], mapping: StreamMapping) -> dict[str, Table]:
    """The tables into which these templates look, by name."""
    found = [each for text in texts.values() for each in Template.parse(text).places]
    names = {call.arguments[0].text for each in found for call in each.calls if call.name == "lookup"}
    return {name: mapping.tables[name] for name in sorted(names)}


_NEVER_GIVEN = (
    "no record can meet it, since its filters never give such a value: compare with what they give (boolean true or "
    "false, number a number, lower a text in small letters)"
)
_KEEPS_NONE = "`not` keeps out no record, since its filters never give such a value: name one that they give"
_NO_NUMBER = "<, <=, > and >= are for numbers, and its filters give none: let number be the last of them"
_ONE_IDENTITY = "{name} would give one identity to all records without a value: take it away"
_ONE_PERSON = "{name} would make one person of all without a value: give a text that is nobody's, or take it away"
