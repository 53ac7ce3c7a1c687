"""A limiter under endless load, against a simulated API, on a clock of its own."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from typing import Protocol

from target_driftrock.delivery.limiter import Limiter
from target_driftrock.events.answer import Answer, Reply

TOO_MANY_REQUESTS = 429


class Api(Protocol):
    """Says how long a request takes that starts now, beside so many others in flight, and what it answers."""

    def __call__(self, now: float, in_flight: int, /) -> tuple[float, Reply]:
        """Seconds, and the reply."""


@dataclass(slots=True, kw_only=True)
class Load:
    """What came of it. Moments are seconds from the start."""

    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    started: list[float] = field(default_factory=list)
    limits: list[tuple[float, int]] = field(default_factory=list)
    """The limit, at each answer."""

    def rate(self, since: float, until: float) -> float:
        """Accepted a second between two moments."""
        return sum(since <= moment < until for moment in self.accepted) / (until - since)

    def refused_percent(self, since: float) -> float:
        """Of a hundred answers from then on, how many were a 429."""
        refused = sum(moment >= since for moment in self.refused)
        return 100 * refused / (refused + sum(moment >= since for moment in self.accepted))

    def limit_range(self, since: float, until: float) -> tuple[int, int]:
        """The lowest and the highest limit between two moments."""
        limits = [limit for moment, limit in self.limits if since <= moment < until]
        return min(limits), max(limits)


def load(limiter: Limiter, api: Api, *, seconds: float) -> Load:
    """Start whatever the limiter lets start, for so many seconds. Everyone obeys the Retry-After of a 429."""
    result, now = Load(), 0.0
    flying: list[tuple[float, int, float, Reply]] = []
    order = itertools.count()
    while now < seconds:
        for _ in range(limiter.free(now)):
            took, reply = api(now, len(flying) + 1)
            heapq.heappush(flying, (now + took, next(order), now, reply))
            limiter.take()
            limiter.start(now)
            result.started.append(now)
        start = limiter.next_start(now)
        if start > now and (not flying or start < flying[0][0]):
            now = start
            continue
        now, _, began, reply = heapq.heappop(flying)
        limiter.give_back()
        limiter.note(reply, began=began, now=now)
        _count(result, limiter, reply, now)
        result.limits.append((now, limiter.limit))
    return result


def _count(result: Load, limiter: Limiter, reply: Reply, now: float) -> None:
    if not isinstance(reply, Answer):
        return
    if reply.status == TOO_MANY_REQUESTS:
        result.refused.append(now)
        limiter.pause(now + float(reply.retry_after or 0))
    elif reply.status < TOO_MANY_REQUESTS:
        result.accepted.append(now)
