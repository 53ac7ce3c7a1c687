"""A job's hold on a ledger: a run's, whose events are delivered by tasks in other processes: see `joined`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from target_driftrock.errors import LedgerUnavailable, SettingsInvalid, faults, revived
from target_driftrock.ledger import tables
from target_driftrock.ledger.durable import DurableLedger, begin
from target_driftrock.ledger.exclusive import HeldByAnother, waited_out
from target_driftrock.ledger.interface import Counts
from target_driftrock.ledger.killed import forget_job, of_tasks
from target_driftrock.ledger.location import parse_shared
from target_driftrock.ledger.rows import rows_of
from target_driftrock.ledger.tables import COUNTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from target_driftrock.errors import RunStopped
    from target_driftrock.events.identity import Way


class JobLedger(DurableLedger):
    """What the process that starts the tasks has. It sends nothing itself, and must outlive them."""

    def meet_ways(self, ways: Iterable[tuple[Way, Sequence[Way]]]) -> None:
        """Give each way its number, with its former ones, before two tasks would give it two."""
        for way, formers in ways:
            self._ways.meet(way, formers)
        with self._transaction():
            self._write(self._batch([]))

    def stop(self, cause: RunStopped) -> None:
        """Have every task end, and say why: the first cause counts."""
        with self._transaction():
            say_stop(self._connection, self.run, cause)

    @property
    def stopped(self) -> RunStopped | None:
        """What ended the job, if anything did."""
        with self._transaction():
            return read_stop(self._connection.execute(sa.select(tables.runs.c.stopped).where(self._is_ours)).scalar())

    def await_tasks(self, *, wait: float) -> None:
        """Return when no task is at work any more.

        Raises:
            LedgerUnavailable: One still is after `wait` seconds.
        """

        def attempt() -> None:
            if not self._database.are_tasks_gone(self._connection):
                raise HeldByAnother(self._database, "a task of this job that is still at work", advice=_AT_WORK)

        waited_out(HeldByAnother, attempt, wait=wait)

    def accounts(self) -> list[bytes]:
        """What each partition's latest attempt left."""
        table = tables.tasks
        left = sa.select(table.c.account).where(table.c.run == self.run, table.c.account.is_not(None))
        with self._transaction():
            return [bytes(account) for account in self._connection.execute(left).scalars()]

    def counts(self) -> Counts:
        """What the transactions of those attempts added up that left an account."""
        table = tables.tasks
        return self._sums({name: table.c[name] for name in COUNTERS}, table.c.account.is_not(None))

    @property
    def cut_off(self) -> Counts:
        """What all other attempts did: no account tells of it."""
        table = tables.tasks
        unaccounted = {
            name: table.c[f"earlier_{name}"] + sa.case((table.c.account.is_(None), table.c[name]), else_=0)
            for name in COUNTERS
        }
        return self._sums(unaccounted)

    def finish(self, *, exit_code: int, receipt: str) -> None:
        with self._transaction():
            summed = of_tasks(self._connection, self.run)
            self._connection.execute(tables.runs.update().where(self._is_ours).values(summed))
            forget_job(self._connection, self.run)
        super().finish(exit_code=exit_code, receipt=receipt)

    def _sums(self, of: Mapping[str, sa.ColumnElement[int]], *where: sa.ColumnElement[bool]) -> Counts:
        sums: list[Any] = [sa.func.coalesce(sa.func.sum(column), 0).label(name) for name, column in of.items()]
        with self._transaction():
            (row,) = rows_of(self._connection, sa.select(*sums).where(tables.tasks.c.run == self.run, *where))
        return Counts(**{name: int(value) for name, value in row.items()})

    @property
    def _is_ours(self) -> sa.ColumnElement[bool]:
        return tables.runs.c.id == self.run


def open_job(
    location: str, *, api: str, tasks: int, wait: float, is_stopped: Callable[[], bool], may_make: bool
) -> JobLedger | None:
    """The ledger at a location, locked for a job of so many tasks at once. See `open_ledger`.

    Raises:
        SettingsInvalid: It is a directory; or its server does not let in so many sessions.
    """
    database = parse_shared(location)

    def attempt() -> JobLedger | None:
        return None if is_stopped() else begin(JobLedger, database, api=api, may_make=may_make)

    ledger = waited_out(LedgerUnavailable, attempt, wait=wait)
    if ledger is not None and (room := database.room(ledger.connection)) < tasks:
        with suppress(LedgerUnavailable):
            ledger.finish(exit_code=SettingsInvalid.exit_code, receipt="")
        ledger.close()
        raise SettingsInvalid([_NO_ROOM.format(tasks=tasks, room=room)])
    return ledger


def say_stop(connection: sa.Connection, run: int, cause: RunStopped) -> None:
    """Within a transaction: what ends a job, where nothing did so far."""
    table = tables.runs
    told = msgspec.json.encode({"kind": type(cause).__name__, "told": faults(cause)}).decode()
    connection.execute(table.update().where(table.c.id == run, table.c.stopped.is_(None)).values(stopped=told))


def read_stop(told: str | None) -> RunStopped | None:
    """What `say_stop` wrote."""
    if told is None:
        return None
    found = msgspec.json.decode(told)
    return revived(found["kind"], found["told"])


_AT_WORK = "see that its executor ends. The receipt tells of the others; the next run waits for it."
_NO_ROOM = (
    "ledger: {tasks} tasks need a session each, and its server lets in {room} more (max_connections): raise that, or "
    "give fewer tasks."
)
