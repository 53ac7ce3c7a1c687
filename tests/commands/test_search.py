"""What is wrong with identities in one input: what is told of each event, and when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from target_driftrock.commands.search import GROUP, GROUP_BYTES, Search, Verdict
from target_driftrock.delivery.admission import COLLISION, Send
from target_driftrock.errors import LedgerUnavailable
from target_driftrock.events.event import Event
from target_driftrock.events.outcome import AlreadyDelivered, Held
from tests.delivery.examples import API, event

Told = list[tuple[int, Verdict | None]]


def searching(told: Told) -> Search[int]:
    """A search that tells of each item by its number."""
    return Search(api=API, tell=lambda item, verdict: told.append((item, verdict)))


def searched(*events: Event | None) -> tuple[Told, Search[int]]:
    """What is told of each, in order; None is an item that is no event."""
    told: Told = []
    search = searching(told)
    for number, each in enumerate(events):
        search.take(number, each)
    search.flush()
    search.close()
    return told, search


def verdicts(events: Iterable[Event]) -> list[Verdict | None]:
    """What is told of each event."""
    return [verdict for _, verdict in searched(*events)[0]]


def of(number: int, event_id: str, person: str = "ada", **others: Any) -> Event:
    """An event about a person."""
    return event(number, event_id=event_id, person=person, **others)


def test_each_is_told_in_its_turn_when_some_are_no_events() -> None:
    """An event that is judged by itself, before its group is full, does not overtake the others."""
    told, _ = searched(of(1, "a"), None, of(2, "a", "grace"), None, None, of(3, "b"))

    assert [item for item, _ in told] == [0, 1, 2, 3, 4, 5]
    assert [verdict is None for _, verdict in told] == [False, True, False, True, True, False]


def test_two_persons_collide_when_their_events_are_groups_apart() -> None:
    """What was judged is remembered, however long ago."""
    between = [of(number, f"leads:{number}") for number in range(1, 2 * GROUP)]

    found = verdicts([of(0, "a"), *between, of(2 * GROUP, "a", "grace")])

    assert [verdict for verdict in found if verdict != Send()] == [found[-1]]
    assert isinstance(found[-1], Held)
    assert found[-1].reason == COLLISION


@pytest.mark.parametrize("apart", [0, 1, GROUP], ids=["side by side", "in one group", "in the next group"])
def test_an_event_is_held_against_the_one_before_when_that_was_in_its_own_group(apart: int) -> None:
    """An identity that comes twice is not judged twice as unknown."""
    between = [of(number, f"leads:{number}") for number in range(1, apart + 1)]

    found = verdicts([of(0, "a"), *between, of(0, "a")])

    assert found == [*[Send()] * (apart + 1), AlreadyDelivered()]


def test_a_held_event_stands_against_nothing_when_others_follow() -> None:
    """As in a run: what was sent first keeps the identity, and both others collide with it."""
    found = verdicts([of(1, "a"), of(2, "a", "grace"), of(3, "a", "jose"), of(2, "a", "grace"), of(1, "a")])

    assert [type(verdict) for verdict in found] == [Send, Held, Held, Held, AlreadyDelivered]


def test_an_event_is_known_by_a_former_identity_when_that_is_another_s() -> None:
    """It is held against it, and then known under its own."""
    first = of(1, "a", content_of=b"one")
    mended = of(2, "b", content_of=b"one", former=[first])

    found = verdicts([first, mended, of(3, "b", content_of=b"one")])

    assert found == [Send(), AlreadyDelivered(as_former=True), AlreadyDelivered()]


def test_events_without_an_identity_are_all_sent_when_their_content_is_the_same() -> None:
    """A repeat of them cannot be recognised, as their mapping says."""
    assert verdicts([event(1, event_id=None), event(1, event_id=None)]) == [Send(), Send()]


def test_the_group_is_judged_when_it_weighs_enough() -> None:
    """A few records of megabytes must not wait for hundreds more."""
    told: Told = []
    search = searching(told)

    search.take(0, of(1, "a"))
    before = len(told)
    search.take(1, of(2, "b", body=b"x" * GROUP_BYTES))

    assert (before, len(told)) == (0, 2)


def test_items_are_told_when_a_group_of_them_holds_no_event() -> None:
    """A file of invalid records is not kept in memory."""
    told: Told = []
    search = searching(told)

    for number in range(GROUP):
        search.take(number)

    assert len(told) == GROUP


def test_it_says_where_to_make_room_when_nothing_can_be_remembered() -> None:
    """No ledger of the settings is at fault."""
    told: Told = []
    search = searching(told)
    search.close()
    search.take(0, of(1, "a"))

    with pytest.raises(LedgerUnavailable, match="name another one in TMPDIR"):
        search.flush()

    assert told == []
