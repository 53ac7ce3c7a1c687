"""One run of the target against a sandbox, each in a process of its own, and what it took.

As a program of its own it is that run: `python -m benchmarks.job memory|ledger SETTINGS`, with the commits counted.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from benchmarks import process
from benchmarks.inputs import MAPPING

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = Path(sys.executable).with_name("target-driftrock")
_RATE = re.compile(r"(\d+) events a second over ([\d.]+) seconds")
_COMMITS = re.compile(r"commits (\d+), ([\d.]+) seconds")


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


def run(url: str, source: Path, *, ledger: str, **settings: object) -> Took:
    """One run over a file. `ledger` is a setting, or `memory` for one that forgets with the process."""
    config = source.with_suffix(".settings.json")
    given = {"environment": "sandbox", "api_url": url, "ledger": ledger, "streams": [MAPPING], **settings}
    config.write_text(json.dumps(given), encoding="utf-8")
    return took(process.run(command(ledger, config), source=process.file(source)))


def command(ledger: str, config: Path) -> list[str]:
    """What runs the target with its commits counted, over the ledger `memory` or the one of its settings."""
    return [sys.executable, "-m", "benchmarks.job", "memory" if ledger == "memory" else "ledger", str(config)]


def took(ended: process.Ended) -> Took:
    """What a run says that it took."""
    rate = _RATE.search(ended.log)
    commits = _COMMITS.search(ended.log)
    return Took(
        exit_code=ended.exit_code,
        rate=float(rate[1]) if rate else 0.0,
        seconds=float(rate[2]) if rate else 0.0,
        processor_seconds=ended.processor_seconds,
        peak_mib=ended.peak_mib,
        commits=int(commits[1]) if commits else 0,
        commit_seconds=float(commits[2]) if commits else 0.0,
        log=ended.log,
    )


def _main(kind: str, config: str) -> int:
    """The run itself, with the ledger's commits counted and timed."""
    from target_driftrock import redaction
    from target_driftrock.delivery import door
    from target_driftrock.given import load_target
    from target_driftrock.ledger.durable import DurableLedger, open_ledger
    from target_driftrock.settings import read_files
    from target_driftrock.signals import Signals
    from tests.contract.memory import MemoryLedger

    redaction.install(())
    given = read_files([config], {})

    spent = [0, 0.0]
    kept = MemoryLedger.commit if kind == "memory" else DurableLedger.commit

    def counted(self: Any, changes: Any) -> None:
        began = time.perf_counter()
        kept(self, changes)
        spent[0] += 1
        spent[1] += time.perf_counter() - began

    setattr(MemoryLedger if kind == "memory" else DurableLedger, "commit", counted)  # noqa: B010 - on purpose
    opened: Any = (lambda _, **__: MemoryLedger()) if kind == "memory" else open_ledger
    setattr(door, "open_ledger", opened)  # noqa: B010 - on purpose
    with Signals() as signals:
        code = load_target()(config=given, signals=signals).run(None)
    sys.stderr.write(f"commits {spent[0]}, {spent[1]:.3f} seconds\n")
    return code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2]))
