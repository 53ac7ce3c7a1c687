"""Whether every open event is in one state, and whoever holds something holds what the table says. Seen from inside."""
# ruff: noqa: SLF001 - what is compared with the table is nobody else's business

from __future__ import annotations

from collections.abc import Callable, Iterator

from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.delivery.life import LIFE, Holding, Kill, State
from target_driftrock.delivery.pending import PendingEvent
from target_driftrock.events.event import Event
from target_driftrock.ledger.interface import Standing

WAITING = {
    State.PERSON: "blocked",
    State.CAPTURE: "capture's queue",
    State.MEMORY: "ledger's queue",
    State.INTENT: "intents' queue",
    State.SLOT: "slots' queue",
    State.BACKING_OFF: "backoff",
}
"""Where an event stands in these states."""
IN_HAND = {"capture's queue": "recall", "ledger's queue": "recall", "intents' queue": "intents"}
"""The chore that may have taken it from there, to ask the ledger."""
RULED = {State.RECORDING, State.UNJUDGED}
"""A refusal is told to its capture, committed, and waits then for its judgement."""

Place = tuple[str, int]
"""What somebody has or where he stands, and his `id`."""


def faults_of(dispatcher: Dispatcher) -> Iterator[str]:
    """What contradicts the table at this moment, between two steps of the loop, a sentence each."""
    found = list(_found(dispatcher))
    wanted = set(_wanted(dispatcher))
    if len(found) != len(wanted) or set(found) != wanted:
        yield from _differences(dispatcher, found, wanted)
    yield from _sums(dispatcher)


def killed(dispatcher: Dispatcher, standing: Callable[[Event], Standing | None]) -> Iterator[str]:
    """Where the ledger holds something else of an open event than a kill leaves at this moment, by the table.

    Nothing of a run that is being stopped: what that makes of them may be committed already.
    """
    if dispatcher._is_stopping:
        return
    for pending in dispatcher._unsettled:
        if pending.event.identity is not None and not pending.was_superseded:
            stands = standing(pending.event)
            if stands not in _left(pending, stands):
                yield f"{pending.event.origin.key} was {pending.state.value} at the kill, and stands as {stands}."


def _left(pending: PendingEvent, stands: Standing | None) -> set[Standing | None]:
    """As far as this run has written it, and no commit is under way."""
    answer = Standing.UNKNOWN if pending.was_unknown else Standing.ANSWERED
    match LIFE[pending.state].at_kill, pending.state:
        case _, State.RECORDING | State.UNJUDGED:
            return {stands}  # the commit that ends it may be done
        case Kill.INTENT, _:
            return {Standing.INTENDED}
        case Kill.ANSWER, _:
            return {answer}
        case Kill.AS_BEFORE, State.INTENT if pending.tries:
            return {answer, Standing.INTENDED}
        case Kill.AS_BEFORE, _ if pending.tries:
            return {answer}
        case _:
            return {stands}


def _found(dispatcher: Dispatcher) -> Iterator[Place]:
    """By the containers."""
    intake, trials = dispatcher._intake, dispatcher._captures._trials.values()
    for item in intake._lanes._keys:
        yield Holding.LANES.value, item
    for item in intake._lanes._blockers:
        yield "blocked", item
    queues = {
        "capture's queue": [*intake._ready, *(pending for trial in trials for pending in trial.queue)],
        "ledger's queue": intake._unrecalled,
        "intents' queue": [*intake._cleared, *(pending for mute in intake._mute.values() for pending in mute.waiting)],
        "slots' queue": intake.sendable,
        "backoff": [sleeper[-1] for sleeper in dispatcher._backoff._heap],
        Holding.TURN.value: [trial.turn for trial in trials if trial.turn is not None],
        Holding.SLOT.value: [pending for task, pending in dispatcher._requests.items() if not task.done()],
    }
    for place, pending_events in queues.items():
        for pending in pending_events:
            yield place, id(pending)


def _wanted(dispatcher: Dispatcher) -> Iterator[Place]:
    """By the states. An intent is the ledger's to show, and a turn is needed only where the capture is on trial."""
    trials = dispatcher._captures._trials
    for pending in dispatcher._unsettled:
        holds = LIFE[pending.state].holds
        if Holding.LANES in holds:
            yield Holding.LANES.value, id(pending)
        if Holding.TURN in holds and trials and pending.event.capture in trials:
            yield Holding.TURN.value, id(pending)
        if Holding.SLOT in holds:
            yield Holding.SLOT.value, id(pending)
        if pending.state in WAITING:
            yield WAITING[pending.state], id(pending)


def _differences(dispatcher: Dispatcher, found: list[Place], wanted: set[Place]) -> Iterator[str]:
    """What nobody may have, or have twice, and what somebody lacks that no chore has in its hand.

    Where the run is about to stop, a request may have been cancelled, or have failed, and a refusal that stops the run
    keeps the turn.
    """
    states = {id(pending): pending.state for pending in dispatcher._unsettled}
    freed = set(_freed(dispatcher))
    is_ending = dispatcher._is_stopping or any(_failures(dispatcher))
    for place in wanted:
        if place in found:
            found.remove(place)
        elif not is_ending and IN_HAND.get(place[0]) not in dispatcher._chores and place not in freed:
            yield f"An event ({states[place[1]].name}) is not in {place[0]}."
    for name, item in found:
        state = states.get(item, State.SETTLED)
        if not (is_ending and name == Holding.TURN.value and state is State.UNJUDGED):
            yield f"An event ({state.name}) is in {name}, and should not be, or is there twice."


def _freed(dispatcher: Dispatcher) -> Iterator[Place]:
    """Their capture has accepted an event, and they go on once that is committed."""
    accepting = {one.event.capture for one in dispatcher._requests.values() if one.state is State.RECORDING}
    for pending in dispatcher._unsettled:
        if pending.state is State.CAPTURE and pending.event.capture in accepting:
            yield WAITING[State.CAPTURE], id(pending)


def _sums(dispatcher: Dispatcher) -> Iterator[str]:
    states = [pending.state for pending in dispatcher._unsettled]
    taken, requests = dispatcher._limiter._taken, len(dispatcher._requests)
    if taken != requests:
        yield f"{taken} slots are taken, and there are {requests} requests."
    unsettled = [pending for pending in dispatcher._unsettled if pending.state is not State.UNJUDGED]
    if dispatcher._failing != {pending for pending in unsettled if pending.failures}:
        yield "Those that have failed are others than those that are said to fail."
    for capture in dispatcher._intake._mute:
        if [pending.event.capture for pending in dispatcher._intake._cleared].count(capture) > 1:
            yield "More than one event of a capture that gives no verdicts may have its intent."
    if dispatcher._unjudged != states.count(State.UNJUDGED):
        yield f"{dispatcher._unjudged} are unjudged, and by their states {states.count(State.UNJUDGED)}."
    if any(pending.state not in RULED for pending in dispatcher._captures.unjudged()):
        yield "A capture waits to judge what is not unjudged."
    if State.SETTLED in states:
        yield "An event is settled, and open."


def _failures(dispatcher: Dispatcher) -> Iterator[bool]:
    """Something has failed, and the run is about to hear of it."""
    yield dispatcher._failure is not None
    for task in (*dispatcher._requests, *dispatcher._chores.values()):
        yield task.done() and not task.cancelled() and task.exception() is not None
