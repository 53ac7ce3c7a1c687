"""Where the setting `ledger` points to: a directory with SQLite in it, or a PostgreSQL URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_driftrock.errors import SettingsInvalid
from target_driftrock.ledger.address import read_url
from target_driftrock.ledger.postgres import DEFAULT_SCHEMA, Postgres
from target_driftrock.ledger.sqlite import SQLite, read_folder

if TYPE_CHECKING:
    from target_driftrock.ledger.database import Database


def parse_location(location: str) -> Database:
    """The database of a setting. `?schema=NAME` in a URL names the PostgreSQL schema. Nothing is connected to.

    Raises:
        SettingsInvalid: It is neither a directory nor a PostgreSQL URL; or that one's driver is not installed.
    """
    if "://" not in location:
        return SQLite(path=read_folder(location))
    options, schema = read_url(location)
    return Postgres(options=options, schema=schema or DEFAULT_SCHEMA)


def parse_shared(location: str) -> Postgres:
    """As `parse_location`, of a ledger that several processes write to at once.

    Raises:
        SettingsInvalid: It is a directory; or what `parse_location` raises.
    """
    database = parse_location(location)
    if not isinstance(database, Postgres):
        raise SettingsInvalid([_ONE_PROCESS])
    return database


_ONE_PROCESS = (
    "ledger: a job's tasks share its ledger, which must be in PostgreSQL: give a URL such as "
    "postgresql://user@host/name, not a directory."
)
