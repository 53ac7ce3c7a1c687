"""Counters whose memory does not grow with what is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

_PLACES = 200
_DAYS = 1_000
_SPANS = (len("2026-01-31"), len("2026-01"), len("2026"))


@dataclass(frozen=True, slots=True)
class Counted(Generic[Item]):
    """How often something came. Where it is not `is_exact`, at most so often."""

    item: Item
    count: int
    is_exact: bool


class Commonest(Generic[Item]):
    """Counts items: exactly while there are few different ones, and from then on those that come most.

    What is new then takes the place of the one that came least, and its count, as in Metwally's Space-Saving: each item
    that makes more than one in `places` of all is among those kept, and none is counted too low.
    """

    def __init__(self, *, places: int = _PLACES) -> None:
        self._places = places
        self._counts: dict[Item, int] = {}
        self._taken: dict[Item, int] = {}
        """What of a count may be others'."""
        self.total = 0

    def note(self, item: Item) -> None:
        """One more of it."""
        self.total += 1
        if item in self._counts or len(self._counts) < self._places:
            self._counts[item] = self._counts.get(item, 0) + 1
            return
        least = min(self._counts, key=self._counts.__getitem__)
        count = self._counts.pop(least)
        self._taken.pop(least, None)
        self._counts[item] = count + 1
        self._taken[item] = count

    def first(self, most: int) -> list[Counted[Item]]:
        """Up to so many, what came most in front; of those that came as often, by their text."""
        ordered = sorted(self._counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
        return [Counted(item, count, item not in self._taken) for item, count in ordered[:most]]


class Days:
    """Counts days (`2026-01-31`); their months, or years, where there are too many of them to keep."""

    def __init__(self, *, most: int = _DAYS) -> None:
        self._most = most
        self._counts: Counter[str] = Counter()
        self._span = 0
        self.undated = 0
        """Those without a day of their own."""

    def note(self, day: str | None) -> None:
        """One more of that day, or of none."""
        if day is None:
            self.undated += 1
            return
        self._counts[day[: _SPANS[self._span]]] += 1
        if len(self._counts) > self._most and self._span + 1 < len(_SPANS):
            self._span += 1
            self._counts = _by(self._counts, _SPANS[self._span])

    def told(self, most: int) -> dict[str, int]:
        """By day, in their order; by month or year where there are more than `most` of what is shorter."""
        for span in _SPANS[self._span :]:
            found = _by(self._counts, span)
            if len(found) <= most:
                break
        return dict(sorted(found.items()))


def _by(counts: Counter[str], span: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for day, count in counts.items():
        found[day[:span]] += count
    return found
