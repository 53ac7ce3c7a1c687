"""What `rejects --delete` looks for in the ledger, and how, and what it says of it. No value is printed."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from target_driftrock.commands import forms
from target_driftrock.commands.keeping import for_ledger
from target_driftrock.events.identity import Who
from target_driftrock.ledger.erasing import Erased, Sought, erase
from target_driftrock.mapping.values import number
from target_driftrock.mapping.who import phone_of
from target_driftrock.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

FEWEST_DIGITS = 6
"""A shorter run of digits is in too many records to be somebody's telephone number."""
_LAST_DIGITS = 9
_COUNTRY_CODES = (1, 2, 3)
"""How many digits they have."""
_NOTHING_FOUND = 1
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_KEY = re.compile(r"[0-9a-f]{32}")
_NO_DIGIT = re.compile(r"\D")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,40})(\.\d{1,40})?")
_BETWEEN_DIGITS = r"(?:[^\w\"]|_){0,5}"
_BETWEEN_FEW_DIGITS = r"[\s()./\u2010-\u2015+-]{0,3}"
_ALONE = r"(?<!\d)(?<!\d[\s()./-])(?<!\d[\s()./-]{2})", r"(?:\.0+(?!\d))?(?![\s()./-]{0,2}\d)"
"""No more digits stand before or behind."""


class NotSearchable(ValueError):
    """The value cannot be looked for; the text says why, without it."""


def erase_rows(config: Mapping[str, Any], kind: str, value: str) -> int:
    """Erase what is known by a value of that kind, and say how much. The exit code: 1 where that is nothing."""
    settings = for_ledger(config)
    try:
        sought = _SOUGHT[kind](value)
    except NotSearchable as fault:
        raise click.UsageError(f"--{kind} cannot be looked for: {fault}.") from None
    erased = erase(settings.keeping.ledger, sought, wait=settings.patience.max_outage)
    click.echo(
        f"Erased: {counted(erased.kept, 'kept row')}, {counted(erased.unknown, 'id')} of events whose answer was lost, "
        f"{counted(erased.forgotten, 'note')} of whom an event was about, {counted(erased.texts, 'text')} in SCHEMA "
        "lines, reasons and receipts."
    )
    if erased != Erased():
        return 0
    click.echo(f"Nothing was found. {forms.NOT_FOUND}")
    return _NOTHING_FOUND


def person(value: str) -> Sought:
    """The rows of this `person_id`; and those that never got one, where it stands as a value of its own."""
    ids = _ids(value)
    return Sought(is_in_record=_as_a_value(ids), is_only_nobodys=True, who=[Who(person=each) for each in sorted(ids)])


def event(value: str) -> Sought:
    """The rows of this `event_id`, as above; and what is known of its lost answers."""
    ids = _ids(value)
    return Sought(events=sorted(ids), is_in_record=_as_a_value(ids), is_in_text=ids.__contains__)


def row(value: str) -> Sought:
    """The one row of this key, which is the `driftrock_row` of its line.

    Raises:
        NotSearchable: It is none.
    """
    if not _KEY.fullmatch(value.strip()):
        raise NotSearchable("it must be the `driftrock_row` of a line that `rejects` printed")
    return Sought(rows=frozenset({bytes.fromhex(value.strip())}), is_in_record=lambda _: False)


def email(value: str) -> Sought:
    """What holds this address anywhere, or a hash of it, but not as a part of a longer one.

    It may have been the `person_id` of a delivery, too.

    Raises:
        NotSearchable: It is no address.
    """
    trimmed = value.strip()
    if not _ADDRESS.fullmatch(trimmed):
        raise NotSearchable("an e-mail address has one @, something before and behind it, and no space")
    address = forms.plain(trimmed)
    alone = re.compile(rf"(?<![\w.+-]){re.escape(address)}(?![^\W_]|[\w-]*\.[^\W_])")
    compared = forms.spellings(trimmed.lower()) | {address}
    hashes = forms.hashes(compared)
    return _anywhere(
        lambda text: (address in text and alone.search(text) is not None) or any(each in text for each in hashes),
        who=[
            *(Who(person=each) for each in compared | hashes | forms.spellings(trimmed)),
            *(Who(email=each) for each in compared | hashes),
        ],
    )


def phone(value: str) -> Sought:
    """What holds a number anywhere that ends in the same nine digits, whatever stands between them, or a hash of it.

    One of fewer digits is looked for as a whole number.

    Raises:
        NotSearchable: It has too few digits.
    """
    numbers = _numbers(value)
    if min(map(len, numbers)) < FEWEST_DIGITS:
        raise NotSearchable(f"a telephone number has {FEWEST_DIGITS} digits or more")
    number_ = re.compile("|".join(sorted(set(map(_digits_of, numbers)))))
    written = {value.strip(), _digits(value), f"+{_digits(value)}"}
    hashes = forms.hashes(written)
    as_fractions = {f"{each}0" for each in numbers if len(each) >= _LAST_DIGITS}  # 447700900471.0 is read so
    compared = set(map(phone_of, numbers | as_fractions))

    def is_in(text: str) -> bool:
        return (
            number_.search(text) is not None
            or number_.search(forms.written_out(text)) is not None
            or any(each in text for each in hashes)
        )

    return _anywhere(
        is_in,
        who=[*(Who(person=each) for each in written), *(Who(phone=each) for each in compared | hashes)],
    )


def _anywhere(is_in: Callable[[str], bool], *, who: Iterable[Who]) -> Sought:
    def is_in_text(text: str) -> bool:
        return any(map(is_in, forms.layers(text)))

    return Sought(
        is_in_record=lambda record: is_in_text(record.decode(errors="replace")),
        is_in_text=is_in_text,
        blanked=lambda line: forms.blanked(line, is_in_text),
        who=tuple(who),
    )


def _as_a_value(ids: set[str]) -> Callable[[bytes], bool]:
    """Whether one of these ids is a name or a value of a record."""
    return lambda record: any(
        each in ids or not ids.isdisjoint(_ids(each)) for each in forms.values(record.decode(errors="replace"))
    )


def _ids(value: str) -> set[str]:
    """An id as the ledger may know it: in each form of Unicode, and a number as a mapping writes it."""
    trimmed = value.strip()
    written = {str(number(Decimal(trimmed)))} if _NUMBER.fullmatch(trimmed) else set()
    return {value, *forms.spellings(trimmed), *written}


def _numbers(value: str) -> set[str]:
    """The digits; of an international number also with the zero that is dialled at home, wherever that may stand."""
    numbers = {_digits(value), _digits(value.replace("(0)", ""))}
    if not value.strip().startswith(("+", "00")):
        return numbers
    return numbers | {f"{each[:at]}0{each[at:]}" for each in numbers for at in _COUNTRY_CODES}


def _digits(text: str) -> str:
    return _NO_DIGIT.sub("", forms.plain(text)).removeprefix("00")


def _digits_of(number: str) -> str:
    """The expression for a number in a text."""
    if len(number) >= _LAST_DIGITS:
        return _BETWEEN_DIGITS.join(number[-_LAST_DIGITS:]) + r"(?!\d)"
    before, behind = _ALONE
    return before + _BETWEEN_FEW_DIGITS.join(number) + behind


_SOUGHT = {"person": person, "email": email, "phone": phone, "event": event, "row": row}
