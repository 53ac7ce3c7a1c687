"""What the ledger's memory means for sending: the whole table, and what is not said in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest

from target_driftrock.delivery.admission import (
    ANSWER_LOST,
    COLLISION,
    EARLIER_LOST,
    UNDECIDED,
    Admission,
    Send,
    admit,
)
from target_driftrock.events.outcome import AlreadyDelivered, ChangeCause, Changed, Held, HeldAs
from target_driftrock.ledger.interface import DEFENDING, PERHAPS_ACCEPTED, Known, Likeness, Standing
from target_driftrock.settings import OnChanged

Verdict = Send | AlreadyDelivered | Changed | Held

SKIP, SEND = OnChanged.SKIP, OnChanged.SEND
SAID = [None, SKIP, SEND]
SAME, OTHER, UNTOLD = Likeness.SAME, Likeness.OTHER, Likeness.UNTOLD
PERHAPS = [each for each in Standing if each in PERHAPS_ACCEPTED]
DEFENDS = [each for each in Standing if each in DEFENDING]
DEFENDS_NOTHING = [each for each in Standing if each not in DEFENDING]

PLANS = list(product([False, True], repeat=2))
PAIRS = list(product(Likeness, [False, True]))

HELD = Held(reason=ANSWER_LOST, is_unknown=True)
HELD_FOR_EARLIER = Held(reason=EARLIER_LOST, is_unknown=True, was_sent=False)
COLLIDES = Held(reason=COLLISION, kind=HeldAs.COLLISION)
TO_SAY = Held(reason=UNDECIDED, kind=HeldAs.UNDECIDED)


def same(standing: Standing, *, former: bool = False) -> Known:
    """This very content."""
    return Known(standing=standing, row=(b"identity", b"same"), is_same_content=True, is_former=former)


def other(standing: Standing, who: Likeness = UNTOLD, *, record: bool = False, former: bool = False) -> Known:
    """Other content of the same event; `record`: of the same record as read."""
    return Known(
        standing=standing,
        row=(b"identity", b"other"),
        is_same_content=False,
        is_same_record=record,
        who=who,
        is_former=former,
    )


def admitted(
    *known: Known, on_changed: OnChanged | None = None, holds_unknown: bool = False, is_replay: bool = False
) -> Admission:
    """What becomes of the event that these contents are known of."""
    return admit(known, on_changed=on_changed, holds_unknown=holds_unknown, is_replay=is_replay)


def verdicts(*known: Known, holds_unknown: bool = False, is_replay: bool = False) -> list[Verdict]:
    """Where `on_changed` is not said, `skip`, and `send`."""
    return [
        admitted(*known, on_changed=said, holds_unknown=holds_unknown, is_replay=is_replay).verdict for said in SAID
    ]


def changed(cause: ChangeCause) -> list[Verdict]:
    """What becomes of a change of what was delivered: not said, `skip`, and `send`."""
    return [Changed(cause=cause, is_said=False), Changed(cause=cause, is_said=True), Send(is_change=True)]


def name(value: Known | Standing | Likeness) -> str:
    """How what the ledger holds is called."""
    if not isinstance(value, Known):
        return value.name.lower()
    of = "same content" if value.is_same_content else called(value.who, record=value.is_same_record)
    return f"{'former ' * value.is_former}{value.standing.name.lower()}, {of}"


def called(who: Likeness, *, record: bool) -> str:
    """How other content is called."""
    return f"{who.name.lower()} who{' of the same record' * record}"


def named(table: Sequence[tuple[Any, ...]]) -> list[str]:
    """The names of a table's rows."""
    return [name(row[0]) for row in table]


@pytest.mark.parametrize("on_changed", SAID, ids=str)
@pytest.mark.parametrize(
    ("holds_unknown", "is_replay"), PLANS, ids=["retry", "retry, replayed", "hold", "hold, replayed"]
)
def test_an_event_is_sent_when_nothing_is_known(
    on_changed: OnChanged | None,
    holds_unknown: bool,  # noqa: FBT001 - of the table
    is_replay: bool,  # noqa: FBT001 - of the table
) -> None:
    """Whatever the settings."""
    found = admitted(on_changed=on_changed, holds_unknown=holds_unknown, is_replay=is_replay)

    assert found == Admission(verdict=Send())


