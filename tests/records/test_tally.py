"""The tally of a run while it lasts, over a real checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import pytest
from msgspec import structs

from target_driftrock.errors import RejectsAboveLimit
from target_driftrock.events.event import Event, InvalidPart, Part
from target_driftrock.events.outcome import (
    AlreadyDelivered,
    ChangeCause,
    Changed,
    Delivered,
    Held,
    HeldAs,
    Invalid,
    Open,
    Outcome,
    Rejected,
)
from target_driftrock.ledger.interface import Reread
from target_driftrock.mapping.filters.reading import Unread
from target_driftrock.receipt import EventCounts, Line, RecordCounts
from target_driftrock.records.tally import Tally
from target_driftrock.singer.checkpoint import Checkpoint
from tests.delivery.examples import event, invalid_part

TODAY = "2026-02-01"
CHANGED = Changed(cause=ChangeCause.SAME_PERSON, is_said=False)
SAID = Changed(cause=ChangeCause.SAID, is_said=True)
LOST = Held(reason="its answer was lost", is_unknown=True)
POISON = Held(reason="it fails while others do well")
COLLISION = Held(reason="its event_id is another's", kind=HeldAs.COLLISION)
UNDECIDED = Held(reason="other content under a known event_id", kind=HeldAs.UNDECIDED)
SETTLED: dict[str, Outcome] = {
    "delivered": Delivered(),
    "already_delivered": AlreadyDelivered(),
    "changed": CHANGED,
    "invalid": Invalid(reason="a rule"),
    "rejected": Rejected(status=422),
    "held": LOST,
}
MAPPING = "streams[0] (leads)"


@dataclass(slots=True)
class Tallied:
    """A tally over a checkpoint, and what STATE says after each step."""

    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        self.tally = Tally(self.checkpoint, today=lambda: TODAY)

    def enter(self, *parts: Part, row: str | None = None, stream: str = "leads") -> None:
        """Read a record, and then a STATE that bears its number."""
        self.tally.enter(stream, parts, kept_row=row)
        self.checkpoint.state(str(self.tally.next_position - 1).encode())

    def settle(self, part: Part, outcome: Outcome) -> None:
        """One part has its outcome."""
        self.tally.settle([(part, outcome)])

    def play(self, outcomes: Iterable[Outcome], *, source: str = "capture-1", stream: str = "leads") -> None:
        """Read a record for each outcome, and settle it."""
        for outcome in outcomes:
            position = self.tally.next_position
            part: Part = invalid_part(position) if isinstance(outcome, Invalid) else event(position, source=source)
            part = structs.replace(part, origin=structs.replace(part.origin, stream=stream))
            self.enter(part, stream=stream)
            self.settle(part, outcome)


def _done(accounts: Tallied) -> dict[str, bool]:
    """The kept rows that go; whether only as a change."""
    return {done.row: done.is_change for done in accounts.tally.rows_done}


@pytest.fixture
def accounts() -> Tallied:
    """A tally without an entry."""
    return Tallied()


@pytest.mark.parametrize("name", SETTLED)
def test_state_passes_a_record_when_its_only_part_is_settled(name: str, accounts: Tallied) -> None:
    """Whatever became of it, it is counted once, and needs no second reading."""
    accounts.enter(event(1))
    before = accounts.checkpoint.take()

    accounts.settle(event(1), SETTLED[name])

    assert before is None
    assert accounts.checkpoint.take() == b"1"
    assert accounts.tally.events == EventCounts(**{name: 1})


def test_state_does_not_pass_a_record_when_one_of_its_parts_is_open(accounts: Tallied) -> None:
    """A record is resolved when all that came of it is settled."""
    first, second = event(1, event_id="a"), event(1, event_id="b")
    accounts.enter(first, second)

    accounts.settle(first, Delivered())
    accounts.settle(second, Open(reason="never sent"))

    assert accounts.checkpoint.take() is None
    assert accounts.tally.events == EventCounts(delivered=1, open=1)
    assert accounts.tally.submitted == 2


def test_state_passes_a_record_when_the_last_of_its_parts_is_settled(accounts: Tallied) -> None:
    """The order in which they are settled does not matter."""
    parts = [event(1, event_id=name) for name in "abc"]
    accounts.enter(*parts)

    for part in reversed(parts):
        assert accounts.checkpoint.take() is None
        accounts.settle(part, Delivered())

    assert accounts.checkpoint.take() == b"1"


def test_state_passes_a_record_when_nothing_came_of_it(accounts: Tallied) -> None:
    """A filtered record is resolved as it is read."""
    accounts.enter()

    assert accounts.checkpoint.take() == b"1"
    assert accounts.tally.submitted == 0


def test_each_record_counts_once_when_several_parts_came_of_it(accounts: Tallied) -> None:
    """Mapped if an event came of it, else invalid, else filtered; what was read and got no further is unmapped."""
    accounts.enter(event(1), invalid_part(1))
    accounts.enter(invalid_part(2), invalid_part(2))
    accounts.enter()
    accounts.enter(event(4), event(4), stream="sales")

    assert accounts.tally.records(7) == RecordCounts(mapped=2, invalid=1, filtered=1, unmapped=3)
    assert accounts.tally.records_by_stream == {
        "leads": RecordCounts(mapped=1, invalid=1, filtered=1),
        "sales": RecordCounts(mapped=1),
    }
    assert accounts.tally.submitted == 6
    assert accounts.tally.next_position == 5


def test_an_event_is_accounted_by_its_own_day_when_it_has_one(accounts: Tallied) -> None:
    """Else by today's; a refused part has no capture, no type and no name."""
    undated = structs.replace(event(2, source="capture-2"), day=None)
    parts: list[tuple[Part, Outcome]] = [
        (structs.replace(event(1), name_label="Signed up"), Delivered()),
        (undated, Rejected(status=422)),
        (invalid_part(3), Invalid(reason="a rule")),
    ]
    for part, outcome in parts:
        accounts.enter(part)
        accounts.settle(part, outcome)

    mapping = "streams[0] (leads)"
    assert accounts.tally.events_by_line == {
        Line("leads", mapping, "capture-1", "2026-01-31", "lead", "Signed up"): EventCounts(delivered=1),
        Line("leads", mapping, "capture-2", TODAY, "lead"): EventCounts(rejected=1),
        Line("leads", "stream leads", "", TODAY): EventCounts(invalid=1),
    }
    assert accounts.tally.refusals == {(mapping, "status 422"): 1, ("stream leads", "a rule"): 1}


