"""`make acceptance-spark`: jobs on Spark whose processes are killed, and `docs/spark-faults.md` written of it.

Each trial has a sandbox in a process of its own, a ledger of its own, and two executors in processes of their own. What
is counted is what the sandbox received.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from benchmarks.page import commit
from tests.contract.places import new_schema, server
from tests.faults.page import machine
from tests.faults.witness import Witness, out_of_order, twice
from tests.program import ROOT, serving
from tests.spark.session import (
    LEAD,
    PYTHON,
    Program,
    command_line,
    demand,
    end_group,
    end_sessions,
    group,
    program,
    workers,
)
from tests.waiting import until

CLUSTER = "local-cluster[2,1,1024]"
TASKS, CONCURRENCY = 2, 16
SHARE = CONCURRENCY // TASKS
PAGE = ROOT / "docs/spark-faults.md"
PATIENCE = 600.0
COUNTED: Mapping[str, Any] = {
    **LEAD,
    "event_id": "{event}",
    "fields": {"serial": "{id}", "email": "{person}@example.com"},
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What came of one trial."""

    lost: int
    twice: int
    uncounted: int
    unknown: int
    out_of_order: int
    happened: int
    """Kills, or what else the fault is."""
    broken: Sequence[str]
    seconds: float


@dataclass(kw_only=True)
class Trial:
    """One job, or one that is run again until it has delivered all."""

    folder: Path
    rows: int
    location: str
    url: str
    witness: Witness
    query: Callable[[int], str]
    options: Mapping[str, Any] = field(default_factory=dict)
    happened: int = 0
    receipts: list[dict[str, Any]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @contextmanager
    def job(
        self, source: Mapping[str, Any] | None = None, /, *, master: str = CLUSTER, **conf: str
    ) -> Iterator[Program]:
        """It at work, with rows from another source than a query, if one is given."""
        case = {
            **(source or {"sql": self.query(self.rows)}),
            "settings": {
                "environment": "sandbox",
                "api_url": self.url,
                "ledger": self.location,
                "max_concurrency": CONCURRENCY,
                "max_reject_percent": 100,
                "streams": [COUNTED],
            },
            "stream": "leads",
            "key": ["id"],
            "tasks": TASKS,
            **self.options,
        }
        with program(self.folder, [case], master=master, **conf) as running:
            running.ready()
            yield running

    def arrived(self) -> int:
        """So far."""
        return len(self.witness.accepted())

    @property
    def is_at_work(self) -> bool:
        """Whether something is left to deliver."""
        return self.arrived() < self.rows

    def wait_for(self, share: float) -> None:
        """Until so much of it has arrived."""
        until(lambda: self.arrived() >= share * self.rows, seconds=PATIENCE)

    def finish(self, running: Program) -> None:
        """Wait for its receipt."""
        self.receipts.append(running.receipt())

    def finding(self, *, expected: int | None = None, delivered: int | None = None) -> Finding:
        """Judge what the sandbox received; `expected` events, of which `delivered` once each."""
        accepted = self.witness.accepted()
        ids = {arrival.event_id for arrival in accepted}
        repeats = sum(twice(accepted).values()) + self._of_other_content(accepted)
        with server() as connection:
            connection.execute(f"SET search_path = {self.location.partition('schema=')[2]}")
            (unknown,) = connection.execute("SELECT coalesce(sum(lost), 0) FROM unknown").fetchone() or (0,)
        lost = (self.rows if delivered is None else delivered) - len(ids)
        return Finding(
            lost=lost,
            twice=repeats,
            uncounted=max(0, repeats - int(unknown)),
            unknown=int(unknown),
            out_of_order=len(out_of_order(accepted)),
            happened=self.happened,
            broken=list(self._broken(lost, repeats, int(unknown), self.rows if expected is None else expected)),
            seconds=time.monotonic() - self.began,
        )

    def _of_other_content(self, accepted: Sequence[Any]) -> int:
        """One event, of two rows: each content was sent."""
        return len({(each.event_id, each.serial) for each in accepted}) - len({each.event_id for each in accepted})

    def _broken(self, lost: int, repeats: int, unknown: int, expected: int) -> Iterator[str]:
        if lost:
            yield f"{lost} events are lost"
        if repeats > unknown:
            yield f"{repeats} repeats, of which {unknown} were counted"
        if repeats > SHARE * max(1, self.happened) * TASKS:
            yield f"{repeats} repeats, after {self.happened} kills"
        if late := out_of_order(self.witness.accepted()):
            yield f"events of {len(late)} persons are out of order"
        last = self.receipts[-1]
        events = last["events"]
        if last["records"]["read"] != expected:
            yield f"the receipt tells of {last['records']['read']} rows of {expected}"
        if sum(count for name, count in events.items() if name != "made") != events["made"]:
            yield "the receipt does not close"
        if not self.happened:
            yield "the fault did not happen"


Play = Callable[[Trial, float], Finding]


def leads(rows: int) -> str:
    """Rows in no order, of one person for each twenty."""
    person = f"concat('p', id % {max(1, rows // 20)})"
    return (
        f"SELECT id, id AS event, {person} AS person, timestamp_seconds(1700000000 + id) AS at "  # noqa: S608
        f"FROM range({rows}) ORDER BY hash(id)"
    )


def kill(trial: Trial, pids: Sequence[int]) -> None:
    """With -9, while there is something left to deliver."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    trial.happened += len(pids) * trial.is_at_work


def java(running: Program, word: str) -> list[int]:
    """The Java processes of a program that were started so."""
    return [pid for pid in group(running.process.pid) if f" {word} " in f"{command_line(pid)} "]


def worker(trial: Trial, share: float) -> Finding:
    """A Python worker."""
    with trial.job() as running:
        trial.wait_for(share)
        kill(trial, workers(running)[:1])
        trial.finish(running)
    return trial.finding()


def worker_twice(trial: Trial, share: float) -> Finding:
    """The worker of a partition, and the one of its next attempt."""
    with trial.job() as running:
        for more in (0.0, 0.2):
            trial.wait_for(share / 2 + more)
            until(lambda: len(workers(running)) == TASKS, seconds=PATIENCE)
            kill(trial, workers(running)[-1:])
        trial.finish(running)
    return trial.finding()


def executor(trial: Trial, share: float) -> Finding:
    """An executor's Java: its Python workers are orphans, and may write on for a while."""
    with trial.job() as running:
        trial.wait_for(share)
        kill(trial, java(running, "org.apache.spark.executor.CoarseGrainedExecutorBackend")[:1])
        trial.finish(running)
    return trial.finding()


def driver(trial: Trial, share: float) -> Finding:
    """The user's own process; the job is run again at once, while its orphans may live."""
    with trial.job() as killed:
        trial.wait_for(share)
        kill(trial, [killed.process.pid])
        with trial.job() as running:
            trial.finish(running)
    return trial.finding()


def driver_and_java(trial: Trial, share: float) -> Finding:
    """The user's process and its Java at once: nobody tells the executors."""
    with trial.job() as killed:
        trial.wait_for(share)
        kill(trial, [killed.process.pid, *java(killed, "org.apache.spark.deploy.SparkSubmit")])
        with trial.job() as running:
            trial.finish(running)
    return trial.finding()


def session(trial: Trial, share: float) -> Finding:
    """A task's session at the ledger's server."""
    with trial.job() as running:
        trial.wait_for(share)
        trial.happened += end_sessions(workers(running)[:1]) * trial.is_at_work
        trial.finish(running)
    return trial.finding()


def speculation(trial: Trial, _: float) -> Finding:
    """A slow task gets a copy on another host, which waits until the first one is done."""
    log = trial.folder / "events"
    log.mkdir()
    with (
        standalone(trial.folder) as master,
        trial.job(
            master=master,
            **{
                "spark.speculation": "true",
                "spark.speculation.quantile": "0.1",
                "spark.speculation.multiplier": "1.1",
                "spark.executor.memory": "700m",
                "spark.eventLog.enabled": "true",
                "spark.eventLog.dir": f"file://{log}",
                "spark.eventLog.rolling.enabled": "false",
                "spark.eventLog.compress": "false",
            },
        ) as running,
    ):
        trial.finish(running)
    told = "".join(each.read_text(encoding="utf-8") for each in log.rglob("*") if each.is_file())
    trial.happened += sum(
        json.loads(line).get("Task Info", {}).get("Speculative", False)
        for line in told.splitlines()
        if '"SparkListenerTaskStart"' in line
    )
    return trial.finding()


def skewed(rows: int) -> str:
    """A third of all rows is one person's, whose events go one after the other."""
    return (
        f"SELECT id, id AS event, if(id % 3 = 0, 'slow', concat('p', id)) AS person, "  # noqa: S608
        f"timestamp_seconds(1700000000 + id) AS at FROM range({rows})"
    )


def opposite(rows: int) -> str:
    """Each event twice, in two partitions, and in opposite order: two rows of one event, of two persons."""
    return (
        f"SELECT id, if(id < {rows // 2}, id, {rows} - 1 - id) AS event, id < {rows // 2} AS half, "  # noqa: S608
        f"concat('p', id) AS person, timestamp_seconds(1700000000 + id) AS at FROM range({rows})"
    )


def same(rows: int) -> str:
    """As `opposite`, but both rows of an event are of one person, and their events are the same."""
    return (
        f"SELECT if(id < {rows // 2}, id, {rows} - 1 - id) AS id, if(id < {rows // 2}, id, {rows} - 1 - id) AS event, "  # noqa: S608
        f"id < {rows // 2} AS half, 'p' || if(id < {rows // 2}, id, {rows} - 1 - id) AS person, "
        f"timestamp_seconds(1700000000) AS at, id AS turn FROM range({rows})"
    )


def both(trial: Trial, _: float) -> Finding:
    """Two tasks meet in the middle."""
    with trial.job() as running:
        trial.finish(running)
    events = trial.receipts[-1]["events"]
    trial.happened += events["held"] + events["already_delivered"]
    return trial.finding(delivered=trial.rows // 2)


BATCHES, KILLS = 50, 5


def batches(trial: Trial, _: float) -> Finding:
    """A stream's batches by `foreachBatch`; the query is killed, and started again from its checkpoint."""
    folder = trial.folder / "files"
    folder.mkdir()
    for number, rows in enumerate(_dealt(trial.rows)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        file = folder / f"{number:03}.json"
        file.write_text(lines, encoding="utf-8")
        os.utime(file, (number, number))  # Spark takes the oldest file first
    stream = {
        "folder": str(folder),
        "checkpoint": str(trial.folder / "checkpoint"),
        "columns": "id BIGINT, event BIGINT, person STRING, at STRING",
    }
    for share in (*((number + 1) / (KILLS + 1) for number in range(KILLS)), None):
        with trial.job(stream, master="local[2,4]") as running:
            if share is not None:
                trial.wait_for(share)
                kill(trial, [running.process.pid, *java(running, "org.apache.spark.deploy.SparkSubmit")])
                continue
            while "ended" not in (heard := running.hear()):
                trial.receipts.append(heard["receipt"])
    return trial.finding(expected=len(list(_dealt(trial.rows))[-1]))


def _dealt(rows: int) -> Iterator[list[dict[str, Any]]]:
    """The rows of each batch."""
    each = rows // BATCHES
    for number in range(BATCHES):
        yield [
            {"id": row, "event": row, "person": f"p{row % 50}", "at": f"{1700000000 + row}"}
            for row in range(number * each, (number + 1) * each)
        ]


@contextmanager
def standalone(folder: Path) -> Iterator[str]:
    """A master, and a worker on each of two hosts of this machine."""
    spark = Path(PYTHON).parents[1] / "lib"
    classes = next(spark.glob("python*/site-packages/pyspark/bin/spark-class"))
    port = random.randint(20_000, 29_000)  # noqa: S311 - a free one, most likely
    master = f"spark://127.0.0.1:{port}"
    with ExitStack() as ends, (folder / "standalone.log").open("wb") as log:

        def start(*arguments: str) -> None:
            environment = {**os.environ, "SPARK_WORKER_DIR": str(folder / "work"), "PYTHONPATH": str(ROOT)}
            started = subprocess.Popen(
                [classes, *arguments], env=environment, stdout=log, stderr=log, start_new_session=True
            )
            ends.callback(end_group, started)

        start("org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0")
        for host in ("127.0.0.2", "127.0.0.3"):
            start(
                "org.apache.spark.deploy.worker.Worker", "--host", host, "--cores", "1", "--memory", "1g",
                "--webui-port", "0", master,
            )  # fmt: skip
        until(lambda: (folder / "standalone.log").read_text().count("Registering worker") == 2)
        yield master


@dataclass(frozen=True, kw_only=True)
class Row:
    """A fault, how it is played, and how often."""

    name: str
    fault: str
    play: Play
    moments: int = 1
    query: Callable[[int], str] = leads
    options: Mapping[str, Any] = field(default_factory=dict)


ROWS = (
    Row(name="worker", fault="`kill -9` of a Python worker", play=worker, moments=10),
    Row(name="worker-twice", fault="a task that fails twice", play=worker_twice, moments=2),
    Row(name="executor", fault="`kill -9` of an executor's Java", play=executor, moments=5),
    Row(name="driver", fault="`kill -9` of the user's process, and the job run again", play=driver, moments=3),
    Row(name="driver-java", fault="the same, its Java too", play=driver_and_java, moments=2),
    Row(name="session", fault="a task's PostgreSQL session ended", play=session, moments=2),
    Row(name="speculation", fault="a copy of a slow task on another host", play=speculation, query=skewed),
    Row(
        name="batches",
        fault=f"{BATCHES} batches by `foreachBatch`, the query killed {KILLS} times and started again",
        play=batches,
    ),
    Row(
        name="opposite",
        fault="one `event_id` in two partitions, in opposite order, of two persons",
        play=both,
        query=opposite,
        options={"partition_by": ["half"], "order_by": ["event"]},
    ),
    Row(
        name="same",
        fault="one event in two partitions, in opposite order",
        play=both,
        query=same,
        options={"partition_by": ["half"], "order_by": ["turn"]},
    ),
)


def played(row: Row, folder: Path, *, rows: int, latency: float) -> list[Finding]:
    """Each moment of a fault."""
    found = []
    for number in range(row.moments):
        own = folder / f"{row.name}-{number}"
        own.mkdir(parents=True)
        record = own / "arrivals.jsonl"
        with new_schema() as location, serving("--latency", str(latency), "--record", str(record)) as (_, wire):
            trial = Trial(
                folder=own,
                rows=rows,
                location=location,
                url=wire.url,
                witness=Witness(record),
                query=row.query,
                options=row.options,
            )
            one = row.play(trial, (number + 0.5) / row.moments * 0.8)
        click.echo(f"{row.name} {number + 1}/{row.moments}: {one}")
        found.append(one)
    return found


def page(found: Mapping[str, Sequence[Finding]], *, rows: int, latency: float, seconds: float) -> str:
    """What is committed of it."""
    by_name = {row.name: row for row in ROWS}
    lines = [
        "# Faults of jobs on Spark, and what came of them",
        "",
        "`make acceptance-spark` wrote this page. Each row is a job on two executors, delivered to the sandbox in a",
        "process of its own; what is counted is what the sandbox received. For what is promised see [Spark](spark.md).",
        "",
        f"- commit `{commit(ROOT)}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {seconds / 60:.0f} minutes",
        f"- {machine()}",
        f"- a trial has {rows:,} rows, {TASKS} tasks of {SHARE} connections, and answers after {latency * 1000:.0f} ms",
        "",
        "| fault | trials | it happened | lost | twice (most) | not counted | unknown | order | s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, findings in found.items():
        lost, repeats, uncounted, unknown, order, happened = (
            sum(getattr(one, each) for one in findings)
            for each in ("lost", "twice", "uncounted", "unknown", "out_of_order", "happened")
        )
        most = max(one.twice for one in findings)
        kept = "kept" if not order else f"{order} persons not"
        took = sum(one.seconds for one in findings)
        lines.append(
            f"| {by_name[name].fault} | {len(findings)} | {happened} | {lost} | {repeats} ({most}) | {uncounted} "
            f"| {unknown} | {kept} | {took:.0f} |"
        )
    broken = [f"- {by_name[name].fault}: {each}" for name, all_ in found.items() for one in all_ for each in one.broken]
    return "\n".join([*lines, *(["", "## Promises broken", "", *broken] if broken else [])]) + "\n"


@click.command("make acceptance-spark")
@click.option("--rows", default=20_000, show_default=True, help="Rows of a trial.")
@click.option("--latency", default=0.02, show_default=True, help="Seconds until an answer.")
@click.option("--only", metavar="NAME,…", help="Only these faults.")
@click.option("--moments", default=10, help="Trials of a fault at the most.")
@click.option("--keep", type=click.Path(path_type=Path), help="A new folder for what the jobs leave.")
def main(*, rows: int, latency: float, only: str | None, moments: int, keep: Path | None) -> None:
    """Play faults on Spark, and end with 1 if a promise was broken."""
    demand()
    began = time.monotonic()
    chosen = [
        replace(row, moments=min(row.moments, moments)) for row in ROWS if only is None or row.name in only.split(",")
    ]
    with tempfile.TemporaryDirectory(prefix="spark-faults-") as temporary:
        found = {row.name: played(row, keep or Path(temporary), rows=rows, latency=latency) for row in chosen}
    text = page(found, rows=rows, latency=latency, seconds=time.monotonic() - began)
    if only is None:
        PAGE.write_text(text, encoding="utf-8")
    click.echo(text)
    sys.exit(any(one.broken for findings in found.values() for one in findings))


if __name__ == "__main__":
    main()
