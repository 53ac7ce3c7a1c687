"""Rows: events that the API, or a firewall before it, never takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tests.faults.crowd import POISON, Entry
from tests.faults.finding import Finding
from tests.faults.table import Play, Row, Stage
from tests.faults.trial import SLOTS, Trial
from tests.faults.witness import longest_gap

PATIENCE = 3
"""Seconds for an answer, as in the rows of lost answers."""
EARLY, MIDDLE = 30, 600
"""Places in the input."""
FEW = 60
"""Records of a small pipeline."""
AT_ONCE = 3.0
"""Seconds, on a busy machine."""
TRIES = 6
"""After so many a poisoned event is held."""


def _poisoned(mode: str, *, place: int = EARLY, latency: float = 0.05, **settings: Any) -> Play:
    """An event of somebody who has many. The others must take longer than it does to get to its second try."""

    def play(stage: Stage) -> Iterator[Finding]:
        entries = _marked(stage.entries, place, persons=["person-0"])
        options = ("--poison-marker", POISON, "--poison-mode", mode)
        with stage.trial("--latency", str(latency), *options, entries=entries, **settings) as trial:
            trial.deliver(trial.whole())
            later = [each for each in entries[place + 1 :] if each.person == "person-0"]
            arrived = {each.serial for each in trial.accepted()}
            holds = {"the person's later events came": all(each.serial in arrived for each in later) and bool(later)}
            yield trial.finding({"tries of it": _tries(trial, place)}, codes=[0], holds=holds, most_kept=1)

    return play


def _of_a_few(stage: Stage) -> Iterator[Finding]:
    """All others are through before its second try."""
    entries = _marked(stage.entries[:FEW], EARLY, persons=["person-0"])
    with stage.trial("--latency", "0.05", "--poison-marker", POISON, entries=entries) as trial:
        trial.deliver(trial.whole())
        yield trial.finding({"tries of it": _tries(trial, EARLY)}, codes=[0], most_kept=1)


def _as_many_as_slots(stage: Stage) -> Iterator[Finding]:
    entries = _marked(stage.entries, EARLY, persons=[f"poisoned-{number}" for number in range(SLOTS)])
    with stage.trial("--latency", "0.05", "--poison-marker", POISON, entries=entries) as trial:
        trial.deliver(trial.whole())
        places = range(EARLY, EARLY + SLOTS)
        tries = [_tries(trial, place) for place in places]
        meanwhile = _accepted_while_tried(trial, [entries[place].serial for place in places])
        yield trial.finding(
            {"tries of them": sum(tries), "others that came meanwhile": meanwhile},
            codes=[0],
            holds={
                "each was held": set(tries) == {TRIES},
                "the others did not wait": meanwhile > sum(tries) and longest_gap(trial.accepted()) < AT_ONCE,
            },
            most_kept=SLOTS,
        )


def _accepted_while_tried(trial: Trial, serials: Sequence[int]) -> int:
    """How many others came after the first try of each, and before the last try of any."""
    times = [[each.time for each in trial.seen(serial=serial)] for serial in serials]
    begin, end = max(min(each) for each in times), min(max(each) for each in times)
    return sum(begin < each.time < end for each in trial.accepted())


def _spam(place: int) -> Play:
    """An event that a firewall stops, and that the API itself would take."""

    def play(stage: Stage) -> Iterator[Finding]:
        entries = _marked(stage.entries, place, persons=["person-0"])
        options = ("--poison-marker", POISON, "--poison-mode", "403")
        with stage.trial("--latency", "0.05", *options, entries=entries) as trial:
            trial.deliver(trial.whole())
            capture = [each for each in trial.arrivals() if each.event_id.startswith(f"{entries[place].stream}:")]
            accepted_before = next(count for count, each in enumerate(capture) if each.status == 403)
            yield trial.finding(
                {"403": _tries(trial, place)},
                codes=[0],
                holds={
                    "it was the capture's first": place > 0 or accepted_before == 0,
                    "the capture had accepted others": place == 0 or accepted_before > 0,
                    "it was sent once": _tries(trial, place) == 1,
                },
                most_kept=1,
            )

    return play


def _marked(entries: Sequence[Entry], place: int, *, persons: Sequence[str]) -> list[Entry]:
    """The same, but that from this place on as many as there are persons are theirs, and poisoned."""
    marked = [
        replace(entry, person=person, note=POISON) for entry, person in zip(entries[place:], persons, strict=False)
    ]
    return [*entries[:place], *marked, *entries[place + len(marked) :]]


def _tries(trial: Trial, place: int) -> int:
    return trial.count(serial=trial.entries[place].serial)


ROWS = [
    Row(name="poison", fault="one event always gets 500", play=_poisoned("500")),
    Row(name="poison-first", fault="the first event always gets 500", play=_poisoned("500", place=0)),
    Row(
        name="poison-silence",
        fault="one event is never answered",
        play=_poisoned("silence", latency=0.2, read_timeout=PATIENCE),
    ),
    Row(name="poison-few", fault=f"one of {FEW} events, which are all there is, always gets 500", play=_of_a_few),
    Row(name="poison-many", fault=f"{SLOTS} events in a row always get 500", play=_as_many_as_slots),
    Row(name="spam-first", fault="a firewall refuses the first event of all (403)", play=_spam(0)),
    Row(name="spam", fault="a firewall refuses one event in the middle (403)", play=_spam(MIDDLE)),
]
