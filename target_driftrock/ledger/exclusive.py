"""The hold on a ledger that a run has, and a command that changes what lies there: nobody else's beside it."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from target_driftrock.errors import LedgerUnavailable
from target_driftrock.ledger import tables
from target_driftrock.ledger.database import RUN_AGAIN, opening
from target_driftrock.ledger.killed import close_killed_runs

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from target_driftrock.ledger.database import Database

log = logging.getLogger(__name__)

T = TypeVar("T")

POLL_SECONDS = 0.25


class HeldByAnother(LedgerUnavailable):
    """Another run has the lock."""

    def __init__(self, database: Database, holder: str, *, advice: str) -> None:
        super().__init__(f"The ledger in {database.name} is held by {holder}: {advice}")
        self.holder = holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A connection that writes to a ledger, and its locks: ours until it is released, or this process dies."""

    database: Database
    connection: sa.Connection
    is_new: bool
    """Whether the tables were made with it."""
    ends: ExitStack = field(repr=False)

    def release(self) -> None:
        """Let go of the connection, and then of the lock. May be called twice."""
        self.ends.close()


def exclusive(database: Database, *, advice: str) -> Hold:
    """Take a ledger as it is now: tables are made where there are none. Does not wait.

    What is left of earlier runs is ended first, so that nothing of theirs is written beside us.

    Raises:
        SettingsInvalid: The setting is wrong, or another version made the ledger.
        HeldByAnother: Another run has it; whoever reads the error is given the advice.
        LedgerUnavailable: It cannot be reached at present.
    """
    with ExitStack() as unless_held:
        lock_last = unless_held.enter_context(ExitStack())  # the next holder finds no connection of ours
        connection = database.connect()
        unless_held.callback(close, connection)
        lock = database.try_lock(connection)
        if lock is None:
            raise HeldByAnother(database, database.holder(connection), advice=advice)
        lock_last.push(lock)
        with opening(database), connection.begin():
            is_new = tables.prepare(connection)
            close_killed_runs(database, connection)
        if not database.are_tasks_gone(connection):
            raise HeldByAnother(database, "the tasks of a job that was killed", advice=advice)
        return Hold(database=database, connection=connection, is_new=is_new, ends=unless_held.pop_all())


def waited_out(obstacle: type[LedgerUnavailable], attempt: Callable[[], T], *, wait: float) -> T:
    """What an attempt gives, made again while such an obstacle stands in its way, and raised after `wait` seconds."""
    deadline = time.monotonic() + wait
    told = ""
    while True:
        try:
            return attempt()
        except obstacle as met:
            if time.monotonic() >= deadline:
                raise
            if told != str(met):
                told = str(met)
                _tell(met, wait)
        time.sleep(POLL_SECONDS)


def _tell(obstacle: LedgerUnavailable, wait: float) -> None:
    if isinstance(obstacle, HeldByAnother):
        log.warning("Waiting up to %d seconds for the ledger, held by %s.", wait, obstacle.holder)
        return
    advice = str(obstacle).replace(RUN_AGAIN, "Mend that, and this goes on by itself.")
    log.warning("Waiting up to %d seconds for the ledger. %s", wait, advice)


def close(connection: sa.Connection) -> None:
    """Let go of a connection, whatever became of it."""
    with suppress(SQLAlchemyError):  # it was lost before
        connection.close()
