"""The door between two threads: parts in, outcomes out, failures seen, nothing waited for in vain."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from target_driftrock.delivery.door import Delivery, Resources
from target_driftrock.delivery.pending import DeliveryConfig
from target_driftrock.delivery.transport import Transport
from target_driftrock.errors import LedgerUnavailable, NoThread, NotTheApi
from target_driftrock.events.answer import Answer
from target_driftrock.events.outcome import Delivered, Open, Outcome
from target_driftrock.ledger.threaded import LedgerThread
from tests import threads
from tests.delivery.doubles import After, React, RecordingLedger, ScriptedTokens, ScriptedTransport, accept, always
from tests.delivery.examples import API, event

PATIENCE = 10.0
"""Seconds of real time after which a test gives up."""


def delivery_to(react: React, *, ledger: RecordingLedger | None = None, grace: float = 5.0) -> Delivery:
    """A door to an API that replies like this."""
    return Delivery(lambda: resources(react, ledger or RecordingLedger()), grace=grace)


def resources(react: React, ledger: RecordingLedger) -> Resources:
    """What it stands on."""
    return Resources(
        config=DeliveryConfig(api=API, max_concurrency=4, max_outage=60),
        tokens=ScriptedTokens(latency=0),
        hold=lambda _: ledger,
        open_transport=lambda: ScriptedTransport(react),
        in_thread=LedgerThread,
        roll=lambda: 0.0,
    )


def begun(delivery: Delivery) -> None:
    """Start it: nobody asks for the end."""
    assert delivery.start(is_stopped=lambda: False)


def until(holds: Callable[[], bool], delivery: Delivery) -> None:
    """Come back once `holds` says so; fails at the deadline."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "It did not happen in time."
        delivery.wait(0.05)


def ended(delivery: Delivery) -> list[tuple[int, Outcome]]:
    """All outcomes, when the thread has ended."""
    until(lambda: not delivery.is_running, delivery)
    return [(part.origin.position, outcome) for part, outcome in delivery.take_outcomes()]


def test_the_ledger_is_taken_once_when_no_thread_was_left_at_first() -> None:
    """Else the second try would wait for what is its own."""
    held: list[RecordingLedger] = []

    def hold(_: object) -> RecordingLedger:
        held.append(RecordingLedger())
        return held[-1]

    delivery = Delivery(lambda: replace(resources(accept, RecordingLedger()), hold=hold))
    with threads.none_left(), pytest.raises(NoThread):
        begun(delivery)

    with delivery.opened(is_stopped=lambda: False):
        pass

    assert len(held) == 1


def test_all_is_settled_when_the_with_ends() -> None:
    """Without a front: parts in, outcomes out."""
    delivery = delivery_to(lambda _: After(0.001, Answer(status=201)))

    with delivery.opened(is_stopped=lambda: False):
        delivery.submit([event(number) for number in range(1, 21)])

    assert sorted(part.origin.position for part, _ in delivery.take_outcomes()) == list(range(1, 21))
    assert not delivery.is_running


def test_what_stopped_delivery_is_raised_when_the_with_ends() -> None:
    """And every part has come back."""
    delivery = delivery_to(always({}, otherwise=After(0.001, Answer(status=200, excerpt=b"<p>"))))

    with pytest.raises(NotTheApi), delivery.opened(is_stopped=lambda: False):
        delivery.submit([event(1), event(2)])

    assert [type(outcome) for _, outcome in delivery.take_outcomes()] == [Open, Open]


@pytest.mark.parametrize("ends_by", ["an exception", "a stop"])
def test_nothing_more_begins_when_the_with_is_left_early(ends_by: str) -> None:
    """What is in flight may finish for the grace, and the rest is open."""
    delivery = delivery_to(lambda _: After(3_600.0, Answer(status=201)), grace=0.0)
    stops: list[bool] = []

    with suppress(ZeroDivisionError), delivery.opened(is_stopped=lambda: bool(stops)):
        delivery.submit([event(number) for number in range(1, 11)])
        until(lambda: delivery.statistics.first_requests == 1, delivery)
        stops.append(True)
        if ends_by == "an exception":
            raise ZeroDivisionError

    assert [type(outcome) for _, outcome in delivery.take_outcomes()] == [Open] * 10
    assert not delivery.is_running


