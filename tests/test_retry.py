"""Waiting by the server's word, by chance, and by the clock of an outage."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.retry import Patience, full_jitter, retry_after

NOW = datetime(1994, 11, 6, 8, 49, 7, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("120", 120.0, id="delta-seconds"),
        pytest.param("0", 0.0, id="at-once"),
        pytest.param(" 7 ", 7.0, id="spaces-around"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT", 30.0, id="IMF-fixdate"),
        pytest.param("Sunday, 06-Nov-94 08:49:37 GMT", 30.0, id="RFC-850-date"),
        pytest.param("Sun Nov  6 08:49:37 1994", 30.0, id="asctime-date"),
        pytest.param("Sun, 06 Nov 1994 08:48:37 GMT", 0.0, id="past"),
        pytest.param(None, None, id="no-header"),
        pytest.param("", None, id="empty"),
        pytest.param("soon", None, id="word"),
        pytest.param("-5", None, id="negative"),
        pytest.param("1.5", None, id="fraction"),
        pytest.param("١٢", None, id="digits-of-another-script"),
        pytest.param("Sun, 06 Nov 99999 08:49:37 GMT", None, id="year-out-of-range"),
        pytest.param("Sun, 06 Nov 99999999999 08:49:37 GMT", None, id="year-that-no-machine-counts"),
        pytest.param("Sun, 06 Nov 9999 08:49:37 GMT", 3_162_240_000.0, id="the-last-year"),
        pytest.param("9" * 400, 3_162_240_000.0, id="four-hundred-digits"),
        pytest.param("1994-11-06T08:49:37Z", None, id="ISO-8601"),
    ],
)
def test_retry_after_is_read_when_the_header_has_this_form(value: str | None, seconds: float | None) -> None:
    """Both forms of RFC 9110 section 10.2.3 give seconds, and whatever is neither gives nothing."""
    assert retry_after(value, now=NOW) == seconds


def test_a_date_without_a_zone_means_utc_when_the_machine_lives_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9110 section 5.6.7: the asctime form is UTC, whatever the local time."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        seconds = retry_after("Sun Nov  6 08:49:37 1994", now=NOW)
    time.tzset()

    assert seconds == 30.0


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=40))
def test_nothing_is_raised_when_the_header_is_garbage(value: str) -> None:
    """A server's odd header never stops a run, and never asks for a negative wait."""
    seconds = retry_after(value, now=NOW)

    assert seconds is None or seconds >= 0


@settings(deadline=None, max_examples=100)
@given(st.integers(min_value=0, max_value=10**9))
def test_a_date_asks_for_the_seconds_until_then_when_it_lies_ahead(ahead: int) -> None:
    """A date and the seconds until it are the same wish."""
    value = format_datetime(datetime.fromtimestamp(NOW + ahead, UTC), usegmt=True)

    assert retry_after(value, now=NOW) == ahead


@pytest.mark.parametrize(
    ("attempt", "bound"), [(1, 0.0), (2, 1.0), (3, 2.0), (4, 4.0), (7, 32.0), (8, 60.0), (9, 60.0), (10**6, 60.0)]
)
def test_the_bound_doubles_up_to_the_cap_when_attempts_follow(attempt: int, bound: float) -> None:
    """The longest wait is 1 s before the second attempt, doubling to 60 s; the first attempt waits for nothing."""
    assert full_jitter(attempt, roll=1.0) == bound


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True), st.floats(0.01, 10), st.floats(10, 100))
def test_a_wait_lies_below_the_cap_when_chance_decides(attempt: int, roll: float, base: float, cap: float) -> None:
    """No roll waits longer than the cap, or less than nothing."""
    assert 0 <= full_jitter(attempt, base=base, cap=cap, roll=roll) <= cap


def test_patience_ends_when_something_waits_past_the_limit() -> None:
    """The clock runs from the moment something waits, and says beforehand when it will end."""
    patience = Patience(900.0)
    patience.wait(100.0)
    patience.wait(500.0)

    assert patience.deadline() == 1000.0
    assert not patience.is_exhausted(999.0)
    assert patience.is_exhausted(1000.0)


def test_patience_starts_anew_when_a_verdict_comes() -> None:
    """A verdict on anything proves that the API lives."""
    patience = Patience(900.0)
    patience.wait(0.0)
    patience.verdict(800.0)

    assert patience.deadline() == 1700.0
    assert not patience.is_exhausted(1699.0)


def test_patience_starts_anew_when_nothing_is_known_of_the_time_until_now() -> None:
    """This process was frozen, say."""
    patience = Patience(900.0)
    patience.wait(0.0)
    patience.begin(5000.0)

    assert patience.deadline() == 5900.0
    assert not patience.is_exhausted(5000.0)


def test_patience_stands_still_when_nothing_waits() -> None:
    """A silent tap is no outage: the clock goes on from where it stood when something waits again."""
    patience = Patience(900.0)
    patience.wait(0.0)
    patience.rest(800.0)
    patience.rest(5000.0)

    assert patience.deadline() is None
    assert not patience.is_exhausted(99_999.0)
    patience.wait(10_000.0)
    assert patience.deadline() == 10_100.0


def test_patience_tells_what_is_spent_of_it_when_it_is_asked() -> None:
    """What was waited since the latest verdict, rests left out."""
    patience = Patience(900.0)
    spent = [patience.spent(0.0)]
    patience.wait(10.0)
    spent.append(patience.spent(15.0))
    patience.rest(20.0)
    spent.append(patience.spent(500.0))
    patience.wait(500.0)
    spent.append(patience.spent(501.0))
    patience.verdict(502.0)
    spent.append(patience.spent(503.0))

    assert spent == [0.0, 5.0, 10.0, 11.0, 1.0]


def test_patience_stays_at_rest_when_a_verdict_comes_late() -> None:
    """A verdict while nothing waits sets the clock back and does not start it."""
    patience = Patience(900.0)
    patience.wait(0.0)
    patience.rest(800.0)
    patience.verdict(900.0)

    assert patience.deadline() is None
    patience.wait(1000.0)
    assert patience.deadline() == 1900.0
