"""Chance that can be repeated, and a pace that can be told the time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random


class Dice:
    """Rolls in [0, 1), the same for the same seed. Each name has a sequence of its own: no fault moves another."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._sequences: dict[str, Random] = {}

    def roll(self, name: str) -> float:
        """The next roll of the sequence `name`."""
        if name not in self._sequences:
            self._sequences[name] = Random(f"{self._seed} {name}")  # noqa: S311  # repeatable on purpose
        return self._sequences[name].random()


class Pace:
    """Lets so many pass within any second. `clock` counts seconds and never goes back."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._passed: deque[float] = deque()

    def has_room(self, limit: int) -> bool:
        """Whether one more passes: fewer than `limit` did within the last second. It counts as passed then."""
        now = self._clock()
        while self._passed and now - self._passed[0] >= 1.0:
            self._passed.popleft()
        if len(self._passed) >= limit:
            return False
        self._passed.append(now)
        return True
