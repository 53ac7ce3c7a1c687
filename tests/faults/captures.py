"""Rows: captures that refuse, and what was refused when it is sent again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from signal import SIGKILL

from tests.faults.crowd import OTHERS, POISON, crowd
from tests.faults.finding import Finding
from tests.faults.memory import kept
from tests.faults.table import Row, Stage
from tests.faults.trial import SLOTS

LATENCY = ("--latency", "0.02")
MOST_REFUSALS = {422: 10, 404: 2}
"""How many events a capture that never took one may cost, by what it answers."""
IN_A_ROW = 100
WINDOW = 10_000
"""Records that may be open."""


def _deleted(stage: Stage) -> Iterator[Finding]:
    with stage.trial(*LATENCY) as trial:
        with trial.run(trial.whole()) as run:
            run.until(lambda: trial.arrived() >= len(trial.entries) // 3)
            trial.fault(refuse_sources=["capture-orders"], refuse_status=404)
            trial.end(run)
        trial.fault(refuse_sources=[])
        trial.deliver(trial.rest())
        yield trial.finding({"404": trial.count(status=404)}, codes=[3, 0], most_kept=10 + SLOTS)


def _turned(stage: Stage) -> Iterator[Finding]:
    """From the middle on it refuses all, for a reason that is not the events': the hundredth in a row ends the run."""
    with stage.trial(*LATENCY) as trial:
        with trial.run(trial.whole(), max_reject_percent=99) as run:
            run.until(lambda: trial.arrived() >= len(trial.entries) // 3)
            trial.fault(refuse_sources=["capture-orders"], refuse_status=422)
            trial.end(run)
        refused = {each.serial for each in trial.seen(status=422)}
        trial.fault(refuse_sources=[])
        trial.deliver(trial.rest())
        holds = {"it cost a hundred": IN_A_ROW <= len(refused) < IN_A_ROW + SLOTS}
        yield trial.finding({"422": len(refused)}, codes=[6, 0], holds=holds, most_kept=IN_A_ROW + SLOTS, late=refused)


def _never_took_one(stage: Stage) -> Iterator[Finding]:
    """What it refused stays open, and is delivered once the capture is mended."""
    for status, code in ((422, 6), (404, 3)):
        options = ("--refuse-sources", "capture-orders", "--refuse-status", str(status))
        with stage.trial(*LATENCY, *options) as trial:
            trial.deliver(trial.whole())
            refused = {each.serial for each in trial.seen(status=status)}
            trial.fault(refuse_sources=[])
            trial.deliver(trial.rest())
            holds = {f"it cost {MOST_REFUSALS[status]} events": len(refused) == MOST_REFUSALS[status]}
            yield trial.finding({str(status): len(refused)}, codes=[code, 0], holds=holds, late=refused)


def _outage_behind_refusal(stage: Stage) -> Iterator[Finding]:
    """The first event is refused by a capture that has proven nothing; then nothing is taken, and the window fills."""
    first, *others = crowd(others=OTHERS + 2 * WINDOW)
    entries = [replace(first, note=POISON), *others]
    options = ("--latency", "1", "--poison-marker", POISON, "--poison-mode", "403")
    with stage.trial(*options, entries=entries) as trial:
        with trial.run(trial.whole()) as run:
            run.until(lambda: trial.count(status=403) > 0)
            trial.fault(down=True, latency=0.02)
            is_under_way = run.lasts(stage.seconds)
            fed, judged = run.fed, kept(trial.memory)
            trial.fault(down=False)
            trial.end(run)
        yield trial.finding(
            {"403": trial.count(status=403), "503": trial.count(status=503), "lines until the reader waited": fed},
            codes=[0],
            holds={
                "the run went on all along": is_under_way,
                "the window was full": WINDOW < fed < len(entries),
                "an outage judged nothing": not judged,
            },
            most_kept=1,
        )


def _replay_killed(stage: Stage) -> Iterator[Finding]:
    """`target-driftrock rejects | target-driftrock`, killed half way, and once more."""
    with stage.trial(*LATENCY, "--refuse-share", "0.2", max_reject_percent=100) as trial:
        trial.deliver(trial.whole())
        trial.fault(refuse_share=0.0, latency=0.12)
        refused, before = kept(trial.memory), trial.arrived()
        with trial.rejects() as rows, trial.run(source=rows) as run:
            run.until(lambda: trial.arrived() >= before + len(refused) // 2)
            killed = run.tell(SIGKILL)
            trial.end(run)
        left = len(kept(trial.memory))
        with trial.rejects() as rows, trial.run(source=rows) as run:
            trial.end(run)
        yield trial.finding(
            {"records refused at first": len(refused), "kill -9": killed, "of them left then": left},
            codes=[0, -SIGKILL, 0],
            holds={"each was delivered": refused <= {each.serial for each in trial.accepted()}},
            late=refused,
            most_twice=SLOTS,
        )


ROWS = [
    Row(name="capture-deleted", fault="a capture deleted half way", play=_deleted),
    Row(name="capture-turned", fault="a capture that took events refuses all from the middle on (422)", play=_turned),
    Row(
        name="capture-refusing",
        fault="a capture refuses everything from its first event on, with 422 and with 404",
        play=_never_took_one,
    ),
    Row(
        name="refused-outage",
        fault="a capture's first event refused, then 503 for a minute while the window is full",
        play=_outage_behind_refusal,
        seconds=60.0,
        short=15.0,
    ),
    Row(name="replay-killed", fault="kill -9 half way through a replay of what was refused", play=_replay_killed),
]
