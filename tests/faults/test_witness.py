"""The witness itself: it would see what must not happen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.faults import witness
from tests.faults.crowd import EACH, PERSONS, Entry, crowd, since
from tests.faults.witness import Arrival


def _arrival(serial: int, *, person: str = "ada", time: float = 0.0) -> Arrival:
    return Arrival(time=time, outcome="accepted", status=201, serial=serial, event_id=f"leads:{serial}", person=person)


def _entries(*serials: int) -> list[Entry]:
    return [Entry(serial=serial, stream="leads", person="ada") for serial in serials]


def test_a_record_is_lost_when_it_neither_arrived_nor_is_kept() -> None:
    """What the ledger keeps for a person to decide is not lost."""
    found = witness.lost([_arrival(1)], _entries(1, 2, 3), kept={2})

    assert found == [3]


def test_repeats_are_counted_when_an_event_arrived_again() -> None:
    """Each arrival but the first is one."""
    found = witness.twice([_arrival(1), _arrival(2), _arrival(1), _arrival(1)])

    assert found == Counter({"leads:1": 2})


def test_a_change_is_no_repeat_when_it_bears_the_same_id() -> None:
    """It comes of another record."""
    changes = [replace(_arrival(serial), event_id="leads:1") for serial in (1, 2, 2)]

    assert witness.twice(changes) == Counter({"leads:1": 1})


@pytest.mark.parametrize(
    ("serials", "persons"),
    [
        pytest.param([1, 2, 3], set(), id="as read"),
        pytest.param([1, 3, 2], {"ada"}, id="a later one first"),
        pytest.param([1, 2, 1, 3], set(), id="a repeat is not a first arrival"),
    ],
)
def test_a_person_is_out_of_order_when_a_later_event_came_first(serials: list[int], persons: set[str]) -> None:
    """First arrivals count, repeats do not."""
    assert witness.out_of_order(_arrival(serial) for serial in serials) == persons


@pytest.mark.parametrize(
    ("serials", "persons"),
    [
        pytest.param([1, 4, 2, 3], set(), id="late"),
        pytest.param([1, 4, 3, 2], {"ada"}, id="late, and out of order among themselves"),
        pytest.param([4, 1, 2, 3], {"ada"}, id="late does not excuse others"),
    ],
)
def test_what_was_refused_before_may_come_late_when_it_is_sent_again(serials: list[int], persons: set[str]) -> None:
    """Here the second and the third were refused."""
    assert witness.out_of_order((_arrival(serial) for serial in serials), late={2, 3}) == persons


def test_others_are_not_out_of_order_when_they_overtake() -> None:
    """Order is promised within a person only."""
    assert witness.out_of_order([_arrival(2, person="ada"), _arrival(1, person="eve")]) == set()


def test_a_wait_is_seen_when_a_persons_next_event_came_late() -> None:
    """An answer of two seconds holds up the next event of that person."""
    arrivals = [_arrival(1, time=0.0), _arrival(2, time=2.1), _arrival(3, time=2.2)]

    assert witness.held_up(arrivals, 2.0) == 1


def test_an_outage_is_as_long_as_what_it_failed_when_arrivals_are_measured() -> None:
    """From the first to the last, and the longest time without any."""
    arrivals = [_arrival(1, time=1.0), _arrival(2, time=1.5), _arrival(3, time=4.0)]

    assert (witness.span(arrivals), witness.longest_gap(arrivals)) == (3.0, 2.5)
    assert (witness.span([]), witness.longest_gap([])) == (0.0, 0.0)


def test_fifty_persons_have_many_events_when_a_crowd_is_made() -> None:
    """The same crowd each time, its serials without a gap."""
    entries = crowd()

    counts = Counter(entry.person for entry in entries)
    assert entries == crowd()
    assert [entry.serial for entry in entries] == list(range(1, len(entries) + 1))
    assert sum(count >= EACH for count in counts.values()) == PERSONS
    assert 1 in counts.values()


def test_the_record_at_the_bookmark_comes_again_when_a_tap_goes_on() -> None:
    """As SQL taps do it."""
    assert [entry.serial for entry in since(_entries(1, 2, 3), 2)] == [2, 3]
