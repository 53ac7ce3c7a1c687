"""Taking kept rows away for good, under the run's lock: no byte of them stays in the ledger's files."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_driftrock.errors import LedgerUnavailable
from target_driftrock.ledger import tables
from target_driftrock.ledger.digests import Digests
from target_driftrock.ledger.durable import POLL_SECONDS
from target_driftrock.ledger.lock import lock_for
from target_driftrock.ledger.place import Directory, connect, engine, guarded, opening, parse_place
from target_driftrock.ledger.reading import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_driftrock.ledger.lock import Lock
    from target_driftrock.ledger.place import Place

log = logging.getLogger(__name__)

PAGE = 50
"""Rows that are read at once: each may hold a record of any size."""


def _never(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Whose rows go: those of a person or of an event, and those in which what is sought stands.

    With a `person` or an `event`, `is_in_record` is asked of those rows alone that have none. `is_in_text` is asked
    of the API's answers and of the ids of lost answers.
    """

    person: str | None = field(default=None, repr=False)
    event: str | None = field(default=None, repr=False)
    is_in_record: Callable[[bytes], bool] = field(repr=False)
    is_in_text: Callable[[str], bool] = field(default=_never, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many rows went: kept ones, and ids of events whose answer was lost."""

    kept: int
    unknown: int


def erase(location: str, sought: Sought, *, wait: float) -> Erased:
    """Take away what is sought. Another run's lock is waited out for up to `wait` seconds.

    Raises:
        SettingsInvalid: The location is wrong, or there is no ledger.
        LedgerUnavailable: It could not be had in time; or rows went, and the files still hold their bytes.
    """
    place = parse_place(location)
    with reading(location):
        pass  # to look for it makes none
    connection, lock = _take(place, wait=wait)
    try:
        with guarded(place), connection.begin():
            erased = _Eraser(connection, sought).erase()
        _wipe(place, connection)
    finally:
        connection.close()
        lock.release()
    return erased


class _Eraser:
    """One search through the ledger, in one transaction."""

    def __init__(self, connection: sa.Connection, sought: Sought) -> None:
        digests = Digests(tables.fact(connection, "salt"))
        self._connection = connection
        self._sought = sought
        self._person = sought.person and digests.text("person", sought.person)
        self._event = sought.event and digests.text("event", sought.event)
        self._source = sought.event and digests.text("source", sought.event)

    def erase(self) -> Erased:
        return Erased(
            kept=self._delete(tables.kept.c.key, self._goes),
            unknown=self._delete(tables.unknown.c.identity, self._is_lost),
        )

    def _delete(self, key: sa.Column[Any], goes: Callable[[Any], bool]) -> int:
        count = 0
        for page in self._pages(key):
            gone = [row[0] for row in page if goes(row)]
            if gone:
                self._connection.execute(sa.delete(key.table).where(key.in_(gone)))
            count += len(gone)
        return count

    def _pages(self, key: sa.Column[Any]) -> Iterator[list[Any]]:
        statement = sa.select(key.table).order_by(key).limit(PAGE)
        page = list(self._connection.execute(statement))
        while page:
            yield page
            page = list(self._connection.execute(statement.where(key > page[-1][0])))

    def _goes(self, row: Any) -> bool:
        if self._person is not None:
            return bool(row.person == self._person) or (row.person is None and self._stands_in(row))
        if self._event is not None:
            is_same = row.event == self._event or row.key == self._source
            return is_same or (row.event is None and self._stands_in(row))
        return self._stands_in(row)

    def _stands_in(self, row: Any) -> bool:
        excerpt = bytes(row.excerpt).decode(errors="replace")
        return self._sought.is_in_record(bytes(row.record)) or self._sought.is_in_text(excerpt)

    def _is_lost(self, row: Any) -> bool:
        return self._sought.is_in_text(row.event_id)


def _take(place: Place, *, wait: float) -> tuple[sa.Connection, Lock]:
    """The ledger and its lock, as a run takes them."""
    deadline = time.monotonic() + wait
    told: str | None = None
    while isinstance(taken := _try_take(place), str):
        if time.monotonic() >= deadline:
            raise LedgerUnavailable(f"The ledger in {place.name} is held by {taken}: wait for that run.")
        if told != taken:
            told = taken
            log.warning("Waiting up to %d seconds for the ledger, held by %s.", wait, taken)
        time.sleep(POLL_SECONDS)
    return taken


def _try_take(place: Place) -> tuple[sa.Connection, Lock] | str:
    """The ledger and its lock, or who holds it."""
    connection = connect(place, engine(place))
    lock = lock_for(place, connection)
    try:
        if lock.try_take():
            with opening(place), connection.begin():
                tables.prepare(connection)
            return connection, lock
        held_by = lock.held_by()
    except BaseException:
        connection.close()
        lock.release()
        raise
    connection.close()
    return held_by


def _wipe(place: Place, connection: sa.Connection) -> None:
    """Have the files hold no more than the tables do."""
    if isinstance(place, Directory):
        _write_anew(connection)
        return
    with guarded(place):
        autonomous = connection.execution_options(isolation_level="AUTOCOMMIT")
        autonomous.exec_driver_sql("SET statement_timeout = 0")
        for table in (tables.kept, tables.unknown):
            autonomous.exec_driver_sql(f"VACUUM FULL {table.name}")


def _write_anew(connection: sa.Connection) -> None:
    """SQLite's `secure_delete` leaves copies behind where rows were moved between pages, so every page is made anew.

    Past SQLAlchemy, which would begin a transaction.
    """
    with closing(connection.connection.cursor()) as cursor:
        try:
            cursor.execute("VACUUM")
            is_read, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise LedgerUnavailable(_STILL_HELD.format(cause=error.sqlite_errorname)) from None
    if is_read:
        raise LedgerUnavailable(_STILL_HELD.format(cause="another program reads it"))


_STILL_HELD = (
    "The rows are erased, but the ledger's files may hold their bytes until they are written anew, which cannot be "
    "done at present ({cause}): mend that, and run this again."
)
