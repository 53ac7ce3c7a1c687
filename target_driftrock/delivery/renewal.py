"""When a token that was answered with a 401 is tried once more, and when another one is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST, SPREAD = 1.0, 4.0
"""Seconds: another token at most every one to five."""


class Renewal:
    """Judges tokens, never events. `roll` is uniform in [0, 1); moments are the caller's seconds.

    A token may be good only half a second after it was given, or at nine nodes of ten; and another pipeline's token
    may end ours. So a new one that was never accepted is tried again before another is asked for, and those are asked
    for with a distance.
    """

    def __init__(self, roll: Callable[[], float]) -> None:
        self._roll = roll
        self.refused: str | None = None
        """The token in whose place another is wanted."""
        self._refused_at = -math.inf
        self._next_at = -math.inf
        self._token: str | None = None
        self._was_accepted = True
        self._unaccepted = 0
        self._old_at = 0.0

    def use(self, token: str, *, now: float) -> None:
        """A request goes out with this token."""
        if token != self._token:
            self._unaccepted = 0 if self._was_accepted else self._unaccepted + 1
            self._token = token
            self._was_accepted = False
            self._old_at = now + (1 + self._unaccepted) * self._wait()  # longer than the last one got

    def accept(self, token: str, *, began: float) -> None:
        """A verdict came for a request with it that `began` then."""
        if not self._was_accepted and token == self._token:
            self._was_accepted = True
        if token == self.refused and began > self._refused_at:
            self.refused = None  # it was given again, and is good now

    def refuse(self, token: str, *, began: float, now: float) -> float:
        """A 401 came for this token, of a request that `began` then: when its event may be tried again."""
        if token != self._token or (token == self.refused and began <= self._refused_at):
            return now  # there is another meanwhile, or will be
        due = self._next_at if self._was_accepted else max(self._next_at, self._old_at)
        if now < due:
            return due
        self.refused = token
        self._refused_at = now
        self._next_at = now + self._wait()
        return now

    def _wait(self) -> float:
        return SHORTEST + SPREAD * self._roll()
