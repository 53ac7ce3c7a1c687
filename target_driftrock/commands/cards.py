"""Examples: an event as it would be sent, and beside it the record that it came of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

from target_driftrock.events.event import Event
from target_driftrock.events.identity import digest
from target_driftrock.mapping.sentences import is_constant
from target_driftrock.mapping.shapes import shape
from target_driftrock.mapping.values import is_nothing
from target_driftrock.mapping.writing import as_text

if TYPE_CHECKING:
    from target_driftrock.commands.names import Names
    from target_driftrock.settings import StreamMapping
    from target_driftrock.singer.messages import Record

MOST = 20
_CELLS = 60
"""Rows of an event, and of a record."""
_DEPTH = 6
_LONGEST = 300
"""Characters of a value that is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A value under its name. Equal ones have one `number`, where there are several; what is no record's has none."""

    name: str
    text: str
    is_masked: bool = False
    value: bytes | None = None
    """What stands for it, until it has a number."""
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """An event and its record. `mark` says why it would not be sent; a text, empty where it would."""

    line: int
    stream: str
    mapping: str
    mark: str
    event: Sequence[Cell]
    record: Sequence[Cell]

    @property
    def cells(self) -> Iterator[Cell]:
        """All of them."""
        return chain(self.event, self.record)


class Cards:
    """Keeps the first events of each mapping; of the many that there may be, up to twenty are chosen."""

    def __init__(self, mappings: Mapping[str, StreamMapping], names: Names, *, shows: bool) -> None:
        self._mappings = mappings
        self._names = names
        self._shows = shows
        self._kept: dict[str, list[Card]] = {}

    def wants(self, event: Event) -> bool:
        """Whether an example of its mapping is wanted yet."""
        kept = self._kept.get(event.mapping, ())
        return len(kept) < (MOST if len(self._kept) <= MOST else 1)

    def take(self, record: Record, event: Event, *, mark: str) -> None:
        """One that is wanted."""
        body = json.loads(event.body, parse_float=Decimal)  # each number in its digits, as the record has it
        card = Card(
            line=record.line,
            stream=self._names.stream(record.stream),
            mapping=event.mapping,
            mark=mark,
            event=self._event(record.stream, event, body),
            record=self._cells(record.stream, record.record, ""),
        )
        self._kept.setdefault(event.mapping, []).append(card)

    def chosen(self) -> list[Card]:
        """Up to twenty, of each mapping in turn, their equal values numbered."""
        turns = chain.from_iterable(zip_longest(*self._kept.values()))
        return _numbered([card for card in turns if card is not None][:MOST])

    def _event(self, stream: str, event: Event, body: Mapping[str, Any]) -> list[Cell]:
        mapping = self._mappings[event.mapping]
        cells: list[Cell] = []
        for name, value in body.items():
            given = getattr(mapping, name)
            if name == "event_type":
                cells.append(Cell(name=name, text=str(value)))
            elif name == "event_name" and given is None:
                cells.append(Cell(name=name, text=self._names.stream(str(value))))
            elif isinstance(value, dict):
                cells += self._members(stream, name, value, given)
            else:
                cells.append(self._cell(name, value, is_said=given is not None and is_constant(given)))
        return cells[:_CELLS]

    def _members(self, stream: str, kind: str, value: Mapping[str, Any], given: Any) -> Iterator[Cell]:
        if not isinstance(given, Mapping):
            yield from self._cells(stream, value, f"{kind}.")
            return
        for name, member in value.items():  # whose names the settings have chosen
            if isinstance(member, dict | list):
                yield from self._nested(stream, f"{kind}.{name}", member, 1)
            else:
                yield self._cell(f"{kind}.{name}", member, is_said=is_constant(given[name]))

    def _cells(self, stream: str, value: Mapping[str, Any], before: str) -> list[Cell]:
        cells: list[Cell] = []
        for name, member in value.items():
            cells += self._nested(stream, f"{before}{self._names.column(stream, name)}", member, 1)
            if len(cells) > _CELLS:
                return [*cells[:_CELLS], Cell(name="…", text="more")]
        return cells

    def _nested(self, stream: str, path: str, value: Any, depth: int) -> Iterator[Cell]:
        if not value or not isinstance(value, dict | list) or depth > _DEPTH:
            yield self._cell(path, value)
            return
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for place, (name, member) in enumerate(members):
            if place >= _CELLS:
                return
            told = str(name) if isinstance(value, list) else self._names.column(stream, name)
            yield from self._nested(stream, f"{path}.{told}", member, depth + 1)

    def _cell(self, name: str, value: Any, *, is_said: bool = False) -> Cell:
        if is_nothing(value):
            return Cell(name=name, text="null" if value is None else "blank", is_masked=True)
        written = as_text(value)
        text = written if isinstance(written, str) else ""
        is_known = is_said or self._shows
        has_number = not is_said and not isinstance(value, bool | dict | list)
        return Cell(
            name=name,
            text=_short(text) if is_known else shape(value),
            is_masked=not is_known,
            value=digest(text.encode("utf-8", "replace")) if has_number else None,
        )


def _numbered(cards: Sequence[Card]) -> list[Card]:
    """The same, each value that comes more than once with a number, in the order in which they come."""
    seen: dict[bytes, int] = {}
    for value in (cell.value for card in cards for cell in card.cells):
        if value is not None:
            seen[value] = seen.get(value, 0) + 1
    several = (value for value, count in seen.items() if count > 1)
    numbers = {value: number for number, value in enumerate(several, 1)}

    def told(cells: Sequence[Cell]) -> list[Cell]:
        return [
            replace(cell, value=None, number=None if cell.value is None else numbers.get(cell.value)) for cell in cells
        ]

    return [replace(card, event=told(card.event), record=told(card.record)) for card in cards]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"
