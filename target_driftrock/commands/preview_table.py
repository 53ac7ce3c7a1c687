"""A preview as tables, for those who look at it on a terminal: what the page shows, but for the mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from target_driftrock.naming import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from target_driftrock.commands.cards import Card, Cell
    from target_driftrock.commands.overview import Overview, Reason

_ATTRIBUTES = ("event_type", "event_name", "source_id", "event_id")


def tables_of(overview: Overview) -> Iterator[Table]:
    """Those that have a row."""
    made = (
        _table("Examples", ("line", "mapping", *_ATTRIBUTES, "the rest"), map(_example, overview.cards())),
        *(
            _table(each.title, (each.of, "events"), [(bar.name, _told(bar.count, bar.is_exact)) for bar in each.bars])
            for each in overview.where()
        ),
        _table("Refused", ("records", "reason", "of"), _reasons(overview.refused())),
        _table("Not sent", ("events", "what a run would say", "of"), _reasons(overview.not_sent())),
        _table(
            "Could not be read",
            ("property", "rule", "value" if overview.shows else "shape", "kind", "records"),
            [
                (each.name, each.rule, shape.item[1], shape.item[0], _told(shape.count, shape.is_exact))
                for each in overview.misfits()
                for shape in each.shapes
            ],
        ),
        _table(
            "Always empty",
            ("of", "field or column"),
            [(label, name) for label, names in (*overview.empty_fields(), *overview.empty_columns()) for name in names],
        ),
    )
    yield from (table for table in made if table.row_count)


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold", justify="right" if head in {"events", "records", "line"} else "left")
    for row in rows:
        table.add_row(*(Text(escaped(cell)) for cell in row))
    return table


def _example(card: Card) -> Sequence[str]:
    cells = {cell.name: _value(cell) for cell in card.event}
    rest = ", ".join(f"{name}: {text}" for name, text in cells.items() if name not in _ATTRIBUTES)
    mark = f" (not sent, {card.mark})" if card.mark else ""
    return str(card.line), f"{card.mapping}{mark}", *(cells.get(name, "") for name in _ATTRIBUTES), rest


def _value(cell: Cell) -> str:
    """Equal values bear one number, as on the page."""
    return cell.text if cell.number is None else f"{cell.text} [{cell.number}]"


def _reasons(found: Iterable[Reason]) -> Iterator[Sequence[str]]:
    return ((str(each.marked.count), each.why, each.mapping) for each in found)


def _told(count: int, is_exact: bool) -> str:  # noqa: FBT001 - as it stands in a tuple
    return str(count) if is_exact else f"at most {count}"
