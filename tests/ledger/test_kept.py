"""What is kept of refused and held parts: each content once, as it was read, until it is delivered after all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from msgspec import structs

from target_driftrock.events.event import Event, InvalidPart, Origin
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
from target_driftrock.ledger import tables
from target_driftrock.ledger.interface import Arrived, Change, Concluded, Forgotten, Lost, Reread
from target_driftrock.ledger.likeness import ERASED
from tests.contract.places import opened
from tests.contract.recalling import row as row_of
from tests.delivery import examples
from tests.delivery.examples import event
from tests.ledger.rows import alter, kept, rows

INVALID = Invalid(reason="schema: /email type")
REJECTED = Rejected(status=422, excerpt=b"a body")
MAY_HAVE_ARRIVED = Rejected(status=409, may_have_arrived=True)
POISONED = Held(reason="it fails while others do well", status=503, excerpt=b"another body")
UNKNOWN = Held(reason="its answer was lost", is_unknown=True)
FOR_EARLIER = Held(reason="the answer to an earlier content of it was lost", is_unknown=True, was_sent=False)
COLLIDES = Held(reason="its event_id is another's", kind=HeldAs.COLLISION)
UNDECIDED = Held(reason="other content under a known event_id", kind=HeldAs.UNDECIDED)
SAID = Changed(cause=ChangeCause.SAID, is_said=True)
UNSAID = Changed(cause=ChangeCause.SAME_PERSON, is_said=False)

ADA = Who(person="ada", email="ada@example.com")
BOB = Who(person="bob", email="bob@example.com")
ADA_BY_EMAIL = Who(email="ada@example.com", phone="555123456")


def origin(
    position: int = 1, *, number: int | None = None, key: str | None = "leads:1", row: str | None = None
) -> Origin:
    """Of the record with this number, by default the one of its position."""
    record = b"record %d" % (position if number is None else number)
    return examples.origin(position, record=record, key=key, row=row)


def an_event(
    found: Origin,
    event_id: str | None = "x",
    *,
    who: Who = ADA,
    content: bytes | None = None,
    former: Sequence[Event] = (),
) -> Event:
    """An event of a record; its content is the record's, if it has none of its own."""
    return event(
        1,
        event_id=event_id,
        person="person-1",
        who=who,
        content_of=found.record if content is None else content,
        former=former,
        read=found,
    )


def an_invalid_part(found: Origin, *, who: Who = ADA) -> InvalidPart:
    """A part of a record that could not become an event."""
    return examples.invalid_part(1, who=who, read=found)


def tell(location: str, *changes: Change) -> None:
    """What one run commits, each change by itself."""
    with opened(location) as ledger:
        for change in changes:
            ledger.commit([change])


def concluded(part: Event | InvalidPart, outcome: Settled) -> Concluded:
    """The outcome of a part."""
    return Concluded(part=part, outcome=outcome)


def waiting(location: str) -> set[str]:
    """The records that are kept."""
    return set(kept(location))


@pytest.mark.parametrize(
    ("part", "outcome", "expected"),
    [
        pytest.param(an_invalid_part(origin()), INVALID, ("invalid", "schema: /email type", None, b""), id="invalid"),
        pytest.param(an_event(origin()), REJECTED, ("rejected", "status 422", 422, b"a body"), id="rejected"),
        pytest.param(
            an_event(origin()),
            MAY_HAVE_ARRIVED,
            ("rejected", "status 409, after a lost answer: it may have arrived", 409, b""),
            id="rejected, and may have arrived",
        ),
        pytest.param(
            an_event(origin()),
            POISONED,
            ("held", "it fails while others do well", 503, b"another body"),
            id="held as poisoned",
        ),
        pytest.param(an_event(origin()), UNKNOWN, ("held", "its answer was lost", None, b""), id="held as unknown"),
        pytest.param(
            an_event(origin()),
            FOR_EARLIER,
            ("held", "the answer to an earlier content of it was lost", None, b""),
            id="held for an earlier content",
        ),
        pytest.param(
            an_event(origin()), COLLIDES, ("collision", "its event_id is another's", None, b""), id="a collision"
        ),
        pytest.param(
            an_event(origin()),
            UNDECIDED,
            ("undecided", "other content under a known event_id", None, b""),
            id="undecided",
        ),
    ],
)
def test_a_record_is_kept_as_it_was_read_when_it_is_refused_or_held(
    location: str, part: Event | InvalidPart, outcome: Settled, expected: tuple[object, ...]
) -> None:
    """With its SCHEMA, its reason by rule, the status, and the start of the API's answer."""
    tell(location, concluded(part, outcome))

    (row,) = rows(location, tables.kept)
    assert (row["kind"], row["reason"], row["status"], row["excerpt"]) == expected
    assert (row["stream"], row["mapping"], row["record"]) == ("leads", part.mapping, b"record 1")
    assert rows(location, tables.schemas) == [{"digest": row["schema"], "line": b"{}"}]


