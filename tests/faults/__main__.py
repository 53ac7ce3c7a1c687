"""`make acceptance`: every fault through the installed command, and `docs/faults.md` written of it."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import click

from tests.faults.every import ROWS
from tests.faults.summary import Summary, played, summed
from tests.faults.table import Row, Stage

TIMES, TIMES_SHORT = 20, 3
SECONDS, SECONDS_SHORT = 60.0, 15.0
FOLDER = Path(__file__).parents[2]


@click.command("make acceptance")
@click.option("--short", is_flag=True, help="Fewer trials a row.")
@click.option("--rows", metavar="NAME,…", help="Only these rows; docs/faults.md is left as it is.")
@click.option("--repeat", default=1, show_default=True, help="Play the rows with random moments so often.")
@click.option("--times", type=int, help="Trials of a row with random moments.")
@click.option("--seconds", type=float, help="How long all faults at once last.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for what the runs leave; it must not exist.")
def acceptance(
    *, short: bool, rows: str | None, repeat: int, times: int | None, seconds: float | None, keep: Path | None
) -> None:
    """Play faults, and print what came of each."""
    chosen = _chosen(rows)
    times = times or (TIMES_SHORT if short else TIMES)
    seconds = seconds or (SECONDS_SHORT if short else SECONDS)
    summaries = []
    with tempfile.TemporaryDirectory(prefix="faults-") as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        for row in chosen:
            place = folder / row.name
            place.mkdir()
            summaries.append(_play(row, place, times=times, seconds=seconds))
    sys.exit(any(summary.broken for summary in summaries))


def _play(row: Row, folder: Path, *, times: int, seconds: float) -> Summary:
    began = time.monotonic()
    stage = Stage(folder=folder, times=times, seconds=seconds)
    summary = summed(row, played(row, stage), seconds=time.monotonic() - began)
    click.echo(summary.line)
    return summary


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
