"""Where a ledger lies: a directory with SQLite in it, or a PostgreSQL URL. Connecting, and what can go wrong there."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from target_driftrock.errors import LedgerUnavailable, SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = "ledger.sqlite3"
_SCHEMES = {"postgresql", "postgres", "postgresql+psycopg"}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_CLIENT_KEEPALIVE = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 14_000,
}
_SERVER_KEEPALIVE = {
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "50000",
    "statement_timeout": "15000",
    "lock_timeout": "15000",
}
"""A dead machine frees its lock within a minute; a server that hangs is a lost ledger within 15 seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A directory that outlives the run."""

    path: Path

    @property
    def file(self) -> Path:
        """The SQLite database."""
        return self.path / FILE

    @property
    def name(self) -> str:
        """For errors."""
        return f"the directory {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A PostgreSQL database, and the schema in it that holds the tables."""

    url: sa.URL = field(repr=False)
    schema: str

    @property
    def name(self) -> str:
        """For errors: the URL holds credentials."""
        return f"the PostgreSQL schema {self.schema}"


Place = Directory | Server
"""Where the setting points to."""


class Named(Protocol):
    """Any place of a ledger, one that no setting points to included."""

    @property
    def name(self) -> str:
        """For errors."""
        ...


def parse_place(location: str) -> Place:
    """Where the setting `ledger` points to. `?schema=NAME` in a URL names the PostgreSQL schema.

    Raises:
        SettingsInvalid: It is neither a directory nor a PostgreSQL URL.
    """
    if "://" not in location:
        return Directory(path=Path(location).absolute())
    try:
        parts = urlsplit(location)
        options = dict(parse_qsl(parts.query))
        schema = options.pop("schema", "target_driftrock")
        url = sa.make_url(urlunsplit(parts._replace(scheme="postgresql+psycopg", query=urlencode(options))))
    except (ArgumentError, ValueError):
        raise SettingsInvalid([_NO_URL]) from None
    if parts.scheme not in _SCHEMES:
        raise SettingsInvalid(["ledger must be a directory, or a URL that begins with postgresql://."])
    if not _IDENTIFIER.fullmatch(schema):
        raise SettingsInvalid(["ledger: its schema must be a plain name of letters, digits and underscores."])
    return Server(url=url, schema=schema)


def engine(place: Place, *, is_reader: bool = False) -> sa.Engine:
    """An engine without a pool: what connects is the one connection of a run.

    Raises:
        SettingsInvalid: The driver is not installed, or the directory is none.
    """
    match place:
        case Directory():
            return _sqlite(place, is_reader=is_reader)
        case Server():
            return _postgres(place)


def _sqlite(place: Directory, *, is_reader: bool) -> sa.Engine:
    if not is_reader:
        _make_directory(place)
    made = sa.create_engine(
        f"sqlite:///{place.file}",
        poolclass=NullPool,
        paramstyle="named",
        connect_args={"check_same_thread": False, "timeout": 5.0, "isolation_level": None},
    )

    @sa.event.listens_for(made, "connect")
    def _set_up(connection: Any, _: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON", "wal_autocheckpoint=16000"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(made, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")  # the driver's own comes late, and lets a table be half made

    return made


def _make_directory(place: Directory) -> None:
    if place.path.exists() and not place.path.is_dir():
        raise SettingsInvalid(["ledger must be a directory, and is a file: name the directory that it lies in."])
    try:
        place.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.file.touch(mode=0o600)  # SQLite gives its other files the same mode
        if place.file.stat().st_mode & 0o077:
            place.file.chmod(0o600)  # it was copied here
    except PermissionError:
        raise SettingsInvalid([f"ledger: {place.name} cannot be written by this user: name another."]) from None
    except OSError as error:
        raise unavailable(place, os.strerror(error.errno or 0)) from None


def _postgres(place: Server) -> sa.Engine:
    try:
        made = sa.create_engine(
            place.url, poolclass=NullPool, connect_args={**_CLIENT_KEEPALIVE, "application_name": holder()[:63]}
        )
    except (NoSuchModuleError, ImportError):
        raise SettingsInvalid(
            ["ledger: PostgreSQL needs the extra `postgres`: pip install 'target-driftrock[postgres]'."]
        ) from None

    @sa.event.listens_for(made, "connect")
    def _set_up(connection: Any, _: Any) -> None:
        for name, value in {**_SERVER_KEEPALIVE, "search_path": f'"{place.schema}"'}.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value), prepare=False)
        connection.commit()

    return made


