"""Rows: what kills or stops a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM, Signals

from tests.faults.crowd import tap
from tests.faults.finding import Finding
from tests.faults.memory import DELIVERED, INTENDED, standing, unknown
from tests.faults.table import Row, Stage
from tests.faults.trial import SLOTS, Trial
from tests.waiting import pause

KILLED = -SIGKILL
SLOWLY = ("--latency", "0.12")
"""So that a run lasts for more than one STATE, which come every five seconds."""
AT_ONCE = 5.0
"""Seconds, on a busy machine."""


def _killed_at_random(stage: Stage) -> Iterator[Finding]:
    for number, moment in enumerate(stage.moments(stage.times)):
        with stage.trial(*SLOWLY) as trial:
            happened = _interrupted(trial, SIGKILL, moment=moment, name="kill -9")
            trial.fault(latency=0.02)
            trial.deliver(trial.again(number))
            yield trial.finding(happened, codes=[KILLED, 0], most_twice=SLOTS)


def _killed_with_hold(stage: Stage) -> Iterator[Finding]:
    with stage.trial("--latency", "0.02", on_unknown="hold") as trial:
        happened = _interrupted(trial, SIGKILL, moment=len(trial.entries) // 2, name="kill -9")
        trial.deliver(trial.rest())
        yield trial.finding(happened, codes=[KILLED, 0], most_kept=SLOTS)


def _killed_after_intent(stage: Stage) -> Iterator[Finding]:
    with stage.trial("--token-latency", "5") as trial:
        trial.killed(lambda: standing(trial.memory, INTENDED) > 0)
        intents, arrivals = standing(trial.memory, INTENDED), trial.arrived()
        trial.fault(token_latency=0)
        trial.deliver(trial.rest())
        yield trial.finding(
            {"intents recorded": intents}, codes=[KILLED, 0], holds={"nothing was sent before": arrivals == 0}
        )


def _killed_after_send(stage: Stage) -> Iterator[Finding]:
    with stage.trial("--latency", "0.02") as trial:
        with trial.run(trial.whole()) as run:
            run.until(lambda: trial.arrived() >= len(trial.entries) // 3)
            trial.fault(latency=8)
            before = trial.arrived()
            run.until(lambda: trial.arrived() >= before + SLOTS // 2)
            run.tell(SIGKILL)
            trial.end(run)
        unanswered = trial.arrived() - standing(trial.memory, DELIVERED)
        trial.fault(latency=0.02)
        trial.deliver(trial.rest())
        yield trial.finding({"accepted, not answered": unanswered}, codes=[KILLED, 0], most_twice=SLOTS)


def _killed_after_answer(stage: Stage) -> Iterator[Finding]:
    """The ledger's database is locked from outside, so that what is answered cannot be recorded."""
    with stage.trial("--latency", "0.02") as trial:
        with trial.run(trial.whole()) as run:
            run.until(lambda: trial.arrived() >= len(trial.entries) // 3)
            with trial.directory.locked():
                pause(0.5)  # the answers to all that is in flight have come by then
                run.tell(SIGKILL)
                trial.end(run)
        unrecorded = trial.arrived() - standing(trial.memory, DELIVERED)
        trial.deliver(trial.rest())
        yield trial.finding({"answered, not recorded": unrecorded}, codes=[KILLED, 0], most_twice=SLOTS)


def _killed_after_outcome(stage: Stage) -> Iterator[Finding]:
    with stage.trial("--latency", "0.02") as trial:
        trial.killed(lambda: standing(trial.memory, DELIVERED) >= len(trial.entries) // 4)
        beyond = standing(trial.memory, DELIVERED) - trial.bookmark
        trial.deliver(trial.rest())
        yield trial.finding({"delivered and recorded, not behind STATE": beyond}, codes=[KILLED, 0], most_twice=SLOTS)


def _killed_after_state(stage: Stage) -> Iterator[Finding]:
    with stage.trial("--latency", "0.15") as trial:
        trial.killed(lambda: trial.bookmark > 0)
        position = trial.bookmark
        trial.deliver(trial.rest())
        yield trial.finding({"records behind STATE": position}, codes=[KILLED, 0], most_twice=SLOTS)


def _stopped_twice(stage: Stage) -> Iterator[Finding]:
    """The first one waits for answers that take longer than it may wait; the second one gives them up."""
    with stage.trial("--latency", "0.02") as trial:
        with trial.run(trial.whole()) as run:
            run.until(lambda: trial.arrived() >= len(trial.entries) // 3)
            trial.fault(latency=60)
            before = trial.arrived()
            run.until(lambda: trial.arrived() >= before + SLOTS // 2)
            run.tell(SIGTERM)
            waits = run.lasts(1.0)
            is_sent, began = run.tell(SIGTERM), time.monotonic()
            trial.end(run)
            seconds = time.monotonic() - began
        in_flight = trial.arrived() - standing(trial.memory, DELIVERED)
        holds = {
            "the first waited for answers": waits,
            "the second ended it": seconds < AT_ONCE,
            "all in flight count as unknown": unknown(trial.memory).total() == in_flight,
        }
        trial.fault(latency=0.02)
        trial.deliver(trial.rest())
        happened = {"second SIGTERM": is_sent, "in flight then": in_flight}
        yield trial.finding(happened, codes=[128 + SIGTERM, 0], holds=holds, most_twice=SLOTS)


def _stopped_in_silence(stage: Stage) -> Iterator[Finding]:
    """The tap has written its lines, and says nothing more, and does not end."""
    with stage.trial("--latency", "0.02") as trial:
        first = trial.entries[: len(trial.entries) // 2]
        with trial.tap(tap(first)) as silent, trial.run(source=silent) as run:
            is_through = run.until(lambda: trial.bookmark == first[-1].serial)
            delivered = {each.serial for each in trial.accepted()} == {entry.serial for entry in first}
            is_open = silent.is_alive
            run.tell(SIGTERM)
            trial.end(run)
        trial.deliver(trial.rest())
        holds = {"STATE stood at the last record": is_through, "all was delivered before the signal": delivered}
        yield trial.finding({"SIGTERM, the tap alive": is_open}, codes=[128 + SIGTERM, 0], holds=holds)


def _state_unread(stage: Stage) -> Iterator[Finding]:
    with stage.trial(*SLOWLY) as trial:
        with trial.run(trial.whole(), most=1) as run:
            trial.end(run)
        before = trial.arrived()
        trial.fault(latency=0.02)
        trial.deliver(trial.rest())
        yield trial.finding(
            {"STATE lines before it was closed": run.states, "records after it": len(trial.entries) - before},
            codes=[141, 0],
        )


def _stopped(stage: Stage, number: Signals) -> Iterator[Finding]:
    for turn, moment in enumerate(stage.moments(max(2, stage.times // 2))):
        with stage.trial(*SLOWLY) as trial:
            happened = _interrupted(trial, number, moment=moment, name=number.name)
            trial.fault(latency=0.02)
            trial.deliver(trial.again(turn))
            early = (-number,) if moment == 0 else ()  # the program itself was not up yet
            yield trial.finding(happened, codes=[(128 + number, *early), 0])


def _interrupted(trial: Trial, number: Signals, *, moment: int, name: str) -> dict[str, int]:
    """A run that gets a signal when so much has arrived: how often it did, and was it after a STATE."""
    with trial.run(trial.whole()) as run:
        run.until(lambda: trial.arrived() >= moment)
        is_sent, is_after_state = run.tell(number), run.states > 0
        trial.end(run)
    return {name: is_sent} | ({"of them after a STATE": 1} if is_after_state else {})


ROWS = [
    Row(name="kill", fault="kill -9 at random moments", play=_killed_at_random, is_random=True),
    Row(name="kill-hold", fault="kill -9 half way, with `on_unknown: hold`", play=_killed_with_hold),
    Row(name="kill-intent", fault="kill -9 after intent, before the request", play=_killed_after_intent),
    Row(name="kill-send", fault="kill -9 after send, before the answer", play=_killed_after_send),
    Row(
        name="kill-answer", fault="kill -9 after the answer, before its outcome is recorded", play=_killed_after_answer
    ),
    Row(name="kill-outcome", fault="kill -9 after outcome, before STATE", play=_killed_after_outcome),
    Row(name="kill-state", fault="kill -9 after a STATE line", play=_killed_after_state),
    Row(name="sigterm", fault="SIGTERM at random moments", play=lambda stage: _stopped(stage, SIGTERM), is_random=True),
    Row(
        name="sighup",
        fault="SIGHUP (the terminal is closed) at random moments",
        play=lambda stage: _stopped(stage, SIGHUP),
        is_random=True,
    ),
    Row(
        name="sigint",
        fault="SIGINT (Ctrl-C) at random moments",
        play=lambda stage: _stopped(stage, SIGINT),
        is_random=True,
    ),
    Row(name="sigterm-twice", fault="a second SIGTERM while the first one waits for answers", play=_stopped_twice),
    Row(name="tap-silent", fault="the tap falls silent and does not end; then SIGTERM", play=_stopped_in_silence),
    Row(name="stdout-closed", fault="nobody reads STATE any more", play=_state_unread),
]
