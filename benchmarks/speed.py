"""How fast: the target, its rivals and two load generators on one double, against the bars and what was kept."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import click

from benchmarks import measures, page, results
from benchmarks.contestants import EVERYBODY, IN_POSTGRESQL, database
from benchmarks.results import Figure, Sheet
from benchmarks.track import Job, say

SECONDS, QUICK_SECONDS = 20, 3
RUNS = 3


def measured(job: Job) -> Iterator[str]:
    if shutil.which("wrk") is None:
        raise click.ClickException("wrk is not installed. On Debian and Ubuntu: apt-get install wrk; then run again.")
    began, load = time.monotonic(), os.getloadavg()[0]
    sheet = _sheet(job)
    minutes = (time.monotonic() - began) / 60
    yield _HOW.format(runs=RUNS, seconds=sheet.seconds, load=load, minutes=minutes)
    yield results.table(sheet.figures)
    yield page.section("Rates", _WHO, _RATES, sheet.rates)
    kept = page.MEASUREMENTS / ("bench-quick.json" if job.is_quick else "bench.json")
    yield "## Beside what was kept\n\n" + "\n".join(f"- {line}" for line in _compared(kept, sheet))
    if job.is_kept and not sheet.figures[-1].is_short:
        results.write(kept, sheet)


def _sheet(job: Job) -> Sheet:
    seconds = (QUICK_SECONDS if job.is_quick else SECONDS) * job.scale
    figures: list[Figure] = []
    with database() as has_postgresql:
        everybody = [each for each in EVERYBODY if each.is_quick or not job.is_quick]
        present = [each for each in everybody if each != IN_POSTGRESQL or has_postgresql]
        bench = measures.Bench(job=job, seconds=seconds, runs=RUNS, everybody=present)
        for measure in [each for each, is_quick in measures.MEASURES.items() if is_quick or not job.is_quick]:
            say(measure.__doc__ or "")
            figures += measure(bench)
    return Sheet(
        commit=page.commit(),
        date=page.today(),
        machine=page.machine(),
        seconds=seconds,
        figures=figures,
        rates=bench.rates,
    )


def _compared(kept: Path, sheet: Sheet) -> Iterator[str]:
    """What got slower, a line each. The last figure is the double's own."""
    if sheet.figures[-1].is_short:
        yield "The double was the limit: no figure counts, and none is kept to compare with."
    before = results.read(kept)
    if before is None or before.seconds != sheet.seconds:
        yield "Nothing of runs as long was kept to compare with."
        return
    yield f"Compared with {before.commit} of {before.date}, on {before.machine}."
    worse = results.slower(before, sheet)
    yield from (f"Slower: {line}" for line in worse)
    if not worse:
        yield "No ratio got worse by more than its runs lie apart."


_HOW = (
    "Events a second from the first request to the last answer, as a double of the API sees them: one process, and "
    "not the limit (the table's last line says by how much). {runs} runs each, over {seconds:g} s; those "
    "of others, which have no slow start, and of PostgreSQL over a half to a fifth of it. In each round everybody "
    "runs once, and a ratio is one round's, so that what slows the machine down hits both. All clients share it with "
    "the double. Its load was {load:.1f} before, and all took {minutes:.0f} minutes."
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
_RATES = (
    "latency, ms | connections | who | events a second | least | most | % of connections ÷ latency "
    "| processor µs an event | ms a commit"
)
