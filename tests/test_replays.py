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
from tests.stage import LEADS, Stage, record, schema, staged

BAD = 7
"""No text, as the SCHEMA wants one."""
LENIENT = {"max_reject_percent": 100}
_REFUSED = {**LEADS, "source_id": "closed"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A sandbox, and a ledger beside it."""
    with staged(tmp_path, refuse_sources=("closed",)) as ready:
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


AGED = schema(properties={"id": {"type": "integer"}, "email": {"type": "string"}, "age": {"type": "integer"}})
ADA = {"email": "ada@example.com"}


def test_its_row_goes_when_a_record_that_was_mended_by_hand_is_delivered(stage: Stage) -> None:
    """It has the same key properties, and is about the same person, as what a tap would bring."""
    stage.run(AGED, record(1, **ADA, age="x"), record(2, **ADA, age="x"), **LENIENT)

    done = stage.run(AGED, _from(_rows(stage)[1], 1, **ADA, age=36), **LENIENT)

    assert [event["event_id"] for event in done.events] == ["leads:1"]
    assert set(_rows(stage)) == {2}
    assert "driftrock_row" not in done.log


def test_its_row_stays_when_it_is_mended_into_another_person_s(stage: Stage) -> None:
    """Even where only an address had a slip, since nobody can tell; and once more, where it is known already."""
    stage.run(schema(), record(1, email="ada@exmaple.com"), streams=[_REFUSED], **LENIENT)
    row = _rows(stage)[1]

    for _ in range(2):
        done = stage.run(schema(), _from(row, 1, email="ada@example.com"), **LENIENT)
        assert "WARNING 1 kept row left as before" in done.log

    assert len(done.events) == 1
    assert _rows(stage) == {1: row}


def test_a_record_stays_as_it_was_read_when_it_is_refused_again_after_an_edit(stage: Stage) -> None:
    """An edit that went wrong must not be all that is left of a lead; nor does that go with whom the edit is about."""
    streams = [{**_REFUSED, "event_id": "{email}"}]
    stage.run(schema(), record(1, email="ada@example.com"), streams=streams, **LENIENT)
    row = _rows(stage)[1]

    done = stage.run(schema(), _from(row, 1, email="bob@example.com"), streams=streams, **LENIENT)
    assert "WARNING 1 kept row left as before" in done.log
    assert len(stage.kept()) == 2

    stage.wire.post("/_sandbox/faults", {"refuse_sources": []})
    stage.run(schema(), record(2, email="bob@example.com"), streams=streams, **LENIENT)
    ((_, _, line),) = stage.kept()
    assert json.loads(line)["record"]["email"] == "ada@example.com"


FAN_OUT: dict[str, Any] = {
    "stream_maps": {"leads": {}, "more": {"__source__": "leads"}},
    "streams": [{**LEADS, "fields": {"email": "{email}"}}, {**LEADS, "stream": "more", "fields": {"age": "{age}"}}],
}


def test_a_refused_part_stays_when_its_record_is_read_twice(stage: Stage) -> None:
    """The other part was delivered, first and again."""
    stage.run(AGED, record(1, **ADA, age="x"), record(1, **ADA, age="x"), **FAN_OUT, **LENIENT)

    assert [event["event_id"] for event in stage.accepted()] == ["leads:1"]
    assert len(stage.kept()) == 1


def test_a_refused_part_stays_when_both_rows_of_its_record_are_sent_again(stage: Stage) -> None:
    """One part is delivered then, and the other one is not."""
    stage.run(AGED, record(1, **ADA, age="x"), streams=[{**FAN_OUT["streams"][0], "source_id": "closed"}], **LENIENT)
    closed = [{**each, "source_id": "closed"} for each in FAN_OUT["streams"]]
    stage.run(AGED, record(1, **ADA, age="x"), **{**FAN_OUT, "streams": closed}, **LENIENT)
    with closing(sqlite3.connect(stage.folder / "ledger" / "ledger.sqlite3")) as ledger:
        rows = [key.hex() for (key,) in ledger.execute("SELECT key FROM kept ORDER BY first_at")]
    assert len(rows) == 2

    stage.wire.post("/_sandbox/faults", {"refuse_sources": []})
    stage.run(AGED, *(_from(row, 1, **ADA, age="x") for row in rows), **{**FAN_OUT, "streams": closed}, **LENIENT)

    assert [event["event_id"] for event in stage.accepted()] == ["leads:1"]
    assert [reason for _, reason, _ in stage.kept()] == ["schema: /age: type"]


def test_a_record_stays_when_another_has_the_identity_that_it_had(stage: Stage) -> None:
    """Its mended identity was refused again in the row of the old one, which the other record's own row would be."""
    by_age = {**_REFUSED, "fields": {"email": "{email}"}, "event_id": "{age}"}
    stage.run(AGED, record(5, **ADA, age=9), streams=[{**by_age, "event_id": "{id}"}], **LENIENT)
    row = _rows(stage)[5]
    mended = [{**by_age, "formerly": {"event_id": "{id}"}}]

    stage.run(AGED, _from(row, 5, **ADA, age=9), streams=mended, **LENIENT)
    assert _rows(stage) == {5: row}
    stage.run(AGED, record(8, **ADA, age=5), streams=mended, **LENIENT)

    assert _rows(stage).keys() == {5, 8}


def test_another_s_record_stays_when_an_edit_makes_its_event(stage: Stage) -> None:
    """What no mapping takes today one may take tomorrow."""
    streams = [{**_REFUSED, "fields": {"email": "{email}"}}]
    bob = {"email": "bob@example.com", "age": 2}
    stage.run(AGED, record(1, **ADA, age=1), record(2, **bob), streams=streams, **LENIENT)

    stage.run(AGED, _from(_rows(stage)[1], 2, **bob | {"age": 1}), streams=streams, **LENIENT)

    records = [json.loads(line)["record"] for _, _, line in stage.kept()]
    assert {"id": 2, **bob} in records
    assert len(records) == 3


def test_a_row_stays_when_the_end_of_its_lines_was_not_read(stage: Stage) -> None:
    """A further one may bear its key."""
    stage.run(schema(), record(1, email=BAD), **LENIENT)
    row = _rows(stage)[1]
    mended = schema(properties={"id": {"type": "integer"}, "email": {}})

    stage.run(mended, _from(row, 1, email=BAD), b"no JSON\n", **LENIENT)
    assert _rows(stage) == {1: row}
    stage.run(mended, _from(row, 1, email=BAD), **LENIENT)
    assert _rows(stage) == {}


def test_another_s_row_stays_when_lines_were_swapped(stage: Stage) -> None:
    """Under a key that is too short, in either order, whatever becomes of the other one."""
    streams = [{**LEADS, "event_id": "{email}", "fields": {"email": "{email}"}}]
    short = {"type": "SCHEMA", "stream": "leads", "schema": AGED["schema"], "key_properties": ["age"]}
    leads = {1: "ada@example.com", 2: "bob@example.com"}
    shut = [{**streams[0], "source_id": "closed"}]
    stage.run(short, *(record(each, email=email, age=7) for each, email in leads.items()), streams=shut, **LENIENT)
    rows = _rows(stage)
    when = [{**shut[0], "when": {"email": leads[1]}}, {**streams[0]}]

    lines = [_from(rows[3 - each], each, email=email, age=7) for each, email in leads.items()]
    done = stage.run(short, *lines, streams=when, **LENIENT)

    assert [event["event_id"] for event in done.events] == [leads[2]]
    assert 1 in _rows(stage)


@pytest.mark.parametrize("mended", ["ada@example.com", BAD], ids=["delivered", "refused"])
def test_it_is_said_when_a_record_bears_the_key_of_another_s_row(stage: Stage, mended: Any) -> None:
    """The row stays, and somebody has to say what it is."""
    stage.run(schema(), record(1, email=BAD), **LENIENT)

    done = stage.run(schema(), _from(_rows(stage)[1], 2, email=mended), **LENIENT)

    assert 1 in _rows(stage)
    assert "WARNING 1 kept row" in done.log
    assert "target-driftrock rejects --delete --row" in done.log


def test_both_stay_when_a_record_is_refused_beside_another_that_bears_its_key(stage: Stage) -> None:
    """In one transaction, too."""
    stage.run(schema(), record(1, email=BAD), **LENIENT)
    row = _rows(stage)[1]

    stage.run(schema(), _from(row, 2, email=BAD), _from(row, 1, email=BAD), **LENIENT)

    assert _rows(stage).keys() == {1, 2}


def test_a_row_stays_when_its_record_is_refused_beside_one_that_was_mended(stage: Stage) -> None:
    """Two lines of one row, of which nobody can say which is meant: what was refused is not let go."""
    stage.run(schema(), record(1, email=BAD), **LENIENT)
    row = _rows(stage)[1]

    stage.run(schema(), _from(row, 1, email="ada@example.com"), _from(row, 1, email=BAD), **LENIENT)

    assert _rows(stage) == {1: row}
