"""What a ledger says after a run, read from outside: its tables, not its code."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests.waiting import PATIENCE

DELIVERED = 1
INTENDED = 6


class Memory(Protocol):
    """A ledger's place, and what can be asked of it."""

    @property
    def setting(self) -> str:
        """The value of the setting `ledger`."""
        ...

    def rows(self, query: str) -> list[Any]:
        """What a query finds; nothing where there is no ledger yet."""
        ...


@dataclass(frozen=True, slots=True)
class InDirectory:
    """SQLite in a directory."""

    folder: Path

    @property
    def setting(self) -> str:
        """See `Memory.setting`."""
        return str(self.folder)

    @property
    def file(self) -> Path:
        """The database."""
        return self.folder / "ledger.sqlite3"

    def rows(self, query: str) -> list[Any]:
        """See `Memory.rows`."""
        if not self.file.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=PATIENCE)) as connection:
            try:
                return connection.execute(query).fetchall()
            except sqlite3.OperationalError:  # its tables are not made yet
                return []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Another program holds the database, in which nobody else can write meanwhile."""
        with closing(sqlite3.connect(self.file, isolation_level=None, timeout=PATIENCE)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """Another run holds the ledger, which is new."""
        self.folder.mkdir(mode=0o700)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"


@dataclass(frozen=True, slots=True)
class InServer:
    """A schema of PostgreSQL."""

    schema: str
    server: str = SERVER

    @property
    def setting(self) -> str:
        """See `Memory.setting`."""
        return f"{self.server}?schema={self.schema}"

    def rows(self, query: str) -> list[Any]:
        """See `Memory.rows`."""
        try:
            with psycopg.connect(self.server, options=f"-csearch_path={self.schema}") as connection:
                return connection.execute(query).fetchall()
        except psycopg.errors.UndefinedTable:
            return []

    def terminate(self, pid: int) -> int:
        """End the sessions of one process at the server; how many there were."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %s"
        with psycopg.connect(self.server) as connection:
            return len(connection.execute(query, [f"target-driftrock {pid}@%"]).fetchall())

    def drop(self) -> None:
        """Leave nothing behind."""
        with psycopg.connect(self.server) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")


@contextmanager
def in_server(schema: str) -> Iterator[InServer]:
    """A schema that is there while the `with` lasts."""
    memory = InServer(schema)
    memory.drop()
    try:
        yield memory
    finally:
        memory.drop()


def unknown(memory: Memory) -> Counter[str]:
    """The ids of events that it counted as unknown, each with how often."""
    return Counter(dict(memory.rows("SELECT event_id, lost FROM unknown")))


def kept(memory: Memory) -> set[int]:
    """Serials of the records that it keeps as invalid, rejected or held."""
    return {_serial(bytes(row[0])) for row in memory.rows("SELECT record FROM kept")}


def standing(memory: Memory, code: int) -> int:
    """How many events stand so."""
    found = memory.rows(f"SELECT count(*) FROM deliveries WHERE standing = {code:d}")  # noqa: S608 - a number
    return int(found[0][0]) if found else 0


def _serial(record: bytes) -> int:
    told = json.loads(record)
    return int(str(told.get("record", told)["id"]).removeprefix("odd-"))
