"""What a preview counts, and what of it bears a number."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from target_driftrock.commands.cards import MOST, Cell
from target_driftrock.commands.overview import Overview
from target_driftrock.commands.preview import Preview
from tests.commands.inputs import LEADS, record, schema, singer, target


def looked_at(source: io.BytesIO, *streams: Mapping[str, Any], shows: bool = False) -> Overview:
    """The overview of an input."""
    made = target(*streams)
    overview = Overview(made.settings.mappings, made.streams.mask, shows=shows)
    printed: list[bytes] = []
    Preview(made, write=printed.append, overview=overview).read(source)
    assert printed == []
    return overview


def column(cells: Iterable[Cell], name: str) -> Cell:
    """The cell under a name."""
    (found,) = [cell for cell in cells if cell.name == name]
    return found


@pytest.mark.parametrize(
    ("value", "text", "number"),
    [
        pytest.param(b"1.10", "1.10", 1, id="a fraction"),
        pytest.param(b"12345678901234567890.123456789", "12345678901234567890.123456789", 1, id="a long one"),
        pytest.param(b'"Jos\\u00e9"', "José", 1, id="an escape"),
        pytest.param(b"true", "true", None, id="true, of which there are two"),
        pytest.param(b"null", None, None, id="null, which is not sent"),
    ],
)
def test_a_value_is_known_again_when_it_was_sent(value: bytes, text: str | None, number: int | None) -> None:
    """In the very digits; the number says that both are one."""
    mapping = {**LEADS, "created_at": "{at}", "fields": {"value": "{value}"}}
    lines = singer(schema(value={}), record(1, value="VALUE", at=None)).getvalue().replace(b'"VALUE"', value)

    (card,) = looked_at(io.BytesIO(lines), mapping, shows=True).cards()

    assert column(card.record, "value").number == number
    assert [(cell.text, cell.number) for cell in card.event if cell.name == "fields.value"] == (
        [] if text is None else [(text, number)]
    )


def test_each_mapping_has_examples_when_one_has_many_events() -> None:
    """Twenty in all, of each in turn."""
    source = singer(schema(), *(record(number) for number in range(99)), schema("deals"), record(1, "deals"))

    cards = looked_at(source, LEADS, {**LEADS, "stream": "deals"}).cards()

    assert len(cards) == MOST
    assert [card.stream for card in cards[:3]] == ["leads", "deals", "leads"]


def test_a_column_is_watched_when_a_later_schema_lists_it() -> None:
    """And one that was filled once is not empty, whatever comes after."""
    source = singer(
        schema(first={}),
        record(1, first="a"),
        schema(first={}, later={}, filled={}),
        record(2, first=None, later=" ", filled=0),
    )

    assert list(looked_at(source).empty_columns()) == [("leads", ["later"])]


def test_captures_and_names_are_values_when_they_are_to_be_shown() -> None:
    """Else the templates of which they are made."""
    mapping = {**LEADS, "source_id": "{email}", "event_name": "For {email}"}
    given = (schema(), record(1), record(2), record(2))

    def told(*, shows: bool) -> dict[str, list[tuple[str, int]]]:
        where = looked_at(singer(*given), mapping, shows=shows).where()
        return {bars.title: [(bar.name, bar.count) for bar in bars.bars] for bars in where}

    masked, shown = told(shows=False), told(shows=True)

    assert (masked["By capture"], masked["By name"]) == ([("{email}", 2)], [("For {email}", 2)])
    assert shown["By capture"] == [("ada-1@example.com", 1), ("ada-2@example.com", 1)]
    assert shown["By name"] == [("For ada-1@example.com", 1), ("For ada-2@example.com", 1)]


def test_no_more_is_kept_when_a_record_is_large() -> None:
    """Of what is nested deep, or has many members, or is long, the beginning."""
    deep: Any = "x"
    for _ in range(50):
        deep = {"a": deep}
    wide = {f"p{number}": number for number in range(5_000)}
    source = singer(schema(), record(1, deep=deep, wide=wide, many=[wide] * 50, long="y" * 100_000))

    (card,) = looked_at(source, {**LEADS, "fields": "*"}, shows=True).cards()

    assert len(card.record) < 70
    assert len(card.event) < 70
    assert sum(len(cell.text) + len(cell.name) for cell in card.cells) < 20_000


def test_what_else_lets_pass_is_told_by_its_shape_when_a_filter_cannot_read_it() -> None:
    """Those of a mapping are mended by it; what could be read, and what is refused, has a place of its own."""
    mapping = {**LEADS, "fields": {"phone": "{phone | phone: GB | else}", "value": "{value | number}"}}
    records = [record(1, phone="0044 20 7946 0018"), record(2, phone="none"), record(3, phone="none", value="1,5")]
    found = looked_at(singer(schema(phone={}, value={}), *records), mapping)

    told = [(each.name, each.rule, each.count, [shape.item for shape in each.shapes]) for each in found.misfits()]
    assert told == [
        ("phone", "cannot be read by the filter phone, as else allows", 2, [("text", "xxxx")]),
        ("value", "cannot be read by the filter number (property value)", 1, [("text", "9,9")]),
    ]
