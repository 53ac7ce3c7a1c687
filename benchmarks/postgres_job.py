"""Rows of a PostgreSQL table through the real Meltano into a sandbox, every field compared; then a Singer file.

`python -m benchmarks.postgres_job` writes docs/measurements/postgres-job.md. It needs `make meltano`, and PostgreSQL on
127.0.0.1:5432 that trusts the user postgres.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from benchmarks import inputs, job, page
from benchmarks.page import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SERVER = "postgresql://postgres@127.0.0.1:5432"
STATE_EVERY = 1_000
_RATE = re.compile(r"(\d+) events a second over")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What a run through Meltano took of the target. `states` were written before the last one."""

    rate: int
    whole_seconds: float
    processor_seconds: float
    peak_mib: float
    states: int

    def row(self, name: str, count: int) -> tuple[object, ...]:
        """A line of the table."""
        each = f"{self.processor_seconds / count * 1e6:.0f}"
        return (
            name,
            f"{count:,}",
            f"{self.rate:,}",
            f"{self.whole_seconds:.0f}",
            each,
            f"{self.peak_mib:.0f}",
            self.states,
        )


@click.command()
@click.option("--rows", default=100_000, show_default=True, help="How many rows, and how many lines of the file.")
@click.option("--latency", default=0.02, show_default=True, help="Seconds that the sandbox takes for an answer.")
def main(rows: int, latency: float) -> None:
    """Run both jobs, and write what they took to docs/measurements/postgres-job.md."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="postgres-job-") as folder:
        from_table, equal = _table(Path(folder), rows, latency)
        from_file = _file(Path(folder), rows, latency)
    path = page.write(
        "postgres-job",
        title="PostgreSQL through Meltano",
        command="python -m benchmarks.postgres_job",
        parts=[
            _JOBS.format(every=STATE_EVERY, latency=latency * 1000, load=load),
            page.table(_HEAD, [from_table.row("table", rows), from_file.row("file", rows)]),
            _FOUND.format(rows=rows, equal=equal),
        ],
    )
    click.echo(path.read_text(encoding="utf-8"))


def _table(folder: Path, rows: int, latency: float) -> tuple[Took, int]:
    import psycopg

    from tests.acceptance import leads

    name = f"driftrock_bench_{uuid4().hex}"
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            with psycopg.connect(f"{SERVER}/{name}", autocommit=True) as connection:
                connection.execute(leads.CREATE)
                connection.execute(FILL.format(rows=rows).encode())
                record = folder / "table.jsonl"
                took = _run(folder / "table", record, latency, "postgres-to-sandbox", TAP_POSTGRES_DATABASE=name)
                equal = _equal(record, leads.rows(connection))
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
    if equal != rows:
        raise click.ClickException(f"{rows - equal} of {rows} rows did not arrive once, as the table has them.")
    return took, equal


def _file(folder: Path, count: int, latency: float) -> Took:
    source = folder / "leads.singer"
    inputs.write(source, inputs.messages(inputs.leads(count), state_every=STATE_EVERY))
    return _run(folder / "file", folder / "file.jsonl", latency, "file-to-sandbox", TAP_SINGER_FILE_PATH=str(source))


def _equal(record: Path, rows: Iterator[dict[str, Any]]) -> int:
    """How many rows arrived once and as they are."""
    from tests.acceptance import leads

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


def _run(root: Path, record: Path, latency: float, name: str, **variables: str) -> Took:
    """One job of meltano.yml, its target watched."""
    from tests.acceptance import leads, meltano
    from tests.sandbox.wire import Wire

    watched = root.with_suffix(".json")
    streams = [leads.MAPPING, inputs.MAPPING]
    with job.sandbox("--record", str(record), "--latency", str(latency)) as sandbox:
        project = meltano.project(root, Wire(sandbox.url), streams=streams, **variables)
        _watch(root / "target-driftrock", watched)
        began = time.monotonic()
        process = project.start("run", name)
        code = process.wait()
        whole = time.monotonic() - began
    rate = _RATE.search(project.log)
    if code or rate is None:
        raise click.ClickException(f"The job {name} failed:\n{project.log}")
    return Took(rate=int(rate[1]), whole_seconds=whole, **json.loads(watched.read_text()))


def _watch(script: Path, watched: Path) -> None:
    """Let the script that Meltano starts be this module, as a watcher of the target."""
    command = f'exec "{sys.executable}" -m benchmarks.postgres_job watch "{watched}" "{job.COMMAND}" "$@"'
    script.write_text(f'#!/bin/sh\nexport PYTHONPATH="{ROOT}"\n{command}\n')


def _watcher(watched: str, command: Sequence[str]) -> int:
    """Run the target, pass its STATE on, and write what it took to `watched`."""
    moments = []
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            moments.append(time.monotonic())
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = {
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
        "states": max(0, len(moments) - 1),
    }
    Path(watched).write_text(json.dumps(took), encoding="utf-8")
    return process.returncode


_HEAD = ("job", "events", "events a second", "seconds in all", "processor µs an event", "peak MiB", "STATE lines")
_JOBS = (
    "`meltano run` with meltanolabs-tap-postgres, and with a Singer file that has a STATE every {every:,} "
    "records, into a sandbox whose answers take {latency:g} ms, by the default `max_concurrency` and an SQLite "
    "ledger. Tap, Meltano and sandbox share the machine, whose load was {load:.1f} before."
)
_FOUND = (
    "Of {rows:,} rows {equal:,} arrived once, with each column equal: numerics digit by digit, text beyond ASCII, "
    "nulls, timestamps with and without a zone, dates, JSON, arrays. Seconds in all are Meltano's, its own start "
    "and the tap's included. Processor time, the start-up included, and peak memory are the target's alone. STATE "
    "lines are those written during the run, without the last one; tap-postgres itself writes one every 10,000 "
    "rows."
)


if __name__ == "__main__":
    if sys.argv[1:2] == ["watch"]:
        sys.exit(_watcher(sys.argv[2], sys.argv[3:]))
    main()
