"""A transaction that fails leaves nothing of itself, and a ledger that failed is asked nothing more."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from target_driftrock.errors import LedgerUnavailable
from target_driftrock.events.identity import KnownWay, Way
from target_driftrock.events.outcome import Delivered, Rejected
from target_driftrock.ledger.interface import Concluded, Counts, Proven, Standing
from tests.contract.places import SERVER, new_schema, opened, server
from tests.contract.recalling import standings
from tests.delivery.examples import capture, event

BREAK = "ALTER TABLE kept RENAME TO kept_elsewhere"
MEND = "ALTER TABLE kept_elsewhere RENAME TO kept"


class SqlitePlace:
    """A directory, and another program that alters what lies in it."""

    def __init__(self, path: Path) -> None:
        self.location = str(path)
        self._file = path / "ledger.sqlite3"

    def alter(self, statement: str) -> None:
        """From outside."""
        with closing(sqlite3.connect(self._file)) as connection:
            connection.execute(statement)
            connection.commit()


class PostgresPlace:
    """A schema, and another session that alters what lies in it."""

    def __init__(self, location: str) -> None:
        self.location = location
        self._schema = location.removeprefix(f"{SERVER}?schema=")

    def alter(self, statement: str) -> None:
        """From outside."""
        with server() as connection:
            connection.execute(psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(self._schema)))
            connection.execute(statement.encode())


@contextmanager
def _place(kind: str, path: Path) -> Iterator[SqlitePlace | PostgresPlace]:
    if kind == "sqlite":
        yield SqlitePlace(path)
        return
    with new_schema() as location:
        yield PostgresPlace(location)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlitePlace | PostgresPlace]:
    """Where the ledger of the test lies."""
    with _place(request.param, tmp_path) as found:
        yield found


def test_nothing_of_a_transaction_stays_when_a_part_of_it_fails(place: SqlitePlace | PostgresPlace) -> None:
    """What was committed before stays, nothing of the failed one does, and nothing is committed afterwards."""
    with opened(place.location) as ledger:
        ledger.commit([Concluded(part=event(1), outcome=Delivered())])
        place.alter(BREAK)
        delivered = Concluded(part=event(2), outcome=Delivered())
        rejected = Concluded(part=event(3), outcome=Rejected(status=400))

        with pytest.raises(LedgerUnavailable) as failed:
            ledger.commit([delivered, Proven(capture("a")), rejected])

        place.alter(MEND)
        calls: list[Callable[[], object]] = [
            ledger.counts,
            ledger.secure,
            lambda: ledger.recall([event(1)]),
            lambda: ledger.commit([delivered]),
            lambda: ledger.finish(exit_code=0, receipt=""),
        ]
        for call in calls:
            with pytest.raises(LedgerUnavailable) as again:
                call()
            assert again.value is failed.value

    with opened(place.location) as later:
        assert standings(later, event(1), event(2), event(3)) == [Standing.DELIVERED, None, None]
        assert later.proven([capture("a")]) == [False]
        assert later.counts() == Counts()


def test_nothing_of_a_way_stays_when_its_transaction_fails(place: SqlitePlace | PostgresPlace) -> None:
    """The way, what was delivered in it, and whose place it took are written together, or not at all."""
    old, new = Way("leads", '{"event_id": "{id}"}'), Way("leads", '{"event_id": "{id}-{stage}"}')
    with opened(place.location) as ledger:
        ledger.commit([Concluded(part=event(1, way=old), outcome=Delivered())])
    with opened(place.location) as ledger:
        place.alter(BREAK)
        mended = event(2, way=new, former=[event(1, way=old)])
        with pytest.raises(LedgerUnavailable):
            ledger.commit(
                [Concluded(part=mended, outcome=Delivered()), Concluded(part=event(3), outcome=Rejected(status=400))]
            )
        place.alter(MEND)

    with opened(place.location) as later:
        assert later.ways == {old: KnownWay(delivered=1)}
