"""A ledger in PostgreSQL: a schema. The lock, the commits and their limits hang on one session."""

from __future__ import annotations

import hashlib
import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from target_driftrock.errors import LedgerUnavailable, SettingsInvalid
from target_driftrock.ledger import causes, tables
from target_driftrock.ledger.address import SESSION
from target_driftrock.ledger.database import guarded, opening, this_process, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.exc import SQLAlchemyError

    from target_driftrock.ledger.database import Ask, Cause

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
JOB = "job"
"""The lock of whoever has the ledger: a run, or a job with all its tasks."""
TASKS = "tasks"
"""Shared by the tasks of a job."""
_NAME_BYTES = 63
"""Where the server cuts off the name of an application."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A database, and the schema in it that holds the tables. For what each method does see `Database`."""

    options: Mapping[str, str] = field(repr=False)
    """What libpq is told: credentials, too."""
    schema: str

    @property
    def name(self) -> str:
        return f"the PostgreSQL schema {self.schema}"

    def cause(self, error: SQLAlchemyError) -> Cause:
        return causes.cause(error, self.options)

    # Looked at.

    def warnings(self) -> list[str]:
        return []

    @contextmanager
    def look(self) -> Iterator[Ask]:
        """See `Database.look`. One session for all questions."""
        with opening(self):
            session = self._open().execution_options(postgresql_readonly=True)
        with session:
            yield lambda question: question(session)

    @contextmanager
    def inspect(self) -> Iterator[Ask]:
        with self.look() as ask:
            with opening(self):
                ask(self._judge_rights)
            yield ask

    def log_doubts(self, ask: Ask) -> list[str]:
        with opening(self):
            showing = log_parameters(ask(_log_settings))
        return [_LOGGED.format(parameters=", ".join(showing))] if showing else []

    def is_held(self, connection: sa.Connection, *, by: str) -> bool:
        return self.holder(connection) == by[:_NAME_BYTES]

    # Held.

    def connect(self) -> sa.Connection:
        with opening(self):
            connection = self._open()
            try:
                self._make_schema(connection)
            except BaseException:
                connection.close()
                raise
            return connection

    def try_lock(self, connection: sa.Connection) -> ExitStack | None:
        """See `Database.try_lock`. It ends with the session that commits, so a lost lock is a failed commit."""
        return ExitStack() if self.take(connection, JOB) else None

    def are_tasks_gone(self, connection: sa.Connection) -> bool:
        is_taken = self.take(connection, TASKS)
        if is_taken:
            self.free(connection, TASKS)
        return is_taken

    def take(self, connection: sa.Connection, lock: str, *, is_shared: bool = False) -> bool:
        """Take a lock of this ledger until it is freed, or the session ends, if it is to be had now."""
        return self._ask(connection, "SELECT pg_try_advisory_lock", lock, is_shared=is_shared)

    def free(self, connection: sa.Connection, lock: str, *, is_shared: bool = False) -> None:
        """Free a lock that was taken."""
        self._ask(connection, "SELECT pg_advisory_unlock", lock, is_shared=is_shared)

    def _ask(self, connection: sa.Connection, function: str, lock: str, *, is_shared: bool) -> bool:
        call = sa.text(f"{function}{'_shared' * is_shared}(:key)")
        with guarded(self), connection.begin():
            return bool(connection.execute(call, {"key": self.lock_key(lock)}).scalar())

    def held(self, connection: sa.Connection, locks: Sequence[str]) -> list[str]:
        """Within a transaction: which of these locks somebody holds."""
        if not locks:
            return []
        by_key = {self.lock_key(lock): lock for lock in locks}
        found = connection.execute(_HELD, {"keys": list(by_key)}).scalars()
        return [by_key[key] for key in found]

    def lock_rows(self, connection: sa.Connection, digests: Sequence[bytes]) -> None:
        """Within a transaction, and for as long as it lasts: nobody else has what these digests stand for."""
        keys = sorted({int.from_bytes(digest[:8], "big", signed=True) for digest in digests})
        connection.exec_driver_sql(_LOCK_ROWS, {"keys": keys})

    def room(self, connection: sa.Connection) -> int:
        """How many more sessions the server lets in, this role and into this database, for whoever is no superuser."""
        with guarded(self), connection.begin():
            return int(connection.execute(_ROOM).scalar_one())

    def holder(self, connection: sa.Connection) -> str:
        with guarded(self), connection.begin():
            return str(connection.execute(_HOLDER, {"key": self.lock_key(JOB)}).scalar() or "another run")

    def inode(self) -> None:
        """See `Database.inode`: there is no such file."""

    def prefer_indexes(self, connection: sa.Connection) -> None:
        """See `Database.prefer_indexes`.

        A statement is planned once, maybe while its table is small, and of a new table the server has no statistics: it
        would read the whole table each time, until it has analysed it. What needs a whole table reads it all the same,
        at a cost for which `jit` would compile it in vain.
        """
        for setting in ("enable_seqscan", "jit"):
            connection.exec_driver_sql(f"SET {setting} = off")

    @contextmanager
    def to_disk(self, connection: sa.Connection) -> Iterator[None]:
        with connection.begin():
            connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
            yield

    @contextmanager
    def unhurried(self, connection: sa.Connection) -> Iterator[None]:
        """See `Database.unhurried`. Whether the machine lives, TCP says."""
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        with _patient(connection):
            yield
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {SESSION['statement_timeout']}")

    def wipe(self, connection: sa.Connection) -> None:
        """See `Database.wipe`. Dead rows stay until these tables are written anew.

        The most common values of a column stand in the server's statistics, even of an empty table. They go when the
        column gets a type, be it the same.
        """
        with guarded(self):
            autonomous = connection.execution_options(isolation_level="AUTOCOMMIT")
            if not connection.execute(_IS_OURS, {"schema": self.schema}).scalar():
                raise LedgerUnavailable(_NOT_WIPED.format(name=self.name))
            autonomous.exec_driver_sql("SET statement_timeout = 0")
            with _patient(connection):
                for table in tables.PERSONAL:
                    autonomous.exec_driver_sql(f"VACUUM FULL {table.name}")
                for table in tables.PERSONAL:
                    types = {
                        each.name: each.type.compile(connection.dialect) for each in table.c if not each.primary_key
                    }
                    same = ", ".join(f'ALTER COLUMN "{name}" TYPE {kind}' for name, kind in types.items())
                    autonomous.exec_driver_sql(f"ALTER TABLE {table.name} {same}")

    def _open(self) -> sa.Connection:
        """A session of its own, with our limits. Nothing is made."""
        from target_driftrock.ledger.session import Session  # noqa: PLC0415 - a ledger in a directory needs no driver

        engine = sa.create_engine("postgresql+psycopg://", poolclass=NullPool, connect_args=self._asked)
        sa.event.listen(engine, "do_connect", lambda *given: Session.connect(**given[-1]))
        sa.event.listen(engine, "connect", self._set_up)
        return engine.connect()

    @property
    def _asked(self) -> dict[str, Any]:
        """What is asked for while connecting: nothing that a pooler would leave to others."""
        return {
            **_CLIENT_KEEPALIVE,
            **self.options,
            "application_name": this_process()[:_NAME_BYTES],
            "client_encoding": "UTF8",
        }

    def _set_up(self, connection: Any, _: Any) -> None:
        try:
            self._judge_server(connection)
            wanted = {**SESSION, "search_path": f'"{self.schema}"'}
            connection.execute(_SET, (list(wanted), list(wanted.values())), prepare=False)
            connection.commit()
        except BaseException:
            connection.close()
            raise

    def _judge_server(self, connection: Any) -> None:
        """Raises `SettingsInvalid` where no session of this server does."""
        if connection.info.parameter_status("server_encoding") != "UTF8":
            raise SettingsInvalid([_OTHER_ENCODING.format(name=self.name)])
        if _lends(connection, self._asked):
            raise SettingsInvalid([_POOLED.format(name=self.name)])

    def _make_schema(self, connection: sa.Connection) -> None:
        self._judge_rights(connection)
        with connection.begin():
            if not sa.inspect(connection).has_schema(
                self.schema
            ):  # to ask for it needs a right, even where it is there
                connection.execute(sa.schema.CreateSchema(self.schema))

    def _judge_rights(self, connection: sa.Connection) -> None:
        """Raises `SettingsInvalid` where nothing may be written, or the user may not make or use what lies there."""
        names = [table.name for table in tables.metadata.sorted_tables]
        with connection.begin():
            lacking = connection.execute(_LACKING, {"schema": self.schema, "tables": names}).scalar()
        if lacking == "primary":
            raise unavailable(self, causes.READ_ONLY.text)
        if lacking is not None:
            raise SettingsInvalid([_NO_RIGHTS[lacking].format(schema=self.schema)])

    def lock_key(self, lock: str) -> int:
        """The number of a lock of this ledger, which all locks of the database share."""
        digest = hashlib.blake2b(f"target-driftrock {self.schema} {lock}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)


@contextmanager
def _patient(connection: sa.Connection) -> Iterator[None]:
    session: Any = connection.connection.driver_connection
    before, session.patience = session.patience, math.inf
    try:
        yield
    finally:
        session.patience = before


_HELD = sa.text(
    "SELECT DISTINCT classid::bigint << 32 | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted "
    "AND objsubid = 1 AND (classid::bigint << 32 | objid::bigint) = ANY(CAST(:keys AS bigint[])) "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_LOCK_ROWS = (
    "SELECT count(pg_advisory_xact_lock(key)) FROM (SELECT key FROM unnest(%(keys)s::bigint[]) AS key ORDER BY key"
    " OFFSET 0) AS in_order"
)
_ROOM = sa.text(
    "SELECT least("
    "current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - count(*), "
    "CASE WHEN rolconnlimit >= 0 THEN rolconnlimit - count(*) FILTER (WHERE usesysid = pg_roles.oid) END, "
    "CASE WHEN datconnlimit >= 0 THEN datconnlimit - count(*) FILTER (WHERE datid = pg_database.oid) END) "
    "FROM pg_roles, pg_database, pg_stat_activity "
    "WHERE rolname = current_user AND pg_database.datname = current_database() AND backend_type = 'client backend' "
    "GROUP BY pg_roles.oid, rolconnlimit, pg_database.oid, datconnlimit"
)
_HOLDER = sa.text(
    "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = :key "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_SET = """
SELECT set_config(name, wanted.value, false)
FROM unnest(%s::text[], %s::text[]) AS wanted(name, value) JOIN pg_settings USING (name)
"""
"""What an older server does not know is left out."""
_LACKING = sa.text(
    """
    SELECT CASE
      WHEN pg_is_in_recovery() THEN 'primary'
      WHEN current_setting('default_transaction_read_only')::boolean THEN 'writing'
      WHEN NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = :schema) THEN
        CASE WHEN NOT has_database_privilege(current_database(), 'CREATE') THEN 'schema' END
      WHEN NOT EXISTS (SELECT FROM pg_tables WHERE schemaname = :schema AND tablename = 'facts') THEN
        CASE WHEN NOT has_schema_privilege(CAST(:schema AS text), 'CREATE')
          OR NOT has_schema_privilege(CAST(:schema AS text), 'USAGE') THEN 'tables' END
      WHEN NOT has_schema_privilege(CAST(:schema AS text), 'USAGE') THEN 'use'
      WHEN EXISTS (
        SELECT FROM pg_tables, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS right_to
        WHERE schemaname = :schema AND tablename = ANY(:tables)
        AND NOT has_table_privilege(format('%I.%I', schemaname, tablename), right_to)
      ) THEN 'use'
      WHEN EXISTS (
        SELECT FROM pg_sequences WHERE schemaname = :schema AND sequencename = 'runs_id_seq'
        AND NOT has_sequence_privilege(format('%I.%I', schemaname, sequencename), 'USAGE')
      ) THEN 'use'
    END
    """
)
_IS_OURS = sa.text("SELECT bool_and(pg_has_role(tableowner, 'USAGE')) FROM pg_tables WHERE schemaname = :schema")
"""Of another's table VACUUM says a warning, and leaves it as it is."""
_NOT_WIPED = (
    "The rows are erased, but {name} holds their bytes until its tables are written anew, which only their owner may "
    "do: have the URL name that user, and run this again."
)
_NO_RIGHTS = {
    "writing": (
        "ledger: the URL's user may not write: default_transaction_read_only is on for it, its database, the "
        "server (some set it when their disk is full) or in the URL. Have it set to off, or name another user."
    ),
    "schema": (
        "ledger: the URL's user may not make the schema {schema}: grant it CREATE on the database, have the schema "
        "made for it, or name another."
    ),
    "tables": (
        "ledger: the URL's user may not make tables in the schema {schema}: grant it USAGE and CREATE there, or name "
        "another schema."
    ),
    "use": (
        "ledger: the URL's user may not use the tables in the schema {schema}: grant it USAGE there and on the "
        "sequence, and SELECT, INSERT, UPDATE and DELETE on the tables, or name another schema."
    ),
}


# A pooler in transaction mode gives the server's process to whoever begins a transaction next.


def _lends(connection: Any, asked: Mapping[str, Any]) -> bool:
    """Whether a pooler serves this session, and others, by the same processes. Nothing is set on any of them.

    The server itself names the process that serves, as soon as one connects. A pooler makes a number up.
    """
    ours, theirs = [_process(connection)], []
    if ours == [connection.info.backend_pid]:
        return False
    with type(connection).connect(**asked) as another:
        for _ in range(_TRIES):
            ours.append(_process(connection))  # once more, since a pool may lend its sessions in turn
            theirs.append(_process(another, is_over=False))
            ours.append(_process(connection))
            another.rollback()
    return is_shared(ours, theirs)


def _process(connection: Any, *, is_over: bool = True) -> int:
    """Which process serves a transaction."""
    process = int(connection.execute("SELECT pg_backend_pid()", prepare=False).fetchone()[0])
    if is_over:
        connection.rollback()
    return process


def is_shared(ours: Sequence[int], theirs: Sequence[int]) -> bool:
    """By the processes that served us and somebody else: a session of its own keeps one, and nobody else has it."""
    return len({*ours}) > 1 or not {*ours}.isdisjoint(theirs)


_TRIES = 3
_POOLED = (
    "ledger: {name} is reached through a pooler that lends its sessions for a transaction or a statement, where no "
    "lock lasts, so two runs could send the same events: name the server's own port, or a pool in session mode."
)
_OTHER_ENCODING = (
    "ledger: {name} cannot be used: its database has another encoding than UTF8, so not every record could be kept "
    "there. Name a database that was made with ENCODING 'UTF8'."
)


# The server's own log, which a run cannot keep records out of.


def log_parameters(settings: Mapping[str, str]) -> list[str]:
    """By which of these parameters, and at which value, the log shows what statements hand over."""
    if settings.get("log_parameter_max_length") == "0":  # before version 13 there is no such thing, and all is shown
        return []
    showing = [
        ("log_statement", settings["log_statement"] in {"mod", "all"}),
        ("log_min_duration_statement", settings["log_min_duration_statement"] != "-1"),
        ("log_transaction_sample_rate", float(settings["log_transaction_sample_rate"]) > 0),
        (
            "log_min_duration_sample",
            settings.get("log_min_duration_sample", "-1") != "-1" and float(settings["log_statement_sample_rate"]) > 0,
        ),
    ]
    return [f"{name} = {settings[name]}" for name, is_showing in showing if is_showing]


def _log_settings(connection: sa.Connection) -> dict[str, str]:
    return {row.name: row.setting for row in connection.execute(_LOG_SETTINGS)}


_LOG_SETTINGS = sa.text("SELECT name, setting FROM pg_settings WHERE left(name, 4) = 'log_'")
_LOGGED = (
    "The server's own log shows whole records, personal data included, since {parameters} is set for the URL's user: "
    "have a superuser set log_parameter_max_length = 0 for it (ALTER ROLE ... SET; before PostgreSQL 13 the parameters "
    "named), and delete those logs."
)
