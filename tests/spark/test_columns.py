"""Every type of Spark's: what a tap would give for it, and the same event whichever way the row comes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.spark.session import program
from tests.stage import Stage, record, schema

pytestmark = [pytest.mark.postgres, pytest.mark.spark]


class Column(NamedTuple):
    """An expression of Spark's, and what a tap says of such a column, and of its value."""

    expression: str
    schema: Mapping[str, Any]
    value: Any


def of(kind: str, **others: Any) -> Mapping[str, Any]:
    """A type that may be null."""
    return {"type": [kind, "null"], **others}


COLUMNS: Mapping[str, Column] = {
    "null": Column("NULL", {"type": "null"}, None),
    "boolean": Column("true", of("boolean"), value=True),
    "byte": Column("-7Y", of("integer"), -7),
    "short": Column("7S", of("integer"), 7),
    "int": Column("7", of("integer"), 7),
    "long": Column("9223372036854775807L", of("integer"), 9223372036854775807),
    "float": Column("CAST(0.1 AS FLOAT)", of("number"), 0.1),
    "double": Column("0.1D", of("number"), 0.1),
    "decimal": Column("CAST('12345678901234567890.10' AS DECIMAL(38, 2))", of("number"), b"12345678901234567890.10"),
    "string": Column("'Zoë \"Ada\" 👋'", of("string"), 'Zoë "Ada" 👋'),
    "char": Column("CAST('ab' AS CHAR(2))", of("string"), "ab"),
    "varchar": Column("CAST('ab' AS VARCHAR(5))", of("string"), "ab"),
    "binary": Column("X'00ff10'", of("string", contentEncoding="base64"), "AP8Q"),
    "date": Column("DATE '1980-03-05'", of("string", format="date"), "1980-03-05"),
    "timestamp": Column(
        "TIMESTAMP '2026-03-29 01:30:00.123456+01:00'",
        of("string", format="date-time"),
        "2026-03-29T00:30:00.123456+00:00",
    ),
    "struct": Column(
        "named_struct('a', 1.50BD, 'b', array(DATE '2026-01-31'))",
        of("object", properties={"a": of("number"), "b": of("array", items=of("string", format="date"))}),
        {"a": b"1.50", "b": ["2026-01-31"]},
    ),
    "array": Column("array(1, NULL)", of("array", items=of("integer")), [1, None]),
    "map": Column("map('x', 1.5D, 'y', 0.0D)", of("object", additionalProperties=of("number")), {"x": 1.5, "y": 0.0}),
}
REFUSED = {
    "ntz": "TIMESTAMP_NTZ '2026-01-31 00:00:00'",
    "day_time": "INTERVAL '1' DAY",
    "year_month": "INTERVAL '1' YEAR",
    "variant": "parse_json('1')",
    "numbers": "map(1, 'one')",
}
MAPPING = {
    "stream": "leads",
    "event_type": "lead",
    "source_id": "capture-1",
    "created_at": "{timestamp}",
    "fields": "*",
}


class Written:
    """JSON whose numbers stand as a tap wrote them."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __str__(self) -> str:
        return _json(self.value)


def _json(value: Any) -> str:
    match value:
        case bytes():
            return value.decode()
        case dict():
            return "{" + ", ".join(f"{json.dumps(name)}: {_json(each)}" for name, each in value.items()) + "}"
        case list():
            return f"[{', '.join(map(_json, value))}]"
        case _:
            return json.dumps(value)


def test_a_row_is_the_same_event_as_a_taps_record(stage: Stage, location: str, tmp_path: Path) -> None:
    """A backfill by Spark, and Meltano after it: nothing is sent again."""
    for zone in ("UTC", "America/New_York"):
        selected = ", ".join(f"{column.expression} AS `{name}`" for name, column in COLUMNS.items())
        case = {
            "sql": f"SELECT 1 AS id, {selected}",
            "settings": stage.settings(ledger=location, streams=[MAPPING]),
            "stream": "leads",
            "key": ["id"],
            "tasks": 1,
        }
        with program(tmp_path, [case], **{"spark.sql.session.timeZone": zone}) as running:
            running.ready()
            running.receipt()

    values = {name: column.value for name, column in COLUMNS.items()}
    line = f'{{"type": "RECORD", "stream": "leads", "record": {Written({"id": 1, **values})}}}\n'
    listed = {"id": {"type": "integer"}, **{name: column.schema for name, column in COLUMNS.items()}}
    done = stage.run(schema(properties=listed), line.encode(), ledger=location, streams=[MAPPING])

    assert "1 already delivered" in done.log
    (event,) = done.events
    assert event["fields"]["float"] == record(1, float=event["fields"]["float"])["record"]["float"]
    assert str(event["fields"]["decimal"]) == "12345678901234567890.10"
    assert event["created_at"] == "2026-03-29T00:30:00.123Z"


def test_what_has_no_one_form_in_json_is_refused(stage: Stage, location: str, tmp_path: Path) -> None:
    """Before any task begins, with what to do; and a number that is none makes its row invalid."""
    refusing = [
        {
            "sql": f"SELECT 1 AS id, {expression} AS `{name}`",
            "settings": stage.settings(ledger=location, streams=[MAPPING]),
            "stream": "leads",
            "key": ["id"],
        }
        for name, expression in REFUSED.items()
    ]
    plain = {**MAPPING, "created_at": None, "fields": {"a": "{a}"}}
    odd = {
        "sql": "SELECT id, if(id = 1, double('NaN'), 1.5D) AS a, double('Infinity') AS unused FROM range(3)",
        "settings": stage.settings(
            ledger=location,
            max_reject_percent=100,
            streams=[{name: value for name, value in plain.items() if value is not None}],
        ),
        "stream": "leads",
        "key": ["id"],
        "tasks": 1,
    }
    with program(tmp_path, [*refusing, odd]) as running:
        running.ready()
        stops = dict(zip(REFUSED, (running.hear() for _ in REFUSED), strict=True))
        receipt = running.receipt()

    for name, stop in stops.items():
        assert stop["code"] == 2, name
        assert f"Column {name}: " in " ".join(stop["told"])
    assert (receipt["events"]["delivered"], receipt["events"]["invalid"]) == (2, 1)
    assert receipt["refusals"][0]["reason"].startswith("schema: /a")
