"""Figures that prove a delivery: what came, what was lost, what came twice, and how much at once."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice, pairwise
from types import TracebackType
from typing import Any

from target_driftrock.sandbox.contract import Event
from target_driftrock.sandbox.verdict import ACCEPTANCES, Verdict

SHOWN_GAPS = 100
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)


class Gauge:
    """How many are inside the `with` now, and how many were at most."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0

    def __enter__(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.now -= 1


class Serials:
    """Accepted serial numbers: integers, or texts of digits, found in a property of `fields`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen: set[int] = set()
        self._repeats = 0

    def note(self, event: Event) -> None:
        """Count the event's serial number, if it has one."""
        serial = _whole(event.attributes["fields"].get(self._name))
        if serial is None:
            return
        self._repeats += serial in self._seen
        self._seen.add(serial)

    def shown(self) -> dict[str, Any]:
        """Smallest and largest, how many between them never came (the first of those too), how many came again."""
        if not self._seen:
            return {"smallest": None, "largest": None, "distinct": 0, "lost": 0, "gaps": [], "repeats": 0}
        smallest, largest = min(self._seen), max(self._seen)
        lost = largest - smallest + 1 - len(self._seen)
        return {
            "smallest": smallest,
            "largest": largest,
            "distinct": len(self._seen),
            "lost": lost,
            "gaps": gaps(self._seen, SHOWN_GAPS) if lost else [],
            "repeats": self._repeats,
        }


def gaps(numbers: set[int], limit: int) -> list[int]:
    """The first `limit` integers between the smallest and the largest of `numbers` that are missing."""
    ordered = sorted(numbers)
    between = (gap for low, high in pairwise(ordered) for gap in range(low + 1, high))
    return list(islice(between, limit))


class Counts:
    """Every figure since the start, or since the last `Counts` was made."""

    def __init__(self, serial: str) -> None:
        self.token_requests = 0
        self.requests = 0
        self.in_flight = Gauge()
        self.tokens_in_flight = Gauge()
        self._repeats = 0
        self._outcomes: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._token_statuses: Counter[int] = Counter()
        self._sources: dict[str, Counter[str]] = {}
        self._identities: set[bytes] = set()
        self._event_ids: set[str] = set()
        self._serials = Serials(serial)

    def note(self, verdict: Verdict) -> None:
        """Count one request to the event endpoints."""
        self.requests += 1
        self._outcomes[verdict.outcome] += 1
        if verdict.answer is not None:
            self._statuses[verdict.answer.status] += 1
        if verdict.event is None:
            return
        tally = self._sources.setdefault(verdict.event.source_id, Counter(accepted=0, refused=0))
        if verdict.outcome not in ACCEPTANCES:
            tally["refused"] += 1
            return
        tally["accepted"] += 1
        self._accept(verdict.event)

    def note_token(self, status: int | None) -> None:
        """Count one token request; None was not answered."""
        self.token_requests += 1
        if status is not None:
            self._token_statuses[status] += 1

    def was_accepted(self, event: Event) -> bool:
        """Whether the same event was accepted before; never for one without an event_id."""
        return event.identity in self._identities

    def shown(self) -> dict[str, Any]:
        """The figures, as JSON shows them."""
        return {
            "token_requests": self.token_requests,
            "token_by_status": {str(status): count for status, count in sorted(self._token_statuses.items())},
            "requests": self.requests,
            "accepted": sum(self._outcomes[outcome] for outcome in ACCEPTANCES),
            "refused": self._outcomes["refused"],
            "unauthorized": self._statuses[401],
            "by_outcome": dict(sorted(self._outcomes.items())),
            "by_status": {str(status): count for status, count in sorted(self._statuses.items())},
            "by_source": {source: dict(tally) for source, tally in self._sources.items()},
            "distinct_event_ids": len(self._event_ids),
            "repeats": self._repeats,
            "serial": self._serials.shown(),
            "max_concurrent_requests": self.in_flight.most,
            "max_concurrent_token_requests": self.tokens_in_flight.most,
        }

    def _accept(self, event: Event) -> None:
        self._serials.note(event)
        if "event_id" not in event.attributes:
            return  # nobody can say whether it came before
        self._repeats += self.was_accepted(event)
        self._identities.add(event.identity)
        self._event_ids.add(event.attributes["event_id"])


def _whole(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return None
