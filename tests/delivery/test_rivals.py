"""Several contents under one identity, through the whole dispatcher: held, left out, sent as a change, in conflict."""

from __future__ import annotations

import pytest

from target_driftrock.delivery.admission import COLLISION, EARLIER_LOST, UNDECIDED
from target_driftrock.events.answer import NoAnswer, Reply
from target_driftrock.events.event import Event
from target_driftrock.events.outcome import (
    AlreadyDelivered,
    ChangeCause,
    Changed,
    Delivered,
    Held,
    HeldAs,
    Outcome,
    Rejected,
)
from target_driftrock.ledger.interface import Change, Concluded, Intent, Lost, Standing
from target_driftrock.settings import OnChanged
from tests.contract.recalling import standings
from tests.delivery.doubles import ACCEPTED, RecordingLedger, always, script, status
from tests.delivery.examples import event, origin
from tests.delivery.stage import Stage

SEND, SKIP = OnChanged.SEND, OnChanged.SKIP
BODY = b"the answer's body"
COLLIDES = Held(reason=COLLISION, kind=HeldAs.COLLISION)
FOR_EARLIER = Held(reason=EARLIER_LOST, is_unknown=True, was_sent=False)


def content(
    position: int, *, person: str | None = "p", on_changed: OnChanged | None = None, row: str | None = None
) -> Event:
    """The event `x` with the content that its record's number stands for. `row`: it is read from a kept row."""
    return event(position, event_id="x", person=person, on_changed=on_changed, read=origin(position, row=row))


def delivered(part: Event) -> Concluded:
    """It was delivered."""
    return Concluded(part=part, outcome=Delivered())


def left_by(*changes: Change) -> RecordingLedger:
    """The ledger that an earlier run left."""
    ledger = RecordingLedger()
    ledger.earlier(*changes)
    return ledger


FIRST = content(1)

# What is not sent.


@pytest.mark.parametrize("before", [delivered(FIRST), Lost(FIRST)], ids=["delivered", "perhaps accepted"])
@pytest.mark.parametrize("on_changed", [None, SKIP, SEND], ids=str)
@pytest.mark.parametrize("row", [None, "ab" * 16], ids=["read", "replayed"])
def test_an_event_is_held_when_its_identity_is_another_persons(
    before: Change, on_changed: OnChanged | None, row: str | None
) -> None:
    """No request, whatever the settings say of changes, and nothing else of the ledger changes."""
    collision = content(2, person="q", on_changed=on_changed, row=row)
    ledger = left_by(before)
    earlier = standings(ledger, FIRST)

    ending = Stage(ledger=ledger).play([collision])

    assert ending[2] == COLLIDES
    assert ending.transport.sent == []
    assert ending.ledger.changes(2) == ["Held"]
    assert standings(ending.ledger, FIRST, collision) == [*earlier, None]
    assert ending.ledger.counts().held == 1


def test_an_event_is_held_when_nobody_says_whose_it_is() -> None:
    """Other content that names nobody may be another person's: `on_changed` has to be said, or the id to be mended."""
    nobody = content(2, person=None)

    ending = Stage(ledger=left_by(delivered(content(1, person=None)))).play([nobody])

    assert ending[2] == Held(reason=UNDECIDED, kind=HeldAs.UNDECIDED)
    assert ending.transport.sent == []
    assert standings(ending.ledger, nobody) == [None]


@pytest.mark.parametrize("on_changed", [None, SKIP], ids=str)
@pytest.mark.parametrize(
    ("person", "cause"),
    [
        pytest.param("p", ChangeCause.SAME_PERSON, id="the same person's"),
        pytest.param(None, ChangeCause.SAID, id="nobody's, and it is said"),
    ],
)
def test_a_changed_event_is_left_out_when_changes_are_skipped(
    person: str | None, cause: ChangeCause, on_changed: OnChanged | None
) -> None:
    """A conversion counted twice buys the wrong advertising. Whether it was said, the outcome tells."""
    change = content(2, person=person, on_changed=on_changed or (SKIP if person is None else None))

    ending = Stage(ledger=left_by(delivered(FIRST))).play([change])

    assert ending[2] == Changed(cause=cause, is_said=change.on_changed is SKIP)
    assert ending.transport.sent == []
    assert standings(ending.ledger, change) == [None]