@pytest.mark.parametrize(
    "outcome", [AlreadyDelivered(), SAID, UNSAID, Delivered()], ids=["already", "said", "unsaid", "delivered"]
)
def test_nothing_is_kept_when_nothing_was_refused(location: str, outcome: Settled) -> None:
    """A change is left out, and told in the receipt."""
    tell(location, concluded(an_event(origin()), outcome))

    assert rows(location, tables.kept) == []


@pytest.mark.parametrize(
    ("parts", "count"),
    [
        pytest.param([an_event(origin()), an_event(origin(2, number=1))], 1, id="the same event"),
        pytest.param(
            [an_event(origin(), content=b"same"), an_event(origin(2, key="deals:9"), content=b"same")],
            1,
            id="the same content of two records",
        ),
        pytest.param([an_event(origin()), an_event(origin(2))], 2, id="two contents of one event"),
        pytest.param([an_event(origin()), an_event(origin(), "leads:2")], 2, id="two events of one record"),
        pytest.param([an_invalid_part(origin()), an_invalid_part(origin(2, number=1))], 1, id="the same record"),
        pytest.param(
            [an_invalid_part(origin()), an_invalid_part(origin(), who=BOB)], 1, id="two refusals of one record"
        ),
        pytest.param([an_invalid_part(origin()), an_invalid_part(origin(2))], 2, id="two records with the same key"),
        pytest.param([an_invalid_part(origin()), an_invalid_part(origin(2, key="leads:2"))], 2, id="another key"),
        pytest.param(
            [an_invalid_part(origin(key=None)), an_invalid_part(origin(2, number=1, key=None))],
            1,
            id="no key, the same record",
        ),
        pytest.param(
            [an_invalid_part(origin(key=None)), an_invalid_part(origin(2, key=None))], 2, id="no key, another record"
        ),
        pytest.param(
            [an_event(origin(), None), an_event(origin(2, number=1), None)], 1, id="no identity, the same record"
        ),
        pytest.param(
            [an_event(origin(), None), an_event(origin(2), None)], 2, id="no identity, two records with the same key"
        ),
    ],
)
def test_nothing_is_kept_twice_when_it_is_refused_again(
    location: str, parts: list[Event | InvalidPart], count: int
) -> None:
    """By the event's identity and content; without an event that could be known again, by the record."""
    for part in parts:
        tell(location, concluded(part, REJECTED if isinstance(part, Event) else INVALID))

    assert len(rows(location, tables.kept)) == count


def test_a_record_is_kept_once_when_only_what_the_loader_adds_differs(location: str) -> None:
    """It is known again by its names and values, and kept as it was read last."""
    first = origin(key=None)
    second = structs.replace(origin(2, key=None), digest=first.digest)

    tell(location, concluded(an_invalid_part(first), INVALID))
    tell(location, concluded(an_invalid_part(second), INVALID))

    assert waiting(location) == {"record 2"}


def test_a_kept_row_is_replaced_when_its_event_is_refused_again(location: str) -> None:
    """The record and the reason are the latest; how long it waits is told from the first time."""
    tell(location, concluded(an_event(origin(), content=b"same"), REJECTED))
    (first,) = rows(location, tables.kept)

    tell(location, concluded(an_event(origin(2), content=b"same"), replace(POISONED, status=500)))

    (second,) = rows(location, tables.kept)
    assert (second["record"], second["kind"], second["status"]) == (b"record 2", "held", 500)
    assert second["first_at"] == first["first_at"]
    assert second["at"] > first["at"]
    assert second["run"] == first["run"] + 1


@pytest.mark.parametrize("outcome", [REJECTED, UNKNOWN, COLLIDES, UNDECIDED], ids=lambda each: each.reason)
def test_an_earlier_row_stays_when_other_content_is_refused_too(location: str, outcome: Settled) -> None:
    """Each content waits for itself: a collision that is another person's must not take a refused lead away."""
    tell(location, concluded(an_event(origin()), REJECTED), concluded(an_invalid_part(origin(2)), INVALID))

    tell(location, concluded(an_event(origin(3)), outcome))

    assert waiting(location) == {"record 1", "record 2", "record 3"}


# What goes when something is settled.


def of(case: int, position: int, *, number: int | None = None, key: bool = True, row: str | None = None) -> Origin:
    """A record of one of the cases below, which have an event and a key of their own each."""
    record = b"%d %d" % (case, position if number is None else number)
    return examples.origin(position, record=record, key=f"leads:{case}" if key else None, row=row)


