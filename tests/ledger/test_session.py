"""In PostgreSQL the lock, the commits and the run's end hang on one session."""

from __future__ import annotations

import json
import logging
from contextlib import closing
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from target_driftrock.errors import LedgerUnavailable
from target_driftrock.events.outcome import Delivered, Rejected
from target_driftrock.ledger import tables
from target_driftrock.ledger.database import this_process
from target_driftrock.ledger.durable import DurableLedger
from target_driftrock.ledger.exclusive import exclusive
from target_driftrock.ledger.interface import Concluded, Intent, Standing
from target_driftrock.ledger.location import parse_location
from target_driftrock.ledger.reading import reading
from tests.contract.places import new_schema, opened, server
from tests.contract.recalling import standings
from tests.delivery.examples import API, event
from tests.ledger.rows import rows
from tests.waiting import until

pytestmark = pytest.mark.postgres

SCANS = """
SELECT n_tup_ins, idx_scan, seq_scan FROM pg_stat_user_tables WHERE schemaname = %s AND relname = 'deliveries'
"""
CANARY = "canary.person@example.com"
LOCKS = """
SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND application_name = %s
"""
"""Of this process alone: other tests run beside it, at the same server."""


def session(location: str) -> sa.Connection:
    """A session as a run has it."""
    return parse_location(location).connect()


def locking(connection: psycopg.Connection) -> set[int]:
    """The server's processes in which this one holds a lock."""
    return {row[0] for row in connection.execute(LOCKS, [this_process()[:63]]).fetchall()}


def is_there(connection: psycopg.Connection, process: int) -> bool:
    """Whether one of the server's processes has not ended."""
    return connection.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [process]).fetchone() is not None


def test_the_lock_belongs_to_the_session_that_commits_when_a_run_holds_it() -> None:
    """So a lost lock is a failed commit."""
    with server() as another, new_schema() as location:
        with opened(location) as ledger:
            (ours,) = locking(another)
            ledger.commit([Intent(event(1))])
            last = "SELECT query FROM pg_stat_activity WHERE pid = %s"
            found = another.execute(last, (ours,)).fetchone()
            assert found is not None
            assert found[0] == "COMMIT"
        until(lambda: not is_there(another, ours), seconds=5.0)


def test_a_run_stops_when_its_session_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    """It does not connect again: another run may have the lock by then. Nothing of a row is said."""
    caplog.set_level(logging.DEBUG)
    rejected = Concluded(part=event(1, person=CANARY, body=CANARY.encode()), outcome=Rejected(status=400))
    with server() as another, new_schema() as location, opened(location) as ledger:
        ledger.commit([Concluded(part=event(2), outcome=Delivered())])
        for ours in locking(another):
            another.execute("SELECT pg_terminate_backend(%s, 5000)", (ours,))

        for call in (
            lambda: ledger.commit([rejected]),
            ledger.counts,
            lambda: ledger.recall([event(2)]),
            ledger.secure,
        ):
            with pytest.raises(LedgerUnavailable) as lost:
                call()
            assert CANARY not in str(lost.value)
            assert "(57P01: the server ended the session)" in str(lost.value)
        assert locking(another) == set()
        assert rows(location, tables.kept) == []
        with opened(location) as next_run:
            assert standings(next_run, event(1), event(2)) == [None, Standing.DELIVERED]
    assert CANARY not in caplog.text
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_dead_machine_frees_its_lock_when_a_minute_is_over() -> None:
    """The server asks after it, and gives up within a minute; a statement that hangs ends sooner."""
    setting = "SELECT name, setting FROM pg_settings WHERE name ~ '^tcp_' OR name = 'statement_timeout'"
    with new_schema() as location, closing(session(location)) as connection:
        found = {name: int(value) for name, value in connection.exec_driver_sql(setting)}

    asked = found["tcp_keepalives_idle"] + found["tcp_keepalives_interval"] * found["tcp_keepalives_count"]
    assert 0 < asked <= 60
    assert 0 < found["tcp_user_timeout"] <= 60_000
    assert 0 < found["statement_timeout"] <= 15_000


def test_a_session_is_idle_as_long_as_the_tap_when_the_database_ends_idle_ones() -> None:
    """Servers older than 14 know no such limit."""
    with new_schema() as location, server() as another:
        database = f"ledger_test_{uuid4().hex}"
        another.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        try:
            limit = "ALTER DATABASE {} SET idle_session_timeout = '1min'"
            another.execute(sql.SQL(limit).format(sql.Identifier(database)))
            with closing(session(location.replace("/postgres?", f"/{database}?"))) as connection:
                assert connection.exec_driver_sql("SHOW idle_session_timeout").scalar() == "0"
        finally:
            another.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))


UNLIMITED = """
ALTER TABLE deliveries RENAME TO rows;
CREATE FUNCTION is_unlimited() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('statement_timeout') <> '0' THEN RAISE query_canceled; END IF;
  RETURN true;
END $$;
CREATE VIEW deliveries AS SELECT * FROM rows WHERE is_unlimited();
"""
"""Whoever looks through the whole table with a limit is cancelled, as it would be with many millions of rows in it."""


def test_no_limit_ends_what_looks_at_every_row_when_there_are_very_many() -> None:
    """The next run after one that was killed counts what that left, and `trace` finds an id by its digest."""
    with new_schema() as location:
        with opened(location) as killed:
            killed.commit([Intent(event(1)), Concluded(part=event(2), outcome=Delivered())])
        with closing(session(location)) as connection, connection.begin():
            connection.exec_driver_sql(UNLIMITED)

        with reading(location) as ledger:
            (traced,), _ = ledger.trace("leads:2")
        with opened(location):
            receipt = rows(location, tables.runs)[0]["receipt"]

    assert traced.standing is Standing.DELIVERED
    assert json.loads(receipt)["intents_open"] == 1


def test_a_run_stops_when_the_database_is_made_read_only() -> None:
    """As on a standby after a switch: in the middle of a run that is no wrong setting."""
    with new_schema() as location:
        hold = exclusive(parse_location(location), advice="")
        with closing(DurableLedger(hold, api=API)) as ledger:
            hold.connection.exec_driver_sql("SET default_transaction_read_only = on")
            hold.connection.commit()

            with pytest.raises(LedgerUnavailable) as failed:
                ledger.commit([Intent(event(1))])

        assert "(25006: the server is read-only" in str(failed.value)


def test_no_look_up_reads_the_whole_table_when_the_server_knows_nothing_of_it() -> None:
    """A new ledger has no statistics before the server analyses it, and statements are planned once."""
    few, many = ([event(number) for number in range(*each)] for each in ((0, 500), (500, 3_000)))
    with server() as another, new_schema() as location:
        with opened(location) as ledger:
            for events in (few, many):
                ledger.commit([Concluded(part=each, outcome=Delivered()) for each in events])
                for start in range(0, 384, 32):  # after the fifth time it is planned for good
                    ledger.recall(events[start : start + 128])

        def counted() -> tuple[int, int, int]:
            found = another.execute(SCANS, [location.partition("schema=")[2]]).fetchone()
            assert found is not None
            return found

        until(lambda: counted()[0] == len(few) + len(many), seconds=10.0)
        assert counted()[1] > 0
        assert counted()[2] <= 2  # while the schema was made