def test_a_changed_event_is_left_out_when_its_record_is_mapped_in_another_way() -> None:
    """The same record as read names nobody, and is the same all the same."""
    before = content(1, person=None)
    mapped = event(2, event_id="x", read=before.origin)

    ending = Stage(ledger=left_by(delivered(before))).play([mapped])

    assert ending[1] == Changed(cause=ChangeCause.SAME_RECORD, is_said=False)


# What is sent.


def test_a_changed_event_is_sent_once_when_the_settings_say_so() -> None:
    """Each content once, under the same identity, and it is told as a change; later runs know both."""
    change = content(2, on_changed=SEND)

    ending = Stage(ledger=left_by(delivered(FIRST))).play([change])
    again = Stage(ledger=ending.ledger).play([FIRST, content(3, on_changed=SEND), content(2, on_changed=SEND)])

    assert ending[2] == Delivered(is_change=True)
    assert ending.transport.serials() == [2]
    assert again.outcomes == [(1, AlreadyDelivered()), (3, Delivered(is_change=True)), (2, AlreadyDelivered())]
    assert again.transport.serials() == [3]


@pytest.mark.parametrize(
    ("before", "counted"),
    [
        pytest.param([Intent(FIRST)], 1, id="by a run that was killed"),
        pytest.param([Intent(FIRST), Lost(FIRST)], 0, id="and counted then"),
        pytest.param(
            [Lost(FIRST), Concluded(part=FIRST, outcome=Held(reason="its answer was lost", is_unknown=True))],
            0,
            id="and held",
        ),
    ],
)
@pytest.mark.parametrize("on_changed", [None, SKIP, SEND], ids=str)
def test_newer_content_is_sent_when_an_earlier_one_was_perhaps_accepted(
    before: list[Change], counted: int, on_changed: OnChanged | None
) -> None:
    """A lost lead is worse than one told twice; the earlier request is counted as unknown, once."""
    newer = content(2, on_changed=on_changed)
    ledger = left_by(*before)
    (earlier,), already = standings(ledger, FIRST), ledger.counts().unknown

    ending = Stage(ledger=ledger).play([newer])

    assert ending[2] == Delivered()
    assert ending.statistics.unknown == counted
    assert ending.ledger.counts().unknown == already + counted
    assert standings(ending.ledger, FIRST, newer) == [
        Standing.UNKNOWN if earlier is Standing.INTENDED else earlier,
        Standing.DELIVERED,
    ]


@pytest.mark.parametrize("before", [Intent(FIRST), Lost(FIRST)], ids=["by a run that was killed", "and counted then"])
def test_newer_content_is_held_when_an_earlier_one_was_perhaps_accepted_and_unknowns_are_held(
    before: Change,
) -> None:
    """Under `on_unknown: hold` a person decides, and a replay sends it. It was not sent, so it defends nothing."""
    newer = content(2)

    ending = Stage(ledger=left_by(before), holds_unknown=True).play([newer])
    held = standings(ending.ledger, newer)
    replayed = Stage(ledger=ending.ledger, holds_unknown=True).play([content(2, row="ab" * 16)])

    assert ending[2] == FOR_EARLIER
    assert ending.transport.sent == []
    assert ending.statistics.unknown == isinstance(before, Intent)
    assert held == [None], "It was never sent, so it defends nothing."
    assert replayed[2] == Delivered()


