"""What is measured of rates: without latency against everybody, over a grid against wrk, and with a mix of answers."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from benchmarks import contestants, inputs, job, process
from benchmarks.contestants import (
    AIOHTTP,
    AIOHTTP_ASYNCIO,
    DLT,
    IN_MEMORY,
    ONE_BY_ONE,
    TARGET,
    THREADS,
    UNVALIDATED,
    WRK,
)
from benchmarks.results import Figure, Rate, Unit, ideal, ratios
from benchmarks.track import Course, Heat, laid, race, rates, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from benchmarks.process import Source
    from benchmarks.track import Contestant, Track

NO_LATENCY_CONNECTIONS = 16
TRIAL_EVENTS = 2_000
LONGER = 1.3
"""A trial is short, and so slower than what it is to foretell."""
SHARES_OF_TIME = {
    WRK.name: 0.2,
    AIOHTTP.name: 0.4,
    AIOHTTP_ASYNCIO.name: 0.2,
    ONE_BY_ONE.name: 0.2,
    THREADS.name: 0.4,
    DLT.name: 0.3,
    contestants.IN_POSTGRESQL.name: 0.3,
}
"""What needs no slow start is known sooner."""
HARDEST = (16, 0.02)
MIX = {"slow_share": 0.01, "slow_seconds": 2.0, "error_share": 0.01}
MIX_LONGER = 3.0
"""The last slow answer leaves all other connections idle for up to two seconds: of a minute, a thirtieth."""
FULL_GRID = (HARDEST, (64, 0.02), (16, 0.05), (32, 0.05), (64, 0.05), (16, 0.1), (32, 0.1), (64, 0.1), (256, 0.1))
SHARE_BARS = {HARDEST: 0.93, **dict.fromkeys(FULL_GRID[2:8], 0.95)}
RATE_BARS = {(64, 0.02): 2_500.0, (256, 0.1): 2_300.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How long and how often each rate is measured, and where. Latencies are seconds."""

    name: str
    seconds: float
    runs: int
    grid: Sequence[tuple[int, float]]
    mixes: Sequence[tuple[int, float]] = ()
    at_no_latency: Sequence[Contestant]
    at_hardest: Sequence[Contestant] = ()
    has_incidents: bool = False


FULL = Form(
    name="full",
    seconds=20,
    runs=3,
    grid=FULL_GRID,
    mixes=(HARDEST, (32, 0.05), (64, 0.05)),
    at_no_latency=(WRK, IN_MEMORY, TARGET, UNVALIDATED, AIOHTTP, AIOHTTP_ASYNCIO, ONE_BY_ONE, THREADS, DLT),
    at_hardest=(IN_MEMORY, THREADS, DLT),
    has_incidents=True,
)
QUICK = Form(
    name="quick",
    seconds=3,
    runs=3,
    grid=(HARDEST, (64, 0.02), (16, 0.05)),
    at_no_latency=(TARGET, WRK, IN_MEMORY, AIOHTTP, THREADS),
)


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

    def course(self, track: Track, contestant: Contestant, *, connections: int, rate: float) -> Course:
        """As long as the form says for this contestant, who is taken to reach `rate`."""
        seconds = self.form.seconds * SHARES_OF_TIME.get(contestant.name, 1.0)
        events = 0 if contestant == WRK else max(1, round(rate * seconds))
        return Course(url=track.url, connections=connections, events=events, seconds=seconds, source=self.leads(events))

    def leads(self, count: int) -> Source:
        """So many records, each of a person of its own."""
        path = self.folder / f"leads-{count}.singer"
        if not path.exists():
            inputs.write(path, inputs.messages(inputs.leads(count)))
        return process.file(path)

    def found(self, figure: Figure) -> None:
        """Take a figure down."""
        say(" ".join(figure.row()))
        self.figures.append(figure)

    def note_rates(
        self,
        heats: Mapping[str, Sequence[Heat]],
        *,
        connections: int,
        latency: float,
        processor_seconds: Mapping[str, Sequence[float]] = MappingProxyType({}),
    ) -> None:
        """Take the rates of a race down."""
        for name, run in heats.items():
            spent = processor_seconds.get(name)
            self.rates.append(
                Rate(
                    contestant=name,
                    latency=latency,
                    connections=connections,
                    values=rates(run),
                    processor_microseconds=None if spent is None else statistics.median(spent) * 1e6,
                    commit_milliseconds=_commit(run),
                )
            )


