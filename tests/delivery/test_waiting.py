"""How long is waited between two tries, and who waits."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from itertools import pairwise

import pytest

from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.errors import AskedToWait
from target_driftrock.events.answer import Answer, NoAnswer, Reply
from tests.delivery.doubles import LATENCY, After, React, ScriptedTokens, Sent, always, script, status
from tests.delivery.examples import event
from tests.delivery.stage import WALL, Ending, Stage

MOST = 0.999_999
"""The longest wait that jitter can throw."""


def gaps(ending: Ending, serial: int) -> list[float]:
    """Seconds between the tries of a record, less the time that a reply takes."""
    return [later - earlier - LATENCY for earlier, later in pairwise(ending.transport.moments(serial))]


@pytest.mark.parametrize("reply", [status(503), status(408), status(429), NoAnswer.NOT_SENT, NoAnswer.LOST])
def test_waits_double_up_to_a_minute_when_nothing_gets_a_verdict(reply: Reply) -> None:
    """1 s doubling to 60 s at the most."""
    ending = Stage(react=script({1: [reply] * 9}), roll=lambda: MOST).play([event(1)])

    assert gaps(ending, 1) == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60], abs=0.01)


def test_a_retry_comes_at_once_when_jitter_throws_nothing() -> None:
    """Full jitter: any wait from nothing to the bound."""
    ending = Stage(react=script({1: [status(503)] * 9}), roll=lambda: 0.0).play([event(1)])

    assert gaps(ending, 1) == pytest.approx([0.0] * 9, abs=0.01)


async def trickle(dispatcher: Dispatcher, *, seconds: int) -> None:
    """A record a second, from number 100 on."""
    for number in range(100, 100 + seconds):
        dispatcher.submit([event(number)])
        await asyncio.sleep(1)
    dispatcher.end_input()


@pytest.mark.parametrize("failure", [status(503), NoAnswer.LOST], ids=["503", "no answer"])
def test_a_run_is_longer_by_its_tries_alone_when_the_last_event_fails(failure: Reply) -> None:
    """Nothing else is waited for: no batch, no commit of somebody else."""
    stage = Stage(react=script({300: [failure] * 3}), roll=lambda: MOST)

    ending = stage.play([event(number) for number in range(1, 301)])

    assert ending.kinds()[300] == "Delivered"
    assert ending.ended_at - ending.transport.moments(300)[0] == pytest.approx(1 + 2 + 4 + 4 * LATENCY, abs=0.05)


def test_waits_end_at_five_seconds_when_others_get_verdicts() -> None:
    """While the API is well, a long sleep would only delay one event."""
    stage = Stage(react=script({1: [status(429)] * 5}), roll=lambda: MOST)

    ending = stage.play([event(1)], lambda dispatcher: trickle(dispatcher, seconds=60))

    assert gaps(ending, 1) == pytest.approx([1, 2, 4, 5, 5], abs=0.01)


def test_a_sleeper_is_woken_within_five_seconds_when_verdicts_come_again() -> None:
    """After an outage nobody sleeps out a minute, but whom a server asked to."""

    async def wait(dispatcher: Dispatcher) -> None:
        await asyncio.sleep(70)  # their seventh sleeps have begun, and last until 124
        dispatcher.submit([event(3)])
        dispatcher.end_input()

    asked = [*[status(408)] * 6, status(503, retry_after="60")]
    stage = Stage(react=script({1: [status(408)] * 7, 2: asked}), roll=lambda: MOST)

    ending = stage.play([event(1), event(2)], wait)

    assert ending.transport.moments(1)[7] == pytest.approx(70 + LATENCY + 5, abs=0.1)
    assert ending.transport.moments(2)[7] >= 63 + 60


FORMS = [pytest.param("30", id="seconds"), pytest.param(formatdate(WALL + 30, usegmt=True), id="a date")]


@pytest.mark.parametrize("retry_after", FORMS)
def test_everyone_waits_when_a_429_names_a_time(retry_after: str) -> None:
    """Nothing is sent until then; what was in flight finishes."""
    react = script({1: [status(429, retry_after=retry_after)]})

    ending = Stage(react=react, max_concurrency=2).play([event(number) for number in range(1, 9)])

    asked_at = ending.transport.moments(1)[0] + LATENCY
    assert ending.error is None
    assert all(sent.at <= asked_at + 0.01 or sent.at >= 29.9 for sent in ending.transport.sent)
    assert sum(sent.at >= 29.9 for sent in ending.transport.sent) >= 6
    assert ending.ended_at < 35


def test_nobody_else_waits_when_a_429_names_no_time() -> None:
    """Its own event backs off."""
    ending = Stage(react=script({1: [status(429)]}), max_concurrency=2).play([event(number) for number in range(1, 9)])

    assert max(sent.at for sent in ending.transport.sent if sent.serial > 1) < 1


@pytest.mark.parametrize("retry_after", FORMS)
def test_only_its_own_event_waits_when_a_5xx_names_a_time(retry_after: str) -> None:
    """One overloaded back end is not the whole API."""
    react = script({1: [status(503, retry_after=retry_after)]})

    ending = Stage(react=react, max_concurrency=2).play([event(number) for number in range(1, 9)])

    assert ending.transport.moments(1)[1] >= 29.9
    assert max(sent.at for sent in ending.transport.sent if sent.serial > 1) < 1


def failing_first(count: int) -> React:
    """The first `count` records get a 503 that asks for 30 s, once."""
    return script({serial: [status(503, retry_after="30")] for serial in range(1, 1 + count)})


@pytest.mark.parametrize(("failing", "waits"), [(5, False), (6, True)], ids=["five of 100", "six of 100"])
def test_everyone_waits_for_a_5xx_when_more_than_five_of_the_last_hundred_are(failing: int, *, waits: bool) -> None:
    """Then it is the API as a whole that asks."""
    stage = Stage(react=failing_first(failing), max_concurrency=2)

    ending = stage.play([event(number) for number in range(1, 31)])

    others = [sent.at for sent in ending.transport.sent if sent.serial > 8]
    assert (max(others) > 29) is waits
    assert ending.error is None


def test_a_longer_wait_is_kept_when_a_shorter_one_is_asked_for_later() -> None:
    """The second 429 does not end the pause of the first."""
    react = script({1: [status(429, retry_after="30")], 2: [status(429, retry_after="3")]})

    ending = Stage(react=react, max_concurrency=2).play([event(number) for number in range(1, 9)])

    assert not [sent for sent in ending.transport.sent if 0.3 < sent.at < 29.9]


def test_others_go_when_a_pause_is_over_before_its_own_event_wakes() -> None:
    """Its long backoff is its own; what a 429 asked of everyone is short."""

    async def submit(dispatcher: Dispatcher) -> None:
        await asyncio.sleep(33)  # the sixth reply came at 31.7, and its event sleeps until 63.7
        dispatcher.submit([event(2)])
        dispatcher.end_input()

    react = script({1: [*[status(408)] * 5, status(429, retry_after="3")]})

    ending = Stage(react=react, roll=lambda: MOST).play([event(1)], submit)

    assert ending.transport.moments(2) == pytest.approx([34.7], abs=0.2)


@pytest.mark.parametrize(
    "retry_after", ["soon", "-5", "", "Fri, 31 Dec 99999 23:59:59 GMT", "Fri, 31 Dec 99999999999 23:59:59 GMT"]
)
def test_the_usual_wait_holds_when_retry_after_cannot_be_read(retry_after: str) -> None:
    """What asks for nothing asks for nothing."""
    stage = Stage(react=script({1: [status(429, retry_after=retry_after)]}), roll=lambda: MOST)

    assert gaps(stage.play([event(1)]), 1) == pytest.approx([1], abs=0.01)


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("retry_after", ["301", "Fri, 31 Dec 9999 23:59:59 GMT", "9" * 30, "9" * 400])
def test_the_run_ends_at_once_when_the_api_asks_for_longer_than_patience_lasts(code: int, retry_after: str) -> None:
    """Be it an hour or centuries: nobody waits in silence for what will not come."""
    stage = Stage(react=always({}, otherwise=status(code, retry_after=retry_after)), max_outage=300)

    ending = stage.play([event(1)])

    assert isinstance(ending.error, AskedToWait)
    assert ending.kinds() == {1: "Open"}
    assert ending.ended_at < 1


def test_the_moment_to_come_back_is_told_when_the_api_asks_for_longer_than_patience_lasts() -> None:
    """By the answer's own clock, and in universal time."""
    answer = Answer(status=429, retry_after="Fri, 15 Jan 2027 10:00:00 GMT", date="Fri, 15 Jan 2027 09:00:00 GMT")

    ending = Stage(react=always({}, otherwise=answer), max_outage=300).play([event(1)])

    assert "2027-01-15 09:00:00+00:00" in str(ending.error)  # an hour after the stage's own time, which is earlier


