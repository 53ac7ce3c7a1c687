"""What a ledger costs: in runs of the target, and by itself: commits, look-ups, room on the disk.

`python -m benchmarks.ledger` writes docs/measurements/ledger.md; a number behind it scales the counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks import inputs, page
from benchmarks.contestants import LEDGERS, SERVER, Target, new_schema
from benchmarks.track import Course, laid
from target_driftrock.events.event import Capture, Endpoint, Event, Origin
from target_driftrock.events.identity import Way, Who, digest, identity
from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger.durable import DurableLedger, open_ledger
from target_driftrock.ledger.interface import Concluded, Intent, Ledger
from tests.contract.memory import MemoryLedger

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


def _measured(folder: Path, scale: float) -> list[str]:
    runs = _runs(folder, scale)
    with new_schema() as schema:
        places = {"SQLite": str(folder / "ledger"), "PostgreSQL": f"{SERVER}?schema={schema}"}
        commits = _commits(places, round(COMMITS * scale))
        return [runs, commits, _look_ups(places, round(REMEMBERED * scale)), _room(folder / "ledger", schema)]


def _runs(folder: Path, scale: float) -> str:
    rows = []
    for latency in LATENCIES:
        events = round(min(AT_MOST, CONNECTIONS / latency if latency else AT_MOST) * SECONDS * scale)
        source = inputs.write(folder / "leads.singer", inputs.messages(inputs.leads(events)))
        with laid(latency=latency) as track:
            for ledger in LEDGERS:
                course = Course(url=track.url, connections=CONNECTIONS, events=events, source=source)
                heat = track.heat(Target(name=ledger, ledger=ledger, is_counted=True), course)
                count, seconds = heat.ended.commits
                rows.append(
                    [
                        f"{latency * 1000:g} ms",
                        ledger,
                        events,
                        f"{heat.rate:.0f}",
                        f"{heat.ended.processor_seconds * 1e6 / events:.0f}",
                        f"{heat.ended.peak_mib:.0f}",
                        f"{count / events:.2f}",
                        f"{seconds * 1000 / max(1, count):.2f}",
                    ]
                )
    head = ["latency", "ledger", "events", "events/s", "CPU µs an event", "peak MiB", "commits an event", "ms a commit"]
    return f"## In a run\n\n{CONNECTIONS} connections, one run each, slow start included.\n\n" + page.table(head, rows)


def _commits(places: dict[str, str], commits: int) -> str:
    rows = []
    for name, location in places.items():
        with opened(location) as ledger:
            rows += [[name, *_lifecycles(ledger, group, commits)] for group in GROUPS]
    rows += [["memory", *_lifecycles(MemoryLedger(), group, commits)] for group in GROUPS]
    head = ["ledger", "events a commit", "lifecycles/s", "median ms a commit", "99th percentile", "CPU µs an event"]
    return "## Commits\n\nA lifecycle is an intent and an outcome, each in a commit.\n\n" + page.table(head, rows)


def _lifecycles(ledger: Ledger, group: int, commits: int) -> list[str]:
    took: list[float] = []
    processor = time.process_time()
    for number in range(commits):
        events = [event(f"{group}:{number}:{each}", each) for each in range(group)]
        intents = [Intent(event) for event in events]
        for changes in (intents, _delivered(events)):
            begin = time.perf_counter()
            ledger.commit(changes)
            took.append(time.perf_counter() - begin)
    processor = time.process_time() - processor
    centiles = statistics.quantiles(took, n=100)
    return [
        str(group),
        f"{commits * group / sum(took):,.0f}",
        f"{centiles[49] * 1000:.2f}",
        f"{centiles[98] * 1000:.2f}",
        f"{processor / commits / group * 1e6:.0f}",
    ]


def _look_ups(places: dict[str, str], remembered: int) -> str:
    rows, step = [], max(1, remembered // ASKED)
    unknown = [[event(f"new {number}:{each}", each) for each in range(ASKED)] for number in range(LOOK_UPS)]
    spread = (range(first, remembered, step)[:ASKED] for first in range(LOOK_UPS))
    known = [[event(f"old:{number}", number) for number in numbers] for numbers in spread]
    for name, location in places.items():
        with opened(location) as ledger:
            few = _recall(ledger, unknown)
            fill(ledger, (event(f"old:{number}", number) for number in range(remembered)))
            many = _recall(ledger, known)
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


def _room(ledger: Path, schema: str) -> str:
    files = sum(path.stat().st_size for path in ledger.iterdir())
    with psycopg.connect(SERVER) as server:
        ask = sql.SQL("SELECT pg_total_relation_size({}), count(*) FROM {}").format(
            sql.Literal(f"{schema}.deliveries"), sql.Identifier(schema, "deliveries")
        )
        size, count = server.execute(ask).fetchall()[0]
    rows = [["SQLite", f"{files / count:.0f}"], ["PostgreSQL", f"{size / count:.0f}"]]
    heading = f"## Room\n\nFor each delivered event, of {count:,}, indexes included.\n\n"
    return heading + page.table(["ledger", "bytes"], rows)


@contextmanager
def opened(location: str, *, api: str = "sandbox") -> Iterator[DurableLedger]:
    """A run's hold on the ledger there."""
    ledger = open_ledger(location, api=api, wait=0, is_stopped=lambda: False)
    assert ledger is not None
    with closing(ledger):
        yield ledger


def fill(ledger: Ledger, events: Iterable[Event]) -> None:
    """Let it remember these events as delivered."""
    events = iter(events)
    while group := [event for event, _ in zip(events, range(FILL_GROUP), strict=False)]:
        ledger.commit(_delivered(group))


def _delivered(events: Iterable[Event]) -> list[Concluded]:
    return [Concluded(part=event, outcome=Delivered()) for event in events]


def event(event_id: str, number: int, *, way: Way | None = WAY) -> Event:
    """An event of 370 bytes; `number` makes its content and its person."""
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
        way=way,
    )


if __name__ == "__main__":
    page.main("ledger", "What a ledger costs", _measured)
