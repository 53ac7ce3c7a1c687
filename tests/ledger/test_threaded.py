"""The asynchronous front of a ledger: one thread, shared commits, and the end after an error."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from target_driftrock.errors import LedgerUnavailable, NoThread
from target_driftrock.events.event import Capture, Event
from target_driftrock.ledger.interface import Change, Intent, Known, Proven
from target_driftrock.ledger.threaded import LedgerThread
from tests import threads, virtual_time
from tests.delivery.doubles import InLoopExecutor, RecordingLedger
from tests.delivery.examples import capture, event


class ThreadedLedger(RecordingLedger):
    """Notes which thread it runs on."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()
        self.closed = 0

    def commit(self, changes: Sequence[Change]) -> None:
        """Note, and commit."""
        self.threads.add(threading.get_ident())
        super().commit(changes)

    def recall(self, events: Sequence[Event]) -> list[Sequence[Known]]:
        """Note, and answer."""
        self.threads.add(threading.get_ident())
        return super().recall(events)

    def secure(self) -> None:
        """Note, and do."""
        self.threads.add(threading.get_ident())
        super().secure()

    def close(self) -> None:
        """Count."""
        self.closed += 1


def numbers(ledger: RecordingLedger) -> list[list[int]]:
    """The records of each transaction."""
    return [
        [change.event.origin.position for change in commit if isinstance(change, Intent)] for commit in ledger.commits
    ]


def test_changes_share_a_transaction_when_they_come_while_one_runs() -> None:
    """The first goes alone, all that came meanwhile go together, in the order of the calls."""
    ledger = RecordingLedger()

    async def commit() -> None:
        thread = LedgerThread(ledger, executor=InLoopExecutor(lambda: 1.0))
        first = asyncio.create_task(thread.commit([Intent(event(1))]))
        await asyncio.sleep(0.5)
        later = [asyncio.create_task(thread.commit([Intent(event(number))])) for number in (2, 3, 4)]
        await asyncio.gather(first, *later)
        assert asyncio.get_running_loop().time() == 2.0

    virtual_time.run(commit())

    assert numbers(ledger) == [[1], [2, 3, 4]]


def test_changes_share_a_transaction_when_the_loop_has_them_at_hand_together() -> None:
    """Answers come in bursts: the first of one is not worth a transaction that all the others wait for."""
    ledger = RecordingLedger()

    async def commit() -> None:
        thread = LedgerThread(ledger, executor=InLoopExecutor(lambda: 1.0))
        await asyncio.gather(*(thread.commit([Intent(event(number))]) for number in (1, 2, 3)))
        assert asyncio.get_running_loop().time() == 1.0

    virtual_time.run(commit())

    assert numbers(ledger) == [[1, 2, 3]]


def test_a_commit_returns_when_its_transaction_is_durable() -> None:
    """Not when the one before it is."""
    ledger = RecordingLedger()

    async def commit() -> None:
        thread = LedgerThread(ledger, executor=InLoopExecutor(lambda: 1.0))
        first = asyncio.create_task(thread.commit([Intent(event(1))]))
        await asyncio.sleep(0)
        second = asyncio.create_task(thread.commit([Intent(event(2))]))
        await first
        assert not second.done()
        assert numbers(ledger) == [[1]]
        await second
        assert numbers(ledger) == [[1], [2]]

    virtual_time.run(commit())


def test_nothing_is_asked_of_the_ledger_when_there_is_nothing_to_commit() -> None:
    """An empty commit returns at once."""
    ledger = RecordingLedger()

    virtual_time.run(LedgerThread(ledger, executor=InLoopExecutor(lambda: 1.0)).commit([]))

    assert ledger.commits == []


def test_the_change_is_made_all_the_same_when_its_waiter_is_cancelled() -> None:
    """And the others that share its transaction are told."""
    ledger = RecordingLedger()

    async def commit() -> None:
        thread = LedgerThread(ledger, executor=InLoopExecutor(lambda: 1.0))
        waiters = [asyncio.create_task(thread.commit([Intent(event(number))])) for number in (1, 2, 3)]
        await asyncio.sleep(0.5)
        waiters[0].cancel()
        waiters[1].cancel()
        await waiters[2]

    virtual_time.run(commit())

    assert numbers(ledger) == [[1, 2, 3]]


