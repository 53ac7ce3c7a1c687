"""Rows: ids that are not what they should be: two persons under one, and one person's changes under the same."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from signal import SIGKILL
from typing import Any

from tests.faults.crowd import Entry, mappings
from tests.faults.finding import Finding
from tests.faults.memory import kept
from tests.faults.table import Row, Stage
from tests.faults.trial import SLOTS, Trial

LATENCY = ("--latency", "0.02")
SLOWLY = ("--latency", "0.12")
"""So that a run lasts for more than one STATE, which come every five seconds."""
PATIENCE = 3
"""Seconds for an answer, as in the rows of lost answers."""
SHARE = 0.02
"""Of the records, how many bear the id of an earlier one: fewer than `max_reject_percent` would stop a run for."""
TOO_SHORT = "{note}"
MENDED = "{note}:{person}"


def _by_note(event_id: str = TOO_SHORT, **attributes: Any) -> list[dict[str, Any]]:
    """The mappings, with ids of their own."""
    return [{**mapping, "event_id": event_id, **attributes} for mapping in mappings("capture")]


def _with_ids(entries: Sequence[Entry], *, shares: Callable[[Entry, Entry], bool]) -> tuple[list[Entry], set[int]]:
    """Each entry with an id as its note, which some share with an earlier one; and who these are, by serial."""
    chance = random.Random(0)  # noqa: S311 - repeatable on purpose
    given: list[Entry] = []
    later: set[int] = set()
    alone: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        others = [other for other in alone[entry.stream] if shares(other, entry)]
        if others and chance.random() < SHARE:
            first = chance.choice(others)
            alone[entry.stream].remove(first)
            given.append(replace(entry, note=first.note))
            later.add(entry.serial)
        else:
            given.append(replace(entry, note=f"id-{entry.serial}"))
            alone[entry.stream].append(given[-1])
    return given, later


def _is_of_another(first: Entry, second: Entry) -> bool:
    return first.person != second.person


def _is_of_the_same(first: Entry, second: Entry) -> bool:
    return first.person == second.person


def _as_promised(trial: Trial, colliding: Collection[int]) -> dict[str, bool]:
    """What must hold where two persons share ids, and nothing is mended."""
    persons = defaultdict(set)
    for each in trial.accepted():
        persons[each.event_id].add(each.person)
    return {
        "each second person of an id is kept, and nobody else": kept(trial.memory) == set(colliding),
        "no id was accepted for two": all(len(each) == 1 for each in persons.values()),
    }


def _killed_while_two_share(stage: Stage) -> Iterator[Finding]:
    entries, colliding = _with_ids(stage.entries, shares=_is_of_another)
    for moment in stage.moments(stage.times):
        with stage.trial(*SLOWLY, entries=entries, streams=_by_note()) as trial:
            killed = trial.killed(lambda: trial.arrived() >= moment)  # noqa: B023 - called in this turn alone
            trial.fault(latency=0.02)
            trial.deliver(trial.whole())
            before = trial.arrived()
            trial.deliver(trial.whole())
            yield trial.finding(
                {"kill -9": killed, "ids of two persons": len(colliding)},
                codes=[-SIGKILL, 0, 0],
                holds={**_as_promised(trial, colliding), "another refresh sent nothing": trial.arrived() == before},
                most_twice=SLOTS,
                most_kept=len(colliding),
            )


def _unanswered_while_two_share(stage: Stage) -> Iterator[Finding]:
    entries, colliding = _with_ids(stage.entries, shares=_is_of_another)
    lost = ("--silent-share", "0.005", "--reset-after-share", "0.02", "--reset-before-share", "0.01")
    with stage.trial(*LATENCY, *lost, entries=entries, streams=_by_note(), read_timeout=PATIENCE) as trial:
        trial.deliver(trial.whole())
        trial.deliver(trial.whole())
        unanswered = trial.count(outcome="accepted_silent") + trial.count(outcome="accepted_reset")
        yield trial.finding(
            {"accepted, and not answered": unanswered, "ids of two persons": len(colliding)},
            codes=[0, 0],
            holds=_as_promised(trial, colliding),
            most_twice=unanswered,
            most_kept=len(colliding),
        )


def _killed_while_changes_are_sent(stage: Stage) -> Iterator[Finding]:
    entries, changes = _with_ids(stage.entries, shares=_is_of_the_same)
    for number, moment in enumerate(stage.moments(stage.times)):
        with stage.trial(*SLOWLY, entries=entries, streams=_by_note(), on_changed="send") as trial:
            killed = trial.killed(lambda: trial.arrived() >= moment)  # noqa: B023 - called in this turn alone
            trial.fault(latency=0.02)
            trial.deliver(trial.again(number))
            before = trial.arrived()
            trial.deliver(trial.whole())
            yield trial.finding(
                {"kill -9": killed, "changes": len(changes)},
                codes=[-SIGKILL, 0, 0],
                holds={
                    "each change came": changes <= {each.serial for each in trial.accepted()},
                    "a refresh sent nothing": trial.arrived() == before,
                },
                most_twice=SLOTS,
            )


def _replayed_once_mended(stage: Stage) -> Iterator[Finding]:
    """`rejects | target-driftrock` with longer ids, killed half way, and once more; then everything again."""
    entries, colliding = _with_ids(stage.entries, shares=_is_of_another)
    mended = _by_note(MENDED, formerly={"event_id": TOO_SHORT})
    with stage.trial(*LATENCY, entries=entries, streams=_by_note()) as trial:
        trial.deliver(trial.whole())
        held, before = kept(trial.memory), trial.arrived()
        trial.fault(latency=0.5)
        with trial.rejects() as rows, trial.run(source=rows, streams=mended) as run:
            run.until(lambda: trial.arrived() >= before + len(held) // 2)
            killed = run.tell(SIGKILL)
            trial.end(run)
        trial.fault(latency=0.02)
        with trial.rejects() as rows, trial.run(source=rows, streams=mended) as run:
            trial.end(run)
        replayed = trial.arrived()
        trial.deliver(trial.whole(), streams=mended)
        yield trial.finding(
            {"held at first": len(held), "kill -9": killed},
            codes=[0, -SIGKILL, 0, 0],
            holds={
                "each second person of an id was held": held == colliding,
                "each of them was delivered then": colliding <= {each.serial for each in trial.accepted()},
                "a refresh sent nothing": trial.arrived() == replayed,
            },
            late=colliding,
            most_twice=SLOTS,
        )


ROWS = [
    Row(
        name="collide-kill",
        fault="2 % of records bear another person's id: kill -9 at random moments, and full refreshes",
        play=_killed_while_two_share,
        is_random=True,
    ),
    Row(
        name="collide-lost",
        fault="2 % of records bear another person's id, and answers are lost",
        play=_unanswered_while_two_share,
    ),
    Row(
        name="changes-kill",
        fault="records change under their ids, with `on_changed: send`: kill -9 at random moments",
        play=_killed_while_changes_are_sent,
        is_random=True,
    ),
    Row(
        name="collide-mended",
        fault="what bore another person's id is sent again with longer ids: kill -9 half way",
        play=_replayed_once_mended,
    ),
]