def no_latency(bench: Bench) -> None:
    """Everybody at full speed, and the processor time that it takes."""
    say("No latency")
    with laid() as track:
        entries = {
            contestant: _paced(bench, track, contestant)
            for contestant in (*bench.form.at_no_latency, *_postgresql(bench))
        }
        heats = race(track, entries, runs=bench.form.runs)
        frugal = [each for each in entries if each in {TARGET, AIOHTTP, AIOHTTP_ASYNCIO}]
        idle = {
            each.name: [track.heat(each, _one_event(bench, track)) for _ in range(bench.form.runs)] for each in frugal
        }
    processor = {each.name: _processor(heats[each.name], idle[each.name]) for each in frugal}
    bench.top = statistics.median(rates(heats[TARGET.name]))
    bench.note_rates(heats, connections=NO_LATENCY_CONNECTIONS, latency=0.0, processor_seconds=processor)
    _against_everybody(bench, heats)
    _processor_time(bench, processor)


def grid(bench: Bench) -> None:
    """The target against wrk, for each number of connections and each latency."""
    for connections, latency in bench.form.grid:
        say(f"{connections} connections at {latency * 1000:.0f} ms")
        reach = min(ideal(connections, latency) or bench.top, bench.top)
        starters: list[Contestant] = [TARGET, WRK]
        if (connections, latency) == HARDEST:
            starters += [*bench.form.at_hardest, *_postgresql(bench)]
        with laid(latency=latency) as track:
            entries = {
                each: bench.course(track, each, connections=connections, rate=_reach(each, reach)) for each in starters
            }
            heats = race(track, entries, runs=bench.form.runs)
        bench.usual[connections, latency] = heats[TARGET.name]
        bench.note_rates(heats, connections=connections, latency=latency)
        _against_wrk(bench, heats, connections=connections, latency=latency)


def mixes(bench: Bench) -> None:
    """The target where one answer in a hundred is slow and one a failure, against what arithmetic allows."""
    for connections, latency in bench.form.mixes:
        say(f"{connections} connections at {latency * 1000:.0f} ms, 1 % slow and 1 % failures")
        best = ideal(connections, latency, **MIX) or bench.top
        with laid(latency=latency, **MIX) as track:
            course = bench.course(track, TARGET, connections=connections, rate=MIX_LONGER * best)
            heats = race(track, {TARGET: course}, runs=bench.form.runs)[TARGET.name]
        name = f"{_at(connections, latency)}, 1 % taking 2 s and 1 % 503, against the ideal for what came"
        values = [heat.rate / _ideal_of(heat, connections=connections, latency=latency) for heat in heats]
        bench.found(Figure(measure=name, values=values, at_least=0.9))


def double(bench: Bench) -> None:
    """Whether the double was the limit: what wrk reached on it, against the target's best."""
    at_full = [rate for rate in bench.rates if rate.latency == 0]
    reached = next(rate.values for rate in at_full if rate.contestant == WRK.name)
    best = max(
        statistics.median(rate.values) for rate in bench.rates if rate.contestant in {TARGET.name, IN_MEMORY.name}
    )
    values = [rate / best for rate in reached]
    bench.found(Figure(measure=DOUBLE, values=values, unit=Unit.MULTIPLE, at_least=3.0, is_of_target=False))


DOUBLE = "the double is not the limit: wrk on it without latency, against the target's best rate anywhere"


