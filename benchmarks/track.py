"""Runs of whoever is measured, in turns on one double: each a process of its own, what it took and what was counted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import IO, Protocol

import click
import requests

from benchmarks.double import Counts
from benchmarks.page import ROOT

BENCH_PYTHON = ROOT / ".venvs/bench/bin/python"
LONGEST = 3_600.0
"""Seconds until a command is given up and killed."""
RATE = re.compile(r"(\d+) events a second over ([\d.]+) seconds")
_COMMITS = re.compile(r"commits (\d+), ([\d.]+) seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a process took. `began` is a moment of the monotonic clock."""

    exit_code: int
    began: float
    seconds: float
    processor_seconds: float
    peak_mib: float
    log: str

    @property
    def commits(self) -> tuple[int, float]:
        """How many, and their seconds, where `benchmarks.counted` counted them."""
        return told(self.log, _COMMITS) or (0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a contestant is given: `events` to deliver; to wrk, which counts none, `seconds`.

    They come from a file, or from what a command prints.
    """

    url: str
    connections: int = 16
    events: int
    seconds: float = 1
    source: Path | tuple[str, ...]


class Contestant(Protocol):
    """Somebody who posts events."""

    @property
    def name(self) -> str:
        """As the table has it."""
        ...

    def run(self, course: Course) -> Ended:
        """Post them all."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """One run of one contestant. Seconds are from the first request to the last answer; marked events count too."""

    ended: Ended
    counts: Counts

    @property
    def seconds(self) -> float:
        return self.counts.last_answer - self.counts.first_request

    @property
    def accepted(self) -> int:
        return self.counts.accepted + self.counts.marked

    @property
    def rate(self) -> float:
        return self.accepted / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A double that runs."""

    url: str

    def heat(self, contestant: Contestant, course: Course) -> Heat:
        """One run, counted from nought. Raises ClickException when it fails."""
        requests.post(f"{self.url}/reset", timeout=30).raise_for_status()
        ended = contestant.run(course)
        if ended.exit_code:
            end = "\n".join(ended.log.splitlines()[-20:])
            raise click.ClickException(f"{contestant.name} ended with {ended.exit_code}:\n{end}")
        heat = Heat(ended=ended, counts=Counts(**requests.get(f"{self.url}/counts", timeout=30).json()))
        if heat.accepted < course.events:
            raise click.ClickException(f"{contestant.name}: {heat.accepted} of {course.events} events arrived.")
        return heat


@contextmanager
def laid(**behaviour: object) -> Iterator[Track]:
    """A double with this behaviour, in a process of its own."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in behaviour.items()]
    command = [str(BENCH_PYTHON), "-m", "benchmarks.double", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Track(url=process.stdout.readline().strip())
        finally:
            process.terminate()


def race(track: Track, entries: Mapping[Contestant, Course], *, runs: int) -> dict[str, list[Heat]]:
    """Each contestant's heats, one of everybody in each round, so that what slows the machine down hits all.

    Every other round goes backwards: nobody always comes after the same one.
    """
    heats: dict[str, list[Heat]] = {contestant.name: [] for contestant in entries}
    turns = list(entries.items())
    for number in range(1, runs + 1):
        for contestant, course in turns if number % 2 else reversed(turns):
            heat = track.heat(contestant, course)
            say(f"  {number} of {runs}: {contestant.name}, {heat.rate:,.0f} events a second over {heat.seconds:.1f} s")
            heats[contestant.name].append(heat)
    return heats


def run(command: Sequence[str | Path], *, source: Path | tuple[str, ...] = Path(os.devnull)) -> Ended:
    """Run `command` from the root of the checkout. What it says on standard error is its log."""
    began = time.monotonic()
    with (
        _opened(source) as lines,
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


@contextmanager
def _opened(source: Path | tuple[str, ...]) -> Iterator[IO[bytes]]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
        return
    with subprocess.Popen(source, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout


def told(log: str, what: re.Pattern[str] = RATE) -> tuple[int, float] | None:
    """A number and seconds that a log has, if it has them: events a second, from first request to last answer."""
    found = what.search(log)
    return None if found is None else (int(found[1]), float(found[2]))


def say(line: str) -> None:
    """A line on how far it is."""
    sys.stderr.write(f"{line}\n")
