"""A task of a job, whose ledger others write to: what they have in hand is left to them, and asked for again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.errors import ApiOutage, RejectsAboveLimit
from target_driftrock.events.answer import NoAnswer
from target_driftrock.events.event import Capture, Event
from target_driftrock.events.outcome import AlreadyDelivered, Delivered
from target_driftrock.ledger.interface import Change, Concluded, Intent, Known, Standing
from tests.delivery.doubles import RecordingLedger, always, status
from tests.delivery.examples import event
from tests.delivery.stage import Stage


class SharedLedger(RecordingLedger):
    """Another task has some events in hand until they were asked for so often, and then it has delivered them."""

    def __init__(self, *, in_hand: Mapping[int, int] | None = None, tried: int = 0, refusals: int = 0) -> None:
        super().__init__()
        self._in_hand = Counter(in_hand or {})
        self._tried = tried
        self._refusals = refusals
        self.refused: list[int] = []
        self.left: list[tuple[float, str]] = []
        """When which capture was left to others to try."""
        self.asked: list[str] = []
        """Of which captures it was asked who tries them."""

    def recall(self, events: Sequence[Event]) -> list[Sequence[Known]]:
        """Each of these once more."""
        for each in events:
            self._meet(each)
        return [
            [replace(known, is_in_hand=self._in_hand[each.origin.position] > 0) for known in found]
            for each, found in zip(events, super().recall(events), strict=True)
        ]

    def commit(self, changes: Sequence[Change]) -> None:
        """But for intents of what another task has in hand."""
        for change in changes:
            if isinstance(change, Intent) and self._in_hand[change.event.origin.position]:
                change.is_refused = True
                self.refused.append(change.event.origin.position)
        super().commit([change for change in changes if not (isinstance(change, Intent) and change.is_refused)])

    def trials(self, captures: Sequence[Capture]) -> list[int | None]:
        """Another task tries each capture at first."""
        self.asked += [capture.label for capture in captures]
        self._tried -= 1
        return [None if self._tried >= 0 else self._refusals] * len(captures)

    def leave_trials(self, captures: Sequence[Capture]) -> None:
        """Another task may have it."""
        self.left += [(asyncio.get_running_loop().time(), capture.label) for capture in captures]

    def _meet(self, each: Event) -> None:
        position = each.origin.position
        if self._in_hand[position]:
            self._in_hand[position] -= 1
            other = Intent(each) if self._in_hand[position] else Concluded(part=each, outcome=Delivered())
            self.earlier(other)


def test_an_event_is_left_alone_when_another_task_delivers_it() -> None:
    """It is asked for again until it is known what became of it, and all others go on meanwhile."""
    ledger = SharedLedger(in_hand={2: 4})
    ending = Stage(ledger=ledger).play([event(number) for number in range(1, 6)])
    assert ending[2] == AlreadyDelivered()
    assert ending.transport.serials() == [1, 3, 4, 5]
    assert ledger.refused == [2, 2, 2]
    assert ending.error is None


def test_nothing_is_counted_as_lost_when_another_task_has_it_in_hand() -> None:
    """Its intent is alive, as long as that task is."""
    ending = Stage(ledger=SharedLedger(in_hand={1: 3})).play([event(1)])
    assert ending.statistics.unknown == 0
    assert ending.outcomes == [(1, AlreadyDelivered())]


def test_a_task_waits_when_another_one_tries_the_capture() -> None:
    """Then the capture is its own to try, and it delivers."""
    ending = Stage(ledger=SharedLedger(tried=3), proven=()).play([event(number) for number in range(1, 4)])
    assert set(ending.kinds().values()) == {"Delivered"}
    assert ending.transport.serials() == [1, 2, 3]
    assert ending.ended_at > 0.3


def test_no_outage_ends_a_task_when_it_waits_for_another_s_trial() -> None:
    """Not even where events wait behind those that wait for it."""
    parts = [event(number, person=person) for number, person in enumerate("ppq", start=1)]
    ending = Stage(ledger=SharedLedger(tried=1_200), proven=(), max_outage=60.0).play(parts)
    assert ending.error is None
    assert ending.ended_at > 60.0
    assert set(ending.kinds().values()) == {"Delivered"}


def test_an_outage_ends_a_task_when_something_else_waits_for_the_api() -> None:
    """While another one has the trial of another capture."""
    stage = Stage(ledger=SharedLedger(tried=10_000), max_outage=60.0, react=always({}, otherwise=NoAnswer.LOST))
    ending = stage.play([event(1, source="new"), event(2)])
    assert isinstance(ending.error, ApiOutage)
    assert ending.ended_at < 70.0


def test_a_trial_is_left_to_others_when_it_has_nothing_to_send() -> None:
    """What it has refused is rejected, as at the end; a partition may last for hours."""

    async def an_hour(dispatcher: Dispatcher) -> None:
        await asyncio.sleep(3_600)
        dispatcher.end_input()

    ledger = SharedLedger()
    stage = Stage(ledger=ledger, react=always({1: status(422)}), trial_rest=5.0)
    ending = stage.play([event(1, source="new"), *(event(number) for number in range(2, 9))], an_hour)
    ((moment, left),) = ledger.left
    assert (moment < 11.0, left) == (True, "new")
    assert (ending.kinds()[1], ending.error) == ("Rejected", None)


def test_the_ledger_is_asked_again_when_a_capture_comes_again_that_was_left() -> None:
    """Others may have tried it meanwhile."""

    async def later(dispatcher: Dispatcher) -> None:
        await asyncio.sleep(60)
        dispatcher.submit([event(2, source="new")])
        dispatcher.end_input()

    ledger = SharedLedger()
    stage = Stage(ledger=ledger, react=always({}, otherwise=status(422)), trial_rest=5.0)
    ending = stage.play([event(1, source="new")], later)
    assert ledger.asked == ["new", "new"]
    assert ending.kinds() == {1: "Rejected", 2: "Rejected"}


def test_a_wrong_mapping_costs_ten_events_in_all_tasks_together() -> None:
    """What earlier tasks saw refused counts: here eight of the ten."""
    stage = Stage(ledger=SharedLedger(refusals=8), proven=(), react=always({}, otherwise=status(422)))
    ending = stage.play([event(number) for number in range(1, 20)])
    assert isinstance(ending.error, RejectsAboveLimit)
    assert ending.transport.serials() == [1, 2]


def test_standing_is_told_apart_by_who_has_it() -> None:
    """An intent of nobody alive is as ever: perhaps accepted, sent again, and counted."""
    ledger = RecordingLedger()
    ledger.earlier(Intent(event(1)))
    ending = Stage(ledger=ledger).play([event(1)])
    assert (ending.kinds(), ending.statistics.unknown) == ({1: "Delivered"}, 1)
    assert ledger.recall([event(1)])[0][0].standing is Standing.DELIVERED
