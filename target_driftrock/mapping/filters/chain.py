"""The filters of one place in a template, joined to what reads a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from target_driftrock.mapping.filters.reading import PLAIN, UNREADABLE, ArgumentInvalid, Filter, Scene, Unread
from target_driftrock.mapping.filters.table import FILTERS, Role
from target_driftrock.mapping.grammar import Call, Place, TemplateInvalid
from target_driftrock.mapping.path import Reader, Record, reader
from target_driftrock.mapping.values import is_nothing
from target_driftrock.mapping.writing import Wrong
from target_driftrock.naming import nearest, shown
from target_driftrock.settings import Scalar


class _Step(NamedTuple):
    role: Role
    change: Filter
    wrong: Wrong
    unread: Unread


def chain(place: Place, scene: Scene, *, whole: bool) -> Reader:
    """What reads the property and puts it through its filters; `Wrong` where one cannot read it and no `else` follows.

    Null and blank pass every filter but `default`. A blank result is null where it is the `whole` value; within a text
    it stays one, since it is nothing there.

    Raises:
        TemplateInvalid: A filter is unknown, or not written as it must be.
    """
    find = reader(place.name)
    steps = tuple(_steps(place, scene))
    if len(steps) == 1 and steps[0].role is Role.READS:
        return _through_one(find, steps[0], whole=whole)
    return _through_all(find, steps, scene.note, whole=whole)


def substitutes(place: Place) -> Iterator[tuple[str, Any]]:
    """What `default` and `else` put in the place of a value, whoever it is of. The filters must be right."""
    for call in place.calls:
        row = FILTERS[call.name]
        if row.role is not Role.READS:
            yield row.name, row.make(call.arguments, PLAIN)(None)


def can_give(place: Place, value: Scalar) -> bool:
    """Whether its filters, which are right, can give this value, as far as they tell."""
    if value is None or value in [each for _, each in substitutes(place)]:
        return True
    rows = [FILTERS[call.name] for call in place.calls]
    reading = [row for row in rows if row.role is Role.READS]
    return not reading or reading[-1].gives(value)


def _steps(place: Place, scene: Scene) -> Sequence[_Step]:
    steps: list[_Step] = []
    for call in place.calls:
        row = FILTERS.get(call.name)
        if row is None:
            raise TemplateInvalid(_unknown(call))
        if row.role is Role.RESCUES and not any(step.role is Role.READS for step in steps):
            raise TemplateInvalid(_ELSE_ALONE)
        try:
            change = row.make(call.arguments, scene)
        except ArgumentInvalid as invalid:
            raise TemplateInvalid(f"the filter {row.name} {invalid}") from None
        wrong = Wrong(f"cannot be read by the filter {row.name} (property {shown(place.name)})", name=place.name)
        steps.append(_Step(row.role, change, wrong, Unread(scene.mapping, place.name, row.name)))
    return steps


def _unknown(call: Call) -> str:
    near = nearest(call.name, FILTERS)
    there = f"did you mean {near}?" if near else f"there are {', '.join(FILTERS)}"
    return f"{shown(call.name)} is no filter: {there}"


def _through_one(find: Reader, step: _Step, *, whole: bool) -> Reader:
    change, wrong = step.change, step.wrong

    def read(record: Record) -> Any:
        value = find(record)
        if not is_nothing(value):
            value = change(value)
            if value is UNREADABLE:
                return wrong
        return None if whole and is_nothing(value) else value

    return read


def _through_all(find: Reader, steps: Sequence[_Step], note: Callable[[Unread], object], *, whole: bool) -> Reader:
    def read(record: Record) -> Any:
        value = find(record)
        failed: _Step | None = None
        for step in steps:
            if failed is not None:
                if step.role is Role.RESCUES:
                    note(failed.unread)
                    value, failed = step.change(None), None
            elif is_nothing(value) is (step.role is Role.FILLS) and step.role is not Role.RESCUES:
                value = step.change(value)
                failed = step if value is UNREADABLE else None
        if failed is not None:
            return failed.wrong
        return None if whole and is_nothing(value) else value

    return read


_ELSE_ALONE = "else stands behind a filter, for what that one cannot read; for nulls there is default"
