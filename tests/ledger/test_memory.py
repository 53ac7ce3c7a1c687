"""What the ledger of the tests holds: the same as a durable one, for as long as the process lives."""

from __future__ import annotations

import pytest

from target_driftrock.events.outcome import AlreadyDelivered, Changed, Delivered, Held, Invalid, Rejected
from target_driftrock.ledger.interface import (
    Answered,
    Change,
    Concluded,
    Counts,
    Intent,
    Known,
    Lost,
    Proven,
    Standing,
    Withdrawn,
)
from target_driftrock.ledger.memory import MemoryLedger
from tests.delivery.examples import API, capture, event, refusal

ONE = event(1)
POISONED = Held(reason="it fails while others do well")
UNKNOWN = Held(reason="its answer was lost", is_unknown=True)
REJECTED = Rejected(status=400)


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        pytest.param([Intent(ONE)], Standing.INTENDED, id="intent"),
        pytest.param([Intent(ONE), Withdrawn(ONE)], Standing.ANSWERED, id="withdrawn"),
        pytest.param([Intent(ONE), Answered(ONE)], Standing.ANSWERED, id="answered"),
        pytest.param([Intent(ONE), Lost(ONE)], Standing.UNKNOWN, id="lost"),
        pytest.param([Intent(ONE), Lost(ONE), Intent(ONE)], Standing.INTENDED, id="lost and tried again"),
        pytest.param([Intent(ONE), Concluded(part=ONE, outcome=Delivered())], Standing.DELIVERED, id="delivered"),
        pytest.param([Concluded(part=ONE, outcome=REJECTED)], Standing.REFUSED, id="rejected"),
        pytest.param([Concluded(part=ONE, outcome=POISONED)], Standing.REFUSED, id="poisoned"),
        pytest.param([Lost(ONE), Concluded(part=ONE, outcome=UNKNOWN)], Standing.HELD_UNKNOWN, id="held as unknown"),
        pytest.param(
            [Concluded(part=ONE, outcome=Delivered()), Concluded(part=ONE, outcome=AlreadyDelivered())],
            Standing.DELIVERED,
            id="already delivered",
        ),
        pytest.param(
            [Concluded(part=ONE, outcome=Delivered()), Concluded(part=event(1, body=b"{}"), outcome=Changed())],
            Standing.DELIVERED,
            id="changed",
        ),
        pytest.param(
            [Lost(ONE), Concluded(part=ONE, outcome=REJECTED, is_superseded=True)], Standing.UNKNOWN, id="superseded"
        ),
    ],
)
def test_an_event_stands_as_its_last_change_says_when_recalled(changes: list[Change], standing: Standing) -> None:
    """The payload known is the one that was sent."""
    ledger = MemoryLedger(api=API)

    ledger.commit(changes)

    assert ledger.recall([ONE, event(2)]) == [Known(standing=standing, same_payload=True), None]
    assert ledger.recall([event(1, body=b'{"other": 1}')]) == [Known(standing=standing, same_payload=False)]


def test_an_event_is_another_one_when_any_part_of_its_identity_differs() -> None:
    """Person and payload are no part of it."""
    ledger = MemoryLedger(api=API)
    ledger.commit([Concluded(part=ONE, outcome=Delivered())])

    assert ledger.recall([event(1, source="capture-2"), event(1, event_id="x")]) == [None, None]
    assert ledger.recall([event(1, person="p")]) != [None]


def test_nothing_is_known_when_an_event_has_no_identity() -> None:
    """It is counted all the same."""
    ledger = MemoryLedger(api=API)
    nobody = event(1, event_id=None)

    ledger.commit([Intent(nobody), Concluded(part=nobody, outcome=Delivered())])

    assert ledger.recall([nobody]) == [None]
    assert ledger.counts() == Counts(delivered=1)


def test_outcomes_are_counted_when_concluded() -> None:
    """What changes nothing is not counted; a lost answer is counted beside the outcomes."""
    ledger = MemoryLedger(api=API)

    ledger.commit(
        [
            Concluded(part=ONE, outcome=Delivered()),
            Concluded(part=ONE, outcome=AlreadyDelivered()),
            Concluded(part=ONE, outcome=Changed()),
            Concluded(part=event(2), outcome=REJECTED),
            Concluded(part=event(2), outcome=REJECTED, is_superseded=True),
            Lost(event(3)),
            Concluded(part=event(3), outcome=UNKNOWN),
            Concluded(part=event(4), outcome=POISONED),
            Concluded(part=refusal(5), outcome=Invalid(reason="schema: /email type")),
        ]
    )

    assert ledger.counts() == Counts(delivered=1, rejected=2, held=2, invalid=1, unknown=1)


def test_a_capture_is_proven_when_it_was_committed() -> None:
    """Captures are told apart by what they are, not by their label."""
    ledger = MemoryLedger(api=API)

    ledger.commit([Proven(capture("a"))])

    assert ledger.proven([capture("a"), capture("b")]) == [True, False]
