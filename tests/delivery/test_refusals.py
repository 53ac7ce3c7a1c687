"""What a refusal comes to, by what its capture has proven."""

from __future__ import annotations

import asyncio

import pytest

from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.errors import ApiOutage, CaptureRefused, RejectsAboveLimit
from target_driftrock.events.answer import NoAnswer
from target_driftrock.events.event import Event
from target_driftrock.events.outcome import Delivered, Held, HeldAs, Rejected
from target_driftrock.ledger.interface import Concluded, Standing
from tests.contract.recalling import standings
from tests.delivery.doubles import ACCEPTED, After, Reaction, Sent, always, script, status
from tests.delivery.examples import event
from tests.delivery.stage import Stage

REFUSALS = [400, 409, 422]
SETUP_REFUSALS = [301, 403, 404, 405]


@pytest.mark.parametrize("code", REFUSALS)
def test_a_wrong_mapping_costs_ten_events_when_its_capture_never_took_one(code: int) -> None:
    """The tenth refusal stops the run with exit 6; all ten stay open, and nothing else was sent there."""
    ending = Stage(react=always({}, otherwise=status(code)), proven=()).play([event(n) for n in range(1, 101)])

    assert isinstance(ending.error, RejectsAboveLimit)
    assert "capture-1" in str(ending.error)
    assert ending.transport.serials() == list(range(1, 11))
    assert ending.transport.most_flying == 1
    assert set(ending.kinds().values()) == {"Open"}
    assert ending.ledger.changes(10) == ["Intent", "Answered"]


def test_a_wrong_mapping_is_found_early_when_thousands_of_another_capture_wait() -> None:
    """What tries a capture goes before what only waits for a slot: behind all of it the tenth would come at the end."""
    bad = [event(number, source="bad") for number in range(1, 21)]
    good = [event(number) for number in range(21, 2001)]
    react = always({each: status(422) for each in range(1, 21)}, otherwise=ACCEPTED)
    ending = Stage(react=react, proven=("capture-1",), max_concurrency=2).play([*bad, *good])

    assert isinstance(ending.error, RejectsAboveLimit)
    assert len(ending.transport.serials()) < 500


def test_events_of_many_new_captures_go_in_the_order_read() -> None:
    """What has refused nothing is in no hurry: else the oldest would go last, and STATE with it."""
    events = [event(number, source=f"capture-{number}") for number in range(1, 1001)]
    ending = Stage(proven=(), max_concurrency=2).play(events)

    assert ending.transport.serials() == list(range(1, 1001))


@pytest.mark.parametrize("code", SETUP_REFUSALS)
def test_the_second_setup_refusal_stops_the_run_when_the_capture_never_took_one(code: int) -> None:
    """Exit 3 after two events; both stay open."""
    ending = Stage(react=always({}, otherwise=status(code)), proven=()).play([event(n) for n in range(1, 101)])

    assert isinstance(ending.error, CaptureRefused)
    assert ending.transport.serials() == [1, 2]
    assert set(ending.kinds().values()) == {"Open"}


def test_refusals_are_rejections_when_their_capture_then_accepts() -> None:
    """A spam lead first of all stops nothing: it waits for the capture's first acceptance, in one transaction."""
    ending = Stage(react=script({1: [status(403)], 2: [status(400)]}), proven=()).play([event(n) for n in range(1, 31)])

    assert ending.error is None
    assert list(ending.kinds().values()) == ["Rejected"] * 2 + ["Delivered"] * 28
    assert ending.transport.serials()[:3] == [1, 2, 3]
    (first,) = [commit for commit in ending.ledger.commits if "Proven" in {type(each).__name__ for each in commit}]
    assert sum(isinstance(change, Concluded) for change in first) >= 3
    assert not ending.statistics.was_judged_late


@pytest.mark.parametrize("code", SETUP_REFUSALS)
def test_ten_setup_refusals_in_a_row_stop_the_run_when_the_capture_is_proven(code: int) -> None:
    """A capture deleted half way costs ten rejects; those in flight with the tenth may be some more."""

    def react(sent: Sent) -> Reaction:
        return ACCEPTED if sent.serial <= 20 else status(code)

    ending = Stage(react=react, proven=(), max_concurrency=1).play([event(n) for n in range(1, 101)])

    assert isinstance(ending.error, CaptureRefused)
    assert list(ending.kinds().values()) == ["Delivered"] * 20 + ["Rejected"] * 10 + ["Open"] * 70


