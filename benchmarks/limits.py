"""The adaptive limit against simulated APIs: `python -m benchmarks.limits` writes docs/measurements/limits.md.

The scenarios and their bands are those of tests/delivery/test_concurrency.py, on a clock of their own: the figures
are the same on every machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks import page
from benchmarks.page import MEASUREMENTS, ROOT
from benchmarks.track import BENCH_PYTHON
from tests.delivery.test_concurrency import SCENARIOS, loaded, slower_between, throttling

if TYPE_CHECKING:
    from tests.delivery.test_concurrency import Scenario

STEPS_A_SECOND = 4
DRAWN = slower_between(30, 60, 0.05)
DRAWN_SECONDS = 90
RATE = 100
THROTTLED_SECONDS = 150
SETTLED = 30
"""Seconds after which a rate limit should be known."""


def main() -> None:
    """Play all, and write the page and its plot."""
    _keep_drawn()
    path = page.write(
        "limits",
        title="The adaptive limit",
        command="python -m benchmarks.limits",
        parts=[_bands(), _rate_limits(), _plot()],
    )
    sys.stdout.write(f"{path}\n")


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


def _keep_drawn() -> None:
    load = loaded(DRAWN, 64, seconds=DRAWN_SECONDS)
    moments = [step / STEPS_A_SECOND for step in range(DRAWN_SECONDS * STEPS_A_SECOND)]
    limits = [load.limit_range(moment, moment + 1 / STEPS_A_SECOND)[0] for moment in moments]
    rates = [load.rate(moment, moment + 1 / STEPS_A_SECOND) for moment in moments]
    MEASUREMENTS.mkdir(exist_ok=True)
    drawn = {"moments": moments, "limits": limits, "rates": rates}
    (MEASUREMENTS / "limits.json").write_text(json.dumps(drawn) + "\n", encoding="utf-8")
    subprocess.run([BENCH_PYTHON, "-m", "benchmarks.plots"], cwd=ROOT, check=True)


def _plot() -> str:
    return (
        "## Answers that take twice as long\n\n64 connections at most; 50 ms, but 100 ms from second 30 to 60. The "
        "limit falls, finds that it helps nothing, and comes back.\n\n![The limit over time](limits.svg)"
    )


if __name__ == "__main__":
    main()
