"""Peak memory over the number of records, and with what might take more of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import inputs, page, results
from benchmarks.contestants import TARGET
from benchmarks.results import Figure, Unit
from benchmarks.track import Job, race

BAR_MIB = 150.0
GROWTH_BAR = 1.1
STEPS = (100_000, 200_000, 500_000, 1_000_000)
PERSONS = 10_000
MARKED_OF = 50
SCHEMA_EVERY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Input:
    """So many records, how a tap says them, and how the double behaves, which takes all but a `refused` share."""

    name: str = "leads"
    records: int = 100_000
    made: Callable[[int], Iterable[inputs.Record]] = inputs.leads
    lines: Mapping[str, int] = field(default_factory=dict)
    behaviour: Mapping[str, Any] = field(default_factory=dict)
    refused: float = 0.0


INPUTS = (
    *(_Input(records=records) for records in STEPS),
    _Input(name="an outage of five minutes", behaviour={"outage_seconds": 300}),
    _Input(
        name=f"{PERSONS:,} persons",
        made=lambda count: inputs.leads(count, person=lambda serial: f"person-{serial % PERSONS}"),
    ),
    _Input(
        name="2 % rejected",
        made=lambda count: inputs.leads(count, note=lambda serial: None if serial % MARKED_OF else inputs.MARKER),
        behaviour={"marker": inputs.MARKER, "marked_status": 422},
        refused=1 / MARKED_OF,
    ),
    _Input(name="records of 1 MB", records=1_000, made=inputs.large, lines={"state_every": 10}),
    _Input(name=f"another SCHEMA every {SCHEMA_EVERY} records", lines={"schema_every": SCHEMA_EVERY}),
)


def measured(job: Job) -> Iterator[str]:
    given = [replace(each, records=round(each.records * job.scale)) for each in INPUTS]
    rows = [(each.name, each.records, *_took(job, each)) for each in given]
    (_, few, least, _), (_, many, most, _) = rows[0], rows[len(STEPS) - 1]
    figures = [Figure(f"{many:,} records against {few:,}", [most / least], at_most=GROWTH_BAR)]
    for name, records, mib, _ in rows[len(STEPS) - 1 :]:
        figures.append(Figure(f"peak, {name}, {records:,} records", [mib], Unit.MEBIBYTES, at_most=BAR_MIB))
    yield _HOW
    yield results.table(figures)
    yield page.table("input | records | peak MiB | seconds in all", rows)


def _took(job: Job, given: _Input) -> tuple[float, float]:
    """Peak MiB and seconds of a run over it. Its file, which may have a gigabyte, goes afterwards."""
    with tempfile.TemporaryDirectory(dir=job.folder) as folder:
        events = given.records - round(given.records * given.refused)
        course = replace(job, folder=Path(folder)).course(given.made(given.records), events, **given.lines)
        halfway = given.records // 2  # where an outage begins, of no seconds but in one of the inputs
        (heat,) = race({TARGET: course}, outage=halfway, **given.behaviour)[TARGET]
    return heat.peak_mib, heat.process_seconds


_HOW = "The largest resident size of the installed command with an SQLite ledger and 16 connections, without latency."
