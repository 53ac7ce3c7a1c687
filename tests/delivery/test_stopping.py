"""How a run stops: by a signal, in an outage, and without a ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.errors import ApiOutage, LedgerUnavailable, NoThread
from target_driftrock.events.answer import NoAnswer
from target_driftrock.events.event import Event
from target_driftrock.events.outcome import Open
from target_driftrock.ledger.interface import Change, Known, Lost, Standing, Withdrawn
from tests.contract.recalling import standings
from tests.delivery.doubles import ACCEPTED, After, RecordingLedger, always, script, status
from tests.delivery.examples import event, invalid_part
from tests.delivery.stage import GRACE, Meanwhile, Stage


def stop_at(*moments: float) -> Meanwhile:
    """Stop at each of these seconds."""

    async def stop(dispatcher: Dispatcher) -> None:
        now = 0.0
        for moment in moments:
            await asyncio.sleep(moment - now)
            now = moment
            dispatcher.stop()

    return stop


def test_what_is_in_flight_finishes_when_stopped() -> None:
    """Nothing new is started, what was sent gets its outcome, and intents ahead are taken back."""
    stage = Stage(react=always({}, otherwise=After(8.0, ACCEPTED)), max_concurrency=4)

    ending = stage.play([event(number) for number in range(1, 21)], stop_at(1.0))

    assert ending.error is None
    assert list(ending.kinds().values()) == ["Delivered"] * 4 + ["Open"] * 16
    assert 8 < ending.ended_at < 9
    assert ending.ledger.changes(5) == ["Intent", "Withdrawn"]
    assert ending.ledger.changes(20) == []
    assert ending[5] == Open(reason="never sent")
    assert ending.statistics.unknown == 0


def test_what_is_unanswered_is_unknown_when_the_grace_is_over() -> None:
    """The next run takes it for sent, perhaps."""
    stage = Stage(react=script({1: [After(60.0, ACCEPTED)]}))

    ending = stage.play([event(1), event(2)], stop_at(1.0))

    assert ending.kinds() == {1: "Open", 2: "Delivered"}
    assert ending.ended_at == pytest.approx(1 + GRACE, abs=0.1)
    assert ending.transport.cancelled == [1]
    assert ending.ledger.changes(1) == ["Intent", "Lost"]
    assert ending.statistics.unknown == 1
    assert ending[1] == Open(reason="sent without an answer")


def test_the_run_ends_at_once_when_stopped_twice() -> None:
    """A second signal gives up what is in flight."""
    stage = Stage(react=always({}, otherwise=After(60.0, ACCEPTED)))

    ending = stage.play([event(1), event(2)], stop_at(1.0, 2.0))

    assert ending.kinds() == {1: "Open", 2: "Open"}
    assert ending.ended_at == pytest.approx(2, abs=0.1)
    assert ending.ledger.changes(1) == ["Intent", "Lost"]


def test_an_answer_is_recorded_when_stopped_twice_before_its_commit() -> None:
    """What is known is not given up: the API took it, and the next run must not send it again."""
    stage = Stage(commit_seconds=1.0)  # two look-ups and the intent take three seconds

    ending = stage.play([event(1)], stop_at(3.5, 3.6))

    assert ending.kinds() == {1: "Delivered"}
    assert ending.ledger.changes(1) == ["Intent", "Delivered"]
    assert 4 < ending.ended_at < 4.5


def test_the_run_ends_at_once_when_all_are_in_backoff() -> None:
    """A sleep of a minute is ended, and what was answered is no unknown."""
    stage = Stage(react=always({}, otherwise=status(501)), roll=lambda: 0.999)

    ending = stage.play([event(1), event(2)], stop_at(100.0))

    assert ending.ended_at == pytest.approx(100, abs=0.1)
    assert set(ending.outcomes) == {(1, Open(reason="to be tried again")), (2, Open(reason="to be tried again"))}
    assert standings(ending.ledger, event(1)) == [Standing.ANSWERED]


def test_an_answer_to_the_retry_counts_when_it_comes_in_the_grace() -> None:
    """And a failure in the grace is not tried again."""
    react = script({1: [After(3.0, ACCEPTED)], 2: [After(3.0, status(501))], 3: [After(3.0, NoAnswer.LOST)]})

    ending = Stage(react=react).play([event(1), event(2), event(3)], stop_at(1.0))

    assert ending.kinds() == {1: "Delivered", 2: "Open", 3: "Open"}
    assert len(ending.transport.sent) == 3
    assert ending.ledger.changes(2) == ["Intent", "Answered"]
    assert ending.ledger.changes(3) == ["Intent", "Lost"]
    assert 3 < ending.ended_at < 4


def test_nothing_is_sent_when_stopped_before_anything_began() -> None:
    """Every part still has an outcome: it is open."""
    ending = Stage().play([event(1), invalid_part(2)], stop_at(0.0))

    assert ending.error is None
    assert ending.kinds() == {1: "Open", 2: "Open"} or ending.kinds() == {1: "Open", 2: "Invalid"}
    assert ending.transport.sent == []


@pytest.mark.parametrize("moment", [number / 100 for number in range(0, 60, 3)])
def test_every_part_has_one_outcome_when_stopped_at_any_moment(moment: float) -> None:
    """Before the look-up, in a commit, in a request, in a backoff: what is reported is what the ledger holds."""
    react = script({number: [status(501)] for number in range(1, 40, 3)})
    stage = Stage(react=react, max_concurrency=4, commit_seconds=0.02, proven=())

    ending = stage.play([event(number, person=str(number % 7)) for number in range(1, 40)], stop_at(moment))

    assert sorted(position for position, _ in ending.outcomes) == list(range(1, 40))
    assert ending.ledger.counts().delivered == list(ending.kinds().values()).count("Delivered")
    assert ending.statistics.unknown == 0


@pytest.mark.parametrize("failure", [status(501), status(429), NoAnswer.NOT_SENT, NoAnswer.LOST])
def test_the_run_ends_when_nothing_gets_a_verdict_for_long_enough(failure: object) -> None:
    """An outage refuses nothing: exit 4 after `max_outage_seconds`, with what is done done."""
    stage = Stage(react=always({1: ACCEPTED}, otherwise=failure), max_outage=300)  # type: ignore[arg-type]

    ending = stage.play([event(number) for number in range(1, 6)])

    assert isinstance(ending.error, ApiOutage)
    assert "300 seconds" in str(ending.error)
    assert list(ending.kinds().values()) == ["Delivered"] + ["Open"] * 4
    assert ending.ended_at == pytest.approx(300, abs=1)


def test_the_outage_clock_starts_anew_when_a_verdict_comes() -> None:
    """A refusal is a verdict too."""
    stage = Stage(react=script({2: [After(200.0, status(400))]}, otherwise=status(501)), max_outage=300)

    ending = stage.play([event(1), event(2)])

    assert isinstance(ending.error, ApiOutage)
    assert ending.ended_at == pytest.approx(500, abs=1)


def test_the_outage_clock_stands_still_when_nothing_waits() -> None:
    """A tap that is silent for an hour stops nothing."""

    async def silence(dispatcher: Dispatcher) -> None:
        await asyncio.sleep(3_600)
        dispatcher.submit([event(2)])
        await asyncio.sleep(3_600)
        dispatcher.end_input()

    ending = Stage(max_outage=60).play([event(1)], silence)

    assert ending.error is None
    assert ending.kinds() == {1: "Delivered", 2: "Delivered"}


def test_the_outage_clock_stands_still_when_only_unjudged_refusals_wait() -> None:
    """They got their verdict."""

    async def silence(dispatcher: Dispatcher) -> None:
        await asyncio.sleep(3_600)
        dispatcher.submit([event(2)])
        dispatcher.end_input()

    ending = Stage(react=script({1: [status(400)]}), proven=(), max_outage=60).play([event(1)], silence)

    assert ending.error is None
    assert ending.kinds() == {1: "Rejected", 2: "Delivered"}


@pytest.mark.parametrize("fails_from", range(1, 14))
def test_nothing_more_is_sent_when_the_ledger_is_lost(fails_from: int) -> None:
    """At any commit: exit 4 at once, what is in flight stays as the ledger last heard of it, and the sums agree."""
    ledger = RecordingLedger(fails_from=fails_from)
    stage = Stage(react=script({3: [status(501)]}), ledger=ledger, max_concurrency=4, proven=())

    ending = stage.play([event(number, person=str(number % 5)) for number in range(1, 60)])

    assert isinstance(ending.error, LedgerUnavailable)
    assert ledger.counts().delivered == list(ending.kinds().values()).count("Delivered")
    assert sorted(position for position, _ in ending.outcomes) == list(range(1, 60))
    for sent in ending.transport.sent:
        assert ledger.changes(sent.serial)[:1] == ["Intent"]


def test_a_refused_part_is_open_when_it_could_not_be_recorded() -> None:
    """Its record is read again, and the sums close."""
    ending = Stage(ledger=RecordingLedger(fails_from=0)).play([invalid_part(1), invalid_part(2)])

    assert isinstance(ending.error, LedgerUnavailable)
    assert ending.kinds() == {1: "Open", 2: "Open"}


class ForgetfulLedger(RecordingLedger):
    """Cannot be asked after a while."""

    def __init__(self, *, asked_at_most: int) -> None:
        super().__init__()
        self._left = asked_at_most

    def recall(self, events: Sequence[Event]) -> list[Sequence[Known]]:
        """Answer, or fail."""
        self._left -= 1
        if self._left < 0:
            raise LedgerUnavailable("The ledger is gone.")
        return super().recall(events)


def test_nothing_more_is_committed_when_a_look_up_fails() -> None:
    """The connection that holds the lock is gone, so nothing may follow on another."""
    ledger = ForgetfulLedger(asked_at_most=2)
    stage = Stage(react=always({}, otherwise=After(1.0, ACCEPTED)), ledger=ledger)

    async def feed(dispatcher: Dispatcher) -> None:
        for number in range(10, 20):
            await asyncio.sleep(0.3)
            dispatcher.submit([event(number)])

    ending = stage.play([event(1)], feed)

    assert isinstance(ending.error, LedgerUnavailable)
    assert ending.ended_at < 1
    assert set(ending.kinds().values()) == {"Open"}
    assert {type(change).__name__ for commit in ledger.commits for change in commit} == {"Intent"}


def test_the_run_stops_as_it_would_when_the_ledger_is_lost_while_stopping() -> None:
    """Nothing is sent, nothing hangs, and every part is accounted for."""
    ledger = RecordingLedger(fails_from=1)
    stage = Stage(react=always({}, otherwise=After(3.0, ACCEPTED)), ledger=ledger, max_concurrency=4)

    ending = stage.play([event(number) for number in range(1, 4)], stop_at(1.0))

    assert set(ending.kinds().values()) == {"Open"}
    assert ending.ended_at < 5


class OddLedger(RecordingLedger):
    """Fails at what is taken back, or given up, when a run ends."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def commit(self, changes: Sequence[Change]) -> None:
        """Make them durable, or fail."""
        if any(isinstance(change, Withdrawn | Lost) for change in changes):
            raise self._error
        super().commit(changes)


