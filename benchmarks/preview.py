"""What a preview takes: lines of JSON, and the page, whose memory must not grow with the input."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from benchmarks import inputs, page, results
from benchmarks.results import Figure, Unit
from benchmarks.track import Job, run, say
from tests.program import PROGRAM

BAR_MIB = 150.0
GROWTH_BAR = 1.1
HALF, MANY = 500_000, 1_000_000
_EXIT_CODES = {0, 6}
_ODD = 10
"""Of so many records one has a time that nobody can read, in many shapes."""
_SETTINGS = {
    "environment": "sandbox",
    "ledger": "unused",
    "streams": [{**inputs.MAPPING, "event_name": "From {city}", "created_at": "{note}"}],
}


def measured(job: Job) -> Iterator[str]:
    given = [("a page", HALF, ["--html"]), ("a page", MANY, ["--html"]), ("lines of JSON", MANY, [])]
    rows = [(form, count, *_took(job, round(count * job.scale), options)) for form, count, options in given]
    half, most, lines = (peak for _, _, peak, *_ in rows)
    yield _HOW
    yield results.table(
        [
            Figure(f"{MANY:,} records against {HALF:,}", [most / half], at_most=GROWTH_BAR),
            Figure("a page against lines of JSON", [most / lines], at_most=GROWTH_BAR),
            Figure(f"peak, a page of {MANY:,} records", [most], Unit.MEBIBYTES, at_most=BAR_MIB),
        ]
    )
    yield page.table("form | records | peak MiB | seconds in all | of a processor | KiB of the page", rows)


def _took(job: Job, count: int, options: list[str]) -> tuple[float, float, float, float | None]:
    """Of a preview of so many records: peak MiB, seconds, seconds of a processor, and KiB of its page, if any."""
    with tempfile.TemporaryDirectory(dir=job.folder) as folder:
        settings, html = Path(folder) / "settings.json", Path(folder) / "page.html"
        settings.write_text(json.dumps(_SETTINGS), encoding="utf-8")
        course = replace(job, folder=Path(folder)).course(_records(count), count)
        command = [PROGRAM, "preview", "--config", settings, *(each for option in options for each in (option, html))]
        ended = run(command, source=course.source)
        if ended.exit_code not in _EXIT_CODES:
            raise click.ClickException(f"The preview ended with {ended.exit_code}:\n{ended.log}")
        say(f"  {count:,} records, {' '.join(options) or 'lines'}: {ended.process_seconds:.0f} s")
        size = html.stat().st_size / 1024 if options else None
        return ended.peak_mib, ended.process_seconds, ended.processor_seconds, size


def _records(count: int) -> Iterator[inputs.Record]:
    """Of different towns and days; one in ten cannot be dated."""
    return inputs.leads(count, city=lambda serial: f"Town {serial % 5_000}", note=_note)


def _note(serial: int) -> str:
    if serial % _ODD:
        return f"20{serial % 30:02d}-{1 + serial % 12:02d}-{1 + serial % 28:02d}"
    return f"{'x' * (serial % 7)}{'9' * (serial % 31)}-{'/' * (serial % 11)}{serial % 97}"


_HOW = (
    "The largest resident size of the installed command over leads of 5,000 towns and ten thousand days; one record in "
    "ten has a time that cannot be read, in hundreds of shapes. Half of it fills the 32 MiB in which a preview holds "
    "events against each other, before they go to a file."
)
