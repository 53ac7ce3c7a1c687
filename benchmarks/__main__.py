"""`python -m benchmarks PAGE`: measure, print the page, and write it to docs/measurements."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from benchmarks import filters, ledger, limits, memory, page, postgres_job, preview, profile, refresh, spark, speed
from benchmarks.track import Job

PAGES: Mapping[str, tuple[str, Callable[[Job], Iterator[str]]]] = {
    "bench": ("How fast", speed.measured),
    "filters": ("What filters cost", filters.measured),
    "ledger": ("What a ledger costs", ledger.measured),
    "limits": ("The adaptive limit", limits.measured),
    "memory": ("Memory", memory.measured),
    "postgres-job": ("PostgreSQL through Meltano", postgres_job.measured),
    "preview": ("A preview", preview.measured),
    "profile": ("Where the time goes", profile.measured),
    "spark": ("A job on Spark", spark.rates),
    "spark-backfill": ("A backfill on Spark", spark.backfill),
    "refresh": ("A full refresh, and short-lived tokens", refresh.measured),
}
"""By name: the title, and what measures its parts."""


@click.command()
@click.argument("name", metavar="PAGE", type=click.Choice(list(PAGES)), default="bench")
@click.option("--quick", is_flag=True, help="Of bench: about two minutes, fewer spots, three seconds each.")
@click.option("--keep", is_flag=True, help="Keep what the quick form found; the full form always does.")
@click.option("--scale", default=1.0, help="So many times as much of everything; nothing is kept.")
@click.option(
    "--package",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Of profile: another checkout, whose code is measured too, as what was before.",
)
def main(*, name: str, quick: bool, keep: bool, scale: float, package: Path | None) -> None:
    """Measure, and write docs/measurements/PAGE.md."""
    title, measured = PAGES[name]
    command = f"python -m benchmarks {name}" + (" --package PATH" if package else "")
    if name == "bench":
        command = "make bench-quick" if quick else "make bench"
    is_kept = scale == 1 and (keep or not quick)
    with tempfile.TemporaryDirectory(prefix="target-driftrock-bench-") as folder:
        job = Job(folder=Path(folder), scale=scale, package=package, is_quick=quick, is_kept=is_kept)
        text = page.text(title, command=command, parts=measured(job))
    click.echo(text)
    if is_kept and not quick:
        (page.MEASUREMENTS / f"{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