@pytest.mark.parametrize(
    ("refused", "delivered", "percent", "is_over"),
    [
        pytest.param(10, 190, 5, False, id="exactly-at-the-limit"),
        pytest.param(11, 190, 5, True, id="above-it"),
        pytest.param(9, 1, 5, False, id="fewer-than-ten"),
        pytest.param(9, 0, 5, True, id="all-of-nine"),
        pytest.param(1, 0, 99.9, True, id="all-of-one"),
        pytest.param(9, 0, 100, False, id="all-of-nine-turned-off"),
        pytest.param(10, 0, 5, True, id="all-of-ten"),
        pytest.param(10, 0, 99.9, True, id="all-of-ten-under-a-high-limit"),
        pytest.param(10, 0, 100, False, id="turned-off"),
        pytest.param(10, 5000, 0, True, id="none-is-allowed"),
        pytest.param(0, 10, 0, False, id="none-is-refused"),
    ],
)
def test_a_share_is_over_when_ten_and_more_than_the_percent_were_refused(
    refused: int, delivered: int, percent: float, accounts: Tallied, *, is_over: bool
) -> None:
    """Judged by stream and by capture; the limit itself is not over it."""
    for number in range(1, refused + delivered + 1):
        part = event(number)
        accounts.enter(part)
        accounts.settle(part, Rejected(status=422) if number <= refused else Delivered())

    total = refused + delivered
    names = ["stream leads", "the capture of capture-1"] if is_over else []
    assert accounts.tally.over(percent) == [f"{refused} of {total} of {name}" for name in names]


def test_a_capture_is_over_when_its_stream_is_not(accounts: Tallied) -> None:
    """One wrong capture among many good ones is told; what is open was not refused."""
    accounts.play([Rejected(status=422)] * 10, source="bad")
    accounts.play([Delivered()] * 500, source="good")
    accounts.play([Open(reason="never sent")] * 20, source="open")

    assert accounts.tally.over(5) == ["10 of 10 of the capture of bad"]


