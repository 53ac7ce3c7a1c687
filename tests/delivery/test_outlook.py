"""How an outage stands, as the dispatcher tells whoever asks."""

from __future__ import annotations

import asyncio

import pytest

from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.delivery.pending import Outlook
from target_driftrock.events.answer import NoAnswer, Reply
from tests.delivery.doubles import ACCEPTED, LATENCY, After, ScriptedTokens, Sent, always, script, status
from tests.delivery.examples import event
from tests.delivery.stage import Stage

MOST = 0.999_999
"""The longest wait that jitter can throw."""


def asked(stage: Stage, *moments: float, records: int = 1) -> list[Outlook]:
    """What is told at these moments of a delivery that begins at 0."""
    told: list[Outlook] = []

    async def ask(dispatcher: Dispatcher) -> None:
        for moment in moments:
            await asyncio.sleep(moment - asyncio.get_running_loop().time())
            told.append(dispatcher.outlook())
        dispatcher.end_input()

    stage.play([event(number) for number in range(1, records + 1)], ask)
    return told


def test_nothing_is_told_when_nothing_waits() -> None:
    """Whatever came before."""
    (told,) = asked(Stage(), 10.0)

    assert told.waited == pytest.approx(0.0, abs=0.1)
    assert (told.left, told.next_try, told.reason) == (None, 0.0, None)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [(status(503), "status 503"), (status(429), "status 429"), (NoAnswer.NOT_SENT, "no connection")],
)
def test_an_outage_is_told_when_every_try_fails(reply: Reply, reason: str) -> None:
    """Since when, why, when the next try is, and how long the run bears it. Tries take a tenth of a second here."""
    during, trying = asked(Stage(react=script({1: [reply] * 5}), roll=lambda: MOST), 2.0, 7.4)

    assert during.waited == pytest.approx(2.0, abs=0.1)
    assert during.left == pytest.approx(898.0, abs=0.1)
    assert during.next_try == pytest.approx(1 + 2 + 2 * LATENCY - 2.0, abs=0.1)
    assert during.reason == reason
    assert trying.next_try == 0.0


def test_the_pause_is_told_when_the_api_asked_for_one() -> None:
    """Nothing starts before its end."""
    (told,) = asked(Stage(react=script({1: [status(429, retry_after="30")]})), 10.0)

    assert told.next_try == pytest.approx(20.0, abs=0.2)


def test_a_try_is_under_way_when_an_answer_is_long_in_coming() -> None:
    """No reply came, so nothing has failed."""
    (told,) = asked(Stage(react=always({1: After(40.0, ACCEPTED)})), 35.0)

    assert told.waited == pytest.approx(35.0, abs=0.1)
    assert (told.next_try, told.reason) == (0.0, None)


def test_the_token_is_what_is_waited_for_when_none_comes() -> None:
    """The API itself was not asked."""
    (told,) = asked(Stage(tokens=ScriptedTokens(latency=100.0)), 50.0)

    assert told.waited == pytest.approx(50.0, abs=0.1)
    assert (told.next_try, told.reason) == (None, "no token yet")


def test_the_cause_is_told_when_no_token_comes_for_one() -> None:
    """By an outage's line, and by the run's last one."""
    tokens = ScriptedTokens(latency=float("inf"))
    tokens.fault = "connection refused"
    (told,) = asked(Stage(tokens=tokens), 50.0)
    ending = Stage(tokens=tokens, max_outage=60).play([event(1)])

    assert (told.next_try, told.reason) == (None, "no token: connection refused")
    assert "(last: no token: connection refused)" in str(ending.error)


def test_the_wait_begins_anew_when_a_verdict_comes() -> None:
    """Of one event that fails among others that do well, no outage is made."""

    def react(sent: Sent) -> Reply:
        return status(501) if sent.serial == 1 else ACCEPTED

    async def trickle(dispatcher: Dispatcher) -> None:
        for number in range(2, 11):
            dispatcher.submit([event(number)])
            await asyncio.sleep(1)
        told.append(dispatcher.outlook())
        dispatcher.stop()
        told.append(dispatcher.outlook())

    told: list[Outlook] = []
    Stage(react=react).play([event(1)], trickle)

    during, stopping = told
    assert during.waited == pytest.approx(1 - LATENCY, abs=0.1)
    assert stopping.left is None


def test_few_requests_are_no_outage_when_they_may_not_be_more() -> None:
    """Nothing is under way, and nothing has failed."""
    stage = Stage(max_per_second=0.1)

    (told,) = asked(stage, 8.0, records=3)

    assert told.reason is None
    assert told.next_try is not None
    assert told.next_try > 0