def event_of(case: int, found: Origin, *, who: Who = ADA) -> Event:
    """The event of a case, with the content of that record."""
    return an_event(found, f"event {case}", who=who)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was kept, and with which delivery it goes."""

    name: str
    part: Callable[[int], Event | InvalidPart]
    outcome: Settled
    goes: str


def _rejected_of(who: Who) -> Callable[[int], Event]:
    return lambda case: event_of(case, of(case, 1), who=who)


def _invalid(who: Who, *, position: int = 2, key: bool = True) -> Callable[[int], InvalidPart]:
    return lambda case: an_invalid_part(of(case, position, key=key), who=who)


EITHER, SAME, NEVER = "with its content and a later one", "with its content", "with neither"
EARLIER = [
    Earlier("the content, rejected", _rejected_of(ADA), REJECTED, EITHER),
    Earlier("the content, which may have arrived", _rejected_of(ADA), MAY_HAVE_ARRIVED, EITHER),
    Earlier("the content, poisoned", _rejected_of(ADA), POISONED, EITHER),
    Earlier("the content, unknown", _rejected_of(ADA), UNKNOWN, EITHER),
    Earlier("the content, held for an earlier one", _rejected_of(ADA), FOR_EARLIER, EITHER),
    Earlier("the content, a collision", _rejected_of(ADA), COLLIDES, EITHER),
    Earlier("the content, undecided", _rejected_of(ADA), UNDECIDED, EITHER),
    Earlier("the content, by a weaker kind the same person's", _rejected_of(ADA_BY_EMAIL), REJECTED, EITHER),
    Earlier("the content, another's", _rejected_of(BOB), REJECTED, SAME),
    Earlier("the content, nobody's", _rejected_of(NOBODY), REJECTED, SAME),
    Earlier("another event of the person", lambda case: an_event(of(case, 1), f"y {case}"), REJECTED, NEVER),
    Earlier("an invalid record with the key", _invalid(ADA), INVALID, EITHER),
    Earlier("another's invalid record with the key", _invalid(BOB), INVALID, NEVER),
    Earlier("nobody's invalid record with the key", _invalid(NOBODY), INVALID, NEVER),
    Earlier("an invalid record without a key", _invalid(ADA, key=False), INVALID, NEVER),
    Earlier(
        "an invalid record with another key",
        lambda case: an_invalid_part(origin(2, key=f"deals:{case}")),
        INVALID,
        NEVER,
    ),
    Earlier("the record, invalid", _invalid(NOBODY, position=1), INVALID, SAME),
    Earlier("the record, invalid and without a key", _invalid(NOBODY, position=1, key=False), INVALID, SAME),
    Earlier("no identity, with the key", lambda case: an_event(of(case, 2), None), REJECTED, EITHER),
    Earlier("no identity, another's", lambda case: an_event(of(case, 2), None, who=BOB), REJECTED, NEVER),
]
CASES = range(len(EARLIER))
OF_THE_CONTENT = {each.name for each in EARLIER if each.name.startswith(("the content", "the record"))}
ALL = {each.name for each in EARLIER}


def left(location: str, in_one: str, settled: Callable[[int], Event], outcome: Settled) -> set[str]:
    """What waits on when all cases were kept, and then the event of each is settled."""
    before = [concluded(each.part(case), each.outcome) for case, each in enumerate(EARLIER)]
    after = [concluded(settled(case), outcome) for case in CASES]
    _tell_in(location, in_one, before, after)
    keys = {_written(each.part(case)): each.name for case, each in enumerate(EARLIER)}
    return {keys[row["record"], row["source"] is None] for row in rows(location, tables.kept)}


def _written(part: Event | InvalidPart) -> tuple[bytes, bool]:
    return part.origin.record, part.origin.key is None


def _tell_in(location: str, in_one: str, before: Sequence[Change], after: Sequence[Change]) -> None:
    match in_one:
        case "two runs":
            tell(location, *before)
            tell(location, *after)
        case "one run":
            tell(location, *before, *after)
        case _:
            with opened(location) as ledger:
                ledger.commit([*before, *after])


def same(case: int) -> Event:
    """The very content of a case, read again."""
    return event_of(case, of(case, 5, number=1))


def later(case: int) -> Event:
    """Other content of the same event and person."""
    return event_of(case, of(case, 5))


def replayed(case: int) -> Event:
    """The very content, sent again from a row that is none of the cases'."""
    return event_of(case, of(case, 99, number=1, row="ab" * 16))


IN_ONE = pytest.mark.parametrize("in_one", ["two runs", "one run", "one transaction"])


