"""Who posts events: the target, its rivals, and two that do nothing but post."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import inputs
from benchmarks.track import BENCH_PYTHON, Contestant, Course
from tests.contract.places import SERVER
from tests.program import PROGRAM

DATABASE = f"target_driftrock_bench_{os.getpid()}"
SQLITE = "SQLite"
MEMORY = "memory"
POSTGRESQL = "PostgreSQL"
LEDGERS = (MEMORY, SQLITE, POSTGRESQL)


def target(
    name: str = "target-driftrock",
    *,
    command: Sequence[str | Path] = (PROGRAM,),
    ledger: str = SQLITE,
    place: Path | None = None,
    validate: bool = True,
    **when: Any,
) -> Contestant:
    """The installed command with everything on, and a new ledger for each run, but where `place` is one."""

    def made(url: str, course: Course) -> list[str | Path]:
        folder = Path(tempfile.mkdtemp(dir=course.source.parent, prefix="run_"))
        settings = {
            "environment": "sandbox",
            "api_url": url,
            "ledger": in_database(folder.name) if ledger == POSTGRESQL else str(place or folder / "ledger"),
            "streams": [inputs.MAPPING],
            "max_concurrency": course.connections,
            "validate_records": validate,
        }
        config = folder / "settings.json"
        config.write_text(json.dumps(settings), encoding="utf-8")
        return [*command, f"--config={config}"]

    return Contestant(name, made, **when)


def counted(name: str, ledger: str, **when: Any) -> Contestant:
    """The same run over this ledger, with its commits counted."""
    return target(name, command=[sys.executable, "-m", "benchmarks.counted", ledger], ledger=ledger, **when)


def _posting(name: str, *command: str | Path, **when: Any) -> Contestant:
    return Contestant(name, lambda url, at: [*command, url, str(at.connections), str(at.events)], **when)


def _wrk(url: str, course: Course) -> list[str]:
    numbers = ["-t1", f"-c{course.connections}", f"-d{max(1, round(course.seconds))}s"]
    return ["wrk", *numbers, "-sbenchmarks/rivals/wrk.lua", url, "--", inputs.body(inputs.typical()).decode()]


_BARE = (sys.executable, "-m", "benchmarks.rivals.bare")
_SDK = (BENCH_PYTHON, "-m", "benchmarks.rivals.sdk")
_DLT = (BENCH_PYTHON, "-m", "benchmarks.rivals.dlt_destination")

WRK = Contestant("wrk", _wrk, share=0.2, is_quick=True)
IN_MEMORY = counted("target-driftrock, ledger in memory", MEMORY, is_quick=True, is_hard=True)
TARGET = target(is_quick=True)
UNVALIDATED = target("target-driftrock, without validation", validate=False)
AIOHTTP = _posting("aiohttp alone, uvloop", *_BARE, "uvloop", share=0.4, is_quick=True)
AIOHTTP_ASYNCIO = _posting("aiohttp alone, asyncio", *_BARE, "asyncio", share=0.2)
ONE_BY_ONE = _posting("SDK's template: requests, one by one", *_SDK, "one-by-one", share=0.2)
THREADS = _posting("BatchSink, 16 threads, one session", *_SDK, "threads", share=0.4, is_quick=True, is_hard=True)
DLT = _posting("dlt, custom destination, 16 workers", *_DLT, share=0.3, is_hard=True)
IN_POSTGRESQL = counted("target-driftrock, ledger in PostgreSQL", POSTGRESQL, share=0.3, is_hard=True)
EVERYBODY = (WRK, IN_MEMORY, TARGET, UNVALIDATED, AIOHTTP, AIOHTTP_ASYNCIO, ONE_BY_ONE, THREADS, DLT, IN_POSTGRESQL)
RIVALS = (ONE_BY_ONE, THREADS, DLT)


@contextmanager
def database() -> Iterator[bool]:
    """PostgreSQL has `DATABASE` as long as this lasts; False where there is no server."""
    try:
        server = psycopg.connect(SERVER, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        yield False
        return
    with server:
        server.execute(f"CREATE DATABASE {DATABASE}".encode())
        try:
            yield True
        finally:
            server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())


def in_database(schema: str = "") -> str:
    """The URL of that database, or of a ledger in a schema of it."""
    return f"{SERVER.rpartition('/')[0]}/{DATABASE}" + (f"?schema={schema}" if schema else "")
