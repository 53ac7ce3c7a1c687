"""From a reply to an outcome: the tables of answers and of the ledger's memory, through the whole dispatcher."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from target_driftrock.delivery.admission import ANSWER_LOST
from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.errors import AnswersLost, CaptureSilent, NotTheApi
from target_driftrock.events.answer import Answer, NoAnswer, Reply, Unreadable
from target_driftrock.events.outcome import ChangeCause, Changed, Delivered, Held, HeldAs, Invalid, Rejected, Settled
from target_driftrock.ledger.interface import Answered, Change, Concluded, Intent, Lost, Withdrawn
from tests.delivery.doubles import ACCEPTED, LATENCY, After, Reaction, RecordingLedger, Sent, always, script, status
from tests.delivery.examples import event, invalid_part
from tests.delivery.stage import Stage

PAGE = Answer(status=200, excerpt=b"<p>")


@pytest.mark.parametrize("code", [200, 201, 202, 204])
def test_an_event_is_delivered_when_the_answer_is_a_2xx(code: int) -> None:
    """One request, one intent before it, one outcome after it."""
    ending = Stage(react=script({1: [status(code)]})).play([event(1)])

    assert ending.error is None
    assert ending.kinds() == {1: "Delivered"}
    assert ending.ledger.changes(1) == ["Intent", "Delivered"]
    assert ending.statistics.retries == 0


@pytest.mark.parametrize("code", [400, 406, 409, 410, 413, 415, 422, 403, 404, 405, 301, 302, 307, 308])
def test_an_event_is_rejected_at_once_when_a_proven_capture_refuses_it(code: int) -> None:
    """Kept with the status and the answer's start, tried no second time, and the others go on."""
    ending = Stage(react=script({1: [status(code)]})).play([event(1), event(2)])

    assert ending.error is None
    assert ending[1] == Rejected(status=code, excerpt=b"the answer's body")
    assert ending.kinds() == {1: "Rejected", 2: "Delivered"}
    assert ending.transport.serials().count(1) == 1


@pytest.mark.parametrize("code", [401, 402, 421, 425, 429, 501, 505])
def test_an_event_is_tried_again_when_the_answer_is_no_verdict(code: int) -> None:
    """The failed request is committed as answered, and the next one has an intent of its own."""
    ending = Stage(react=script({1: [status(code)] * 3})).play([event(1)])

    assert ending.error is None
    assert ending.kinds() == {1: "Delivered"}
    assert ending.ledger.changes(1) == ["Intent", "Answered"] * 3 + ["Intent", "Delivered"]
    assert ending.statistics.retries == 3
    assert ending.statistics.unknown == 0


@pytest.mark.parametrize("answer", [*map(status, (408, 500, 502, 503, 504, 524)), PAGE], ids=lambda one: one.told)
def test_an_event_is_unknown_when_a_gateway_may_have_passed_it_on(answer: Answer) -> None:
    """Each repeat is counted, and a 409 to one says that an earlier one had arrived."""
    ending = Stage(react=script({1: [answer] * 3 + [status(409)]})).play([event(1)])

    assert ending.error is None
    assert ending.kinds() == {1: "Delivered"}
    assert ending.ledger.changes(1) == ["Intent", "Lost"] * 3 + ["Intent", "Delivered"]
    assert ending.statistics.unknown == 3


@pytest.mark.parametrize(("code", "outcome"), [(504, "Held"), (524, "Held"), (408, "Held"), (500, "Delivered")])
def test_an_event_is_held_when_its_answer_was_as_good_as_lost_and_unknowns_are_held(code: int, outcome: str) -> None:
    """A gateway that gave up waiting lost the answer for us. The other 5xx are tried again under `hold`, too."""
    ending = Stage(react=script({1: [status(code)]}), holds_unknown=True).play([event(1)])

    assert ending.kinds() == {1: outcome}
    assert ending.statistics.unknown == 1


