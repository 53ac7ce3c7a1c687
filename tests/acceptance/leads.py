"""A PostgreSQL table of leads with a column of each kind, and how its rows are compared with what was sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg

CREATE = """
CREATE SCHEMA crm;
CREATE TABLE crm.leads (
    id bigint PRIMARY KEY,
    name text,
    note text,
    amount numeric(12, 2),
    long numeric(20, 0),
    free numeric,
    consent boolean,
    at timestamptz,
    local_at timestamp,
    day date,
    extra jsonb,
    tags text[],
    created_at timestamptz NOT NULL
);
"""
MAPPING: Mapping[str, Any] = {
    "stream": "crm-leads",
    "event_type": "lead",
    "source_id": "capture-1",
    "person_id": "{id}",
    "created_at": "{created_at}",
    "fields": "*",
}
"""Every column, as it is."""

_READ: Mapping[str, Callable[[Any], Any]] = {
    "at": datetime.fromisoformat,
    "local_at": lambda text: datetime.fromisoformat(text).replace(tzinfo=None),
    "day": lambda text: date.fromisoformat(text[:10]),
    "created_at": datetime.fromisoformat,
}


def rows(connection: psycopg.Connection) -> Iterator[dict[str, Any]]:
    """The table in the order of its ids, without nulls and empty texts, exact to the digit."""
    cursor = connection.execute("SELECT *, extra::text AS extra FROM crm.leads ORDER BY id")
    names = [column.name for column in cursor.description or ()]
    for row in cursor:
        columns = {name: value for name, value in zip(names, row, strict=True) if value is not None and value != ""}
        if "extra" in columns:
            columns["extra"] = json.loads(columns["extra"], parse_float=Decimal)
        yield {name: _exact(value) for name, value in columns.items()}


def as_in_the_table(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent, decoded with Decimals, as `rows` gives it."""
    return {name: _READ.get(name, _exact)(value) for name, value in fields.items()}


def _exact(value: Any) -> Any:
    """The value, its fractions as their own digits: as Decimals, 1.10 and 1.1 would be equal."""
    match value:
        case Decimal():
            return int(value) if value.as_tuple().exponent == 0 else ("number", str(value))
        case list():
            return [_exact(item) for item in value]
        case dict():
            return {name: _exact(item) for name, item in value.items()}
        case _:
            return value


def utc(moment: datetime) -> str:
    """A moment in the API's form."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
