"""Another run, in a process of its own: `python -m tests.ledger.holding LOCATION` holds a ledger until it is killed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.interface import Concluded, Intent, Lost
from tests.delivery.examples import API, event
from tests.program import ROOT, Running, started

HELD = "held"


@contextmanager
def held_by_another(location: str) -> Iterator[Running]:
    """A process that holds the ledger, and has delivered one event, lost another, and meant to send a third."""
    with started("-m", "tests.ledger.holding", location, folder=ROOT, command=[sys.executable]) as running:
        assert running.until(lambda: HELD in running.out), running.log
        yield running


def _hold(location: str) -> None:
    ledger = open_ledger(location, api=API, wait=0, is_stopped=lambda: False)
    assert ledger is not None
    ledger.commit([Concluded(part=event(1), outcome=Delivered()), Lost(event(2)), Intent(event(3))])
    print(HELD, flush=True)  # noqa: T201 - to the test
    sys.stdin.read()


if __name__ == "__main__":
    _hold(sys.argv[1])