@pytest.mark.parametrize("person", ["p", "q", None])
@pytest.mark.parametrize(
    "before",
    [
        pytest.param(Concluded(part=FIRST, outcome=Rejected(status=400)), id="rejected"),
        pytest.param(Concluded(part=FIRST, outcome=Held(reason="it fails while others do well")), id="poisoned"),
        pytest.param(Concluded(part=FIRST, outcome=COLLIDES), id="held as a collision"),
    ],
)
def test_other_content_is_sent_when_the_earlier_one_was_surely_not_accepted(before: Change, person: str | None) -> None:
    """It defends nothing, and stays as it is."""
    ledger = left_by(before)
    earlier = standings(ledger, FIRST)

    ending = Stage(ledger=ledger).play([content(2, person=person)])

    assert ending[2] == Delivered()
    assert standings(ending.ledger, FIRST) == earlier


# In one run.


@pytest.mark.parametrize(
    ("person", "on_changed", "replies", "outcome", "sent"),
    [
        pytest.param("p", None, [ACCEPTED], "Changed", [1], id="the same person's"),
        pytest.param("p", SEND, [ACCEPTED], "Delivered", [1, 2], id="the same person's, sent"),
        pytest.param("q", None, [ACCEPTED], "Held", [1], id="another's"),
        pytest.param("q", SEND, [ACCEPTED], "Held", [1], id="another's, sent"),
        pytest.param("q", None, [status(503), ACCEPTED], "Held", [1, 1], id="after a retry"),
        pytest.param("q", None, [NoAnswer.LOST, ACCEPTED], "Held", [1, 1], id="after a lost answer"),
        pytest.param("q", None, [status(400)], "Delivered", [1, 2], id="after a rejection"),
    ],
)
def test_contents_of_one_identity_go_one_after_the_other_when_read_together(
    person: str, on_changed: OnChanged | None, replies: list[Reply], outcome: str, sent: list[int]
) -> None:
    """Whomever they are about: the second is judged when the first has its outcome."""
    second = content(2, person=person, on_changed=on_changed)

    ending = Stage(react=script({1: replies}), commit_seconds=0.3).play([FIRST, second])

    assert ending.kinds()[2] == outcome
    assert ending.transport.serials() == sent
    assert ending.transport.most_flying == 1
    assert [position for position, _ in ending.outcomes] == [1, 2]


def test_newer_content_is_held_when_the_first_loses_its_answer_in_the_same_run() -> None:
    """Under `on_unknown: hold` both wait for a person."""
    ending = Stage(react=script({1: [NoAnswer.LOST]}), holds_unknown=True).play([FIRST, content(2), content(3)])

    assert ending[1] == Held(reason="its answer was lost", is_unknown=True)
    assert ending[2] == ending[3] == FOR_EARLIER
    assert ending.statistics.unknown == 1


def test_a_third_content_is_judged_by_all_before_it_when_read_together() -> None:
    """Two of one person, sent as changes, and then another person's."""
    ending = Stage().play([FIRST, content(2, on_changed=SEND), content(3, person="q", on_changed=SEND)])

    assert ending.kinds() == {1: "Delivered", 2: "Delivered", 3: "Held"}
    assert ending.transport.serials() == [1, 2]


# A 409.


def test_a_409_rejects_a_change_when_the_other_content_was_delivered() -> None:
    """The API takes each id once: the other content is what is there."""
    change = content(2, on_changed=SEND)

    ending = Stage(ledger=left_by(delivered(FIRST)), react=always({2: status(409)})).play([change])

    assert ending[2] == Rejected(status=409, excerpt=BODY)
    assert standings(ending.ledger, FIRST, change) == [Standing.DELIVERED, Standing.REFUSED]