# The very content.

AGAIN = Send(was_unknown=True)
VERY_CONTENT: list[tuple[Standing, Verdict, Verdict, Verdict]] = [  # under retry, under hold, replayed under hold
    (Standing.DELIVERED, AlreadyDelivered(), AlreadyDelivered(), AlreadyDelivered()),
    (Standing.REFUSED, Send(), Send(), Send()),
    (Standing.ANSWERED, Send(), Send(), Send()),
    (Standing.INTENDED, AGAIN, HELD, AGAIN),
    (Standing.UNKNOWN, AGAIN, HELD, AGAIN),
    (Standing.HELD_UNKNOWN, HELD, HELD, AGAIN),
]


def test_the_table_of_the_very_content_is_whole_when_a_standing_is_added() -> None:
    """Each has its row; a settled change is judged by `on_changed`, below."""
    assert {row[0] for row in VERY_CONTENT} == set(Standing) - {Standing.CHANGED}


@pytest.mark.parametrize(("standing", "under_retry", "under_hold", "replayed"), VERY_CONTENT, ids=named(VERY_CONTENT))
def test_an_event_is_admitted_by_its_very_content_when_that_is_known(
    standing: Standing, under_retry: Verdict, under_hold: Verdict, replayed: Verdict
) -> None:
    """`on_changed` does not matter: it is no change."""
    assert verdicts(same(standing)) == [under_retry] * 3
    assert verdicts(same(standing), holds_unknown=True) == [under_hold] * 3
    assert verdicts(same(standing), holds_unknown=True, is_replay=True) == [replayed] * 3


@pytest.mark.parametrize("standing", Standing, ids=name)
def test_an_earlier_request_is_in_doubt_when_this_content_may_have_been_accepted(standing: Standing) -> None:
    """It is counted as lost once, whether the event is sent or held; nothing else is in doubt."""
    doubtful = (same(standing),) if standing in PERHAPS_ACCEPTED else ()

    assert admitted(same(standing)).doubtful == doubtful
    assert admitted(same(standing), holds_unknown=True).doubtful == doubtful


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([], id="alone"),
        pytest.param([other(Standing.DELIVERED, SAME)], id="beside the same person's"),
        pytest.param([other(Standing.DELIVERED, OTHER)], id="beside another person's"),
        pytest.param([other(Standing.UNKNOWN)], id="beside an unknown one"),
    ],
)
def test_a_settled_change_stays_one_when_it_comes_again(others: list[Known]) -> None:
    """Until the settings say that changes are sent."""
    settled = Changed(cause=ChangeCause.SETTLED, is_said=True)

    for known in ([same(Standing.CHANGED), *others], [*others, same(Standing.CHANGED)]):
        assert verdicts(*known) == [settled, settled, Send(is_change=True)]
        assert verdicts(*known, holds_unknown=True) == [settled, settled, Send(is_change=True)]


@pytest.mark.parametrize("who", Likeness, ids=name)
@pytest.mark.parametrize("beside", DEFENDS, ids=name)
@pytest.mark.parametrize("standing", DEFENDS, ids=name)
def test_the_very_content_decides_when_other_content_defends_the_identity_too(
    standing: Standing, beside: Standing, who: Likeness
) -> None:
    """What was, or may have been, accepted once is never a collision or a change."""
    known = [other(beside, who), same(standing)]

    assert admitted(*known) == admitted(same(standing))
    assert admitted(*known, holds_unknown=True) == admitted(same(standing), holds_unknown=True)


@pytest.mark.parametrize("standing", [Standing.REFUSED, Standing.ANSWERED], ids=name)
def test_the_others_decide_when_the_very_content_was_surely_not_accepted(standing: Standing) -> None:
    """It is judged against them like one that is not known."""
    assert verdicts(same(standing), other(Standing.DELIVERED, OTHER)) == [COLLIDES] * 3
    assert verdicts(same(standing), other(Standing.DELIVERED, SAME)) == changed(ChangeCause.SAME_PERSON)
    assert verdicts(same(standing), other(Standing.REFUSED, OTHER)) == [Send()] * 3


# Other contents.


