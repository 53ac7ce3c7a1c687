"""What a 401 means: of the token, or of the event."""

from __future__ import annotations

import asyncio

import pytest

from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.errors import ApiOutage, CaptureRefused, TokenRejected
from target_driftrock.events.answer import NoAnswer
from target_driftrock.events.outcome import Rejected
from tests.delivery.doubles import (
    ACCEPTED,
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
    """All that were in flight with the dead token share the new one, and each is sent once more."""

    def react(sent: Sent) -> Reaction:
        return REFUSED if sent.token == "token-1" else ACCEPTED

    tokens = ScriptedTokens()
    ending = Stage(react=react, tokens=tokens).play([event(number) for number in range(1, 11)])

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}
    assert tokens.requests == 2
    assert len(ending.transport.sent) == 20
    assert ending.ledger.changes(1) == ["Intent", "Answered", "Intent", "Delivered"]


def test_a_renewal_is_not_asked_for_twice_when_a_late_401_names_an_old_token() -> None:
    """A slow answer to the old token finds the new one there."""
    react = script({1: [REFUSED], 2: [After(3.0, REFUSED)]})
    tokens = ScriptedTokens()

    ending = Stage(react=react, tokens=tokens).play([event(1), event(2)])

    assert ending.kinds() == {1: "Delivered", 2: "Delivered"}
    assert tokens.requests == 2


def test_an_event_is_rejected_when_its_second_401_comes_with_an_accepted_token() -> None:
    """The token is good: it is the event, as with a 403."""
    stage = Stage(react=always({1: REFUSED}), max_concurrency=2)

    ending = stage.play([event(number) for number in range(1, 21)])

    assert ending.error is None
    assert ending[1] == Rejected(status=401, excerpt=REFUSED.excerpt)
    assert list(ending.kinds().values()) == ["Rejected"] + ["Delivered"] * 19
    assert ending.transport.serials().count(1) == 2


def test_an_event_is_rejected_when_the_token_is_accepted_by_a_later_answer() -> None:
    """Its second 401 waits for those in flight with the same token."""
    react = script({1: [REFUSED] * 2, 2: [REFUSED, After(5.0, ACCEPTED)]})

    ending = Stage(react=react).play([event(1), event(2)])

    assert ending.error is None
    assert ending.kinds() == {1: "Rejected", 2: "Delivered"}


def test_a_rejection_is_told_when_the_run_stops_while_another_s_request_records_it() -> None:
    """Event 2 goes on while its first request records what the token's acceptance says of event 1."""
    stage = Stage(
        react=script(
            {
                1: [REFUSED] * 2,
                2: [REFUSED, After(2.0, status(503))],  # recorded by 8.2
                3: [REFUSED, After(2.5, ACCEPTED)],
            }
        ),
        commit_seconds=1.0,
        roll=lambda: 0.0,
    )

    async def stop(dispatcher: Dispatcher) -> None:
        await asyncio.sleep(8.5)
        dispatcher.submit([event(4)])  # upon which 2, which slept for no time, has its next intent
        await asyncio.sleep(1.0)
        dispatcher.stop()

    ending = stage.play([event(1), event(2), event(3)], stop)

    assert ending.kinds() == {1: "Rejected", 2: "Open", 3: "Delivered", 4: "Open"}
    assert "Rejected" in ending.ledger.changes(1)


def test_the_run_stops_when_no_answer_accepts_the_token() -> None:
    """All that is in flight with it is waited for; then the credentials are of no use, and nothing is refused."""
    react = script({1: [REFUSED] * 9, 2: [REFUSED, After(5.0, REFUSED)], 3: [REFUSED, After(7.0, NoAnswer.LOST)]})
    tokens = ScriptedTokens()

    ending = Stage(react=react, tokens=tokens).play([event(1), event(2), event(3)])

    assert isinstance(ending.error, TokenRejected)
    assert ending.kinds() == {1: "Open", 2: "Open", 3: "Open"}
    assert ending.transport.serials().count(1) == 2
    assert tokens.requests == 2
    assert 7 < ending.ended_at < 8
    assert "rejected" not in str(ending.ledger.counts()).replace("rejected=0", "")


@pytest.mark.parametrize("code", [500, 503, 408, 429])
def test_the_run_stops_when_others_get_no_verdict_with_a_doubted_token(code: int) -> None:
    """A gateway in front of the API that answers for it has accepted nobody's token."""
    react = script({1: [REFUSED] * 9, 2: [REFUSED, After(2.0, status(code)), *[REFUSED] * 9]})

    ending = Stage(react=react).play([event(1), event(2)])

    assert isinstance(ending.error, TokenRejected)
    assert ending.kinds() == {1: "Open", 2: "Open"}


def test_a_401_counts_anew_when_another_answer_came_between() -> None:
    """An event gets a new token each time its token dies."""
    react = script({1: [REFUSED, status(503), REFUSED]})
    tokens = ScriptedTokens()

    ending = Stage(react=react, tokens=tokens).play([event(1)])

    assert ending.kinds() == {1: "Delivered"}
    assert tokens.requests == 3


def test_the_run_stops_when_ten_events_in_a_row_get_two_401_with_a_good_token() -> None:
    """They count as 403 do: at a proven capture the tenth stops the run."""
    refused = {number: After(0.15, REFUSED) for number in range(1, 400) if number % 10 == 0}
    parts = [event(number, source="capture-1" if number in refused else "capture-2") for number in range(1, 400)]
    stage = Stage(react=always(refused), proven=("capture-1", "capture-2"), max_concurrency=4)

    ending = stage.play(parts)

    assert isinstance(ending.error, CaptureRefused)
    assert list(ending.kinds().values()).count("Rejected") == 10


def test_the_run_stops_when_the_api_key_is_refused() -> None:
    """A key cannot be renewed: no event is tried twice with it."""
    ending = Stage(react=always({}, otherwise=REFUSED), tokens=FixedKey()).play([event(1), event(2)])

    assert isinstance(ending.error, TokenRejected)
    assert "API key" in str(ending.error)
    assert ending.kinds() == {1: "Open", 2: "Open"}
    assert sorted(ending.transport.serials()) == [1, 2]


def test_an_event_is_rejected_when_an_accepted_api_key_is_refused_for_it() -> None:
    """Its first 401 is the verdict, since no other key will come."""
    react = always({1: After(1.0, REFUSED)})

    ending = Stage(react=react, tokens=FixedKey()).play([event(1), event(2)])

    assert ending.error is None
    assert ending.kinds() == {1: "Rejected", 2: "Delivered"}
    assert ending.transport.serials().count(1) == 1


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
    """The renewal keeps its turn, and the capture's next waits for its verdict."""
    react = script({1: [REFUSED]})

    ending = Stage(react=react, proven=(), ledger=RecordingLedger()).play([event(1), event(2)])

    assert ending.transport.serials() == [1, 1, 2]
    assert ending.kinds() == {1: "Delivered", 2: "Delivered"}