@pytest.mark.parametrize(
    ("outcome", "is_refused"),
    [
        pytest.param(Invalid(reason="a rule"), True, id="invalid"),
        pytest.param(Rejected(status=422), True, id="rejected"),
        pytest.param(Rejected(status=409, may_have_arrived=True), True, id="rejected-after-a-lost-answer"),
        pytest.param(POISON, True, id="held-as-poisoned"),
        pytest.param(COLLISION, True, id="held-as-another-s"),
        pytest.param(UNDECIDED, True, id="held-as-undecided"),
        pytest.param(LOST, False, id="held-for-a-lost-answer"),
        pytest.param(CHANGED, False, id="changed"),
        pytest.param(SAID, False, id="changed-as-said"),
        pytest.param(AlreadyDelivered(), False, id="already-delivered"),
        pytest.param(Open(reason="never sent"), False, id="open"),
    ],
)
def test_what_is_held_counts_as_refused_when_no_answer_to_it_was_lost(
    outcome: Outcome, accounts: Tallied, *, is_refused: bool
) -> None:
    """A lead that waits for a decision is one that nobody has; one whose answer was lost may have arrived."""
    accounts.play([Delivered()] * 90)
    accounts.play([outcome] * 10)

    over = accounts.tally.over(5)

    assert ("10 of 100 of stream leads" in over) is is_refused
    assert bool(over) is is_refused


REFUSED: list[Outcome] = [Invalid(reason="a rule"), Rejected(status=422), POISON, COLLISION, UNDECIDED]


@pytest.mark.parametrize("outcome", REFUSED, ids=["invalid", "rejected", "poison", "collision", "undecided"])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_stream_is_over_when_all_that_came_of_it_was_refused(count: int, outcome: Outcome, accounts: Tallied) -> None:
    """However few there are: everything refused is never success."""
    accounts.play([outcome] * count)

    assert accounts.tally.over(50)[0] == f"{count} of {count} of stream leads"
    assert accounts.tally.over(99.9)
    assert accounts.tally.over(100) == []


@pytest.mark.parametrize(
    "other",
    [Delivered(), Delivered(is_change=True), AlreadyDelivered(), CHANGED, SAID, Open(reason="never sent"), LOST],
    ids=["delivered", "a-change-sent", "already", "changed", "changed-as-said", "open", "an-answer-lost"],
)
def test_few_refusals_are_passed_over_when_one_event_was_not_refused(other: Outcome, accounts: Tallied) -> None:
    """One that is there, may be there, or is still to come shows that not everything is wrong."""
    accounts.play([*REFUSED, other])

    assert [told for told in accounts.tally.over(5) if "stream" in told] == []


def test_nothing_is_over_when_nothing_came_of_a_stream(accounts: Tallied) -> None:
    """Records that are filtered are no events that were refused."""
    accounts.enter()
    accounts.enter()

    assert accounts.tally.over(0) == []


def test_the_capture_and_the_stream_are_told_when_only_theirs_is_refused(accounts: Tallied) -> None:
    """One stream, or one capture, of which nothing arrives is told beside others that do well."""
    accounts.play([Delivered()] * 50, source="good")
    accounts.play([Rejected(status=422)], source="bad")
    accounts.play([Invalid(reason="a rule")] * 2, stream="sales")

    assert accounts.tally.over(5) == ["2 of 2 of stream sales", "1 of 1 of the capture of bad"]


def test_what_is_open_does_not_count_when_a_share_is_judged(accounts: Tallied) -> None:
    """Events that nobody has judged make no share of refusals smaller."""
    outcomes: list[Outcome] = [
        *[Rejected(status=422)] * 10,
        *[Delivered()] * 100,
        *[Open(reason="never sent")] * 100,
    ]
    for number, outcome in enumerate(outcomes, start=1):
        accounts.enter(event(number))
        accounts.settle(event(number), outcome)

    assert accounts.tally.over(5) == ["10 of 110 of stream leads", "10 of 110 of the capture of capture-1"]


def test_the_run_stops_when_the_first_ten_records_of_a_stream_are_invalid(accounts: Tallied) -> None:
    """Its SCHEMA or its mapping is wrong; they were entered all the same, so that they are kept."""
    for number in range(1, 10):
        accounts.enter(invalid_part(number))

    with pytest.raises(RejectsAboveLimit, match=r"first 10 records of stream leads are all invalid \(schema: /email"):
        accounts.enter(invalid_part(10))

    assert accounts.tally.submitted == 10
    assert accounts.tally.records(10) == RecordCounts(invalid=10)


