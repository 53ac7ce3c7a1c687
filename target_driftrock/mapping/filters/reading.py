"""What filters have in common: what they take and give, and the text that a value stands for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from target_driftrock.mapping.grammar import Argument, TemplateInvalid
from target_driftrock.mapping.writing import Wrong, as_identifier, as_text
from target_driftrock.naming import nearest, shown
from target_driftrock.settings import Scalar

Filter = Callable[[Any], Any]
"""Takes a value that is neither null nor blank; gives what becomes of it, or UNREADABLE. It raises nothing."""

UNREADABLE: Final = Wrong("cannot be read")


class ArgumentInvalid(TemplateInvalid):
    """A filter is not written as it must be; the message follows its name, and says how."""


class Unread(NamedTuple):
    """A value that a filter could not read and that `else` let pass: by names, of which the settings have all."""

    mapping: str
    property: str
    filter: str


def _unheard(_: Unread) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where filters stand: in which mapping, with which tables, and whether a moment (`created_at`) is made there.

    `note` is told of each value that an `else` lets pass.
    """

    mapping: str = ""
    tables: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    is_moment: bool = False
    note: Callable[[Unread], object] = _unheard


PLAIN = Scene()
"""Where there is no mapping."""


def text_of(value: Any) -> str | None:
    """The text that a filter of texts reads; None where a value has none, such as an object or a list.

    A number stands for its digits, however it is spelled (`42.0` is `42`), true and false for these words.
    """
    if type(value) is str:
        return value
    if isinstance(value, bool | dt.date | dt.time):
        found = as_text(value)
    elif isinstance(value, int | float | Decimal):
        found = as_identifier(value)
    else:
        return None
    return None if isinstance(found, Wrong) else found


def of_text(change: Callable[[str], Any]) -> Filter:
    """What gives `change` of a value's text."""

    def read(value: Any) -> Any:
        text = text_of(value)
        return UNREADABLE if text is None else change(text)

    return read


def without_arguments(arguments: Sequence[Argument]) -> None:
    """See that nothing is said.

    Raises:
        ArgumentInvalid: Something is.
    """
    if arguments:
        raise ArgumentInvalid("takes no argument: take away the ':' and what stands behind it")


def unknown(text: str, known: Iterable[str], *, what: str) -> ArgumentInvalid:
    """What to say of an argument that is none of these; the nearest is told."""
    near = nearest(text, known)
    return ArgumentInvalid(f"knows no {what} {shown(text)}{f': did you mean {near}?' if near else ''}")
