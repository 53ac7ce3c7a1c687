"""What every ledger promises, whether it lies in memory, in SQLite or in PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from target_driftrock.delivery.verdict import Admission, admit
from target_driftrock.events.event import Capture, Endpoint, Event
from target_driftrock.events.outcome import AlreadyDelivered, Changed, Delivered, Held, Invalid, Rejected
from target_driftrock.ledger.interface import (
    Answered,
    Change,
    Concluded,
    Counts,
    Forgotten,
    Intent,
    Known,
    Ledger,
    Lost,
    Proven,
    Standing,
    Withdrawn,
)
from tests.delivery.examples import capture, event, refusal

ONE = event(1)
OTHER_PAYLOAD = event(1, body=b'{"serial": "another"}')
INVALID = Invalid(reason="schema: /email type")
REJECTED = Rejected(status=422, excerpt=b"no")
POISONED = Held(reason="it fails while others do well", status=500)
UNKNOWN = Held(reason="its answer was lost", is_unknown=True)
SUPERSEDED = Concluded(part=ONE, outcome=REJECTED, is_superseded=True)


def concluded(outcome: Delivered | AlreadyDelivered | Changed | Invalid | Rejected | Held) -> Concluded:
    """The outcome of the event that these tests are about."""
    return Concluded(part=ONE, outcome=outcome)


STANDINGS = [
    pytest.param([], None, id="nothing"),
    pytest.param([Concluded(part=refusal(1), outcome=INVALID)], None, id="invalid"),
    pytest.param([Intent(ONE), concluded(Delivered())], Standing.DELIVERED, id="delivered"),
    pytest.param([concluded(Delivered()), concluded(AlreadyDelivered())], Standing.DELIVERED, id="already delivered"),
    pytest.param([Intent(ONE), concluded(REJECTED)], Standing.REFUSED, id="rejected"),
    pytest.param([Intent(ONE), concluded(POISONED)], Standing.REFUSED, id="held as poisoned"),
    pytest.param([Intent(ONE), Answered(ONE)], Standing.ANSWERED, id="answered"),
    pytest.param([Intent(ONE), Withdrawn(ONE)], Standing.ANSWERED, id="taken back"),
    pytest.param([Lost(ONE), Intent(ONE), Withdrawn(ONE, was_unknown=True)], Standing.UNKNOWN, id="lost, taken back"),
    pytest.param([Intent(ONE)], Standing.INTENDED, id="intended"),
    pytest.param([Intent(ONE), Lost(ONE), Intent(ONE)], Standing.INTENDED, id="lost, intended again"),
    pytest.param([concluded(REJECTED), Intent(ONE)], Standing.INTENDED, id="rejected, intended again"),
    pytest.param([Intent(ONE), Lost(ONE)], Standing.UNKNOWN, id="lost"),
    pytest.param([Lost(ONE), Intent(ONE), Answered(ONE)], Standing.ANSWERED, id="lost, then answered"),
    pytest.param([Lost(ONE), Intent(ONE), Answered(ONE, was_unknown=True)], Standing.UNKNOWN, id="lost, no verdict"),
    pytest.param([Intent(ONE), Lost(ONE), concluded(UNKNOWN)], Standing.HELD_UNKNOWN, id="held as unknown"),
    pytest.param([Lost(ONE), SUPERSEDED], Standing.UNKNOWN, id="superseded"),
    pytest.param([Lost(ONE), concluded(Delivered())], Standing.DELIVERED, id="lost, then delivered"),
]


@pytest.mark.parametrize("size", [pytest.param(1, id="apart"), pytest.param(100, id="in one group")])
@pytest.mark.parametrize(("changes", "standing"), STANDINGS)
def test_an_event_stands_as_its_last_change_says_when_it_is_recalled(
    ledger: Ledger, changes: list[Change], standing: Standing | None, size: int
) -> None:
    """It is all the same whether its changes share a transaction, and the payload known is the latest one."""
    for start in range(0, len(changes), size):
        ledger.commit(changes[start : start + size])

    known = [None if standing is None else Known(standing=standing, same_payload=same) for same in (True, False)]
    assert ledger.recall([ONE, OTHER_PAYLOAD, event(2)]) == [*known, None]


@pytest.mark.parametrize(
    ("changes", "at_once", "held", "replayed"),
    [
        pytest.param([], Admission.SEND, Admission.SEND, Admission.SEND, id="nothing"),
        pytest.param([concluded(Delivered())], Admission.ALREADY, Admission.ALREADY, Admission.ALREADY, id="delivered"),
        pytest.param(
            [Concluded(part=OTHER_PAYLOAD, outcome=Delivered())],
            *[Admission.CHANGED] * 3,
            id="delivered with another payload",
        ),
        pytest.param([Concluded(part=refusal(1), outcome=INVALID)], *[Admission.SEND] * 3, id="invalid"),
        pytest.param([concluded(REJECTED)], *[Admission.SEND] * 3, id="rejected"),
        pytest.param([concluded(POISONED)], *[Admission.SEND] * 3, id="held as poisoned"),
        pytest.param([Intent(ONE), Answered(ONE)], *[Admission.SEND] * 3, id="answered"),
        pytest.param([Intent(ONE), Withdrawn(ONE)], *[Admission.SEND] * 3, id="surely not sent"),
        pytest.param(
            [Intent(ONE)], Admission.SEND_UNKNOWN, Admission.HOLD, Admission.SEND_UNKNOWN, id="an intent last"
        ),
        pytest.param([Lost(ONE)], Admission.SEND_UNKNOWN, Admission.HOLD, Admission.SEND_UNKNOWN, id="lost last"),
        pytest.param(
            [concluded(UNKNOWN)], Admission.HOLD, Admission.HOLD, Admission.SEND_UNKNOWN, id="held as unknown"
        ),
    ],
)
def test_an_event_is_sent_or_not_by_what_is_known_when_it_comes_again(
    ledger: Ledger, changes: list[Change], at_once: Admission, held: Admission, replayed: Admission
) -> None:
    """With `on_unknown: retry`, with `hold`, and from the kept rows whatever the setting."""
    ledger.commit(changes)

    (known,) = ledger.recall([ONE])
    assert admit(known, holds_unknown=False, is_replay=False) is at_once
    assert admit(known, holds_unknown=True, is_replay=False) is held
    assert admit(known, holds_unknown=True, is_replay=True) is replayed


AFFILIATE = Capture(endpoint=Endpoint.AFFILIATE, source_id="capture-1", affiliate_id="a")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(event(1, source="capture-2"), id="another source"),
        pytest.param(structs.replace(ONE, capture=AFFILIATE), id="another endpoint"),
        pytest.param(structs.replace(ONE, capture=replace(AFFILIATE, affiliate_id="b")), id="another affiliate"),
        pytest.param(structs.replace(ONE, event_type="conversion"), id="another type"),
        pytest.param(structs.replace(ONE, event_name="deals"), id="another name"),
        pytest.param(event(1, event_id="x"), id="another id"),
        pytest.param(event(1, event_id=None), id="no id"),
    ],
)
def test_an_event_is_another_one_when_a_part_of_its_identity_differs(ledger: Ledger, other: Event) -> None:
    """Each part of the identity tells two events apart; their persons and their records do not."""
    ledger.commit([concluded(Delivered()), Concluded(part=structs.replace(ONE, capture=AFFILIATE), outcome=REJECTED)])

    assert ledger.recall([other]) != ledger.recall([ONE])
    assert ledger.recall([event(1, person="p")]) == ledger.recall([ONE])
    assert ledger.recall([structs.replace(event(2), event_id=ONE.event_id, body=ONE.body)]) == ledger.recall([ONE])


def test_nothing_is_known_when_an_event_has_no_identity(ledger: Ledger) -> None:
    """What became of it is counted all the same."""
    nobody = event(1, event_id=None)

    ledger.commit([Intent(nobody), Lost(nobody), Concluded(part=nobody, outcome=Delivered())])
    ledger.commit([Concluded(part=event(2, event_id=None), outcome=REJECTED)])

    assert ledger.recall([nobody]) == [None]
    assert ledger.counts() == Counts(delivered=1, unknown=1, rejected=1)


def test_outcomes_are_counted_when_concluded(ledger: Ledger) -> None:
    """What the look-up settled is not counted; a lost answer is counted beside the outcomes, each time."""
    ledger.commit([concluded(Delivered()), concluded(AlreadyDelivered()), concluded(Changed())])
    ledger.commit([Concluded(part=event(2), outcome=REJECTED), SUPERSEDED, Lost(event(3)), Lost(event(3))])
    ledger.commit([Concluded(part=event(3), outcome=UNKNOWN), Concluded(part=event(4), outcome=POISONED)])
    ledger.commit([Concluded(part=refusal(5), outcome=INVALID), Concluded(part=refusal(6), outcome=INVALID)])

    assert ledger.counts() == Counts(delivered=1, rejected=2, held=2, invalid=2, unknown=2)


def test_nothing_is_counted_when_nothing_is_concluded(ledger: Ledger) -> None:
    """A request that began, was answered, or did not begin has no outcome yet."""
    ledger.commit([Intent(ONE), Answered(ONE), Withdrawn(ONE), Proven(ONE.capture), Forgotten("00" * 16)])
    ledger.commit([])

    assert ledger.counts() == Counts()


def test_a_capture_is_proven_when_it_has_accepted_an_event(ledger: Ledger) -> None:
    """Captures are told apart by what they are, not by their label, and may be proven twice."""
    others = [replace(AFFILIATE, source_id="a"), replace(AFFILIATE, affiliate_id="b")]
    ledger.commit([Proven(capture("a")), Proven(capture("a"))])
    ledger.commit([Proven(replace(capture("a"), label="another")), Proven(AFFILIATE)])

    assert ledger.proven([capture("a"), capture("b"), *others, AFFILIATE]) == [True, False, False, False, True]
    assert ledger.proven([]) == []


def test_all_are_recalled_when_there_are_more_than_one_statement_asks_for(ledger: Ledger) -> None:
    """In the order asked, the same one as often as asked."""
    events = [event(position) for position in range(2_100)]
    ledger.commit([Concluded(part=each, outcome=Delivered()) for each in events[::2]])

    known = ledger.recall([*events, events[0]])

    assert [each is not None for each in known] == [position % 2 == 0 for position in range(2_100)] + [True]


def test_a_ledger_may_be_closed_again_when_it_is_closed(ledger: Ledger) -> None:
    """Whoever ends a run need not know who closed it before."""
    ledger.close()
    ledger.close()
