"""What is measured of speed: a function each, which gives figures and has their bars. `MEASURES` is the order."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks import inputs
from benchmarks.contestants import AIOHTTP, AIOHTTP_ASYNCIO, DLT, IN_MEMORY, RIVALS, TARGET, THREADS, UNVALIDATED, WRK
from benchmarks.page import Row
from benchmarks.results import Figure, Unit, ideal, ratios
from benchmarks.track import Contestant, Course, Ended, Job, race

Heats = Mapping[Contestant, list[Ended]]


class Spot(NamedTuple):
    """How many connections, and how many seconds the double takes for an answer."""

    connections: int
    latency: float

    def __str__(self) -> str:
        return f"{self.connections} connections at {self.latency * 1000:.0f} ms"


FASTEST = Spot(16, 0.0)
HARDEST = Spot(16, 0.02)
USUAL = Spot(16, 0.05)
SLOWEST = Spot(16, 0.1)
BARS: Mapping[Spot, tuple[float | None, float | None]] = {
    HARDEST: (0.93, None),
    Spot(64, 0.02): (None, 2_500),
    USUAL: (0.95, None),
    Spot(32, 0.05): (0.95, None),
    Spot(64, 0.05): (0.95, None),
    SLOWEST: (0.95, None),
    Spot(32, 0.1): (0.95, None),
    Spot(64, 0.1): (0.95, None),
    Spot(256, 0.1): (None, 2_300),
}
"""The least share of wrk's rate, and the least events a second. The quick form has the first three."""
MIX: Mapping[str, Any] = {"slow_share": 0.01, "slow_seconds": 2.0, "error_share": 0.01}
MIX_LONGER = 3.0
"""The last slow answer leaves all other connections idle for up to two seconds: of a minute, a thirtieth."""
TRIAL_EVENTS = 2_000
LONGER = 1.3
"""A trial is short, and so slower than what it is to foretell."""
FEW_PERSONS = 8
ROW = 1_000
EARLY = 16
"""A trouble comes after one event in so many of the input, in its first half by far."""
STARTS = 5


@dataclass(slots=True, kw_only=True)
class Bench:
    """One measurement, and what it has found so far. A rate is a row of the page's table."""

    job: Job
    seconds: float
    runs: int
    everybody: list[Contestant]
    rates: list[Row] = field(default_factory=list)
    heats: dict[Spot, Heats] = field(default_factory=dict)

    @property
    def top(self) -> float:
        """What the target reaches without latency, in events a second."""
        return _median_rate(self.heats[FASTEST][TARGET])

    def course(self, contestant: Contestant, connections: int, *, rate: float) -> Course:
        """As long as the form says for this contestant, who is taken to reach `rate`."""
        seconds = self.seconds * contestant.share
        events = 0 if contestant == WRK else max(1, round(rate * seconds))
        return self.job.course(inputs.leads(events), events, connections=connections, seconds=seconds)

    def race(self, entries: Mapping[Contestant, Course], **behaviour: Any) -> Heats:
        """So many rounds as the form says."""
        return race(entries, runs=self.runs, **behaviour)

    def note(self, spot: Spot, heats: Heats, processor: Mapping[Contestant, list[float]]) -> None:
        """Take the heats of a spot down."""
        self.heats[spot] = heats
        best = ideal(*spot)
        for contestant, run in heats.items():
            values, median = rates(run), _median_rate(run)
            commits = [seconds / count * 1000 for count, seconds in (heat.commits for heat in run) if count]
            self.rates.append(
                [
                    *(spot.latency * 1000, spot.connections, contestant.name),
                    *(median, min(values), max(values)),
                    100 * median / best if best else None,
                    statistics.median(processor[contestant]) * 1e6 if contestant in processor else None,
                    statistics.median(commits) if commits else None,
                ]
            )


