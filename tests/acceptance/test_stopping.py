"""SIGTERM at many moments of a run, and the same run again from the STATE that the first one left."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.process import Command, accepted, bookmark, leads, settings
from tests.program import Ended, sandbox
from tests.sandbox.wire import Wire
from tests.waiting import until

pytestmark = pytest.mark.acceptance

LEADS = 240
MOMENTS = range(20)
"""The moment `n` is when `n` twentieths of nine tenths of the leads have arrived; the first is the start-up."""
KILLED = -signal.SIGTERM
"""A process that was not up yet dies of the signal itself; a shell calls both 143."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A run that was stopped, and the one after it. `before` and `after` are the leads that had arrived then."""

    first: Ended
    second: Ended
    bookmark: int
    before: list[int]
    after: list[int]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Stopped]]:
    """Every moment, a few at a time: each has a capture of its own at one sandbox."""
    with sandbox("--latency", "0.02") as wire, ThreadPoolExecutor(4) as pool:
        folders = [tmp_path_factory.mktemp("moment") for _ in MOMENTS]
        yield list(pool.map(lambda moment: _stop(wire, moment, folders[moment]), MOMENTS))


def _stop(wire: Wire, moment: int, folder: Path) -> Stopped:
    command, source = Command(folder), f"capture-{moment}"
    config = command.config(settings(wire.url, source_id=source, batch_size_rows=7))
    with command.started("--config", config) as running:
        running.feed(leads(range(1, LEADS + 1)))
        until(lambda: _count(wire, source) >= moment * LEADS * 9 // 200)
        running.tell(signal.SIGTERM)
        first = running.ended()
    before = accepted(wire, source)
    reached = bookmark(first.states[-1]) if first.states else 0
    second = command.deliver(
        settings(wire.url, source_id=source, batch_size_rows=7), leads(range(reached + 1, LEADS + 1))
    )
    return Stopped(first=first, second=second, bookmark=reached, before=before, after=accepted(wire, source))


def _count(wire: Wire, source: str) -> int:
    return int(wire.counts()["by_source"].get(source, {"accepted": 0})["accepted"])


@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_is_lost_when_sigterm_comes_in_the_middle(moment: int, stopped: list[Stopped]) -> None:
    """STATE never passes what arrived, and the next run brings the rest."""
    run = stopped[moment]

    assert run.first.code == 143 or (moment == 0 and run.first.code == KILLED)
    assert set(range(1, run.bookmark + 1)) <= set(run.before)
    assert run.second.code == 0
    assert set(run.after) == set(range(1, LEADS + 1))


@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_is_sent_twice_when_a_run_was_stopped(moment: int, stopped: list[Stopped]) -> None:
    """What was in flight is waited for, and what lies past the last STATE the ledger knows as delivered."""
    run = stopped[moment]

    assert [number for number, times in Counter(run.after).items() if times > 1] == []


def test_the_moments_are_spread_over_the_run_when_they_are_many(stopped: list[Stopped]) -> None:
    """The table above would prove nothing if each run had ended before its signal, or none had begun."""
    assert all(len(run.before) < LEADS for run in stopped)
    assert len({len(run.before) for run in stopped}) > len(MOMENTS) // 2
    assert any(0 < run.bookmark < LEADS for run in stopped)
