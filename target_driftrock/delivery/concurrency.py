"""How many requests may be in flight at once: arithmetic alone, without a clock, a slot or a task.

After adaptive request concurrency as in Vector (https://vector.dev/docs/architecture/arc/), which takes it from
Netflix's concurrency limits and from TCP: slow start to the first sign of strain, then one more each round trip,
and a tenth less where a round trip shows strain.

What differs, each for a measured reason:

- A round trip is judged by its median, and errors by their share of the last hundred results. A single slow or
  failed answer says nothing of the server, and to follow each costs half the rate.
- It is compared with the fastest round trips so far, not with the latest: where the server queues, a limit that
  grows by one at a time makes each round trip only a little slower than the one before.
- A limit that was cut by four tenths, and made round trips no faster, is given back: the server is slower for a
  reason that is not our concurrency, and this is what is usual now.
"""

from __future__ import annotations

from collections import deque
from statistics import median

INITIAL = 10
"""As many as TCP's initial window (RFC 6928): below it a round trip has too few answers to judge."""
DECREASE = 0.9
RESULTS_JUDGED = 100
STRAINED_ABOVE = 5
"""Of the last `RESULTS_JUDGED`: more failures than this, and the server as a whole is in trouble."""
SLOWER_BY = 1.5
SLOWER_BY_SECONDS = 0.01
"""A round trip is slow where it takes so many times the usual, and so many seconds, more."""
FALLING = 0.2
"""How quickly what is usual follows round trips that are faster; it never follows slower ones by itself."""
CUT_IN_VAIN = 0.6
STILL_AS_SLOW = 0.9
"""Where so much of a limit is left, and so much of its seconds, or more, the cuts were in vain."""


class AdaptiveConcurrency:
    """A limit between 1 and `ceiling`. Moments are seconds of the caller's clock."""

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._limit = float(min(INITIAL, ceiling))
        self._is_slow_start = True
        self._results: deque[bool] = deque(maxlen=RESULTS_JUDGED)
        self._failures = 0
        self._usual: float | None = None
        self._suspicion: tuple[float, float] | None = None
        """The limit, and the seconds of a round trip, when round trips began to be slow."""
        self._begin_round(float("-inf"))

    @property
    def limit(self) -> int:
        """Most requests in flight."""
        return int(self._limit)

    @property
    def is_strained(self) -> bool:
        """More than 5 % of the last 100 results were failures."""
        return self._failures > STRAINED_ABOVE

    def note_full(self) -> None:
        """As many requests are in flight as may be: without it a round trip gives no reason for more."""
        self._was_full = True

    def note(self, *, began: float, now: float, has_failed: bool, is_throttled: bool) -> None:
        """A request that began then has its result now: a failure (5xx, no answer), a 429, or something else."""
        self._remember(has_failed=has_failed)
        self._was_strained |= is_throttled or (has_failed and self.is_strained)
        if began < self._round_began:
            return  # what it waited for was decided before the limit was
        self._results_of_round += 1
        if not (has_failed or is_throttled):  # those come from a gateway, in no time
            self._durations.append(now - began)
        if self._results_of_round >= self.limit:
            self._end_round(now)

    def _remember(self, *, has_failed: bool) -> None:
        if len(self._results) == RESULTS_JUDGED:
            self._failures -= self._results[0]
        self._results.append(has_failed)
        self._failures += has_failed

    def _begin_round(self, now: float) -> None:
        self._round_began = now
        self._results_of_round = 0
        self._durations: list[float] = []
        self._was_full = False
        self._was_strained = False

    def _end_round(self, now: float) -> None:
        """As many requests as the limit lets fly have begun since the last round, and have their results."""
        seconds = median(self._durations) if self._durations else None
        is_slow = seconds is not None and self._is_slow(seconds)
        if not is_slow:
            self._suspicion = None
        if self._was_strained:
            self._cut()
        elif seconds is not None and is_slow:
            self._doubt(seconds)
        elif self._was_full:
            grown = self._limit * 2 if self._is_slow_start else self._limit + 1
            self._limit = min(float(self._ceiling), grown)
        if seconds is not None:
            usual = seconds if self._usual is None else self._usual
            self._usual = usual + min(0.0, seconds - usual) * FALLING
        self._begin_round(now)

    def _is_slow(self, seconds: float) -> bool:
        return self._usual is not None and seconds > self._usual * SLOWER_BY + SLOWER_BY_SECONDS

    def _cut(self) -> None:
        self._limit = max(1.0, self._limit * DECREASE)
        self._is_slow_start = False

    def _doubt(self, seconds: float) -> None:
        """A slow round trip: a lower limit, unless that was tried and made none faster."""
        if self._suspicion is None:
            self._suspicion = self._limit, seconds
        limit, slow = self._suspicion
        if self._limit > max(1.0, limit * CUT_IN_VAIN):
            self._cut()
        elif seconds > slow * STILL_AS_SLOW:
            self._limit, self._usual = limit, seconds
            self._suspicion = None
        else:
            self._suspicion = self._limit, seconds
            self._cut()
