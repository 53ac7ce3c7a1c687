"""What many replies that judge no event say."""

from __future__ import annotations

import pytest

from target_driftrock.delivery.silence import Silences
from target_driftrock.errors import CaptureSilent, NotTheApi, SetupRefused, TokenRejected
from target_driftrock.events.answer import Answer
from tests.delivery.examples import capture

HERE, THERE = capture("here"), capture("there")
PAGE, UNAUTHORIZED, SETUP = Answer(status=403, excerpt=b"<p>"), Answer(status=401), Answer(status=402)


def noted(silences: Silences, answer: Answer, now: float, *, is_proven: bool) -> type[SetupRefused] | None:
    """One more reply, and what it makes of the run."""
    try:
        silences.note(HERE, answer, now=now, is_proven=is_proven, is_stranger=False)
    except SetupRefused as stop:
        return type(stop)
    return None


@pytest.mark.parametrize(
    ("answer", "stop"),
    [(PAGE, CaptureSilent), (SETUP, CaptureSilent), (UNAUTHORIZED, TokenRejected)],
    ids=["a page", "a status of the set-up", "401"],
)
@pytest.mark.parametrize(
    ("is_proven", "most", "seconds"), [(False, 3, 5.0), (True, 10, 10.0)], ids=["unproven", "proven"]
)
def test_a_capture_is_judged_by_its_silence_when_it_lasts(
    answer: Answer, stop: type[SetupRefused], most: int, seconds: float, *, is_proven: bool
) -> None:
    """So many in a row, over so many seconds: neither alone is enough, and a verdict ends the row."""
    silences = Silences(has_key=False)

    assert [noted(silences, answer, 1.0, is_proven=is_proven) for _ in range(most)] == [None] * most
    assert noted(silences, answer, 1.0 + seconds - 0.01, is_proven=is_proven) is None
    assert noted(silences, answer, 1.0 + seconds, is_proven=is_proven) is stop

    silences.end(HERE)
    assert noted(silences, answer, 100.0, is_proven=is_proven) is None
    assert noted(silences, answer, 100.0 + seconds, is_proven=is_proven) is None


def test_one_request_at_a_time_is_enough_from_the_tenth_on() -> None:
    """Of that capture; another one's verdicts do not change it."""
    silences = Silences(has_key=False)
    for number in range(1, 11):
        assert silences.is_long(HERE) is False
        noted(silences, SETUP, float(number), is_proven=True)

    silences.end(THERE)

    assert silences.is_long(HERE)
    assert not silences.is_long(THERE)


def test_three_pages_in_a_row_are_no_api_when_it_has_accepted_nothing() -> None:
    """At once; two and something else are not three in a row."""
    silences = Silences(has_key=False)
    for answer in (PAGE, PAGE, SETUP, PAGE, PAGE):
        silences.note(HERE, answer, now=0.0, is_proven=False, is_stranger=True)

    with pytest.raises(NotTheApi, match="a web page with status 403"):
        silences.note(THERE, PAGE, now=0.0, is_proven=False, is_stranger=True)


def test_the_third_401_in_a_row_is_the_key_when_nothing_was_accepted_with_it() -> None:
    """No other token will come. Once it was good, one ill node does not end the run."""
    new, known = Silences(has_key=True), Silences(has_key=True)
    known.end(HERE)
    for _ in range(2):
        assert noted(new, UNAUTHORIZED, 0.0, is_proven=True) is None

    assert noted(new, UNAUTHORIZED, 0.0, is_proven=True) is TokenRejected
    assert [noted(known, UNAUTHORIZED, 0.0, is_proven=True) for _ in range(9)] == [None] * 9


def test_a_row_is_none_when_something_else_came_between() -> None:
    """A 5xx, a lost answer, want of a connection: that is an outage, and another clock's."""
    silences = Silences(has_key=False)
    for now in range(100):
        assert noted(silences, PAGE, float(now), is_proven=True) is None
        if now % 9 == 8:
            silences.interrupt(HERE)


def test_it_is_the_capture_and_not_the_token_when_pages_and_401s_come_by_turns() -> None:
    """The last of them does not tell alone."""
    silences = Silences(has_key=False)
    for now in range(20):
        noted(silences, PAGE, float(now) / 4, is_proven=True)

    assert noted(silences, UNAUTHORIZED, 20.0, is_proven=True) is CaptureSilent
