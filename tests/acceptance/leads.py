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
    "amount": str,
    "long": str,
    "free": str,
    "at": datetime.fromisoformat,
    "local_at": lambda text: datetime.fromisoformat(text).replace(tzinfo=None),
    "day": lambda text: date.fromisoformat(text[:10]),
    "created_at": datetime.fromisoformat,
    "extra": lambda value: json.loads(json.dumps(value, default=str)),
}


def rows(connection: psycopg.Connection) -> Iterator[dict[str, Any]]:
    """The table in the order of its ids, without nulls; a number as its own text, so that comparing loses no digit."""
    cursor = connection.execute("SELECT *, extra::text AS extra FROM crm.leads ORDER BY id")
    names = [column.name for column in cursor.description or ()]
    for row in cursor:
        columns = {name: value for name, value in zip(names, row, strict=True) if value is not None}
        if "extra" in columns:
            columns["extra"] = json.loads(columns["extra"], parse_float=str)
        yield {name: str(value) if isinstance(value, Decimal) else value for name, value in columns.items()}


def as_in_the_table(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent, decoded with exact numbers, as `rows` gives it."""
    return {name: _READ[name](value) if name in _READ else value for name, value in fields.items()}


def utc(moment: datetime) -> str:
    """A moment in the API's form."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
