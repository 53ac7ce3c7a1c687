"""Another run, in a process of its own: `python -m tests.ledger.holding LOCATION` holds a ledger until it is killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.interface import Concluded, Intent, Lost
from tests.delivery.examples import API, event

HELD = "held"


@contextmanager
def held_by_another(location: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the ledger, and has delivered one event, lost another, and meant to send a third."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.ledger.holding", location],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == HELD
            yield process
        finally:
            process.kill()


def _hold(location: str) -> None:
    ledger = open_ledger(location, api=API, wait=0, is_stopped=lambda: False)
    assert ledger is not None
    ledger.commit([Concluded(part=event(1), outcome=Delivered()), Lost(event(2)), Intent(event(3))])
    print(HELD, flush=True)  # noqa: T201 - to the test
    sys.stdin.read()


if __name__ == "__main__":
    _hold(sys.argv[1])
