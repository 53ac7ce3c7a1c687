"""How many may start in a second: a ceiling that holds over any second, and what a 429 teaches."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_driftrock.delivery.rate import PLATEAU, AdaptiveRate


def started(rate: AdaptiveRate, polls: list[float], *, most: int) -> list[float]:
    """When requests start, if at each of these moments all start that may."""
    starts = []
    for now in polls:
        for _ in range(rate.free(now, most)):
            rate.take(now)
            starts.append(now)
    return starts


def most_in_a_second(starts: list[float]) -> int:
    """Over any second."""
    return max((number - bisect_left(starts, start - 1 + 1e-9) + 1 for number, start in enumerate(starts)), default=0)


@given(
    most=st.integers(1, 1_000),
    gaps=st.lists(st.floats(0, 0.3) | st.floats(0, 0.002), min_size=1, max_size=300),
)
def test_no_second_sees_more_than_the_ceiling_and_one(most: int, gaps: list[float]) -> None:
    """However irregularly it is asked."""
    rate, now, polls = AdaptiveRate(most), 0.0, []
    for gap in gaps:
        now += gap
        polls.append(now)

    assert most_in_a_second(started(rate, polls, most=256)) <= most + 1


@pytest.mark.parametrize("most", [1, 10, 100, 1_000])
def test_the_ceiling_is_nearly_reached(most: int) -> None:
    """Asked every millisecond, and five milliseconds late once in a while: at least 97 % of it."""
    polls = [second / 1000 for second in range(60_000) if second % 50 not in range(1, 6)]

    starts = started(AdaptiveRate(most), polls, most=256)

    assert most * 60 * 0.97 <= len(starts) <= most * 60 + 1


def test_nothing_is_held_back_without_a_ceiling() -> None:
    """Before the first 429 there is no rate to keep to."""
    rate = AdaptiveRate(None)

    assert rate.free(0.0, 16) == 16
    assert rate.due(0.0) == 0.0
    assert rate.rate(0.0) == float("inf")


def taught(most: float | None = None) -> AdaptiveRate:
    """A hundred a second were accepted for two seconds, and then came ten 429 at the second 2."""
    rate = AdaptiveRate(most)
    for number in range(200):
        rate.note(number / 100, is_throttled=False)
    for _ in range(10):
        rate.note(2.0, is_throttled=True)
    return rate


def test_many_429_cut_to_a_tenth_less_than_was_accepted() -> None:
    """And further ones within a second cut no more."""
    rate = taught()

    rate.note(2.5, is_throttled=True)

    assert rate.rate(2.5) == pytest.approx(90, abs=2)


@pytest.mark.parametrize(("moment", "is_cut"), [(0.99, False), (1.01, True)])
def test_nothing_is_cut_within_the_first_second(moment: float, *, is_cut: bool) -> None:
    """Until then nobody knows how many a second the server takes."""
    rate = AdaptiveRate(None)
    for hundredth in range(90):
        rate.note(hundredth / 100, is_throttled=hundredth % 2 == 0)

    rate.note(moment, is_throttled=True)

    assert (rate.rate(moment) < float("inf")) == is_cut


def test_a_pause_is_no_slow_second() -> None:
    """Just after what a Retry-After asked for, nothing was accepted for a while, since nothing was sent."""
    rate = AdaptiveRate(None)
    for number in range(200):
        rate.note(number / 100, is_throttled=False)

    for _ in range(10):
        rate.note(5.0, is_throttled=True)

    assert rate.rate(5.0) == pytest.approx(90, abs=2)


def test_the_rate_is_not_cut_below_what_was_accepted_lately() -> None:
    """However many 429 come among it: a tenth less than the best second of the last ten."""
    rate = taught()

    for tenth in range(20, 400):
        rate.note(tenth / 10, is_throttled=tenth % 2 == 0)
        rate.note(tenth / 10, is_throttled=False)

    assert rate.rate(40.0) >= 0.9 * 15


def test_a_429_now_and_then_cuts_nothing() -> None:
    """Up to five of the last hundred."""
    rate = AdaptiveRate(None)

    for number in range(1_000):
        rate.note(number / 100, is_throttled=number % 20 == 0)

    assert rate.rate(10.0) == float("inf")


def test_a_further_429_cuts_again_once_the_rate_is_learnt() -> None:
    """A tenth less than the rate that it came at."""
    rate = taught()

    before = rate.rate(13.5)

    rate.note(13.5, is_throttled=True)

    assert rate.rate(13.5) == pytest.approx(0.9 * before, rel=0.05)


def test_the_rate_comes_back_slowly_where_it_was_too_much() -> None:
    """A plateau around it, then ever faster: RFC 9438's curve."""
    rate = taught()

    assert rate.rate(2.0 + PLATEAU * 0.75) == pytest.approx(100, rel=0.02)
    assert rate.rate(2.0 + PLATEAU * 1.25) == pytest.approx(100, rel=0.02)
    assert rate.rate(2.0 + PLATEAU * 4) > 300


def test_a_learnt_rate_never_passes_the_ceiling() -> None:
    """However long no 429 comes."""
    assert taught(most=50).rate(1_000.0) == 50


def test_one_a_second_is_the_least() -> None:
    """Even where everything is a 429 for minutes."""
    rate = AdaptiveRate(None)
    for second in range(500):
        rate.note(second * 1.01, is_throttled=True)

    assert rate.rate(505.0) == 1.0
