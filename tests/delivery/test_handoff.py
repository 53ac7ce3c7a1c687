"""The door between two threads: parts in, outcomes out, failures seen, nothing waited for in vain."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.delivery.handoff import Handoff
from target_driftrock.delivery.passage import Plan
from target_driftrock.errors import LedgerUnavailable, NoThread, NotTheApi
from target_driftrock.events.answer import Answer
from target_driftrock.events.event import Part
from target_driftrock.events.outcome import Delivered, Open, Outcome
from target_driftrock.ledger.journal import GroupingJournal
from tests import threads
from tests.delivery.doubles import After, React, RecordingLedger, ScriptedTokens, ScriptedTransport, accept, always
from tests.delivery.examples import API, event

PATIENCE = 10.0
"""Seconds of real time after which a test gives up."""


def handoff_to(react: React, *, ledger: RecordingLedger | None = None, grace: float = 5.0) -> Handoff:
    """A door to an API that replies like this."""

    @asynccontextmanager
    async def open_dispatcher(report: Callable[[Part, Outcome], None]) -> AsyncIterator[Dispatcher]:
        journal = GroupingJournal(ledger or RecordingLedger())
        yield Dispatcher(
            plan=Plan(api=API, max_concurrency=4, max_outage=60),
            transport=ScriptedTransport(react),
            tokens=ScriptedTokens(latency=0),
            journal=journal,
            wall=time.time,
            roll=lambda: 0.0,
            report=report,
        )
        journal.close()

    return Handoff(open_dispatcher, grace=grace)


def until(holds: Callable[[], bool], handoff: Handoff) -> None:
    """Come back once `holds` says so; fails at the deadline."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "It did not happen in time."
        handoff.wait(0.05)


def ended(handoff: Handoff) -> list[tuple[int, Outcome]]:
    """All outcomes, when the thread has ended."""
    until(lambda: not handoff.is_running, handoff)
    return [(part.origin.position, outcome) for part, outcome in handoff.take_outcomes()]


def test_each_part_comes_back_with_its_outcome_when_delivered() -> None:
    """Once, in the order of the commits, on the reader's side."""
    handoff = handoff_to(lambda _: After(0.001, Answer(status=201)))
    handoff.start()

    handoff.submit([event(1, person="p"), event(2, person="p")])
    handoff.submit([event(3, person="p")])
    until(lambda: handoff.progress.first_requests == 3, handoff)
    handoff.end_input()

    assert ended(handoff) == [(1, Delivered()), (2, Delivered()), (3, Delivered())]
    assert handoff.failure is None
    assert handoff.take_outcomes() == []


def test_the_thread_ends_when_the_input_is_empty() -> None:
    """Nothing is waited for."""
    handoff = handoff_to(accept)
    handoff.start()
    assert handoff.is_started
    assert handoff.is_running

    handoff.end_input()

    assert ended(handoff) == []


def test_the_failure_is_seen_when_the_delivery_stops_by_itself() -> None:
    """With the thread's end, and not before; what was not settled comes back open."""
    handoff = handoff_to(always({}, otherwise=After(0.001, Answer(status=200, is_html=True))))
    handoff.start()
    assert handoff.failure is None

    handoff.submit([event(1)])

    assert ended(handoff) == [(1, Open(reason="to be tried again"))]
    assert isinstance(handoff.failure, NotTheApi)


def test_the_failure_is_seen_when_the_ledger_is_lost() -> None:
    """The same for what the ledger's own thread raises."""
    handoff = handoff_to(accept, ledger=RecordingLedger(fails_from=0))
    handoff.start()

    handoff.submit([event(1)])

    assert ended(handoff) == [(1, Open(reason="never sent"))]
    assert isinstance(handoff.failure, LedgerUnavailable)


def test_start_returns_when_the_dispatcher_cannot_be_opened() -> None:
    """The reader goes on, and finds out why."""

    @asynccontextmanager
    async def broken(_: object) -> AsyncIterator[Dispatcher]:
        raise OSError("No more files.")
        yield  # the type of a generator

    handoff = Handoff(broken, grace=1.0)

    handoff.start()
    handoff.submit([event(1)])
    handoff.end_input()
    handoff.stop()

    assert ended(handoff) == [(1, Open(reason="never sent"))]
    assert isinstance(handoff.failure, OSError)


def test_nothing_is_waited_for_when_stopped_twice() -> None:
    """The first lets what is in flight finish, the second ends it."""
    handoff = handoff_to(lambda _: After(3_600.0, Answer(status=201)), grace=3_600.0)
    handoff.start()
    handoff.submit([event(1)])
    until(lambda: handoff.progress.first_requests == 1, handoff)

    handoff.stop()
    handoff.stop()

    assert ended(handoff) == [(1, Open(reason="sent without an answer"))]
    assert handoff.failure is None


