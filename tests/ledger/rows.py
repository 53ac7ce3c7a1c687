"""What lies in a ledger, looked at from outside."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from target_driftrock.ledger import tables
from target_driftrock.ledger.location import parse_location
from target_driftrock.ledger.sqlite import SQLite


def rows(location: str, table: sa.Table) -> list[dict[str, Any]]:
    """All rows of a table."""
    with closing(_connection(location)) as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def kept(location: str) -> dict[str, dict[str, Any]]:
    """The kept rows by the record's number, which each record of these tests has."""
    return {row["record"].decode(): row for row in rows(location, tables.kept)}


def alter(location: str, *statements: sa.Executable) -> None:
    """Change what lies there."""
    with closing(_connection(location)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def _connection(location: str) -> sa.Connection:
    place = parse_location(location)
    if isinstance(place, SQLite):
        return sa.create_engine(sa.URL.create("sqlite", database=str(place.file)), poolclass=NullPool).connect()
    return place.connect()
