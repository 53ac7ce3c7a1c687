"""Where the interpreter's time goes, by part of an event's path.

`python -m benchmarks.profile` writes docs/measurements/profile.md; `--package` lays another checkout's code beside.
"""

from __future__ import annotations

import statistics
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import click

from benchmarks import inputs, page, results, stacks
from benchmarks.contestants import Target
from benchmarks.page import ROOT
from benchmarks.results import Unit
from benchmarks.stacks import Part
from benchmarks.track import BENCH_PYTHON, Course, Track, laid, say

RATE = 400
"""Samples a second."""
ROUNDS = 3


@dataclass(slots=True, kw_only=True)
class _Profile:
    """What was found of one checkout's code, run by run. Processor seconds are of runs that nothing watches."""

    checkout: Path
    commit: str
    met: list[Counter[Part]] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    start_up_seconds: list[float] = field(default_factory=list)

    def target(self, *starter: str) -> Target:
        return Target(name=self.commit, starter=("env", f"PYTHONPATH={self.checkout}", *starter))

    def microseconds(self, events: int) -> float:
        """Processor time an event, start-up apart."""
        return (statistics.median(self.processor_seconds) - statistics.median(self.start_up_seconds)) / events * 1e6

    def column(self, events: int) -> dict[Part, list[str]]:
        """Share and microseconds of each part."""
        runs, each = [stacks.shares(met) for met in self.met], self.microseconds(events)
        shares = {part: [run[part] for run in runs] for part in _OF_EVENTS}
        return {
            part: [results.shown(share, Unit.SHARE), f"{statistics.median(share) * each:.0f}"]
            for part, share in shares.items()
        }

    def said(self, name: str) -> str:
        """Which commit it is, and how much was seen of it."""
        who = f"{name.capitalize()} is commit {self.commit}" if name else f"This is commit {self.commit}"
        of_events = sum(met[part] for met in self.met for part in _OF_EVENTS)
        start_up = statistics.median(self.start_up_seconds)
        return f"{who}: {of_events:,} samples, and apart from them a start-up of {start_up:.2f} s of processor."


@click.command()
@click.option("--events", default=20_000, show_default=True, help="How many events each run delivers.")
@click.option("--latency", default=0.0, show_default=True, help="Seconds that the double takes for an answer.")
@click.option("--connections", default=16, show_default=True, help="Most requests at once.")
@click.option(
    "--package",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Another checkout, whose code is measured too, as what was before.",
)
@click.option("--note", default="", help="A sentence of the page on how it was measured.")
def main(*, events: int, latency: float, connections: int, package: Path | None, note: str) -> None:
    """Measure, and write the page."""
    profiles = [_Profile(checkout=each, commit=page.commit(each)) for each in (package, ROOT) if each]
    with tempfile.TemporaryDirectory(prefix="target-driftrock-bench-") as folder, laid(latency=latency) as track:
        files = {n: inputs.write(Path(folder) / f"{n}.singer", inputs.messages(inputs.leads(n))) for n in (events, 1)}
        many, one = (
            Course(url=track.url, connections=connections, events=count, source=file) for count, file in files.items()
        )
        for number in range(1, ROUNDS + 1):
            for profile in profiles:
                say(f"  {number} of {ROUNDS}: {profile.commit}")
                profile.met.append(_watched(profile, track, many, Path(folder) / "stacks"))
                profile.processor_seconds.append(track.heat(profile.target(), many).ended.processor_seconds)
                profile.start_up_seconds.append(track.heat(profile.target(), one).ended.processor_seconds)
    how = _HOW.format(rounds=ROUNDS, events=events, connections=connections, milliseconds=latency * 1000)
    parts = [f"{how} {note}".rstrip(), *_found(profiles, events), _WHAT]
    command = "python -m benchmarks.profile" + (" --package PATH" if package else "")
    path = page.write("profile", title="Where the time goes", command=command, parts=parts)
    click.echo(path.read_text(encoding="utf-8"))


def _watched(profile: _Profile, track: Track, course: Course, sampled: Path) -> Counter[Part]:
    """The samples of one run. Raises ClickException when they are of other code."""
    track.heat(profile.target(*_PY_SPY, "--output", str(sampled), "--"), course)
    lines = sampled.read_text(encoding="utf-8").splitlines()
    if not any(f"({profile.checkout}/target_driftrock/" in line for line in lines):
        raise click.ClickException(f"What ran was not the code of {profile.checkout}.")
    return stacks.parts(lines)


def _found(profiles: Sequence[_Profile], events: int) -> list[str]:
    names = ["before", "after"] if len(profiles) > 1 else [""]
    head = ["part", *chain.from_iterable([f"{name} share".strip(), f"{name} µs an event".strip()] for name in names)]
    columns = [profile.column(events) for profile in profiles]
    rows = [[str(part), *chain.from_iterable(column[part] for column in columns)] for part in _OF_EVENTS]
    rows.append(["in all", *chain.from_iterable(["", f"{each.microseconds(events):.0f}"] for each in profiles)])
    return [page.table(head, rows), " ".join(map(_Profile.said, profiles, names))]


_OF_EVENTS = [part for part in Part if part is not Part.START_UP]
_OPTIONS = ("--gil", "--threads", "--full-filenames", f"--rate={RATE}", "--format=raw")
_PY_SPY = (str(BENCH_PYTHON.with_name("py-spy")), "record", *_OPTIONS)
_HOW = (
    "The installed command with everything on and a new SQLite ledger, {events:,} events over {connections} "
    "connections, into a double that answers after {milliseconds:g} ms; {rounds} runs under py-spy, whose median share "
    "is shown (least to most), and {rounds} that nothing watches, whose median gives the processor time."
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


if __name__ == "__main__":
    main()
