"""Waiting for what another thread or process does, with an end to it; and time in which nobody waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

PATIENCE = 90.0
"""Seconds until something is given up, on a machine that is busy."""


@dataclass
class ManualClock:
    """A clock that moves only by hand."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        """Seconds, as the hand left them."""
        return self.seconds


class NotInTime(Exception):
    """What was waited for did not happen."""


def until(holds: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
    """Come back once `holds` says so.

    Raises:
        NotInTime: It took too long.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() >= deadline:
            raise NotInTime(holds.__qualname__)
        pause(0.01)


def pause(seconds: float) -> None:
    """Leave the processor to those who are watched."""
    threading.Event().wait(seconds)
