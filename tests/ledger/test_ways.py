"""How identities were made: remembered with what was delivered so, for the run that makes them in another way."""

from __future__ import annotations

import time

import pytest

from target_driftrock.events.event import Event
from target_driftrock.events.identity import KnownWay, Way
from target_driftrock.events.outcome import AlreadyDelivered, ChangeCause, Changed, Delivered, Held, HeldAs, Rejected
from target_driftrock.ledger import tables
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.interface import Arrived, Change, Concluded, Intent, Lost, Standing
from tests.contract.places import opened
from tests.contract.recalling import row
from tests.delivery.examples import event
from tests.ledger.rows import alter, rows

OLD = Way("leads", '{"event_id":"{id}"}')
NEW = Way("leads", '{"event_id":"{id}-{stage}"}')
DEALS = Way("deals", OLD.templates)


def old(position: int) -> Event:
    """An event whose identity was made in the old way."""
    return event(position, way=OLD)


def new(position: int, *, of: Event | None = None) -> Event:
    """An event whose identity is made in the new way, and was made in the old one."""
    former = old(position) if of is None else of
    return event(position, event_id=f"new:{position}", content_of=former.body, way=NEW, former=[former])


def delivered(*parts: Event) -> list[Change]:
    """They were delivered."""
    return [Concluded(part=part, outcome=Delivered()) for part in parts]


def tell(location: str, *changes: Change) -> None:
    """What one run commits, together."""
    with opened(location) as ledger:
        ledger.commit(changes)


def known(location: str) -> dict[Way, KnownWay]:
    """What the next run is told; what is counted is what lies there."""
    with opened(location) as ledger:
        found = dict(ledger.ways)
    lying = [each["way"] for each in rows(location, tables.deliveries) if each["standing"] == _DELIVERED]
    assert {each["id"]: each["delivered"] for each in rows(location, tables.ways)} == {
        each["id"]: lying.count(each["id"]) for each in rows(location, tables.ways)
    }
    return found


_DELIVERED = tables.CODES[Standing.DELIVERED]


def test_a_way_is_remembered_when_an_event_was_made_in_it(location: str) -> None:
    """With how much was delivered so: by stream, over all runs, in whatever transactions."""
    tell(location, *delivered(old(1), old(2)), *delivered(event(3, way=DEALS)))
    with opened(location) as ledger:
        for part in (old(4), event(5, way=DEALS), old(6)):
            ledger.commit(delivered(part))

    assert known(location) == {OLD: KnownWay(delivered=4), DEALS: KnownWay(delivered=2)}


def test_a_run_is_told_of_the_ways_before_it_when_it_adds_to_them(location: str) -> None:
    """What it does itself takes nobody's place."""
    tell(location, *delivered(old(1)))

    with opened(location) as ledger:
        ledger.commit(delivered(old(2), event(3, way=DEALS)))

        assert ledger.ways == {OLD: KnownWay(delivered=1)}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([Intent(old(1))], id="open"),
        pytest.param([Lost(old(1))], id="unknown"),
        pytest.param([Concluded(part=old(1), outcome=Rejected(status=400))], id="rejected"),
        pytest.param(
            [Concluded(part=old(1), outcome=Held(reason="its event_id is another's", kind=HeldAs.COLLISION))],
            id="a collision",
        ),
        pytest.param([Concluded(part=old(1), outcome=AlreadyDelivered())], id="already delivered"),
        pytest.param([Concluded(part=old(1), outcome=Changed(cause=ChangeCause.CONFLICT, is_said=True))], id="changed"),
    ],
)
def test_nothing_counts_when_nothing_was_delivered(location: str, changes: list[Change]) -> None:
    """What was not delivered may be sent under another identity."""
    tell(location, *changes)

    assert [each.delivered for each in known(location).values()] in ([], [0])


@pytest.mark.parametrize("part", [event(1), event(1, event_id=None, way=OLD)], ids=["no way", "no identity"])
def test_nothing_counts_when_an_event_has_no_identity_to_keep(location: str, part: Event) -> None:
    """A repeat of it could not be recognised in any way."""
    tell(location, *delivered(part))

    assert [each.delivered for each in known(location).values()] in ([], [0])


def test_other_content_counts_when_it_is_said_to_have_arrived(location: str) -> None:
    """As delivered as any other."""
    one, newer = old(1), event(2, event_id="leads:1", way=OLD)
    tell(location, Lost(one))

    with opened(location) as ledger:
        ledger.commit([Arrived(newer, row(ledger, one))])

    assert known(location) == {OLD: KnownWay(delivered=1)}