def test_nothing_stops_when_setup_refusals_are_not_in_a_row() -> None:
    """One spam lead in front of a firewall in every ten stops no others."""

    def react(sent: Sent) -> Reaction:
        return status(403) if sent.serial % 10 else ACCEPTED

    ending = Stage(react=react, max_concurrency=1).play([event(n) for n in range(1, 101)])

    assert ending.error is None
    assert list(ending.kinds().values()).count("Rejected") == 90


@pytest.mark.parametrize("code", REFUSALS)
def test_a_hundred_refusals_in_a_row_stop_the_run_when_the_capture_is_proven(code: int) -> None:
    """They are kept, and STATE does not go on over everything that follows."""
    react = always({}, otherwise=status(code))

    ending = Stage(react=react, max_concurrency=4).play([event(n) for n in range(1, 301)])

    assert isinstance(ending.error, RejectsAboveLimit)
    assert "capture-1" in str(ending.error)
    assert f"status {code}" in str(ending.error)
    assert 100 <= list(ending.kinds().values()).count("Rejected") < 104


def test_a_hundred_refusals_stop_nothing_when_they_are_not_in_a_row_or_are_borne() -> None:
    """One in a hundred is accepted; or the settings say that no share is too much."""
    hundredth = always(dict.fromkeys(range(1, 1000, 99), ACCEPTED), otherwise=status(422))

    between = Stage(react=hundredth, max_concurrency=1).play([event(n) for n in range(1, 301)])
    borne = Stage(react=always({}, otherwise=status(422)), bears_refusals=True).play([event(n) for n in range(1, 301)])

    assert between.error is None
    assert borne.error is None
    assert set(borne.kinds().values()) == {"Rejected"}


def test_refusals_are_judged_when_the_input_ends() -> None:
    """Fewer than ten, and no acceptance: rejected at the end, and the run ends with exit 6."""
    parts = [*(event(n) for n in range(1, 6)), event(6, source="capture-2")]

    ending = Stage(react=always(dict.fromkeys(range(1, 6), status(400))), proven=()).play(parts)

    assert isinstance(ending.error, RejectsAboveLimit)
    assert list(ending.kinds().values()) == ["Rejected"] * 5 + ["Delivered"]
    assert ending.statistics.was_judged_late
    assert ending.ledger.counts().rejected == 5


def test_refusals_stay_open_when_the_run_is_stopped() -> None:
    """A signal judges nothing."""

    async def stop(dispatcher: Dispatcher) -> None:
        await asyncio.sleep(5)
        dispatcher.stop()

    ending = Stage(react=always({}, otherwise=status(400)), proven=()).play([event(1), event(2)], stop)

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Open"}
    assert standings(ending.ledger, event(1)) == [Standing.ANSWERED]


def test_refusals_are_judged_when_only_they_keep_the_reader_waiting() -> None:
    """A window full of unjudged refusals would wait for ever; the run goes on, and ends with exit 6."""

    async def wait_for_room(dispatcher: Dispatcher) -> None:
        await asyncio.sleep(5)
        assert not reported
        dispatcher.note_reader_waits()
        await asyncio.sleep(1)
        reported.append(dispatcher.statistics.was_judged_late)
        dispatcher.submit([event(3)])
        dispatcher.end_input()

    reported: list[bool] = []
    react = always({1: status(400), 2: status(400)})

    ending = Stage(react=react, proven=()).play([event(1), event(2)], wait_for_room)

    assert reported == [True]
    assert isinstance(ending.error, RejectsAboveLimit)
    assert ending.kinds() == {1: "Rejected", 2: "Rejected", 3: "Delivered"}


def test_refusals_are_not_judged_when_something_else_keeps_the_reader_waiting() -> None:
    """An event in backoff may still be the capture's first accepted one."""

    async def wait_for_room(dispatcher: Dispatcher) -> None:
        await asyncio.sleep(0.5)
        dispatcher.note_reader_waits()
        await asyncio.sleep(1)
        dispatcher.end_input()

    react = script({1: [status(400)], 2: [status(503)] * 5})

    ending = Stage(react=react, proven=()).play([event(1), event(2)], wait_for_room)

    assert ending.error is None
    assert ending.kinds() == {1: "Rejected", 2: "Delivered"}


