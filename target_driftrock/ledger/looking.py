"""A ledger, asked and left as it was: no byte of it is changed, and no file is made beside it. A run may write to it.

SQLite wants a file of its own beside a database that is written ahead, to share with those who write, even of one that
only reads. While nobody writes there is nothing to share: then the database is opened as one that nobody can change,
and what was found counts only if nobody has.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from target_driftrock.ledger.place import Directory, engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_driftrock.ledger.place import Place, Server

T = TypeVar("T")


class Looker(Protocol):
    """Asks one ledger. A question begins transactions of its own, and may raise what SQLAlchemy raises."""

    def ask(self, question: Callable[[sa.Connection], T]) -> T:
        """What the question finds. It may be put more than once, and the last time counts."""
        ...

    def close(self) -> None:
        """Ask no more."""
        ...


def looker(place: Place) -> Looker:
    """Who asks the ledger at a place, which is there."""
    return _AtFile(place) if isinstance(place, Directory) else _AtServer(place)


class _AtServer:
    """One session for all questions."""

    def __init__(self, place: Server) -> None:
        self._session = engine(place).connect().execution_options(postgresql_readonly=True)

    def ask(self, question: Callable[[sa.Connection], T]) -> T:
        """See `Looker.ask`."""
        return question(self._session)

    def close(self) -> None:
        """See `Looker.close`."""
        self._session.close()


class _AtFile:
    """A connection for each question: of what nobody can change, SQLite keeps pages for as long as it is open."""

    def __init__(self, place: Directory) -> None:
        self._file = place.file
        self._options = ""
        self._engine = sa.create_engine("sqlite://", poolclass=NullPool, creator=self._connect)

    def ask(self, question: Callable[[sa.Connection], T]) -> T:
        """See `Looker.ask`."""
        while True:
            before = self._at_rest()
            self._options = "?mode=ro" if before is None else "?mode=ro&immutable=1"
            try:
                with self._engine.connect() as connection:
                    found = question(connection)
            except SQLAlchemyError:
                if self._is_still(before):
                    raise
                continue
            if self._is_still(before):
                return found

    def close(self) -> None:
        """See `Looker.close`. There is nothing to let go of."""

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._file.as_uri()}{self._options}", uri=True, timeout=5.0, check_same_thread=False)

    def _at_rest(self) -> tuple[int, ...] | None:
        """What the file shows of its last change; None where it is shared with those who write, or is asked to be."""
        with self._file.open("rb") as file:
            is_written_ahead = file.read(_HEAD)[_VERSIONS] == _WRITTEN_AHEAD
        if not is_written_ahead or Path(f"{self._file}-wal").exists():
            return None
        found = self._file.stat()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _is_still(self, before: tuple[int, ...] | None) -> bool:
        """Whether what was found holds: who shares the file with those who write is never wrong."""
        return before is None or self._at_rest() == before


_HEAD = 20
_VERSIONS = slice(18, 20)
_WRITTEN_AHEAD = b"\x02\x02"
"""Where the head of SQLite's file format (section 1.3) says so."""