@IN_ONE
def test_what_a_delivery_makes_out_of_date_goes_when_it_was_kept_before(location: str, in_one: str) -> None:
    """Earlier contents of the event, and invalid records with its key, where they are about the same person."""
    assert left(location, in_one, later, Delivered()) == {each.name for each in EARLIER if each.goes != EITHER}


@IN_ONE
def test_its_own_row_goes_with_what_is_out_of_date_when_a_content_is_delivered(location: str, in_one: str) -> None:
    """Whatever it was kept for, and whoever it was about; and so does its record without an event."""
    assert left(location, in_one, same, Delivered()) == {each.name for each in EARLIER if each.goes == NEVER}


@pytest.mark.parametrize("is_former", [False, True], ids=["own identity", "former identity"])
@IN_ONE
def test_only_the_very_content_and_record_go_when_they_were_delivered_before(
    location: str,
    in_one: str,
    is_former: bool,  # noqa: FBT001 - of the table
) -> None:
    """What was delivered then may be earlier than what is kept."""
    assert left(location, in_one, same, AlreadyDelivered(as_former=is_former)) == ALL - OF_THE_CONTENT


@IN_ONE
def test_only_what_was_to_be_decided_of_a_content_goes_when_it_is_said_to_be_a_change(
    location: str, in_one: str
) -> None:
    """Never what was rejected or invalid, nor what is unknown: saying how changes are taken settles none of these."""
    assert left(location, in_one, same, SAID) == ALL - {"the content, a collision", "the content, undecided"}


@pytest.mark.parametrize(
    ("settled", "outcome"),
    [
        pytest.param(same, UNSAID, id="a change that nobody spoke of"),
        pytest.param(later, SAID, id="other content that is said to be a change"),
        pytest.param(later, AlreadyDelivered(), id="other content that was delivered before"),
    ],
)
def test_nothing_goes_when_nothing_of_it_was_settled(
    location: str, settled: Callable[[int], Event], outcome: Settled
) -> None:
    """It waits on for a person."""
    assert left(location, "two runs", settled, outcome) == ALL


@IN_ONE
def test_no_other_row_goes_when_a_kept_one_is_sent_again(location: str, in_one: str) -> None:
    """It is older than what came since: only rows of the very content go with it.

    That of the record may hold another part of it, which is not settled yet: it goes when its own line is sent again.
    """
    of_the_record = {name for name in OF_THE_CONTENT if name.startswith("the record")}
    assert left(location, in_one, replayed, Delivered()) == ALL - OF_THE_CONTENT | of_the_record


LATER = an_event(origin(5))


@pytest.mark.parametrize(
    ("kept_later", "goes"),
    [
        pytest.param(concluded(an_event(origin(9)), REJECTED), False, id="other content of the same person"),
        pytest.param(concluded(an_invalid_part(origin(9)), INVALID), False, id="an invalid record with the key"),
        pytest.param(concluded(an_event(origin(9, number=5)), REJECTED), True, id="the very content"),
        pytest.param(concluded(an_invalid_part(origin(9, number=5)), INVALID), False, id="the very record, read again"),
    ],
)
def test_what_was_read_later_stays_when_an_earlier_content_is_delivered(
    location: str,
    kept_later: Concluded,
    goes: bool,  # noqa: FBT001 - of the table
) -> None:
    """An event waits longer for its person than a refusal: the later lead must not go with the earlier one."""
    tell(location, kept_later, concluded(LATER, Delivered()))

    assert len(rows(location, tables.kept)) == (not goes)


def test_a_row_of_an_earlier_run_is_earlier_when_its_record_was_further_on(location: str) -> None:
    """Positions count within a run."""
    tell(location, concluded(an_event(origin(9)), REJECTED))

    tell(location, concluded(LATER, Delivered()))

    assert waiting(location) == set()


def test_a_row_stays_when_it_cannot_be_told_whose_it_is_any_more(location: str) -> None:
    """Who was erased is like nobody, whichever weaker kind is the same."""
    tell(location, concluded(an_event(origin()), REJECTED), concluded(an_invalid_part(origin(2)), INVALID))
    alter(location, tables.kept.update().values(who_person=ERASED))

    tell(location, concluded(LATER, Delivered()))

    assert waiting(location) == {"record 1", "record 2"}


def test_all_rows_go_at_once_when_many_are_settled_in_one_transaction(location: str) -> None:
    """Each with its own; what belongs to none of them stays."""
    parts = [an_event(origin(number, key=f"leads:{number}"), f"id {number}") for number in range(1, 1_203)]
    with opened(location) as ledger:
        ledger.commit([concluded(part, REJECTED) for part in parts])

    with opened(location) as ledger:
        ledger.commit([concluded(part, Delivered()) for part in parts[1:-1]])

    assert waiting(location) == {"record 1", "record 1202"}


