"""A ledger in PostgreSQL: a schema. The lock, the commits and their limits hang on one session."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from target_driftrock.errors import SettingsInvalid
from target_driftrock.ledger import causes, tables
from target_driftrock.ledger.address import SESSION
from target_driftrock.ledger.database import guarded, opening, this_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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

    def inspect(self) -> list[str]:
        with opening(self), self._open() as ours, self._open() as another:
            self._judge_rights(ours)
            ours.commit()
            is_pooled = any(is_shared(*_processes(ours, another)) for _ in range(_TRIES))
        return [_POOLED.format(name=self.name)] if is_pooled else []

    @contextmanager
    def look(self) -> Iterator[Ask]:
        """See `Database.look`. One session for all questions."""
        with opening(self):
            session = self._open().execution_options(postgresql_readonly=True)
        with session:
            yield lambda question: question(session)

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
        with guarded(self), connection.begin():
            is_taken = connection.execute(_TAKE, {"key": self._lock_key}).scalar()
        return ExitStack() if is_taken else None

    def holder(self, connection: sa.Connection) -> str:
        with guarded(self), connection.begin():
            return str(connection.execute(_HOLDER, {"key": self._lock_key}).scalar() or "another run")

    def inode(self) -> None:
        """See `Database.inode`: there is no such file."""

    @contextmanager
    def to_disk(self, connection: sa.Connection) -> Iterator[None]:
        with connection.begin():
            connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
            yield

    @contextmanager
    def unhurried(self, connection: sa.Connection) -> Iterator[None]:
        """See `Database.unhurried`. Whether the server lives, TCP says."""
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        yield
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {SESSION['statement_timeout']}")

    def wipe(self, connection: sa.Connection) -> None:
        """See `Database.wipe`. Dead rows stay until these tables are written anew."""
        with guarded(self):
            autonomous = connection.execution_options(isolation_level="AUTOCOMMIT")
            autonomous.exec_driver_sql("SET statement_timeout = 0")
            for table in (tables.kept, tables.unknown, tables.deliveries):
                autonomous.exec_driver_sql(f"VACUUM FULL {table.name}")

    def _open(self) -> sa.Connection:
        """A session of its own, with our limits. Nothing is made."""
        engine = sa.create_engine(
            "postgresql+psycopg://",
            poolclass=NullPool,
            connect_args={
                **_CLIENT_KEEPALIVE,
                **self.options,
                "application_name": this_process()[:_NAME_BYTES],
            },
        )
        sa.event.listen(engine, "connect", self._set_up)
        return engine.connect()

    def _set_up(self, connection: Any, _: Any) -> None:
        for name, value in {**SESSION, "search_path": f'"{self.schema}"'}.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value), prepare=False)
        connection.commit()

    def _make_schema(self, connection: sa.Connection) -> None:
        with connection.begin():
            self._judge_rights(connection)
            if not sa.inspect(connection).has_schema(
                self.schema
            ):  # to ask for it needs a right, even where it is there
                connection.execute(sa.schema.CreateSchema(self.schema))

    def _judge_rights(self, connection: sa.Connection) -> None:
        """Raises `SettingsInvalid` where the user may not make the schema, or tables in it, or not use those there."""
        lacking = connection.execute(_LACKING, {"schema": self.schema}).scalar()
        if lacking is not None:
            raise SettingsInvalid([_NO_RIGHTS[lacking].format(schema=self.schema)])

    @property
    def _lock_key(self) -> int:
        digest = hashlib.blake2b(f"target-driftrock {self.schema}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)


_TAKE = sa.text("SELECT pg_try_advisory_lock(:key)")
_HOLDER = sa.text(
    "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = :key "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
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


# A pooler in transaction mode gives the server's process to whoever begins a transaction next.


def _processes(ours: sa.Connection, another: sa.Connection) -> tuple[int, int, int]:
    """Which process serves us, another session, and us again while the other one is in a transaction."""
    first = _process(ours)
    with another.begin():
        other = int(another.execute(_PROCESS).scalar_one())
        return first, other, _process(ours)


def _process(connection: sa.Connection) -> int:
    with connection.begin():
        return int(connection.execute(_PROCESS).scalar_one())


def is_shared(ours: int, another: int, ours_again: int) -> bool:
    """A session of its own keeps its process, and nobody else has it."""
    return ours == another or ours != ours_again


_TRIES = 3
_PROCESS = sa.text("SELECT pg_backend_pid()")
_POOLED = (
    "The ledger in {name} is reached through a pooler in transaction mode, where no lock lasts, so two runs could send "
    "the same events: name the server itself in ledger, or a pool in session mode."
)
