"""A job's hold on a ledger: a run's, whose events are delivered by tasks in other processes: see `joined`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from target_driftrock.errors import LedgerUnavailable, SettingsInvalid, faults, revived
from target_driftrock.ledger import tables
from target_driftrock.ledger.durable import DurableLedger, begin
from target_driftrock.ledger.exclusive import HeldByAnother, waited_out
from target_driftrock.ledger.interface import Counts
from target_driftrock.ledger.killed import forget_job, of_tasks
from target_driftrock.ledger.location import parse_shared
from target_driftrock.ledger.postgres import TASKS, Postgres
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
            return read_stop(self._connection.execute(sa.select(tables.runs.c.stopped).where(self._own_run)).scalar())

    def await_tasks(self, *, wait: float) -> None:
        """Return when no task is at work any more; from then on none can begin.

        Raises:
            LedgerUnavailable: One still is after `wait` seconds.
        """
        database = self._postgres

        def attempt() -> None:
            if not database.take(self._connection, TASKS):
                raise HeldByAnother(database, "a task of this job that is still at work", advice=_AT_WORK)

        waited_out(HeldByAnother, attempt, wait=wait)

    def accounts(self) -> dict[int, bytes]:
        """What each partition's attempts have left, of each the one that counts."""
        return {partition: account for (partition, _), account in self._counting().items()}

    def counts(self) -> Counts:
        """What the transactions of those attempts added up."""
        return self._sums(is_counting=True)

    @property
    def cut_off(self) -> Counts:
        """What all other attempts did: no account tells of it."""
        return self._sums(is_counting=False)

    def withdraw(self) -> None:
        """There was no run after all."""
        with self._transaction():
            self._connection.execute(tables.runs.delete().where(self._own_run))

    def _summed_up(self) -> Mapping[str, int]:
        self._connection.execute(sa.select(tables.runs.c.id).where(self._own_run).with_for_update())
        summed = of_tasks(self._connection, self.run)
        forget_job(self._connection, self.run)
        return summed

    @property
    def _postgres(self) -> Postgres:
        assert isinstance(self._database, Postgres)  # noqa: S101 - as `open_job` says
        return self._database

    def _counting(self) -> dict[tuple[int, int], bytes]:
        """By partition and attempt: of several that left an account the one that has read most, and then the latest.

        An attempt that Spark breaks off may take it for the end of its rows; one that it lets end has read them all.
        """
        table = tables.tasks
        columns = [table.c[name] for name in ("partition", "attempt", "rows", "account")]
        left = sa.select(*columns).where(table.c.run == self.run, table.c.account.is_not(None))
        with self._transaction():
            found = rows_of(self._connection, left.order_by(table.c.rows, table.c.attempt))
        latest = {row["partition"]: row for row in found}
        return {(row["partition"], row["attempt"]): bytes(row["account"]) for row in latest.values()}

    def _sums(self, *, is_counting: bool) -> Counts:
        counting = self._counting().keys()
        table = tables.tasks
        names = ("partition", "attempt", *COUNTERS)
        with self._transaction():
            all_ = rows_of(
                self._connection, sa.select(*(table.c[name] for name in names)).where(table.c.run == self.run)
            )
        chosen = [row for row in all_ if ((row["partition"], row["attempt"]) in counting) is is_counting]
        return Counts(**{name: sum(row[name] for row in chosen) for name in COUNTERS})


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
            ledger.withdraw()
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
    "ledger: {tasks} tasks need a session each, and its server lets in {room} more (max_connections, or a limit of "
    "the role or the database): raise that, or give fewer tasks."
)