@pytest.mark.parametrize("between", [[], [status(501)], [NoAnswer.NOT_SENT]], ids=["at once", "501", "no connection"])
def test_a_409_leaves_a_change_unknown_when_its_own_answer_was_lost_before(between: list[Reply]) -> None:
    """It may be about either content: the row says that it may have arrived, and the ledger that it is unknown."""
    change = content(2, on_changed=SEND)
    replies: list[Reply] = [NoAnswer.LOST, *between, status(409)]

    ending = Stage(ledger=left_by(delivered(FIRST)), react=script({2: replies})).play([change])
    again = Stage(ledger=ending.ledger, react=script({2: [status(409)]})).play([change])

    rejected = Rejected(status=409, excerpt=BODY, may_have_arrived=True)
    assert ending[2] == again[2] == rejected
    assert rejected.reason == "status 409, after a lost answer: it may have arrived"
    assert standings(again.ledger, FIRST, change) == [Standing.DELIVERED, Standing.UNKNOWN]
    assert ending.ledger.counts().unknown == 1


def test_a_rejection_says_nothing_of_a_lost_answer_when_it_is_no_409() -> None:
    """Any other refusal is about the request that it answers, and settles the event."""
    replies: list[Reply] = [NoAnswer.LOST, status(422)]

    ending = Stage(ledger=left_by(delivered(FIRST)), react=script({2: replies})).play([content(2, on_changed=SEND)])

    assert ending[2] == Rejected(status=422, excerpt=BODY)


@pytest.mark.parametrize(
    ("on_changed", "outcome", "standing"),
    [
        pytest.param(None, Changed(cause=ChangeCause.CONFLICT, is_said=False), Standing.CHANGED, id="not said"),
        pytest.param(SKIP, Changed(cause=ChangeCause.CONFLICT, is_said=True), Standing.CHANGED, id="skip"),
        pytest.param(SEND, Rejected(status=409, excerpt=BODY), Standing.REFUSED, id="send"),
    ],
)
@pytest.mark.parametrize("before", [Intent(FIRST), Lost(FIRST)], ids=["by a run that was killed", "and counted then"])
def test_a_409_settles_the_earlier_content_when_that_was_perhaps_accepted(
    before: Change, on_changed: OnChanged | None, outcome: Outcome, standing: Standing
) -> None:
    """It arrived, so this one is a change of it; what the two are is settled in one transaction."""
    newer = content(2, on_changed=on_changed)

    ending = Stage(ledger=left_by(before), react=always({2: status(409)})).play([newer])

    assert ending[2] == outcome
    assert standings(ending.ledger, FIRST, newer) == [Standing.DELIVERED, standing]
    assert ending.transport.serials() == [2]
    (last,) = [commit for commit in ending.ledger.commits if any(isinstance(each, Concluded) for each in commit)]
    assert [type(each).__name__ for each in last] == ["Arrived", "Concluded"]


def test_what_a_409_settled_stays_settled_when_it_is_read_again() -> None:
    """The earlier content is already delivered, the newer one a change; nothing is sent."""
    ending = Stage(ledger=left_by(Lost(FIRST)), react=always({2: status(409)})).play([content(2)])

    again = Stage(ledger=ending.ledger).play([FIRST, content(2)])

    assert again[1] == AlreadyDelivered()
    assert again[2] == Changed(cause=ChangeCause.SETTLED, is_said=True)
    assert again.transport.sent == []


def test_every_earlier_content_is_settled_when_several_were_perhaps_accepted() -> None:
    """Which of them arrived nobody can tell; one of another standing stays as it is."""
    refused = Concluded(part=content(3), outcome=Rejected(status=400))
    ledger = left_by(Lost(FIRST), Intent(content(2)), refused)

    ending = Stage(ledger=ledger, react=always({4: status(409)})).play([content(4)])

    assert ending.kinds() == {4: "Changed"}
    assert standings(ending.ledger, FIRST, content(2), content(3)) == [
        Standing.DELIVERED,
        Standing.DELIVERED,
        Standing.REFUSED,
    ]


def test_a_409_after_a_lost_answer_leaves_it_unknown_when_an_earlier_content_was_perhaps_accepted_and_sent_too() -> (
    None
):
    """One of the two arrived; what was said to be sent is not called a change on such a doubt."""
    newer = content(2, on_changed=SEND)

    ending = Stage(ledger=left_by(Lost(FIRST)), react=script({2: [NoAnswer.LOST, status(409)]})).play([newer])

    assert ending[2] == Rejected(status=409, excerpt=BODY, may_have_arrived=True)
    assert standings(ending.ledger, newer) == [Standing.UNKNOWN]