def test_the_row_of_another_content_goes_when_that_is_said_to_have_arrived(location: str) -> None:
    """A conflict settled it: what was held for its lost answer is delivered. What else was kept of the event stays."""
    held = an_event(origin())
    tell(location, Lost(held), concluded(held, UNKNOWN), concluded(an_event(origin(2)), REJECTED))

    with opened(location) as ledger:
        ledger.commit([Arrived(LATER, row_of(ledger, held)), concluded(LATER, UNSAID)])

    assert waiting(location) == {"record 2"}


FORMER = an_event(origin(), "old")


@pytest.mark.parametrize(
    ("before", "outcome", "goes"),
    [
        pytest.param(REJECTED, Delivered(), True, id="delivered"),
        pytest.param(UNKNOWN, AlreadyDelivered(as_former=True), True, id="delivered before"),
        pytest.param(UNDECIDED, SAID, True, id="said to be a change"),
        pytest.param(REJECTED, SAID, False, id="rejected, and said to be a change"),
        pytest.param(UNDECIDED, UNSAID, False, id="changed, and not said"),
    ],
)
def test_the_row_under_a_former_identity_goes_when_its_content_is_settled(
    location: str,
    before: Settled,
    outcome: Settled,
    goes: bool,  # noqa: FBT001 - of the table
) -> None:
    """Its mapping was mended, and nobody will ask for the old identity again."""
    tell(location, concluded(FORMER, before))

    tell(location, concluded(an_event(origin(5, number=1), former=[FORMER]), outcome))

    assert len(rows(location, tables.kept)) == (not goes)


def test_other_content_under_a_former_identity_stays_when_an_event_is_delivered(location: str) -> None:
    """The old identity did not tell persons apart."""
    tell(location, concluded(an_event(origin(2), "old"), REJECTED))

    tell(location, concluded(an_event(origin(5, number=1), former=[FORMER]), Delivered()))

    assert waiting(location) == {"record 2"}


# Several parts of one record.


def test_other_rows_stay_when_one_goes(location: str) -> None:
    """Another event of the same record waits on: of a deal each stage is one."""
    tell(
        location,
        concluded(an_event(origin(), "leads:1:won"), REJECTED),
        concluded(an_invalid_part(origin(2, key="leads:2")), INVALID),
        concluded(an_event(origin(3), "leads:1:lost"), Delivered()),
    )

    assert waiting(location) == {"record 1", "record 2"}


TWO_PARTS = [
    (key, who, refused, outcome)
    for key in (True, False)
    for who in (ADA, NOBODY)
    for refused in ("invalid", "without identity", "another event")
    for outcome in (Delivered(), AlreadyDelivered())
]


def _refused_part(refused: str, both: Origin, who: Who) -> Concluded:
    match refused:
        case "invalid":
            return concluded(an_invalid_part(both, who=who), INVALID)
        case "without identity":
            return concluded(an_event(both, None, who=who), REJECTED)
        case _:
            return concluded(an_event(both, f"y {both.record.decode()}", who=who), REJECTED)


@pytest.mark.parametrize("in_one", ["one run", "one transaction"])
@pytest.mark.parametrize("order", [pytest.param(1, id="refused first"), pytest.param(-1, id="delivered first")])
@pytest.mark.parametrize("has_identity", [True, False], ids=["with identity", "without"])
def test_the_refused_part_of_a_record_is_kept_when_its_other_part_is_delivered(
    location: str,
    has_identity: bool,  # noqa: FBT001 - of the table
    order: int,
    in_one: str,
) -> None:
    """A stream split in two sends one half and keeps the other, in either order."""
    refused, delivered = [], []
    for case, (key, who, kind, outcome) in enumerate(TWO_PARTS):
        both = of(case, case + 1, key=key)
        refused.append(_refused_part(kind, both, who))
        delivered.append(concluded(an_event(both, f"event {case}" if has_identity else None, who=who), outcome))

    _tell_in(location, in_one, *[refused, delivered][::order])

    assert len(rows(location, tables.kept)) == len(TWO_PARTS)


def test_a_row_goes_when_two_parts_of_a_record_are_one_event(location: str) -> None:
    """What is delivered is not kept, though it was refused in the same run and at the same place."""
    tell(location, concluded(an_event(origin()), REJECTED), concluded(an_event(origin()), Delivered()))

    assert waiting(location) == set()