def _against_everybody(bench: Bench, heats: Mapping[str, Sequence[Heat]]) -> None:
    ours = rates(heats[TARGET.name])
    rivals = [rates(heats[each.name]) for each in (ONE_BY_ONE, THREADS, DLT) if each.name in heats]
    best = max(rivals, key=statistics.median)
    bench.found(
        Figure(
            measure="no latency, against the best rival", values=ratios(ours, best), unit=Unit.MULTIPLE, at_least=4.0
        )
    )
    bars = {
        IN_MEMORY.name: ("SQLite against the in-memory ledger", 0.6),
        UNVALIDATED.name: ("validation on against off", 0.95),
    }
    for name, (measure, bar) in bars.items():
        if name in heats:
            bench.found(Figure(measure=f"no latency, {measure}", values=ratios(ours, rates(heats[name])), at_least=bar))


def _processor_time(bench: Bench, processor: Mapping[str, Sequence[float]]) -> None:
    ours = processor[TARGET.name]
    for name in (AIOHTTP.name, AIOHTTP_ASYNCIO.name):
        if name in processor:
            values = ratios(ours, processor[name])
            bench.found(
                Figure(
                    measure=f"processor time an event, against {name}", values=values, unit=Unit.MULTIPLE, at_most=1.7
                )
            )


def _against_wrk(bench: Bench, heats: Mapping[str, Sequence[Heat]], *, connections: int, latency: float) -> None:
    spot, place = (connections, latency), _at(connections, latency)
    ours = rates(heats[TARGET.name])
    bench.found(
        Figure(
            measure=f"{place}, against wrk", values=ratios(ours, rates(heats[WRK.name])), at_least=SHARE_BARS.get(spot)
        )
    )
    if spot in RATE_BARS:
        bench.found(Figure(measure=place, values=ours, unit=Unit.RATE, at_least=RATE_BARS[spot]))
    if IN_MEMORY.name in heats:
        values = ratios(ours, rates(heats[IN_MEMORY.name]))
        bench.found(Figure(measure=f"{place}, SQLite against the in-memory ledger", values=values, at_least=0.95))


def _paced(bench: Bench, track: Track, contestant: Contestant) -> Course:
    """A course of the right length, by a trial."""
    if contestant == WRK:
        return bench.course(track, contestant, connections=NO_LATENCY_CONNECTIONS, rate=0)
    trial = Course(
        url=track.url,
        connections=NO_LATENCY_CONNECTIONS,
        events=TRIAL_EVENTS,
        seconds=1,
        source=bench.leads(TRIAL_EVENTS),
    )
    rate = track.heat(contestant, trial).rate * LONGER
    return bench.course(track, contestant, connections=NO_LATENCY_CONNECTIONS, rate=rate)


def _one_event(bench: Bench, track: Track) -> Course:
    return Course(url=track.url, connections=NO_LATENCY_CONNECTIONS, events=1, seconds=1, source=bench.leads(1))


def _processor(heats: Sequence[Heat], idle: Sequence[Heat]) -> list[float]:
    """Seconds an event, start-up apart."""
    return [
        (heat.ended.processor_seconds - none.ended.processor_seconds) / max(1, heat.counts.accepted - 1)
        for heat, none in zip(heats, idle, strict=True)
    ]


def _postgresql(bench: Bench) -> Iterable[Contestant]:
    return contestants.postgresql() if bench.form.has_incidents else ()


def _ideal_of(heat: Heat, *, connections: int, latency: float) -> float:
    """The ideal for the answers that the double gave: its dice give a tenth more slow ones, or fewer, in one run."""
    counts = heat.counts
    shares = {"slow_share": counts.slow / counts.requests, "error_share": counts.failed / counts.requests}
    return ideal(connections, latency, slow_seconds=MIX["slow_seconds"], **shares) or 0.0


def _reach(contestant: Contestant, reach: float) -> float:
    """At the hardest spot a rival in threads reaches less."""
    return reach * 0.8 if contestant in {THREADS, DLT} else reach


def _commit(heats: Sequence[Heat]) -> float | None:
    """The median run's milliseconds a commit, where they were counted."""
    took = [job.took(heat.ended) for heat in heats]
    counted = [each.commit_seconds / each.commits * 1000 for each in took if each.commits]
    return statistics.median(counted) if counted else None


def _at(connections: int, latency: float) -> str:
    return f"{connections} connections at {latency * 1000:.0f} ms"
