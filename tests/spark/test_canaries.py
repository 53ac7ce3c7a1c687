"""What Spark itself writes down of a job: no value of a row and no secret, however much it is asked to tell."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

import pytest

from tests.canaries.values import PERSONAL, SECRETS, found
from tests.program import ROOT
from tests.spark.session import PYTHON, end_sessions, program, workers
from tests.stage import Stage
from tests.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.spark]

TALKATIVE = {
    "spark.sql.ui.explainMode": "extended",
    "spark.sql.planChangeLog.level": "WARN",
    "spark.sql.debug.maxToStringFields": "100",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.rolling.enabled": "false",
    "spark.eventLog.compress": "false",
    "spark.eventLog.logStageExecutorMetrics": "true",
    "spark.ui.enabled": "true",
    "spark.ui.port": "0",
    "spark.python.worker.faulthandler.enabled": "true",
}
PAGES = (
    "jobs/",
    "stages/",
    "storage/",
    "environment/",
    "executors/",
    "SQL/",
    "SQL/execution/?id=0",
    "SQL/execution/?id=1",
)
CANARIES = {**PERSONAL, **SECRETS}


def case(stage: Stage, location: str, folder: Path, **others: Any) -> dict[str, Any]:
    """A job over rows of canaries, which lie in a file: what a query says, Spark shows."""
    rows = folder / "rows.json"
    rows.write_text(
        "".join(
            json.dumps({**PERSONAL, "id": number, "email": f"{number}.{PERSONAL['email']}"}, ensure_ascii=False) + "\n"
            for number in range(200)
        ),
        encoding="utf-8",
    )
    url = location.replace("postgres@", f"postgres:{quote(SECRETS['password'], safe='')}@")
    mapping = {
        "stream": "leads",
        "event_type": "lead",
        "source_id": "capture-1",
        "event_name": "{name}",
        "person_id": "{person}-{id}",
        "fields": "*",
    }
    settings = stage.settings(
        ledger=url,
        streams=[mapping],
        client_id=SECRETS["client_id"],
        client_secret=SECRETS["client_secret"],
    )
    return {"json": str(rows), "settings": settings, "stream": "leads", "key": ["id"], "tasks": 2, **others}


def pages(url: str) -> Iterator[bytes]:
    """What Spark's own server shows while a job lasts."""
    for page in PAGES:
        with suppress(HTTPError), urllib.request.urlopen(f"{url}/{page}", timeout=30) as answer:  # noqa: S310 - our own
            yield answer.read()


def test_no_value_and_no_secret_is_seen(stage: Stage, location: str, tmp_path: Path) -> None:
    """In event log, pages, and the logs of driver and workers, through a job that ends well, and one that does not."""
    events = tmp_path / "events"
    events.mkdir()
    stage.wire.post("/_sandbox/faults", {"latency": 0.3})
    cases = [case(stage, location, tmp_path), case(stage, location, tmp_path, key=[])]
    conf = {**TALKATIVE, "spark.eventLog.dir": f"file://{events}"}
    with program(tmp_path, cases, log_level="INFO", **conf) as running:
        url = running.ready()
        until(lambda: len(stage.accepted()) > 20, seconds=120)
        assert end_sessions(workers(running))
        shown = list(pages(url))
        stage.wire.post("/_sandbox/faults", {"latency": 0.0})
        running.receipt()
        running.hear()
    written = [each.read_bytes() for each in (running.log, *events.rglob("*")) if each.is_file()]
    told = b"".join(written)

    assert len(stage.accepted()) >= 200
    assert b"TaskFailed" in told, "no task has failed"
    assert b"mapInArrow" in told or b"MapInArrow" in told, "no plan was shown"
    assert any(b"mapInArrow" in each or b"MapInArrow" in each for each in shown), "no page shows the job"
    assert [sorted(found(each, CANARIES)) for each in (*written, *shown, json.dumps(running.heard).encode())] == [
        [] for _ in range(len(written) + len(shown) + 1)
    ]


BROKEN = """
import sys, traceback
import pyarrow as pa
from pyspark.sql import types
from target_driftrock.spark.rows import ROW, Stream
from target_driftrock.spark.task import Job

value = sys.stdin.read()
row = types.StructType([types.StructField("pairs", types.MapType(types.StringType(), types.StringType()))])
mapping = {"stream": "leads", "event_type": "lead", "source_id": "c", "event_id": None, "fields": "*"}
settings = {"environment": "sandbox", "ledger": "postgresql://localhost/x", "streams": [mapping]}
stream = Stream(settings=settings, name="leads", schema={}, key=(), row=row)
rows = pa.array([{"pairs": {value: 1}}], pa.struct([("pairs", pa.struct([(value, pa.int64())]))]))

for work in (stream.lines, Job(stream=stream, run=1, tasks=1).deliver):
    try:
        list(work(iter([pa.RecordBatch.from_arrays([rows], names=[ROW])])))
    except Exception as error:
        print(type(error).__name__, error.__cause__, error.__context__)
        traceback.print_exc(file=sys.stdout)
"""


def test_a_defect_of_ours_shows_no_value() -> None:
    """Spark prints whatever leaves a task: here one whose rows are not of the type that its job was told."""
    ran = subprocess.run(
        [PYTHON, "-c", BROKEN],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        input=PERSONAL["email"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.count("TaskFailed None None") == 2, ran.stderr
    assert ran.stdout.count("A defect of target-driftrock") == 1
    assert " in Stream._lines" in ran.stdout
    assert not found((ran.stdout + ran.stderr).encode(), CANARIES)


def test_a_leak_would_be_seen(tmp_path: Path) -> None:
    """What the search finds in the forms that Spark writes."""
    planted = tmp_path / "events"
    planted.write_text(json.dumps({"Description": f"java.lang.Error: {PERSONAL['email']}"}), encoding="utf-8")
    assert found(planted.read_bytes(), CANARIES) == {"email"}
