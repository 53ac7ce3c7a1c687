"""Who sleeps until when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from target_driftrock.delivery.backoff import Backoff

MOMENTS = st.floats(0, 100)


@given(moments=st.lists(MOMENTS), now=MOMENTS)
def test_those_whose_time_has_come_wake_when_asked(moments: list[float], now: float) -> None:
    """The earliest first, those of one moment in the order they went to sleep, and nobody too early."""
    backoff: Backoff[int] = Backoff()
    for number, until in enumerate(moments):
        backoff.sleep(number, until=until)

    awake = backoff.wake(now)

    due = [number for number, until in enumerate(moments) if until <= now]
    assert awake == sorted(due, key=lambda number: moments[number])
    assert len(backoff) == len(moments) - len(due)
    assert backoff.next_wake() == min((until for until in moments if until > now), default=None)


@given(sleepers=st.lists(st.tuples(MOMENTS, MOMENTS)), latest=MOMENTS)
def test_nobody_sleeps_longer_than_asked_when_hastened(sleepers: list[tuple[float, float]], latest: float) -> None:
    """A sleep past the moment is cut to it, but never below what a server asked for."""
    backoff: Backoff[int] = Backoff()
    untils = []
    for number, (until, not_before) in enumerate(sleepers):
        untils.append((max(until, not_before), not_before))
        backoff.sleep(number, until=untils[-1][0], not_before=not_before)

    backoff.hasten(latest)

    expected = [until if until <= latest else max(latest, not_before) for until, not_before in untils]
    for moment in sorted(set(expected)):
        assert backoff.next_wake() == moment
        assert set(backoff.wake(moment)) == {number for number, each in enumerate(expected) if each == moment}
    assert len(backoff) == 0
