"""The ledger as delivery sees it: look-ups, and changes that are committed in groups."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_driftrock.events.event import Capture, Event, InvalidPart, Origin
    from target_driftrock.events.identity import KnownWay, Way
    from target_driftrock.events.outcome import Settled

Row = tuple[bytes, bytes]
"""Which row of a ledger is meant: one content of one event. Opaque outside of the ledger."""


class Standing(enum.Enum):
    """What the ledger holds of one content of an event."""

    DELIVERED = "delivered"
    REFUSED = "rejected, or held as poisoned"
    ANSWERED = "open, every request answered or surely not sent"
    INTENDED = "open, an intent last: a run died before it could say what became of its request"
    UNKNOWN = "open, an answer lost, and nothing that settles it since"
    HELD_UNKNOWN = "held, its answer lost"
    CHANGED = "not sent, since it is a change of what was delivered"


PERHAPS_ACCEPTED = frozenset({Standing.INTENDED, Standing.UNKNOWN, Standing.HELD_UNKNOWN})
DEFENDING = PERHAPS_ACCEPTED | {Standing.DELIVERED}
"""What was or may have been accepted: it defends its identity against other content."""


class Likeness(enum.Enum):
    """Whether two contents are about the same person, by the strongest kind of `Who` that both name."""

    SAME = "the same"
    OTHER = "another"
    UNTOLD = "no kind in common"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One content that the ledger holds of an event, compared with the one that was asked about."""

    standing: Standing
    row: Row
    is_same_content: bool
    is_same_record: bool = False
    who: Likeness = Likeness.UNTOLD
    is_former: bool = False
    """It is held under the identity that the event had before its mapping was mended."""
    is_in_hand: bool = False
    """Another task of this job is at it just now: what becomes of it is not known yet."""


class Intent(msgspec.Struct):
    """A request for this event may begin from now on, unless the ledger says after the commit that it `is_refused`.

    In a job an intent is a claim: where another task has written of the event since it was recalled, this one must be
    recalled again.
    """

    event: Event
    is_refused: bool = False


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
    is_trial: bool = False
    """It was refused by a capture that has accepted nothing yet."""


class Lost(msgspec.Struct, frozen=True):
    """The last request was sent and its answer is lost: unknown."""

    event: Event
    row: Row | None = None
    """It was a request for other content of this event, whose run died."""


class Arrived(msgspec.Struct, frozen=True):
    """Other content of this event, whose answer was lost, was delivered: the API says so."""

    event: Event
    row: Row


class Proven(msgspec.Struct, frozen=True):
    """This capture has accepted an event."""

    capture: Capture


class Reread(msgspec.Struct, frozen=True, gc=False):
    """A record that bears the key of a kept row: the row is its own where it is that record as it was read."""

    stream: str
    record: bytes
    """Its digest."""

    @classmethod
    def of(cls, origin: Origin) -> Self:
        """Whatever came of it."""
        return cls(origin.stream, origin.digest or origin.record)


class Forgotten(msgspec.Struct, frozen=True):
    """All that came of a kept row's record is delivered: the row goes. `row` is its key in hexadecimal."""

    row: str
    is_change: bool = False
    """Not all is delivered, but what is not was said to be a change: the row goes if that was to be decided."""
    rereads: tuple[Reread, ...] = ()
    """The records that bore its key: if the row is none of theirs it stays. Not asked for where there is none."""


class Concluded(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a part. It is added to the counters of the run in the same transaction."""

    part: Event | InvalidPart
    outcome: Settled
    is_superseded: bool = False
    """A later request for the same event was begun: this outcome is only counted, and the later one's stands."""


Change = Intent | Withdrawn | Answered | Lost | Arrived | Proven | Forgotten | Concluded


class Ledger(Protocol):
    """One ledger, used from one thread at a time. Every method may raise `errors.LedgerUnavailable`."""

    def recall(self, events: Sequence[Event]) -> list[Sequence[Known]]:
        """All contents that are held of each event; none of one never met, and of one without identity.

        An event with a `former` identity is looked up under that, too.
        """
        ...

    def proven(self, captures: Sequence[Capture]) -> list[bool]:
        """Whether each capture has accepted an event, in this run or before."""
        ...

    def trials(self, captures: Sequence[Capture]) -> list[int | None]:
        """Of captures that are not proven: how many events each has refused, in other tasks of this job.

        None while another task tries it, so that a wrong mapping costs a few events in all, and not in each task.
        """
        ...

    def leave_trials(self, captures: Sequence[Capture]) -> None:
        """These are not tried for now: another task of the job may, so that `trials` is asked anew."""
        ...

    def commit(self, changes: Sequence[Change]) -> None:
        """Make all changes durable together, in their order, or none."""
        ...

    def secure(self) -> None:
        """Return when all that was committed lies on the disk: not even a loss of power takes it back."""
        ...

    def counts(self) -> Counts:
        """What the transactions of this run have added up."""
        ...

    def close(self) -> None:
        """Let go of the ledger. May be called twice."""
        ...


class RunLedger(Ledger, Protocol):
    """A run's own hold on a ledger: what it asks before the first part, and leaves after the last."""

    @property
    def is_new(self) -> bool:
        """Whether this run made the ledger: nothing was remembered before it."""
        ...

    @property
    def cut_off(self) -> Counts:
        """What attempts at the tasks of a job did that were cut off: no account tells of it. Nothing of a plain run."""
        ...

    @property
    def ways(self) -> Mapping[Way, KnownWay]:
        """How identities were made before this run."""
        ...

    @property
    def misnamed(self) -> int:
        """How many kept rows stay of which other records bore the keys, or the same ones mended by hand."""
        ...

    def forget_ways(self, ways: Mapping[Way, Way | None]) -> None:
        """What was delivered in these ways may be sent again: nothing asks for it. Each with what took its place."""
        ...

    def rejects_waiting(self) -> tuple[int, float | None]:
        """How many kept rows there are, and since when the oldest (Unix time)."""
        ...

    def finish(self, *, exit_code: int, receipt: str) -> None:
        """Keep the receipt: the run has ended."""
        ...

    def prune(self, *, days: int) -> bool:
        """Forget some of what was delivered more than `days` ago. False when there is nothing more to look at."""
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
