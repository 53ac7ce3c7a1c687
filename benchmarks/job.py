"""One run of the target against a sandbox, each in a process of its own, and what it took.

As a program of its own it is that run: `python -m benchmarks.job memory|ledger SETTINGS`, with the commits counted.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from benchmarks.page import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = Path(sys.executable).with_name("target-driftrock")
_RATE = re.compile(r"(\d+) events a second over ([\d.]+) seconds")
_COMMITS = re.compile(r"commits (\d+), ([\d.]+) seconds")
MAPPING = {"stream": "leads", "event_type": "lead", "source_id": "bench", "fields": "*"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What a run took. `rate` is events a second from the first request to the last answer."""

    exit_code: int
    rate: float
    seconds: float
    processor_seconds: float
    peak_mib: float
    commits: int
    commit_seconds: float
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A sandbox that runs."""

    url: str

    def counts(self) -> dict[str, Any]:
        """What it has counted."""
        counted: dict[str, Any] = requests.get(f"{self.url}/_sandbox/counts", timeout=30).json()
        return counted

    def reset(self) -> None:
        """Forget what has arrived."""
        requests.post(f"{self.url}/_sandbox/reset", timeout=30)


@contextmanager
def sandbox(*options: str) -> Iterator[Sandbox]:
    """A sandbox on a free port, with these options."""
    with subprocess.Popen([COMMAND, "sandbox", "--port", "0", *options], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            yield Sandbox(url="http://" + process.stderr.readline().split("http://")[1].split()[0])
        finally:
            process.terminate()


def write_leads(path: Path, count: int, *, state_every: int = 1_000) -> None:
    """A Singer file of so many invented leads, each with a serial of its own."""
    properties = {name: {"type": ["integer", "string", "null"]} for name in ("id", "serial", "email", "name", "city")}
    with path.open("w", encoding="utf-8") as lines:
        schema = {"type": "SCHEMA", "stream": "leads", "schema": {"properties": properties}, "key_properties": ["id"]}
        lines.write(json.dumps(schema) + "\n")
        for serial in range(1, count + 1):
            record = {
                "id": serial,
                "serial": serial,
                "email": f"p{serial}@example.com",
                "name": "Invented",
                "city": "Nowhere",
            }
            lines.write(json.dumps({"type": "RECORD", "stream": "leads", "record": record}) + "\n")
            if serial % state_every == 0:
                lines.write(json.dumps({"type": "STATE", "value": {"bookmarks": {"leads": {"id": serial}}}}) + "\n")


def run(url: str, source: Path, *, ledger: str, **settings: object) -> Took:
    """One run over a file. `ledger` is a setting, or `memory` for one that forgets with the process."""
    config = source.with_suffix(".settings.json")
    given = {"environment": "sandbox", "api_url": url, "ledger": ledger, "streams": [MAPPING], **settings}
    config.write_text(json.dumps(given), encoding="utf-8")
    kind = "memory" if ledger == "memory" else "ledger"
    with (
        source.open("rb") as lines,
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.job", kind, str(config)],
            cwd=ROOT,
            stdin=lines,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stderr is not None
        log = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    rate = _RATE.search(log)
    commits = _COMMITS.search(log)
    return Took(
        exit_code=process.returncode,
        rate=float(rate[1]) if rate else 0.0,
        seconds=float(rate[2]) if rate else 0.0,
        processor_seconds=usage.ru_utime + usage.ru_stime,
        peak_mib=usage.ru_maxrss / 1024,
        commits=int(commits[1]) if commits else 0,
        commit_seconds=float(commits[2]) if commits else 0.0,
        log=log,
    )


def _main(kind: str, config: str) -> int:
    """The run itself, with the ledger's commits counted and timed."""
    from target_driftrock import redaction, run, target
    from target_driftrock.ledger.durable import DurableLedger, open_ledger
    from target_driftrock.ledger.memory import MemoryLedger
    from target_driftrock.settings import read_files
    from target_driftrock.signals import Signals

    redaction.install(())
    given = read_files([config], {})

    class Forgetful(MemoryLedger):
        """The in-memory ledger, with a run's beginning and end, which leave nothing."""

        is_new = False

        def finish(self, **_: object) -> None: ...

        def rejects_waiting(self) -> tuple[int, None]:
            return 0, None

    spent = [0, 0.0]
    kept = MemoryLedger.commit if kind == "memory" else DurableLedger.commit

    def counted(self: Any, changes: Any) -> None:
        began = time.perf_counter()
        kept(self, changes)
        spent[0] += 1
        spent[1] += time.perf_counter() - began

    setattr(MemoryLedger if kind == "memory" else DurableLedger, "commit", counted)  # noqa: B010 - on purpose
    opened: Any = (lambda _, *, api, **__: Forgetful(api=api)) if kind == "memory" else open_ledger
    setattr(run, "open_ledger", opened)  # noqa: B010 - on purpose
    with Signals() as signals:
        code = target.TargetDriftrock(config=given, signals=signals).run(None)
    sys.stderr.write(f"commits {spent[0]}, {spent[1]:.3f} seconds\n")
    return code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2]))
