"""Slots, pauses, and what counts as a failure."""

from __future__ import annotations

import pytest

from target_driftrock.delivery.limiter import Limiter
from target_driftrock.events.answer import Answer, NoAnswer, Reply, Unreadable


def test_slots_run_out_when_the_limit_is_taken() -> None:
    """A slot is free again only when it is given back."""
    limiter = Limiter(2)

    limiter.take()
    assert limiter.free(0.0) == 1
    limiter.take()
    assert limiter.free(0.0) == 0
    limiter.give_back()
    assert limiter.free(0.0) == 1


def test_nothing_is_free_when_paused() -> None:
    """A pause holds until its moment, and a shorter one does not end it."""
    limiter = Limiter(4)

    limiter.pause(10.0)
    limiter.pause(5.0)

    assert limiter.next_start(0.0) == 10.0
    assert limiter.free(9.999) == 0
    assert limiter.free(10.0) == 4


def test_a_slot_taken_is_no_start() -> None:
    """What waits for its token in a slot counts for the rate when it starts."""
    limiter = Limiter(4, most_per_second=2)

    limiter.take()
    assert limiter.next_start(5.0) == 5.0
    limiter.start(5.0)
    assert limiter.next_start(5.0) == pytest.approx(5.5, abs=0.02)
    assert limiter.free(5.1) == 0


@pytest.mark.parametrize("reply", [Answer(status=500), Answer(status=503), NoAnswer.LOST, Unreadable()])
def test_failures_strain(reply: Reply) -> None:
    """A 5xx and a lost answer are failures, from the sixth in a hundred on."""
    limiter = Limiter(4)
    for _ in range(5):
        limiter.note(reply, began=0.0, now=1.0)
    assert not limiter.is_strained

    limiter.note(reply, began=0.0, now=1.0)
    assert limiter.is_strained


@pytest.mark.parametrize("reply", [Answer(status=200), Answer(status=422), Answer(status=429), NoAnswer.NOT_SENT])
def test_other_replies_do_not(reply: Reply) -> None:
    """They judge the event, the rate, or the way there."""
    limiter = Limiter(4)
    for _ in range(100):
        limiter.note(reply, began=0.0, now=1.0)

    assert not limiter.is_strained


def test_many_429_hold_everyone_to_a_rate() -> None:
    """One a second where nothing else was answered."""
    limiter = Limiter(16)

    for moment in range(8):
        limiter.note(Answer(status=429), began=0.0, now=1.0 + moment)
    limiter.start(8.0)

    assert limiter.free(8.5) == 0
    assert limiter.next_start(8.5) == pytest.approx(9.0, abs=0.05)


def test_no_connection_tells_nothing_of_the_server() -> None:
    """A limit that grew by it would meet a server that comes back with all of it at once."""
    limiter = Limiter(64)

    for moment in range(1_000):
        for _ in range(limiter.free(float(moment))):
            limiter.take()
        limiter.note(NoAnswer.NOT_SENT, began=float(moment), now=moment + 0.5)

    assert limiter.limit == 10
