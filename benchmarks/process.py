"""A command in a process of its own, and what it took."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import IO, TYPE_CHECKING, TypeAlias

from benchmarks.page import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

LONGEST = 3_600.0
"""Seconds until a command is given up and killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a process took. `began` is a moment of the monotonic clock."""

    exit_code: int
    began: float
    seconds: float
    processor_seconds: float
    peak_mib: float
    log: str


Source: TypeAlias = "Callable[[], AbstractContextManager[IO[bytes]]]"
"""Opens what a command reads, once for each run."""


def file(path: Path) -> Source:
    """What a file holds."""
    return lambda: path.open("rb")


def output(command: Sequence[str | Path]) -> Source:
    """What a command prints while it is read."""

    @contextmanager
    def opened() -> Iterator[IO[bytes]]:
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            yield process.stdout

    return opened


_NOTHING = file(Path(os.devnull))


def run(command: Sequence[str | Path], *, source: Source = _NOTHING) -> Ended:
    """Run `command` from the root of the checkout. What it says on standard error is its log."""
    began = time.monotonic()
    with (
        source() as lines,
        subprocess.Popen(
            command, cwd=ROOT, stdin=lines, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr is not None
        limit = Timer(LONGEST, process.kill)
        limit.start()
        log = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        limit.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    return Ended(
        exit_code=process.returncode,
        began=began,
        seconds=time.monotonic() - began,
        processor_seconds=usage.ru_utime + usage.ru_stime,
        peak_mib=usage.ru_maxrss / 1024,
        log=log,
    )