@pytest.mark.parametrize("person", ["p", "q", None])
@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        pytest.param([status(409)], "Rejected", id="first"),
        pytest.param([NoAnswer.LOST, status(409)], "Delivered", id="after a lost answer"),
    ],
)
def test_a_409_means_what_it_always_does_when_the_other_content_was_refused(
    replies: list[Reply], outcome: str, person: str | None
) -> None:
    """What was refused is not there, and causes no conflict."""
    ledger = left_by(Concluded(part=FIRST, outcome=Rejected(status=400)))

    ending = Stage(ledger=ledger, react=script({2: replies})).play([content(2, person=person)])

    assert ending.kinds() == {2: outcome}


def test_the_next_event_goes_when_a_409_settles_another_one_at_a_new_capture() -> None:
    """It is no refusal by the capture, and holds nobody up there."""
    parts = [content(2), *(event(number) for number in range(10, 20))]
    react = always({2: status(409)})

    ending = Stage(ledger=left_by(Lost(FIRST)), react=react, proven=()).play(parts)

    assert ending.error is None
    assert ending.kinds() == {2: "Changed", **dict.fromkeys(range(10, 20), "Delivered")}


# Identities from before a mapping was mended.

OLD = event(1, event_id="old", person="p", content_of=b"as ever")


def mended(position: int = 2, *, person: str = "p", content_of: bytes | None = b"as ever") -> Event:
    """The event `x`, which was `old` before its mapping was mended."""
    return event(position, event_id="x", person=person, content_of=content_of, former=[OLD])


def test_an_event_is_not_sent_again_when_it_was_delivered_under_its_former_identity() -> None:
    """It is known under the new one from then on, without the mapping's word."""
    ending = Stage(ledger=left_by(delivered(OLD))).play([mended()])
    later = Stage(ledger=ending.ledger).play([event(2, event_id="x", content_of=b"as ever")])

    assert ending[2] == AlreadyDelivered(as_former=True)
    assert ending.ledger.counts().delivered == 1
    assert later[2] == AlreadyDelivered()
    assert ending.transport.sent == later.transport.sent == []


@pytest.mark.parametrize(
    ("part", "outcome"),
    [
        pytest.param(mended(content_of=None), "Changed", id="the same person's"),
        pytest.param(mended(content_of=None, person="q"), "Delivered", id="another's is a new event"),
    ],
)
def test_other_content_is_compared_when_its_former_identity_was_delivered(part: Event, outcome: str) -> None:
    """That the old id did not tell two persons apart was what was wrong with it."""
    ending = Stage(ledger=left_by(delivered(OLD))).play([part])

    assert ending.kinds() == {2: outcome}


@pytest.mark.parametrize(
    ("before", "counted"), [pytest.param(Intent(OLD), 1, id="killed"), pytest.param(Lost(OLD), 0, id="counted then")]
)
def test_an_event_is_unknown_when_its_former_identity_was_perhaps_accepted(before: Change, counted: int) -> None:
    """It is sent again, and a conflict means that it arrived; the old row is counted as lost, once."""
    ending = Stage(ledger=left_by(before), react=always({2: status(409)})).play([mended()])

    assert ending[2] == Delivered()
    assert ending.statistics.unknown == counted
    assert standings(ending.ledger, OLD, mended()) == [Standing.UNKNOWN, Standing.DELIVERED]


def test_a_409_is_about_this_event_when_only_its_former_identity_was_delivered() -> None:
    """The API knows the former one under another id, which is in nobody's way."""
    part = mended(content_of=None, person="q")

    ending = Stage(ledger=left_by(delivered(OLD)), react=script({2: [NoAnswer.LOST, status(409)]})).play([part])

    assert ending[2] == Delivered()
