"""`python -m benchmarks`: the target, its rivals and two load generators on one double, against the bars."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmarks import contestants, incidents, measures, page, results
from benchmarks.page import MEASUREMENTS, ROOT
from benchmarks.results import Sheet, Verdict
from benchmarks.track import BENCH_PYTHON

if TYPE_CHECKING:
    from benchmarks.measures import Form


@click.command()
@click.option("--quick", is_flag=True, help="About two minutes: fewer spots, three seconds each.")
@click.option("--keep", is_flag=True, help="Keep what the quick form found; the full form always does.")
@click.option("--seconds", type=float, help="Another length of each run.")
@click.option("--runs", type=int, help="Another number of runs.")
@click.option("--fail-on-regression", is_flag=True, help="End with 1 when something got slower.")
def main(*, quick: bool, keep: bool, seconds: float | None, runs: int | None, fail_on_regression: bool) -> None:
    """Measure, compare with what was kept, and write docs/measurements/bench.md and its plots."""
    form = measures.QUICK if quick else measures.FULL
    kept = MEASUREMENTS / ("bench-quick.json" if quick else "bench.json")
    is_whole = seconds is None and runs is None
    form = replace(form, seconds=seconds or form.seconds, runs=runs or form.runs)
    contestants.wrk()
    sheet = _measured(form)
    text = _text(sheet)
    click.echo(text)
    before = results.read(kept)
    worse = results.slower(before, sheet) if before else []
    _say(sheet, before, worse)
    if is_whole and (keep or not quick):
        results.write(kept, sheet)
        _publish(sheet, text)
    if _is_invalid(sheet) or (worse and fail_on_regression):
        raise SystemExit(1)


def _measured(form: Form) -> Sheet:
    began, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="target-driftrock-bench-") as folder:
        bench = measures.Bench(form=form, folder=Path(folder))
        measures.no_latency(bench)
        measures.grid(bench)
        measures.mixes(bench)
        if form.has_incidents:
            incidents.troubles(bench)
            incidents.persons(bench)
        incidents.starts(bench)
        measures.double(bench)
    return Sheet(
        form=form.name,
        commit=page.commit(),
        date=page.today(),
        machine=page.machine(),
        load=load,
        minutes=(time.monotonic() - began) / 60,
        seconds=form.seconds,
        runs=form.runs,
        figures=bench.figures,
        rates=bench.rates,
    )


def _text(sheet: Sheet) -> str:
    parts = [
        _HOW.format(sheet=sheet),
        page.table(results.FIGURES_HEAD, [figure.row() for figure in sheet.figures]),
        "## Rates",
        page.table(results.RATES_HEAD, [rate.row() for rate in sheet.rates]),
        _WHO,
    ]
    return "\n\n".join(parts)


def _say(sheet: Sheet, before: Sheet | None, worse: list[results.Slower]) -> None:
    for line in results.shortfalls(sheet):
        click.echo(f"Short of its bar: {line}")
    if before is None or before.seconds != sheet.seconds:
        click.echo("Nothing of runs as long was kept to compare with.")
        return
    click.echo(f"Compared with {before.commit} of {before.date}:")
    if before.machine != sheet.machine:
        click.echo(f"(that was another machine: {before.machine})")
    for each in worse:
        click.echo(f"Slower: {each}")
    if not worse:
        click.echo("No ratio got worse by more than its runs lie apart.")


def _is_invalid(sheet: Sheet) -> bool:
    """Whether the double was the limit, so that nothing here counts."""
    return any(figure.measure == measures.DOUBLE and figure.verdict is not Verdict.PASS for figure in sheet.figures)


def _publish(sheet: Sheet, text: str) -> None:
    if sheet.form != measures.FULL.name:
        return
    page.write("bench", title="How fast", command="make bench", parts=[_PLOT, text])
    subprocess.run([BENCH_PYTHON, "-m", "benchmarks.plots"], cwd=ROOT, check=True)


_PLOT = "![Rate over connections, for each latency](rates.svg)"
_HOW = (
    "Events a second from the first request to the last answer, as a double of the API sees them: one process, and "
    "not the limit (the table's last line says by how much). {sheet.runs} runs each, over {sheet.seconds:g} s; those "
    "of others, which have no slow start, and of PostgreSQL over a half to a fifth of it. In each round everybody "
    "runs once, and a ratio is one round's, so that what slows the machine down hits both. All clients share it with "
    "the double. Its load was {sheet.load:.1f} before, and all took {sheet.minutes:.0f} minutes."
)
_WHO = (
    "- target-driftrock is the installed command with everything on: validation, a new SQLite ledger, order, "
    "STATE. Over the ledgers in memory and in PostgreSQL it is the same run, its commits counted.\n"
    "- wrk, a load generator in C, posts the body of one such event again and again. So does aiohttp alone.\n"
    "- The rivals validate what their SDK validates, remember nothing, and promise no order. dlt's clock starts after "
    "it has extracted and normalised everything.\n"
    "- Processor time is that of all threads, less that of a run over one event.\n"
    "- An answer that takes 2 s keeps a connection busy, and a 503 costs one more request: the ideal for what came is "
    "connections ÷ mean latency, less the share of 503."
)


if __name__ == "__main__":
    main()
