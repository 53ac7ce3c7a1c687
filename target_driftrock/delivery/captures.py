"""What each capture has proven, and so what a refusal by it means.

A capture is proven once it has accepted an event. Before that a refusal may mean that the mapping is wrong
or the capture does not exist: so its events go one at a time, refusals stay unjudged, and a wrong mapping
costs ten events at most.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from target_driftrock.events.event import Capture

T = TypeVar("T")

UNSETTLED_LIMIT = 10
"""So many events of an unproven capture may wait for a retry or a judgement; further ones stay behind."""
REFUSALS_UNPROVEN = 10
SETUP_REFUSALS_UNPROVEN = 2
SETUP_REFUSALS_PROVEN = 10
REFUSALS_PROVEN = 100


class Ruling(enum.Enum):
    """What a refusal comes to."""

    REJECT = "this event is rejected"
    WAIT = "unjudged until the capture accepts an event"
    STOP_SETUP = "the capture answers as if it did not exist or were closed to us"
    STOP_REJECTS = "the capture refuses everything"


@dataclass(slots=True)
class _Record:
    """Of a proven capture: what it has refused since it last accepted, or, of set-up refusals, in a row."""

    refusals: int = 0
    setup_refusals: int = 0


@dataclass(slots=True)
class _Trial(Generic[T]):
    """A capture that has accepted nothing yet."""

    turn: T | None = None
    """Who may go."""
    backing_off: set[int] = field(default_factory=set)
    unjudged: list[T] = field(default_factory=list)
    queue: deque[T] = field(default_factory=deque)
    refusals: int = 0
    setup_refusals: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether no event is under way, nor waits to be sent."""
        return not (self.queue or self.backing_off or self.turn is not None)

    def take_next(self) -> list[T]:
        if self.turn is not None or not self.queue:
            return []
        is_retry = id(self.queue[0]) in self.backing_off
        if not is_retry and len(self.backing_off) + len(self.unjudged) >= UNSETTLED_LIMIT:
            return []
        self.turn = self.queue.popleft()
        self.backing_off.discard(id(self.turn))
        return [self.turn]


class Captures(Generic[T]):
    """Lets events of proven captures pass at once, and those of others one after the other.

    Every method that may let somebody go on returns whom; starting them is the caller's work.
    """

    def __init__(self) -> None:
        self._proven: dict[Capture, _Record] = {}
        self._trials: dict[Capture, _Trial[T]] = {}

    def is_known(self, capture: Capture) -> bool:
        """Whether it was met before in this run, proven or on trial."""
        return capture in self._proven or capture in self._trials

    def is_proven(self, capture: Capture) -> bool:
        """Whether it has accepted an event."""
        return capture in self._proven

    def is_in_doubt(self, capture: Capture) -> bool:
        """Whether it is on trial, and has refused something."""
        trial = self._trials.get(capture)
        return trial is not None and trial.refusals > 0

    @property
    def has_proven(self) -> bool:
        """Whether any of those met in this run has accepted an event."""
        return bool(self._proven)

    @property
    def has_trials(self) -> bool:
        """Whether any is on trial."""
        return bool(self._trials)

    def remember(self, capture: Capture) -> None:
        """The ledger knows it as proven."""
        self._proven.setdefault(capture, _Record())

    def begin_trial(self, capture: Capture, *, refusals: int = 0) -> _Trial[T]:
        """Where it is not on trial yet. So many of its refusals other tasks of the job have seen."""
        return self._trials.setdefault(capture, _Trial(refusals=refusals))

    def enter(self, item: T, capture: Capture) -> list[T]:
        """An event that wants to be sent for the first time."""
        if capture in self._proven:
            return [item]
        trial = self.begin_trial(capture)
        trial.queue.append(item)
        return trial.take_next()

    def enter_again(self, item: T, capture: Capture) -> list[T]:
        """An event whose backoff is over. It goes before those that have not been tried."""
        trial = self._trials.get(capture)
        if trial is None:
            return [item]
        trial.queue.appendleft(item)
        return trial.take_next()

    def back_off(self, item: T, capture: Capture) -> list[T]:
        """The request ended without a verdict, and the event waits for its next try."""
        trial = self._trials.get(capture)
        if trial is None:
            return []
        trial.turn = None
        trial.backing_off.add(id(item))
        return trial.take_next()

    def depart(self, capture: Capture) -> list[T]:
        """The event that was let go is settled in some other way, or waits elsewhere."""
        trial = self._trials.get(capture)
        if trial is None:
            return []
        trial.turn = None
        return trial.take_next()

    def accept(self, capture: Capture) -> tuple[list[T], list[T]]:
        """The capture took an event: whom that lets go on, and whose refusal is thereby a rejection."""
        record = self._proven.get(capture)
        if record is None:
            self._proven[capture] = _Record()
        elif record.refusals:
            record.refusals = record.setup_refusals = 0
        trial = self._trials.pop(capture, None)
        if trial is None:
            return [], []
        return list(trial.queue), trial.unjudged

    def refuse(self, item: T, capture: Capture) -> Ruling:
        """A refusal of content: 400, 409, 413, 415, 422 or another final 4xx."""
        record = self._proven.get(capture)
        if record is not None:
            record.refusals += 1
            record.setup_refusals = 0
            return Ruling.STOP_REJECTS if record.refusals >= REFUSALS_PROVEN else Ruling.REJECT
        return self._put_aside(item, self._trials[capture])

    def refuse_setup(self, item: T, capture: Capture) -> Ruling:
        """A refusal that may be the capture's fault: 403, 404, 405 or 3xx."""
        record = self._proven.get(capture)
        if record is not None:
            record.refusals += 1
            record.setup_refusals += 1
            return Ruling.STOP_SETUP if record.setup_refusals >= SETUP_REFUSALS_PROVEN else Ruling.REJECT
        trial = self._trials[capture]
        trial.setup_refusals += 1
        ruling = self._put_aside(item, trial)
        return Ruling.STOP_SETUP if trial.setup_refusals >= SETUP_REFUSALS_UNPROVEN else ruling

    def unjudged(self) -> Iterator[T]:
        """Events refused by captures that have accepted nothing."""
        return (item for trial in self._trials.values() for item in trial.unjudged)

    def judge(self, *, of_idle: bool = False) -> list[T]:
        """Give up waiting for a first acceptance: those whose refusal is now a rejection.

        `of_idle`: only of captures that have nothing else to send.
        """
        judged: list[T] = []
        for trial in self._trials.values():
            if trial.is_idle or not of_idle:
                judged += trial.unjudged
                trial.unjudged = []
        return judged

    def idle_trials(self) -> list[Capture]:
        """Those on trial of which no event is under way, waits, or is to be judged."""
        return [capture for capture, trial in self._trials.items() if trial.is_idle and not trial.unjudged]

    def forget_trials(self, captures: Iterable[Capture]) -> None:
        """They are unknown again."""
        for capture in captures:
            del self._trials[capture]

    def _put_aside(self, item: T, trial: _Trial[T]) -> Ruling:
        trial.unjudged.append(item)
        trial.refusals += 1
        return Ruling.STOP_REJECTS if trial.refusals >= REFUSALS_UNPROVEN else Ruling.WAIT
