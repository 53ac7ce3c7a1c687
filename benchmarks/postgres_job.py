"""Rows of a PostgreSQL table through the real Meltano into a sandbox, every field compared; then a Singer file.

`python -m benchmarks.postgres_job` writes docs/measurements/postgres-job.md; a number behind it scales the counts. It
needs `make meltano`, and PostgreSQL on 127.0.0.1:5432 that trusts the user postgres.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import psycopg

from benchmarks import inputs, page, track
from benchmarks.contestants import COMMAND, SERVER, sandbox
from benchmarks.page import ROOT
from tests.acceptance import leads, meltano
from tests.sandbox.wire import Wire

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


def _measured(folder: Path, scale: float) -> list[str]:
    load, rows = os.getloadavg()[0], round(ROWS * scale)
    source = inputs.write(folder / "leads.singer", inputs.messages(inputs.leads(rows), state_every=STATE_EVERY))
    from_table = _table(folder, rows)
    from_file = _run(folder / "file", rows, "file-to-sandbox", TAP_SINGER_FILE_PATH=str(source))
    return [
        _JOBS.format(every=STATE_EVERY, latency=LATENCY * 1000, load=load),
        page.table(_HEAD, [["table", *from_table], ["file", *from_file]]),
        _FOUND.format(rows=rows),
    ]


def _table(folder: Path, rows: int) -> list[str]:
    name = f"driftrock_bench_{uuid4().hex}"
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            with psycopg.connect(SERVER, dbname=name, autocommit=True) as connection:
                connection.execute(leads.CREATE)
                connection.execute(FILL.format(rows=rows).encode())
                took = _run(folder / "table", rows, "postgres-to-sandbox", TAP_POSTGRES_DATABASE=name)
                equal = _equal(folder / "table.jsonl", leads.rows(connection))
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
    if equal != rows:
        raise click.ClickException(f"{rows - equal} of {rows} rows did not arrive once, as the table has them.")
    return took


def _equal(record: Path, rows: Iterator[dict[str, Any]]) -> int:
    """How many rows arrived once and as they are."""
    arrived: dict[int, list[dict[str, Any]]] = {}
    with record.open(encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line, parse_float=Decimal)["event"]
            arrived.setdefault(event["fields"]["id"], []).append(event)
    return sum(
        [leads.as_in_the_table(event["fields"]) for event in arrived.get(row["id"], [])] == [row]
        and arrived[row["id"]][0]["created_at"] == leads.utc(row["created_at"])
        for row in rows
    )


def _run(root: Path, count: int, name: str, **variables: str) -> list[str]:
    """One job of meltano.yml, its target watched: a row of the table."""
    watched = root.with_suffix(".json")
    with sandbox("--record", str(root.with_suffix(".jsonl")), "--latency", str(LATENCY)) as url:
        project = meltano.project(root, Wire(url), streams=[leads.MAPPING, inputs.MAPPING], **variables)
        command = f'exec "{sys.executable}" -m benchmarks.postgres_job watch "{watched}" "{COMMAND}" "$@"'
        (root / "target-driftrock").write_text(f'#!/bin/sh\nexport PYTHONPATH="{ROOT}"\n{command}\n')
        began = time.monotonic()
        code = project.start("run", name).wait()
        seconds = time.monotonic() - began
    rate = track.told(project.log)
    if code or rate is None:
        raise click.ClickException(f"The job {name} failed:\n{project.log}")
    processor, peak_mib, states = json.loads(watched.read_text(encoding="utf-8"))
    each = f"{processor / count * 1e6:.0f}"
    return [f"{count:,}", f"{rate[0]:,}", f"{seconds:.0f}", each, f"{peak_mib:.0f}", str(states)]


def _watch(watched: str, command: Sequence[str]) -> int:
    """Run the target, pass its STATE on, and write what it took: processor seconds, MiB, STATE but for the last."""
    lines = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines += 1
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = [usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, max(0, lines - 1)]
    Path(watched).write_text(json.dumps(took), encoding="utf-8")
    return process.returncode


_HEAD = ("job", "events", "events a second", "seconds in all", "processor µs an event", "peak MiB", "STATE lines")
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
    if sys.argv[1:2] == ["watch"]:
        sys.exit(_watch(sys.argv[2], sys.argv[3:]))
    page.main("postgres-job", "PostgreSQL through Meltano", _measured)