def test_the_next_event_goes_when_the_first_of_a_new_capture_gets_no_verdict() -> None:
    """A poisoned first event does not keep its capture unproven."""
    react = script({1: [status(500)] * 3})

    ending = Stage(react=react, proven=()).play([event(n) for n in range(1, 31)])

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}
    assert ending.transport.serials()[:2] == [1, 2]
    assert ending.transport.moments(30)[0] < 1


def test_ten_events_are_tried_when_none_of_a_new_capture_gets_a_verdict() -> None:
    """One in flight at a time, ten in backoff at the most: an outage in front of a new capture floods nobody."""
    stage = Stage(react=always({}, otherwise=NoAnswer.NOT_SENT), proven=(), max_outage=60)

    ending = stage.play([event(n) for n in range(1, 31)])

    assert isinstance(ending.error, ApiOutage)
    assert set(ending.transport.serials()) == set(range(1, 11))
    assert ending.transport.most_flying == 1


def test_unjudged_and_waiting_events_count_together_when_a_new_capture_is_tried() -> None:
    """Six refused and four in backoff are ten: the eleventh stays behind."""
    react = always(dict.fromkeys(range(1, 7), status(400)), otherwise=NoAnswer.NOT_SENT)

    ending = Stage(react=react, proven=(), max_outage=60).play([event(n) for n in range(1, 31)])

    assert set(ending.transport.serials()) == set(range(1, 11))


def test_a_thousand_new_captures_cost_one_round_trip_each_when_met_at_once() -> None:
    """They prove themselves at the same time: 2,000 events take thirteen round trips, of which five to 256 slots."""
    parts = [event(n, source=f"capture-{n % 1_000}") for n in range(1, 2_001)]

    ending = Stage(proven=(), max_concurrency=256).play(parts)

    assert ending.error is None
    assert ending.ended_at < 1.3
    assert ending.transport.most_flying == 256


def test_a_capture_is_proven_for_later_runs_when_it_has_accepted_once() -> None:
    """The ledger remembers, and the next run sends at full width from the start."""
    first = Stage(proven=()).play([event(1)])

    later = Stage(proven=(), ledger=first.ledger, max_concurrency=10).play([event(n) for n in range(2, 18)])

    assert later.transport.most_flying == 10


def test_a_capture_is_proven_when_the_first_run_only_then_dies() -> None:
    """Its proof is committed with its first outcome."""
    react = script({1: [ACCEPTED]}, otherwise=After(5.0, NoAnswer.LOST))

    ending = Stage(react=react, proven=(), max_outage=20).play([event(1), event(2)])

    assert ending.ledger.proven([event(1).capture]) == [True]


def test_a_delivered_event_is_not_sent_again_when_its_first_version_was_refused() -> None:
    """The same event twice: refused, then mended and accepted. What the ledger keeps in the end is the delivery."""
    wrong, mended = event(1, event_id="x", person="p"), event(2, event_id="x", person="p")

    ending = Stage(react=script({1: [status(400)]}), proven=()).play([wrong, mended])
    again = Stage(ledger=ending.ledger, proven=()).play([mended])

    assert ending.kinds() == {1: "Rejected", 2: "Delivered"}
    assert again.kinds() == {2: "AlreadyDelivered"}


CONTENTS = pytest.mark.parametrize(
    "content", [pytest.param(b"the same", id="the same content"), pytest.param(None, id="other content")]
)
"""Of the second of two events with one identity."""


@CONTENTS
def test_an_unknown_stays_unknown_when_its_first_version_is_judged_meanwhile(content: bytes | None) -> None:
    """The late judgement of a refusal must not make the ledger forget that a later request may have arrived."""

    def react(sent: Sent) -> Reaction:
        match sent.serial:
            case 1:
                return status(400)
            case 2:
                return NoAnswer.LOST
            case _:
                return After(0.2, ACCEPTED)

    async def prove_and_stop(dispatcher: Dispatcher) -> None:
        await asyncio.sleep(0.5)  # 2 has lost its answer, and is in its backoff
        dispatcher.submit([event(3)])
        await asyncio.sleep(0.4)
        dispatcher.stop()

    stage = Stage(react=react, proven=(), roll=lambda: 0.999)
    parts = [event(1, event_id="x", content_of=content), event(2, event_id="x", content_of=content)]
    ending = stage.play(parts, prove_and_stop)

    assert ending.kinds() == {1: "Rejected", 2: "Open", 3: "Delivered"}
    assert standings(ending.ledger, parts[1]) == [Standing.UNKNOWN]


