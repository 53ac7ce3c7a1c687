"""What a ledger costs: in runs of the target, and by itself: commits, look-ups, room on the disk.

`python -m benchmarks.ledger` writes docs/measurements/ledger.md; a number behind it scales the counts.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from benchmarks import inputs, job, page
from benchmarks.contestants import SERVER, drop
from benchmarks.track import laid
from target_driftrock.events.event import Capture, Endpoint, Event, Origin
from target_driftrock.events.identity import Way, Who, digest, identity
from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.interface import Concluded, Intent
from tests.contract.memory import MemoryLedger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_driftrock.ledger.durable import DurableLedger
    from target_driftrock.ledger.interface import Change, Ledger

SCHEMA = f"target_driftrock_bench_{round(time.time())}"
LATENCIES = (0.0, 0.02, 0.1)
CONNECTIONS = 16
SECONDS = 20
AT_MOST = 2_500
"""Events a second that a run without latency is taken to reach, for its size."""
GROUPS = (1, 16, 50, 100)
COMMITS = 400
REMEMBERED = 1_000_000
FILL_GROUP = 5_000
ASKED = 500
LOOK_UPS = 40
BODY = b'{"event_type": "lead", "fields": {"email": "%d@example.com", "note": "' + b"x" * 300 + b'"}}'
CAPTURE = Capture(endpoint=Endpoint.WEBHOOK, source_id="capture", label="capture")
WAY = Way("leads", '{"event_id": ["id"]}')


def main(scale: float) -> None:
    """Measure all, and write the page."""
    folder = Path(tempfile.mkdtemp(prefix="target-driftrock-bench-"))
    places = {"SQLite": str(folder), "PostgreSQL": f"{SERVER}?schema={SCHEMA}"}
    try:
        parts = [_runs(folder, scale)]
        parts += [_commits(places, round(COMMITS * scale)), _look_ups(places, round(REMEMBERED * scale))]
        parts.append(_room(folder))
    finally:
        shutil.rmtree(folder)
        drop(SCHEMA)
    command = "python -m benchmarks.ledger" + ("" if scale == 1 else f" {scale:g}")
    sys.stdout.write(f"{page.write('ledger', title='What a ledger costs', command=command, parts=parts)}\n")


def _runs(folder: Path, scale: float) -> str:
    rows = []
    for latency in LATENCIES:
        events = round(min(AT_MOST, CONNECTIONS / latency if latency else AT_MOST) * SECONDS * scale)
        source = inputs.write(folder / "leads.singer", inputs.messages(inputs.leads(events)))
        with laid(latency=latency) as track:
            for name in ("memory", "SQLite", "PostgreSQL"):
                schema = f"{SCHEMA}_{round(latency * 1000)}"
                ledgers = {
                    "memory": "memory",
                    "SQLite": str(folder / schema),
                    "PostgreSQL": f"{SERVER}?schema={schema}",
                }
                took = job.run(track.url, source, ledger=ledgers[name], max_concurrency=CONNECTIONS)
                rows.append([f"{latency * 1000:g} ms", name, events, *_figures(took, events)])
            drop(schema)
    head = ["latency", "ledger", "events", "events/s", "CPU µs an event", "peak MiB", "commits an event", "ms a commit"]
    return f"## In a run\n\n{CONNECTIONS} connections, one run each, slow start included.\n\n" + page.table(head, rows)


def _figures(took: job.Took, events: int) -> list[str]:
    return [
        f"{took.rate:.0f}",
        f"{took.processor_seconds * 1_000_000 / events:.0f}",
        f"{took.peak_mib:.0f}",
        f"{took.commits / events:.2f}",
        f"{took.commit_seconds * 1000 / max(1, took.commits):.2f}",
    ]


def _commits(places: dict[str, str], commits: int) -> str:
    rows = []
    for name, location in places.items():
        with closing(_opened(location)) as ledger:
            rows += [[name, *_lifecycles(ledger, group, commits)] for group in GROUPS]
    rows += [["memory", *_lifecycles(MemoryLedger(), group, commits)] for group in GROUPS]
    head = ["ledger", "events a commit", "lifecycles/s", "median ms a commit", "99th percentile", "CPU µs an event"]
    return "## Commits\n\nA lifecycle is an intent and an outcome, each in a commit.\n\n" + page.table(head, rows)


def _lifecycles(ledger: Ledger, group: int, commits: int) -> list[str]:
    took: list[float] = []
    processor = time.process_time()
    for number in range(commits):
        events = _events(f"{group}:{number}", group)
        intents: list[Change] = [Intent(event) for event in events]
        outcomes: list[Change] = [Concluded(part=event, outcome=Delivered()) for event in events]
        for changes in (intents, outcomes):
            begin = time.perf_counter()
            ledger.commit(changes)
            took.append(time.perf_counter() - begin)
    processor = time.process_time() - processor
    centiles = statistics.quantiles(took, n=100)
    rate = commits * group / sum(took)
    return [
        str(group),
        f"{rate:,.0f}",
        f"{centiles[49] * 1000:.2f}",
        f"{centiles[98] * 1000:.2f}",
        f"{processor / commits / group * 1e6:.0f}",
    ]


def _look_ups(places: dict[str, str], remembered: int) -> str:
    rows = []
    for name, location in places.items():
        with closing(_opened(location)) as ledger:
            few = _recall(ledger, [_events(f"new {number}", ASKED) for number in range(LOOK_UPS)])
            _fill(ledger, remembered)
            many = _recall(ledger, list(_spread(remembered)))
        rows.append([name, f"{few:.1f}", f"{many:.1f}", f"{ASKED / many * 1000:,.0f}"])
    head = ["ledger", "ms, nothing found", f"ms, all found of {remembered:,}", "events checked/s"]
    return f"## Look-ups\n\n{ASKED} events at once; the median of {LOOK_UPS} times.\n\n" + page.table(head, rows)


def _recall(ledger: Ledger, groups: list[list[Event]]) -> float:
    took = []
    for events in groups:
        begin = time.perf_counter()
        ledger.recall(events)
        took.append(time.perf_counter() - begin)
    return statistics.median(took) * 1000


def _fill(ledger: Ledger, remembered: int) -> None:
    for start in range(0, remembered, FILL_GROUP):
        group = (_event(f"old:{number}", number) for number in range(start, start + FILL_GROUP))
        ledger.commit([Concluded(part=event, outcome=Delivered()) for event in group])


def _spread(remembered: int) -> Iterator[list[Event]]:
    """Groups of what is remembered, each from all over it."""
    for first in range(LOOK_UPS):
        yield [
            _event(f"old:{number}", number) for number in range(first, remembered, max(1, remembered // ASKED))[:ASKED]
        ]


def _room(folder: Path) -> str:
    files = sum(path.stat().st_size for path in folder.iterdir())
    with psycopg.connect(SERVER) as server:
        table = sql.Literal(f"{SCHEMA}.deliveries")
        found = server.execute(
            sql.SQL("SELECT pg_total_relation_size({}), count(*) FROM {}").format(
                table, sql.Identifier(SCHEMA, "deliveries")
            )
        ).fetchone()
    assert found is not None
    size, count = found
    rows = [["SQLite", f"{files / count:.0f}"], ["PostgreSQL", f"{size / count:.0f}"]]
    heading = f"## Room\n\nFor each delivered event, of {count:,}, indexes included.\n\n"
    return heading + page.table(["ledger", "bytes"], rows)


def _opened(location: str) -> DurableLedger:
    ledger = open_ledger(location, api="sandbox", wait=0, is_stopped=lambda: False)
    assert ledger is not None
    return ledger


def _events(name: str, count: int) -> list[Event]:
    return [_event(f"{name}:{number}", number) for number in range(count)]


def _event(event_id: str, number: int) -> Event:
    body = BODY % number
    return Event(
        origin=Origin(
            position=number, stream="leads", record=b"{}", schema=b"{}", key=f"leads:{number}", digest=digest(body)
        ),
        mapping="streams[0] (leads)",
        capture=CAPTURE,
        event_type="lead",
        event_name="leads",
        event_id=event_id,
        body=body,
        identity=identity(CAPTURE, event_type="lead", event_name="leads", event_id=event_id),
        content=digest(body),
        who=Who(email=f"{number}@example.com"),
        way=WAY,
    )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