def test_no_more_than_go_at_once_are_held_when_every_answer_is_lost() -> None:
    """An outage under `on_unknown: hold` does not hold the whole input: it ends the run, until somebody looks."""
    stage = Stage(react=always({}, otherwise=status(504)), holds_unknown=True, max_concurrency=4)

    ending = stage.play([event(number) for number in range(1, 101)])

    assert isinstance(ending.error, AnswersLost)
    assert list(ending.kinds().values()) == ["Held"] * 4 + ["Open"] * 96
    assert ending.ended_at < 5


def test_the_count_of_held_ones_begins_anew_when_a_verdict_comes() -> None:
    """One lost answer in three stops nothing."""
    react = always(dict.fromkeys(range(1, 61, 3), NoAnswer.LOST))

    ending = Stage(react=react, holds_unknown=True, max_concurrency=2).play([event(number) for number in range(1, 61)])

    assert ending.error is None
    assert list(ending.kinds().values()).count("Held") == 20


@pytest.mark.parametrize(
    ("fault", "change", "unknown"),
    [
        pytest.param(NoAnswer.NOT_SENT, "Answered", 0, id="no connection"),
        pytest.param(NoAnswer.LOST, "Lost", 1, id="answer lost"),
        pytest.param(Unreadable(status=200), "Lost", 1, id="no HTTP"),
    ],
)
def test_an_event_is_tried_again_when_there_is_no_answer(fault: Reply, change: str, unknown: int) -> None:
    """Not sent is nothing unknown; a lost answer is, and is counted."""
    ending = Stage(react=script({1: [fault]})).play([event(1)])

    assert ending.kinds() == {1: "Delivered"}
    assert ending.ledger.changes(1) == ["Intent", change, "Intent", "Delivered"]
    assert ending.statistics.unknown == unknown
    assert ending.ledger.counts().unknown == unknown


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        pytest.param([status(409)], "Rejected", id="at first"),
        pytest.param([NoAnswer.LOST, status(409)], "Delivered", id="after a lost answer"),
        pytest.param([NoAnswer.LOST, status(503), status(409)], "Delivered", id="after a lost answer and a 503"),
        pytest.param([NoAnswer.NOT_SENT, status(409)], "Rejected", id="after no connection"),
        pytest.param([status(501), status(409)], "Rejected", id="after a 501"),
        pytest.param([status(503), status(409)], "Delivered", id="after a 503"),
    ],
)
def test_a_409_means_delivered_when_an_answer_was_lost_before(replies: list[Reply], outcome: str) -> None:
    """A conflict with itself: the lost request arrived."""
    ending = Stage(react=script({1: replies})).play([event(1)])

    assert ending.kinds() == {1: outcome}


@pytest.mark.parametrize("code", [200, 302, 403, 404])
def test_the_run_stops_when_a_web_page_answers_in_place_of_an_api_that_never_accepted(code: int) -> None:
    """The third in a row: nothing counts as delivered or refused, and STATE passes nothing."""
    page = Answer(status=code, excerpt=b"<p>")

    ending = Stage(react=always({}, otherwise=page), proven=(), max_concurrency=1).play([event(n) for n in range(1, 9)])

    assert isinstance(ending.error, NotTheApi)
    assert f"a web page with status {code}" in str(ending.error)
    assert set(ending.kinds().values()) == {"Open"}
    assert len(ending.transport.sent) == 3


SILENT = [
    *(Answer(status=code, excerpt=b"<p>") for code in (200, 302, 403, 404)),
    *(status(code) for code in (402, 407, 421, 423, 431)),
]


@pytest.mark.parametrize("answer", SILENT, ids=lambda one: one.told)
def test_nothing_is_rejected_when_a_firewall_answers_for_a_moment(answer: Answer) -> None:
    """Eighty milliseconds of it reject nothing and end nothing, however many events were in flight."""

    def react(sent: Sent) -> Reaction:
        return answer if 1.0 <= sent.at < 1.08 else ACCEPTED

    async def feed(dispatcher: Dispatcher) -> None:
        for number in range(1, 401):
            dispatcher.submit([event(number)])
            await asyncio.sleep(0.005)
        dispatcher.end_input()

    ending = Stage(react=react, max_concurrency=64).play([], feed)

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}
    assert ending.statistics.retries >= 10


