"""Who posts events: the target, its rivals, and two that do nothing but post."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import click
import psycopg
from psycopg import sql

from benchmarks import inputs, job, process
from benchmarks.track import BENCH_PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.process import Ended
    from benchmarks.track import Course

SERVER = "postgresql://postgres@127.0.0.1/postgres"
SQLITE = "SQLite"
MEMORY = "memory"
POSTGRESQL = "PostgreSQL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The installed command with everything on, and a new ledger for each run.

    Over another ledger than SQLite it is `benchmarks.job`, which is the same run with its commits counted.
    `starter` is a command that starts it, as `env` does.
    """

    name: str = "target-driftrock"
    ledger: str = SQLITE
    settings: Mapping[str, object] = field(default_factory=dict, hash=False)
    starter: tuple[str, ...] = ()

    def run(self, course: Course) -> Ended:
        """Deliver the course's input."""
        folder = Path(tempfile.mkdtemp(prefix="target-driftrock-bench-"))
        schema = f"target_driftrock_bench_{uuid4().hex}"
        place = {
            SQLITE: str(folder / "ledger"),
            MEMORY: MEMORY,
            POSTGRESQL: f"{SERVER}?schema={schema}",
        }[self.ledger]
        config = folder / "settings.json"
        config.write_text(json.dumps(self._settings(course, place)), encoding="utf-8")
        try:
            return process.run([*self.starter, *self._command(place, config)], source=course.source)
        finally:
            shutil.rmtree(folder)
            if self.ledger == POSTGRESQL:
                drop(schema)

    def _command(self, place: str, config: Path) -> list[str]:
        return [str(job.COMMAND), f"--config={config}"] if self.ledger == SQLITE else job.command(place, config)

    def _settings(self, course: Course, place: str) -> dict[str, object]:
        return {
            "environment": "sandbox",
            "api_url": course.url,
            "ledger": place,
            "streams": [inputs.MAPPING],
            "max_concurrency": course.connections,
            **self.settings,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A program of `benchmarks.rivals`."""

    name: str
    module: str

    def run(self, course: Course) -> Ended:
        """Deliver the course's input."""
        return process.run([BENCH_PYTHON, "-m", f"benchmarks.rivals.{self.module}", course.url], source=course.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    """aiohttp alone."""

    name: str
    loop: str

    def run(self, course: Course) -> Ended:
        """Post as many events as the course has."""
        numbers = [str(course.connections), str(course.events)]
        return process.run([sys.executable, "-m", "benchmarks.bare", self.loop, course.url, *numbers])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrk:
    """A load generator in C: what one machine can send over so many connections."""

    name: str = "wrk"

    def run(self, course: Course) -> Ended:
        """Post for as long as the course says."""
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(_SCRIPT.format(body=json.dumps(inputs.body(inputs.typical()).decode())))
            script.flush()
            seconds = f"-d{max(1, round(course.seconds))}s"
            return process.run([wrk(), "-t1", f"-c{course.connections}", seconds, f"-s{script.name}", course.url])


TARGET = Target()
IN_MEMORY = Target(name="target-driftrock, ledger in memory", ledger=MEMORY)
IN_POSTGRESQL = Target(name="target-driftrock, ledger in PostgreSQL", ledger=POSTGRESQL)
UNVALIDATED = Target(name="target-driftrock, without validation", settings={"validate_records": False})
ONE_BY_ONE = Rival(name="SDK's template: requests, one by one", module="one_by_one")
THREADS = Rival(name="BatchSink, 16 threads, one session", module="threads")
DLT = Rival(name="dlt, custom destination, 16 workers", module="dlt_destination")
AIOHTTP = Bare(name="aiohttp alone, uvloop", loop="uvloop")
AIOHTTP_ASYNCIO = Bare(name="aiohttp alone, asyncio", loop="asyncio")
WRK = Wrk()


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


def postgresql() -> Iterator[Target]:
    """The target over PostgreSQL, where there is one."""
    if has_postgresql():
        yield IN_POSTGRESQL


def drop(schema: str) -> None:
    """Take a schema of the server away, if it is there."""
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


_SCRIPT = """
wrk.method = "POST"
wrk.path = "/v2/event"
wrk.headers["Authorization"] = "Bearer double"
wrk.headers["Content-Type"] = "application/json"
wrk.body = {body}
"""
