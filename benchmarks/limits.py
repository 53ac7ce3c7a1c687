"""The adaptive limit against simulated APIs: `python -m benchmarks.limits` writes docs/measurements/limits.md.

The scenarios and their bands are those of tests/delivery/test_concurrency.py, on a clock of their own: the figures
are the same on every machine.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import page
from tests.delivery.test_concurrency import SCENARIOS, Scenario, loaded, slower_between, throttling

RATE = 100
THROTTLED_SECONDS = 150
SETTLED = 30
"""Seconds after which a rate limit should be known."""
SLOWER_STEP = 5
SLOWER_SECONDS = 90


def _measured(_: Path, __: float) -> list[str]:
    return [_bands(), _rate_limits(), _slower()]


def _bands() -> str:
    head = ["scenario", "seconds", "rate / best", "band", "limit", "band", "refused"]
    rows = [_row(scenario) for scenario in SCENARIOS]
    return "## Requests in flight\n\nEndless load, from a cold start.\n\n" + page.table(head, rows)


def _row(scenario: Scenario) -> list[object]:
    load = loaded(scenario.api, scenario.ceiling, seconds=scenario.until)
    since, until = scenario.since, scenario.until
    lowest, highest = load.limit_range(since, until)
    return [
        scenario.name,
        f"{since:g} to {until:g}",
        f"{100 * load.rate(since, until) / scenario.best:.1f} %",
        f"≥ {100 * scenario.share:.0f} %",
        f"{lowest} to {highest}",
        f"{scenario.lowest} to {min(scenario.highest, scenario.ceiling)}",
        len(load.refused),
    ]


def _rate_limits() -> str:
    rows = []
    for latency in (0.005, 0.02, 0.05, 0.1):
        for retry_after in (None, "1"):
            load = loaded(throttling(RATE, latency, retry_after), 16, seconds=THROTTLED_SECONDS)
            rows.append(
                [
                    f"{latency * 1000:g} ms",
                    retry_after or "none",
                    f"{load.rate(SETTLED, THROTTLED_SECONDS):.1f}",
                    f"{load.refused_percent(since=SETTLED):.2f} %",
                    sum(moment < SETTLED for moment in load.refused),
                ]
            )
    head = ["latency", "Retry-After", "accepted/s", "refused after 30 s", "refused in the first 30 s"]
    text = f"An API that answers 429 beyond {RATE} a second; 16 connections. The band: at most 2 % refused, 90/s."
    return f"## Requests a second\n\n{text}\n\n" + page.table(head, rows)


def _slower() -> str:
    load = loaded(slower_between(30, 60, 0.05), 64, seconds=SLOWER_SECONDS)
    spans = [(since, since + SLOWER_STEP) for since in range(0, SLOWER_SECONDS, SLOWER_STEP)]
    rows = [[f"{a} to {b}", "{} to {}".format(*load.limit_range(a, b)), f"{load.rate(a, b):.0f}"] for a, b in spans]
    return f"## Answers that take twice as long\n\n{_SLOWER}\n\n" + page.table(["seconds", "limit", "accepted/s"], rows)


_SLOWER = (
    "64 connections at most; 50 ms, but 100 ms from second 30 to 60. The limit falls, finds that it helps nothing, "
    "and comes back."
)


if __name__ == "__main__":
    page.main("limits", "The adaptive limit", _measured)
