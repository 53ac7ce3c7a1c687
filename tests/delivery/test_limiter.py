"""Slots, pauses, and when a server counts as strained."""

from __future__ import annotations

from target_driftrock.delivery.limiter import Limiter


def test_slots_run_out_when_the_ceiling_is_taken() -> None:
    """A slot is free again only when it is given back."""
    limiter = Limiter(2)

    limiter.take()
    assert limiter.free(0.0) == 1
    limiter.take()
    assert limiter.free(0.0) == 0
    assert limiter.taken == 2
    limiter.give_back()
    assert limiter.free(0.0) == 1


def test_nothing_is_free_when_paused() -> None:
    """A pause holds until its moment, and a shorter one does not end it."""
    limiter = Limiter(4)

    limiter.pause(10.0)
    limiter.pause(5.0)

    assert limiter.paused_until == 10.0
    assert limiter.free(9.999) == 0
    assert limiter.free(10.0) == 4


def test_the_server_is_strained_when_more_than_five_of_a_hundred_failed() -> None:
    """Five 5xx of the last hundred answers are bearable, six are not."""
    limiter = Limiter(4)
    for _ in range(5):
        limiter.note_answer(is_server_error=True)
    assert not limiter.is_strained

    limiter.note_answer(is_server_error=True)
    assert limiter.is_strained


def test_failures_are_forgotten_when_a_hundred_answers_came_after() -> None:
    """Only the last hundred count, whatever came before, and each leaves in its turn."""
    limiter = Limiter(4)
    for _ in range(6):
        limiter.note_answer(is_server_error=True)
    for _ in range(94):
        limiter.note_answer(is_server_error=False)
    assert limiter.is_strained

    limiter.note_answer(is_server_error=False)
    assert not limiter.is_strained

    for _ in range(6):
        limiter.note_answer(is_server_error=True)
    assert limiter.is_strained