def test_each_part_comes_back_with_its_outcome_when_delivered() -> None:
    """Once, in the order of the commits, on the reader's side."""
    delivery = delivery_to(lambda _: After(0.001, Answer(status=201)))
    begun(delivery)

    delivery.submit([event(1, person="p"), event(2, person="p")])
    delivery.submit([event(3, person="p")])
    until(lambda: delivery.statistics.first_requests == 3, delivery)
    delivery.end_input()

    assert ended(delivery) == [(1, Delivered()), (2, Delivered()), (3, Delivered())]
    assert delivery.failure is None
    assert delivery.take_outcomes() == []


def test_the_thread_ends_when_the_input_is_empty() -> None:
    """Nothing is waited for."""
    delivery = delivery_to(accept)
    begun(delivery)
    assert delivery.is_started
    assert delivery.is_running

    delivery.end_input()

    assert ended(delivery) == []


def test_the_failure_is_seen_when_the_delivery_stops_by_itself() -> None:
    """With the thread's end, and not before; what was not settled comes back open."""
    delivery = delivery_to(always({}, otherwise=After(0.001, Answer(status=200, excerpt=b"<p>"))))
    begun(delivery)
    assert delivery.failure is None

    delivery.submit([event(1)])

    assert ended(delivery) == [(1, Open(reason="sent without an answer"))]
    assert isinstance(delivery.failure, NotTheApi)


def test_the_failure_is_seen_when_the_ledger_is_lost() -> None:
    """The same for what the ledger's own thread raises."""
    delivery = delivery_to(accept, ledger=RecordingLedger(fails_from=0))
    begun(delivery)

    delivery.submit([event(1)])

    assert ended(delivery) == [(1, Open(reason="never sent"))]
    assert isinstance(delivery.failure, LedgerUnavailable)


def test_start_returns_when_the_dispatcher_cannot_be_opened() -> None:
    """The reader goes on, and finds out why."""

    def broken() -> Transport:
        raise OSError("No more files.")

    delivery = Delivery(lambda: replace(resources(accept, RecordingLedger()), open_transport=broken), grace=1.0)

    begun(delivery)
    delivery.submit([event(1)])
    delivery.end_input()
    delivery.stop()

    assert ended(delivery) == [(1, Open(reason="never sent"))]
    assert isinstance(delivery.failure, OSError)


def test_nothing_is_waited_for_when_stopped_twice() -> None:
    """The first lets what is in flight finish, the second ends it."""
    delivery = delivery_to(lambda _: After(3_600.0, Answer(status=201)), grace=3_600.0)
    begun(delivery)
    delivery.submit([event(1)])
    until(lambda: delivery.statistics.first_requests == 1, delivery)

    delivery.stop()
    delivery.stop()

    assert ended(delivery) == [(1, Open(reason="sent without an answer"))]
    assert delivery.failure is None


@pytest.mark.parametrize("call", ["submit", "end_input", "stop", "secure", "wait_for_room"])
def test_a_call_is_harmless_when_the_thread_has_ended(call: str) -> None:
    """The reader may be a step behind; what it still hands over comes back open, so that the sums close."""
    delivery = delivery_to(accept)
    begun(delivery)
    delivery.end_input()
    ended(delivery)

    match call:
        case "submit":
            delivery.submit([event(1)])
        case "wait_for_room":
            delivery.wait_for_room(0.0)
        case _:
            getattr(delivery, call)()

    assert [outcome for _, outcome in delivery.take_outcomes()] == [Open(reason="never sent")] * (call == "submit")
    assert delivery.failure is None


def test_every_part_comes_back_when_the_delivery_stops_while_parts_are_handed_over() -> None:
    """Whatever the moment: taken, on the way, or too late."""
    delivery = delivery_to(always({}, otherwise=After(0.001, Answer(status=200, excerpt=b"<p>"))))
    begun(delivery)
    submitted = 0

    while delivery.is_running:
        submitted += 1
        delivery.submit([event(submitted)])
        delivery.wait(0.0001)
    delivery.submit([event(submitted + 1)])

    assert sorted(position for position, _ in ended(delivery)) == list(range(1, submitted + 2))