@pytest.mark.parametrize("order", [pytest.param(1, id="refused first"), pytest.param(-1, id="delivered first")])
def test_the_refused_part_of_a_record_is_kept_once_when_the_record_is_read_again(location: str, order: int) -> None:
    """In a full table each day: the part that was delivered must not take the other one away."""
    for position in (1, 5):
        both = origin(position, number=1)
        changes = [concluded(an_invalid_part(both), INVALID), concluded(an_event(both), AlreadyDelivered())]
        tell(location, *changes[::order])

    (row,) = rows(location, tables.kept)
    assert (row["kind"], row["position"]) == ("invalid", 5)


# What is written.


def test_an_excerpt_is_cut_when_the_answer_was_long(location: str) -> None:
    """2,000 characters, whatever their length in bytes; what is no text is replaced."""
    tell(location, concluded(an_event(origin()), Rejected(status=400, excerpt=("é" * 3_000).encode() + b"\xff")))
    tell(location, concluded(an_event(origin(2), "b"), Rejected(status=400, excerpt=b"\xff")))

    found = kept(location)
    assert found["record 1"]["excerpt"].decode() == "é" * 2_000
    assert found["record 2"]["excerpt"].decode() == "\ufffd"


def test_what_no_database_takes_is_replaced_when_a_row_is_kept(location: str) -> None:
    """A NUL or half a surrogate pair in a name, an id or a person must not stop a run for ever."""
    odd = structs.replace(origin(key="leads:\ud800\0"), stream="le\0ads\ud800")
    refused = structs.replace(
        an_invalid_part(odd, who=Who(person="\0", email="\ud800@\0")), mapping="\0", reason="\ud800"
    )

    tell(location, concluded(refused, Invalid(reason="\ud800\0")))

    (row,) = rows(location, tables.kept)
    assert (row["stream"], row["mapping"], row["reason"]) == ("le\ufffdads?", "\ufffd", "?\ufffd")


def test_nothing_is_kept_when_a_later_request_was_begun_for_the_same_content(location: str) -> None:
    """What becomes of the later one decides."""
    refused = Concluded(part=an_event(origin()), outcome=REJECTED, is_superseded=True)

    tell(location, refused)
    assert rows(location, tables.kept) == []

    tell(location, concluded(an_event(origin()), REJECTED), refused)
    assert len(rows(location, tables.kept)) == 1


# Sent again from the kept rows.


def _key(location: str) -> str:
    (row,) = rows(location, tables.kept)
    return str(row["key"].hex())


def test_a_row_goes_when_all_that_came_of_it_is_delivered(location: str) -> None:
    """Not before: the other parts of its record may still be refused."""
    tell(location, concluded(an_event(origin()), REJECTED))
    again = origin(7, number=1, row=_key(location))

    tell(location, concluded(an_event(again), Delivered()))
    assert len(rows(location, tables.kept)) == 1

    tell(location, Forgotten(_key(location)))
    assert rows(location, tables.kept) == []


@pytest.mark.parametrize(
    ("before", "goes"),
    [
        pytest.param(COLLIDES, True, id="a collision"),
        pytest.param(UNDECIDED, True, id="undecided"),
        pytest.param(REJECTED, False, id="rejected"),
        pytest.param(UNKNOWN, False, id="unknown"),
        pytest.param(POISONED, False, id="poisoned"),
    ],
)
@pytest.mark.parametrize("in_one", ["two runs", "one transaction"])
def test_a_row_goes_as_a_change_when_that_was_to_be_decided_of_it(
    location: str,
    in_one: str,
    before: Settled,
    goes: bool,  # noqa: FBT001 - of the table
) -> None:
    """Another row that is sent again, and found to be a change, still waits for what it waited for."""
    tell(location, concluded(an_event(origin()), before))
    key = _key(location)
    again = an_event(origin(7, number=1, row=key))

    _tell_in(location, in_one, [concluded(again, SAID)], [Forgotten(key, is_change=True)])

    assert len(rows(location, tables.kept)) == (not goes)


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        pytest.param(REJECTED, "rejected", id="rejected"),
        pytest.param(COLLIDES, "collision", id="a collision"),
        pytest.param(UNDECIDED, "undecided", id="undecided"),
        pytest.param(INVALID, "invalid", id="invalid"),
    ],
)
def test_a_row_stays_under_its_key_when_it_is_refused_again(location: str, outcome: Settled, kind: str) -> None:
    """With the new reason and the old age, though its mapping makes another event of it now."""
    tell(location, concluded(an_event(origin()), UNKNOWN))
    key = _key(location)
    again = origin(7, number=1, row=key)

    tell(location, concluded(an_invalid_part(again) if outcome is INVALID else an_event(again, "mended"), outcome))

    (row,) = rows(location, tables.kept)
    assert row["key"].hex() == key
    assert row["kind"] == kind
    assert row["at"] > row["first_at"]


