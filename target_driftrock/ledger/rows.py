"""What a statement finds: its rows by column, and by pages where they may be many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Row = dict[str, Any]


def rows_of(connection: sa.Connection, statement: sa.Select[Any]) -> list[Row]:
    """All at once."""
    return [dict(row) for row in connection.execute(statement).mappings()]


def pages(
    ask: Callable[[sa.Select[Any]], list[Row]],
    statement: sa.Select[Any],
    *,
    order: Sequence[sa.ColumnElement[Any]],
    size: int,
) -> Iterator[list[Row]]:
    """`size` rows at once, each page asked for by where the one before ended: the last costs no more than the first.

    The statement selects what it is ordered by, which no two rows have in common.
    """
    ordered = statement.order_by(*order).limit(size)
    page = ask(ordered)
    while page:
        yield page
        last = [sa.literal(page[-1][column.name], column.type) for column in order]
        page = ask(ordered.where(sa.tuple_(*order) > sa.tuple_(*last)))