@pytest.mark.parametrize("good", [1, 5, 10])
@pytest.mark.parametrize("kind", ["mapped", "filtered"])
def test_the_run_goes_on_when_one_of_the_first_ten_records_is_not_invalid(
    good: int, kind: str, accounts: Tallied
) -> None:
    """From then on the share alone counts, however many are invalid."""
    for number in range(1, 50):
        other: list[Part] = [event(number)] if kind == "mapped" else []
        accounts.enter(*(other if number == good else [invalid_part(number)]))

    assert accounts.tally.records(49).invalid == 48


def test_streams_are_watched_apart_when_two_begin_badly(accounts: Tallied) -> None:
    """Nine invalid records each are no reason to stop."""
    for number in range(1, 19):
        accounts.enter(invalid_part(number), stream=("leads", "sales")[number % 2])

    assert accounts.tally.records(18).invalid == 18


@pytest.mark.parametrize(
    ("outcomes", "is_done"),
    [
        pytest.param(["delivered"], True, id="delivered"),
        pytest.param(["already_delivered", "delivered"], True, id="delivered-before"),
        pytest.param(["already_delivered", "changed"], False, id="changed-and-nobody-said-so"),
        pytest.param(["delivered", "rejected"], False, id="one-part-rejected"),
        pytest.param(["rejected", "delivered"], False, id="one-part-rejected-first"),
        pytest.param(["held"], False, id="held"),
        pytest.param(["invalid"], False, id="invalid"),
    ],
)
def test_a_kept_row_is_done_when_all_of_its_record_is_delivered(
    outcomes: list[str], accounts: Tallied, *, is_done: bool
) -> None:
    """A row that was read again goes only then."""
    parts = [event(1, event_id=str(number)) for number in range(len(outcomes))]
    accounts.enter(*parts, row="ab12")

    for part, name in zip(parts, outcomes, strict=True):
        accounts.settle(part, SETTLED[name])

    assert _done(accounts) == ({"ab12": False} if is_done else {})


@pytest.mark.parametrize(
    ("outcomes", "rows_done"),
    [
        pytest.param([SAID], {"ab12": True}, id="said"),
        pytest.param([Delivered(), SAID], {"ab12": True}, id="said-of-one-part"),
        pytest.param([SAID, Delivered()], {"ab12": True}, id="said-of-the-first-part"),
        pytest.param([CHANGED], {}, id="not-said"),
        pytest.param([Delivered(), CHANGED], {}, id="not-said-of-one-part"),
        pytest.param([CHANGED, SAID], {}, id="said-of-another-part-alone"),
        pytest.param([COLLISION], {}, id="still-another-s"),
        pytest.param([UNDECIDED], {}, id="still-undecided"),
        pytest.param([SAID, COLLISION], {}, id="said-and-another-s"),
        pytest.param([Delivered(is_change=True)], {"ab12": False}, id="sent-as-a-change"),
        pytest.param([AlreadyDelivered(as_former=True)], {"ab12": False}, id="delivered-before-a-mend"),
    ],
)
def test_a_kept_row_is_done_as_a_change_when_somebody_said_so(
    outcomes: list[Outcome], rows_done: dict[str, bool], accounts: Tallied
) -> None:
    """A change of which nobody said anything leaves its row; what was said lets a row go that waited for it."""
    parts = [event(1, event_id=str(number)) for number in range(len(outcomes))]
    accounts.enter(*parts, row="ab12")

    for part, outcome in zip(parts, outcomes, strict=True):
        accounts.settle(part, outcome)

    assert _done(accounts) == rows_done


def test_a_kept_row_stays_when_its_record_is_filtered_now(accounts: Tallied) -> None:
    """It is counted, so that the end of the run can tell."""
    accounts.enter(row="ab12")
    accounts.enter()

    assert _done(accounts) == {}
    assert accounts.tally.rows_filtered == 1


@pytest.mark.parametrize("second", ["rejected", "filtered", "open"])
@pytest.mark.parametrize("order", [1, -1], ids=["delivered-first", "delivered-last"])
def test_a_kept_row_stays_when_only_one_of_two_lines_that_name_it_is_delivered(
    second: str, order: int, accounts: Tallied
) -> None:
    """Nobody can say which of them is the lead."""
    for name in ["delivered", second][::order]:
        part = event(accounts.tally.next_position)
        accounts.enter(*([] if name == "filtered" else [part]), row="ab12")
        if name in SETTLED:
            accounts.settle(part, SETTLED[name])

    assert _done(accounts) == {}


