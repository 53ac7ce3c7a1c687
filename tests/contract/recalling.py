"""What a ledger says of an event, without the rows, which mean nothing outside of it."""

from __future__ import annotations

from typing import NamedTuple

from target_driftrock.events.event import Event
from target_driftrock.ledger.interface import Known, Ledger, Likeness, Row, Standing


class Seen(NamedTuple):
    """As `Known`."""

    standing: Standing
    is_same_content: bool = True
    is_same_record: bool = False
    who: Likeness = Likeness.UNTOLD
    is_former: bool = False


def looked_up(ledger: Ledger, *events: Event) -> list[list[Seen]]:
    """All that is known of each event, in the ledger's order."""
    return [[_seen(each) for each in known] for known in ledger.recall(events)]


def seen(ledger: Ledger, *events: Event) -> list[set[Seen]]:
    """The same in any order: no two contents of one event look alike."""
    found = looked_up(ledger, *events)
    assert all(len(set(known)) == len(known) for known in found)
    return list(map(set, found))


def standings(ledger: Ledger, *events: Event) -> list[Standing | None]:
    """Where each event's very content stands under its own identity; None if it is not known."""
    return [None if known is None else known.standing for known in (_own(ledger, event) for event in events)]


def row(ledger: Ledger, event: Event) -> Row:
    """The row of an event's very content, which is there."""
    known = _own(ledger, event)
    assert known is not None
    return known.row


def _own(ledger: Ledger, event: Event) -> Known | None:
    (found,) = ledger.recall([event])
    own = [each for each in found if each.is_same_content and not each.is_former]
    assert len(own) <= 1, "One content has two rows."
    return own[0] if own else None


def _seen(known: Known) -> Seen:
    return Seen(known.standing, known.is_same_content, known.is_same_record, known.who, known.is_former)