@pytest.mark.parametrize("call", ["submit", "end_input", "stop", "secure", "wait_for_room"])
def test_a_call_is_harmless_when_the_thread_was_not_started(call: str) -> None:
    """A run can end before it begins."""
    delivery = delivery_to(accept)

    match call:
        case "submit":
            delivery.submit([event(1)])
        case "wait_for_room":
            delivery.wait_for_room(0.0)
        case _:
            getattr(delivery, call)()

    assert not delivery.is_started
    assert not delivery.is_running
    assert delivery.statistics.decided == 0


def test_the_wait_ends_when_something_is_settled() -> None:
    """Not when its time is over."""
    delivery = delivery_to(lambda _: After(0.05, Answer(status=201)))
    begun(delivery)
    began = time.monotonic()

    delivery.submit([event(1)])
    delivery.wait(PATIENCE)

    assert time.monotonic() - began < PATIENCE / 2
    assert [outcome for _, outcome in delivery.take_outcomes()] == [Delivered()]
    delivery.end_input()
    ended(delivery)


def test_the_wait_ends_when_the_thread_dies() -> None:
    """A failure is news too."""
    delivery = delivery_to(accept, ledger=RecordingLedger(fails_from=0))
    begun(delivery)
    delivery.submit([event(1)])

    assert ended(delivery)
    began = time.monotonic()
    delivery.wait(0.01)
    assert time.monotonic() - began < PATIENCE / 2


def test_the_disk_has_what_was_reported_when_the_reader_has_asked() -> None:
    """Not before it asked, and anew for each time that it asks."""
    ledger = RecordingLedger()
    delivery = delivery_to(lambda _: After(0.001, Answer(status=201)), ledger=ledger)
    begun(delivery)

    for number in (1, 2):
        delivery.submit([event(number)])
        until(lambda: len(delivery.take_outcomes()) == 1, delivery)
        committed = len(ledger.commits)
        assert len(ledger.secured) == number - 1
        delivery.secure()
        until(lambda: delivery.is_secured, delivery)
        assert ledger.secured[-1] == committed

    delivery.end_input()
    ended(delivery)


def test_the_disk_has_nothing_new_when_the_ledger_is_lost() -> None:
    """Whoever asked sees the failure instead."""
    delivery = delivery_to(accept, ledger=RecordingLedger(fails_from=0))
    begun(delivery)

    delivery.secure()

    assert ended(delivery) == []
    assert isinstance(delivery.failure, LedgerUnavailable)
    assert not delivery.is_secured


def test_the_thread_is_no_obstacle_when_the_process_ends() -> None:
    """It is a daemon, under a name that a stack dump shows."""
    delivery = delivery_to(lambda _: After(3_600.0, Answer(status=201)), grace=0.0)
    begun(delivery)
    (thread,) = [each for each in threading.enumerate() if each.name == "delivery"]

    assert thread.daemon

    delivery.stop()
    ended(delivery)
    thread.join(PATIENCE)


def test_nothing_is_delivered_when_no_thread_is_left_for_it() -> None:
    """The machine is full: what came for delivery goes back open, and nobody waits for what cannot begin."""
    delivery = delivery_to(accept)

    with threads.none_left(), pytest.raises(NoThread):
        begun(delivery)
    delivery.submit([event(1)])

    assert not delivery.is_started
    assert [(part.origin.position, outcome) for part, outcome in delivery.take_outcomes()] == [
        (1, Open(reason="never sent"))
    ]


def test_the_run_is_to_be_tried_again_when_no_thread_is_left_for_the_ledger() -> None:
    """It is over at once, and every part has its outcome."""
    delivery = delivery_to(accept)
    begun(delivery)

    with threads.none_left():
        delivery.submit([event(1), event(2)])
        outcomes = ended(delivery)

    assert isinstance(delivery.failure, NoThread)
    assert outcomes == [(1, Open(reason="never sent")), (2, Open(reason="never sent"))]
