"""What is measured of speed: a function each, and beside it its bars. `MEASURES` is the order."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import contestants, inputs
from benchmarks.contestants import (
    AIOHTTP,
    AIOHTTP_ASYNCIO,
    DLT,
    IN_MEMORY,
    IN_POSTGRESQL,
    ONE_BY_ONE,
    TARGET,
    THREADS,
    UNVALIDATED,
    WRK,
)
from benchmarks.results import Figure, Rate, Unit, ideal, ratios
from benchmarks.track import Contestant, Course, Heat, Track, laid, race, say

HARDEST = (16, 0.02)
BARS: Mapping[tuple[int, float], tuple[float | None, float | None]] = {
    HARDEST: (0.93, None),
    (64, 0.02): (None, 2_500),
    (16, 0.05): (0.95, None),
    (32, 0.05): (0.95, None),
    (64, 0.05): (0.95, None),
    (16, 0.1): (0.95, None),
    (32, 0.1): (0.95, None),
    (64, 0.1): (0.95, None),
    (256, 0.1): (None, 2_300),
}
"""By connections and latency: the least share of wrk's rate, and the least events a second."""
MIX = {"slow_share": 0.01, "slow_seconds": 2.0, "error_share": 0.01}
MIX_LONGER = 3.0
"""The last slow answer leaves all other connections idle for up to two seconds: of a minute, a thirtieth."""
EVERYBODY: Mapping[Contestant, tuple[float, bool, bool]] = {
    WRK: (0.2, True, False),
    IN_MEMORY: (1, True, True),
    TARGET: (1, True, False),
    UNVALIDATED: (1, False, False),
    AIOHTTP: (0.4, True, False),
    AIOHTTP_ASYNCIO: (0.2, False, False),
    ONE_BY_ONE: (0.2, False, False),
    THREADS: (0.4, True, True),
    DLT: (0.3, False, True),
    IN_POSTGRESQL: (0.3, False, True),
}
"""The share of a run's time, for what needs no slow start is known sooner; whether the quick form has them; whether
they come to the hardest spot, too, where the target and wrk always are."""
TRIAL_EVENTS = 2_000
LONGER = 1.3
"""A trial is short, and so slower than what it is to foretell."""
FEW_PERSONS = 8
ROW = 1_000
EARLY = 20
"""A trouble comes to one event in so many of the input, in its first half by far."""
STARTS = 5


class Form(NamedTuple):
    """How long and how often each rate is measured; and whether everything is, or a part."""

    name: str
    seconds: float
    runs: int
    is_full: bool


FULL = Form("full", 20, 3, is_full=True)
QUICK = Form("quick", 3, 3, is_full=False)


@dataclass(slots=True, kw_only=True)
class Bench:
    """One measurement: where its inputs lie, and what it has found so far."""

    form: Form
    folder: Path
    figures: list[Figure] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)
    top: float = 0.0
    """What the target reaches without latency, in events a second."""
    usual: dict[tuple[int, float], list[Heat]] = field(default_factory=dict)
    """The target's heats on the grid."""

    def course(self, track: Track, contestant: Contestant, connections: int, *, rate: float) -> Course:
        """As long as the form says for this contestant, who is taken to reach `rate`."""
        seconds = self.form.seconds * EVERYBODY[contestant][0]
        events = 0 if contestant == WRK else max(1, round(rate * seconds))
        return self.of(track, inputs.leads(events), events, connections, seconds=seconds)

    def of(
        self, track: Track, records: Iterable[Any], events: int, connections: int = 16, *, seconds: float = 1
    ) -> Course:
        """A course of these records, of which so many are to arrive."""
        path = inputs.write(self.folder / f"{len(list(self.folder.iterdir()))}.singer", inputs.messages(records))
        return Course(url=track.url, connections=connections, events=events, seconds=seconds, source=path)

    def race(self, entries: Mapping[Contestant, Course], track: Track) -> dict[str, list[Heat]]:
        """So many rounds as the form says."""
        return race(track, entries, runs=self.form.runs)

    def found(self, measure: str, values: Sequence[float], **bars: Any) -> None:
        """Take a figure down."""
        figure = Figure(measure=measure, values=values, **bars)
        say(" ".join(figure.row()))
        self.figures.append(figure)

    def note(
        self, spot: tuple[int, float], heats: Mapping[str, list[Heat]], processor: Mapping[str, list[float]]
    ) -> None:
        """Take the rates of a race down."""
        for name, run in heats.items():
            spent, commits = processor.get(name), [heat.ended.commits for heat in run]
            each = [seconds / count * 1000 for count, seconds in commits if count]
            self.rates.append(
                Rate(
                    contestant=name,
                    latency=spot[1],
                    connections=spot[0],
                    values=rates(run),
                    processor_microseconds=None if spent is None else statistics.median(spent) * 1e6,
                    commit_milliseconds=statistics.median(each) if each else None,
                )
            )


