"""What a job on Spark takes: one executor and two; and a backfill."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

from benchmarks import page, results
from benchmarks.results import Figure, Unit
from benchmarks.track import Job, say
from tests.contract.places import new_schema
from tests.faults.witness import Arrival, Witness, out_of_order
from tests.program import serving
from tests.spark.session import LEAD, Program, demand, program, workers

LATENCY, CONNECTIONS, FEWER = 0.1, 64, 32
BAR = 1.9
SECONDS, MANY_PERSONS, ROUNDS = 25, 5_000, 3
"""`SECONDS`: of each run, if nothing but the API limits it."""
BACKFILL, PERSONS = 1_000_000, 50_000
COUNTED: Mapping[str, Any] = {
    **LEAD,
    "fields": {"serial": "{id}", "email": "{person}@example.com"},
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """What came of one job."""

    arrivals: list[Arrival]
    receipt: Mapping[str, Any]
    seconds: float
    processor_seconds: float
    """Of all Python workers."""
    peak_mib: float
    """Of the largest of them."""
    busy: Sequence[tuple[float, float]]
    """At a Unix time: the seconds that all processors of the machine were busy since it was started."""

    @property
    def rate(self) -> float:
        """Events a second in the middle three fifths: tasks begin and end at different moments."""
        begin, end = self._middle
        return sum(begin < arrival.time <= end for arrival in self.arrivals) / (end - begin)

    @property
    def share_busy(self) -> float:
        """Of the machine's processors, meanwhile."""
        begin, end = self._middle
        seen = [each for each in self.busy if begin <= each[0] <= end]
        (first, before), (last, after) = seen[0], seen[-1]
        return (after - before) / (last - first) / (os.cpu_count() or 1)

    @property
    def _middle(self) -> tuple[float, float]:
        times = sorted(arrival.time for arrival in self.arrivals)
        return times[len(times) // 5], times[len(times) * 4 // 5]

    @property
    def most_in_a_second(self) -> int:
        """The most that arrived within any one second."""
        times = sorted(arrival.time for arrival in self.arrivals)
        low, most = 0, 0
        for high, moment in enumerate(times):
            while moment - times[low] >= 1:
                low += 1
            most = max(most, high - low + 1)
        return most


def rates(job: Job) -> Iterator[str]:
    """One executor and two, and the ceiling that they share."""
    demand()
    yield (
        f"Answers after {LATENCY * 1000:.0f} ms, as many connections in each executor as are named. The machine has to "
        "do the work of executors, ledger and sandbox: where it is busy, one executor more cannot double the rate."
    )
    for connections in (CONNECTIONS, FEWER):
        runs = _rounds(job, connections)
        pairs = list(zip(runs[1], runs[2], strict=True))
        table = [Figure("two executors against one", [two.rate / one.rate for one, two in pairs], at_least=BAR)]
        for executors, name in ((1, "one executor"), (2, "two executors")):
            table += [
                Figure(name, [one.rate for one in runs[executors]], Unit.RATE),
                Figure(f"{name}: processors busy", [one.share_busy for one in runs[executors]], Unit.SHARE),
            ]
        yield f"## {connections} connections each\n\n{results.table(table)}"
        if connections == CONNECTIONS:
            limit = round(runs[1][0].rate)
    capped = _delivered(job, "capped", round(SECONDS * limit * job.scale), 2, max_events_per_second=limit)
    yield (
        f"With `max_events_per_second: {limit}` shared by two tasks, at the most {capped.most_in_a_second} arrived "
        "within any second."
    )


def _rounds(job: Job, connections: int) -> Mapping[int, list[Run]]:
    """By the number of executors. In each round both run, so that what slows the machine down hits both."""
    by_executors: dict[int, list[Run]] = {1: [], 2: []}
    for number in range(ROUNDS):
        for executors, runs in by_executors.items():
            rows = round(SECONDS * connections / LATENCY * executors * job.scale)
            name = f"rate-{connections}-{number}-{executors}"
            one = _delivered(job, name, rows, executors, connections=connections)
            say(f"  {executors} executors: {one.rate:.0f} events a second, {one.share_busy:.0%} busy")
            runs.append(one)
    return by_executors


def backfill(job: Job) -> Iterator[str]:
    """A history in which nothing may be missing."""
    demand()
    rows, persons = round(BACKFILL * job.scale), round(PERSONS * job.scale)
    one = _delivered(job, "backfill", rows, 2, persons=persons, latency=0.0)
    serials = Counter(arrival.serial for arrival in one.arrivals)
    yield page.section(
        f"{rows:,} rows of {persons:,} persons, two executors",
        "The sandbox works on the same machine, so its share of the processor is not Spark's.",
        "lost | twice | persons out of order | seconds in all | events a second | processor, ms an event | worker, MiB",
        [
            (
                rows - len(serials),
                sum(serials.values()) - len(serials),
                len(out_of_order(one.arrivals)),
                one.seconds,
                one.rate,
                one.processor_seconds / rows * 1000,
                one.peak_mib,
            )
        ],
    )


def _delivered(
    job: Job,
    name: str,
    rows: int,
    executors: int,
    *,
    persons: int = MANY_PERSONS,
    connections: int = CONNECTIONS,
    latency: float = LATENCY,
    **settings: Any,
) -> Run:
    folder = job.folder / name
    folder.mkdir()
    record = folder / "arrivals.jsonl"
    with new_schema() as location, serving("--latency", str(latency), "--record", str(record)) as (_, wire):
        case = {
            "sql": _query(rows, persons),
            "settings": {
                "environment": "sandbox",
                "api_url": wire.url,
                "ledger": location,
                "max_concurrency": connections * executors,
                "streams": [COUNTED],
                **settings,
            },
            "stream": "leads",
            "key": ["id"],
            "tasks": executors,
        }
        with program(folder, [case], master=f"local-cluster[{executors},1,1024]") as running, _Watched(running) as seen:
            running.ready()
            began = time.monotonic()
            receipt = running.receipt()
            seconds = time.monotonic() - began
    return Run(
        arrivals=Witness(record).accepted(),
        receipt=receipt,
        seconds=seconds,
        processor_seconds=sum(seen.processor.values()),
        peak_mib=max(seen.peak.values(), default=0) / 1024,
        busy=seen.busy,
    )


def _query(rows: int, persons: int) -> str:
    person = f"concat('p', id % {persons})"
    return f"SELECT id, {person} AS person, timestamp_seconds(1700000000 + id) AS at FROM range({rows})"  # noqa: S608


class _Watched:
    """What the workers of a program take, looked at twice a second as long as they live."""

    def __init__(self, running: Program) -> None:
        self._running = running
        self._is_over = Event()
        self._thread = Thread(target=self._watch)
        self.processor: dict[int, float] = {}
        self.peak: dict[int, int] = {}
        self.busy: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(0.5):
            self.busy.append((time.time(), _busy()))
            for pid in workers(self._running):
                with suppress(OSError):
                    self._note(pid)

    def _note(self, pid: int) -> None:
        user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        self.processor[pid] = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        status = Path(f"/proc/{pid}/status").read_text()
        self.peak[pid] = int(status.partition("VmHWM:")[2].split()[0])


def _busy() -> float:
    """Seconds of all processors that were not idle, since the machine was started: see proc(5), /proc/stat."""
    user, nice, system, _, _, *others = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")
