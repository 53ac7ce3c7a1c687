"""Rows of a PostgreSQL table through the real Meltano into a sandbox, every field compared; then a Singer file.

It needs `make meltano`, and PostgreSQL on 127.0.0.1:5432 that trusts the user postgres.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import psycopg

from benchmarks import inputs, page
from benchmarks.contestants import DATABASE, database, in_database
from benchmarks.page import ROOT, Row
from benchmarks.track import Job, told
from tests.acceptance import leads, meltano
from tests.program import PROGRAM, sandbox

ROWS = 100_000
LATENCY = 0.02
STATE_EVERY = 1_000
FILL = """
INSERT INTO crm.leads
SELECT n,
    CASE WHEN n % 7 > 0 THEN 'Zoë 日本 🎈 ' || n END,
    CASE WHEN n % 3 = 0 THEN E'line\\n"quoted"\\ttab' END,
    (n % 1000000) / 100.0,
    10000000000000000000 + n,
    CASE WHEN n % 5 > 0 THEN n / 7.0 END,
    CASE n % 3 WHEN 0 THEN true WHEN 1 THEN false END,
    timestamptz '2026-01-01 00:00:00.000001+02' + n * interval '1.000003 seconds',
    CASE WHEN n % 2 = 0 THEN timestamp '2001-02-03 04:05:06.5' + n * interval '1 hour' END,
    date '1990-01-01' + (n % 20000)::int,
    CASE WHEN n % 4 > 0 THEN jsonb_build_object('n', n, 'rate', 1.10, 'list', jsonb_build_array(NULL, 'x', n)) END,
    CASE WHEN n % 4 > 1 THEN ARRAY['a', 'b,c', 'é' || n] END,
    timestamptz '2026-01-01 00:00:00+00' + n * interval '1 millisecond'
FROM generate_series(1, {rows}) AS n
"""


def measured(job: Job) -> Iterator[str]:
    load, rows = os.getloadavg()[0], round(ROWS * job.scale)
    source = job.course(inputs.leads(rows), rows, state_every=STATE_EVERY).source
    from_table = _table(job.folder, rows)
    from_file = _run(job.folder / "file", rows, "file-to-sandbox", TAP_SINGER_FILE_PATH=str(source))
    yield _JOBS.format(every=STATE_EVERY, latency=LATENCY * 1000, load=load)
    yield page.table(_HEAD, [["table", *from_table], ["file", *from_file]])
    yield _FOUND.format(rows=rows)


def _table(folder: Path, rows: int) -> Row:
    with database(), psycopg.connect(in_database(), autocommit=True) as connection:
        connection.execute(leads.CREATE)
        connection.execute(FILL.format(rows=rows).encode())
        took = _run(folder / "table", rows, "postgres-to-sandbox", TAP_POSTGRES_DATABASE=DATABASE)
        expected = [(row, leads.utc(row["created_at"])) for row in leads.rows(connection)]
    if _arrived(folder / "table.jsonl") != expected:
        raise click.ClickException(f"Not all of {rows} rows arrived once, as the table has them.")
    return took


def _arrived(record: Path) -> list[tuple[dict[str, Any], str]]:
    """Row and moment of each event, in the order of the table."""
    with record.open(encoding="utf-8") as lines:
        events = [json.loads(line, parse_float=Decimal)["event"] for line in lines]
    events.sort(key=lambda event: event["fields"]["id"])
    return [(leads.as_in_the_table(event["fields"]), event["created_at"]) for event in events]


def _run(root: Path, count: int, name: str, **variables: str) -> Row:
    """One job of meltano.yml, its target watched: a row of the table."""
    watched = root.with_suffix(".json")
    with sandbox("--record", str(root.with_suffix(".jsonl")), "--latency", str(LATENCY)) as wire:
        project = meltano.project(root, wire, streams=[leads.MAPPING, inputs.MAPPING], **variables)
        command = f'exec "{sys.executable}" -m benchmarks.postgres_job "{watched}" "{PROGRAM}" "$@"'
        (root / "target-driftrock").write_text(f'#!/bin/sh\nexport PYTHONPATH="{ROOT}"\n{command}\n')
        began = time.monotonic()
        code = project.start("run", name).wait()
        seconds = time.monotonic() - began
    rate = told(project.log)
    if code or rate is None:
        raise click.ClickException(f"The job {name} failed:\n{project.log}")
    processor, peak_mib, states = json.loads(watched.read_text(encoding="utf-8"))
    return [count, rate[0], seconds, processor / count * 1e6, peak_mib, states]


def _watch(watched: Path, command: Sequence[str]) -> int:
    """Run the target, pass its STATE on, and write what it took: processor seconds, MiB, STATE but for the last."""
    lines = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for lines, line in enumerate(process.stdout, start=1):  # noqa: B007 - how many is asked for
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = [usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, max(0, lines - 1)]
    watched.write_text(json.dumps(took), encoding="utf-8")
    return process.returncode


_HEAD = "job | events | events a second | seconds in all | processor µs an event | peak MiB | STATE lines"
_JOBS = (
    "`meltano run` with meltanolabs-tap-postgres, and with a Singer file that has a STATE every {every:,} "
    "records, into a sandbox whose answers take {latency:g} ms, by the default `max_concurrency` and an SQLite "
    "ledger. Tap, Meltano and sandbox share the machine, whose load was {load:.1f} before."
)
_FOUND = (
    "All {rows:,} rows arrived once, with each column equal: numerics digit by digit, text beyond ASCII, "
    "nulls, timestamps with and without a zone, dates, JSON, arrays. Seconds in all are Meltano's, its own start "
    "and the tap's included. Processor time, the start-up included, and peak memory are the target's alone. STATE "
    "lines are those written during the run, without the last one; tap-postgres itself writes one every 10,000 "
    "rows."
)


if __name__ == "__main__":
    sys.exit(_watch(Path(sys.argv[1]), sys.argv[2:]))