@pytest.mark.parametrize(
    ("again", "outcome", "goes"),
    [
        pytest.param(COLLIDES, SAID, True, id="a collision, said to be a change"),
        pytest.param(REJECTED, SAID, False, id="rejected, said to be a change"),
        pytest.param(REJECTED, AlreadyDelivered(), True, id="rejected, delivered before"),
        pytest.param(COLLIDES, Delivered(), True, id="a collision, delivered"),
        pytest.param(INVALID, SAID, False, id="invalid, said to be a change"),
        pytest.param(INVALID, AlreadyDelivered(), False, id="invalid, delivered before"),
    ],
)
@pytest.mark.parametrize("before", [INVALID, UNKNOWN], ids=["first invalid", "first held"])
def test_a_row_goes_by_what_it_became_when_it_was_sent_again(
    location: str,
    before: Settled,
    again: Settled,
    outcome: Settled,
    goes: bool,  # noqa: FBT001 - of the table
) -> None:
    """It stays under its key, while its mapping makes another event of it; the same content comes of another record."""
    first, second = origin(), origin(9, key="leads:9")
    tell(location, concluded(an_invalid_part(first) if before is INVALID else an_event(first, "as it was"), before))
    replayed = origin(7, number=1, row=_key(location))
    part = an_invalid_part(replayed) if again is INVALID else an_event(replayed, who=NOBODY, content=b"mended")
    tell(location, concluded(part, again))

    tell(location, concluded(an_event(second, who=NOBODY, content=b"mended"), outcome))

    assert len(rows(location, tables.kept)) == (not goes)


def test_a_row_that_is_refused_again_stays_when_it_goes_only_as_a_change(location: str) -> None:
    """Its latest reason counts, also within one transaction."""
    tell(location, concluded(an_event(origin()), COLLIDES))
    key = _key(location)

    with opened(location) as ledger:
        again = concluded(an_event(origin(7, number=1, row=key)), REJECTED)
        ledger.commit([again, Forgotten(key, is_change=True)])

    assert rows(location, tables.kept)[0]["kind"] == "rejected"


@pytest.mark.parametrize("order", [pytest.param(1, id="delivered first"), pytest.param(-1, id="refused first")])
@pytest.mark.parametrize("in_one", ["one run", "one transaction"])
def test_a_row_stays_when_one_of_two_parts_that_came_of_it_is_refused_again(
    location: str, in_one: str, order: int
) -> None:
    """Whichever is settled first."""
    tell(location, concluded(an_invalid_part(origin()), INVALID))
    again = origin(7, number=1, row=_key(location))
    changes = [[concluded(an_event(again), Delivered())], [concluded(an_invalid_part(again), INVALID)]]

    _tell_in(location, in_one, *changes[::order])

    assert rows(location, tables.kept)[0]["key"].hex() == again.kept_row


def test_a_row_of_the_record_stays_when_its_event_comes_from_another_row(location: str) -> None:
    """It may be of another part of the record, which nobody has settled."""
    tell(location, concluded(an_invalid_part(origin()), INVALID))
    tell(location, concluded(an_event(origin(2, number=1, row="ab" * 16)), Delivered()))

    assert len(rows(location, tables.kept)) == 1


def test_nothing_goes_when_the_row_that_was_sent_again_is_gone(location: str) -> None:
    """A row may be erased while it is on its way."""
    tell(location, concluded(an_event(origin()), REJECTED), Forgotten("ab" * 16), Forgotten("cd" * 16, is_change=True))

    assert len(rows(location, tables.kept)) == 1


def _mended(key: str | None = "leads:1", event_id: str = "x", *, who: Who = ADA) -> Event:
    """An event of a record that was edited."""
    return an_event(origin(7, number=70, key=key), event_id, who=who)