def test_a_kept_row_is_done_once_when_two_lines_that_name_it_are_delivered(accounts: Tallied) -> None:
    """With both records, one of which may be another."""
    parts = [event(1), event(2)]
    for part in parts:
        accounts.enter(part, row="ab12")
        accounts.settle(part, Delivered())

    (done,) = accounts.tally.rows_done
    assert done.rereads == tuple(Reread.of(part.origin) for part in parts)


def test_both_sums_close_when_anything_happens(accounts: Tallied) -> None:
    """What was submitted is what has an outcome, and what was read is accounted for."""
    parts: list[Event | InvalidPart] = []
    for number, outcome in enumerate([*SETTLED.values(), Open(reason="never sent")] * 3, start=1):
        part: Event | InvalidPart = invalid_part(number) if isinstance(outcome, Invalid) else event(number)
        parts.append(part)
        accounts.enter(part)
        accounts.settle(part, outcome)

    assert accounts.tally.events.total == accounts.tally.submitted == len(parts)
    assert accounts.tally.records(len(parts)).total == len(parts)


def test_the_oldest_record_is_known_when_some_are_open(accounts: Tallied) -> None:
    """And how many are, and how much was delivered."""
    parts = [event(1), event(2), event(2), event(3)]
    for several in (parts[:1], parts[1:3], parts[3:]):
        accounts.enter(*several)
    told = []
    for part in (parts[0], parts[3], *parts[1:3]):
        told.append((accounts.tally.oldest_open, accounts.tally.open_records, accounts.tally.delivered))
        accounts.settle(part, Delivered())

    assert told == [(1, 3, 0), (2, 2, 1), (2, 1, 2), (2, 1, 3)]
    assert (accounts.tally.oldest_open, accounts.tally.open_records, accounts.tally.delivered) == (None, 0, 4)


def test_bytes_are_open_until_their_part_has_an_outcome(accounts: Tallied) -> None:
    """The record as read, and the body: both lie in memory until then."""
    sent, refused = event(1), invalid_part(1)
    weights = [len(sent.origin.record) + len(sent.body), len(refused.origin.record)]

    accounts.enter(sent, refused)
    assert accounts.tally.open_bytes == sum(weights)

    accounts.settle(sent, Delivered())
    assert accounts.tally.open_bytes == weights[1]

    accounts.settle(refused, Invalid(reason="a rule"))
    assert accounts.tally.open_bytes == 0


def test_events_are_counted_apart_when_they_have_no_identity(accounts: Tallied) -> None:
    """By their mapping; a refusal is no event."""
    anonymous = structs.replace(event(1), event_id=None)

    accounts.enter(anonymous, event(2), invalid_part(3))

    assert accounts.tally.without_identity == {anonymous.mapping: 1}


# Changes, and what is to be decided.


def test_changes_are_counted_by_mapping_and_cause_when_they_are_not_sent(accounts: Tallied) -> None:
    """And apart from them those of which nobody said that they are not to be sent."""
    other = "streams[1] (sales)"
    outcomes: list[tuple[str, Outcome]] = [
        (MAPPING, CHANGED),
        (MAPPING, CHANGED),
        (MAPPING, Changed(cause=ChangeCause.SAME_RECORD, is_said=False)),
        (MAPPING, SAID),
        (other, Changed(cause=ChangeCause.CONFLICT, is_said=True)),
        (other, Changed(cause=ChangeCause.SETTLED, is_said=True)),
    ]
    for number, (mapping, outcome) in enumerate(outcomes, start=1):
        part = structs.replace(event(number), mapping=mapping)
        accounts.enter(part)
        accounts.settle(part, outcome)

    assert accounts.tally.changes == {
        (MAPPING, ChangeCause.SAME_PERSON.value): 2,
        (MAPPING, ChangeCause.SAME_RECORD.value): 1,
        (MAPPING, ChangeCause.SAID.value): 1,
        (other, ChangeCause.CONFLICT.value): 1,
        (other, ChangeCause.SETTLED.value): 1,
    }
    assert accounts.tally.changes_unsaid == {MAPPING: 3}
    assert accounts.tally.events == EventCounts(changed=6)


def test_changes_are_counted_apart_when_they_are_sent(accounts: Tallied) -> None:
    """They are delivered events, of which the receipt says how many were changes."""
    accounts.play([Delivered(), Delivered(is_change=True), Delivered(is_change=True)])

    assert +accounts.tally.changes_sent == {MAPPING: 2}
    assert accounts.tally.events == EventCounts(delivered=3)
    assert not accounts.tally.changes


