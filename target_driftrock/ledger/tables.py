"""The tables of a durable ledger, and the steps from each version of them to the next."""

from __future__ import annotations

import enum
import secrets
import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_driftrock.errors import SettingsInvalid
from target_driftrock.ledger.interface import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 3

metadata = sa.MetaData()

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""The version of the tables, the salt, when the ledger was made."""

COUNTERS = ("delivered", "invalid", "rejected", "held", "unknown")
"""The columns of `runs` that its transactions add to."""

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("secured_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("exit_code", sa.Integer),
    *(sa.Column(name, sa.Integer, nullable=False, server_default="0") for name in COUNTERS),
    sa.Column("receipt", sa.Text),
    sa.Column("stopped", sa.Text),
)
"""One row for each run. The counters are added to by the transactions that they count. `secured_at`: all that was
committed before lies on the disk. `stopped`, of a job, is what ends it, as JSON: each of its tasks reads it."""

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("attempt", sa.BigInteger, primary_key=True, autoincrement=False),
    *(sa.Column(name, sa.Integer, nullable=False, server_default="0") for name in COUNTERS),
    sa.Column("rows", sa.BigInteger),
    sa.Column("account", sa.LargeBinary),
)
"""One row for each attempt at a partition of a job: what its transactions added up; how many rows it has read and its
account, once it has ended. They go when the job's run ends."""

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("capture", sa.LargeBinary, primary_key=True),
    sa.Column("refusals", sa.Integer, nullable=False),
)
"""How many events a capture has refused in a job, of one that has accepted none yet."""

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("identity", sa.LargeBinary, primary_key=True),
    sa.Column("content", sa.LargeBinary, primary_key=True),
    sa.Column("event", sa.LargeBinary, nullable=False),
    sa.Column("person", sa.LargeBinary),
    sa.Column("email", sa.LargeBinary),
    sa.Column("phone", sa.LargeBinary),
    sa.Column("record", sa.LargeBinary, nullable=False),
    sa.Column("standing", sa.SmallInteger, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("way", sa.Integer, nullable=False),
    sa.Column("run", sa.Integer, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("partition", sa.Integer),
)
"""One row for each content of each event with an identity. All but the last six columns are salted digests: `event` is
that of its `event_id`, for a person who asks by it; an index on it would double what a commit costs. `person`, `email`
and `phone` say whom it is about, over its identity; no bytes at all stand for one that was erased. `tries` counts the
requests for this content, in all runs; `way` is how its identity was made; `partition` is that of the job that wrote
it."""

ways = sa.Table(
    "ways",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("api", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("templates", sa.Text, nullable=False),
    sa.Column("delivered", sa.Integer, nullable=False),
    sa.Column("successor", sa.Integer),
)
"""How the mappings of a stream, or of a stream map, make identities: templates and names, no values. `delivered`
counts the rows of `deliveries` that are delivered and were made so; `successor` is the way that took its place, by the
word of a mapping's `formerly`."""

captures = sa.Table(
    "captures",
    metadata,
    sa.Column("capture", sa.LargeBinary, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)
"""Captures that have accepted an event, by digest. Never pruned."""

schemas = sa.Table(
    "schemas",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("line", sa.LargeBinary, nullable=False),
)

kept = sa.Table(
    "kept",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("identity", sa.LargeBinary, index=True),
    sa.Column("content", sa.LargeBinary),
    sa.Column("source", sa.LargeBinary, index=True),
    sa.Column("who_person", sa.LargeBinary),
    sa.Column("who_email", sa.LargeBinary),
    sa.Column("who_phone", sa.LargeBinary),
    sa.Column("person", sa.LargeBinary),
    sa.Column("event", sa.LargeBinary),
    sa.Column("event_id", sa.Text),
    sa.Column("digest", sa.LargeBinary),
    sa.Column("read", sa.LargeBinary, nullable=False),
    sa.Column("way", sa.Integer),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("mapping", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("excerpt", sa.LargeBinary, nullable=False),
    sa.Column("record", sa.LargeBinary, nullable=False),
    sa.Column("schema", sa.LargeBinary, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("run", sa.Integer, nullable=False),
    sa.Column("first_at", sa.Float, nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
)
"""What was refused or held: personal data, until it is delivered after all or deleted.

`identity` and `content` are as in `deliveries`, `source` is the record's stream and key properties. Whom it is about
(`who_…`) is digested over `identity`, where there is none over `source`. `digest` is `deliveries.record`; `read` is a
digest of the record alone, since a row that is sent again must be this record's.
"""

unknown = sa.Table(
    "unknown",
    metadata,
    sa.Column("identity", sa.LargeBinary, primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("capture", sa.Text, nullable=False),
    sa.Column("lost", sa.Integer, nullable=False),
    sa.Column("run", sa.Integer, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
"""Events of which at least one request lost its answer: their ids, to lay beside Driftrock's own figures."""

PERSONAL = (kept, unknown, deliveries, schemas, runs, tasks)
"""The tables in which something of a person may stand, be it in the name of a property, or a digest."""


class Code(enum.IntEnum):
    """How a standing is written."""

    DELIVERED = 1
    REFUSED = 2
    ANSWERED = 3
    UNKNOWN = 4
    HELD_UNKNOWN = 5
    INTENDED = 6
    CHANGED = 7


CODES: Mapping[Standing, Code] = {standing: Code[standing.name] for standing in Standing}
STANDINGS: Mapping[int, Standing] = {code: standing for standing, code in CODES.items()}


def prepare(connection: sa.Connection) -> bool:
    """Make the tables, if there are none. True if the ledger is new. Raises what `is_there` does."""
    if is_there(connection):
        return False
    metadata.create_all(connection)
    made = {"version": str(VERSION), "salt": secrets.token_hex(32), "made_at": str(time.time())}
    connection.execute(facts.insert(), [{"name": name, "value": value} for name, value in made.items()])
    return True


def fact(connection: sa.Connection, name: str) -> str:
    """One of the ledger's facts, without which it is none."""
    found = connection.execute(sa.select(facts.c.value).where(facts.c.name == name)).scalar()
    if found is None:
        raise SettingsInvalid([_NOT_WHOLE])
    return str(found)


def is_there(connection: sa.Connection) -> bool:
    """Whether there is a ledger, which a run can use. May raise what SQLAlchemy raises.

    Raises:
        SettingsInvalid: It is not whole, or another version of this program made it.
    """
    found = version(connection)
    if found is None:
        return False
    if found != VERSION:
        raise SettingsInvalid([_NEWER if found > VERSION else _OLDER])
    fact(connection, "salt")
    for table in metadata.sorted_tables:  # a column, a table or a right that is missing shows before anything is sent
        connection.execute(sa.select(table).where(sa.false()))
    return True


def version(connection: sa.Connection) -> int | None:
    """The version of the tables that are there, or None where there are none."""
    if not sa.inspect(connection).has_table(facts.name):
        return None
    found = fact(connection, "version")
    if not found.isdecimal():
        raise SettingsInvalid([_NOT_WHOLE])
    return int(found)


_NOT_WHOLE = "ledger: what lies there is no ledger, or not a whole one: put a backup in its place, or name another."
_NEWER = "ledger was made by a newer version of target-driftrock: install that version, or name another ledger."
_OLDER = (
    "ledger was made by an older version of target-driftrock, and cannot be used by this one: name another ledger, and "
    "have the tap go on from its bookmark, since a new ledger does not know what was delivered before."
)
