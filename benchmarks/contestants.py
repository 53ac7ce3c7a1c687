"""Who posts events: the target, its rivals, and two that do nothing but post."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from uuid import uuid4

import click
import psycopg
from psycopg import sql

from benchmarks import inputs, track
from benchmarks.track import BENCH_PYTHON, Course, Ended

COMMAND = Path(sys.executable).with_name("target-driftrock")
SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"
SQLITE = "SQLite"
MEMORY = "memory"
POSTGRESQL = "PostgreSQL"
LEDGERS = (MEMORY, SQLITE, POSTGRESQL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The installed command with everything on, and a new ledger for each run, but where `place` is one.

    Where it `is_counted` it is `benchmarks.counted`, which is the same run with its commits counted. `starter` is a
    command that starts it, as `env` does.
    """

    name: str = "target-driftrock"
    ledger: str = SQLITE
    place: str = ""
    is_counted: bool = False
    settings: Mapping[str, object] = field(default_factory=dict, hash=False)
    starter: tuple[str, ...] = ()

    def run(self, course: Course) -> Ended:
        """Deliver the course's input."""
        with tempfile.TemporaryDirectory(prefix="target-driftrock-bench-") as folder, self._ledger(folder) as ledger:
            given = {
                "environment": "sandbox",
                "api_url": course.url,
                "ledger": ledger,
                "streams": [inputs.MAPPING],
                "max_concurrency": course.connections,
                **self.settings,
            }
            config = Path(folder) / "settings.json"
            config.write_text(json.dumps(given), encoding="utf-8")
            counted = [sys.executable, "-m", "benchmarks.counted", self.ledger, str(config)]
            command = counted if self.is_counted else [str(COMMAND), f"--config={config}"]
            return track.run([*self.starter, *command], source=course.source)

    @contextmanager
    def _ledger(self, folder: str) -> Iterator[str]:
        if self.ledger != POSTGRESQL:
            yield self.place or f"{folder}/ledger"
            return
        with new_schema() as schema:
            yield f"{SERVER}?schema={schema}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command made for a course."""

    name: str
    command: Callable[[Course], list[str]]

    def run(self, course: Course) -> Ended:
        """Post as many events as the course has, or for as long as it says."""
        return track.run(self.command(course), source=course.source)


def _rival(module: str) -> Callable[[Course], list[str]]:
    return lambda course: [str(BENCH_PYTHON), "-m", f"benchmarks.rivals.{module}", course.url]


def _aiohttp(loop: str) -> Callable[[Course], list[str]]:
    module = [sys.executable, "-m", "benchmarks.rivals.bare", loop]
    return lambda course: [*module, course.url, str(course.connections), str(course.events)]


def _wrk(course: Course) -> list[str]:
    numbers = ["-t1", f"-c{course.connections}", f"-d{max(1, round(course.seconds))}s"]
    return [wrk(), *numbers, "-sbenchmarks/rivals/wrk.lua", course.url, "--", inputs.body(inputs.typical()).decode()]


TARGET = Target()
IN_MEMORY = Target(name="target-driftrock, ledger in memory", ledger=MEMORY, is_counted=True)
IN_POSTGRESQL = Target(name="target-driftrock, ledger in PostgreSQL", ledger=POSTGRESQL, is_counted=True)
UNVALIDATED = Target(name="target-driftrock, without validation", settings={"validate_records": False})
ONE_BY_ONE = Program(name="SDK's template: requests, one by one", command=_rival("one_by_one"))
THREADS = Program(name="BatchSink, 16 threads, one session", command=_rival("threads"))
DLT = Program(name="dlt, custom destination, 16 workers", command=_rival("dlt_destination"))
AIOHTTP = Program(name="aiohttp alone, uvloop", command=_aiohttp("uvloop"))
AIOHTTP_ASYNCIO = Program(name="aiohttp alone, asyncio", command=_aiohttp("asyncio"))
WRK = Program(name="wrk", command=_wrk)


@cache
def wrk() -> str:
    """Where wrk is. Raises ClickException with what to do where it is not."""
    found = shutil.which("wrk")
    if found is None:
        raise click.ClickException("wrk is not installed. On Debian and Ubuntu: apt-get install wrk; then run again.")
    return found


@cache
def has_postgresql() -> bool:
    """Whether a server can be reached."""
    try:
        with psycopg.connect(SERVER, connect_timeout=3):
            return True
    except psycopg.OperationalError:
        return False


@contextmanager
def new_schema() -> Iterator[str]:
    """The name of a schema that is not there yet, and that ends with the `with`."""
    schema = f"target_driftrock_bench_{uuid4().hex}"
    try:
        yield schema
    finally:
        with psycopg.connect(SERVER, autocommit=True) as server:
            server.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


@contextmanager
def sandbox(*options: str) -> Iterator[str]:
    """The URL of a sandbox on a free port, with these options."""
    with subprocess.Popen([COMMAND, "sandbox", "--port", "0", *options], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            yield "http://" + process.stderr.readline().split("http://")[1].split()[0]
        finally:
            process.terminate()
