"""Whether every open event is in one state, and whoever holds something holds what the table says. Seen from inside."""
# ruff: noqa: SLF001 - what is compared with the table is nobody else's business

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator

from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.delivery.life import LIFE, Holding, Kill, State
from target_driftrock.delivery.passage import Passage
from target_driftrock.events.event import Event
from target_driftrock.ledger.interface import Standing

RULED = {State.RECORDING, State.DOUBTED, State.UNJUDGED}
"""A refusal is told to its capture, committed, and waits then for its judgement."""


def faults_of(dispatcher: Dispatcher) -> Iterator[str]:
    """What contradicts the table at this moment, between two steps of the loop, a sentence each."""
    return _Look(dispatcher).faults()


def killed(dispatcher: Dispatcher, standing: Callable[[Event], Standing | None]) -> Iterator[str]:
    """Where the ledger holds something else of an open event than a kill leaves at this moment, by the table."""
    for passage in dispatcher._unsettled:
        if passage.event.identity is not None and not passage.was_superseded:
            stands = standing(passage.event)
            if stands not in _left(passage, stands):
                yield f"{passage.event.origin.key} was {passage.state.value} at the kill, and stands as {stands}."


def _left(passage: Passage, stands: Standing | None) -> set[Standing | None]:
    """As far as this run has written it, and no commit is under way."""
    answer = Standing.UNKNOWN if passage.was_unknown else Standing.ANSWERED
    match LIFE[passage.state].at_kill, passage.state:
        case _, State.RECORDING | State.DOUBTED | State.UNJUDGED:
            return {stands}  # the commit that ends it may be done
        case Kill.INTENT, _:
            return {Standing.INTENDED}
        case Kill.ANSWER, _:
            return {answer}
        case Kill.AS_BEFORE, State.INTENT if passage.tries:
            return {answer, Standing.INTENDED}
        case Kill.AS_BEFORE, _ if passage.tries:
            return {answer}
        case _:
            return {stands}


class _Look:
    """The containers of a dispatcher, held against the states of its open events."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._open = dispatcher._unsettled
        self._by_state: dict[State, list[Passage]] = {state: [] for state in State}
        for passage in self._open:
            self._by_state[passage.state].append(passage)
        self._is_ending = dispatcher._is_stopping or any(_failures(dispatcher))

    def faults(self) -> Iterator[str]:
        if self._in(State.SETTLED):
            yield "An event is settled, and open."
        yield from self._queues()
        yield from self._lanes()
        yield from self._turns()
        yield from self._slots()
        yield from self._judgements()

    def _in(self, *states: State) -> list[Passage]:
        return [passage for state in states for passage in self._by_state[state]]

    def _holding(self, holding: Holding) -> list[Passage]:
        return self._in(*(state for state, row in LIFE.items() if holding in row.holds))

    def _queues(self) -> Iterator[str]:
        """Who waits stands in one queue, or is in the hand of the chore that asks the ledger."""
        intake, trials = self._dispatcher._intake, self._dispatcher._captures._trials.values()
        ready = [*intake._ready, *(passage for trial in trials for passage in trial.queue)]
        yield from self._differs("capture", ready, State.CAPTURE, chore="recall")
        yield from self._differs("memory", intake._unrecalled, State.MEMORY, chore="recall")
        yield from self._differs("intent", intake._cleared, State.INTENT, chore="intents")
        yield from self._differs("slot", intake.sendable, State.SLOT)
        yield from self._differs("backoff", [each[3] for each in self._dispatcher._backoff._heap], State.BACKING_OFF)
        doubted = [passage for each in self._dispatcher._doubts._doubted.values() for passage in each]
        yield from self._differs("doubt", doubted, State.DOUBTED, chore="doubts")

    def _differs(self, what: str, there: Collection[Passage], state: State, *, chore: str = "") -> Iterator[str]:
        is_in_hand = chore in self._dispatcher._chores or self._is_ending
        yield from self._same(f"wait for {what}", there, self._in(state), may_lack=bool(chore) and is_in_hand)

    def _same(
        self, what: str, there: Iterable[Passage], told: Collection[Passage], *, may_lack: bool = False
    ) -> Iterator[str]:
        found, wanted = Counter(there), Counter(told)
        if found > wanted or (found != wanted and not (may_lack and found <= wanted)):
            yield f"{_shown(found)} {what}, and by their states {_shown(wanted)}."

    def _lanes(self) -> Iterator[str]:
        lanes = self._dispatcher._intake._lanes
        if lanes._keys.keys() != {id(passage) for passage in self._holding(Holding.LANES)}:
            yield "The lanes hold others than the states say."
        if lanes._blockers.keys() != {id(passage) for passage in self._in(State.PERSON)}:
            yield "Others wait in the lanes than the states say."

    def _turns(self) -> Iterator[str]:
        """At a capture on trial who may go has the turn, and nobody else; a refusal that stops the run keeps it."""
        trials = self._dispatcher._captures._trials
        given = [trial.turn for trial in trials.values() if trial.turn is not None]
        holders = [passage for passage in self._holding(Holding.TURN) if passage.event.capture in trials]
        keeps = self._in(State.UNJUDGED) if self._is_ending else []
        yield from self._same("have the turn", [passage for passage in given if passage not in keeps], holders)
        asleep = {each for trial in trials.values() for each in trial.backing_off}
        waiting = {id(passage) for passage in self._in(State.BACKING_OFF) if passage.event.capture in trials}
        retried = {id(passage) for passage in self._in(State.CAPTURE) if passage.tries}
        if not waiting <= asleep <= waiting | retried:
            yield "The captures know others as backing off than the states say."

    def _slots(self) -> Iterator[str]:
        """A task is there for each request; it gives its slot back when it has ended."""
        requests, limiter = self._dispatcher._requests, self._dispatcher._limiter
        if limiter._taken != len(requests):
            yield f"{limiter._taken} slots are taken, and there are {len(requests)} requests."
        running = [passage for task, passage in requests.items() if not task.done()]
        told = self._holding(Holding.SLOT)
        yield from self._same("have a slot", running, told, may_lack=self._is_ending)
        flying = sum(self._dispatcher._doubts._users.values())
        if flying != len(self._in(State.IN_FLIGHT)) and not self._is_ending:
            yield f"{flying} requests use a token, and {len(self._in(State.IN_FLIGHT))} are in flight."

    def _judgements(self) -> Iterator[str]:
        unjudged = self._in(State.UNJUDGED)
        if self._dispatcher._unjudged != len(unjudged):
            yield f"{self._dispatcher._unjudged} are unjudged, and by their states {len(unjudged)}."
        if any(passage.state not in RULED for passage in self._dispatcher._captures.unjudged()):
            yield "A capture waits to judge what is not unjudged."


def _failures(dispatcher: Dispatcher) -> Iterator[bool]:
    """Something has failed, and the run is about to hear of it."""
    yield dispatcher._failure is not None
    for task in (*dispatcher._requests, *dispatcher._chores.values()):
        yield task.done() and not task.cancelled() and task.exception() is not None


def _shown(passages: Counter[Passage]) -> list[str]:
    return sorted(f"{passage.event.origin.key} ({passage.state.name})" for passage in passages.elements())
