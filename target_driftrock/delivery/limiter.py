"""How many requests may start: by slots, by rate, and by what the API asked everyone to wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_driftrock.delivery.concurrency import AdaptiveConcurrency
from target_driftrock.delivery.rate import AdaptiveRate
from target_driftrock.delivery.verdict import TOO_MANY
from target_driftrock.events.answer import Answer, NoAnswer

if TYPE_CHECKING:
    from target_driftrock.events.answer import Reply


class Limiter:
    """Counts slots. A slot is taken for a request and given back when what became of it is recorded."""

    def __init__(self, ceiling: int, *, most_per_second: float | None = None) -> None:
        self._concurrency = AdaptiveConcurrency(ceiling)
        self._rate = AdaptiveRate(most_per_second)
        self._taken = 0
        self._paused_until = 0.0

    @property
    def is_strained(self) -> bool:
        """More than 5 % of the last 100 results were 5xx or lost answers."""
        return self._concurrency.is_strained

    @property
    def limit(self) -> int:
        """Most slots at present."""
        return self._concurrency.limit

    def free(self, now: float) -> int:
        """How many requests may start now."""
        if now < self._paused_until:
            return 0
        return self._rate.free(now, max(0, self.limit - self._taken))

    def next_start(self, now: float) -> float:
        """When the next request may start, as far as time alone decides; never before now."""
        return max(self._paused_until, self._rate.due(now))

    def take(self) -> None:
        """A slot is taken."""
        self._taken += 1
        if self._taken >= self.limit:
            self._concurrency.note_full()

    def start(self, now: float) -> None:
        """A request starts in its slot."""
        self._rate.take(now)

    def give_back(self) -> None:
        """What became of a request is recorded."""
        self._taken -= 1

    def pause(self, until: float) -> None:
        """Everyone waits until then. A shorter pause does not end a longer one."""
        self._paused_until = max(self._paused_until, until)

    def note(self, reply: Reply, *, began: float, now: float) -> None:
        """A request that began then has this reply. Where there was no connection it tells nothing of the server."""
        if reply is NoAnswer.NOT_SENT:
            return
        is_throttled = isinstance(reply, Answer) and reply.status == TOO_MANY
        if isinstance(reply, Answer):
            self._rate.note(now, is_throttled=is_throttled)
        self._concurrency.note(began=began, now=now, has_failed=has_failed(reply), is_throttled=is_throttled)


def has_failed(reply: Reply) -> bool:
    """Whether it is a 5xx, or a lost answer, or one that cannot be read."""
    return reply.status >= 500 if isinstance(reply, Answer) else reply is not NoAnswer.NOT_SENT  # noqa: PLR2004 - 5xx