ERRORS = [LedgerUnavailable("The ledger is gone."), NoThread(), RuntimeError("a defect"), KeyError("another")]


@pytest.mark.parametrize("error", ERRORS, ids=["lost", "no-thread", "defect", "another-defect"])
def test_the_cause_is_raised_and_all_is_told_when_winding_down_fails_too(error: Exception) -> None:
    """What fails last explains nothing."""
    stage = Stage(
        react=always({1: ACCEPTED, 2: status(501)}, otherwise=After(290.0, NoAnswer.NOT_SENT)),
        ledger=OddLedger(error),
        max_concurrency=2,
        max_outage=100,
    )

    ending = stage.play([event(number) for number in range(1, 6)])

    assert isinstance(ending.error, ApiOutage)
    assert list(ending.kinds().values()) == ["Delivered"] + ["Open"] * 4
    assert len(ending.outcomes) == 5


@pytest.mark.parametrize("error", ERRORS[2:], ids=["defect", "another-defect"])
def test_a_defect_is_raised_and_all_is_told_when_it_comes_to_light_in_winding_down(error: Exception) -> None:
    """A signal asked for the end, and no defect ends in silence."""
    stage = Stage(react=always({}, otherwise=After(60.0, ACCEPTED)), ledger=OddLedger(error), max_concurrency=2)

    ending = stage.play([event(number) for number in range(1, 6)], stop_at(1.0))

    assert ending.error is error
    assert list(ending.kinds().values()) == ["Open"] * 5


def test_a_defect_is_raised_when_a_request_meets_it_in_the_grace() -> None:
    """What is in flight when a run stops is watched like everything else."""
    defect = RuntimeError("a defect")
    react = always({1: After(3.0, NoAnswer.LOST), 2: After(8.0, ACCEPTED)})
    stage = Stage(react=react, ledger=OddLedger(defect), max_concurrency=2)

    ending = stage.play([event(1), event(2)], stop_at(1.0))

    assert ending.error is defect
    assert ending.kinds() == {1: "Open", 2: "Open"}