def test_everything_is_refused_when_a_commit_failed() -> None:
    """Those of the failed transaction, those that wait behind it, and all that comes later, with the same error."""
    ledger = RecordingLedger(fails_from=1)

    async def commit() -> None:
        thread = LedgerThread(ledger, executor=InLoopExecutor(lambda: 1.0))
        await thread.commit([Intent(event(1))])
        failing = [asyncio.create_task(thread.commit([Intent(event(number))])) for number in (2, 3)]
        await asyncio.sleep(0.5)
        recall = asyncio.create_task(thread.recall([event(1)]))
        errors: list[object] = await asyncio.gather(*failing, recall, return_exceptions=True)
        ledger.fails_from = None  # it would work again, but the lock may be gone
        for work in (
            thread.commit([Intent(event(4))]),
            thread.recall([event(1)]),
            thread.proven([capture()]),
            thread.secure(),
        ):
            errors.extend(await asyncio.gather(work, return_exceptions=True))
        assert len(errors) == 7
        assert all(error is errors[0] for error in errors)
        assert isinstance(errors[0], LedgerUnavailable)

    virtual_time.run(commit())

    assert numbers(ledger) == [[1]]


def test_everything_is_refused_when_no_thread_can_be_had() -> None:
    """A machine without room for one more must not leave a waiter waiting; the next run goes on."""

    async def commit() -> None:
        thread = LedgerThread(RecordingLedger())
        with threads.none_left():
            waiters = [thread.commit([Intent(event(number))]) for number in (1, 2)]
            errors = await asyncio.gather(*waiters, thread.recall([event(3)]), return_exceptions=True)
        errors += await asyncio.gather(thread.secure(), return_exceptions=True)
        assert [type(error) for error in errors] == [NoThread] * 4
        thread.close()

    asyncio.run(commit())


def test_everything_is_refused_when_a_look_up_failed() -> None:
    """A connection that cannot read may have lost the lock."""

    class Blind(RecordingLedger):
        def proven(self, captures: Sequence[Capture]) -> list[bool]:
            raise LedgerUnavailable("The ledger is gone.")

    ledger = Blind()

    async def ask() -> None:
        thread = LedgerThread(ledger, executor=InLoopExecutor(lambda: 1.0))
        with pytest.raises(LedgerUnavailable):
            await thread.proven([capture()])
        with pytest.raises(LedgerUnavailable):
            await thread.commit([Intent(event(1))])

    virtual_time.run(ask())

    assert ledger.commits == []


def test_the_disk_is_waited_for_after_what_was_committed_when_it_is_asked_for() -> None:
    """In the order of the calls, so that what was asked for before lies there, and what comes after need not wait."""
    ledger = RecordingLedger()

    async def secure() -> None:
        thread = LedgerThread(ledger, executor=InLoopExecutor(lambda: 1.0))
        await thread.commit([Intent(event(1))])
        second = asyncio.create_task(thread.commit([Intent(event(2))]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await thread.secure()
        await second
        await thread.commit([Intent(event(3))])

    virtual_time.run(secure())

    assert ledger.secured == [2]
    assert numbers(ledger) == [[1], [2], [3]]


def test_everything_is_refused_when_the_disk_fails() -> None:
    """What STATE would pass may be lost: nothing may build on it."""

    class Unsafe(RecordingLedger):
        def secure(self) -> None:
            raise LedgerUnavailable("The disk is gone.")

    ledger = Unsafe()

    async def secure() -> None:
        thread = LedgerThread(ledger, executor=InLoopExecutor(lambda: 1.0))
        waiters = [thread.secure(), thread.commit([Intent(event(1))]), thread.recall([event(1)])]
        errors = await asyncio.gather(*waiters, thread.secure(), return_exceptions=True)
        assert [str(error) for error in errors] == ["The disk is gone."] * 4

    virtual_time.run(secure())

    assert ledger.commits == []


def test_the_ledger_is_used_on_one_thread_of_its_own_when_the_loop_is_real() -> None:
    """Never on the event loop; `close` returns after all that was asked."""
    ledger = ThreadedLedger()

    async def use() -> None:
        thread = LedgerThread(ledger)
        await asyncio.gather(
            thread.commit([Proven(capture())]), thread.recall([event(1)]), thread.commit([Intent(event(1))])
        )
        assert await thread.proven([capture()]) == [True]
        await thread.secure()
        thread.close()
        thread.close()

    asyncio.run(use())

    assert len(ledger.threads) == 1
    assert threading.get_ident() not in ledger.threads
    assert not ledger.closed  # it is its owner's to close
    assert numbers(ledger)[-1] == [1]
    assert len(ledger.secured) == 1
