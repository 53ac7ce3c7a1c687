"""Events of one person arrive in the order read; same events follow each other's outcome; slots are never exceeded."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import pytest

from target_driftrock.events.answer import NoAnswer, Reply
from target_driftrock.ledger.interface import Answered, Change, Concluded, Lost
from tests.delivery.doubles import ACCEPTED, LATENCY, After, Reaction, RecordingLedger, Sent, script, status
from tests.delivery.examples import event
from tests.delivery.stage import Stage


def in_order_of_settlement(sent: list[Sent]) -> list[int]:
    """The records in the order of their last request, which settled them."""
    last = {each.serial: index for index, each in enumerate(sent)}
    return sorted(last, key=lambda serial: last[serial])


@pytest.mark.parametrize("seed", range(5))
def test_each_persons_events_arrive_in_order_when_many_are_tried_again(seed: int) -> None:
    """Across captures and retries, whatever fails in between."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    persons = {number: chance.choice("abcdefg") for number in range(1, 301)}
    parts = [
        event(number, person=person, source=f"capture-{chance.randint(1, 3)}") for number, person in persons.items()
    ]

    def react(_: Sent) -> Reaction:
        replies: list[Reply] = [ACCEPTED, ACCEPTED, status(503), NoAnswer.LOST, NoAnswer.NOT_SENT, status(429)]
        return After(chance.uniform(0.01, 2.0), chance.choice(replies))

    ending = Stage(react=react, proven=("capture-1",)).play(parts)

    arrived: dict[str, list[int]] = defaultdict(list)
    for serial in in_order_of_settlement(ending.transport.sent):
        arrived[persons[serial]].append(serial)
    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}
    assert all(serials == sorted(serials) for serials in arrived.values())


def test_one_of_a_person_is_in_flight_at_a_time_when_it_has_several() -> None:
    """The next one's request begins after the outcome of the one before it is committed."""
    ending = Stage(commit_seconds=0.5).play([event(number, person="p") for number in range(1, 6)])

    assert ending.transport.serials() == [1, 2, 3, 4, 5]
    assert ending.transport.most_flying == 1


def test_events_without_a_person_do_not_wait_when_sent() -> None:
    """Each is its own order."""
    ending = Stage(max_concurrency=10).play([event(number) for number in range(1, 17)])

    assert ending.transport.most_flying == 10


def test_later_events_go_when_an_earlier_one_of_their_person_is_refused() -> None:
    """A refused event holds nobody, be it judged or not."""
    parts = [event(1, person="p", source="new"), event(2, person="p"), event(3, person="p", source="new")]

    ending = Stage(react=script({1: [status(400)]})).play(parts)

    assert ending.kinds() == {1: "Rejected", 2: "Delivered", 3: "Delivered"}
    assert ending.transport.serials() == [1, 2, 3]


@pytest.mark.parametrize(
    ("first", "second", "expected", "sent"),
    [
        pytest.param([ACCEPTED], b"same", "AlreadyDelivered", [1], id="delivered"),
        pytest.param([ACCEPTED], b"other", "Held", [1], id="delivered, another's content"),
        pytest.param([status(400)], b"same", "Delivered", [1, 2], id="rejected"),
        pytest.param([status(400)], b"other", "Delivered", [1, 2], id="rejected, another's content"),
        pytest.param([status(503), ACCEPTED], b"same", "AlreadyDelivered", [1, 1], id="after a retry"),
    ],
)
def test_the_second_of_two_same_events_follows_the_first_when_read_together(
    first: list[Reaction], second: bytes, expected: str, sent: list[int]
) -> None:
    """It waits for the first's outcome, whichever person it is of, then the ledger's table decides."""
    parts = [
        event(1, event_id="x", person="p", content_of=b"same"),
        event(2, event_id="x", person="q", content_of=second),
    ]

    ending = Stage(react=script({1: first})).play(parts)

    assert ending.kinds() == {1: "Rejected" if first == [status(400)] else "Delivered", 2: expected}
    assert ending.transport.serials() == sent


