"""What the sandbox saw, from the file to which it appends each arrival: what is lost, twice, out of order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.faults.crowd import Entry

ACCEPTED = frozenset({"accepted", "accepted_reset", "accepted_silent", "accepted_gateway"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request that the sandbox took in."""

    time: float
    outcome: str
    status: int | None
    serial: int
    event_id: str
    person: str

    @property
    def is_accepted(self) -> bool:
        """Whether the double took it, answered or not."""
        return self.outcome in ACCEPTED


class Witness:
    """Reads the sandbox's record as it grows."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._offset = 0
        self._rest = b""
        self._arrivals: list[Arrival] = []

    def arrivals(self) -> Sequence[Arrival]:
        """All so far, in the order in which they came."""
        with self._record.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        self._offset += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        self._arrivals += [_arrival(json.loads(line)) for line in lines]
        return self._arrivals

    def accepted(self) -> list[Arrival]:
        """Those that it accepted."""
        return [arrival for arrival in self.arrivals() if arrival.is_accepted]


def _arrival(shown: Any) -> Arrival:
    event = shown["event"]
    return Arrival(
        time=datetime.fromisoformat(shown["time"]).timestamp(),
        outcome=shown["outcome"],
        status=shown["status"],
        serial=event["fields"]["serial"],
        event_id=event["event_id"],
        person=event["person_id"],
    )


def lost(accepted: Iterable[Arrival], expected: Iterable[Entry], *, kept: Iterable[int] = ()) -> list[int]:
    """Serials that neither arrived nor are kept."""
    arrived = {arrival.serial for arrival in accepted}
    return sorted({entry.serial for entry in expected} - arrived - set(kept))


def twice(accepted: Iterable[Arrival]) -> Counter[str]:
    """The ids of events accepted more than once with the same record, each with how often too many."""
    repeats = Counter[str]()
    for (event_id, _), times in Counter((each.event_id, each.serial) for each in accepted).items():
        repeats[event_id] += times - 1
    return +repeats


def out_of_order(accepted: Iterable[Arrival], *, late: Collection[int] = ()) -> set[str]:
    """Persons of whom an event was first accepted after a later one of theirs.

    The serials in `late` were refused before, and may come after those that were not, in order among themselves.
    """
    firsts: dict[tuple[str, bool], list[int]] = {}
    met: set[int] = set()
    for arrival in accepted:
        if arrival.serial not in met:
            met.add(arrival.serial)
            firsts.setdefault((arrival.person, arrival.serial in late), []).append(arrival.serial)
    return {person for (person, _), serials in firsts.items() if any(low > high for low, high in pairwise(serials))}


def span(arrivals: Sequence[Arrival]) -> float:
    """Seconds from the first to the last of them."""
    return arrivals[-1].time - arrivals[0].time if arrivals else 0.0


def longest_gap(arrivals: Iterable[Arrival]) -> float:
    """The most seconds in which none came, between the first and the last."""
    return max((late.time - early.time for early, late in pairwise(arrivals)), default=0.0)


def held_up(arrivals: Iterable[Arrival], seconds: float) -> int:
    """How often a person's next event came so much later than the one before: its answer was so late."""
    by_person: dict[str, list[float]] = {}
    for arrival in arrivals:
        by_person.setdefault(arrival.person, []).append(arrival.time)
    return sum(late - early >= seconds for times in by_person.values() for early, late in pairwise(times))
