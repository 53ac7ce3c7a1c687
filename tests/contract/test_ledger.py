"""What every ledger promises, whether it lies in memory, in SQLite or in PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from target_driftrock.delivery.admission import ANSWER_LOST, COLLISION, EARLIER_LOST, UNDECIDED, Send, admit
from target_driftrock.events.event import Capture, Endpoint, Event
from target_driftrock.events.identity import NOBODY, Who
from target_driftrock.events.outcome import (
    AlreadyDelivered,
    ChangeCause,
    Changed,
    Delivered,
    Held,
    HeldAs,
    Invalid,
    Rejected,
    Settled,
)
from target_driftrock.ledger.interface import (
    Answered,
    Arrived,
    Change,
    Concluded,
    Counts,
    Forgotten,
    Intent,
    Ledger,
    Likeness,
    Lost,
    Proven,
    Standing,
    Withdrawn,
)
from tests.contract.recalling import Seen, row, seen, standings
from tests.delivery.examples import capture, event, invalid_part, origin

ONE = event(1)
OTHER_CONTENT = event(1, content_of=b"other")
"""Of the same event and record."""
INVALID = Invalid(reason="schema: /email type")
REJECTED = Rejected(status=422, excerpt=b"no")
MAY_HAVE_ARRIVED = Rejected(status=409, may_have_arrived=True)
POISONED = Held(reason="it fails while others do well", status=500)
UNKNOWN = Held(reason=ANSWER_LOST, is_unknown=True)
FOR_EARLIER = Held(reason=EARLIER_LOST, is_unknown=True, was_sent=False)
COLLIDES = Held(reason=COLLISION, kind=HeldAs.COLLISION)
TO_SAY = Held(reason=UNDECIDED, kind=HeldAs.UNDECIDED)
AS_FORMER = AlreadyDelivered(as_former=True)
CONFLICT = Changed(cause=ChangeCause.CONFLICT, is_said=False)
SUPERSEDED = Concluded(part=ONE, outcome=REJECTED, is_superseded=True)
NO_CONFLICT = [Changed(cause=cause, is_said=True) for cause in ChangeCause if cause is not ChangeCause.CONFLICT]


def concluded(outcome: Settled, part: Event = ONE) -> Concluded:
    """The outcome of the event that these tests are about, or of another."""
    return Concluded(part=part, outcome=outcome)


STANDINGS = [
    pytest.param([], None, id="nothing"),
    pytest.param([Concluded(part=invalid_part(1), outcome=INVALID)], None, id="invalid"),
    pytest.param([Intent(ONE), concluded(Delivered())], Standing.DELIVERED, id="delivered"),
    pytest.param([concluded(Delivered(is_change=True))], Standing.DELIVERED, id="delivered as a change"),
    pytest.param([concluded(Delivered()), concluded(AlreadyDelivered())], Standing.DELIVERED, id="already delivered"),
    pytest.param([concluded(AS_FORMER)], Standing.DELIVERED, id="already delivered as another"),
    pytest.param([Intent(ONE), concluded(REJECTED)], Standing.REFUSED, id="rejected"),
    pytest.param([Lost(ONE), concluded(MAY_HAVE_ARRIVED)], Standing.UNKNOWN, id="rejected, and may have arrived"),
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
    pytest.param([Intent(ONE), concluded(CONFLICT)], Standing.CHANGED, id="changed by a conflict"),
    pytest.param([concluded(CONFLICT), Intent(ONE)], Standing.INTENDED, id="changed, intended again"),
    pytest.param([concluded(each) for each in NO_CONFLICT], None, id="changed in any other way"),
    pytest.param([concluded(COLLIDES)], None, id="a collision"),
    pytest.param([concluded(TO_SAY)], None, id="undecided"),
    pytest.param([concluded(FOR_EARLIER)], None, id="held for an earlier content"),
    pytest.param([concluded(REJECTED), concluded(COLLIDES)], Standing.REFUSED, id="rejected, then a collision"),
    pytest.param([Answered(ONE), concluded(TO_SAY)], Standing.ANSWERED, id="answered, then undecided"),
]


@pytest.mark.parametrize("size", [pytest.param(1, id="apart"), pytest.param(100, id="in one group")])
@pytest.mark.parametrize(("changes", "standing"), STANDINGS)
def test_an_event_stands_as_its_last_change_says_when_it_is_recalled(
    ledger: Ledger, changes: list[Change], standing: Standing | None, size: int
) -> None:
    """It is all the same whether its changes share a transaction; other content of it is told so, another event not."""
    for start in range(0, len(changes), size):
        ledger.commit(changes[start : start + size])

    known = set() if standing is None else {Seen(standing)}
    others = {each._replace(is_same_content=False, is_same_record=True) for each in known}
    assert seen(ledger, ONE, OTHER_CONTENT, event(2)) == [known, others, set()]


LATER: dict[str, Change] = {
    "intended": Intent(ONE),
    "taken back": Withdrawn(ONE),
    "taken back, and unknown": Withdrawn(ONE, was_unknown=True),
    "answered": Answered(ONE),
    "lost": Lost(ONE),
    "already delivered": concluded(AlreadyDelivered()),
    "rejected": concluded(REJECTED),
    "rejected, and may have arrived": concluded(MAY_HAVE_ARRIVED),
    "held as poisoned": concluded(POISONED),
    "held as unknown": concluded(UNKNOWN),
    "a collision": concluded(COLLIDES),
    "undecided": concluded(TO_SAY),
    "held for an earlier content": concluded(FOR_EARLIER),
    "changed by a conflict": concluded(CONFLICT),
}


@pytest.mark.parametrize("size", [pytest.param(1, id="apart"), pytest.param(2, id="in one group")])
@pytest.mark.parametrize("later", list(LATER.values()), ids=list(LATER))
def test_nothing_overwrites_a_delivery_when_it_comes_later(ledger: Ledger, later: Change, size: int) -> None:
    """What was delivered stays known as that, whatever is said of this content or of another."""
    changes = [concluded(Delivered()), later]
    for start in range(0, len(changes), size):
        ledger.commit(changes[start : start + size])
    ledger.commit([Lost(OTHER_CONTENT, row(ledger, ONE)), Intent(OTHER_CONTENT)])

    assert standings(ledger, ONE, OTHER_CONTENT) == [Standing.DELIVERED, Standing.INTENDED]


def test_each_content_stands_by_itself_when_one_event_has_several(ledger: Ledger) -> None:
    """One row for each identity and content; the same content of another event is another row."""
    contents = [event(number, event_id="x") for number in range(6)]
    elsewhere = event(9, event_id="y", content_of=contents[0].body)
    outcomes: list[Settled] = [Delivered(), REJECTED, UNKNOWN, CONFLICT]

    ledger.commit([concluded(outcome, part) for outcome, part in zip(outcomes, contents, strict=False)])
    ledger.commit([Intent(contents[4]), Intent(contents[4]), Answered(contents[4]), concluded(COLLIDES, contents[5])])

    stand = [Standing.DELIVERED, Standing.REFUSED, Standing.HELD_UNKNOWN, Standing.CHANGED, Standing.ANSWERED, None]
    assert standings(ledger, *contents) == stand
    assert len(ledger.recall([contents[5]])[0]) == 5
    assert seen(ledger, elsewhere) == [set()]


@pytest.mark.parametrize(
    ("changes", "at_once", "held", "replayed"),
    [
        pytest.param([], Send(), Send(), Send(), id="nothing"),
        pytest.param([concluded(Delivered())], *[AlreadyDelivered()] * 3, id="delivered"),
        pytest.param(
            [concluded(Delivered(), OTHER_CONTENT)],
            *[Changed(cause=ChangeCause.SAME_RECORD, is_said=False)] * 3,
            id="delivered with other content",
        ),
        pytest.param(
            [concluded(Delivered(), event(2, event_id=ONE.event_id))],
            *[TO_SAY] * 3,
            id="other content of another record delivered",
        ),
        pytest.param([concluded(CONFLICT)], *[Changed(cause=ChangeCause.SETTLED, is_said=True)] * 3, id="changed"),
        pytest.param([Concluded(part=invalid_part(1), outcome=INVALID)], Send(), Send(), Send(), id="invalid"),
        pytest.param([concluded(REJECTED)], Send(), Send(), Send(), id="rejected"),
        pytest.param([concluded(POISONED)], Send(), Send(), Send(), id="held as poisoned"),
        pytest.param([concluded(COLLIDES)], Send(), Send(), Send(), id="held as a collision"),
        pytest.param([Intent(ONE), Answered(ONE)], Send(), Send(), Send(), id="answered"),
        pytest.param([Intent(ONE), Withdrawn(ONE)], Send(), Send(), Send(), id="surely not sent"),
        pytest.param([Intent(ONE)], Send(was_unknown=True), UNKNOWN, Send(was_unknown=True), id="an intent last"),
        pytest.param([Lost(ONE)], Send(was_unknown=True), UNKNOWN, Send(was_unknown=True), id="lost last"),
        pytest.param([concluded(UNKNOWN)], UNKNOWN, UNKNOWN, Send(was_unknown=True), id="held as unknown"),
    ],
)
def test_an_event_is_sent_or_not_by_what_is_known_when_it_comes_again(
    ledger: Ledger, changes: list[Change], at_once: object, held: object, replayed: object
) -> None:
    """With `on_unknown: retry`, with `hold`, and from the kept rows whatever the setting."""
    ledger.commit(changes)

    (known,) = ledger.recall([ONE])
    assert admit(known, on_changed=None, holds_unknown=False, is_replay=False).verdict == at_once
    assert admit(known, on_changed=None, holds_unknown=True, is_replay=False).verdict == held
    assert admit(known, on_changed=None, holds_unknown=True, is_replay=True).verdict == replayed


AFFILIATE = Capture(endpoint=Endpoint.AFFILIATE, source_id="capture-1", affiliate_id="a")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(event(1, source="capture-2"), id="another source"),
        pytest.param(event(1, source=AFFILIATE), id="another endpoint"),
        pytest.param(event(1, source=replace(AFFILIATE, affiliate_id="b")), id="another affiliate"),
        pytest.param(event(1, event_type="conversion"), id="another type"),
        pytest.param(event(1, event_name="deals"), id="another name"),
        pytest.param(event(1, event_id="x"), id="another id"),
        pytest.param(event(1, event_id=None), id="no id"),
    ],
)
def test_an_event_is_another_one_when_a_part_of_its_identity_differs(ledger: Ledger, other: Event) -> None:
    """Each part of the identity tells two events apart; their persons and their records do not."""
    ledger.commit([concluded(Delivered()), concluded(REJECTED, event(1, source=AFFILIATE))])

    assert seen(ledger, other) != seen(ledger, ONE)
    assert seen(ledger, event(1, person="p")) == seen(ledger, ONE)
    assert seen(ledger, event(2, event_id=ONE.event_id, content_of=ONE.body)) == seen(ledger, ONE)


# Whom other content is about.

ALL = Who(person="p", email="ada@example.com", phone="555123456")


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param(ALL, ALL, Likeness.SAME, id="the same in all kinds"),
        pytest.param(
            ALL, ALL._replace(email="bob@example.com", phone="1"), Likeness.SAME, id="the strongest is the same"
        ),
        pytest.param(ALL, ALL._replace(person="q"), Likeness.OTHER, id="the strongest is another"),
        pytest.param(ALL, ALL._replace(person=None), Likeness.SAME, id="the strongest of both is the same"),
        pytest.param(
            ALL._replace(person=None),
            ALL._replace(email="bob@example.com"),
            Likeness.OTHER,
            id="the strongest of both is another",
        ),
        pytest.param(Who(phone="555123456"), ALL, Likeness.SAME, id="the weakest alone"),
        pytest.param(Who(phone="555123457"), ALL, Likeness.OTHER, id="the weakest alone, another"),
        pytest.param(Who(person="p"), ALL._replace(person=None), Likeness.UNTOLD, id="no kind in common"),
        pytest.param(NOBODY, ALL, Likeness.UNTOLD, id="ours names nobody"),
        pytest.param(ALL, NOBODY, Likeness.UNTOLD, id="theirs names nobody"),
        pytest.param(NOBODY, NOBODY, Likeness.UNTOLD, id="neither names anybody"),
        pytest.param(Who(person="p"), Who(email="p"), Likeness.UNTOLD, id="one value in two kinds"),
    ],
)
def test_two_contents_are_compared_by_the_strongest_kind_when_both_name_it(
    ledger: Ledger, ours: Who, theirs: Who, expected: Likeness
) -> None:
    """Whatever weaker kinds say, and in either direction."""
    first, second = event(1, event_id="x", who=theirs), event(2, event_id="x", who=ours)
    ledger.commit([concluded(Delivered(), first)])

    assert seen(ledger, second) == [{Seen(Standing.DELIVERED, is_same_content=False, who=expected)}]

    ledger.commit([concluded(Delivered(), second)])
    assert Seen(Standing.DELIVERED, is_same_content=False, who=expected) in seen(ledger, first)[0]


def test_nobody_is_compared_when_it_is_the_very_content(ledger: Ledger) -> None:
    """It is the same one, whoever it is about."""
    ledger.commit([concluded(Delivered(), event(1, person="p"))])

    assert seen(ledger, event(1, person="q")) == [{Seen(Standing.DELIVERED)}]


def test_each_content_is_compared_by_itself_when_there_are_several(ledger: Ledger) -> None:
    """Of several persons and records."""
    record = origin(1)
    ledger.commit([concluded(Delivered(), event(1, event_id="x", person="p", read=record))])
    ledger.commit([concluded(REJECTED, event(2, event_id="x", person="q")), Intent(event(3, event_id="x"))])

    other = Seen(Standing.DELIVERED, is_same_content=False)
    assert seen(ledger, event(4, event_id="x", person="p")) == [
        {
            other._replace(who=Likeness.SAME),
            other._replace(standing=Standing.REFUSED, who=Likeness.OTHER),
            other._replace(standing=Standing.INTENDED),
        }
    ]
    assert seen(ledger, event(4, event_id="x", read=record)) == [
        {
            other._replace(is_same_record=True),
            other._replace(standing=Standing.REFUSED),
            other._replace(standing=Standing.INTENDED),
        }
    ]


def test_the_latest_record_is_known_when_one_content_came_of_two(ledger: Ledger) -> None:
    """Until it was delivered: then it is the one that was sent."""
    first, second, third = (event(number, event_id="x", content_of=b"same") for number in (1, 2, 3))
    for change in (concluded(REJECTED, first), concluded(Delivered(), second), concluded(REJECTED, third)):
        ledger.commit([change])

    mapped_otherwise = [event(number, event_id="x", content_of=b"other") for number in (1, 2, 3)]
    assert [each.pop().is_same_record for each in seen(ledger, *mapped_otherwise)] == [False, True, False]


# Under which identity an event was known before.

OLD = event(1, event_id="old", person="p", content_of=b"as ever")
OLDER = event(2, event_id="older", person="q", content_of=b"as ever")


def test_an_event_is_looked_up_under_its_former_identities_when_it_has_some(ledger: Ledger) -> None:
    """Beside its own: the very content, other contents and whom they are about; what is not there is not told."""
    ledger.commit([concluded(Delivered(), OLD), concluded(REJECTED, event(3, event_id="old", person="p"))])
    ledger.commit([Lost(OLDER), Intent(event(4, event_id="new", person="q"))])

    renamed = event(5, event_id="new", person="p", content_of=b"as ever", former=[OLD, OLDER, event(6)])

    assert seen(ledger, renamed) == [
        {
            Seen(Standing.DELIVERED, is_former=True),
            Seen(Standing.REFUSED, is_same_content=False, who=Likeness.SAME, is_former=True),
            Seen(Standing.UNKNOWN, is_former=True),
            Seen(Standing.INTENDED, is_same_content=False, who=Likeness.OTHER),
        }
    ]
    assert seen(ledger, event(5, event_id="new", person="p", content_of=b"as ever")) == [
        {Seen(Standing.INTENDED, is_same_content=False, who=Likeness.OTHER)}
    ]


def test_a_record_is_known_again_when_its_former_identity_has_it(ledger: Ledger) -> None:
    """The mapping was mended, and changed beside."""
    ledger.commit([concluded(Delivered(), OLD)])

    renamed = event(1, event_id="new", former=[OLD])

    assert seen(ledger, renamed) == [
        {Seen(Standing.DELIVERED, is_same_content=False, is_same_record=True, is_former=True)}
    ]


def test_an_event_is_known_under_its_new_identity_when_it_was_delivered_under_a_former_one(ledger: Ledger) -> None:
    """From then on its mapping need not say it any more. It is not counted: nothing was delivered now."""
    ledger.commit([concluded(Delivered(), OLD)])
    renamed = event(5, event_id="new", person="p", content_of=b"as ever", former=[OLD])

    ledger.commit([concluded(AS_FORMER, renamed)])

    assert standings(ledger, renamed, OLD) == [Standing.DELIVERED, Standing.DELIVERED]
    assert seen(ledger, event(6, event_id="new", person="q")) == [
        {Seen(Standing.DELIVERED, is_same_content=False, who=Likeness.OTHER)}
    ]
    assert ledger.counts() == Counts(delivered=1)


# What is said of other content.


@pytest.mark.parametrize(
    ("change", "standing", "lost"),
    [
        pytest.param(Arrived, Standing.DELIVERED, 0, id="it arrived"),
        pytest.param(Lost, Standing.UNKNOWN, 1, id="its answer was lost"),
    ],
)
@pytest.mark.parametrize("before", [Intent(ONE), Lost(ONE), concluded(UNKNOWN)], ids=["intended", "lost", "held"])
def test_other_content_stands_as_it_is_said_to_when_an_event_tells_of_it(
    ledger: Ledger, before: Change, change: type[Arrived | Lost], standing: Standing, lost: int
) -> None:
    """The event itself stands as before, and so does every third content."""
    third = event(3, event_id=ONE.event_id)
    ledger.commit([before, Intent(third)])
    already = ledger.counts()

    ledger.commit([change(OTHER_CONTENT, row(ledger, ONE))])

    assert standings(ledger, ONE, OTHER_CONTENT, third) == [standing, None, Standing.INTENDED]
    assert ledger.counts() == replace(already, unknown=already.unknown + lost)


def test_both_contents_are_settled_when_one_transaction_tells_of_both(ledger: Ledger) -> None:
    """The earlier one arrived, and the newer one is thereby a change."""
    ledger.commit([Lost(ONE), Intent(OTHER_CONTENT)])

    ledger.commit([Arrived(OTHER_CONTENT, row(ledger, ONE)), concluded(CONFLICT, OTHER_CONTENT)])

    assert standings(ledger, ONE, OTHER_CONTENT) == [Standing.DELIVERED, Standing.CHANGED]


# The rest.


def test_nothing_is_known_when_an_event_has_no_identity(ledger: Ledger) -> None:
    """What became of it is counted all the same."""
    nobody = event(1, event_id=None)

    ledger.commit([Intent(nobody), Lost(nobody), concluded(Delivered(), nobody)])
    ledger.commit([concluded(REJECTED, event(2, event_id=None)), concluded(CONFLICT, nobody)])

    assert seen(ledger, nobody) == [set()]
    assert ledger.counts() == Counts(delivered=1, unknown=1, rejected=1)


def test_outcomes_are_counted_when_concluded(ledger: Ledger) -> None:
    """What the look-up settled is not counted; a lost answer is counted beside the outcomes, each time."""
    ledger.commit([concluded(Delivered()), concluded(AlreadyDelivered()), concluded(CONFLICT), concluded(AS_FORMER)])
    ledger.commit([concluded(REJECTED, event(2)), SUPERSEDED, Lost(event(3)), Lost(event(3))])
    ledger.commit([concluded(UNKNOWN, event(3)), concluded(POISONED, event(4))])
    ledger.commit([Concluded(part=invalid_part(5), outcome=INVALID), Concluded(part=invalid_part(6), outcome=INVALID)])
    ledger.commit([concluded(COLLIDES, event(7)), concluded(TO_SAY, event(8)), concluded(MAY_HAVE_ARRIVED, event(9))])

    assert ledger.counts() == Counts(delivered=1, rejected=3, held=4, invalid=2, unknown=2)


def test_nothing_is_counted_when_nothing_is_concluded(ledger: Ledger) -> None:
    """A request that began, was answered, or did not begin has no outcome yet."""
    ledger.commit([Intent(ONE), Answered(ONE), Withdrawn(ONE), Proven(ONE.capture), Forgotten("00" * 16)])
    ledger.commit([])

    assert ledger.counts() == Counts()


def test_nothing_else_changes_when_the_disk_is_waited_for(ledger: Ledger) -> None:
    """What stands, what is counted and what is proven stay as they are, and the ledger goes on."""
    ledger.secure()
    ledger.commit([concluded(Delivered()), Lost(event(2)), Proven(capture("a")), concluded(COLLIDES, event(3))])
    before = seen(ledger, ONE, event(2), event(3)), ledger.counts()

    ledger.secure()
    ledger.secure()

    assert (seen(ledger, ONE, event(2), event(3)), ledger.counts()) == before
    assert ledger.proven([capture("a")]) == [True]
    ledger.commit([Intent(event(3))])
    assert standings(ledger, event(3)) == [Standing.INTENDED]


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
    ledger.commit([concluded(Delivered(), each) for each in events[::2]])

    known = ledger.recall([*events, events[0]])

    assert [len(each) for each in known] == [int(position % 2 == 0) for position in range(2_100)] + [1]
    assert ledger.recall([]) == []


def test_a_ledger_may_be_closed_again_when_it_is_closed(ledger: Ledger) -> None:
    """Whoever ends a run need not know who closed it before."""
    ledger.close()
    ledger.close()
