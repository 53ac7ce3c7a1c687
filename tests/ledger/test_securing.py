"""What a run waits for before it says that something is on the disk: one commit that reaches it, with all before it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import sqlalchemy as sa

from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger import tables
from target_driftrock.ledger.durable import DurableLedger
from target_driftrock.ledger.exclusive import exclusive
from target_driftrock.ledger.interface import Concluded
from target_driftrock.ledger.location import parse_location
from tests.contract.places import new_schema, opened
from tests.delivery.examples import API, event
from tests.ledger.rows import rows

FULL = "2"
NORMAL = "1"


@contextmanager
def held(location: str, *said: str) -> Iterator[tuple[DurableLedger, sa.Connection]]:
    """A run's hold, over a connection that the test can look at, and on which this was said before."""
    hold = exclusive(parse_location(location), advice="")
    with hold.connection.begin():
        for statement in said:
            hold.connection.exec_driver_sql(statement)
    with closing(DurableLedger(hold, api=API)) as ledger:
        yield ledger, hold.connection


def watched(connection: sa.Connection, query: str) -> list[str]:
    """What a query says within each transaction from now on, just before it is committed."""
    found: list[str] = []

    @sa.event.listens_for(connection, "commit")
    def _look(committing: sa.Connection) -> None:
        found.append(str(committing.exec_driver_sql(query).scalar()))

    return found


def deliver(ledger: DurableLedger, number: int) -> None:
    """Commit something."""
    ledger.commit([Concluded(part=event(number), outcome=Delivered())])


def test_when_the_disk_was_last_waited_for_is_kept_when_it_has_all(location: str) -> None:
    """In the run's own row, which is what the commit writes: an empty one would not reach the disk."""
    before = time.time()
    with opened(location) as ledger:
        deliver(ledger, 1)
        assert rows(location, tables.runs)[0]["secured_at"] is None
        known = rows(location, tables.deliveries)

        ledger.secure()

        (run,) = rows(location, tables.runs)
        assert before <= run["secured_at"] <= time.time()
        assert (run["delivered"], run["ended_at"]) == (1, None)
        assert rows(location, tables.deliveries) == known


def test_one_commit_in_many_waits_for_the_disk_when_sqlite_is_asked(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`synchronous=FULL` for that one, and for no other before or after."""
    location = str(tmp_path_factory.mktemp("ledger"))
    with held(location) as (ledger, connection):
        found = watched(connection, "PRAGMA synchronous")

        deliver(ledger, 1)
        ledger.secure()
        deliver(ledger, 2)
        ledger.secure()
        ledger.finish(exit_code=0, receipt="")

    assert found == [NORMAL, FULL, NORMAL, FULL, NORMAL]


@pytest.mark.postgres
@pytest.mark.parametrize("usual", ["off", "local", "on"])
def test_one_commit_in_many_waits_for_the_disk_when_postgres_is_asked(usual: str) -> None:
    """Whatever its server does with the others."""
    with new_schema() as location, held(location, f"SET synchronous_commit = {usual}") as (ledger, connection):
        found = watched(connection, "SHOW synchronous_commit")

        deliver(ledger, 1)
        ledger.secure()
        deliver(ledger, 2)

    assert found == [usual, "on", usual]
