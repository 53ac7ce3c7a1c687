"""How many requests may be in flight, and whether anything may start at all."""

from __future__ import annotations

from collections import deque

ANSWERS_JUDGED = 100
STRAINED_ABOVE = 5
"""Of the last `ANSWERS_JUDGED`: more 5xx than this, and the server as a whole is in trouble."""


class Limiter:
    """Counts slots. A slot is taken for a request and given back when what became of it is recorded."""

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._taken = 0
        self._paused_until = 0.0
        self._latest: deque[bool] = deque(maxlen=ANSWERS_JUDGED)
        self._server_errors = 0

    @property
    def taken(self) -> int:
        """Requests in flight, or waiting for their result to be recorded."""
        return self._taken

    @property
    def is_strained(self) -> bool:
        """More than 5 % of the last 100 answers were 5xx."""
        return self._server_errors > STRAINED_ABOVE

    @property
    def paused_until(self) -> float:
        """Nothing may start before this moment of the caller's clock."""
        return self._paused_until

    def free(self, now: float) -> int:
        """How many requests may start now."""
        return 0 if now < self._paused_until else self._ceiling - self._taken

    def take(self) -> None:
        """A request starts."""
        self._taken += 1

    def give_back(self) -> None:
        """What became of a request is recorded."""
        self._taken -= 1

    def pause(self, until: float) -> None:
        """Everyone waits until then. A shorter pause does not end a longer one."""
        self._paused_until = max(self._paused_until, until)

    def note_answer(self, *, is_server_error: bool) -> None:
        """An answer came, of any status."""
        if len(self._latest) == ANSWERS_JUDGED:
            self._server_errors -= self._latest[0]
        self._latest.append(is_server_error)
        self._server_errors += is_server_error
