"""The ledger as delivery sees it: look-ups, and changes that are committed in groups."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_driftrock.events.event import Capture, Event, Refusal
    from target_driftrock.events.outcome import Settled


class Standing(enum.Enum):
    """What the ledger holds of an event that it has met before."""

    DELIVERED = "delivered"
    REFUSED = "invalid, rejected, or held as poisoned"
    ANSWERED = "open, every request answered or surely not sent"
    INTENDED = "open, an intent last: a run died before it could say what became of its request"
    UNKNOWN = "open, an answer lost, and nothing that settles it since"
    HELD_UNKNOWN = "held, its answer lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One look-up that found something. `same_payload` compares the body with the one that was kept."""

    standing: Standing
    same_payload: bool


class Intent(msgspec.Struct, frozen=True):
    """A request for this event may begin from now on."""

    event: Event


class Withdrawn(msgspec.Struct, frozen=True):
    """The intent is taken back: no request began."""

    event: Event
    was_unknown: bool = False
    """An earlier request lost its answer, and nothing has settled that since: it stands as before the intent."""


class Answered(msgspec.Struct, frozen=True):
    """The last request got an answer that settles nothing, or was surely not sent. To be tried again."""

    event: Event
    was_unknown: bool = False
    """An earlier request lost its answer, and this answer does not say whether that one arrived."""


class Lost(msgspec.Struct, frozen=True):
    """The last request was sent and its answer is lost: unknown."""

    event: Event


class Proven(msgspec.Struct, frozen=True):
    """This capture has accepted an event."""

    capture: Capture


class Forgotten(msgspec.Struct, frozen=True):
    """All that came of a kept row's record is delivered: the row goes. `row` is its key in hexadecimal."""

    row: str


class Concluded(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a part. It is added to the counters of the run in the same transaction."""

    part: Event | Refusal
    outcome: Settled
    is_superseded: bool = False
    """A later request for the same event was begun: this outcome is only counted, and the later one's stands."""


Change = Intent | Withdrawn | Answered | Lost | Proven | Forgotten | Concluded


class Ledger(Protocol):
    """One ledger, used from one thread at a time. Every method may raise `errors.LedgerUnavailable`."""

    def recall(self, events: Sequence[Event]) -> list[Known | None]:
        """What is held of each event; None for one never met, and for one without identity."""
        ...

    def proven(self, captures: Sequence[Capture]) -> list[bool]:
        """Whether each capture has accepted an event, in this run or before."""
        ...

    def commit(self, changes: Sequence[Change]) -> None:
        """Make all changes durable together, in their order, or none."""
        ...

    def counts(self) -> Counts:
        """What the transactions of this run have added up."""
        ...

    def close(self) -> None:
        """Let go of the ledger. May be called twice."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Events (and refused parts) by outcome, as this run's transactions counted them."""

    delivered: int = 0
    invalid: int = 0
    rejected: int = 0
    held: int = 0
    unknown: int = 0
    """Requests whose answer was lost: no outcome, a count beside them."""
