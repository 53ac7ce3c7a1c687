"""A ledger that need not outlive its process: for a look at one input, in as much memory as any other takes.

It lies in a temporary file, which SQLite makes once its cache is full, and whose name it takes away at once: nothing is
left, however the process ends. Nothing waits for the disk, and there is no journal, so a commit costs a third less.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from target_driftrock.ledger import tables
from target_driftrock.ledger.durable import DurableLedger
from target_driftrock.ledger.place import opening

CACHE_KIB = 32_000


def scratch_ledger(*, api: str, cache_kib: int = CACHE_KIB) -> DurableLedger:
    """A new ledger, which is gone once it is closed.

    Raises:
        LedgerUnavailable: No temporary file can be written. Most of what is done with it may raise that.
    """
    place = _Scratch()
    made = sa.create_engine(
        "sqlite://", poolclass=NullPool, paramstyle="named", creator=partial(_connect, cache_kib=cache_kib)
    )
    with opening(place):
        connection = made.connect()
        with connection.begin():
            tables.prepare(connection)
    return DurableLedger(place, connection, _Unshared(), api=api, is_new=True)


@dataclass(frozen=True, slots=True)
class _Scratch:
    """Where it lies: a file that nobody else can open."""

    name: str = "a temporary file"


class _Unshared:
    """A lock that nobody else could take."""

    def try_take(self) -> bool:
        """See `Lock.try_take`."""
        return True

    def held_by(self) -> str:
        """See `Lock.held_by`."""
        return "nobody else"

    def release(self) -> None:
        """See `Lock.release`."""


def _connect(*, cache_kib: int) -> sqlite3.Connection:
    connection = sqlite3.connect("")  # by an empty name SQLite means such a file
    for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{cache_kib}"):
        connection.execute(f"PRAGMA {pragma}")
    return connection
