"""When the disk has what was reported: asked for while all else goes on, and never said too early."""

from __future__ import annotations

import asyncio

import pytest

from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.errors import LedgerUnavailable
from target_driftrock.ledger.interface import Concluded
from tests.delivery.doubles import RecordingLedger
from tests.delivery.examples import event
from tests.delivery.stage import Stage


def concluded(ledger: RecordingLedger, commits: int) -> int:
    """How many outcomes the first so many transactions hold."""
    return sum(isinstance(change, Concluded) for commit in ledger.commits[:commits] for change in commit)


def test_the_disk_has_what_was_reported_when_it_is_said_to() -> None:
    """All outcomes of before the call, whatever is on its way beside."""
    ledger = RecordingLedger()
    said: list[tuple[int, int]] = []

    def secure(dispatcher: Dispatcher) -> None:
        before = concluded(ledger, len(ledger.commits))  # what was committed: no less than was reported
        dispatcher.secure(lambda: said.append((before, concluded(ledger, ledger.secured[-1]))))

    async def secure_now_and_then(dispatcher: Dispatcher) -> None:
        for _ in range(10):
            secure(dispatcher)
            await asyncio.sleep(0.15)
        dispatcher.end_input()

    stage = Stage(ledger=ledger, commit_seconds=0.02)
    ending = stage.play([event(number) for number in range(100)], secure_now_and_then)

    assert ending.error is None
    assert len(said) == 10
    assert all(before <= on_disk for before, on_disk in said)
    assert said[-1][0] == 100


def test_those_who_wait_for_the_disk_share_it_when_they_come_together() -> None:
    """One wait for all; who comes while the disk is waited for has the next one."""
    said: list[str] = []

    async def secure(dispatcher: Dispatcher) -> None:
        dispatcher.secure(lambda: said.append("first"))
        dispatcher.secure(lambda: said.append("second"))
        await asyncio.sleep(0.05)
        assert said == []
        dispatcher.secure(lambda: said.append("third"))
        await asyncio.sleep(0.5)
        dispatcher.end_input()

    ending = Stage(commit_seconds=0.1).play([], secure)

    assert said == ["first", "second", "third"]
    assert len(ending.ledger.secured) == 2


def test_the_input_does_not_end_when_the_disk_is_waited_for() -> None:
    """Whoever asked is told before the delivery ends."""
    said: list[float] = []

    async def secure(dispatcher: Dispatcher) -> None:
        dispatcher.secure(lambda: said.append(asyncio.get_running_loop().time()))
        await asyncio.sleep(0)
        dispatcher.end_input()

    ending = Stage(commit_seconds=0.5).play([], secure)

    assert said == [pytest.approx(0.5)]
    assert ending.ended_at == pytest.approx(0.5)


def test_nothing_is_said_when_the_ledger_is_lost() -> None:
    """The run stops, and STATE stays where it is."""
    said: list[str] = []

    async def secure(dispatcher: Dispatcher) -> None:
        dispatcher.secure(lambda: said.append("secured"))
        await asyncio.sleep(1)

    ending = Stage(ledger=RecordingLedger(fails_from=0)).play([], secure)

    assert isinstance(ending.error, LedgerUnavailable)
    assert said == []
