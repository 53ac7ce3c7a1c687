"""A ledger in a directory: a SQLite database, and beside it the file that locks it."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import sqlite3
import stat
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from target_driftrock.errors import LedgerUnavailable, SettingsInvalid
from target_driftrock.ledger import custody, mounts
from target_driftrock.ledger.database import Cause, guarded, opening, this_process, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from target_driftrock.ledger.database import Ask

T = TypeVar("T")

_BUSY_SECONDS = 5.0
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON", "wal_autocheckpoint=16000")


@dataclass(frozen=True, slots=True, kw_only=True)
class SQLite:
    """A directory that outlives the run. For what each method does see `Database`."""

    path: Path

    @property
    def file(self) -> Path:
        """The database itself."""
        return custody.home(self.path) / custody.DATABASE

    @property
    def name(self) -> str:
        return f"the directory {self.path}"

    def cause(self, error: SQLAlchemyError) -> Cause:
        """See `Database.cause`: by the name of SQLite's result code."""
        original = error.orig if isinstance(error, DBAPIError) else None
        code = getattr(original, "sqlite_errorname", None)
        if code is not None and (what := _FOR_A_PERSON.get("_".join(code.split("_")[:2]))) is not None:
            return Cause(text=f"{code}: {what}", is_of_the_setting=True)
        return Cause(text=code or type(original or error).__name__)

    # Looked at.

    def warnings(self) -> list[str]:
        return mounts.warnings(self.path, name=self.name)

    @contextmanager
    def look(self) -> Iterator[Ask | None]:
        with self._reaching():
            custody.judge(self.path)
            is_there = stat.S_ISREG(custody.mode_of(self.file))
        yield _Looker(self.path).ask if is_there else None

    @contextmanager
    def inspect(self) -> Iterator[Ask | None]:
        self._judge()
        with self.look() as ask:
            yield ask

    def log_doubts(self, _: Ask) -> list[str]:
        """See `Database.log_doubts`. It has none."""
        return []

    def is_held(self, _: sa.Connection, *, by: str) -> bool:
        try:
            with custody.entered(self.path) as home, home.open(custody.LOCK, "rb") as lock:
                is_its_own = lock.read() == by.encode()
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return is_its_own
        except OSError:
            return False
        return False

    # Held.

    def connect(self) -> sa.Connection:
        self._make_directory()
        engine = engine_over(self._open)
        sa.event.listen(engine, "begin", _begin)
        with opening(self):
            return engine.connect()

    def try_lock(self, _: sa.Connection) -> ExitStack | None:
        """See `Database.try_lock`. By `flock`: the kernel frees it with the last descriptor."""
        with guarded(self), ExitStack() as unless_taken:
            with self._reaching(), custody.entered(self.path) as home:
                lock = unless_taken.enter_context(home.open(custody.LOCK, "ab"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            lock.truncate(0)
            lock.write(this_process().encode())
            return unless_taken.pop_all()

    def are_tasks_gone(self, _: sa.Connection) -> bool:
        """See `Database.are_tasks_gone`. A job is refused a directory."""
        return True

    def holder(self, _: sa.Connection) -> str:
        try:
            with custody.entered(self.path) as home, home.open(custody.LOCK, "rb") as lock:
                return lock.read().decode(errors="replace") or "another run"
        except OSError:
            return "another run"

    def inode(self) -> tuple[int, int] | None:
        """See `Database.inode`. SQLite goes on writing to a file that was deleted."""
        found = os.stat(self.file)  # noqa: PTH116 - once a commit, and three times as fast
        return found.st_dev, found.st_ino

    def prefer_indexes(self, _: sa.Connection) -> None:
        """See `Database.prefer_indexes`. It does."""

    @contextmanager
    def to_disk(self, connection: sa.Connection) -> Iterator[None]:
        """See `Database.to_disk`. Past SQLAlchemy, which would begin a transaction before what is set."""
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute("PRAGMA synchronous=FULL")
            try:
                with connection.begin():
                    yield
            finally:
                cursor.execute("PRAGMA synchronous=NORMAL")

    def unhurried(self, _: sa.Connection) -> AbstractContextManager[object]:
        """See `Database.unhurried`. There is no limit."""
        return nullcontext()

    def wipe(self, connection: sa.Connection) -> None:
        """See `Database.wipe`. `secure_delete` leaves copies where rows were moved, so every page is made anew.

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

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            self._confirm(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _confirm(self, connection: sqlite3.Connection) -> None:
        """Raises `SettingsInvalid` where the files that are open are not those that were judged."""
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # by then it has opened all that it writes to
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        with self._reaching(), custody.entered(self.path) as home:
            home.confirm(custody.DATABASE, *(custody.AHEAD if mode == "wal" else ()))

    def _make_directory(self) -> None:
        self._judge()
        with self._reaching():
            custody.prepare(self.path)

    def _judge(self) -> None:
        """Raises `SettingsInvalid` where this user cannot write here, whoever made what is there."""
        with self._reaching():
            nearest = next(each for each in (self.path, *self.path.parents) if os.path.lexists(each))
            if not nearest.is_dir():
                raise SettingsInvalid([_NO_DIRECTORY.format(nearest=nearest)])
            if (kind := mounts.kernels_own(nearest)) is not None:
                raise SettingsInvalid([_UNMAKEABLE.format(name=self.name, kind=kind)])
            custody.judge(self.path)
            where = custody.home(nearest)
            _judge_writable(where, os.W_OK | os.X_OK)
            _judge_space(where)
            for file in custody.files_in(where):
                _judge_writable(file, os.R_OK | os.W_OK)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn every error of the file system into ours."""
        try:
            yield
        except PermissionError:
            raise SettingsInvalid([f"ledger: {self.name} cannot be written by this user: name another."]) from None
        except OSError as error:
            if error.errno == errno.EROFS:
                raise SettingsInvalid([_READ_ONLY.format(name=self.name)]) from None
            if error.errno == errno.ENAMETOOLONG:
                raise SettingsInvalid(["ledger is too long for the name of a directory: name another."]) from None
            raise unavailable(self, os.strerror(error.errno or 0)) from None


def engine_over(connect: Callable[[], sqlite3.Connection]) -> sa.Engine:
    """An engine without a pool, over what connects."""
    return sa.create_engine("sqlite://", poolclass=NullPool, paramstyle="named", creator=connect)


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")  # the driver's own comes late, and lets a table be half made


def _judge_writable(path: Path, how: int) -> None:
    """Raises what writing there would raise."""
    if os.access(path, how):
        return
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, "")
    raise PermissionError


def _judge_space(path: Path) -> None:
    """Raises what writing there would raise. Some file systems do not say how large they are."""
    device = os.statvfs(path)
    if device.f_blocks and not (device.f_bavail if os.geteuid() else device.f_bfree):
        raise OSError(errno.ENOSPC, "")


_NO_DIRECTORY = "ledger must be a directory, and {nearest} is a file, or a link to nothing: name another."
_READ_ONLY = (
    "ledger: {name} lies on a file system that is mounted read-only: have it mounted to be written to, or name another."
)
_NO_LEDGER = "check the setting, that what lies there is a ledger or nothing yet, and the rights of this user"
_DAMAGED = "the file is damaged: put a backup of the whole directory in its place, or name another ledger"
_FOR_A_PERSON = {
    "SQLITE_AUTH": _NO_LEDGER,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_ERROR": _NO_LEDGER,  # no such table, no such column
    "SQLITE_NOTADB": _NO_LEDGER,
    "SQLITE_PERM": _NO_LEDGER,
}
"""By the first words of SQLite's codes: what no waiting mends."""
_STILL_HELD = (
    "The rows are erased, but the ledger's files may hold their bytes until they are written anew, which cannot be "
    "done at present ({cause}): mend that, and run this again."
)


# Looked at, no byte of the ledger is changed, and no file is made beside it.


class _Looker:
    """A connection for each question.

    SQLite wants a file of its own beside a database that is written ahead, to share with those who write, even of one
    that only reads. While nobody writes there is nothing to share: then the database is opened as one that nobody can
    change, of which SQLite keeps pages for as long as it is open, and what was found counts only if nobody has.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._options = ""
        self._engine = engine_over(self._open)

    def ask(self, question: Callable[[sa.Connection], T]) -> T:
        while True:
            before = self._at_rest()
            self._options = "?mode=ro" if before is None else "?mode=ro&immutable=1"
            try:
                with self._engine.connect() as connection:
                    found = question(connection)
                    with custody.entered(self._folder) as home:
                        home.confirm(custody.DATABASE)
            except SQLAlchemyError:
                if self._is_still(before):
                    raise
                continue
            if self._is_still(before):
                return found

    def _open(self) -> sqlite3.Connection:
        file = custody.home(self._folder) / custody.DATABASE
        url = f"{file.as_uri()}{self._options}"
        return sqlite3.connect(url, uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)

    def _at_rest(self) -> tuple[int, ...] | None:
        """What the file shows of its last change; None where it is shared with those who write, or is asked to be."""
        with custody.entered(self._folder) as home, home.open(custody.DATABASE, "rb") as file:
            is_written_ahead = file.read(_HEAD)[_VERSIONS] == _WRITTEN_AHEAD
            if not is_written_ahead or home.found(f"{custody.DATABASE}-wal") is not None:
                return None
            found = os.fstat(file.fileno())
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _is_still(self, before: tuple[int, ...] | None) -> bool:
        """Whether what was found holds: who shares the file with those who write is never wrong."""
        return before is None or self._at_rest() == before


_HEAD = 20
_VERSIONS = slice(18, 20)
_WRITTEN_AHEAD = b"\x02\x02"
"""Where the head of SQLite's file format (section 1.3) says so."""


# The name of a directory, as a person writes it. What was meant for something else is a fault.


def read_folder(text: str) -> Path:
    """The whole path. `~` and `~user` are home directories, where they stand first; any other sign is itself.

    Raises:
        SettingsInvalid: It is no name of a directory. It is not shown: a password may stand in what was meant.
    """
    if _QUOTED.search(text):
        raise SettingsInvalid([_IN_QUOTES])
    if _VARIABLE.search(text):
        raise SettingsInvalid([_UNEXPANDED])
    if _MEANT_FOR_A_SERVER.search(text):
        raise SettingsInvalid([_NO_NAME])
    expanded = os.path.expanduser(text)  # noqa: PTH111 - to pathlib, ./~ is a home directory too
    if expanded.startswith("~"):
        raise SettingsInvalid([_NO_HOME])
    try:
        return Path(expanded).absolute()
    except FileNotFoundError:
        raise SettingsInvalid([_NO_FOLDER]) from None


_QUOTED = re.compile(r"""^(["']).*\1$""")
_VARIABLE = re.compile(r"\$(\w|\{|\()|\{\{")
_MEANT_FOR_A_SERVER = re.compile(
    r"""
    ^[a-z][a-z0-9+.-]*:      # a scheme: postgresql:name, sqlite:name
    | ^//                    # a URL's rest
    | ^[^/.~].*:.*@          # user:password@host
    | ^[^/.~][^/]*@.*:[0-9]  # user@host:port
    | (^|\s)(host(addr)?|port|dbname|user|password|passfile|service|sslmode|options)\s*=  # libpq's keywords
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NO_NAME = (
    "ledger is neither the name of a directory, which needs ./ before it where it has a colon or an equals sign in it, "
    "nor a PostgreSQL URL, which looks like postgresql://user@host/name: write one of the two."
)
_UNEXPANDED = (
    "ledger has a variable ($ or {{) in it, which nobody expands here: write the path out, or have a shell or Meltano "
    "do it."
)
_IN_QUOTES = "ledger stands in quotes, which would be a part of its name: take them away."
_NO_FOLDER = (
    "ledger is the name of a directory below the working directory, which is gone: write the whole path, or start this "
    "in a directory that is there."
)
_NO_HOME = "ledger begins with ~, and there is no such home directory: write the path out, or ./ before the name."
_UNMAKEABLE = (
    "ledger: {name} would lie in the kernel's own files ({kind}), where nobody can make a directory: name another."
)
