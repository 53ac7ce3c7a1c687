"""The adaptive limit against simulated APIs.

The scenarios and their bands are those of tests/delivery/test_concurrency.py, on a clock of their own: the figures
are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import page
from benchmarks.page import Row
from benchmarks.track import Job
from tests.delivery.test_concurrency import SCENARIOS, loaded, slower_between, throttling

RATE = 100
THROTTLED_SECONDS = 150
SETTLED = 30
"""Seconds after which a rate limit should be known."""
SLOWER_STEP = 5
SLOWER_SECONDS = 90


def measured(_: Job) -> Iterator[str]:
    yield page.section("Requests in flight", "Endless load, from a cold start.", _BANDS, _bands())
    yield page.section("Requests a second", _THROTTLED, _RATE_LIMITS, _rate_limits())
    yield page.section("Answers that take twice as long", _SLOWER, _STEPS, _slower())


def _bands() -> Iterator[Row]:
    for each in SCENARIOS:
        load = loaded(each.api, each.ceiling, seconds=each.until)
        span, band = (each.since, each.until), (each.lowest, min(each.highest, each.ceiling))
        rate, share = 100 * load.rate(*span) / each.best, 100 * each.share
        ranges = map(_range, (load.limit_range(*span), band))
        yield [each.name, _range(span), rate, share, *ranges, len(load.refused)]


def _rate_limits() -> Iterator[Row]:
    for latency in (0.005, 0.02, 0.05, 0.1):
        for retry_after in (None, "1"):
            load = loaded(throttling(RATE, latency, retry_after), 16, seconds=THROTTLED_SECONDS)
            rate, refused = load.rate(SETTLED, THROTTLED_SECONDS), load.refused_percent(since=SETTLED)
            first = sum(moment < SETTLED for moment in load.refused)
            yield [latency * 1000, retry_after or "none", rate, refused, first]


def _slower() -> Iterator[Row]:
    load = loaded(slower_between(30, 60, 0.05), 64, seconds=SLOWER_SECONDS)
    for since in range(0, SLOWER_SECONDS, SLOWER_STEP):
        span = since, since + SLOWER_STEP
        yield [_range(span), _range(load.limit_range(*span)), load.rate(*span)]


def _range(bounds: tuple[float, float]) -> str:
    return "{:g} to {:g}".format(*bounds)


_BANDS = "scenario | seconds | rate, % of the best | band: at least | limit | band | refused"
_THROTTLED = f"An API that answers 429 beyond {RATE} a second; 16 connections. The band: at most 2 % refused, 90/s."
_RATE_LIMITS = "latency, ms | Retry-After | accepted/s | % refused after 30 s | refused in the first 30 s"
_SLOWER = (
    "64 connections at most; 50 ms, but 100 ms from second 30 to 60. The limit falls, finds that it helps nothing, "
    "and comes back."
)
_STEPS = "seconds | limit | accepted/s"
