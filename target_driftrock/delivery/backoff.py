"""Who sleeps until when between two tries."""

from __future__ import annotations

import heapq
import itertools
from typing import Generic, TypeVar

T = TypeVar("T")


class Backoff(Generic[T]):
    """Sleepers by the moment they wake, in seconds of the caller's clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, float, T]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def sleep(self, item: T, *, until: float, not_before: float = 0.0) -> None:
        """Put an item to sleep. `not_before` is what a server asked for: `hasten` keeps to it."""
        heapq.heappush(self._heap, (until, next(self._order), not_before, item))

    def hasten(self, latest: float) -> None:
        """Let nobody sleep past `latest` whom no server asked to."""
        self._heap = [
            (min(until, max(latest, not_before)), order, not_before, item)
            for until, order, not_before, item in self._heap
        ]
        heapq.heapify(self._heap)

    def wake(self, now: float) -> list[T]:
        """Those whose time has come, the earliest first."""
        awake = []
        while self._heap and self._heap[0][0] <= now:
            awake.append(heapq.heappop(self._heap)[3])
        return awake

    def next_wake(self) -> float | None:
        """When the first of them wakes."""
        return self._heap[0][0] if self._heap else None