@pytest.mark.parametrize("is_former", [False, True], ids=["own identity", "former identity"])
@pytest.mark.parametrize(("who", "record"), PAIRS, ids=[called(who, record=record) for who, record in PAIRS])
@pytest.mark.parametrize("standing", DEFENDS_NOTHING, ids=name)
def test_an_event_is_sent_when_other_content_defends_nothing(
    standing: Standing,
    who: Likeness,
    record: bool,  # noqa: FBT001 - of the table
    is_former: bool,  # noqa: FBT001 - of the table
) -> None:
    """Rejected, held for its content, answered, or not sent: whoever it is about, it keeps nobody back."""
    known = other(standing, who, record=record, former=is_former)

    assert verdicts(known) == verdicts(known, holds_unknown=True) == [Send()] * 3
    assert admitted(known).doubtful == ()


NEWER: list[Verdict] = [Send()] * 3
NEWER_IF_SAID: list[Verdict] = [TO_SAY, Send(), Send()]
NEWER_HELD: list[Verdict] = [HELD_FOR_EARLIER] * 3
NEWER_HELD_IF_SAID: list[Verdict] = [TO_SAY, HELD_FOR_EARLIER, HELD_FOR_EARLIER]
UNSAID: list[Verdict] = [
    TO_SAY,
    Changed(cause=ChangeCause.SAID, is_said=True),
    Send(is_change=True),
]

DELIVERED_OTHERS: list[tuple[Known, list[Verdict]]] = [  # on_changed not said, skip, send
    (other(Standing.DELIVERED, OTHER), [COLLIDES] * 3),
    (other(Standing.DELIVERED, OTHER, record=True), [COLLIDES] * 3),
    (other(Standing.DELIVERED, SAME), changed(ChangeCause.SAME_PERSON)),
    (other(Standing.DELIVERED, SAME, record=True), changed(ChangeCause.SAME_PERSON)),
    (other(Standing.DELIVERED, UNTOLD, record=True), changed(ChangeCause.SAME_RECORD)),
    (other(Standing.DELIVERED, UNTOLD), UNSAID),
]


@pytest.mark.parametrize(
    ("holds_unknown", "is_replay"), PLANS, ids=["retry", "retry, replayed", "hold", "hold, replayed"]
)
@pytest.mark.parametrize(("known", "expected"), DELIVERED_OTHERS, ids=named(DELIVERED_OTHERS))
def test_an_event_is_held_or_changed_when_other_content_was_delivered(
    known: Known,
    expected: list[Verdict],
    holds_unknown: bool,  # noqa: FBT001 - of the table
    is_replay: bool,  # noqa: FBT001 - of the table
) -> None:
    """By whom the two are about; nothing of it is unknown, and a replay that collides stays held."""
    assert verdicts(known, holds_unknown=holds_unknown, is_replay=is_replay) == expected
    assert admitted(known, holds_unknown=holds_unknown, is_replay=is_replay).doubtful == ()


PERHAPS_OTHERS: list[tuple[Likeness, bool, list[Verdict], list[Verdict]]] = [  # who, same record, under retry, hold
    (OTHER, False, [COLLIDES] * 3, [COLLIDES] * 3),
    (OTHER, True, [COLLIDES] * 3, [COLLIDES] * 3),
    (SAME, False, NEWER, NEWER_HELD),
    (SAME, True, NEWER, NEWER_HELD),
    (UNTOLD, True, NEWER, NEWER_HELD),
    (UNTOLD, False, NEWER_IF_SAID, NEWER_HELD_IF_SAID),
]


@pytest.mark.parametrize("standing", PERHAPS, ids=name)
@pytest.mark.parametrize(
    ("who", "record", "under_retry", "under_hold"),
    PERHAPS_OTHERS,
    ids=[called(row[0], record=row[1]) for row in PERHAPS_OTHERS],
)
def test_the_newer_content_is_sent_when_other_content_was_perhaps_accepted(
    standing: Standing,
    who: Likeness,
    record: bool,  # noqa: FBT001 - of the table
    under_retry: list[Verdict],
    under_hold: list[Verdict],
) -> None:
    """No request for this one was lost, so it is no repeat; under `on_unknown: hold` a person decides, or replays."""
    known = other(standing, who, record=record)

    assert verdicts(known) == under_retry
    assert verdicts(known, holds_unknown=True) == under_hold
    assert verdicts(known, holds_unknown=True, is_replay=True) == under_retry