def no_latency(bench: Bench) -> Iterator[Figure]:
    """Everybody at full speed, and the processor time that it takes."""
    trial, one = (bench.job.course(inputs.leads(events), events) for events in (TRIAL_EVENTS, 1))
    trials = race(dict.fromkeys(bench.everybody, trial))
    entries = {each: bench.course(each, 16, rate=heat.rate * LONGER) for each, (heat,) in trials.items()}
    heats = bench.race(entries)
    frugal = [each for each in bench.everybody if each in {TARGET, AIOHTTP, AIOHTTP_ASYNCIO}]
    idle = bench.race(dict.fromkeys(frugal, one))
    processor = {each: list(map(_processor, heats[each], idle[each])) for each in frugal}
    bench.note(FASTEST, heats, processor)
    best = max((each for each in RIVALS if each in heats), key=lambda rival: _median_rate(heats[rival]))
    yield Figure("no latency, against the best rival", _against(best, heats), Unit.MULTIPLE, at_least=4.0)
    yield Figure("no latency, SQLite against the in-memory ledger", _against(IN_MEMORY, heats), at_least=0.6)
    if UNVALIDATED in heats:
        yield Figure("no latency, validation on against off", _against(UNVALIDATED, heats), at_least=0.95)
    for other in frugal:
        if other != TARGET:
            values = ratios(processor[TARGET], processor[other])
            yield Figure(f"processor time an event, against {other.name}", values, Unit.MULTIPLE, at_most=1.7)


def grid(bench: Bench) -> Iterator[Figure]:
    """The target against wrk, for each number of connections and each latency; at the hardest spot, others too."""
    for spot in tuple(BARS)[:3] if bench.job.is_quick else BARS:
        reach = min(ideal(*spot) or bench.top, bench.top)
        others = [each for each in bench.everybody if each.is_hard and spot == HARDEST and not bench.job.is_quick]
        likely = {each: reach * (0.8 if each in {THREADS, DLT} else 1) for each in (TARGET, WRK, *others)}
        entries = {each: bench.course(each, spot.connections, rate=rate) for each, rate in likely.items()}
        heats = bench.race(entries, latency=spot.latency)
        bench.note(spot, heats, {})
        share, rate = BARS[spot]
        yield Figure(f"{spot}, against wrk", _against(WRK, heats), at_least=share)
        if rate is not None:
            yield Figure(f"{spot}", rates(heats[TARGET]), Unit.RATE, at_least=rate)
        if IN_MEMORY in heats:
            yield Figure(f"{spot}, SQLite against the in-memory ledger", _against(IN_MEMORY, heats), at_least=0.95)


def mixes(bench: Bench) -> Iterator[Figure]:
    """The target where one answer in a hundred is slow and one a failure, against what arithmetic allows."""
    for spot in (HARDEST, Spot(32, 0.05), Spot(64, 0.05)):
        best = ideal(*spot, **MIX) or bench.top
        course = bench.course(TARGET, spot.connections, rate=MIX_LONGER * best)
        heats = bench.race({TARGET: course}, latency=spot.latency, **MIX)[TARGET]
        measure = f"{spot}, 1 % taking 2 s and 1 % 503, against the ideal for what came"
        yield Figure(measure, [heat.rate / _ideal_of(heat, spot) for heat in heats], at_least=0.9)


