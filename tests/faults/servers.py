"""Rows: what happens to a PostgreSQL server that holds the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.faults.cluster import cluster
from tests.faults.finding import Finding
from tests.faults.memory import InServer
from tests.faults.table import Row, Stage
from tests.faults.trial import SLOTS

LATENCY = ("--latency", "0.02")
PATIENCE = 3
"""Seconds of `max_outage_seconds`."""


def _restarted(stage: Stage) -> Iterator[Finding]:
    for mode in ("fast", "immediate"):
        with cluster() as server, stage.trial(*LATENCY, ledger=InServer("faults", server.url)) as trial:
            before = server.pid
            with trial.run(trial.whole()) as run:
                run.until(lambda: trial.arrived() >= len(trial.entries) // 3)
                server.stop(mode)
                server.start()
                trial.end(run)
            arrived = trial.arrived()
            trial.deliver(trial.rest())
            yield trial.finding(
                {f"stopped ({mode}) and started again": server.pid != before},
                codes=[4, 0],
                holds={"it was in the middle": arrived < len(trial.entries)},
                most_twice=SLOTS,
            )


def _away(stage: Stage) -> Iterator[Finding]:
    """Lost in the middle, still gone when the next run starts, and there for the one after it."""
    with cluster() as server, stage.trial(*LATENCY, ledger=InServer("faults", server.url)) as trial:
        with trial.run(trial.whole()) as run:
            run.until(lambda: trial.arrived() >= len(trial.entries) // 3)
            server.stop("fast")
            trial.end(run)
        before, began = trial.arrived(), time.monotonic()
        with trial.run(trial.rest(), max_outage_seconds=PATIENCE) as run:
            trial.end(run)
        seconds, holds = time.monotonic() - began, {"nothing was sent without it": trial.arrived() == before}
        server.start()
        trial.deliver(trial.rest())
        yield trial.finding(
            {"wait for the server": "Waiting up to" in run.log, "seconds of it": int(seconds)},
            codes=[4, 4, 0],
            holds={**holds, "it waited for as long as was asked": seconds >= PATIENCE},
            most_twice=SLOTS,
        )


ROWS = [
    Row(name="server-restart", fault="PostgreSQL restarted in the middle: fast, and as a crash", play=_restarted),
    Row(
        name="server-away",
        fault=f"PostgreSQL lost in the middle, and at the next start for more than max_outage_seconds ({PATIENCE})",
        play=_away,
    ),
]
