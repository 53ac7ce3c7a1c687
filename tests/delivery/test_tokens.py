"""What a 401 means: of the token, never of the event."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import pytest

from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.delivery.renewal import Renewal
from target_driftrock.errors import ApiOutage, TokenRejected
from target_driftrock.events.outcome import Held
from tests.delivery.doubles import (
    ACCEPTED,
    LATENCY,
    After,
    FixedKey,
    Reaction,
    RecordingLedger,
    ScriptedTokens,
    Sent,
    always,
    script,
    status,
)
from tests.delivery.examples import event
from tests.delivery.stage import Stage

REFUSED = status(401)


def test_one_token_is_asked_for_when_many_get_a_401() -> None:
    """All that were in flight with the dead token share the new one at once, and each is sent once more."""

    def react(sent: Sent) -> Reaction:
        return REFUSED if sent.token == "token-1" and sent.at > 10 else ACCEPTED

    async def feed(dispatcher: Dispatcher) -> None:
        dispatcher.submit([event(99)])
        await asyncio.sleep(20)
        dispatcher.submit([event(number) for number in range(1, 11)])
        dispatcher.end_input()

    tokens = ScriptedTokens()
    ending = Stage(react=react, tokens=tokens).play([], feed)

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}
    assert tokens.requests == 2
    assert len(ending.transport.sent) == 21
    assert ending.ledger.changes(1) == ["Intent", "Answered", "Intent", "Delivered"]
    assert ending.ended_at < 21


def test_a_renewal_is_not_asked_for_twice_when_a_late_401_names_an_old_token() -> None:
    """A slow answer to the old token finds the new one there."""
    react = script({1: [After(6.0, REFUSED)], 2: [After(9.0, REFUSED)]})
    tokens = ScriptedTokens()

    ending = Stage(react=react, tokens=tokens).play([event(1), event(2)])

    assert ending.kinds() == {1: "Delivered", 2: "Delivered"}
    assert tokens.requests == 2


@pytest.mark.parametrize("seconds", [4.0, 5.5])
def test_nothing_is_rejected_when_a_token_is_good_seconds_later(seconds: float) -> None:
    """Each one that was never accepted gets more time than the last."""
    issued: dict[str, float] = {}

    def react(sent: Sent) -> Reaction:
        return ACCEPTED if sent.at - issued.setdefault(sent.token, sent.at) > seconds else REFUSED

    ending = Stage(react=react, roll=lambda: 0.5).play([event(1), event(2)])

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}


@pytest.mark.parametrize("roll", [0.0, 0.5, 0.99])
def test_nothing_is_rejected_when_a_token_is_good_half_a_second_later(roll: float) -> None:
    """A new token for each 401 would never be old enough."""
    issued: dict[str, float] = {}

    def react(sent: Sent) -> Reaction:
        return ACCEPTED if sent.at - issued.setdefault(sent.token, sent.at) > 0.5 else REFUSED

    tokens = ScriptedTokens()
    ending = Stage(react=react, tokens=tokens, roll=lambda: roll).play([event(number) for number in range(1, 31)])

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}
    assert tokens.requests == 1
    assert ending.ended_at < 7


@pytest.mark.parametrize("tokens", [ScriptedTokens, FixedKey])
def test_nothing_is_rejected_when_one_node_in_ten_answers_401(tokens: type[ScriptedTokens | FixedKey]) -> None:
    """It judges a token, and no event; another token is asked for a few times at most."""
    chance = random.Random(5)  # noqa: S311 - the same each time

    def react(_: Sent) -> Reaction:
        return REFUSED if chance.random() < 0.1 else ACCEPTED

    given = tokens()
    ending = Stage(react=react, tokens=given).play([event(number) for number in range(1, 1_001)])

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}
    assert given.requests <= 1 + ending.ended_at


def test_both_get_on_when_another_pipeline_s_token_ends_ours() -> None:
    """Each of our tokens lives for two seconds."""
    used: dict[str, float] = {}

    def react(sent: Sent) -> Reaction:
        return ACCEPTED if sent.at - used.setdefault(sent.token, sent.at) < 2.0 else REFUSED

    async def feed(dispatcher: Dispatcher) -> None:
        for number in range(1, 601):
            dispatcher.submit([event(number)])
            await asyncio.sleep(0.1)
        dispatcher.end_input()

    tokens = ScriptedTokens()
    ending = Stage(react=react, tokens=tokens).play([], feed)

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}
    assert tokens.requests < ending.ended_at


@pytest.mark.parametrize(("proven", "soonest"), [((), 5.0), (("capture-1",), 10.0)], ids=["unproven", "proven"])
def test_the_run_stops_when_no_token_is_accepted(proven: tuple[str, ...], soonest: float) -> None:
    """Nothing is refused: it is the credentials, and the next run sends all of it. One is tried at a time meanwhile."""
    tokens = ScriptedTokens()
    stage = Stage(react=always({}, otherwise=REFUSED), tokens=tokens, proven=proven)

    ending = stage.play([event(number) for number in range(1, 101)])

    assert isinstance(ending.error, TokenRejected)
    assert set(ending.kinds().values()) == {"Open"}
    assert soonest <= ending.ended_at < 3 * soonest
    assert tokens.requests <= 1 + ending.ended_at
    moments = [sent.at for sent in ending.transport.sent if sent.at > 1.0]
    assert all(later - earlier >= LATENCY for earlier, later in pairwise(moments))
    assert ending.ledger.counts().rejected == 0


def test_the_run_stops_at_the_third_401_in_a_row_when_there_is_only_a_key() -> None:
    """No other one will come."""
    ending = Stage(react=always({}, otherwise=REFUSED), tokens=FixedKey(), max_concurrency=1).play(
        [event(number) for number in range(1, 10)]
    )

    assert isinstance(ending.error, TokenRejected)
    assert "API key" in str(ending.error)
    assert set(ending.kinds().values()) == {"Open"}
    assert len(ending.transport.sent) == 3


def test_an_event_is_held_when_it_alone_gets_a_401() -> None:
    """Whoever says so of it, no other one is held up, and nothing of it is unknown."""

    async def feed(dispatcher: Dispatcher) -> None:
        for number in range(100, 300):
            dispatcher.submit([event(number)])
            await asyncio.sleep(0.2)
        dispatcher.end_input()

    ending = Stage(react=always({1: REFUSED})).play([event(1)], feed)

    assert ending.error is None
    assert ending[1] == Held(reason="it fails while others do well", status=401, excerpt=REFUSED.excerpt)
    assert list(ending.kinds().values()).count("Delivered") == 200


def test_the_run_ends_as_an_outage_when_no_token_comes() -> None:
    """A dead token endpoint is waited for as long as a dead API; nothing was sent, so nothing is unknown."""
    stage = Stage(tokens=ScriptedTokens(latency=float("inf")), max_outage=60)

    ending = stage.play([event(1)])

    assert isinstance(ending.error, ApiOutage)
    assert ending.ended_at == pytest.approx(60, abs=0.1)
    assert ending.ledger.changes(1) == ["Intent", "Withdrawn"]
    assert ending.statistics.unknown == 0


def test_a_stop_is_not_held_up_when_a_token_is_asked_for() -> None:
    """What waits for a token has sent nothing: its intent is taken back at once."""

    async def stop(dispatcher: Dispatcher) -> None:
        await asyncio.sleep(3)
        dispatcher.stop()

    stage = Stage(tokens=ScriptedTokens(latency=float("inf")))

    ending = stage.play([event(1)], stop)

    assert ending.error is None
    assert ending.ended_at < 3.1
    assert ending.ledger.changes(1) == ["Intent", "Withdrawn"]


def test_a_lone_event_is_tried_with_a_new_token_when_it_is_an_unproven_captures_first() -> None:
    """Meanwhile another one may prove the capture."""
    react = script({1: [REFUSED]})

    ending = Stage(react=react, proven=(), ledger=RecordingLedger()).play([event(1), event(2)])

    assert ending.transport.serials() == [1, 2, 1]
    assert ending.kinds() == {1: "Delivered", 2: "Delivered"}


def test_no_other_token_is_wanted_when_the_one_that_was_given_again_is_accepted() -> None:
    """An answer to what was sent before its 401 says nothing of that."""
    renewal = Renewal(lambda: 0.0)
    renewal.use("t", now=0.0)
    renewal.refuse("t", began=5.0, now=5.1)

    renewal.accept("t", began=5.0)
    assert renewal.refused == "t"
    renewal.accept("t", began=5.2)
    assert renewal.refused is None
