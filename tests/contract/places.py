"""Where the ledgers of the tests lie: new directories, and new schemas of a PostgreSQL on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from target_driftrock.ledger.durable import DurableLedger, open_ledger
from tests.delivery.examples import API
from tests.waiting import until

SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"
_MISSING = "no PostgreSQL on 127.0.0.1:5432 that trusts the user postgres"


def server() -> psycopg.Connection:
    """A connection that commits each statement; without a server the test is skipped, or fails where one must be."""
    try:
        return psycopg.connect(SERVER, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError:
        if os.environ.get("TARGET_DRIFTROCK_TEST_REQUIRE_POSTGRES") == "1":
            pytest.fail(_MISSING)
        pytest.skip(_MISSING)


@contextmanager
def new_schema() -> Iterator[str]:
    """The URL of a ledger in a schema that does not exist yet, and that ends with the `with`."""
    schema = f"ledger_test_{uuid4().hex}"
    with server() as connection:
        try:
            yield f"{SERVER}?schema={schema}"
        finally:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


@contextmanager
def role(*statements: str) -> Iterator[str]:
    """The URL of a role in a database of its own, where a superuser has said this before; its schema is `leads`."""
    name = f"ledger_test_{uuid4().hex}"
    names = {"name": sql.Identifier(name)}
    with server() as connection:
        connection.execute(sql.SQL("CREATE ROLE {name} LOGIN").format(**names))
        connection.execute(sql.SQL("CREATE DATABASE {name}").format(**names))
        try:
            with psycopg.connect(SERVER, dbname=name) as inside:
                for statement in statements:
                    inside.execute(sql.SQL(statement).format(**names))
            yield f"postgresql://{name}@127.0.0.1:5432/{name}?schema=leads"
        finally:
            connection.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))
            connection.execute(sql.SQL("DROP ROLE {name}").format(**names))


@contextmanager
def opened(location: str, *, api: str = API) -> Iterator[DurableLedger]:
    """A run's hold on the ledger there."""
    ledger = open_ledger(str(location), api=api, wait=0, is_stopped=lambda: False)
    assert ledger is not None
    with closing(ledger):
        yield ledger


def kill(ledger: DurableLedger) -> None:
    """As a kill of its process does: nothing is written, and the server ends the session a moment later."""
    with ledger.connection.begin():
        pid = ledger.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    ledger.close()
    with server() as connection:
        until(lambda: not connection.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall())