@pytest.mark.parametrize(
    "before", [Intent(old(1)), Concluded(part=old(1), outcome=Rejected(status=400))], ids=["open", "rejected"]
)
def test_an_event_counts_for_the_way_in_which_it_was_delivered_when_two_ways_make_one_identity(
    location: str, before: Change
) -> None:
    """Key properties and a template that says the same: what the first one tried, the second one delivered."""
    tell(location, before)

    tell(location, *delivered(event(1, way=NEW)))

    assert known(location) == {OLD: KnownWay(delivered=0), NEW: KnownWay(delivered=1)}


# One way takes another's place.


def test_a_way_has_a_successor_when_a_mapping_said_what_it_was(location: str) -> None:
    """So that going back is known as a change of the mapping, too."""
    tell(location, *delivered(old(1)))

    tell(location, *delivered(new(2)))

    assert known(location) == {OLD: KnownWay(delivered=1, successor=NEW), NEW: KnownWay(delivered=1)}


def test_no_way_is_made_up_when_a_mapping_says_what_it_never_was(location: str) -> None:
    """Only what the ledger remembers can have a successor."""
    tell(location, *delivered(new(1)))

    assert known(location) == {NEW: KnownWay(delivered=1)}


def test_an_event_counts_for_both_ways_when_it_was_delivered_in_the_former_one(location: str) -> None:
    """It is known under both identities from then on."""
    tell(location, *delivered(old(1)))

    tell(location, Concluded(part=new(1), outcome=AlreadyDelivered(as_former=True)))

    assert known(location) == {OLD: KnownWay(delivered=1, successor=NEW), NEW: KnownWay(delivered=1)}


def test_a_way_is_forgotten_when_all_may_be_sent_again(location: str) -> None:
    """Nothing asks for what was delivered in it; it may be used again. Another one stays as it is."""
    tell(location, *delivered(old(1), old(2), event(3, way=DEALS)))

    with opened(location) as ledger:
        ledger.forget_ways({OLD: None, NEW: None})
    with opened(location) as ledger:
        assert ledger.ways == {OLD: KnownWay(delivered=0), DEALS: KnownWay(delivered=1)}
        ledger.commit(delivered(old(4)))
    with opened(location) as ledger:
        assert ledger.ways[OLD] == KnownWay(delivered=1)


def test_a_way_that_is_forgotten_has_a_successor_when_another_took_its_place(location: str) -> None:
    """Going back to it is a change of the mapping all the same."""
    tell(location, *delivered(old(1)))

    with opened(location) as ledger:
        ledger.commit(delivered(event(2, way=NEW)))
        ledger.forget_ways({OLD: NEW})

    with opened(location) as ledger:
        assert ledger.ways == {OLD: KnownWay(delivered=0, successor=NEW), NEW: KnownWay(delivered=1)}


def test_the_ways_of_another_api_are_not_told_when_a_ledger_serves_two(location: str) -> None:
    """What the sandbox got says nothing of what production has."""
    tell(location, *delivered(old(1)))

    another = open_ledger(location, api="another", wait=0, is_stopped=lambda: False)
    assert another is not None
    assert another.ways == {}
    another.commit(delivered(old(1), old(2)))
    another.close()

    assert known(location) == {OLD: KnownWay(delivered=1)}


def test_what_is_pruned_does_not_count_when_it_was_delivered(location: str) -> None:
    """A way in which nothing is remembered any more is nobody's hindrance."""
    tell(location, *delivered(old(1), old(2), event(3, way=DEALS)), Intent(old(4)))
    alter(location, tables.deliveries.update().values(at=time.time() - 2 * 86_400))
    tell(location, *delivered(old(5)))

    with opened(location) as ledger:
        while ledger.prune(days=1, step=2):
            pass

    assert known(location) == {OLD: KnownWay(delivered=1), DEALS: KnownWay(delivered=0)}
    assert len(rows(location, tables.deliveries)) == 2


def test_a_kept_row_says_how_its_identity_was_made_when_its_event_had_one(location: str) -> None:
    """By the number of the way, as its delivery would."""
    tell(location, Concluded(part=old(1), outcome=Rejected(status=400)))

    (number,) = (each["id"] for each in rows(location, tables.ways))
    assert [each["way"] for each in rows(location, tables.kept)] == [number]
    assert [each["way"] for each in rows(location, tables.deliveries)] == [number]
