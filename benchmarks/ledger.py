"""What a ledger costs: in runs of the target, and by itself: commits, look-ups, room on the disk."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import inputs, page
from benchmarks.contestants import LEDGERS, MEMORY, POSTGRESQL, SQLITE, counted, database, in_database
from benchmarks.page import Row
from benchmarks.track import Job, race
from target_driftrock.events.event import Event
from target_driftrock.events.identity import Way, Who
from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger.interface import Concluded, Intent, Ledger
from tests.contract.memory import MemoryLedger
from tests.contract.places import opened
from tests.delivery import examples

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
WAY = Way("leads", '{"event_id": ["id"]}')


def measured(job: Job) -> Iterator[str]:
    remembered = round(REMEMBERED * job.scale)
    with database():
        places = {SQLITE: str(job.folder / "ledger"), POSTGRESQL: in_database("ledger")}
        yield page.section("In a run", _IN_A_RUN, _RUNS, _runs(job))
        yield page.section("Commits", _LIFECYCLE, _COMMITS, _commits(places, round(COMMITS * job.scale)))
        yield page.section("Look-ups", _ASKED.format(remembered), _LOOK_UPS, _look_ups(places, remembered))
        yield page.section("Room", "For each delivered event, indexes included.", _ROOM, _room(job.folder / "ledger"))


def _runs(job: Job) -> Iterator[Row]:
    for latency in LATENCIES:
        events = round(min(AT_MOST, CONNECTIONS / latency if latency else AT_MOST) * SECONDS * job.scale)
        course = job.course(inputs.leads(events), events, connections=CONNECTIONS)
        for contestant, (heat,) in race({counted(each, each): course for each in LEDGERS}, latency=latency).items():
            count, seconds = heat.commits
            processor = heat.processor_seconds * 1e6 / events
            costs = [processor, heat.peak_mib, count / events, seconds * 1000 / max(1, count)]
            yield [latency * 1000, contestant.name, events, heat.rate, *costs]


def _commits(places: Mapping[str, str], commits: int) -> Iterator[Row]:
    for name, location in places.items():
        with opened(location) as ledger:
            yield from ([name, group, *_lifecycles(ledger, group, commits)] for group in GROUPS)
    memory = MemoryLedger()
    yield from ([MEMORY, group, *_lifecycles(memory, group, commits)] for group in GROUPS)


def _lifecycles(ledger: Ledger, group: int, commits: int) -> list[float]:
    took: list[float] = []
    processor = time.process_time()
    for number in range(commits):
        events = [event(f"{group}:{number}:{each}", each) for each in range(group)]
        intents = [Intent(event) for event in events]
        took += [_timed(ledger.commit, changes) for changes in (intents, _delivered(events))]
    processor = time.process_time() - processor
    centiles = statistics.quantiles(took, n=100)
    each = processor / commits / group
    return [commits * group / sum(took), centiles[49] * 1000, centiles[98] * 1000, each * 1e6]


def _look_ups(places: Mapping[str, str], remembered: int) -> Iterator[Row]:
    step = max(1, remembered // ASKED)
    unknown = [[event(f"new {number}:{each}", each) for each in range(ASKED)] for number in range(LOOK_UPS)]
    spread = (range(first, remembered, step)[:ASKED] for first in range(LOOK_UPS))
    known = [[event(f"old:{number}", number) for number in numbers] for numbers in spread]
    for name, location in places.items():
        with opened(location) as ledger:
            few = _recall(ledger, unknown)
            fill(ledger, (event(f"old:{number}", number) for number in range(remembered)))
            many = _recall(ledger, known)
        yield [name, few * 1000, many * 1000, ASKED / many]


def _recall(ledger: Ledger, groups: Iterable[Sequence[Event]]) -> float:
    """The median of their seconds."""
    return statistics.median([_timed(ledger.recall, events) for events in groups])


def _timed(call: Callable[[Any], object], argument: object) -> float:
    began = time.perf_counter()
    call(argument)
    return time.perf_counter() - began


def _room(ledger: Path) -> Iterator[Row]:
    with psycopg.connect(in_database()) as server:
        ask = "SELECT count(*), pg_total_relation_size('ledger.deliveries') FROM ledger.deliveries"
        count, size = server.execute(ask).fetchall()[0]
    yield [SQLITE, count, sum(path.stat().st_size for path in ledger.iterdir()) / count]
    yield [POSTGRESQL, count, size / count]


def fill(ledger: Ledger, events: Iterable[Event]) -> None:
    """Let it remember these events as delivered."""
    events = iter(events)
    while group := list(islice(events, FILL_GROUP)):
        ledger.commit(_delivered(group))


def _delivered(events: Iterable[Event]) -> list[Concluded]:
    return [Concluded(part=event, outcome=Delivered()) for event in events]


def event(event_id: str, number: int, *, way: Way | None = WAY) -> Event:
    """An event of 370 bytes; `number` makes its content and its person."""
    who = Who(email=f"{number}@example.com")
    return examples.event(number, event_id=event_id, who=who, body=BODY % number, way=way)


_IN_A_RUN = f"{CONNECTIONS} connections, one run each, slow start included."
_RUNS = "latency, ms | ledger | events | events/s | CPU µs an event | peak MiB | commits an event | ms a commit"
_LIFECYCLE = "A lifecycle is an intent and an outcome, each in a commit."
_COMMITS = "ledger | events a commit | lifecycles/s | median ms a commit | 99th percentile | CPU µs an event"
_ASKED = f"{ASKED} events at once, none of them known, and all known among {{:,}}; the median of {LOOK_UPS} times."
_LOOK_UPS = "ledger | ms, nothing found | ms, all found | events checked/s"
_ROOM = "ledger | events | bytes"
