"""Runs of whoever is measured, in turns on one double: each a process of its own, what it took and what was counted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import requests

from benchmarks import inputs
from benchmarks.double import Counts
from benchmarks.page import ROOT

BENCH_PYTHON = ROOT / ".venvs/bench/bin/python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a page is measured with: a folder that goes afterwards, a number that scales its counts, and the options."""

    folder: Path
    scale: float
    package: Path | None
    is_quick: bool
    is_kept: bool

    def course(
        self,
        records: Iterable[inputs.Record],
        events: int,
        *,
        connections: int = 16,
        seconds: float = 1,
        **every: int,
    ) -> Course:
        """A course over these records. `every` is of `inputs.messages`."""
        source = Path(tempfile.mkdtemp(dir=self.folder)) / "leads.singer"
        with source.open("w", encoding="utf-8") as file:
            file.writelines(inputs.messages(records, **every))
        return Course(source=source, events=events, connections=connections, seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a contestant is given: a file whose `events` are to arrive; to wrk, which counts none, `seconds`."""

    source: Path
    events: int
    connections: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Contestant:
    """Somebody who posts events: a name for the tables, and a command for the double's URL and a course.

    It has a `share` of a run's time, for what needs no slow start is known sooner. The quick form has those that are
    `is_quick`; `is_hard` ones come to the hardest spot, too, where the target and wrk always are.
    """

    name: str
    command: Callable[[str, Course], Sequence[str | Path]]
    share: float = 1.0
    is_quick: bool = False
    is_hard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a process took, and what the double counted. `began` is a moment of the monotonic clock."""

    exit_code: int
    began: float
    process_seconds: float
    processor_seconds: float
    peak_mib: float
    log: str
    counts: Counts = field(default_factory=Counts)

    @property
    def commits(self) -> tuple[float, float]:
        """How many, and their seconds, where `benchmarks.counted` counted them."""
        return told(self.log, r"commits (\d+), ([\d.]+) seconds") or (0, 0)

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return self.counts.last_answer - self.counts.first_request

    @property
    def accepted(self) -> int:
        """Marked events count too."""
        return self.counts.accepted + self.counts.marked

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.accepted / self.seconds


@contextmanager
def laid(**behaviour: object) -> Iterator[str]:
    """The URL of a double with this behaviour, in a process of its own."""
    command: list[str | Path] = [BENCH_PYTHON, "-m", "benchmarks.double", json.dumps(behaviour)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def race(entries: Mapping[Contestant, Course], *, runs: int = 1, **behaviour: object) -> dict[Contestant, list[Ended]]:
    """Each contestant's heats on one double. In each round everybody has one: what slows the machine down hits all.

    Every other round goes backwards: nobody always comes after the same one.
    """
    heats: dict[Contestant, list[Ended]] = {contestant: [] for contestant in entries}
    turns = list(entries.items())
    with laid(**behaviour) as url:
        for number in range(1, runs + 1):
            for contestant, course in turns if number % 2 else reversed(turns):
                heats[contestant].append(heat(url, contestant, course))
    return heats


def heat(url: str, contestant: Contestant, course: Course) -> Ended:
    """One run on the double there, counted from nought. Raises ClickException when it fails."""
    requests.post(f"{url}/reset", timeout=30).raise_for_status()
    ended = run(contestant.command(url, course), source=course.source)
    if ended.exit_code:
        end = "\n".join(ended.log.splitlines()[-20:])
        raise click.ClickException(f"{contestant.name} ended with {ended.exit_code}:\n{end}")
    counted = replace(ended, counts=Counts(**requests.get(f"{url}/counts", timeout=30).json()))
    if counted.accepted < course.events:
        raise click.ClickException(f"{contestant.name}: {counted.accepted} of {course.events} events arrived.")
    say(f"  {contestant.name}: {counted.accepted:,} events over {counted.seconds:.1f} s")
    return counted


def run(command: Sequence[str | Path], *, source: Path) -> Ended:
    """Run `command` from the root of the checkout. What it says on standard error is its log."""
    began = time.monotonic()
    with (
        source.open("rb") as lines,
        subprocess.Popen(
            command, cwd=ROOT, stdin=lines, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr is not None
        log = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Ended(
        exit_code=process.returncode,
        began=began,
        process_seconds=time.monotonic() - began,
        processor_seconds=usage.ru_utime + usage.ru_stime,
        peak_mib=usage.ru_maxrss / 1024,
        log=log,
    )


def told(log: str, what: str = r"(\d+) events a second over ([\d.]+) seconds") -> tuple[float, float] | None:
    """Two numbers that a log has, if it has them: events a second, and seconds from first request to last answer."""
    found = re.search(what, log)
    return None if found is None else (float(found[1]), float(found[2]))


def say(line: str) -> None:
    """A line on how far it is."""
    sys.stderr.write(f"{line}\n")
