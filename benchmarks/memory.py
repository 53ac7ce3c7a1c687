"""Peak memory over the number of records, and with what might take more of it.

`python -m benchmarks.memory` writes docs/measurements/memory.md; a number behind it scales the counts.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import inputs, page, results
from benchmarks.contestants import TARGET
from benchmarks.results import Figure, Unit
from benchmarks.track import Course, laid, say

BAR_MIB = 150.0
GROWTH_BAR = 1.1
STEPS = (100_000, 200_000, 500_000, 1_000_000)
INPUTS: Sequence[tuple[str, str, int, Mapping[str, Any], float]] = (
    *(("leads", "leads", records, {}, 0) for records in STEPS),
    ("an outage of five minutes", "leads", 100_000, {"outage": 50_000, "outage_seconds": 300}, 0),
    (f"{inputs.PERSONS:,} persons", "persons", 100_000, {}, 0),
    ("2 % rejected", "some marked", 100_000, {"marker": inputs.MARKER, "marked_status": 422}, 1 / inputs.MARKED_OF),
    ("records of 1 MB", "large", 1_000, {}, 0),
    (f"another SCHEMA every {inputs.SCHEMA_EVERY} records", "changing", 100_000, {}, 0),
)
"""Name, variant of the input, how many records, how the double behaves, and what share of them it does not accept."""


def _measured(_: Path, scale: float) -> list[str]:
    peaks = [_peak(*row, scale=scale) for row in INPUTS]
    few, least, many, most = *peaks[0][1:3], *peaks[len(STEPS) - 1][1:3]
    figures = [Figure(measure=f"{many:,} records against {few:,}", values=[most / least], at_most=GROWTH_BAR)]
    for name, records, mib, __ in peaks[len(STEPS) - 1 :]:
        measure = f"peak, {name}, {records:,} records"
        figures.append(Figure(measure=measure, values=[mib], unit=Unit.MEBIBYTES, at_most=BAR_MIB))
    rows = [[name, f"{records:,}", f"{mib:.0f}", f"{seconds:.0f}"] for name, records, mib, seconds in peaks]
    return [
        _HOW,
        page.table(results.FIGURES_HEAD, [figure.row() for figure in figures]),
        page.table(("input", "records", "peak MiB", "seconds in all"), rows),
    ]


def _peak(
    name: str, variant: str, records: int, behaviour: Mapping[str, Any], kept_share: float, *, scale: float
) -> tuple[str, int, float, float]:
    """Name, how many records, peak MiB, seconds."""
    records = round(records * scale)
    if "outage" in behaviour:
        behaviour = {**behaviour, "outage": records // 2}
    with laid(**behaviour) as track:
        source = (sys.executable, "-m", "benchmarks.inputs", variant, str(records))
        course = Course(url=track.url, events=records - round(records * kept_share), source=source)
        ended = track.heat(TARGET, course).ended
    say(f"{name}: {records:,} records, {ended.peak_mib:.0f} MiB, {ended.seconds:.0f} s")
    return name, records, ended.peak_mib, ended.seconds


_HOW = (
    "The largest resident size of the installed command with an SQLite ledger and 16 connections. The double answers "
    "without latency; the input comes from a process that makes it faster than it can be sent."
)


if __name__ == "__main__":
    page.main("memory", "Memory", _measured)
