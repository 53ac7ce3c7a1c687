"""Where the interpreter's time goes, by part of an event's path, of this checkout and perhaps of another one."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

from benchmarks import inputs, page, stacks
from benchmarks.contestants import target
from benchmarks.page import ROOT
from benchmarks.results import Unit
from benchmarks.stacks import Part
from benchmarks.track import BENCH_PYTHON, Contestant, Course, Job, heat, laid, say
from tests.program import PROGRAM

EVENTS = 20_000
CONNECTIONS = 16
RATE = 400
"""Samples a second."""
ROUNDS = 3


@dataclass(slots=True)
class _Profile:
    """What was found of one checkout's code, run by run. Processor seconds are of runs that nothing watches."""

    checkout: Path
    met: list[Counter[Part]] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    start_up_seconds: list[float] = field(default_factory=list)

    def run(self, url: str, many: Course, one: Course) -> None:
        """A round: watched, not watched, and over one event. Raises ClickException when other code ran."""
        sampled = many.source.with_name("stacks")
        heat(url, self._target(*_PY_SPY, "--output", sampled, "--"), many)
        lines = sampled.read_text(encoding="utf-8").splitlines()
        if not any(f"({self.checkout}/target_driftrock/" in line for line in lines):
            raise click.ClickException(f"What ran was not the code of {self.checkout}.")
        self.met.append(stacks.parts(lines))
        self.processor_seconds.append(heat(url, self._target(), many).processor_seconds)
        self.start_up_seconds.append(heat(url, self._target(), one).processor_seconds)

    def _target(self, *starter: str | Path) -> Contestant:
        return target(command=["env", f"PYTHONPATH={self.checkout}", *starter, PROGRAM])

    def microseconds(self, events: int) -> float:
        """Processor time an event, start-up apart."""
        return (statistics.median(self.processor_seconds) - statistics.median(self.start_up_seconds)) / events * 1e6

    def cells(self, part: Part, events: int) -> tuple[str, float]:
        """Share and microseconds."""
        shares = [stacks.shares(met)[part] for met in self.met]
        return Unit.SHARE.spread(shares), statistics.median(shares) * self.microseconds(events)

    def said(self) -> str:
        """Which commit it is, and how much was seen of it."""
        of_events = sum(met[part] for met in self.met for part in _OF_EVENTS)
        start_up = statistics.median(self.start_up_seconds)
        seen = f"{of_events:,} samples, and apart from them a start-up of {start_up:.2f} s of processor."
        return f"commit {page.commit(self.checkout)}: {seen}"


def measured(job: Job) -> Iterator[str]:
    checkouts = {"before": job.package, "after": ROOT} if job.package else {"this": ROOT}
    profiles = {name: _Profile(checkout) for name, checkout in checkouts.items()}
    events = round(EVENTS * job.scale)
    many, one = (job.course(inputs.leads(count), count, connections=CONNECTIONS) for count in (events, 1))
    with laid() as url:
        for number in range(1, ROUNDS + 1):
            for profile in profiles.values():
                say(f"  {number} of {ROUNDS}: {profile.checkout}")
                profile.run(url, many, one)
    yield _HOW.format(events=events)
    yield _table(profiles, events)
    yield " ".join(f"{name.capitalize()} is {profile.said()}" for name, profile in profiles.items())
    yield _WHAT


def _table(profiles: dict[str, _Profile], events: int) -> str:
    each = profiles.values()
    head = " | ".join(["part", *(f"{name}: share | µs an event" for name in profiles)])
    rows = [[part, *(cell for one in each for cell in one.cells(part, events))] for part in _OF_EVENTS]
    in_all = [cell for one in each for cell in ("", one.microseconds(events))]
    return page.table(head, [*rows, ["in all", *in_all]])


_OF_EVENTS = [part for part in Part if part is not Part.START_UP]
_OPTIONS = ("--gil", "--threads", "--full-filenames", f"--rate={RATE}", "--format=raw")
_PY_SPY = (str(BENCH_PYTHON.with_name("py-spy")), "record", *_OPTIONS)
_HOW = (
    f"The installed command with everything on and a new SQLite ledger, {{events:,}} events over {CONNECTIONS} "
    f"connections, into a double that answers at once; {ROUNDS} runs under py-spy, whose median share is shown (least "
    f"to most), and {ROUNDS} that nothing watches, whose median gives the processor time."
)
_WHAT = (
    f"- A sample is taken {RATE} times a second of the thread that holds the interpreter's lock, and counts for the "
    "part that its innermost telling frame belongs to: a value made for the dispatcher is the dispatcher's, and a "
    "search for garbage belongs to whoever was met by it.\n"
    "- A thread that holds the lock while it waits for a processor counts as well, so that other load shifts shares.\n"
    "- Microseconds are the share of the processor time an event, less that of a run over one event. What runs without "
    "the lock, as SQLite's steps do, is in no sample, and so spread over all parts.\n"
    "- uvloop shows no frames: what it does for itself, and for tasks between their steps, counts as the HTTP client's."
)
