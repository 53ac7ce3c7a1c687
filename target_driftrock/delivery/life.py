"""An event's life as one table: the states that it passes, what it holds in each, and how it may leave it.

What an event *is* stands here; what is *remembered* of it (its tries, a lost answer, what the ledger knew) are the
other fields of a `PendingEvent`, and decide which of the next states it gets. Two things run beside the state:

- The look-ahead: while an event waits for its person, the ledger may already be asked for it (`Intake`).
- The turn: at a capture that has proven nothing one event at a time may go (`Captures`). Who holds `TURN` has it,
  but for a refusal that stops the run: there nobody may have it next.

That a run ends leaves every event in its state; whoever is not settled is reported as open.
"""

from __future__ import annotations

import enum
from collections.abc import Set as AbstractSet
from dataclasses import KW_ONLY, dataclass


class State(enum.Enum):
    """Where an event is. It is in one of these at any time."""

    PERSON = "waits for its person"
    CAPTURE = "waits for its capture"
    MEMORY = "waits for the ledger's memory"
    INTENT = "waits for its intent"
    SLOT = "waits for a slot"
    STARTING = "starting"
    IN_FLIGHT = "in flight"
    RECORDING = "recording"
    BACKING_OFF = "backing off"
    UNJUDGED = "unjudged"
    SETTLED = "settled"


(PERSON, CAPTURE, MEMORY, INTENT, SLOT, STARTING, IN_FLIGHT, RECORDING, BACKING_OFF, UNJUDGED, SETTLED) = State
"""The members once more, for what happens to each event: Python 3.11 takes ten times as long for `State.SLOT`."""


class Holding(enum.Enum):
    """What an event has that others may have to wait for."""

    LANES = "its lanes"
    TURN = "the turn"
    INTENT = "an intent"
    SLOT = "a slot"


class Stop(enum.Enum):
    """What becomes of an event when its run stops."""

    LEAVE = "left as it is"
    WITHDRAW = "its intent is withdrawn"
    LOSE = "has the grace to finish; then cancelled, and its answer is lost"
    FINISH = "finishes, whatever the time"


class Kill(enum.Enum):
    """What the ledger holds of an event whose process is killed."""

    AS_BEFORE = "what stood there before"
    INTENT = "an intent: the next run takes it for sent"
    ANSWER = "its answer, or that it was lost"
    OUTCOME = "its outcome"


@dataclass(frozen=True, slots=True)
class Row:
    """What a state means. What it commits before it is left may be in the ledger already when a kill comes."""

    what: str
    holds: AbstractSet[Holding]
    _: KW_ONLY
    next: AbstractSet[State]
    at_stop: Stop = Stop.LEAVE
    at_kill: Kill = Kill.AS_BEFORE


_NOTHING: AbstractSet[Holding] = frozenset()
_WAITS = frozenset({Holding.LANES})
_GOES = _WAITS | {Holding.TURN}
_MAY_BEGIN = _GOES | {Holding.INTENT}
_REQUESTS = _MAY_BEGIN | {Holding.SLOT}

LIFE = {
    PERSON: Row("earlier events of its person, or of its identity, come first", _WAITS, next={CAPTURE}),
    CAPTURE: Row(
        "the ledger is asked whether the capture is proven; where it is not, another one has the turn",
        _WAITS,
        next={MEMORY, INTENT},  # the latter where it was tried before
    ),
    MEMORY: Row("the ledger is asked what it holds of it; that may settle it", _GOES, next={INTENT, SETTLED}),
    INTENT: Row(
        "an intent has to be committed before anything of it is sent; at a capture that gives no verdicts on events, "
        "one after the other",
        _GOES,
        next={SLOT, MEMORY},  # the latter where another task of a job was faster
    ),
    SLOT: Row(
        "a request may begin as soon as one is free",
        _MAY_BEGIN,
        next={STARTING},
        at_stop=Stop.WITHDRAW,
        at_kill=Kill.INTENT,
    ),
    STARTING: Row(
        "has its slot, and waits for a token or for its moment; may be cancelled",
        _REQUESTS,
        next={IN_FLIGHT},
        at_stop=Stop.WITHDRAW,
        at_kill=Kill.INTENT,
    ),
    IN_FLIGHT: Row(
        "its request has begun, and no reply has come",
        _REQUESTS,
        next={RECORDING},
        at_stop=Stop.LOSE,
        at_kill=Kill.INTENT,
    ),
    RECORDING: Row(
        "the reply is here, and what follows from it is being committed; must not be cancelled",
        _REQUESTS,
        next={SETTLED, BACKING_OFF, UNJUDGED},
        at_stop=Stop.FINISH,
        at_kill=Kill.INTENT,
    ),
    BACKING_OFF: Row(
        "its latest request came to nothing: it sleeps until its next try", _WAITS, next={CAPTURE}, at_kill=Kill.ANSWER
    ),
    UNJUDGED: Row(
        "refused by a capture that has accepted nothing: judged by what that one accepts later, or at the end",
        _NOTHING,
        next={SETTLED},
        at_kill=Kill.ANSWER,
    ),
    SETTLED: Row("it has its outcome, which is committed and reported", _NOTHING, next=set(), at_kill=Kill.OUTCOME),
}