@pytest.mark.parametrize("standing", PERHAPS, ids=name)
def test_the_other_request_is_in_doubt_when_the_newer_content_goes_on(standing: Standing) -> None:
    """Not where the event is held for its identity: then it changes nothing of the other one."""
    for holds_unknown in (False, True):
        doubtful = [admitted(other(standing, who), holds_unknown=holds_unknown).doubtful for who in Likeness]

        assert doubtful == [(other(standing, SAME),), (), ()]
        assert admitted(other(standing), on_changed=SKIP).doubtful == (other(standing),)


SEVERAL: list[tuple[str, list[Known], list[Verdict]]] = [
    (
        "the same person's and another's",
        [other(Standing.DELIVERED, SAME), other(Standing.DELIVERED, OTHER)],
        [COLLIDES] * 3,
    ),
    (
        "the same person's, and perhaps another's",
        [other(Standing.DELIVERED, SAME), other(Standing.UNKNOWN, OTHER)],
        [COLLIDES] * 3,
    ),
    (
        "the same person's, and a refused one of another",
        [other(Standing.DELIVERED, SAME), other(Standing.REFUSED, OTHER)],
        changed(ChangeCause.SAME_PERSON),
    ),
    (
        "the same person's, and nobody's",
        [other(Standing.DELIVERED), other(Standing.DELIVERED, SAME)],
        changed(ChangeCause.SAME_PERSON),
    ),
    (
        "the same record's, and nobody's",
        [other(Standing.DELIVERED), other(Standing.DELIVERED, record=True)],
        changed(ChangeCause.SAME_RECORD),
    ),
    (
        "the same person's twice, delivered and unknown",
        [other(Standing.UNKNOWN, SAME), other(Standing.DELIVERED, SAME)],
        changed(ChangeCause.SAME_PERSON),
    ),
    (
        "the same person's unknown, and nobody's delivered",
        [other(Standing.UNKNOWN, SAME), other(Standing.DELIVERED)],
        NEWER,
    ),
    ("nobody's, delivered and unknown", [other(Standing.UNKNOWN), other(Standing.DELIVERED)], UNSAID),
]


@pytest.mark.parametrize(("known", "expected"), [row[1:] for row in SEVERAL], ids=[row[0] for row in SEVERAL])
def test_all_that_defend_are_asked_when_there_are_several(known: list[Known], expected: list[Verdict]) -> None:
    """In whatever order: one of another person is a collision; else the related ones decide, and what was delivered."""
    assert verdicts(*known) == verdicts(*reversed(known)) == expected


def test_only_related_requests_are_in_doubt_when_there_are_several() -> None:
    """What is about nobody is not what this content would repeat."""
    related, unrelated = other(Standing.UNKNOWN, SAME), other(Standing.INTENDED)

    assert admitted(unrelated, related).doubtful == (related,)
    assert admitted(unrelated, on_changed=SEND).doubtful == (unrelated,)


# A content that was settled as a change before.


@pytest.mark.parametrize("who", Likeness, ids=name)
def test_later_content_is_a_change_when_one_of_the_same_person_was_settled_as_one(who: Likeness) -> None:
    """A corrected address that was settled by hand is that person's from then on, and collides no more."""
    known = [other(Standing.DELIVERED, who), other(Standing.CHANGED, SAME)]

    assert verdicts(*known) == verdicts(*reversed(known)) == changed(ChangeCause.SAME_PERSON)
    assert verdicts(other(Standing.UNKNOWN, who), other(Standing.CHANGED, SAME)) == NEWER


@pytest.mark.parametrize("who", [OTHER, UNTOLD], ids=name)
def test_later_content_still_collides_when_another_persons_was_settled_as_a_change(who: Likeness) -> None:
    """Nor does a settled one of nobody say whose it is."""
    assert verdicts(other(Standing.DELIVERED, OTHER), other(Standing.CHANGED, who)) == [COLLIDES] * 3


# Identities that events had before their mapping was mended.

