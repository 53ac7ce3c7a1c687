"""What is sent again from the kept rows takes its own row along, and no other."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from target_driftrock.errors import ExitCode
from tests.stage import Stage, record, schema, staged

BAD = 7
"""No text, as the SCHEMA wants one."""
LENIENT = {"max_reject_percent": 100}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A sandbox, and a ledger beside it."""
    with staged(tmp_path) as ready:
        yield ready


def _rows(stage: Stage) -> dict[int, str]:
    """The key of each kept row, by its record's id."""
    with closing(sqlite3.connect(stage.folder / "ledger" / "ledger.sqlite3")) as ledger:
        found = ledger.execute("SELECT key, record FROM kept").fetchall()
    return {json.loads(line)["record"]["id"]: key.hex() for key, line in found}


def _from(row: str, number: int, **values: Any) -> dict[str, Any]:
    return {**record(number, **values), "driftrock_row": row}


def test_its_row_goes_when_a_record_is_delivered_after_all(stage: Stage) -> None:
    """With the SCHEMA mended, the very record is right."""
    stage.run(schema(), record(1, email=BAD), record(2, email=BAD), **LENIENT)
    mended = schema(properties={"id": {"type": "integer"}, "email": {}})

    done = stage.run(mended, _from(_rows(stage)[1], 1, email=BAD), **LENIENT)

    assert (done.code, [event["event_id"] for event in done.events]) == (ExitCode.RESOLVED, ["leads:1"])
    assert set(_rows(stage)) == {2}


@pytest.mark.parametrize("number", [pytest.param(2, id="kept-itself"), pytest.param(3, id="never-kept")])
def test_another_s_row_stays_when_a_delivered_record_bears_its_key(stage: Stage, number: int) -> None:
    """A line that was put together by hand must not take away what was never delivered."""
    stage.run(schema(), record(1, email=BAD), record(2, email=BAD), **LENIENT)
    mended = schema(properties={"id": {"type": "integer"}, "email": {}})

    done = stage.run(mended, _from(_rows(stage)[1], number, email=BAD), **LENIENT)

    assert [event["event_id"] for event in done.events] == [f"leads:{number}"]
    assert 1 in _rows(stage)


@pytest.mark.parametrize("number", [pytest.param(2, id="kept-itself"), pytest.param(3, id="never-kept")])
def test_another_s_row_stays_when_a_refused_record_bears_its_key(stage: Stage, number: int) -> None:
    """What is refused again is kept in a row of its own, not over another's."""
    stage.run(schema(), record(1, email=BAD), record(2, email=BAD), **LENIENT)

    stage.run(schema(), _from(_rows(stage)[1], number, email=BAD), **LENIENT)

    assert set(_rows(stage)) == {1, 2, number}


def test_its_row_stays_under_its_key_when_a_record_that_is_no_json_is_refused_again(stage: Stage) -> None:
    """Such a line is marked at its end; it is the same record all the same."""
    line = b'{"type": "RECORD", "stream": "leads", "record": {"id": 1, "email": NaN}}'
    stage.run(schema(), line + b"\n", **LENIENT)
    with closing(sqlite3.connect(stage.folder / "ledger" / "ledger.sqlite3")) as ledger:
        ((key,),) = ledger.execute("SELECT key FROM kept").fetchall()
    again = line.removesuffix(b"}") + b',"driftrock_row":"' + key.hex().encode() + b'"}'

    stage.run(schema(), again + b"\n", **LENIENT)

    with closing(sqlite3.connect(stage.folder / "ledger" / "ledger.sqlite3")) as ledger:
        assert ledger.execute("SELECT key FROM kept").fetchall() == [(key,)]
