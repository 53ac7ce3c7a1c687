"""What each kind of database does in its own way, behind one protocol: `sqlite` and `postgres` are a module each.

All else of a ledger is one code path over SQLAlchemy Core. Which database a setting names, `place` says.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from target_driftrock.errors import LedgerUnavailable, SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager, ExitStack

    import sqlalchemy as sa

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What is wrong, and what to do; whether nothing but a change of the setting, or of the rights, mends it."""

    text: str
    is_of_the_setting: bool = False


class Ask(Protocol):
    """Puts questions to one ledger."""

    def __call__(self, question: Callable[[sa.Connection], T], /) -> T:
        """What the question finds, which begins transactions of its own, and may raise what SQLAlchemy raises.

        It may be put more than once, and the last time counts.
        """
        ...


class Database(Protocol):
    """The database that a ledger lies in, or may lie in one day.

    Unless it says otherwise, a method may raise `SettingsInvalid`, where only a change of the setting helps, and
    `LedgerUnavailable`.
    """

    @property
    def name(self) -> str:
        """For errors: no secret stands in it."""
        ...

    def cause(self, error: SQLAlchemyError) -> Cause:
        """Why it refuses, in our words. Raises nothing."""
        ...

    # Looked at: nothing is made or changed, and a run may write meanwhile.

    def warnings(self) -> list[str]:
        """What a person should know who keeps a ledger there, a sentence each. Nothing is connected to."""
        ...

    def look(self) -> AbstractContextManager[Ask | None]:
        """To ask what lies there, while the `with` lasts; None where nothing can."""
        ...

    def inspect(self) -> AbstractContextManager[Ask | None]:
        """As `look`. Raises where no run could keep its ledger, in the words of `connect`."""
        ...

    def log_doubts(self, ask: Ask, /) -> list[str]:
        """What a person should know of the database's own log, a sentence each."""
        ...

    def is_held(self, connection: sa.Connection, /, *, by: str) -> bool:
        """Whether this holder is alive and has the lock, which is not taken."""
        ...

    # Held.

    def connect(self) -> sa.Connection:
        """A connection that may write. What the tables lie in is made where it is missing."""
        ...

    def try_lock(self, connection: sa.Connection, /) -> ExitStack | None:
        """Take the lock, and give what frees it when it is closed; None if another has it. Does not wait.

        It frees itself when its holder dies.
        """
        ...

    def are_tasks_gone(self, connection: sa.Connection, /) -> bool:
        """Whether no task of a job has this ledger. None can begin, since the lock is ours. Does not wait."""
        ...

    def holder(self, connection: sa.Connection, /) -> str:
        """Who has the lock, in words, as far as that can be told."""
        ...

    def inode(self) -> tuple[int, int] | None:
        """Which file the database is at present, where it is one that can be taken away under a connection.

        Raises:
            OSError: There is none any more.
        """
        ...

    # Within `guarded`: what these raise is SQLAlchemy's.

    def prefer_indexes(self, connection: sa.Connection, /) -> None:
        """Have what is asked from here on go by an index where there is one, whatever is known of the tables.

        For whoever asks for rows by their keys; what looks through a table is slower by it.
        """
        ...

    def to_disk(self, connection: sa.Connection) -> AbstractContextManager[object]:
        """A transaction whose commit waits until the disk has it, and with it all before."""
        ...

    def unhurried(self, connection: sa.Connection, /) -> AbstractContextManager[object]:
        """To be entered within a transaction: its statements may take as long as they do, since they see every row."""
        ...

    def wipe(self, connection: sa.Connection) -> None:
        """Have the files hold no byte of what was deleted of persons. Raises `LedgerUnavailable` itself."""
        ...


@contextlib.contextmanager
def guarded(database: Database) -> Iterator[None]:
    """Turn every error of the database into ours, in our words: their texts quote rows and URLs."""
    try:
        yield
    except SQLAlchemyError as error:
        raise unavailable(database, database.cause(error).text) from None
    except OSError as error:
        raise unavailable(database, os.strerror(error.errno or 0)) from None
    except UnicodeError:
        raise unavailable(database, "a text in it has a sign that its encoding does not have") from None


@contextlib.contextmanager
def opening(database: Database) -> Iterator[None]:
    """As `guarded`, while a ledger is opened: what only a change of the setting mends is said to be its fault."""
    with guarded(database):
        try:
            yield
        except SQLAlchemyError as error:
            found = database.cause(error)
            if not found.is_of_the_setting:
                raise
            raise SettingsInvalid([f"ledger: {database.name} cannot be used: {found.text}."]) from None


RUN_AGAIN = "Nothing more was sent than it has recorded: mend that, and run again."


def unavailable(database: Database, cause: str) -> LedgerUnavailable:
    """The ledger is not to be had at present."""
    return LedgerUnavailable(f"The ledger in {database.name} cannot be used at present ({cause}). {RUN_AGAIN}")


def this_process() -> str:
    """Who we are, for another run that waits."""
    return f"target-driftrock {os.getpid()}@{os.uname().nodename}"
