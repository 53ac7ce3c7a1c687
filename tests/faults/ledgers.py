"""Rows: what happens to the ledger, and to those who share it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from signal import SIGKILL

from tests.faults.finding import Finding
from tests.faults.memory import in_server
from tests.faults.table import Row, Stage
from tests.faults.trial import SLOTS

LATENCY = ("--latency", "0.02")
LARGEST_FILE = 400_000
NEARLY = 8192
"""Bytes: two pages. What does not fit whole may not be written at all."""


def _lost(stage: Stage) -> Iterator[Finding]:
    with stage.trial() as trial:
        trial.deliver(trial.whole())
        folder = trial.directory.folder
        shutil.rmtree(folder)
        with trial.run(trial.whole()) as run:
            trial.end(run)
        yield trial.finding(
            {"ledger deleted between two runs": 1},
            codes=[0, 0],
            holds={"the second run says that its ledger is new": "The ledger is new" in run.log},
            most_twice=len(trial.entries),
            most_uncounted=len(trial.entries),
        )


def _disk_full(stage: Stage) -> Iterator[Finding]:
    with stage.trial(*LATENCY) as trial:
        with trial.run(trial.whole(), file_limit=LARGEST_FILE) as run:
            is_full = run.until(lambda: _largest(trial.directory.folder) > LARGEST_FILE - NEARLY)
            trial.end(run)
        trial.deliver(trial.rest())
        yield trial.finding({"file of the ledger at its limit": is_full}, codes=[4, 0], most_twice=SLOTS)


def _largest(folder: Path) -> int:
    """Bytes, as the kernel sees them."""
    return max((file.stat().st_size for file in folder.glob("*-wal")), default=0)


def _held_for_a_while(stage: Stage) -> Iterator[Finding]:
    with stage.trial() as trial, ExitStack() as other:
        other.enter_context(trial.directory.held())
        with trial.run(trial.whole()) as run:
            waited = run.until(lambda: "Waiting" in run.log)
            before = trial.arrived()
            other.close()
            trial.end(run)
        yield trial.finding({"wait for the lock": waited}, codes=[0], holds={"nothing was sent before": before == 0})


def _held_for_good(stage: Stage) -> Iterator[Finding]:
    with stage.trial() as trial:
        with trial.directory.held(), trial.run(trial.whole(), max_outage_seconds=2) as run:
            trial.end(run)
            holds = {"nothing was sent before": trial.arrived() == 0}
        trial.deliver(trial.rest())
        yield trial.finding({"wait for the lock": "Waiting" in run.log}, codes=[4, 0], holds=holds)


def _database_locked(stage: Stage) -> Iterator[Finding]:
    """Somebody opens the database with another program, and leaves a transaction open."""
    with stage.trial(*LATENCY) as trial:
        with trial.run(trial.whole()) as run:
            run.until(lambda: trial.arrived() >= len(trial.entries) // 3)
            with trial.directory.locked():
                trial.end(run)
        trial.deliver(trial.rest())
        yield trial.finding({"database locked": 1}, codes=[4, 0], most_twice=SLOTS)


def _gone_for_a_while(stage: Stage) -> Iterator[Finding]:
    """The directory is moved away in the middle, as when a volume is, and is there again for the next run."""
    with stage.trial(*LATENCY) as trial:
        folder = trial.directory.folder
        elsewhere = folder.with_name("elsewhere")
        with trial.run(trial.whole()) as run:
            run.until(lambda: trial.arrived() >= len(trial.entries) // 3)
            folder.rename(elsewhere)
            trial.end(run)
        holds = {"no other one was made": not folder.exists()}
        elsewhere.rename(folder)
        trial.deliver(trial.rest())
        yield trial.finding({"directory moved away": 1}, codes=[4, 0], holds=holds, most_twice=SLOTS)


def _two_at_once(stage: Stage) -> Iterator[Finding]:
    with stage.trial("--latency", "0.05") as trial, trial.run(trial.whole()) as first:
        first.until(lambda: trial.arrived() > 0)
        with trial.run(trial.whole()) as second:
            waited = second.until(lambda: "held by target-driftrock" in second.log)
            is_first_at_work = first.is_alive
            trial.end(first)
            trial.end(second)
        yield trial.finding(
            {"wait for the other run": waited}, codes=[0, 0], holds={"both ran at once": is_first_at_work}
        )


def _killed_on_server(stage: Stage) -> Iterator[Finding]:
    for number, moment in enumerate(stage.moments(max(2, stage.times // 4))):
        with in_server(f"faults_kill_{os.getpid()}") as ledger, stage.trial(*LATENCY, ledger=ledger) as trial:
            killed = trial.killed(lambda: trial.arrived() >= moment)  # noqa: B023 - called in this turn alone
            trial.deliver(trial.again(number))
            yield trial.finding({"kill -9": killed}, codes=[-SIGKILL, 0], most_twice=SLOTS)


def _session_ended(stage: Stage) -> Iterator[Finding]:
    for moment in stage.moments(max(2, stage.times // 4))[1:]:
        with in_server(f"faults_terminate_{os.getpid()}") as ledger, stage.trial(*LATENCY, ledger=ledger) as trial:
            with trial.run(trial.whole()) as run:
                run.until(lambda: trial.arrived() >= moment)  # noqa: B023 - called in this turn alone
                ended = ledger.terminate(run.process.pid)
                trial.end(run)
            trial.deliver(trial.rest())
            yield trial.finding({"sessions ended at the server": ended}, codes=[4, 0], most_twice=SLOTS)


ROWS = [
    Row(name="ledger-lost", fault="the ledger deleted between two runs of everything", play=_lost),
    Row(name="disk-full", fault=f"no file may grow over {LARGEST_FILE:,} bytes", play=_disk_full),
    Row(name="locked", fault="another process holds the ledger for a while", play=_held_for_a_while),
    Row(
        name="locked-for-good",
        fault="another process holds it for longer than max_outage_seconds (2)",
        play=_held_for_good,
    ),
    Row(name="database-locked", fault="another program locks the database in the middle", play=_database_locked),
    Row(name="ledger-gone", fault="the ledger's directory is gone in the middle", play=_gone_for_a_while),
    Row(name="two", fault="two runs of everything at once", play=_two_at_once),
    Row(name="server-kill", fault="kill -9 at random moments, with PostgreSQL", play=_killed_on_server, is_random=True),
    Row(
        name="server-terminate",
        fault="PostgreSQL ends the session in the middle",
        play=_session_ended,
        is_random=True,
    ),
]
