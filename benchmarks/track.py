"""One double for all contestants of a race: who runs on it, in turns, and what it counted of each."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import click
import requests

from benchmarks.page import ROOT
from benchmarks.process import Ended, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BENCH_PYTHON = ROOT / ".venvs/bench/bin/python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the double counted. Moments are of the machine's monotonic clock."""

    tokens: int
    requests: int
    accepted: int
    failed: int
    marked: int
    slow: int
    body_bytes: int
    first_request: float
    last_answer: float
    last_unmarked: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a contestant is given: `events` to deliver from `source`; to wrk, which counts none, `seconds`."""

    url: str
    connections: int
    events: int
    seconds: float
    source: Source


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
    """One run of one contestant."""

    ended: Ended
    counts: Counts

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return self.counts.last_answer - self.counts.first_request

    @property
    def accepted(self) -> int:
        """Events that were accepted, marked ones too."""
        return self.counts.accepted + self.counts.marked

    @property
    def rate(self) -> float:
        """Accepted events a second."""
        return self.accepted / self.seconds

    @property
    def rate_of_unmarked(self) -> float:
        """The same of the events that were not marked, up to the last answer to one of them."""
        return self.counts.accepted / (self.counts.last_unmarked - self.counts.first_request)

    @property
    def seconds_to_first_request(self) -> float:
        """From the start of the process."""
        return self.counts.first_request - self.ended.began


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A double that runs."""

    url: str

    def counts(self) -> Counts:
        """What it has counted."""
        return Counts(**requests.get(f"{self.url}/counts", timeout=30).json())

    def heat(self, contestant: Contestant, course: Course) -> Heat:
        """One run, counted from nought. Raises ClickException when it fails."""
        requests.post(f"{self.url}/reset", timeout=30).raise_for_status()
        ended = contestant.run(course)
        if ended.exit_code:
            end = "\n".join(ended.log.splitlines()[-20:])
            raise click.ClickException(f"{contestant.name} ended with {ended.exit_code}:\n{end}")
        heat = Heat(ended=ended, counts=self.counts())
        if heat.accepted < course.events:
            raise click.ClickException(f"{contestant.name}: {heat.accepted} of {course.events} events arrived.")
        return heat


@contextmanager
def laid(**behaviour: object) -> Iterator[Track]:
    """A double with this behaviour, in a process of its own."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in behaviour.items()]
    with subprocess.Popen(
        [BENCH_PYTHON, "-m", "benchmarks.double", *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
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


def rates(heats: Sequence[Heat]) -> list[float]:
    """Events a second of each run."""
    return [heat.rate for heat in heats]


def say(line: str) -> None:
    """A line on how far it is."""
    sys.stderr.write(f"{line}\n")