@pytest.mark.parametrize("answer", SILENT, ids=lambda one: one.told)
def test_the_run_stops_when_a_proven_capture_judges_no_event_any_more(answer: Answer) -> None:
    """After ten seconds, in which one request goes at a time from the tenth on; nothing is rejected."""

    def react(sent: Sent) -> Reaction:
        return answer if sent.serial > 100 else ACCEPTED

    ending = Stage(react=react, max_concurrency=64).play([event(number) for number in range(1, 1_001)])

    assert isinstance(ending.error, CaptureSilent)
    assert "capture-1" in str(ending.error)
    assert answer.told in str(ending.error)
    assert list(ending.kinds().values()) == ["Delivered"] * 100 + ["Open"] * 900
    assert 10 < ending.ended_at < 20
    moments = [sent.at for sent in ending.transport.sent if sent.at > 2.0]
    assert all(later - earlier >= LATENCY for earlier, later in pairwise(moments))


@pytest.mark.parametrize("proven", [("capture-1",), ()], ids=["proven", "unproven"])
def test_an_outage_is_waited_for_when_some_of_its_answers_are_pages(proven: tuple[str, ...]) -> None:
    """Nine failures and a page, again and again, are no ten pages in a row: the API is down, and comes back."""

    def react(sent: Sent) -> Reaction:
        return ACCEPTED if sent.at > 120 else PAGE if round(sent.at * 1_000) % 10 == 0 else status(502)

    ending = Stage(react=react, proven=proven).play([event(number) for number in range(1, 201)])

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}
    assert ending.ended_at > 120


def test_all_go_at_once_again_when_a_capture_accepts_after_its_silence() -> None:
    """And events of another capture did not wait meanwhile."""

    def react(sent: Sent) -> Reaction:
        return status(402) if 1.0 <= sent.at < 6.0 and sent.serial <= 1_000 else ACCEPTED

    parts = [event(n, source="capture-1" if n <= 1_000 else "capture-2") for n in range(1, 1_201)]
    stage = Stage(react=react, max_concurrency=16, proven=("capture-1", "capture-2"))

    ending = stage.play(parts)

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}
    assert max(ending.transport.moments(n)[0] for n in range(1_001, 1_201)) < ending.ended_at - 2
    assert ending.transport.most_flying == 16


UNREADABLE = Unreadable(status=200)


def test_the_run_stops_when_three_answers_in_a_row_cannot_be_read() -> None:
    """What speaks no HTTP now speaks none in a quarter of an hour: all are unknown, and few were sent."""
    ending = Stage(react=script({}, otherwise=UNREADABLE), proven=()).play([event(1)])
    later = Stage(react=script({}, otherwise=UNREADABLE)).play([event(number) for number in range(1, 31)])

    assert isinstance(ending.error, NotTheApi)
    assert isinstance(later.error, CaptureSilent)
    assert "an answer that is no HTTP (status 200)" in str(ending.error)
    assert "an answer that is no HTTP (status 200)" in str(later.error)
    assert ending.kinds() == {1: "Open"}
    assert ending.ledger.changes(1) == ["Intent", "Lost"] * 3
    assert ending.ended_at < later.ended_at < 20


@pytest.mark.parametrize("between", [status(503), status(429), status(200)], ids=["503", "429", "200"])
def test_the_run_goes_on_when_an_answer_can_be_read_in_between(between: Reply) -> None:
    """One server of several may be at fault."""
    react = script({1: [UNREADABLE, UNREADABLE], 2: [After(3.0, between), UNREADABLE, UNREADABLE]})

    ending = Stage(react=react).play([event(1), event(2, person="p"), event(3, person="p")])

    assert ending.error is None
    assert set(ending.kinds().values()) == {"Delivered"}


