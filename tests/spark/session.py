"""Spark in an environment of its own, as a user has it, and the sandbox that its tasks deliver to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.contract.places import server
from tests.program import ROOT

PYTHON = ROOT / ".venvs/spark/bin/python"
PATIENCE = 240.0
"""Seconds until a program is given up."""
LEAD: Mapping[str, Any] = {
    "stream": "leads",
    "event_type": "lead",
    "source_id": "capture-1",
    "person_id": "{person}",
    "created_at": "{at}",
    "fields": "*",
}


def demand() -> None:
    """Skip the test where Spark or Java is missing, or fail it where one must be."""
    missing = [
        name for name, is_there in (("make spark", PYTHON.exists()), ("Java", shutil.which("java"))) if not is_there
    ]
    if not missing:
        return
    why = f"{' and '.join(missing)} is missing here"
    if os.environ.get("TARGET_DRIFTROCK_TEST_REQUIRE_SPARK") == "1":
        pytest.fail(why)
    pytest.skip(why)


def leads(count: int, *, persons: int = 50) -> str:
    """The query of so many rows: times are in no order of rows, and rise by the row's number for each person."""
    person = f"concat('p', id % {persons})"
    return (
        f"SELECT id, {person} AS person, concat({person}, '@example.com') AS email,"  # noqa: S608 - our own numbers
        f" timestamp_seconds(1700000000 + id) AS at FROM range({count}) ORDER BY hash(id)"
    )


@dataclass(frozen=True, kw_only=True)
class Program:
    """A user's program that is at work."""

    process: subprocess.Popen[bytes]
    log: Path
    heard: list[Any] = field(default_factory=list)

    def ready(self) -> str:
        """Wait until its session is there; where it shows its pages, if it does."""
        return str(self.hear()["ready"])

    def hear(self) -> dict[str, Any]:
        """What it says next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text(encoding="utf-8")
        heard: dict[str, Any] = json.loads(line)
        self.heard.append(heard)
        return heard

    def receipt(self) -> dict[str, Any]:
        """That of the next DataFrame, which was delivered."""
        heard = self.hear()
        assert "receipt" in heard, (heard, self.log.read_text(encoding="utf-8"))
        receipt: dict[str, Any] = heard["receipt"]
        return receipt


@contextmanager
def program(
    folder: Path,
    cases: Sequence[Mapping[str, Any]],
    *,
    master: str = "local[2,4]",
    log_level: str = "ERROR",
    **conf: str,
) -> Iterator[Program]:
    """Start one that delivers each of the cases; what it and its executors log is kept."""
    told = {
        "master": master,
        "log_level": log_level,
        "cases": [dict(case) for case in cases],
        "conf": {"spark.ui.enabled": "false", "spark.sql.warehouse.dir": str(folder / "warehouse"), **conf},
    }
    log = folder / "program.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TARGET_DRIFTROCK_")}
    with log.open("ab") as written:
        process = subprocess.Popen(
            [PYTHON, "-m", "tests.spark.program"],
            cwd=folder,
            env={
                **environment,
                "PYTHONPATH": str(ROOT),
                "PYSPARK_PYTHON": str(PYTHON),
                "PYTHONWARNINGS": "ignore",
                "SPARK_LOCAL_IP": "127.0.0.1",
                "SPARK_LOCAL_DIRS": str(folder / "spark"),
                "SPARK_WORKER_DIR": str(folder / "work"),
                "BREAK_OFF": str(folder / "break-off"),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=written,
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(told).encode())
        process.stdin.close()
        try:
            yield Program(process=process, log=log)
        finally:
            end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """The program, its Java, and the workers of that."""
    for pid in group(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def group(session: int) -> list[int]:
    """The processes of one session, which is how a program was started."""
    pids = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    return [pid for pid in pids if _session(pid) == session]


def _session(pid: int) -> int | None:
    with suppress(ProcessLookupError):
        return os.getsid(pid)
    return None


def workers(program: Program) -> list[int]:
    """The processes that deliver at present: those with a session of the ledger's server, but for the job's own."""
    with server() as connection:
        names = connection.execute("SELECT application_name FROM pg_stat_activity").fetchall()
    ours = {_application_name(pid): pid for pid in group(program.process.pid)}
    return sorted({ours[name] for (name,) in names if name in ours} - {program.process.pid})


def end_sessions(pids: Sequence[int]) -> int:
    """Those of these processes at the ledger's server; how many there were."""
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ANY(%s)"
    with server() as connection:
        return len(connection.execute(ended, [list(map(_application_name, pids))]).fetchall())


def _application_name(pid: int) -> str:
    return f"target-driftrock {pid}@{os.uname().nodename}"


def command_line(pid: int) -> str:
    """How a process was started; nothing of one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
