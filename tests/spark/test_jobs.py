"""A DataFrame's rows are delivered once, in order for each person, and accounted for, whatever dies meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.program import ROOT
from tests.spark.session import LEAD, PYTHON, leads, program, workers
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
        "text": {"key": "id", "partition_by": "person"},
        "number": {"tasks": True},
        "settings": {"settings": "settings.json"},
        "pivot": {"sql": "SELECT 1 AS id, TIMESTAMP_NTZ '2026-01-01 00:00:00' AS `ada@example.com`"},
        "twice": {"sql": "SELECT 1 AS id, 2 AS `ada@example.com`, 3 AS `Ada@example.com`"},
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
    assert told["text"] == " ".join(
        f'{name}: give a list of columns\' names, such as ["id"].' for name in ("key", "partition_by")
    )
    assert told["number"] == "tasks: give a whole number."
    assert "as a settings file has it" in told["settings"]
    looks = "a column whose name looks like an e-mail address"
    assert f"Column {looks}: a time without a zone" in told["pivot"]
    assert f"Column {looks}: two columns have this name" in told["twice"]
    assert "ada" not in told["pivot"] + told["twice"]
    assert "Column at: a time without a zone" in told["column"]
    assert "Column wait: interval day" in told["column"]
    assert "person" in told["mapping"]


def test_nothing_is_lost_when_a_worker_is_killed(stage: Stage, location: str, tmp_path: Path) -> None:
    """Its partition begins anew: what it had delivered is told apart, and what it had in flight is counted."""
    stage.wire.post("/_sandbox/faults", {"latency": 0.2})
    with program(tmp_path, [case(stage, location, sql=leads(600))]) as running:
        running.ready()
        until(lambda: len(stage.accepted()) > 150, seconds=120)
        os.kill(workers(running)[0], signal.SIGKILL)
        stage.wire.post("/_sandbox/faults", {"latency": 0.0})
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


def test_each_task_has_its_share_of_the_pace_and_a_token_of_its_own(
    stage: Stage, location: str, tmp_path: Path
) -> None:
    """All of them together are no more to the API than one run."""
    stage.wire.post("/_sandbox/faults", {"latency": 1.0})
    settings = case(stage, location)["settings"] | {"max_concurrency": 6}
    with program(tmp_path, [case(stage, location, settings=settings)]) as running:
        running.ready()
        until(lambda: stage.wire.counts()["max_concurrent_requests"] == 6, seconds=120)
        stage.wire.post("/_sandbox/faults", {"latency": 0.0})
        running.receipt()

    counts = stage.wire.counts()
    assert counts["max_concurrent_requests"] == 6
    assert counts["token_requests"] == 1 + 2  # before any task begins, whether the credentials are right


def test_columns_say_the_order_when_the_mapping_does_not(stage: Stage, location: str, tmp_path: Path) -> None:
    """One event in two partitions is delivered once all the same; without columns the log says there is no order."""
    mapping = {name: value for name, value in LEAD.items() if name not in {"person_id", "created_at"}}
    settings = case(stage, location)["settings"] | {"streams": [mapping]}
    rows = leads(300).replace("SELECT id", "SELECT -id AS turn, id")
    said: tuple[dict[str, list[str]], ...] = (
        {"partition_by": ["person"], "order_by": ["turn"]},
        {"partition_by": ["turn"], "order_by": ["id"]},
        {},
    )
    cases = [case(stage, location, sql=rows, settings=settings, **each) for each in said]
    with program(tmp_path, cases) as running:
        running.ready()
        first, second = running.receipt(), running.receipt()
        before = running.log.read_text(encoding="utf-8")
        running.receipt()
        after = running.log.read_text(encoding="utf-8")

    met: dict[str, list[int]] = defaultdict(list)
    for event in stage.accepted():
        met[event["fields"]["person"]].append(event["fields"]["id"])
    assert all(each == sorted(each, reverse=True) for each in met.values())
    assert (len(met), first["events"]["delivered"], second["events"]["already_delivered"]) == (50, 300, 300)
    no_order = "No order of a person's events is promised, since no mapping says person_id and created_at"
    assert (before.count(no_order), after.count(no_order)) == (0, 1)


def test_a_repeated_batch_of_a_stream_is_known(stage: Stage, location: str, tmp_path: Path) -> None:
    """The stream is begun again from the start, as if its checkpoint were lost."""
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(3):
        lines = [json.dumps({"id": number * 2 + row, "person": "p", "at": "2026-01-31"}) for row in (0, 1)]
        (folder / f"{number}.json").write_text("\n".join(lines), encoding="utf-8")
    told = {**case(stage, location), "folder": str(folder), "columns": "id BIGINT, person STRING, at STRING"}
    del told["sql"]
    streams = [{**told, "checkpoint": str(tmp_path / name)} for name in ("first", "second")]
    with program(tmp_path, streams) as running:
        running.ready()
        heard = [running.hear() for _ in range(8)]

    assert [each.get("ended", False) for each in heard] == [False, False, False, True] * 2
    assert sorted(numbers(stage.accepted())) == list(range(6))
    known = [each["receipt"]["events"]["already_delivered"] for each in heard if "receipt" in each]
    assert known == [0, 0, 0, 2, 2, 2]


def test_what_has_no_identity_is_sent_again_when_a_worker_is_killed(
    stage: Stage, location: str, tmp_path: Path
) -> None:
    """Nothing tells such an event from its repeat; the receipt says how many were delivered in all."""
    stage.wire.post("/_sandbox/faults", {"latency": 0.2})
    settings = case(stage, location)["settings"] | {"streams": [{**LEAD, "event_id": None}]}
    with program(tmp_path, [case(stage, location, sql=leads(600), settings=settings)]) as running:
        running.ready()
        until(lambda: len(stage.accepted()) > 150, seconds=120)
        os.kill(workers(running)[0], signal.SIGKILL)
        stage.wire.post("/_sandbox/faults", {"latency": 0.0})
        receipt = running.receipt()

    arrived = stage.accepted()
    assert {event["fields"]["id"] for event in arrived} == set(range(600))
    told = receipt["events"]["delivered"] + receipt["delivered_before"]
    assert 600 < told <= len(arrived) <= told + 8  # what was in flight is not counted, as after the kill of a run


def test_a_wrong_mapping_costs_ten_events_in_all(stage: Stage, location: str, tmp_path: Path) -> None:
    """And the job ends with what one task found."""
    stage.wire.post("/_sandbox/faults", {"refuse_sources": ["capture-1"]})
    with program(tmp_path, [case(stage, location, tasks=4)], master="local[4,4]") as running:
        running.ready()
        heard = running.hear()
    assert (heard["stop"], heard["code"]) == ("RejectsAboveLimit", 6)
    assert stage.wire.counts()["refused"] == 10
    assert "p1@example.com" not in json.dumps(heard) + running.log.read_text(encoding="utf-8")


def test_tasks_that_have_read_all_stop_with_the_job(stage: Stage, location: str, tmp_path: Path) -> None:
    """When one of them finds a capture that refuses everything, and when whoever started the job ends it."""
    stage.wire.post("/_sandbox/faults", {"refuse_sources": ["bad"], "latency": 0.1})
    bad = {**LEAD, "source_id": "bad", "when": {"person": "p0"}}
    settings = case(stage, location)["settings"] | {"max_concurrency": 2}
    rows = leads(1000).replace("SELECT id", "SELECT id % 50 AS turn, id")  # those of p0 come first
    by = {"partition_by": ["person"], "order_by": ["turn"]}
    refused = case(stage, location, sql=rows, settings=settings | {"streams": [bad, LEAD]}, **by)
    ended = case(stage, location, sql=rows, settings=settings, **by)
    with program(tmp_path, [refused, ended]) as running:
        running.ready()
        heard = running.hear()
        before = len(stage.accepted())
        until(lambda: len(stage.accepted()) > before + 20, seconds=120)
        running.process.send_signal(signal.SIGINT)
        running.process.wait(120)
        after = len(stage.accepted()) - before

    assert (heard["stop"], heard["code"]) == ("RejectsAboveLimit", 6)
    assert before < 300, "the other task went on"
    assert after < 300, "the tasks went on"
    config = stage.config(ledger=location, streams=[LEAD])
    reported = stage.finished("report", config, "--json").out.splitlines()
    assert [json.loads(each)["exit_code"] for each in reported] == [6, 130]


def test_what_was_refused_is_listed_and_sent_again(stage: Stage, location: str, tmp_path: Path) -> None:
    """Kept rows of a job are those of a run: the pipe reads them."""
    stage.wire.post("/_sandbox/faults", {"refuse_share": 0.2})
    settings = case(stage, location)["settings"] | {"max_reject_percent": 100}
    with program(tmp_path, [case(stage, location, settings=settings)]) as running:
        running.ready()
        receipt = running.receipt()
    rejected = receipt["events"]["rejected"]
    assert receipt["refusals"] == [{"mapping": "streams[0] (leads)", "reason": "status 422", "count": rejected}]

    stage.wire.post("/_sandbox/faults", {"refuse_share": 0.0})
    config = stage.config(ledger=location, streams=[LEAD])
    kept = stage.finished("rejects", config)
    assert kept.out.count('"RECORD"') == rejected > 10
    assert json.loads(stage.finished("report", config, "--json").out)["receipt"] == receipt
    delivered = stage.accepted()[0]["event_id"]
    assert stage.finished("trace", config, delivered).out.startswith("Delivered: ")
    again = stage.finished(config, given=kept.out.encode())
    assert again.code == 0, again.err
    assert sorted(numbers(stage.accepted())) == list(range(400))
    assert stage.finished("rejects", config).out == ""


def test_the_page_s_example_runs(stage: Stage, location: str, tmp_path: Path) -> None:
    """As it stands, but for where the sandbox and the ledger are."""
    page = (ROOT / "docs/spark.md").read_text(encoding="utf-8")
    code, settings = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)[0] for kind in ("python", "json"))
    told = json.loads(settings) | {"api_url": stage.wire.url, "ledger": location}
    (tmp_path / "settings.json").write_text(json.dumps(told), encoding="utf-8")
    ran = subprocess.run(
        [PYTHON, "-c", code + code],
        cwd=tmp_path,
        env={**os.environ, "PYSPARK_PYTHON": str(PYTHON), "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.stdout.splitlines() == ["1000 delivered", "0 delivered"], ran.stderr
    assert len(stage.accepted()) == 1000


def test_all_rows_are_delivered_when_spark_breaks_off_a_task(stage: Stage, location: str, tmp_path: Path) -> None:
    """Its rows seem to have come to their end; the next attempt reads them all."""
    stage.wire.post("/_sandbox/faults", {"latency": 0.2})
    rows = leads(1500).replace("SELECT id", "SELECT repeat('x', 20000) AS pad, id")
    mapping = {**LEAD, "fields": {"email": "{email}"}}
    settings = case(stage, location)["settings"] | {"streams": [mapping]}
    with program(tmp_path, [case(stage, location, sql=rows, settings=settings, tasks=1, breaks_off=True)]) as running:
        running.ready()
        until(lambda: len(stage.accepted()) > 200, seconds=120)
        (tmp_path / "break-off").touch()
        until(lambda: not (tmp_path / "break-off").exists())
        stage.wire.post("/_sandbox/faults", {"latency": 0.02})
        receipt = running.receipt()
    assert set(numbers(stage.accepted())) == set(range(1500))
    assert receipt["records"]["read"] == 1500
    assert receipt["delivered_before"] > 0, "it was not broken off"


def test_a_job_fails_when_its_tasks_get_no_ledger(stage: Stage, location: str, tmp_path: Path) -> None:
    """An executor may lack what the user's process has: here a server's name."""
    with program(tmp_path, [case(stage, location)], **{"spark.executorEnv.PGSSLMODE": "require"}) as running:
        running.ready()
        heard = running.hear()
    assert (heard.get("stop"), heard.get("code")) == ("TasksFailed", 4)


def test_what_is_odd_is_delivered_or_told(stage: Stage, location: str, tmp_path: Path) -> None:
    """Names with signs, a notebook's loop, many invalid rows, no rows; a value that Python does not have is named."""
    text = {**LEAD, "person_id": None, "created_at": "{at}", "fields": {"id": "{id}"}}
    mapping = {name: value for name, value in text.items() if value is not None}
    settings = case(stage, location)["settings"] | {"streams": [mapping], "max_reject_percent": 100}
    odd = {
        "signs": "SELECT id, 1 AS `a``b.c d`, timestamp_seconds(1700000000) AS at FROM range(5)",
        "invalid": "SELECT 100 + id AS id, if(id % 20 = 0, 'no time', '2026-01-31') AS at FROM range(400)",
        "none": "SELECT id, timestamp_seconds(1700000000) AS at FROM range(5) WHERE id > 9",
        "cased": "SELECT 1 AS id, 2 AS ID, timestamp_seconds(1700000000) AS at",
        "ordered": "SELECT 600 + id AS id, if(id < 20, 'no time', '2026-01-31') AS at FROM range(100)",
        "unordered": "SELECT id, map('a', id) AS m, timestamp_seconds(1700000000) AS at FROM range(5)",
        "far": "SELECT 900 AS id, timestamp_seconds(1700000000) AS at, array(date'0001-01-01' - INTERVAL 400 YEARS) AS"
        " `from`, map('valid_to', timestamp'9999-12-31 23:59:59Z' + INTERVAL 1 DAY) AS `to`",
        "lone": "SELECT 1000 + id AS id, if(id > 4, 'no time', '2026-01-31') AS at FROM range(100)",
        "many": "SELECT 2000 + id AS id, 'no time' AS at FROM range(2500)",
        "bytes": "SELECT 1200 AS id, timestamp_seconds(1700000000) AS at, CAST(X'ff' AS STRING) AS `ada@example.com`",
    }
    by: dict[str, dict[str, Any]] = {"ordered": {"order_by": ["id"]}, "unordered": {"order_by": ["m"]}}
    by["many"] = {"settings": settings | {"max_reject_percent": 99}}
    by["far"] = {"settings": settings | {"streams": [{**mapping, "fields": "*"}]}}
    cases = [
        case(stage, location, **{"sql": sql, "settings": settings, "has_a_loop": True, **by.get(name, {})})
        for name, sql in odd.items()
    ]
    with program(tmp_path, cases, **{"spark.sql.session.timeZone": "GMT-2"}) as running:
        running.ready()
        heard = dict(zip(odd, (running.hear() for _ in odd), strict=True))
    assert heard["signs"]["receipt"]["events"]["delivered"] == 5
    assert (heard["invalid"]["receipt"]["events"]["delivered"], heard["invalid"]["receipt"]["events"]["invalid"]) == (
        380,
        20,
    )
    assert heard["none"]["receipt"]["records"]["read"] == 0
    assert "two columns have this name" in " ".join(heard["cased"]["told"])
    assert heard["ordered"]["receipt"]["events"]["delivered"] == 80, "ten invalid rows came first"
    assert heard["unordered"]["code"] == 2
    assert "Spark cannot deal these rows out (DATATYPE_MISMATCH" in " ".join(heard["unordered"]["told"])
    (far,) = [event["fields"] for event in stage.accepted() if event["fields"]["id"] == 900]
    assert (far["to"], far["from"]) == ({"valid_to": "+10000-01-01T23:59:59+00:00"}, ["-00399-01-01"])
    events = heard["lone"]["receipt"]["events"]
    assert (events["delivered"], events["invalid"]) == (5, 95), "some tasks had nothing but invalid rows"
    assert heard["many"]["code"] == 6
    assert "The first 1,000 records of stream leads are all invalid" in " ".join(heard["many"]["told"])
    assert heard["bytes"]["stop"] == "TasksFailed"
    log = running.log.read_text(encoding="utf-8")
    assert "in these columns: a column whose name looks like an e-mail address." in log
    assert "ada@example.com" not in log.replace("`ada@example.com`", "")
