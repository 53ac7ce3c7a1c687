"""Whether two contents are about the same person, by digests of which some may be erased."""

from __future__ import annotations

import pytest

from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger import tables
from target_driftrock.ledger.digests import WhoDigests
from target_driftrock.ledger.interface import Concluded, Likeness, Standing
from target_driftrock.ledger.likeness import ERASED, likeness
from tests.contract.places import opened
from tests.contract.recalling import Seen, seen
from tests.delivery.examples import event
from tests.ledger.rows import alter

ONE, ANOTHER = b"one", b"another"

LIKENESS: list[tuple[str, WhoDigests, WhoDigests, Likeness]] = [
    ("all the same", (ONE, ONE, ONE), (ONE, ONE, ONE), Likeness.SAME),
    ("the strongest another", (ONE, ONE, ONE), (ANOTHER, ONE, ONE), Likeness.OTHER),
    ("the strongest the same", (ONE, ONE, ONE), (ONE, ANOTHER, ANOTHER), Likeness.SAME),
    ("the strongest on one side alone", (ONE, ONE, ONE), (None, ONE, ANOTHER), Likeness.SAME),
    ("the weakest alone", (None, None, ONE), (ONE, ONE, ONE), Likeness.SAME),
    ("the weakest alone, another", (None, None, ONE), (ONE, ONE, ANOTHER), Likeness.OTHER),
    ("none in common", (ONE, None, None), (None, ONE, ONE), Likeness.UNTOLD),
    ("nobody", (None, None, None), (None, None, None), Likeness.UNTOLD),
    ("the strongest erased", (ONE, ONE, ONE), (ERASED, ONE, ONE), Likeness.OTHER),
    ("the strongest erased, a weaker one in common", (None, ONE, ONE), (ERASED, ONE, ONE), Likeness.SAME),
    ("a weaker one erased", (ONE, ONE, ONE), (ONE, ERASED, ERASED), Likeness.SAME),
    ("a weaker one erased, and asked for", (None, ONE, ONE), (ONE, ERASED, ONE), Likeness.OTHER),
    ("all erased", (ONE, ONE, ONE), (ERASED, ERASED, ERASED), Likeness.OTHER),
    ("erased on both sides", (ERASED, None, None), (ERASED, None, None), Likeness.OTHER),
    ("erased, and nobody asks for it", (None, None, None), (ERASED, ERASED, ERASED), Likeness.UNTOLD),
]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"), [row[1:] for row in LIKENESS], ids=[row[0] for row in LIKENESS]
)
def test_two_are_compared_by_the_strongest_kind_when_both_name_it(
    ours: WhoDigests, theirs: WhoDigests, expected: Likeness
) -> None:
    """What was erased differs from everything, so that nobody takes the place of whom nobody knows any more."""
    assert likeness(ours, theirs) is expected
    assert likeness(theirs, ours) is expected


@pytest.mark.parametrize(
    ("erased", "expected"),
    [
        pytest.param((), Likeness.SAME, id="nothing"),
        pytest.param(("person",), Likeness.OTHER, id="the person"),
        pytest.param(("email", "phone"), Likeness.SAME, id="what is weaker"),
    ],
)
def test_a_person_is_another_one_when_an_erased_one_had_the_identity(
    location: str, erased: tuple[str, ...], expected: Likeness
) -> None:
    """As it lies in a ledger: which kinds were named stays, and whom they named does not."""
    who = event(1, person="ada").who._replace(email="ada@example.com", phone="555123456")
    with opened(location) as ledger:
        ledger.commit([Concluded(part=event(1, event_id="x", who=who), outcome=Delivered())])
    if erased:
        alter(location, tables.deliveries.update().values(dict.fromkeys(erased, ERASED)))

    with opened(location) as ledger:
        found = seen(ledger, event(2, event_id="x", who=who))

    assert found == [{Seen(Standing.DELIVERED, is_same_content=False, who=expected)}]
