"""A payload that fails while others do well must not pin STATE; a brown-out must hold nothing."""

from __future__ import annotations

import asyncio
import random

import pytest

from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.errors import ApiOutage
from target_driftrock.events.answer import Answer, NoAnswer, Unreadable
from target_driftrock.events.outcome import Held
from tests.delivery.doubles import ACCEPTED, Reaction, Sent, always, script, status
from tests.delivery.examples import event
from tests.delivery.stage import Stage


async def trickle(dispatcher: Dispatcher, *, count: int, seconds: float = 0.2) -> None:
    """A record every so often, from number 100 on."""
    for number in range(100, 100 + count):
        dispatcher.submit([event(number)])
        await asyncio.sleep(seconds)
    dispatcher.end_input()


@pytest.mark.parametrize(
    "poison",
    [
        *(status(500), status(503, retry_after="2"), status(408), status(425), status(401), status(402)),
        *(Answer(status=403, excerpt=b"<html>"), Unreadable(status=200), NoAnswer.LOST),
    ],
    ids=["500", "503 with Retry-After", "408", "425", "401", "402", "a page", "no HTTP", "no answer"],
)
def test_a_poisoned_event_is_held_when_ten_others_do_well(poison: Reaction) -> None:
    """At its sixth failure, and all others are delivered."""
    ending = Stage(react=always({1: poison})).play([event(1)], lambda each: trickle(each, count=200))

    outcome = ending[1]
    assert ending.error is None
    assert isinstance(outcome, Held)
    assert outcome.is_unknown is (poison in {status(500), status(408), Unreadable(status=200), NoAnswer.LOST})
    assert outcome.status == (poison.status if isinstance(poison, Answer) else None)
    assert list(ending.kinds().values()).count("Delivered") == 200
    assert ending.transport.serials().count(1) == 6


@pytest.mark.parametrize(
    ("poison", "outcome"), [(status(425), "Delivered"), (status(500), "Held")], ids=["nothing was done", "perhaps done"]
)
def test_a_poisoned_event_is_sent_again_when_it_comes_again_and_cannot_have_arrived(
    poison: Answer, outcome: str
) -> None:
    """What may have arrived stays unknown, and held: a person decides, by `rejects`."""
    ending = Stage(react=always({1: poison})).play([event(1)], lambda each: trickle(each, count=200))

    again = Stage(ledger=ending.ledger).play([event(1)])

    assert again.kinds() == {1: outcome}


def test_a_poisoned_event_is_an_outage_when_it_is_alone() -> None:
    """Nobody can tell it from an API that is down: it is tried until patience ends, and stays open."""
    ending = Stage(react=always({1: status(500)})).play([event(1)])

    assert isinstance(ending.error, ApiOutage)
    assert ending.ended_at == pytest.approx(900, abs=1)
    assert ending.kinds() == {1: "Open"}


def test_a_poisoned_event_is_tried_on_when_only_nine_others_were_seen() -> None:
    """Fewer witnesses than ten prove nothing."""
    ending = Stage(react=always({1: status(500)}), max_outage=120).play([event(1)], lambda each: trickle(each, count=9))

    assert isinstance(ending.error, ApiOutage)
    assert ending.kinds()[1] == "Open"
    assert ending.transport.serials().count(1) > 6


@pytest.mark.parametrize("place", [2, 30, 58, 60])
def test_a_poisoned_event_does_not_stop_a_small_pipeline_when_all_others_are_through(place: int) -> None:
    """Of sixty records one fails always, wherever it stands: within two minutes or so it is held, and the run ends."""
    ending = Stage(react=always({place: status(500)})).play([event(number) for number in range(1, 61)])

    assert ending.error is None
    assert ending.kinds()[place] == "Held"
    assert list(ending.kinds().values()).count("Delivered") == 59
    assert ending.ended_at < 200


def test_one_is_alone_in_failing_when_another_that_had_failed_is_refused() -> None:
    """A refusal is an answer, whatever its capture makes of it later."""
    react = script({99: [status(500), status(400)]}, otherwise=ACCEPTED)
    parts = [event(99, source="new"), *(event(number) for number in range(1, 61))]

    ending = Stage(react=lambda sent: status(500) if sent.serial == 60 else react(sent)).play(parts)

    assert ending.kinds()[60] == "Held"
    assert ending.ended_at < 300


@pytest.mark.parametrize("failing", [2, 16])
def test_nothing_is_held_when_an_outage_comes_at_the_end_of_a_large_run(failing: int) -> None:
    """A thousand did well before, and what is in flight fails together: that is the API, and no event."""
    parts = [event(number) for number in range(1, 1_001 + failing)]

    async def feed(dispatcher: Dispatcher) -> None:
        dispatcher.submit(parts[:1_000])
        await asyncio.sleep(60)
        dispatcher.submit(parts[1_000:])
        dispatcher.end_input()

    ending = Stage(react=lambda sent: ACCEPTED if sent.at < 60 else status(500), max_outage=300).play([], feed)

    assert isinstance(ending.error, ApiOutage)
    assert list(ending.kinds().values()) == ["Delivered"] * 1_000 + ["Open"] * failing


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize("failure", [status(503), NoAnswer.LOST], ids=["503", "no answer"])
def test_nothing_is_held_when_the_api_browns_out(share: float, failure: Reaction) -> None:
    """Ten minutes of failures for everyone: each event is tried until it is through."""
    chance = random.Random(7)  # noqa: S311 - the same each time

    def react(sent: Sent) -> Reaction:
        return failure if sent.at < 600 and chance.random() < share else ACCEPTED

    async def feed(dispatcher: Dispatcher) -> None:
        for number in range(1, 1_201):
            dispatcher.submit([event(number)])
            await asyncio.sleep(0.5)
        dispatcher.end_input()

    ending = Stage(react=react).play([], feed)

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}
    assert ending.statistics.retries > 1_200 * share * 0.7


def test_nobody_waits_when_as_many_are_poisoned_as_there_are_slots() -> None:
    """Each backs off without its slot, and each is held in the end."""
    poisoned = range(1, 17)
    parts = [*(event(number) for number in poisoned), *(event(number) for number in range(1_001, 1_201))]
    stage = Stage(react=always(dict.fromkeys(poisoned, NoAnswer.LOST)))

    ending = stage.play(parts, lambda each: trickle(each, count=200))

    assert ending.error is None
    assert [ending.kinds()[number] for number in poisoned] == ["Held"] * 16
    assert max(ending.transport.moments(number)[0] for number in range(1_001, 1_201)) < 5


def test_those_behind_it_go_when_a_poisoned_event_is_held() -> None:
    """A held event does not hold later ones of its person."""
    parts = [event(1, person="p"), event(2, person="p"), event(3, event_id="leads:1")]

    ending = Stage(react=always({1: status(425)})).play(parts, lambda each: trickle(each, count=200))

    assert ending.kinds()[1] == "Held"
    assert ending.kinds()[2] == ending.kinds()[3] == "Delivered"
    assert ending.transport.moments(2)[0] > ending.transport.moments(1)[5]
