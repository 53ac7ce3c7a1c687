"""How many requests may start in a second: a setting, and what a 429 has taught. Arithmetic alone.

A concurrency limit cannot hold a rate: with answers of 20 ms a hundred a second lies between two requests in
flight and none. So where more than a few of the last hundred answers are a 429, the rate too is cut, to a tenth less
than had another answer in the best second lately, and again at each further 429. It grows back along the cubic curve
of TCP (RFC 9438): slowly around the rate that was too much, ever faster where no 429 comes.
"""

from __future__ import annotations

from collections import deque

DECREASE = 0.9
LEAST = 1.0
PLATEAU = 20.0
"""Seconds after a cut until the rate is back where it was cut."""
OBSERVED = 1.0
"""Seconds over which what was accepted is counted; neither the first cut nor the next one comes sooner."""
REMEMBERED = 10.0
"""Seconds whose best one counts: just after a pause that a `Retry-After` asked for, the latest one was empty."""
REPLIES_JUDGED = 100
FEW = 5
"""Of the last `REPLIES_JUDGED`: so many a server says now and then, without a rate that it keeps to."""
LATE = 0.02
"""Seconds that a start may make up for: a timer is late now and then, and the rate must not suffer."""


class AdaptiveRate:
    """Says when a request may start. Moments are seconds of the caller's clock; rates are requests a second.

    Over any second no more than `most` and one start, however late they are asked for.
    """

    def __init__(self, most: float | None) -> None:
        self._most = float("inf") if most is None else most
        self._too_much: float | None = None
        self._cut_at = float("-inf")
        self._due = float("-inf")
        self._began: float | None = None
        self._accepted: deque[float] = deque()
        self._throttled: deque[bool] = deque(maxlen=REPLIES_JUDGED)

    def rate(self, now: float) -> float:
        """How many may start in a second at present; infinite without a setting before the first 429."""
        if self._too_much is None:
            return self._most
        since = (now - self._cut_at) / PLATEAU - 1
        return min(self._most, max(LEAST, self._too_much * (1 + (1 - DECREASE) * since**3)))

    def due(self, now: float) -> float:
        """When the next may start; never before now."""
        return now if self._is_free else max(now, self._due)

    def free(self, now: float, most: int) -> int:
        """How many may start now, of `most` at all."""
        if self._is_free:
            return most
        if now < self._due:
            return 0
        return min(most, 1 + int((now - max(self._due, now - LATE)) * self._pace(now)))

    def take(self, now: float) -> None:
        """One starts."""
        if not self._is_free:
            self._due = max(self._due, now - LATE) + 1 / self._pace(now)

    def note(self, now: float, *, is_throttled: bool) -> None:
        """An answer came: a 429, or another."""
        if self._began is None:
            self._began = now
        self._throttled.append(is_throttled)
        if not is_throttled:
            self._accepted.append(now)
        while self._accepted and self._accepted[0] <= now - REMEMBERED:
            self._accepted.popleft()
        if is_throttled and now - max(self._began, self._cut_at) >= OBSERVED:
            self._cut(now)

    def _cut(self, now: float) -> None:
        if self._too_much is not None:
            self._too_much = max(self._best_second(), self.rate(now))
        elif sum(self._throttled) > FEW:
            self._too_much = max(self._best_second(), LEAST)
        else:
            return
        self._cut_at = now

    def _best_second(self) -> int:
        """Most that were accepted within a second, of those remembered: so many the server does take."""
        best, begin = 0, 0
        moments = list(self._accepted)
        for end, moment in enumerate(moments):
            while moments[begin] <= moment - OBSERVED:
                begin += 1
            best = max(best, end - begin + 1)
        return best

    @property
    def _is_free(self) -> bool:
        return self._too_much is None and self._most == float("inf")

    def _pace(self, now: float) -> float:
        """A little less than the rate, so that what is made up for stays within it."""
        return self.rate(now) / (1 + LATE)