class WatchfulLedger(RecordingLedger):
    """Knows of which records a request began whose end is not recorded: what a kill would leave in doubt."""

    def __init__(self) -> None:
        super().__init__()
        self.in_doubt: set[int] = set()
        self.most_in_doubt = 0

    def begin(self, serial: int) -> None:
        """A request begins."""
        self.in_doubt.add(serial)
        self.most_in_doubt = max(self.most_in_doubt, len(self.in_doubt))

    def commit(self, changes: Sequence[Change]) -> None:
        """Note whose request is over."""
        super().commit(changes)
        for change in changes:
            match change:
                case Answered(event) | Lost(event) | Concluded(part=event):
                    self.in_doubt.discard(event.origin.position)


@pytest.mark.parametrize("slots", [1, 4, 16])
def test_a_slot_is_given_back_after_the_commit_when_a_request_ends(slots: int) -> None:
    """A kill at any moment leaves at most as many events sent and unrecorded as there are slots, under any load."""
    chance = random.Random(slots)  # noqa: S311 - the same each time
    ledger = WatchfulLedger()

    def react(sent: Sent) -> Reaction:
        ledger.begin(sent.serial)
        replies: list[Reply] = [*[ACCEPTED] * 8, status(503), NoAnswer.LOST]
        return After(chance.uniform(0.01, 0.2), chance.choice(replies))

    stage = Stage(react=react, ledger=ledger, max_concurrency=slots, commit_seconds=0.05)
    ending = stage.play([event(number) for number in range(1, 301)])

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}
    assert ending.transport.most_flying <= slots
    assert ledger.most_in_doubt == slots


def test_the_intent_is_committed_when_a_request_begins() -> None:
    """And one for each request, so that a retry of a killed run is known as such."""
    ledger = RecordingLedger()

    def react(sent: Sent) -> Reaction:
        assert ledger.changes(sent.serial).count("Intent") == sent.number
        assert ledger.changes(sent.serial)[-1] == "Intent"
        return status(503) if sent.number < 3 else ACCEPTED

    ending = Stage(react=react, ledger=ledger, commit_seconds=0.3).play([event(number) for number in range(1, 40)])

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}


def test_no_intent_is_committed_ahead_when_unknowns_are_held() -> None:
    """It would hold what was never sent."""
    ledger = RecordingLedger()

    def react(sent: Sent) -> Reaction:
        intents = sum(ledger.changes(number)[-1:] == ["Intent"] for number in range(1, 101))
        assert intents <= 4
        return ACCEPTED

    ending = Stage(react=react, ledger=ledger, holds_unknown=True, max_concurrency=4).play(
        [event(number) for number in range(1, 101)]
    )

    assert set(ending.kinds().values()) == {"Delivered"}


def test_no_slot_waits_for_a_commit_when_unknowns_are_sent_again() -> None:
    """Intents are committed ahead: a commit before each request does not show in the time of all."""
    stage = Stage(max_concurrency=4, commit_seconds=0.02)

    ending = stage.play([event(number) for number in range(1, 81)])

    round_trips = 80 / 4
    assert ending.ended_at < round_trips * (0.1 + 3 * 0.02)


def test_a_person_s_next_event_follows_after_two_commits() -> None:
    """The outcome of the one and the intent of the other: the ledger was asked ahead. No less, and no more."""
    ending = Stage(commit_seconds=0.05).play([event(number, person="ada") for number in range(1, 11)])

    moments = [sent.at for sent in ending.transport.sent]
    assert [sent.serial for sent in ending.transport.sent] == list(range(1, 11))
    assert max(later - earlier for earlier, later in pairwise(moments)) == pytest.approx(LATENCY + 0.1, abs=0.01)


def test_the_same_event_is_looked_up_when_the_first_has_its_outcome() -> None:
    """Asked before, the ledger would know nothing of it yet, and it would be sent twice."""
    same = event(3, event_id="leads:2", person="ada", content_of=event(2).body)

    ending = Stage().play([event(1, person="ada"), event(2, person="ada"), same])

    assert ending.kinds() == {1: "Delivered", 2: "Delivered", 3: "AlreadyDelivered"}
