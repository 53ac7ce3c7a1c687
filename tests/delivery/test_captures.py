"""What a capture has proven, row by row."""

from __future__ import annotations

import pytest

from target_driftrock.delivery.captures import Captures, Ruling
from tests.delivery.examples import capture

HERE, THERE = capture("here"), capture("there")
EVENTS = [f"event {number}" for number in range(100)]  # told apart by identity


def tried(captures: Captures[str], count: int) -> list[str]:
    """Let `count` events in, of which the first may go."""
    return [name for number in range(count) for name in captures.enter(EVENTS[number], HERE)]


def test_all_may_go_when_the_capture_is_proven() -> None:
    """A capture that has accepted an event makes nobody wait."""
    captures: Captures[str] = Captures()
    captures.remember(HERE)

    assert tried(captures, 20) == EVENTS[:20]
    assert captures.is_proven(HERE)


def test_one_goes_at_a_time_when_the_capture_is_unproven() -> None:
    """Until it accepts, the next of a capture goes when the one before it is done with."""
    captures: Captures[str] = Captures()

    assert tried(captures, 3) == [EVENTS[0]]
    assert captures.depart(HERE) == [EVENTS[1]]
    assert captures.depart(HERE) == [EVENTS[2]]
    assert captures.depart(HERE) == []


def test_captures_do_not_wait_for_each_other_when_both_are_unproven() -> None:
    """A thousand new captures start at the same time."""
    captures: Captures[int] = Captures()

    started = [captures.enter(number, capture(f"capture-{number}")) for number in range(1_000)]

    assert started == [[number] for number in range(1_000)]


def test_all_that_wait_go_when_the_capture_accepts() -> None:
    """An acceptance lets all go, and makes the refusals before it rejections."""
    captures: Captures[str] = Captures()
    tried(captures, 4)
    assert captures.refuse(EVENTS[0], HERE) is Ruling.WAIT
    captures.depart(HERE)

    freed, judged = captures.accept(HERE)

    assert freed == [EVENTS[2], EVENTS[3]]
    assert judged == [EVENTS[0]]
    assert captures.is_proven(HERE)
    assert captures.enter("another", HERE) == ["another"]


def test_the_next_goes_when_one_backs_off() -> None:
    """A first event that gets no verdict does not hold up its capture, until ten are in backoff or unjudged."""
    captures: Captures[str] = Captures()
    going = tried(captures, 12)

    for number in range(9):
        assert going == [EVENTS[number]]
        going = captures.back_off(EVENTS[number], HERE)

    assert going == [EVENTS[9]]
    assert captures.back_off(EVENTS[9], HERE) == []


def test_unjudged_and_sleeping_events_count_together_when_ten_are_reached() -> None:
    """Five refusals and five in backoff are ten: the eleventh stays behind, and a sleeper may come back."""
    captures: Captures[str] = Captures()
    tried(captures, 12)
    for number in range(5):
        assert captures.refuse(EVENTS[number], HERE) is Ruling.WAIT
        assert captures.depart(HERE) == [EVENTS[number + 1]]
    for number in range(5, 10):
        captures.back_off(EVENTS[number], HERE)

    assert captures.depart(HERE) == []
    assert captures.enter_again(EVENTS[5], HERE) == [EVENTS[5]]


def test_a_sleeper_goes_before_the_untried_when_it_wakes() -> None:
    """A retry comes before events that have not been tried."""
    captures: Captures[str] = Captures()
    tried(captures, 3)
    assert captures.back_off(EVENTS[0], HERE) == [EVENTS[1]]
    assert captures.enter_again(EVENTS[0], HERE) == []

    assert captures.depart(HERE) == [EVENTS[0]]


def test_a_sleeper_goes_at_once_when_its_capture_was_proven_meanwhile() -> None:
    """There is no queue any more."""
    captures: Captures[str] = Captures()
    tried(captures, 2)
    captures.back_off(EVENTS[0], HERE)
    captures.accept(HERE)

    assert captures.enter_again(EVENTS[0], HERE) == [EVENTS[0]]
    assert captures.back_off(EVENTS[0], HERE) == []
    assert captures.depart(HERE) == []


