"""Whose kept rows `rejects --delete` takes away: what is looked for in a row, and how. No value is printed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import click

from target_driftrock.commands.keeping import for_ledger
from target_driftrock.events.identity import Who
from target_driftrock.ledger.erasing import Sought, erase
from target_driftrock.mapping.who import email_of, phone_of
from target_driftrock.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

FEWEST_DIGITS = 6
"""A shorter run of digits is in too many records to be somebody's telephone number."""
_TELEPHONE = re.compile(r"\+?\d[\d\s()./\u2010-\u2015-]*\d")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


class NotSearchable(ValueError):
    """The value cannot be looked for; the text says why, without it."""


def erase_rows(config: Mapping[str, Any], kind: str, value: str) -> None:
    """Erase what is known by a value of that kind, and say how much."""
    settings = for_ledger(config)
    try:
        sought = _SOUGHT[kind](value)
    except NotSearchable as fault:
        raise click.UsageError(f"--{kind} cannot be looked for: {fault}.") from None
    erased = erase(settings.keeping.ledger, sought, wait=settings.patience.max_outage)
    click.echo(
        f"Erased: {counted(erased.kept, 'kept row')}, {counted(erased.unknown, 'id')} of events whose answer was lost, "
        f"{counted(erased.forgotten, 'note')} of whom an event was about."
    )


def person(value: str) -> Sought:
    """The rows of this `person_id`; and those that never got one, where it stands as a value of its own."""
    return Sought(person=value, is_in_record=lambda record: value in _texts(record), who=[Who(person=value)])


def event(value: str) -> Sought:
    """The rows of this `event_id`, as above; and what is known of its lost answers."""
    return Sought(event=value, is_in_record=lambda record: value in _texts(record), is_in_text=lambda id_: id_ == value)


def email(value: str) -> Sought:
    """The rows in which this address stands anywhere, in capitals or not, but not as a part of a longer one.

    It may have been the `person_id` of a delivery, too.

    Raises:
        NotSearchable: It is no address.
    """
    if not _ADDRESS.fullmatch(value):
        raise NotSearchable("an e-mail address has one @, something before and behind it, and no space")
    address = re.compile(rf"(?<![\w.+-]){re.escape(value)}(?![\w-]|\.\w)", re.IGNORECASE)
    compared = email_of(value)
    return _anywhere(
        lambda text: address.search(text) is not None, who=[Who(person=value, email=compared), Who(person=compared)]
    )


def phone(value: str) -> Sought:
    """The rows in which a number of the same digits stands anywhere; a `+` or `00` before them does not count.

    A delivery knows a number by its last nine digits alone.

    Raises:
        NotSearchable: It has too few digits.
    """
    digits = _digits(value)
    if len(digits) < FEWEST_DIGITS:
        raise NotSearchable(f"a telephone number has {FEWEST_DIGITS} digits or more")
    return _anywhere(
        lambda text: any(_digits(number) == digits for number in _TELEPHONE.findall(text)),
        who=[Who(person=value, phone=phone_of(value))],
    )


def _anywhere(is_in: Callable[[str], bool], *, who: Sequence[Who]) -> Sought:
    return Sought(is_in_record=lambda record: any(map(is_in, _texts(record))), is_in_text=is_in, who=who)


def _texts(record: bytes) -> Iterator[str]:
    """Every name and every value of a line of JSON, numbers as they stand there."""
    waiting: list[Any] = [json.loads(record, parse_int=str, parse_float=str, parse_constant=str)]
    while waiting:
        match waiting.pop():
            case str(text):
                yield text
            case dict(members):
                waiting += [*members, *members.values()]
            case list(items):
                waiting += items
            case _:
                pass


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text).removeprefix("00")


_SOUGHT = {"person": person, "email": email, "phone": phone, "event": event}