@CONTENTS
def test_a_held_unknown_stays_held_when_its_first_version_is_judged_later(content: bytes | None) -> None:
    """What a person has to decide is not sent by the next run."""

    async def prove(dispatcher: Dispatcher) -> None:
        await asyncio.sleep(1)
        dispatcher.submit([event(3)])
        dispatcher.end_input()

    react = script({1: [status(400)], 2: [NoAnswer.LOST]})
    parts = [event(1, event_id="x", content_of=content), event(2, event_id="x", content_of=content)]

    ending = Stage(react=react, proven=(), holds_unknown=True).play(parts, prove)
    again = Stage(ledger=ending.ledger, holds_unknown=True).play([parts[1]])

    assert ending.kinds() == {1: "Rejected", 2: "Held", 3: "Delivered"}
    assert again.kinds() == {2: "Held"}
    assert again.transport.sent == []


@CONTENTS
def test_both_are_judged_together_when_one_event_is_refused_twice(content: bytes | None) -> None:
    """The second of two same events follows the first's refusal, and shares its judgement."""
    parts = [event(1, event_id="x", content_of=content), event(2, event_id="x", content_of=content)]

    ending = Stage(react=always({}, otherwise=status(400)), proven=()).play(parts)

    assert ending.kinds() == {1: "Rejected", 2: "Rejected"}
    assert ending.transport.serials() == [1, 2]
    assert isinstance(ending.error, RejectsAboveLimit)
    assert Delivered() not in [outcome for _, outcome in ending.outcomes]


@pytest.mark.parametrize(
    ("second", "is_superseded", "standing"),
    [
        pytest.param(event(2, event_id="x", content_of=b"x"), True, Standing.DELIVERED, id="the same content"),
        pytest.param(
            event(2, event_id="x", person="p"), False, Standing.REFUSED, id="other content of the same person"
        ),
        pytest.param(event(2, event_id="x", person="q"), False, Standing.REFUSED, id="another person's"),
    ],
)
def test_an_unjudged_refusal_is_superseded_when_a_later_request_is_for_the_same_content(
    second: Event,
    is_superseded: bool,  # noqa: FBT001 - of the table
    standing: Standing,
) -> None:
    """Other content says nothing of it: it defends nothing meanwhile, and is kept in a row of its own."""
    first = event(1, event_id="x", content_of=b"x", person="p")

    ending = Stage(react=script({1: [status(400)]}), proven=()).play([first, second])

    (judged,) = [
        change
        for commit in ending.ledger.commits
        for change in commit
        if isinstance(change, Concluded) and isinstance(change.outcome, Rejected)
    ]
    assert ending.kinds() == {1: "Rejected", 2: "Delivered"}
    assert judged.is_superseded is is_superseded
    assert standings(ending.ledger, first, second) == [standing, Standing.DELIVERED]


def test_an_open_refusal_is_a_collision_when_another_person_took_its_identity_meanwhile() -> None:
    """Refused and never judged it defends nothing; read again it is held, and not sent over the other's event."""
    first, second = event(1, event_id="x", person="p"), event(2, event_id="x", person="q")
    react = always({1: status(400)}, otherwise=NoAnswer.NOT_SENT)
    before = Stage(react=react, proven=(), max_outage=20).play([first, event(3)])

    between = Stage(ledger=before.ledger).play([second])
    after = Stage(ledger=before.ledger).play([first])

    assert before.kinds() == {1: "Open", 3: "Open"}
    assert between.kinds() == {2: "Delivered"}
    assert after[1] == Held(reason="its event_id is another's", kind=HeldAs.COLLISION)
    assert after.transport.sent == []
    assert standings(after.ledger, first, second) == [Standing.ANSWERED, Standing.DELIVERED]