def test_a_date_is_measured_from_the_answer_s_own_when_clocks_differ() -> None:
    """A server whose clock is an hour ahead asks for a second, not for an hour."""
    answer = Answer(status=503, retry_after="Fri, 15 Jan 2027 09:00:01 GMT", date="Fri, 15 Jan 2027 09:00:00 GMT")

    ending = Stage(react=script({1: [answer]}), roll=lambda: 0.0).play([event(1)])

    assert gaps(ending, 1) == pytest.approx([1], abs=0.01)


def test_one_event_waits_a_minute_when_it_alone_is_asked_to_wait_for_longer_than_patience_lasts() -> None:
    """Others get verdicts: the API is well, and the run goes on."""

    async def feed(dispatcher: Dispatcher) -> None:
        for number in range(2, 102):
            dispatcher.submit([event(number)])
            await asyncio.sleep(1)
        dispatcher.end_input()

    react = script({1: [After(2.0, status(503, retry_after="3600"))]})

    ending = Stage(react=react).play([event(1)], feed)

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}
    assert gaps(ending, 1) == pytest.approx([60 + 2 - LATENCY], abs=0.1)


def test_a_retry_goes_first_when_many_have_not_been_tried() -> None:
    """Behind thousands that wait for their first request it would keep STATE where it is."""
    stage = Stage(react=script({1: [status(503)]}), max_concurrency=2, roll=lambda: 0.5)

    ending = stage.play([event(number) for number in range(1, 101)])

    assert ending.transport.serials().index(1, 1) < 30
    assert ending.transport.moments(1)[1] < 1.5