def no_latency(bench: Bench) -> None:
    """Everybody at full speed, and the processor time that it takes."""
    everybody = [each for each, (_, is_quick, _) in EVERYBODY.items() if is_quick or _is_there(bench, each)]
    with laid() as track:
        trial, one = (bench.of(track, inputs.leads(count), count) for count in (TRIAL_EVENTS, 1))
        trials = {each: 0 if each == WRK else track.heat(each, trial).rate * LONGER for each in everybody}
        heats = bench.race({each: bench.course(track, each, 16, rate=rate) for each, rate in trials.items()}, track)
        frugal = [each for each in everybody if each in {TARGET, AIOHTTP, AIOHTTP_ASYNCIO}]
        idle = {each.name: [track.heat(each, one) for _ in range(bench.form.runs)] for each in frugal}
    processor = {name: list(map(_processor, heats[name], run)) for name, run in idle.items()}
    bench.note((16, 0.0), heats, processor)
    ours = rates(heats[TARGET.name])
    bench.top = statistics.median(ours)
    best = max((rates(heats[each.name]) for each in (ONE_BY_ONE, THREADS, DLT) if each.name in heats), key=_median)
    bench.found("no latency, against the best rival", ratios(ours, best), unit=Unit.MULTIPLE, at_least=4.0)
    for other, what, bar in (
        (IN_MEMORY, "SQLite against the in-memory ledger", 0.6),
        (UNVALIDATED, "validation on against off", 0.95),
    ):
        if other.name in heats:
            bench.found(f"no latency, {what}", ratios(ours, rates(heats[other.name])), at_least=bar)
    for each in frugal:
        if each != TARGET:
            values = ratios(processor[TARGET.name], processor[each.name])
            measure = f"processor time an event, against {each.name}"
            bench.found(measure, values, unit=Unit.MULTIPLE, at_most=1.7)


def grid(bench: Bench) -> None:
    """The target against wrk, for each number of connections and each latency."""
    for spot in BARS if bench.form.is_full else tuple(BARS)[:3]:
        connections, latency = spot
        reach = min(ideal(connections, latency) or bench.top, bench.top)
        everybody: list[Contestant] = [TARGET, WRK]
        if spot == HARDEST:
            everybody += [each for each, (*_, is_hard) in EVERYBODY.items() if is_hard and _is_there(bench, each)]
        with laid(latency=latency) as track:
            entries = {
                each: bench.course(track, each, connections, rate=reach * (0.8 if each in {THREADS, DLT} else 1))
                for each in everybody
            }
            heats = bench.race(entries, track)
        bench.usual[spot] = heats[TARGET.name]
        bench.note(spot, heats, {})
        ours, (share, rate) = rates(heats[TARGET.name]), BARS[spot]
        bench.found(f"{_at(spot)}, against wrk", ratios(ours, rates(heats[WRK.name])), at_least=share)
        if rate is not None:
            bench.found(_at(spot), ours, unit=Unit.RATE, at_least=rate)
        if IN_MEMORY.name in heats:
            values = ratios(ours, rates(heats[IN_MEMORY.name]))
            bench.found(f"{_at(spot)}, SQLite against the in-memory ledger", values, at_least=0.95)


def mixes(bench: Bench) -> None:
    """The target where one answer in a hundred is slow and one a failure, against what arithmetic allows."""
    for spot in (HARDEST, (32, 0.05), (64, 0.05)):
        best = ideal(spot[0], spot[1], **MIX) or bench.top
        with laid(latency=spot[1], **MIX) as track:
            heats = bench.race({TARGET: bench.course(track, TARGET, spot[0], rate=MIX_LONGER * best)}, track)
        values = [heat.rate / _ideal_of(heat, spot) for heat in heats[TARGET.name]]
        measure = f"{_at(spot)}, 1 % taking 2 s and 1 % 503, against the ideal for what came"
        bench.found(measure, values, at_least=0.9)