def test_an_event_is_held_as_unknown_when_its_answer_cannot_be_read_and_none_is_sent_twice() -> None:
    """As where it was lost."""
    ending = Stage(react=script({1: [UNREADABLE]}), holds_unknown=True).play([event(1)])

    assert ending[1] == Held(reason=ANSWER_LOST, is_unknown=True)
    assert ending.ledger.changes(1) == ["Intent", "Lost", "Held"]


BEFORE: list[tuple[list[type[Change] | str], dict[str, str], bool]] = [
    ([], {"retry": "Delivered", "hold": "Delivered"}, False),
    (["Delivered"], {"retry": "AlreadyDelivered", "hold": "AlreadyDelivered"}, False),
    (["Rejected"], {"retry": "Delivered", "hold": "Delivered"}, False),
    (["Poisoned"], {"retry": "Delivered", "hold": "Delivered"}, False),
    (["Conflict"], {"retry": "Changed", "hold": "Changed"}, False),
    (["Collision"], {"retry": "Delivered", "hold": "Delivered"}, False),
    (["MayHaveArrived"], {"retry": "Delivered", "hold": "Held"}, True),
    ([Intent, Answered], {"retry": "Delivered", "hold": "Delivered"}, False),
    ([Intent, Withdrawn], {"retry": "Delivered", "hold": "Delivered"}, False),
    ([Intent], {"retry": "Delivered", "hold": "Held"}, True),
    ([Intent, Lost], {"retry": "Delivered", "hold": "Held"}, True),
    ([Intent, Lost, "Unknown"], {"retry": "Held", "hold": "Held"}, True),
]


def changes_of(names: list[type[Change] | str]) -> list[Change]:
    """What an earlier run committed of event 1."""
    outcomes: dict[str, Settled] = {
        "Delivered": Delivered(),
        "Rejected": Rejected(status=400),
        "Poisoned": Held(reason="it fails while others do well"),
        "Conflict": Changed(cause=ChangeCause.CONFLICT, is_said=False),
        "Collision": Held(reason="its event_id is another's", kind=HeldAs.COLLISION),
        "MayHaveArrived": Rejected(status=409, may_have_arrived=True),
        "Unknown": Held(reason="its answer was lost", is_unknown=True),
    }
    return [
        Concluded(part=event(1), outcome=outcomes[name]) if isinstance(name, str) else name(event(1))  # type: ignore[arg-type, call-arg]
        for name in names
    ]


@pytest.mark.parametrize("on_unknown", ["retry", "hold"])
@pytest.mark.parametrize(
    ("before", "outcomes", "is_unknown"),
    BEFORE,
    ids=["-".join(name if isinstance(name, str) else name.__name__ for name in row[0]) or "nothing" for row in BEFORE],
)
def test_an_event_follows_the_table_when_the_ledger_knows_it(
    before: list[type[Change] | str], outcomes: dict[str, str], on_unknown: str, *, is_unknown: bool
) -> None:
    """What an earlier run left in the ledger decides whether the event is sent in this one."""
    ledger = RecordingLedger()
    ledger.earlier(*changes_of(before))

    ending = Stage(ledger=ledger, holds_unknown=on_unknown == "hold").play([event(1)])

    assert ending.kinds() == {1: outcomes[on_unknown]}
    assert ending.transport.serials() == [1] * (outcomes[on_unknown] == "Delivered")
    outcome = ending[1]
    assert not isinstance(outcome, Held) or outcome.is_unknown is is_unknown


def test_a_409_means_delivered_when_an_earlier_run_lost_the_answer() -> None:
    """The retry of an unknown may be another run's."""
    ledger = RecordingLedger()
    ledger.earlier(Intent(event(1)))

    ending = Stage(ledger=ledger, react=script({1: [status(409)]})).play([event(1)])

    assert ending.kinds() == {1: "Delivered"}


