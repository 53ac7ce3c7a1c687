"""Peak memory over the number of records, and with what might take more of it.

`python -m benchmarks.memory` writes docs/measurements/memory.md, its JSON and its plot; `--scale` shrinks the counts.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click
import msgspec

from benchmarks import inputs, page, process, results
from benchmarks.contestants import TARGET
from benchmarks.page import MEASUREMENTS, ROOT
from benchmarks.results import Figure, Unit
from benchmarks.track import BENCH_PYTHON, Course, Heat, laid, say

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTIONS = 16
MOST = 1_000_000
STEPS = (0.1, 0.2, 0.5, 1.0)
"""Shares of `MOST` whose peaks are laid side by side."""
OF_VARIANTS = 100_000
LARGE = 1_000
BAR_MIB = 150.0
GROWTH_BAR = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """An input and a double that might take more memory. `kept_share` of the records is not accepted."""

    name: str
    lines: str
    records: int = OF_VARIANTS
    behaviour: Mapping[str, object] = field(default_factory=dict)
    kept_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """What a run took."""

    name: str
    records: int
    peak_mib: float
    seconds: float

    @classmethod
    def of(cls, name: str, records: int, heat: Heat) -> Peak:
        """The peak of a heat."""
        return cls(name=name, records=records, peak_mib=heat.ended.peak_mib, seconds=heat.ended.seconds)

    def row(self) -> list[str]:
        """A line of the table."""
        return [self.name, f"{self.records:,}", f"{self.peak_mib:.0f}", f"{self.seconds:.0f}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """All that was found."""

    commit: str
    date: str
    machine: str
    bar_mib: float
    peaks: list[Peak]
    variants: list[Peak]

    def figures(self) -> list[Figure]:
        """The peaks beside their bars."""
        few, many = self.peaks[0], self.peaks[-1]
        growth = Figure(
            measure=f"{many.records:,} records against {few.records:,}",
            values=[many.peak_mib / few.peak_mib],
            unit=Unit.SHARE,
            at_most=GROWTH_BAR,
        )
        return [growth, *(_figure(peak) for peak in (many, *self.variants))]


VARIANTS = (
    Variant(name="an outage of five minutes", lines="leads", behaviour={"outage": 50_000, "outage_seconds": 300}),
    Variant(name=f"{inputs.PERSONS:,} persons", lines="persons"),
    Variant(
        name="2 % rejected",
        lines="some marked",
        behaviour={"marker": inputs.MARKER, "marked_status": 422},
        kept_share=1 / inputs.MARKED_OF,
    ),
    Variant(name="records of 1 MB", lines="large", records=LARGE),
    Variant(name=f"another SCHEMA every {inputs.SCHEMA_EVERY} records", lines="changing"),
)


@click.command()
@click.option("--scale", default=1.0, show_default=True, help="Shrinks the counts; only a whole run is kept.")
def main(scale: float) -> None:
    """Measure all, and write the page."""
    steps = [round(MOST * step * scale) for step in STEPS]
    peaks = Peaks(
        commit=page.commit(),
        date=page.today(),
        machine=page.machine(),
        bar_mib=BAR_MIB,
        peaks=[_peak(Variant(name="leads", lines="leads"), records) for records in steps],
        variants=[_peak(variant, round(variant.records * scale)) for variant in VARIANTS],
    )
    parts = [
        _HOW,
        page.table(results.FIGURES_HEAD, [figure.row() for figure in peaks.figures()]),
        page.table(_HEAD, [peak.row() for peak in (*peaks.peaks, *peaks.variants)]),
    ]
    click.echo("\n\n".join(parts))
    if scale == 1:
        (MEASUREMENTS / "memory.json").write_bytes(msgspec.json.format(msgspec.json.encode(peaks), indent=1) + b"\n")
        page.write("memory", title="Memory", command="python -m benchmarks.memory", parts=[_PLOT, *parts])
        subprocess.run([BENCH_PYTHON, "-m", "benchmarks.plots"], cwd=ROOT, check=True)


def _peak(variant: Variant, records: int) -> Peak:
    behaviour = dict(variant.behaviour)
    if "outage" in behaviour:
        behaviour["outage"] = records // 2
    with laid(**behaviour) as track:
        course = Course(
            url=track.url,
            connections=CONNECTIONS,
            events=records - round(records * variant.kept_share),
            seconds=1,
            source=process.output([sys.executable, "-m", "benchmarks.inputs", variant.lines, str(records)]),
        )
        peak = Peak.of(variant.name, records, track.heat(TARGET, course))
    say(f"{variant.name}: {records:,} records, {peak.peak_mib:.0f} MiB, {peak.seconds:.0f} s")
    return peak


def _figure(peak: Peak) -> Figure:
    measure = f"peak, {peak.name}, {peak.records:,} records"
    return Figure(measure=measure, values=[peak.peak_mib], unit=Unit.MEBIBYTES, at_most=BAR_MIB)


_HEAD = ("input", "records", "peak MiB", "seconds in all")
_PLOT = "![Peak memory over records](memory.svg)"
_HOW = (
    "The largest resident size of the installed command with an SQLite ledger and 16 connections. The double answers "
    "without latency; the input comes from a process that makes it faster than it can be sent."
)


if __name__ == "__main__":
    main()