def test_the_slot_is_free_when_an_event_backs_off() -> None:
    """A sleeper holds up nobody but its own person."""

    def react(sent: Sent) -> Reply:
        return status(503) if sent.serial == 1 and sent.number < 5 else Answer(status=201)

    ending = Stage(react=react, max_concurrency=1, roll=lambda: MOST).play([event(number) for number in range(1, 9)])

    assert set(ending.kinds().values()) == {"Delivered"}
    assert max(sent.at for sent in ending.transport.sent if sent.serial > 1) < 2


def test_no_wait_is_noticed_when_all_is_well() -> None:
    """A hundred records over ten slots take ten round trips."""
    ending = Stage(react=always({}), max_concurrency=10).play([event(number) for number in range(1, 101)])

    assert ending.ended_at < 10 * LATENCY + 0.3


@pytest.mark.parametrize("rate", [1, 50])
def test_no_second_sees_more_requests_than_the_ceiling_and_one(rate: int) -> None:
    """Retries count, and so do those that waited for a token together."""
    stage = Stage(
        react=script({number: [status(503)] for number in range(1, 6)}),
        tokens=ScriptedTokens(latency=3.0),
        max_per_second=rate,
    )

    ending = stage.play([event(number) for number in range(1, 31)])

    moments = [sent.at for sent in ending.transport.sent]
    assert len(moments) == 35
    assert max(sum(moment <= other < moment + 1 for other in moments) for moment in moments) <= rate + 1
    assert ending.ended_at > 3 + 33 / rate


def test_requests_under_a_ceiling_come_evenly() -> None:
    """One by one, not all of a second's at its beginning."""
    ending = Stage(max_per_second=5, max_concurrency=4).play([event(number) for number in range(1, 41)])

    moments = [sent.at for sent in ending.transport.sent]
    assert min(later - earlier for earlier, later in pairwise(moments)) > 0.18
    assert ending.ended_at == pytest.approx(8, abs=0.5)