_BESIDE = concluded(an_invalid_part(origin(2)), INVALID)
"""Another row with the same key properties."""
_KEYLESS = origin(key=None)
MENDED = [
    pytest.param([concluded(an_invalid_part(origin()), INVALID)], _mended(), True, id="the same key"),
    pytest.param(
        [concluded(an_invalid_part(origin(), who=NOBODY), INVALID)],
        _mended(),
        False,
        id="the same key, of nobody before",
    ),
    pytest.param([concluded(an_event(origin()), REJECTED)], _mended(who=BOB), False, id="the same key, a new address"),
    pytest.param([concluded(an_event(origin()), REJECTED), _BESIDE], _mended(), True, id="beside another"),
    pytest.param([concluded(an_event(origin()), COLLIDES)], _mended(who=BOB), False, id="in doubt, another"),
    pytest.param([concluded(an_event(origin()), UNDECIDED)], _mended(who=NOBODY), False, id="in doubt, nobody"),
    pytest.param([concluded(an_event(origin()), COLLIDES)], _mended(), True, id="in doubt, the person is not"),
    pytest.param([concluded(an_event(origin()), REJECTED)], _mended("leads:9"), True, id="the same event and person"),
    pytest.param([concluded(an_event(origin()), REJECTED)], _mended("leads:9", who=BOB), False, id="the event alone"),
    pytest.param([concluded(an_event(origin()), REJECTED)], _mended("leads:9", "y"), False, id="the person alone"),
    pytest.param([concluded(an_event(_KEYLESS), REJECTED)], _mended(None), True, id="no key, the event and person"),
    pytest.param([concluded(an_invalid_part(_KEYLESS), INVALID)], _mended(None), False, id="nothing to tell by"),
    pytest.param([concluded(an_event(origin(), None), REJECTED)], _mended(event_id="y"), True, id="no event, the key"),
]


@pytest.mark.parametrize(("before", "mended", "is_its_own"), MENDED)
def test_a_row_goes_when_its_record_was_mended_by_hand_and_delivered(
    location: str,
    before: list[Change],
    mended: Event,
    is_its_own: bool,  # noqa: FBT001 - of the table
) -> None:
    """As it goes for what a tap brings; else it stays, and that is counted, for somebody to be told."""
    tell(location, *before)
    key = kept(location)["record 1"]["key"].hex()
    again = structs.replace(mended, origin=structs.replace(mended.origin, kept_row=key))

    with opened(location) as ledger:
        ledger.commit([concluded(again, Delivered())])
        ledger.commit([Forgotten(key, rereads=(Reread.of(again.origin),))])
        assert ledger.misnamed == (not is_its_own)

    assert ("record 1" in waiting(location)) == (not is_its_own)
    assert len(rows(location, tables.kept)) == len(before) - is_its_own


@pytest.mark.parametrize(("before", "mended"), [pytest.param(*each.values[:2], id=each.id) for each in MENDED])
def test_a_row_stays_as_it_is_when_its_record_is_refused_again_after_an_edit(
    location: str, before: list[Change], mended: Event
) -> None:
    """The edit has a row of its own, since it may be what is wrong."""
    tell(location, *before)
    was = kept(location)["record 1"]
    again = structs.replace(mended, origin=structs.replace(mended.origin, kept_row=was["key"].hex()))

    with opened(location) as ledger:
        ledger.commit([concluded(again, POISONED)])
        assert ledger.misnamed == 1

    assert kept(location)["record 1"] == was
    assert kept(location)["record 70"]["status"] == 503


def test_every_record_is_kept_when_all_bear_the_key_of_a_row_that_is_gone(location: str) -> None:
    """As when what was kept long ago is sent again."""
    again = [an_invalid_part(origin(each, key=f"leads:{each}", row="ab" * 16)) for each in (1, 2, 3)]

    with opened(location) as ledger:
        ledger.commit([concluded(each, INVALID) for each in again])

    assert waiting(location) == {"record 1", "record 2", "record 3"}


def test_a_row_stays_when_an_equal_record_of_another_stream_bears_its_key(location: str) -> None:
    """Two streams may bring the same."""
    tell(location, concluded(an_event(origin(), "leads:1"), REJECTED))
    key = _key(location)
    other = structs.replace(origin(7, number=1, key="news:1", row=key), stream="news")

    with opened(location) as ledger:
        ledger.commit([concluded(an_event(other, "news:1"), Delivered())])
        ledger.commit([Forgotten(key, rereads=(Reread.of(other),))])

    assert waiting(location) == {"record 1"}


def test_a_record_is_kept_when_another_is_refused_in_the_same_row(location: str) -> None:
    """In one transaction, in which both bear its key."""
    tell(location, concluded(an_invalid_part(origin()), INVALID))
    key = _key(location)
    own, other = origin(8, number=1, row=key), origin(7, key="leads:7", row=key)

    with opened(location) as ledger:
        ledger.commit([concluded(an_invalid_part(each), INVALID) for each in (other, own)])

    assert waiting(location) == {"record 1", "record 7"}


def test_how_many_rows_wait_is_known_when_a_run_ends(location: str) -> None:
    """And since when the oldest does."""
    with opened(location) as ledger:
        assert ledger.rejects_waiting() == (0, None)
        ledger.commit([concluded(an_event(origin()), REJECTED)])
    alter(location, tables.kept.update().values(first_at=1000.0))

    with opened(location) as ledger:
        ledger.commit([concluded(an_invalid_part(origin(key="leads:2")), INVALID)])
        assert ledger.rejects_waiting() == (2, 1000.0)
