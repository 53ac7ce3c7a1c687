"""Rows: what is wrong with the input, or comes again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from signal import SIGKILL

from tests.faults.crowd import Entry, tap
from tests.faults.finding import Finding
from tests.faults.table import Play, Row, Stage
from tests.faults.trial import Trial

LATENCY = ("--latency", "0.02")
CUT = b'{"type": "RECORD", "stream": "le'


def _broken_off(end: bytes, name: str) -> Play:
    """Half of the input, then `end`; the next run gets the rest from a tap that was mended."""

    def play(stage: Stage) -> Iterator[Finding]:
        with stage.trial(*LATENCY) as trial:
            first = trial.entries[: len(trial.entries) // 2]
            trial.deliver(tap(first, end=end))
            arrived = {each.serial for each in trial.accepted()}
            holds = {"all before it was delivered": arrived == {entry.serial for entry in first}}
            trial.deliver(trial.rest())
            yield trial.finding({name: 1}, codes=[5, 0], holds=holds)

    return play


def _tap_killed(stage: Stage) -> Iterator[Finding]:
    """Its process dies between two lines, so that nothing tells it from an end; and inside a line."""
    for end, code in ((b"", 0), (CUT, 5)):
        with stage.trial("--latency", "0.12") as trial:
            first = trial.entries[: len(trial.entries) // 2]
            lines = [*tap(first)][:-1]
            with trial.tap([*lines, end]) as writer, trial.run(source=writer) as run:
                writer.until(lambda: "written" in writer.log)  # the command has nearly all, the pipe holds the rest
                writer.kill()
                is_killed, before = writer.ended().code == -SIGKILL, trial.arrived()
                trial.end(run)
            arrived = {each.serial for each in trial.accepted()}
            trial.fault(latency=0.02)
            trial.deliver(trial.rest())
            yield trial.finding(
                {"kill -9 of the tap": is_killed, "records under way then": len(first) - before},
                codes=[code, 0],
                holds={"all before it was delivered": arrived == {entry.serial for entry in first}},
            )


def _invalid(stage: Stage) -> Iterator[Finding]:
    entries = [_spoilt(entry) if entry.serial % 40 == 0 else entry for entry in stage.entries]
    spoilt = sum(isinstance(entry.number, str) for entry in entries)
    with stage.trial(*LATENCY, entries=entries) as trial:
        trial.deliver(trial.whole())
        came = {each.serial for each in trial.arrivals()}
        holds = {"none of them was sent": not any(serial % 40 == 0 for serial in came)}
        yield trial.finding({"records that break their SCHEMA": spoilt}, codes=[0], holds=holds, most_kept=spoilt)


def _spoilt(entry: Entry) -> Entry:
    return replace(entry, number=f"odd-{entry.serial}")


def _read_again(what: Callable[[Trial], Sequence[Entry]]) -> Play:
    def play(stage: Stage) -> Iterator[Finding]:
        with stage.trial() as trial:
            trial.deliver(trial.whole())
            before, again = trial.arrived(), what(trial)
            trial.deliver(tap(again))
            holds = {"nothing was sent by the second run": trial.arrived() == before}
            yield trial.finding({"records read again": len(again)}, codes=[0, 0], holds=holds)

    return play


ROWS = [
    Row(
        name="malformed",
        fault="a line that is no JSON, half way",
        play=_broken_off(b'{"type": "RECORD", "stream": leads}\n', "malformed line"),
    ),
    Row(
        name="cut",
        fault="the input ends inside a line",
        play=_broken_off(CUT, "cut line"),
    ),
    Row(name="tap-killed", fault="kill -9 of the tap, between two lines and inside a line", play=_tap_killed),
    Row(name="invalid", fault="2.5 % of records break their SCHEMA", play=_invalid),
    Row(
        name="bookmark",
        fault="an inclusive bookmark: the last record comes again",
        play=_read_again(lambda trial: trial.entries[trial.bookmark - 1 :]),
    ),
    Row(
        name="refresh", fault="a full refresh: every record comes again", play=_read_again(lambda trial: trial.entries)
    ),
]