def troubles(bench: Bench) -> Iterator[Figure]:
    """One poisoned payload, and one lost answer: how much longer the run takes."""
    usual = bench.heats[USUAL][TARGET]
    events = usual[0].accepted
    early = max(1, events // EARLY)
    marked = inputs.leads(events, note=lambda serial: inputs.MARKER if serial == early else None)
    poison = {"marker": inputs.MARKER, "marked_status": 503}
    for trouble, records, arriving, behaviour in (
        ("one poisoned payload", marked, events - 1, poison),
        ("one lost answer", inputs.leads(events), events, {"lost": early}),
    ):
        heats = bench.race({TARGET: bench.job.course(records, arriving)}, latency=USUAL.latency, **behaviour)[TARGET]
        values = ratios([heat.seconds for heat in heats], [heat.seconds for heat in usual])
        yield Figure(f"{USUAL}, {trouble}: the run's time against the usual", values, at_most=1.02)


def few_persons(bench: Bench) -> Iterator[Figure]:
    """Few persons with many events each."""
    best = FEW_PERSONS / USUAL.latency
    events = round(best * bench.seconds)
    course = bench.job.course(inputs.leads(events, person=lambda serial: f"person-{serial % FEW_PERSONS}"), events)
    heats = bench.race({TARGET: course, WRK: bench.course(WRK, FEW_PERSONS, rate=best)}, latency=USUAL.latency)
    name = f"{FEW_PERSONS} persons, {USUAL}, against"
    yield Figure(f"{name} persons ÷ latency", [rate / best for rate in rates(heats[TARGET])])
    yield Figure(f"{name} wrk with {FEW_PERSONS} connections", _against(WRK, heats), at_least=0.95)


def one_person(bench: Bench) -> Iterator[Figure]:
    """One person's many events in a row among those of others."""
    usual = bench.heats[SLOWEST][TARGET][0]
    others = usual.accepted
    row = min(ROW, others)
    course = bench.job.course(inputs.with_a_row_of_one(others, row=row, at=others // EARLY), others + row)
    counts = race({TARGET: course}, latency=SLOWEST.latency, marker=inputs.MARKER)[TARGET][0].counts
    rate = counts.accepted / (counts.last_unmarked - counts.first_request)
    name = f"{row:,} events of one person in a row among {others:,} others: the others' rate, against theirs alone"
    yield Figure(name, [rate / usual.rate], at_least=0.9)


def starts(bench: Bench) -> Iterator[Figure]:
    """How long until the first request, and until the end of nothing."""
    one, none = (bench.job.course(inputs.leads(events), events) for events in (1, 0))
    first = [heat.counts.first_request - heat.began for heat in race({TARGET: one}, runs=STARTS)[TARGET]]
    yield Figure("from the start of the process to the first event's request", first, Unit.SECONDS, at_most=1.5)
    empty = [heat.process_seconds for heat in race({TARGET: none}, runs=STARTS)[TARGET]]
    yield Figure("a run over an input without records", empty, Unit.SECONDS, at_most=1.0)


def double(bench: Bench) -> Iterator[Figure]:
    """Whether the double was the limit: what wrk reached on it, against the target's best."""
    ours = [heats[each] for heats in bench.heats.values() for each in (TARGET, IN_MEMORY) if each in heats]
    best = max(map(_median_rate, ours))
    values = [rate / best for rate in rates(bench.heats[FASTEST][WRK])]
    name = "the double is not the limit: wrk on it without latency, against the target's best rate anywhere"
    yield Figure(name, values, Unit.MULTIPLE, at_least=3.0, is_of_target=False)


MEASURES: Mapping[Callable[[Bench], Iterator[Figure]], bool] = {
    no_latency: True,
    grid: True,
    mixes: False,
    troubles: False,
    few_persons: False,
    one_person: False,
    starts: True,
    double: True,
}
"""Whether the quick form measures it, too."""


def rates(heats: Iterable[Ended]) -> list[float]:
    """Events a second of each run."""
    return [heat.rate for heat in heats]


def _median_rate(heats: Iterable[Ended]) -> float:
    return statistics.median(rates(heats))


def _against(other: Contestant, heats: Heats) -> list[float]:
    """The target's rates in parts of another one's, round by round."""
    return ratios(rates(heats[TARGET]), rates(heats[other]))


def _processor(heat: Ended, idle: Ended) -> float:
    """Seconds an event, start-up apart."""
    return (heat.processor_seconds - idle.processor_seconds) / max(1, heat.accepted - 1)


def _ideal_of(heat: Ended, spot: Spot) -> float:
    """The ideal for the answers that the double gave: its dice give a tenth more slow ones, or fewer, in one run."""
    counts = heat.counts
    shares = {"slow_share": counts.slow / counts.requests, "error_share": counts.failed / counts.requests}
    return ideal(*spot, **{**MIX, **shares}) or 0.0
