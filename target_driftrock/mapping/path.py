"""From a name in a template to the value in a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import methodcaller
from typing import Any, NamedTuple

Record = Mapping[str, Any]
Reader = Callable[[Record], Any]
"""Takes a record, and gives a value of it: None for what is null or not there."""


class Step(NamedTuple):
    """One level of a path: `rest` is tried as one property's name before `head` is, alone."""

    rest: str
    head: str
    place: int | None


def steps(name: str) -> tuple[Step, ...]:
    """The levels of `contact.phones.0`, outermost first."""
    parts = name.split(".")
    return tuple(
        Step(rest=".".join(parts[level:]), head=head, place=int(head) if head.isascii() and head.isdecimal() else None)
        for level, head in enumerate(parts)
    )


def reader(name: str) -> Reader:
    """What finds `name` in a record.

    A property of exactly that name wins over a path, at every level. A missing property, an index past the
    end and a path through a scalar are null; nothing is raised.
    """
    if "." not in name:
        return methodcaller("get", name)
    levels = steps(name)

    def read(record: Record) -> Any:
        value: Any = record
        for rest, head, place in levels:
            if isinstance(value, list):
                value = value[place] if place is not None and place < len(value) else None
            elif not isinstance(value, dict):
                return None
            elif rest in value:
                return value[rest]
            else:
                value = value.get(head)
        return value

    return read