def test_the_tenth_refusal_stops_the_run_when_the_capture_is_unproven() -> None:
    """A wrong mapping costs ten events."""
    captures: Captures[str] = Captures()
    tried(captures, 12)

    rulings = []
    for number in range(10):
        rulings.append(captures.refuse(EVENTS[number], HERE))
        captures.depart(HERE)

    assert rulings == [Ruling.WAIT] * 9 + [Ruling.STOP_REJECTS]


@pytest.mark.parametrize("between", [0, 3], ids=["in a row", "refusals of content between"])
def test_the_second_setup_refusal_stops_the_run_when_the_capture_is_unproven(between: int) -> None:
    """403, 404, 405 and 3xx speak of the capture: two of them are enough."""
    captures: Captures[str] = Captures()
    tried(captures, 12)

    assert captures.refuse_setup(EVENTS[0], HERE) is Ruling.WAIT
    for number in range(1, 1 + between):
        assert captures.refuse(EVENTS[number], HERE) is Ruling.WAIT
    assert captures.refuse_setup(EVENTS[9], HERE) is Ruling.STOP_SETUP


def test_the_hundredth_refusal_in_a_row_stops_the_run_when_the_capture_is_proven() -> None:
    """Whatever the status; an acceptance breaks the row."""
    captures: Captures[str] = Captures()
    captures.remember(HERE)
    for _ in range(99):
        captures.refuse("event", HERE)
    captures.accept(HERE)

    rulings = [captures.refuse(EVENTS[number], HERE) for number in range(100)]

    assert rulings == [Ruling.REJECT] * 99 + [Ruling.STOP_REJECTS]


def test_the_tenth_setup_refusal_in_a_row_stops_the_run_when_the_capture_is_proven() -> None:
    """A capture deleted half way costs ten events."""
    captures: Captures[str] = Captures()
    captures.remember(HERE)

    rulings = [captures.refuse_setup(EVENTS[number], HERE) for number in range(10)]

    assert rulings == [Ruling.REJECT] * 9 + [Ruling.STOP_SETUP]


@pytest.mark.parametrize("breaks", ["accept", "refuse"])
def test_setup_refusals_count_anew_when_another_answer_comes_between(breaks: str) -> None:
    """Nine, another answer, and nine more are not ten in a row; what another capture answers does not break a row."""
    captures: Captures[str] = Captures()
    captures.remember(HERE)
    captures.remember(THERE)
    for number in range(9):
        captures.refuse_setup(EVENTS[number], HERE)

    _ = captures.accept(HERE) if breaks == "accept" else captures.refuse(EVENTS[9], HERE)
    rulings = [captures.refuse_setup(EVENTS[number], HERE) for number in range(9)]
    captures.accept(THERE)

    assert set(rulings) == {Ruling.REJECT}
    assert captures.refuse_setup("the tenth", HERE) is Ruling.STOP_SETUP


def test_refusals_are_given_once_when_judged() -> None:
    """Judged at the end of the input, a refusal is a rejection, and none of the next judgement."""
    captures: Captures[str] = Captures()
    captures.enter("here", HERE)
    captures.enter("there", THERE)
    captures.refuse("here", HERE)
    captures.refuse("there", THERE)

    assert list(captures.unjudged()) == ["here", "there"]
    assert captures.judge() == ["here", "there"]
    assert captures.judge() == []


def test_a_capture_is_known_when_it_was_met() -> None:
    """The ledger is asked once for each capture."""
    captures: Captures[str] = Captures()
    captures.enter("event", HERE)
    captures.remember(THERE)

    assert captures.is_known(HERE)
    assert captures.is_known(THERE)
    assert not captures.is_known(capture("elsewhere"))
    assert not captures.is_proven(HERE)
