"""What is measured of single troubles, of a person with many events, and of the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import inputs, process
from benchmarks.contestants import TARGET, WRK
from benchmarks.results import Figure, Unit, ideal, ratios
from benchmarks.track import Course, laid, race, rates, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.measures import Bench
    from benchmarks.track import Heat, Track

SPOT = (16, 0.05)
ROW_SPOT = (16, 0.1)
FEW_PERSONS = 8
ROW = 1_000
EARLY = 20
"""The trouble comes to one event in so many of the input, in its first half by far."""
STARTS = 5
LONGEST = 1.02


def troubles(bench: Bench) -> None:
    """One poisoned payload, and one lost answer: how much longer the run takes."""
    usual = bench.usual[SPOT]
    events = usual[0].counts.accepted
    early = max(1, events // EARLY)
    say("One poisoned payload")
    with laid(latency=SPOT[1], marker=inputs.MARKER, marked_status=503) as track:
        course = _course(bench, track, inputs.with_one_marked(events, at=early), events=events - 1)
        _longer(bench, "one poisoned payload", race(track, {TARGET: course}, runs=bench.form.runs), usual)
    say("One lost answer")
    with laid(latency=SPOT[1], lost=early) as track:
        course = _course(bench, track, inputs.leads(events), events=events)
        _longer(bench, "one lost answer", race(track, {TARGET: course}, runs=bench.form.runs), usual)


def persons(bench: Bench) -> None:
    """Few persons with many events each, and one person's many events in a row among those of others."""
    say("Few persons")
    best = ideal(FEW_PERSONS, SPOT[1]) or 0.0
    events = round(best * bench.form.seconds)
    with laid(latency=SPOT[1]) as track:
        course = _course(bench, track, inputs.of_persons(events, persons=FEW_PERSONS), events=events)
        as_many = bench.course(track, WRK, connections=FEW_PERSONS, rate=best)
        heats = race(track, {TARGET: course, WRK: as_many}, runs=bench.form.runs)
    ours, theirs = rates(heats[TARGET.name]), rates(heats[WRK.name])
    name = f"{FEW_PERSONS} persons, {SPOT[0]} connections at {SPOT[1] * 1000:.0f} ms, against"
    bench.found(Figure(measure=f"{name} persons ÷ latency", values=[rate / best for rate in ours]))
    bench.found(
        Figure(measure=f"{name} wrk with {FEW_PERSONS} connections", values=ratios(ours, theirs), at_least=0.95)
    )
    say(f"{ROW:,} events of one person in a row")
    usual = bench.usual[ROW_SPOT]
    others = usual[0].counts.accepted
    row = min(ROW, others)
    with laid(latency=ROW_SPOT[1], marker=inputs.MARKER) as track:
        records = inputs.with_a_row_of_one(others, row=row, at=others // EARLY)
        course = _course(bench, track, records, events=others + row, connections=ROW_SPOT[0])
        with_row = race(track, {TARGET: course}, runs=1)[TARGET.name]
    name = f"{row:,} events of one person in a row among {others:,} others: the others' rate, against theirs alone"
    bench.found(Figure(measure=name, values=[heat.rate_of_unmarked / usual[0].rate for heat in with_row], at_least=0.9))


def starts(bench: Bench) -> None:
    """How long until the first request, and until the end of nothing."""
    say("Start")
    with laid() as track:
        courses = [
            Course(url=track.url, connections=16, events=events, seconds=1, source=bench.leads(events))
            for events in (1, 0)
        ]
        first = [track.heat(TARGET, courses[0]).seconds_to_first_request for _ in range(STARTS)]
        empty = [track.heat(TARGET, courses[1]).ended.seconds for _ in range(STARTS)]
    bench.found(
        Figure(
            measure="from the start of the process to the first event's request",
            values=first,
            unit=Unit.SECONDS,
            at_most=1.5,
        )
    )
    bench.found(Figure(measure="a run over an input without records", values=empty, unit=Unit.SECONDS, at_most=1.0))


def _longer(bench: Bench, trouble: str, heats: dict[str, list[Heat]], usual: list[Heat]) -> None:
    values = [with_it.seconds / without.seconds for with_it, without in zip(heats[TARGET.name], usual, strict=True)]
    place = f"{SPOT[0]} connections at {SPOT[1] * 1000:.0f} ms"
    bench.found(Figure(measure=f"{place}, {trouble}: the run's time against the usual", values=values, at_most=LONGEST))


def _course(
    bench: Bench, track: Track, records: Iterable[dict[str, object]], *, events: int, connections: int = SPOT[0]
) -> Course:
    source = process.file(inputs.write(bench.folder / "incident.singer", inputs.messages(records)))
    return Course(url=track.url, connections=connections, events=events, seconds=1, source=source)
