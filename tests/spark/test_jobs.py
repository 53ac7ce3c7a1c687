"""A DataFrame's rows are delivered once, in order for each person, and accounted for, whatever dies meanwhile."""

from __future__ import annotations

import json
import os
import signal
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.spark.session import LEAD, leads, program, workers
from tests.stage import Stage
from tests.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.spark]


def numbers(events: Iterable[Any]) -> list[int]:
    """Which rows these events are of, in the order of their arrival."""
    return [int(event["event_id"].partition(":")[2]) for event in events]


def in_order(events: Iterable[Any]) -> bool:
    """Whether each person's events arrived in the order of their times, whatever was repeated."""
    met: dict[str, list[int]] = defaultdict(list)
    for event in events:
        number = int(event["event_id"].partition(":")[2])
        if number not in met[event["person_id"]]:
            met[event["person_id"]].append(number)
    return all(each == sorted(each) for each in met.values())


def case(stage: Stage, location: str, **others: Any) -> dict[str, Any]:
    """What a program delivers, unless something else is said."""
    settings = stage.settings(ledger=location, streams=[LEAD])
    return {"sql": leads(400), "settings": settings, "stream": "leads", "key": ["id"], "tasks": 2, **others}


def test_a_dataframe_is_delivered_once(stage: Stage, location: str, tmp_path: Path) -> None:
    """A second time all is known, and a settings error comes before any task begins."""
    wrong = {
        "directory": {"settings": case(stage, str(tmp_path / "ledger"))["settings"]},
        "stream_maps": {"settings": case(stage, location)["settings"] | {"stream_maps": {"leads": {}}}},
        "tasks": {"tasks": 100},
        "key": {"key": ["no_such"]},
        "column": {"sql": "SELECT 1 AS id, TIMESTAMP_NTZ '2026-01-01 00:00:00' AS at, INTERVAL 1 DAY AS wait"},
        "mapping": {"sql": "SELECT 1 AS id"},
    }
    cases = [case(stage, location), case(stage, location), *(case(stage, location, **each) for each in wrong.values())]
    with program(tmp_path, cases) as running:
        running.ready()
        first, second = running.receipt(), running.receipt()
        refused = {name: running.hear() for name in wrong}

    assert sorted(numbers(stage.accepted())) == list(range(400))
    assert in_order(stage.accepted())
    assert (first["records"]["read"], first["events"]["delivered"]) == (400, 400)
    assert (second["events"]["made"], second["events"]["already_delivered"]) == (400, 400)
    assert {(name, each["code"]) for name, each in refused.items()} == {(name, 2) for name in wrong}
    told = {name: " ".join(each["told"]) for name, each in refused.items()}
    assert "must be in PostgreSQL" in told["directory"]
    assert "stream_maps: they are for a tap's records" in told["stream_maps"]
    assert "tasks must be 1 to 16" in told["tasks"]
    assert "no column no_such" in told["key"]
    assert "Column at: a time without a zone" in told["column"]
    assert "Column wait: interval day" in told["column"]
    assert "person" in told["mapping"]


def test_nothing_is_lost_when_a_worker_is_killed(stage: Stage, location: str, tmp_path: Path) -> None:
    """Its partition begins anew: what it had delivered is told apart, and what it had in flight is counted."""
    stage.wire.post("/_sandbox/faults", {"latency": 0.02})
    with program(tmp_path, [case(stage, location, sql=leads(600))]) as running:
        running.ready()
        until(lambda: len(stage.accepted()) > 150, seconds=120)
        os.kill(workers(running)[0], signal.SIGKILL)
        receipt = running.receipt()

    arrived = numbers(stage.accepted())
    assert set(arrived) == set(range(600))
    repeats = len(arrived) - 600
    assert repeats <= 8  # what one of two tasks has in flight
    assert repeats <= receipt["answers_lost"] <= 16  # and as many had an intent, ahead of their slots
    assert in_order(stage.accepted())
    events = receipt["events"]
    assert receipt["records"]["read"] == events["made"] == 600
    assert (
        events["delivered"] + receipt["delivered_before"]
        == events["made"]
        == events["delivered"] + events["already_delivered"]
    )
    assert receipt["delivered_before"] > 0


def test_a_wrong_mapping_costs_ten_events_in_all(stage: Stage, location: str, tmp_path: Path) -> None:
    """And the job ends with what one task found."""
    stage.wire.post("/_sandbox/faults", {"refuse_sources": ["capture-1"]})
    with program(tmp_path, [case(stage, location)]) as running:
        running.ready()
        heard = running.hear()
    assert (heard["stop"], heard["code"]) == ("RejectsAboveLimit", 6)
    assert "p1@example.com" not in json.dumps(heard) + running.log.read_text(encoding="utf-8")
