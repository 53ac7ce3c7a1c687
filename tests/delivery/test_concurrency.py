"""The adaptive limit under endless load: how near to the best rate it comes, how soon, and how politely.

Each scenario has a band, and each was measured well inside it.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from target_driftrock.delivery.concurrency import AdaptiveConcurrency
from target_driftrock.delivery.limiter import Limiter
from target_driftrock.events.answer import Answer, Reply
from tests.delivery.load import Api, Load, load

ACCEPTED = Answer(status=200)


def steady(latency: float) -> Api:
    """As many at once as anyone likes."""
    return lambda _, __: (latency, ACCEPTED)


def serving(many: int, latency: float) -> Api:
    """So many at a time; the others queue."""
    free = [0.0] * many

    def api(now: float, _: int) -> tuple[float, Reply]:
        begins = max(now, heapq.heappop(free))
        heapq.heappush(free, begins + latency)
        return begins + latency - now, ACCEPTED

    return api


def slowing_beyond(many: int, latency: float) -> Api:
    """Slower for each one beyond so many."""
    return lambda _, in_flight: (latency * max(1, in_flight / many), ACCEPTED)


def throttling(rate: int, latency: float, retry_after: str | None) -> Api:
    """A 429 beyond so many accepted in the last second."""
    accepted: deque[float] = deque()

    def api(now: float, _: int) -> tuple[float, Reply]:
        while accepted and accepted[0] <= now - 1:
            accepted.popleft()
        if len(accepted) >= rate:
            return latency, Answer(status=429, retry_after=retry_after)
        accepted.append(now)
        return latency, ACCEPTED

    return api


def slower_between(since: float, until: float, latency: float) -> Api:
    """Twice as slow for a while, for a reason of its own."""
    return lambda now, _: (latency * (2 if since <= now < until else 1), ACCEPTED)


def failing_between(since: float, until: float, latency: float) -> Api:
    """503 to everything for a while."""
    return lambda now, _: (latency, Answer(status=503) if since <= now < until else ACCEPTED)


def refusing_at_once_between(since: float, until: float, latency: float) -> Api:
    """A gateway that answers 503 in no time while what is behind it is down."""
    down = (0.001, Answer(status=503))
    return lambda now, _: down if since <= now < until else (latency, ACCEPTED)


def mixed(latency: float) -> Api:
    """1 % of answers take 2 s, 1 % are 503."""
    chance = random.Random(1)  # noqa: S311 - repeatable on purpose

    def api(_: float, __: int) -> tuple[float, Reply]:
        roll = chance.random()
        return (2.0 if roll < 0.01 else latency), Answer(status=503) if roll >= 0.99 else ACCEPTED

    return api


def uneven(latency: float, spread: float) -> Api:
    """Latencies of a long tail: the logarithm of each is normal, with this deviation."""
    chance = random.Random(2)  # noqa: S311 - repeatable on purpose
    return lambda _, __: (latency * chance.lognormvariate(0, spread), ACCEPTED)


def loaded(api: Api, ceiling: int, *, seconds: float) -> Load:
    """What comes of endless load."""
    return load(Limiter(ceiling), api, seconds=seconds)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """An API, the best rate that it gives, and a band."""

    name: str
    api: Api
    ceiling: int
    best: float
    since: float = 0.0
    until: float = 60.0
    share: float = 0.95
    """Of the best rate, between the two moments."""
    lowest: int = 1
    highest: int = 256
    """Where the limit stays between the two moments."""


SCENARIOS = [
    Scenario(name="16 at 20 ms", api=steady(0.02), ceiling=16, best=800, share=0.99),
    Scenario(name="64 at 100 ms", api=steady(0.1), ceiling=64, best=640, until=20, share=0.97),
    Scenario(name="256 at 100 ms", api=steady(0.1), ceiling=256, best=2560, until=20, share=0.95),
    Scenario(name="8 at a time, 16 allowed", api=serving(8, 0.1), ceiling=16, best=80, since=5, lowest=8, highest=15),
    Scenario(name="8 at a time, 64 allowed", api=serving(8, 0.1), ceiling=64, best=80, since=10, lowest=8, highest=15),
    Scenario(
        name="8 at a time, 256 allowed", api=serving(8, 0.02), ceiling=256, best=400, since=5, lowest=8, highest=24
    ),
    Scenario(
        name="slower beyond 32, 64 allowed",
        api=slowing_beyond(32, 0.1),
        ceiling=64,
        best=320,
        since=10,
        lowest=32,
        highest=56,
    ),
    Scenario(
        name="slower beyond 32, 256 allowed",
        api=slowing_beyond(32, 0.1),
        ceiling=256,
        best=320,
        since=10,
        lowest=32,
        highest=56,
    ),
    Scenario(name="1 % of 2 s, 1 % 503, 16 at 20 ms", api=mixed(0.02), ceiling=16, best=394, share=0.9, until=60),
    Scenario(name="1 % of 2 s, 1 % 503, 32 at 50 ms", api=mixed(0.05), ceiling=32, best=451, share=0.9, until=60),
    Scenario(name="1 % of 2 s, 1 % 503, 64 at 50 ms", api=mixed(0.05), ceiling=64, best=902, share=0.9, until=60),
    Scenario(name="a long tail", api=uneven(0.1, 0.5), ceiling=16, best=160 / math.exp(0.125), share=0.9),
    Scenario(name="a longer tail", api=uneven(0.1, 0.8), ceiling=64, best=640 / math.exp(0.32), share=0.9),
    Scenario(
        name="twice as slow", api=slower_between(30, 60, 0.05), ceiling=64, best=640, since=32, until=60, lowest=30
    ),
    Scenario(
        name="as fast again",
        api=slower_between(30, 60, 0.05),
        ceiling=64,
        best=1280,
        since=61,
        until=90,
        lowest=60,
    ),
    Scenario(
        name="up again after a minute of 503",
        api=failing_between(10, 70, 0.02),
        ceiling=16,
        best=800,
        since=71,
        until=90,
    ),
    Scenario(
        name="up again after a gateway's 503 in no time",
        api=refusing_at_once_between(10, 22, 0.1),
        ceiling=16,
        best=160,
        since=27,
        until=60,
    ),
    Scenario(
        name="64 up again after a minute of 503",
        api=failing_between(10, 70, 0.1),
        ceiling=64,
        best=640,
        since=77,
        until=100,
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_the_limit_settles_in_its_band(scenario: Scenario) -> None:
    """Near to the best rate, and no further into a queue than its band."""
    result = loaded(scenario.api, scenario.ceiling, seconds=scenario.until)

    assert result.rate(scenario.since, scenario.until) >= scenario.share * scenario.best
    lowest, highest = result.limit_range(scenario.since, scenario.until)
    assert scenario.lowest <= lowest
    assert highest <= min(scenario.highest, scenario.ceiling)


@pytest.mark.parametrize("latency", [0.005, 0.02, 0.05, 0.1])
@pytest.mark.parametrize("retry_after", [None, "1"])
def test_few_are_refused_at_a_rate_limit(latency: float, retry_after: str | None) -> None:
    """After half a minute at most 2 % are a 429, also where one request in flight is too fast already."""
    result = loaded(throttling(100, latency, retry_after), 16, seconds=150)

    assert result.refused
    assert result.refused_percent(since=30) <= 2
    assert result.rate(30, 150) >= 90


def test_little_is_asked_of_a_server_that_fails() -> None:
    """A minute of 503: from sixteen at once down to one."""
    result = loaded(failing_between(10, 70, 0.1), 16, seconds=70)

    assert result.limit_range(20, 70) == (1, 1)
    assert len([moment for moment in result.started if 20 <= moment < 70]) <= 510


def test_single_failures_cost_nothing() -> None:
    """Five of the last hundred are no strain; the sixth is, once a round."""
    limit = AdaptiveConcurrency(10)

    for _ in range(5):
        limit.note(began=0.0, now=1.0, has_failed=True, is_throttled=False)
    assert not limit.is_strained
    for _ in range(5):
        limit.note(began=0.0, now=1.0, has_failed=False, is_throttled=False)
    assert limit.limit == 10

    for _ in range(10):
        limit.note(began=1.0, now=2.0, has_failed=True, is_throttled=False)
    assert limit.is_strained
    assert limit.limit == 9


def test_a_limit_that_is_not_used_does_not_grow() -> None:
    """Four of ten slots in use say nothing of an eleventh."""
    limit = AdaptiveConcurrency(64)

    for second in range(100):
        limit.note(began=second, now=second + 1.0, has_failed=False, is_throttled=False)
    assert limit.limit == 10


def test_strain_is_forgotten_after_a_hundred_results() -> None:
    """The window slides."""
    limit = AdaptiveConcurrency(4)
    for _ in range(6):
        limit.note(began=0.0, now=1.0, has_failed=True, is_throttled=False)
    for _ in range(94):
        limit.note(began=0.0, now=1.0, has_failed=False, is_throttled=False)
    assert limit.is_strained

    limit.note(began=0.0, now=1.0, has_failed=False, is_throttled=False)
    assert not limit.is_strained


@dataclass(slots=True)
class Rounds:
    """A limit of 16, and the time that its round trips have taken."""

    limit: AdaptiveConcurrency = field(default_factory=lambda: AdaptiveConcurrency(16))
    now: float = 0.0

    def play(self, seconds: float, *, times: int, throttled: int = 0) -> list[int]:
        """The limit after each of so many full round trips that took so long, so many results of each a 429."""
        limits = []
        for _ in range(times):
            began, self.now = self.now, self.now + seconds
            for number in range(self.limit.limit):
                self.limit.note_full()
                self.limit.note(began=began, now=self.now, has_failed=False, is_throttled=number < throttled)
            limits.append(self.limit.limit)
        return limits


def test_the_limit_never_passes_its_ceiling() -> None:
    """Not even where it is given back twice, for answers that became slower twice."""
    for slower in range(1, 15):  # whenever the second time comes
        rounds = Rounds()

        limits = [*rounds.play(0.05, times=5), *rounds.play(0.3, times=slower), *rounds.play(0.9, times=15)]

        assert max(limits) == 16
        assert limits[-1] == 16


def test_a_round_trip_that_shows_strain_never_raises_the_limit() -> None:
    """A 429 in each, and all as slow as before the limit was cut: there is no giving back."""
    rounds = Rounds()
    rounds.play(0.05, times=5)

    limits = rounds.play(0.3, times=40, throttled=1)

    assert limits == sorted(limits, reverse=True)
    assert limits[-1] == 1