def troubles(bench: Bench) -> None:
    """One poisoned payload, and one lost answer: how much longer the run takes."""
    spot = (16, 0.05)
    usual = bench.usual[spot]
    events = usual[0].counts.accepted
    early = max(1, events // EARLY)
    poisoned = {"marker": inputs.MARKER, "marked_status": 503}
    for trouble, behaviour, records, arriving in (
        ("one poisoned payload", poisoned, inputs.with_one_marked(events, at=early), events - 1),
        ("one lost answer", {"lost": early}, inputs.leads(events), events),
    ):
        with laid(latency=spot[1], **behaviour) as track:
            heats = bench.race({TARGET: bench.of(track, records, arriving)}, track)[TARGET.name]
        values = [with_it.seconds / without.seconds for with_it, without in zip(heats, usual, strict=True)]
        bench.found(f"{_at(spot)}, {trouble}: the run's time against the usual", values, at_most=1.02)


def few_persons(bench: Bench) -> None:
    """Few persons with many events each."""
    best = FEW_PERSONS / 0.05
    events = round(best * bench.form.seconds)
    with laid(latency=0.05) as track:
        course = bench.of(track, inputs.of_persons(events, persons=FEW_PERSONS), events)
        heats = bench.race({TARGET: course, WRK: bench.course(track, WRK, FEW_PERSONS, rate=best)}, track)
    ours, name = rates(heats[TARGET.name]), f"{FEW_PERSONS} persons, {_at((16, 0.05))}, against"
    bench.found(f"{name} persons ÷ latency", [rate / best for rate in ours])
    theirs = rates(heats[WRK.name])
    bench.found(f"{name} wrk with {FEW_PERSONS} connections", ratios(ours, theirs), at_least=0.95)


def one_person(bench: Bench) -> None:
    """One person's many events in a row among those of others."""
    usual = bench.usual[16, 0.1][0]
    others = usual.counts.accepted
    row = min(ROW, others)
    with laid(latency=0.1, marker=inputs.MARKER) as track:
        records = inputs.with_a_row_of_one(others, row=row, at=others // EARLY)
        counts = track.heat(TARGET, bench.of(track, records, others + row)).counts
    rate = counts.accepted / (counts.last_unmarked - counts.first_request)
    name = f"{row:,} events of one person in a row among {others:,} others: the others' rate, against theirs alone"
    bench.found(name, [rate / usual.rate], at_least=0.9)


def starts(bench: Bench) -> None:
    """How long until the first request, and until the end of nothing."""
    with laid() as track:
        one, none = (bench.of(track, inputs.leads(events), events) for events in (1, 0))
        heats = [track.heat(TARGET, one) for _ in range(STARTS)]
        empty = [track.heat(TARGET, none).ended.seconds for _ in range(STARTS)]
    first = [heat.counts.first_request - heat.ended.began for heat in heats]
    bench.found("from the start of the process to the first event's request", first, unit=Unit.SECONDS, at_most=1.5)
    bench.found("a run over an input without records", empty, unit=Unit.SECONDS, at_most=1.0)


def double(bench: Bench) -> None:
    """Whether the double was the limit: what wrk reached on it, against the target's best."""
    best = max(_median(rate.values) for rate in bench.rates if rate.contestant in {TARGET.name, IN_MEMORY.name})
    reached = next(rate.values for rate in bench.rates if rate.contestant == WRK.name and not rate.latency)
    bench.found(DOUBLE, [rate / best for rate in reached], unit=Unit.MULTIPLE, at_least=3.0, is_of_target=False)


DOUBLE = "the double is not the limit: wrk on it without latency, against the target's best rate anywhere"
MEASURES: Mapping[str, tuple[Callable[[Bench], None], bool]] = {
    "no latency": (no_latency, True),
    "connections and latencies": (grid, True),
    "1 % slow and 1 % failures": (mixes, False),
    "one poisoned payload, one lost answer": (troubles, False),
    "few persons": (few_persons, False),
    "many events of one person": (one_person, False),
    "start": (starts, True),
    "the double": (double, True),
}
"""By name: what measures it, and whether the quick form does, too."""


def rates(heats: Iterable[Heat]) -> list[float]:
    """Events a second of each run."""
    return [heat.rate for heat in heats]


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def _processor(heat: Heat, idle: Heat) -> float:
    """Seconds an event, start-up apart."""
    return (heat.ended.processor_seconds - idle.ended.processor_seconds) / max(1, heat.counts.accepted - 1)


def _is_there(bench: Bench, contestant: Contestant) -> bool:
    return bench.form.is_full and (contestant != IN_POSTGRESQL or contestants.has_postgresql())


def _ideal_of(heat: Heat, spot: tuple[int, float]) -> float:
    """The ideal for the answers that the double gave: its dice give a tenth more slow ones, or fewer, in one run."""
    counts = heat.counts
    shares = {"slow_share": counts.slow / counts.requests, "error_share": counts.failed / counts.requests}
    return ideal(spot[0], spot[1], slow_seconds=MIX["slow_seconds"], **shares) or 0.0


def _at(spot: tuple[int, float]) -> str:
    return f"{spot[0]} connections at {spot[1] * 1000:.0f} ms"