def test_what_is_to_be_decided_is_counted_by_kind_when_an_identity_is_in_doubt(accounts: Tallied) -> None:
    """Beside all that is held, by its reason; what was poisoned or lost is no question of identity."""
    accounts.play([COLLISION, COLLISION, UNDECIDED, POISON, LOST])

    assert accounts.tally.to_decide == {(MAPPING, HeldAs.COLLISION): 2, (MAPPING, HeldAs.UNDECIDED): 1}
    assert not accounts.tally.refusals
    assert accounts.tally.held == {
        (MAPPING, COLLISION.reason): 2,
        (MAPPING, UNDECIDED.reason): 1,
        (MAPPING, POISON.reason): 1,
        (MAPPING, LOST.reason): 1,
    }
    assert accounts.tally.events == EventCounts(held=5)


def test_a_rejection_is_told_apart_when_its_event_may_have_arrived(accounts: Tallied) -> None:
    """Its answer may have been about other content of the same event."""
    accounts.play([Rejected(status=409), Rejected(status=409, may_have_arrived=True)])

    assert accounts.tally.refusals == {
        (MAPPING, "status 409"): 1,
        (MAPPING, "status 409, after a lost answer: it may have arrived"): 1,
    }


# Deletions.


def test_a_deletion_is_one_of_the_filtered_when_it_is_counted(accounts: Tallied) -> None:
    """STATE passes it at once, and the sum of records is the same with it."""
    accounts.tally.enter("leads", [], is_deletion=True)
    accounts.tally.enter("leads", [])
    accounts.enter(event(3))
    accounts.settle(event(3), Delivered())

    assert accounts.tally.records(read=3) == RecordCounts(mapped=1, filtered=2, deletions=1)
    assert accounts.tally.records_by_stream == {"leads": RecordCounts(mapped=1, filtered=2, deletions=1)}
    assert accounts.tally.records(read=3).total == 3
    assert accounts.checkpoint.take() == b"3"


@pytest.mark.parametrize(
    ("entered", "expected"),
    [
        pytest.param([], [], id="no-record"),
        pytest.param([("leads", True)], [("leads", 1)], id="one"),
        pytest.param([("leads", True)] * 3, [("leads", 3)], id="three"),
        pytest.param([("leads", True), ("leads", False)], [], id="one-of-two"),
        pytest.param([("leads", True), ("deals", False)], [("leads", 1)], id="all-of-one-stream"),
        pytest.param([("leads", False), ("deals", True)], [("deals", 1)], id="all-of-another"),
    ],
)
def test_a_stream_is_told_when_all_of_it_were_deletions(
    entered: list[tuple[str, bool]], expected: list[tuple[str, int]], accounts: Tallied
) -> None:
    """Each stream by itself."""
    for stream, is_deletion in entered:
        accounts.tally.enter(stream, [], is_deletion=is_deletion)

    assert list(accounts.tally.only_deletions()) == expected


def test_a_tally_tells_all_that_it_has_counted_when_another_absorbs_it(accounts: Tallied) -> None:
    """Twice of one is twice as much: whatever is counted, a job's tasks tell to its process."""
    accounts.play([*SETTLED.values(), Delivered(is_change=True), COLLISION, UNDECIDED, POISON, SAID, Open(reason="x")])
    nobody = event(accounts.tally.next_position, event_id=None)
    accounts.enter(nobody)
    accounts.settle(nobody, Delivered())
    accounts.tally.enter("leads", [], is_deletion=True)
    accounts.tally.unread[Unread(MAPPING, "phone", "phone")] += 3

    told = msgspec.json.decode(msgspec.json.encode(accounts.tally.as_json()))
    whole = Tally(Checkpoint())
    whole.absorb(told)
    whole.absorb(told)

    counters = {name: each for name, each in vars(accounts.tally).items() if isinstance(each, Counter)}
    assert all(counters.values()), [name for name, each in counters.items() if not each]
    for name, each in counters.items():
        assert getattr(whole, name) == Counter({key: 2 * count for key, count in each.items()}), name
    for name in ("submitted", "delivered"):
        assert getattr(whole, name) == 2 * getattr(accounts.tally, name)
    assert whole.next_position - 1 == 2 * (accounts.tally.next_position - 1)
