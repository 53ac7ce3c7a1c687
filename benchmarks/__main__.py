"""`python -m benchmarks`: the target, its rivals and two load generators on one double, against the bars."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import click

from benchmarks import contestants, measures, page, results
from benchmarks.measures import Form
from benchmarks.page import MEASUREMENTS
from benchmarks.results import Sheet, Verdict
from benchmarks.track import say


@click.command()
@click.option("--quick", is_flag=True, help="About two minutes: fewer spots, three seconds each.")
@click.option("--keep", is_flag=True, help="Keep what the quick form found; the full form always does.")
@click.option("--seconds", type=float, help="Another length of each run.")
@click.option("--runs", type=int, help="Another number of runs.")
@click.option("--fail-on-regression", is_flag=True, help="End with 1 when something got slower.")
def main(*, quick: bool, keep: bool, seconds: float | None, runs: int | None, fail_on_regression: bool) -> None:
    """Measure, compare with what was kept, and write docs/measurements/bench.md."""
    form = measures.QUICK if quick else measures.FULL
    kept = MEASUREMENTS / ("bench-quick.json" if quick else "bench.json")
    contestants.wrk()
    sheet = _measured(form._replace(seconds=seconds or form.seconds, runs=runs or form.runs))
    text = _text(sheet)
    before = results.read(kept)
    worse = results.slower(before, sheet) if before else []
    click.echo("\n".join([text, *_said(sheet, before, worse)]))
    if seconds is runs is None and (keep or not quick):
        results.write(kept, sheet)
        if not quick:
            page.write("bench", title="How fast", command="make bench", parts=[text])
    is_invalid = any(each.measure == measures.DOUBLE and each.verdict is not Verdict.PASS for each in sheet.figures)
    if is_invalid or (worse and fail_on_regression):
        raise SystemExit(1)


def _measured(form: Form) -> Sheet:
    began, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="target-driftrock-bench-") as folder:
        bench = measures.Bench(form=form, folder=Path(folder))
        for name, (measure, is_quick) in measures.MEASURES.items():
            if form.is_full or is_quick:
                say(name.capitalize())
                measure(bench)
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
    figures = page.table(results.FIGURES_HEAD, [figure.row() for figure in sheet.figures])
    rates = page.table(results.RATES_HEAD, [rate.row() for rate in sheet.rates])
    return "\n\n".join([_HOW.format(sheet=sheet), figures, "## Rates", rates, _WHO])


def _said(sheet: Sheet, before: Sheet | None, worse: list[results.Slower]) -> list[str]:
    lines = [f"Short of its bar: {line}" for line in results.shortfalls(sheet)]
    if before is None or before.seconds != sheet.seconds:
        return [*lines, "Nothing of runs as long was kept to compare with."]
    lines.append(f"Compared with {before.commit} of {before.date}:")
    if before.machine != sheet.machine:
        lines.append(f"(that was another machine: {before.machine})")
    return [*lines, *(f"Slower: {each}" for each in worse)] + (
        [] if worse else ["No ratio got worse by more than its runs lie apart."]
    )


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