@pytest.mark.parametrize("call", ["submit", "end_input", "stop", "secure", "wait_for_room"])
def test_a_call_is_harmless_when_the_thread_has_ended(call: str) -> None:
    """The reader may be a step behind; what it still hands over comes back open, so that the sums close."""
    handoff = handoff_to(accept)
    handoff.start()
    handoff.end_input()
    ended(handoff)

    match call:
        case "submit":
            handoff.submit([event(1)])
        case "wait_for_room":
            handoff.wait_for_room(0.0)
        case _:
            getattr(handoff, call)()

    assert [outcome for _, outcome in handoff.take_outcomes()] == [Open(reason="never sent")] * (call == "submit")
    assert handoff.failure is None


def test_every_part_comes_back_when_the_delivery_stops_while_parts_are_handed_over() -> None:
    """Whatever the moment: taken, on the way, or too late."""
    handoff = handoff_to(always({}, otherwise=After(0.001, Answer(status=200, is_html=True))))
    handoff.start()
    submitted = 0

    while handoff.is_running:
        submitted += 1
        handoff.submit([event(submitted)])
        handoff.wait(0.0001)
    handoff.submit([event(submitted + 1)])

    assert sorted(position for position, _ in ended(handoff)) == list(range(1, submitted + 2))


@pytest.mark.parametrize("call", ["submit", "end_input", "stop", "secure", "wait_for_room"])
def test_a_call_is_harmless_when_the_thread_was_not_started(call: str) -> None:
    """A run can end before it begins."""
    handoff = handoff_to(accept)

    match call:
        case "submit":
            handoff.submit([event(1)])
        case "wait_for_room":
            handoff.wait_for_room(0.0)
        case _:
            getattr(handoff, call)()

    assert not handoff.is_started
    assert not handoff.is_running
    assert handoff.progress.decided == 0


def test_the_wait_ends_when_something_is_settled() -> None:
    """Not when its time is over."""
    handoff = handoff_to(lambda _: After(0.05, Answer(status=201)))
    handoff.start()
    began = time.monotonic()

    handoff.submit([event(1)])
    handoff.wait(PATIENCE)

    assert time.monotonic() - began < PATIENCE / 2
    assert [outcome for _, outcome in handoff.take_outcomes()] == [Delivered()]
    handoff.end_input()
    ended(handoff)


def test_the_wait_ends_when_the_thread_dies() -> None:
    """A failure is news too."""
    handoff = handoff_to(accept, ledger=RecordingLedger(fails_from=0))
    handoff.start()
    handoff.submit([event(1)])

    assert ended(handoff)
    began = time.monotonic()
    handoff.wait(0.01)
    assert time.monotonic() - began < PATIENCE / 2


def test_the_disk_has_what_was_reported_when_the_reader_has_asked() -> None:
    """Not before it asked, and anew for each time that it asks."""
    ledger = RecordingLedger()
    handoff = handoff_to(lambda _: After(0.001, Answer(status=201)), ledger=ledger)
    handoff.start()

    for number in (1, 2):
        handoff.submit([event(number)])
        until(lambda: len(handoff.take_outcomes()) == 1, handoff)
        committed = len(ledger.commits)
        assert len(ledger.secured) == number - 1
        handoff.secure()
        until(lambda: handoff.is_secured, handoff)
        assert ledger.secured[-1] == committed

    handoff.end_input()
    ended(handoff)


def test_the_disk_has_nothing_new_when_the_ledger_is_lost() -> None:
    """Whoever asked sees the failure instead."""
    handoff = handoff_to(accept, ledger=RecordingLedger(fails_from=0))
    handoff.start()

    handoff.secure()

    assert ended(handoff) == []
    assert isinstance(handoff.failure, LedgerUnavailable)
    assert not handoff.is_secured


def test_the_thread_is_no_obstacle_when_the_process_ends() -> None:
    """It is a daemon, under a name that a stack dump shows."""
    handoff = handoff_to(lambda _: After(3_600.0, Answer(status=201)), grace=0.0)
    handoff.start()
    (thread,) = [each for each in threading.enumerate() if each.name == "delivery"]

    assert thread.daemon

    handoff.stop()
    ended(handoff)
    thread.join(PATIENCE)


def test_nothing_is_delivered_when_no_thread_is_left_for_it() -> None:
    """The machine is full: what came for delivery goes back open, and nobody waits for what cannot begin."""
    handoff = handoff_to(accept)

    with threads.none_left(), pytest.raises(NoThread):
        handoff.start()
    handoff.submit([event(1)])

    assert not handoff.is_started
    assert [(part.origin.position, outcome) for part, outcome in handoff.take_outcomes()] == [
        (1, Open(reason="never sent"))
    ]


def test_the_run_is_to_be_tried_again_when_no_thread_is_left_for_the_ledger() -> None:
    """It is over at once, and every part has its outcome."""
    handoff = handoff_to(accept)
    handoff.start()

    with threads.none_left():
        handoff.submit([event(1), event(2)])
        outcomes = ended(handoff)

    assert isinstance(handoff.failure, NoThread)
    assert outcomes == [(1, Open(reason="never sent")), (2, Open(reason="never sent"))]