def connect(place: Place, made: sa.Engine) -> sa.Connection:
    """The one connection of a run; in PostgreSQL the schema is made if it is missing.

    Raises:
        SettingsInvalid: The database says that the setting is wrong.
        LedgerUnavailable: It cannot be reached at present.
    """
    with opening(place):
        connection = made.connect()
        try:
            if isinstance(place, Server):
                _make_schema(place, connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _make_schema(place: Server, connection: sa.Connection) -> None:
    with connection.begin():
        if not sa.inspect(connection).has_schema(place.schema):  # to ask for it needs a right, even where it is there
            connection.execute(sa.schema.CreateSchema(place.schema))


@contextlib.contextmanager
def waiting_for_disk(place: Named, connection: sa.Connection) -> Iterator[None]:
    """Have each commit of SQLite wait until the disk has it. Past SQLAlchemy, which would begin a transaction."""
    if isinstance(place, Server):
        yield
        return
    with guarded(place), contextlib.closing(connection.connection.cursor()) as cursor:
        cursor.execute("PRAGMA synchronous=FULL")
        try:
            yield
        finally:
            cursor.execute("PRAGMA synchronous=NORMAL")


def inode(place: Named) -> tuple[int, int] | None:
    """Which file the database is at present. SQLite goes on writing to one that was deleted.

    Raises:
        OSError: There is none.
    """
    if not isinstance(place, Directory):
        return None
    found = os.stat(place.file)  # noqa: PTH116 - once a commit, and three times as fast
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def guarded(place: Named) -> Iterator[None]:
    """Turn every error of the database into ours, by its code alone: their texts quote rows and URLs."""
    try:
        yield
    except SQLAlchemyError as error:
        raise unavailable(place, _code(error)) from None
    except OSError as error:
        raise unavailable(place, os.strerror(error.errno or 0)) from None


@contextlib.contextmanager
def opening(place: Named) -> Iterator[None]:
    """As `guarded`, while a ledger is opened: what only a change of the setting mends is said to be its fault."""
    with guarded(place):
        try:
            yield
        except SQLAlchemyError as error:
            if not _is_of_the_setting(error):
                raise
            raise SettingsInvalid([_REFUSED.format(name=place.name, code=_code(error))]) from None


def unavailable(place: Named, cause: str) -> LedgerUnavailable:
    """The ledger is not to be had at present."""
    return LedgerUnavailable(
        f"The ledger in {place.name} cannot be used at present ({cause}). Nothing more was sent than it has recorded: "
        "mend that, and run again."
    )


def holder() -> str:
    """Who we are, for another run that waits."""
    return f"target-driftrock {os.getpid()}@{os.uname().nodename}"


_NO_URL = "ledger is no usable PostgreSQL URL: it looks like postgresql://user@host/name."
_REFUSED = (
    "ledger: {name} does not let us in ({code}): check the setting, that what lies there is a ledger or nothing yet, "
    "and the rights of its user."
)
_WRONG_SETTING = {"28000", "28P01", "3D000", "42501", "SQLITE_NOTADB", "SQLITE_AUTH", "SQLITE_PERM"}
"""No such user, wrong password, no such database, no rights; a file that is no database."""
_REFUSALS = (
    "does not exist",
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "permission denied",
    "is not permitted to log in",
)
"""While connecting the driver has a text and no SQLSTATE. Where a server speaks another language we wait in vain."""


def _is_of_the_setting(error: SQLAlchemyError) -> bool:
    if _code(error) in _WRONG_SETTING:
        return True
    if not isinstance(error, DBAPIError) or getattr(error.orig, "sqlstate", None) is not None:
        return False
    if isinstance(error, ProgrammingError):
        return True  # an option in the URL that the driver does not know
    return isinstance(error, OperationalError) and any(text in str(error.orig) for text in _REFUSALS)


def _code(error: SQLAlchemyError) -> str:
    original = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None)
    return str(code or type(original or error).__name__)
