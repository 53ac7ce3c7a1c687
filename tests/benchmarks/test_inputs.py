"""The benchmarks' input: what everybody posts is the same event, and the troubles lie where they are said to lie."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

from benchmarks import inputs
from tests.stage import staged


def _records(lines: list[str]) -> list[dict[str, object]]:
    return [message["record"] for message in map(json.loads, lines) if message["type"] == "RECORD"]


def test_rivals_and_load_generators_post_what_the_target_posts(tmp_path: Path) -> None:
    """The body made for them is the target's, attribute by attribute."""
    with staged(tmp_path) as stage:
        target = stage.target(streams=[inputs.MAPPING])
        code = target.run(io.BytesIO("".join(inputs.messages([inputs.typical()])).encode()))
        shown = stage.wire.send("GET", "/_sandbox/arrivals?limit=1", {}).body

    assert code == 0
    assert json.loads(shown)[0]["event"] == json.loads(inputs.body(inputs.typical()))


def test_a_state_comes_after_so_many_records() -> None:
    """A tap of the benchmarks says STATE as a real one does."""
    kinds = Counter(json.loads(line)["type"] for line in inputs.messages(inputs.leads(25), state_every=10))

    assert kinds == {"SCHEMA": 1, "RECORD": 25, "STATE": 2}


def test_a_row_of_one_person_lies_among_all_the_others() -> None:
    """Every other record is there once, and the row in one piece after the first of them."""
    records = list(inputs.with_a_row_of_one(10, row=3, at=4))

    assert [record["person"] for record in records[4:7]] == ["one"] * 3
    assert sorted(record["serial"] for record in records) == list(range(1, 14))
    assert [inputs.MARKER in record.values() for record in records] == [False] * 4 + [True] * 3 + [False] * 6


def test_one_record_is_marked_where_it_is_said() -> None:
    """The poisoned one is the third, and there is no other."""
    records = inputs.leads(5, note=lambda serial: inputs.MARKER if serial == 3 else None)

    assert [record["serial"] for record in records if inputs.MARKER in record.values()] == [3]


def test_the_schema_changes_after_so_many_records() -> None:
    """Each SCHEMA differs from the one before."""
    lines = list(inputs.messages(inputs.leads(21), schema_every=10))
    schemas = [line for line in lines if json.loads(line)["type"] == "SCHEMA"]

    assert len(_records(lines)) == 21
    assert len(set(schemas)) == 3


def test_a_large_record_makes_an_event_that_the_api_takes() -> None:
    """A megabyte of text, and less than the API's mebibyte in all."""
    (record,) = inputs.large(1)

    assert inputs.LARGE_BYTES < len(inputs.body(record)) < 2**20