AS_FORMER = AlreadyDelivered(as_former=True)
FORMER_VERY_CONTENT: list[tuple[Standing, Verdict, Verdict, Verdict]] = [  # under retry, under hold, replayed
    (Standing.DELIVERED, AS_FORMER, AS_FORMER, AS_FORMER),
    (Standing.REFUSED, Send(), Send(), Send()),
    (Standing.ANSWERED, Send(), Send(), Send()),
    (Standing.CHANGED, Send(), Send(), Send()),
    (Standing.INTENDED, AGAIN, HELD, AGAIN),
    (Standing.UNKNOWN, AGAIN, HELD, AGAIN),
    (Standing.HELD_UNKNOWN, HELD, HELD, AGAIN),
]


@pytest.mark.parametrize(
    ("standing", "under_retry", "under_hold", "replayed"), FORMER_VERY_CONTENT, ids=named(FORMER_VERY_CONTENT)
)
def test_an_event_is_admitted_by_its_former_identity_when_its_content_is_known_there(
    standing: Standing, under_retry: Verdict, under_hold: Verdict, replayed: Verdict
) -> None:
    """What was delivered is not sent again, and what may have been is unknown; all else is a new event."""
    known = same(standing, former=True)

    assert verdicts(known) == [under_retry] * 3
    assert verdicts(known, holds_unknown=True) == [under_hold] * 3
    assert verdicts(known, holds_unknown=True, is_replay=True) == [replayed] * 3
    assert admitted(known).doubtful == ((known,) if standing in PERHAPS_ACCEPTED else ())


FORMER_OTHERS: list[tuple[Known, list[Verdict]]] = [
    (other(Standing.DELIVERED, OTHER, former=True), [Send()] * 3),
    (other(Standing.UNKNOWN, OTHER, former=True), [Send()] * 3),
    (other(Standing.DELIVERED, SAME, former=True), changed(ChangeCause.SAME_PERSON)),
    (other(Standing.DELIVERED, OTHER, record=True, former=True), changed(ChangeCause.SAME_RECORD)),
    (other(Standing.DELIVERED, UNTOLD, record=True, former=True), changed(ChangeCause.SAME_RECORD)),
    (other(Standing.DELIVERED, UNTOLD, former=True), UNSAID),
    (other(Standing.UNKNOWN, SAME, former=True), NEWER),
    (other(Standing.UNKNOWN, UNTOLD, former=True), NEWER_IF_SAID),
]


@pytest.mark.parametrize(("known", "expected"), FORMER_OTHERS, ids=named(FORMER_OTHERS))
def test_an_event_is_new_when_its_former_identity_was_another_persons(known: Known, expected: list[Verdict]) -> None:
    """That the old identity did not tell them apart was what was wrong with it; all else is compared as ever."""
    assert verdicts(known) == expected


def test_an_event_of_another_person_is_no_obstacle_when_the_same_persons_has_that_former_identity_too() -> None:
    """Only what is not surely another's is asked."""
    known = [other(Standing.DELIVERED, OTHER, former=True), other(Standing.DELIVERED, SAME, former=True)]

    assert verdicts(*known) == changed(ChangeCause.SAME_PERSON)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param(other(Standing.DELIVERED, OTHER), [COLLIDES] * 3, id="a collision"),
        pytest.param(other(Standing.UNKNOWN, SAME), NEWER, id="perhaps accepted"),
        pytest.param(other(Standing.DELIVERED), UNSAID, id="nobody's"),
    ],
)
def test_the_former_identity_is_not_asked_of_other_content_when_something_defends_the_new_one(
    own: Known, expected: list[Verdict]
) -> None:
    """The new identity is the one that is right."""
    assert verdicts(own, other(Standing.DELIVERED, SAME, former=True)) == expected


@pytest.mark.parametrize("own", [same(Standing.REFUSED), other(Standing.REFUSED, OTHER)], ids=name)
def test_the_former_identity_is_asked_when_nothing_defends_the_new_one(own: Known) -> None:
    """What was refused under the new identity says nothing of what was delivered under the old one."""
    former = other(Standing.DELIVERED, SAME, former=True)

    assert verdicts(own, former) == changed(ChangeCause.SAME_PERSON)


def test_the_very_content_decides_when_only_the_former_identity_has_it() -> None:
    """Though other content defends the new one: what was delivered is not sent again."""
    known = [other(Standing.DELIVERED, OTHER), same(Standing.DELIVERED, former=True)]

    assert verdicts(*known) == [AS_FORMER] * 3
