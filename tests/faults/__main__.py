"""`make acceptance`: every fault through the installed command, and `docs/faults.md` written of it."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from tests.faults.every import ROWS, SHORT, SHORT_TIMES
from tests.faults.page import page
from tests.faults.summary import Pace, Summary, play
from tests.faults.table import Row

FOLDER = Path(__file__).parents[2]
_HANDLERS = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: lambda *_: None}


@click.command("make acceptance")
@click.option("--short", is_flag=True, help="The rows that the tests play, in fewer trials; what lasts is shrunk.")
@click.option("--rows", metavar="NAME,…", help="Only these rows.")
@click.option("--repeat", type=int, help="How often the rows in which chance has a part; 3 without --short.")
@click.option("--times", type=int, help="Trials of such a row.")
@click.option("--seconds", type=float, help="The longest that a fault lasts, if it is not to last its true length.")
@click.option("--jobs", default=2, show_default=True, help="Rows at the same time.")
@click.option("--keep", type=click.Path(path_type=Path), help="A new folder for what the runs leave.")
@click.option("--write", type=click.Path(path_type=Path), help="Where the page goes; docs/faults.md of a whole table.")
def acceptance(
    *,
    short: bool,
    rows: str | None,
    repeat: int | None,
    times: int | None,
    seconds: float | None,
    jobs: int,
    keep: Path | None,
    write: Path | None,
) -> None:
    """Play faults, print what came of each, and end with 1 if a promise was broken."""
    for number in (signal.SIGINT, signal.SIGHUP):  # what a shell's background job or nohup ignores, children ignore too
        signal.signal(number, _HANDLERS[number])
    began = time.monotonic()
    chosen = _chosen(",".join(SHORT) if short and rows is None else rows)
    pace = Pace(
        times=times or (SHORT_TIMES if short else 20),
        repeat=repeat or (1 if short else 3),
        is_short=short,
        seconds=seconds,
    )
    with tempfile.TemporaryDirectory(prefix="faults-") as temporary:
        summaries = _played(chosen, keep or Path(temporary), pace, jobs=jobs)
    target = write or (FOLDER / "docs" / "faults.md" if chosen == ROWS else None)
    if target is not None:
        target.write_text(page(summaries, folder=FOLDER, seconds=time.monotonic() - began), encoding="utf-8")
    sys.exit(any(summary.broken for summary in summaries))


def _played(rows: Sequence[Row], folder: Path, pace: Pace, *, jobs: int) -> list[Summary]:
    """What lasts longest begins first; told in the order of the table."""
    summaries = []
    with ThreadPoolExecutor(jobs) as pool:
        longest_first = sorted(rows, key=lambda row: pace.lasts(row) * pace.repeats(row), reverse=True)
        playing = {row.name: pool.submit(play, row, folder=folder, pace=pace) for row in longest_first}
        for row in rows:
            summaries.append(playing[row.name].result())
            click.echo(summaries[-1].line)
    return summaries


def _chosen(names: str | None) -> list[Row]:
    if names is None:
        return ROWS
    by_name = {row.name: row for row in ROWS}
    strange = [name for name in names.split(",") if name not in by_name]
    if strange:
        raise click.UsageError(f"There is no row {', '.join(strange)}: choose from {', '.join(by_name)}.")
    return [by_name[name] for name in names.split(",")]


if __name__ == "__main__":
    acceptance()
