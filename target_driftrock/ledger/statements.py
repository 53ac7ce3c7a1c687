"""The statements of the hot path, as text for the driver: SQLAlchemy's own way costs more than the database."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_driftrock.ledger import tables
from target_driftrock.ledger.interface import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Statements:
    """Each but `look_up` takes a list of rows: `connection.exec_driver_sql(statement, rows)`.

    `counted` takes a `run`, and beside it what to add to each counter (`delivered_more`). In a job, `standing` takes a
    `partition` too, `look_up` also finds run and partition, and `counted` adds to a task's row.
    """

    def __init__(self, dialect: sa.Dialect, *, is_of_job: bool = False) -> None:
        insert = import_module(f"sqlalchemy.dialects.{dialect.name}").insert  # each brings drivers: a start has no time
        text = partial(_text, dialect=dialect)
        self._dialect = dialect
        self._looked_up = _LOOKED_UP + _OF_JOB * is_of_job
        self._look_ups: dict[int, tuple[str, list[str]]] = {}
        columns = [column.name for column in tables.deliveries.c if is_of_job or column.name != "partition"]
        standing = insert(tables.deliveries).values({name: sa.bindparam(name) for name in columns})
        unknown = insert(tables.unknown)
        self.standing = text(
            _replacing(
                standing,
                tables.deliveries,
                but=("event", "person", "email", "phone", *(() if is_of_job else ("partition",))),
                also={"tries": tables.deliveries.c.tries + standing.excluded.tries},
                where=tables.deliveries.c.standing != _DELIVERED,  # nothing overwrites a delivery
            )
        )
        deliveries = tables.deliveries
        self.other = text(
            deliveries.update()
            .where(
                deliveries.c.identity == sa.bindparam("of"),
                deliveries.c.content == sa.bindparam("with_content"),
                deliveries.c.standing != _DELIVERED,
            )
            .values(standing=sa.bindparam("now"), run=sa.bindparam("by_run"), at=sa.bindparam("moment"))
        )
        self.way = text(insert(tables.ways))
        self.followed = text(
            tables.ways.update().where(tables.ways.c.id == sa.bindparam("gone")).values(successor=sa.bindparam("by"))
        )
        self.delivered = text(
            tables.ways.update()
            .where(tables.ways.c.id == sa.bindparam("way"))
            .values(delivered=tables.ways.c.delivered + sa.bindparam("more"))
        )
        self.unknown = text(
            _replacing(unknown, tables.unknown, also={"lost": tables.unknown.c.lost + unknown.excluded.lost})
        )
        self.kept = text(_replacing(insert(tables.kept), tables.kept, but=("first_at",)))
        self.capture = text(insert(tables.captures).on_conflict_do_nothing())
        self.schema = text(insert(tables.schemas).on_conflict_do_nothing())
        counting = tables.tasks if is_of_job else tables.runs
        counted = [tables.runs.c.id == sa.bindparam("run")]
        if is_of_job:
            counted = [tables.tasks.c[name] == sa.bindparam(f"of_{name}") for name in ("run", "partition", "attempt")]
        self.counted = text(
            counting.update()
            .where(*counted)
            .values({name: counting.c[name] + sa.bindparam(f"{name}_more") for name in tables.COUNTERS})
        )

    def look_up(self, keys: Sequence[bytes]) -> tuple[str, dict[str, bytes]]:
        """What finds the contents of each identity that is there, and its parameters.

        There is one statement for each power of two; the last key fills it up.
        """
        size = 1 << (len(keys) - 1).bit_length()
        if size not in self._look_ups:
            self._look_ups[size] = self._look_up_of(size)
        text, names = self._look_ups[size]
        return text, dict(zip(names, [*keys, *[keys[-1]] * (len(names) - len(keys))], strict=True))

    def _look_up_of(self, size: int) -> tuple[str, list[str]]:
        names = [f"key_{number}" for number in range(size)]
        table = tables.deliveries
        wanted = table.c.identity.in_([sa.bindparam(name) for name in names])
        found = sa.select(*(table.c[name] for name in self._looked_up)).where(wanted)
        return _text(found, dialect=self._dialect), names


_LOOKED_UP = ("identity", "content", "standing", "person", "email", "phone", "record")
_OF_JOB = ("run", "partition")
_DELIVERED: sa.ColumnElement[int] = sa.literal_column(str(int(tables.CODES[Standing.DELIVERED])))


def _text(statement: Any, *, dialect: sa.Dialect) -> str:
    return str(statement.compile(dialect=dialect))


def _replacing(
    statement: Any,
    table: sa.Table,
    *,
    but: Sequence[str] = (),
    also: Mapping[str, Any] | None = None,
    where: Any = None,
) -> Any:
    """On conflict, all columns take the new values, but the key and some; some take another value."""
    names = [column.name for column in table.columns if not column.primary_key and column.name not in but]
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: statement.excluded[name] for name in names} | dict(also or {}),
        where=where,
    )
