"""Parts on their way to delivery."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_driftrock.events.event import Part


class Batch:
    """Parts on their way to delivery, in the order read.

    One for all streams: batches of their own would let a later stream's events overtake an earlier one's.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._parts: list[Part] = []
        self._began_at = 0.0

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, part: Part) -> None:
        """Append a part."""
        if not self._parts:
            self._began_at = self._clock()
        self._parts.append(part)

    def take(self) -> list[Part]:
        """All parts; the batch is empty afterwards."""
        parts, self._parts = self._parts, []
        return parts

    def drop(self, index: int) -> None:
        """Take away the parts from an index on: nobody has counted what they are of."""
        del self._parts[index:]

    def since(self, index: int) -> list[Part]:
        """The parts from an index on."""
        return self._parts[index:]

    @property
    def age(self) -> float:
        """Seconds that the oldest part has waited; 0 for an empty batch."""
        return self._clock() - self._began_at if self._parts else 0.0
