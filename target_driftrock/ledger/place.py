"""Where a ledger lies: a directory with SQLite in it, or a PostgreSQL URL. Connecting, and what can go wrong there."""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from target_driftrock.errors import LedgerUnavailable, SettingsInvalid
from target_driftrock.ledger.address import SESSION, read_url
from target_driftrock.ledger.causes import cause
from target_driftrock.ledger.folder import read_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FILE = "ledger.sqlite3"
DEFAULT_SCHEMA = "target_driftrock"
_CLIENT_KEEPALIVE = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 14_000,
}
"""What the URL says of these counts."""


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

    options: Mapping[str, str] = field(repr=False)
    """What libpq is told."""
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
        SettingsInvalid: It is neither a directory nor a PostgreSQL URL; or that one's driver is not installed.
    """
    if "://" not in location:
        return Directory(path=read_folder(location))
    options, schema = read_url(location)
    return Server(options=options, schema=schema or DEFAULT_SCHEMA)


def engine(place: Place) -> sa.Engine:
    """An engine without a pool: what connects is the one connection of a run.

    Raises:
        SettingsInvalid: The directory is none.
    """
    match place:
        case Directory():
            return _sqlite(place)
        case Server():
            return _postgres(place)


def _sqlite(place: Directory) -> sa.Engine:
    _make_directory(place)
    made = sa.create_engine(
        sa.URL.create("sqlite", database=str(place.file)),  # written out, a name with a ? in it would be cut off there
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
    with reaching(place):
        if place.path.exists() and not place.path.is_dir():
            raise SettingsInvalid(["ledger must be a directory, and is a file: name the directory that it lies in."])
        place.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.file.touch(mode=0o600)  # SQLite gives its other files the same mode
        if place.file.stat().st_mode & 0o077:
            place.file.chmod(0o600)  # it was copied here


def has_database(place: Directory) -> bool:
    """Whether there is one in the directory.

    Raises:
        SettingsInvalid: There can be no such directory, or this user may not look into it.
        LedgerUnavailable: It cannot be reached at present.
    """
    with reaching(place):
        return place.file.is_file()


@contextlib.contextmanager
def reaching(place: Directory) -> Iterator[None]:
    """Turn every error of the file system into ours."""
    try:
        yield
    except PermissionError:
        raise SettingsInvalid([f"ledger: {place.name} cannot be written by this user: name another."]) from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise SettingsInvalid(["ledger is too long for the name of a directory: name another."]) from None
        raise unavailable(place, os.strerror(error.errno or 0)) from None


def _postgres(place: Server) -> sa.Engine:
    made = sa.create_engine(
        "postgresql+psycopg://",
        poolclass=NullPool,
        connect_args={**_CLIENT_KEEPALIVE, **place.options, "application_name": holder()[:63]},
    )

    @sa.event.listens_for(made, "connect")
    def _set_up(connection: Any, _: Any) -> None:
        for name, value in {**SESSION, "search_path": f'"{place.schema}"'}.items():
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
        judge_rights(place, connection)
        if not sa.inspect(connection).has_schema(place.schema):  # to ask for it needs a right, even where it is there
            connection.execute(sa.schema.CreateSchema(place.schema))


def judge_rights(place: Server, connection: sa.Connection) -> None:
    """Whether the URL's user may keep a ledger in the schema.

    Raises:
        SettingsInvalid: He may not make the schema, or tables in it, or not use those that are there.
    """
    lacking = connection.execute(_LACKING, {"schema": place.schema}).scalar()
    if lacking is not None:
        raise SettingsInvalid([_NO_RIGHTS[lacking].format(schema=place.schema)])


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


@contextlib.contextmanager
def unhurried(place: Named, connection: sa.Connection) -> Iterator[None]:
    """Let the statements in here take as long as they do: they look at every row. Whether the server lives, TCP says.

    To be entered within a transaction.
    """
    if not isinstance(place, Server):
        yield
        return
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    yield
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {SESSION['statement_timeout']}")


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
    """Turn every error of the database into ours, in our words: their texts quote rows and URLs."""
    try:
        yield
    except SQLAlchemyError as error:
        raise unavailable(place, cause(error, _options(place)).text) from None
    except OSError as error:
        raise unavailable(place, os.strerror(error.errno or 0)) from None


@contextlib.contextmanager
def opening(place: Named) -> Iterator[None]:
    """As `guarded`, while a ledger is opened: what only a change of the setting mends is said to be its fault."""
    with guarded(place):
        try:
            yield
        except SQLAlchemyError as error:
            found = cause(error, _options(place))
            if not found.is_of_the_setting:
                raise
            raise SettingsInvalid([f"ledger: {place.name} cannot be used: {found.text}."]) from None


def unavailable(place: Named, cause: str) -> LedgerUnavailable:
    """The ledger is not to be had at present."""
    return LedgerUnavailable(
        f"The ledger in {place.name} cannot be used at present ({cause}). Nothing more was sent than it has recorded: "
        "mend that, and run again."
    )


def _options(place: Named) -> Mapping[str, str] | None:
    return place.options if isinstance(place, Server) else None


def holder() -> str:
    """Who we are, for another run that waits."""
    return f"target-driftrock {os.getpid()}@{os.uname().nodename}"


_LACKING = sa.text(
    """
    SELECT CASE
      WHEN NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = :schema) THEN
        CASE WHEN NOT has_database_privilege(current_database(), 'CREATE') THEN 'schema' END
      WHEN NOT EXISTS (SELECT FROM pg_tables WHERE schemaname = :schema AND tablename = 'facts') THEN
        CASE WHEN NOT has_schema_privilege(CAST(:schema AS text), 'CREATE')
          OR NOT has_schema_privilege(CAST(:schema AS text), 'USAGE') THEN 'tables' END
      WHEN NOT has_schema_privilege(CAST(:schema AS text), 'USAGE') THEN 'use'
      WHEN EXISTS (
        SELECT FROM pg_tables, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS right_to
        WHERE schemaname = :schema AND tablename IN ('runs', 'deliveries', 'ways', 'kept')
        AND NOT has_table_privilege(format('%I.%I', schemaname, tablename), right_to)
      ) THEN 'use'
    END
    """
)
_NO_RIGHTS = {
    "schema": (
        "ledger: the URL's user may not make the schema {schema}: grant it CREATE on the database, have the schema "
        "made for it, or name another."
    ),
    "tables": (
        "ledger: the URL's user may not make tables in the schema {schema}: grant it USAGE and CREATE there, or name "
        "another schema."
    ),
    "use": (
        "ledger: the URL's user may not use the tables in the schema {schema}: grant it USAGE there, and SELECT, "
        "INSERT, UPDATE and DELETE on the tables, or name another schema."
    ),
}
