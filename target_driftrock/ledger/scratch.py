"""A ledger that need not outlive its process: for a look at one input, in as much memory as any other takes.

It lies in a temporary file, which SQLite makes once its cache is full, and whose name it takes away at once: nothing is
left, however the process ends. Nothing waits for the disk, and there is no journal, so a commit costs a third less.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from target_driftrock.ledger.database import opening
from target_driftrock.ledger.durable import DurableLedger
from target_driftrock.ledger.exclusive import exclusive
from target_driftrock.ledger.sqlite import SQLite, engine_over

if TYPE_CHECKING:
    import sqlalchemy as sa

CACHE_KIB = 32_000


def scratch_ledger(*, api: str, cache_kib: int = CACHE_KIB) -> DurableLedger:
    """A new ledger, which is gone once it is closed.

    Raises:
        LedgerUnavailable: No temporary file can be written. Most of what is done with it may raise that.
    """
    return DurableLedger(exclusive(_Scratch(cache_kib=cache_kib), advice=""), api=api)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scratch(SQLite):
    """A file that has no name, so that nobody else could look at it, lock it, or take it away."""

    path: Path = Path(os.devnull)  # below which nothing lies
    cache_kib: int

    @property
    def name(self) -> str:
        return "a temporary file"

    def connect(self) -> sa.Connection:
        with opening(self):
            return engine_over(self._open).connect()

    def try_lock(self, _: sa.Connection) -> ExitStack:
        return ExitStack()

    def inode(self) -> None:
        """See `Database.inode`."""

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect("")  # by an empty name SQLite means such a file
        for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{self.cache_kib}"):
            connection.execute(f"PRAGMA {pragma}")
        return connection
