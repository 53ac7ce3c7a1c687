"""When a token that was answered with a 401 is tried once more, and when another one is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST, SPREAD = 1.0, 4.0
"""Seconds: another token at most every one to five."""


class Renewal:
    """Judges tokens, never events.

    A token may be good only half a second after it was given, or at nine nodes of ten; and another pipeline's token
    may end ours. So a young one is tried again before another is asked for, and those are asked for with a distance.
    """

    def __init__(self) -> None:
        self.refused: str | None = None
        """The token in whose place another is wanted."""
        self._token: str | None = None
        self._due = 0.0
        self._refused_at = 0.0

    def use(self, token: str, *, now: float, roll: Callable[[], float]) -> None:
        """A request goes out with this token. `roll` is uniform in [0, 1)."""
        if token != self._token:
            self._token = token
            self._due = now + SHORTEST + SPREAD * roll()

    def refuse(self, token: str, *, began: float, now: float, roll: Callable[[], float]) -> float:
        """A 401 came for this token, of a request that `began` then: when its event may be tried again."""
        if token != self._token or (token == self.refused and began <= self._refused_at):
            return now  # there is another meanwhile, or will be
        if now < self._due:
            return self._due
        self.refused = token
        self._refused_at = now
        self._due = now + SHORTEST + SPREAD * roll()  # the endpoint may give the same one once more
        return now