@pytest.mark.parametrize("on_unknown", ["retry", "hold"])
@pytest.mark.parametrize(
    ("before", "counted"),
    [
        pytest.param([Intent], 1, id="killed"),
        pytest.param([Intent, Lost], 0, id="counted then"),
        pytest.param([Intent, Answered], 0, id="answered"),
    ],
)
def test_an_unknown_is_counted_once_when_the_run_that_sent_it_was_killed(
    before: list[type[Change] | str], counted: int, on_unknown: str
) -> None:
    """A killed run counts nothing more, so the run that reads the record again counts its unknown."""
    ledger = RecordingLedger()
    ledger.earlier(*changes_of(before))
    already = ledger.counts().unknown

    ending = Stage(ledger=ledger, holds_unknown=on_unknown == "hold").play([event(1)])

    assert ending.statistics.unknown == counted
    assert ending.ledger.counts().unknown == already + counted
    assert ending.ledger.changes(1)[:counted] == ["Lost"] * counted


def test_an_event_is_held_when_its_answer_is_lost_and_unknowns_are_held() -> None:
    """Under `on_unknown: hold` it is sent once and kept, and no later run sends it."""
    react = script({1: [NoAnswer.LOST], 2: [NoAnswer.NOT_SENT]})

    ending = Stage(react=react, holds_unknown=True).play([event(1), event(2)])
    again = Stage(ledger=ending.ledger, holds_unknown=True).play([event(1)])

    assert ending[1] == Held(reason="its answer was lost", is_unknown=True)
    assert ending.kinds() == {1: "Held", 2: "Delivered"}
    assert ending.transport.serials().count(1) == 1
    assert ending.ledger.counts().unknown == 1
    assert again.kinds() == {1: "Held"}
    assert again.transport.sent == []


def test_an_event_is_held_as_unknown_when_a_lost_answer_is_also_its_sixth_failure() -> None:
    """Under `on_unknown: hold` a lost answer is unknown whatever came before: poisoned, it would be sent again."""
    failing: list[Reply] = [*[status(503)] * 5, NoAnswer.LOST]

    ending = Stage(react=script({1: failing}), holds_unknown=True).play([event(number) for number in range(1, 201)])

    outcome = ending[1]
    assert isinstance(outcome, Held)
    assert outcome.is_unknown


def test_an_event_without_identity_is_sent_each_time_when_it_comes_again() -> None:
    """`event_id: null` says that repeats cannot be recognised; its order is nobody's."""
    parts = [event(1, event_id=None), event(2, event_id=None)]

    ending = Stage().play(parts)
    again = Stage(ledger=ending.ledger).play(parts)

    assert ending.kinds() == again.kinds() == {1: "Delivered", 2: "Delivered"}
    assert sorted(again.transport.serials()) == [1, 2]


def test_a_refused_part_is_recorded_when_submitted() -> None:
    """What we refuse goes the way of an event: committed, then reported, and never sent."""
    ending = Stage().play([invalid_part(1), event(2), invalid_part(3)])

    assert ending[1] == Invalid(reason="schema: /email type")
    assert ending.kinds() == {1: "Invalid", 2: "Delivered", 3: "Invalid"}
    assert ending.ledger.counts().invalid == 2
    assert ending.transport.serials() == [2]
    assert ending.statistics.decided == 3


def test_nothing_is_held_up_when_there_is_nothing() -> None:
    """An empty input ends at once."""
    ending = Stage().play([])

    assert ending.error is None
    assert ending.outcomes == []
    assert ending.ended_at < 1


@pytest.mark.parametrize("between", [status(503), status(429), NoAnswer.NOT_SENT], ids=["503", "429", "no connection"])
def test_a_conflict_is_a_delivery_when_a_run_before_lost_the_answer_and_stopped(between: Reply) -> None:
    """An answer without a verdict, or none at all, does not say that the earlier request did not arrive."""
    first = Stage(react=script({1: [NoAnswer.LOST]}, otherwise=between), max_outage=20).play([event(1)])

    later = Stage(react=always({1: status(409)}), ledger=first.ledger).play([event(1)])

    assert first.kinds() == {1: "Open"}
    assert later.kinds() == {1: "Delivered"}
