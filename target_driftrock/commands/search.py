"""What is wrong with identities in one input: each event is held against all before it, by the rules of a run.

What is remembered of them is what a run remembers, in a ledger of its own, so memory does not grow with the input. It
differs from a run in one thing: what would be sent counts as delivered.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Generic, TypeVar, assert_never

from target_driftrock.delivery.admission import Send, admit
from target_driftrock.errors import LedgerUnavailable
from target_driftrock.events.outcome import AlreadyDelivered, Changed, Delivered, Held, HeldAs
from target_driftrock.ledger.interface import Concluded
from target_driftrock.ledger.scratch import scratch_ledger
from target_driftrock.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from target_driftrock.events.event import Event

GROUP = 500
"""So many are judged at once: for each alone, the ledger would take ten times as long."""
GROUP_BYTES = 4 * 1024 * 1024

Verdict = Send | AlreadyDelivered | Changed | Held
Item = TypeVar("Item")


class Search(Generic[Item]):
    """Takes items, events among them, and tells of each in the order taken; of an event with what a run would do.

    Some are told of only by `flush`. Every method may raise `errors.LedgerUnavailable`.
    """

    def __init__(self, *, api: str, tell: Callable[[Item, Verdict | None], object]) -> None:
        self._ledger = scratch_ledger(api=api)
        self._tell = tell
        self._waiting: list[tuple[Item, Event | None]] = []
        self._bytes = 0
        self._identities: set[bytes] = set()
        self.findings = Findings()

    def take(self, item: Item, event: Event | None = None) -> None:
        """The next item."""
        if event is not None:
            self._let_in(event)
        self._waiting.append((item, event))
        if len(self._waiting) >= GROUP or self._bytes >= GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        """Tell of all that was taken."""
        waiting, self._waiting = self._waiting, []
        self._bytes = 0
        self._identities.clear()
        verdicts = iter(self._judge([event for _, event in waiting if event is not None]))
        for item, event in waiting:
            self._tell(item, None if event is None else next(verdicts))

    def close(self) -> None:
        """Forget everything. May be called twice."""
        self._ledger.close()

    def _let_in(self, event: Event) -> None:
        """In one group no event may bear an identity of one before it: that one has to be judged first."""
        if not self._identities.isdisjoint((event.identity, *event.former)):
            self.flush()
        if event.identity is not None:
            self._identities.add(event.identity)
        self._bytes += len(event.body) + len(event.origin.record)

    def _judge(self, events: Sequence[Event]) -> list[Verdict]:
        if not events:
            return []
        try:
            verdicts = [
                admit(known, on_changed=event.on_changed, holds_unknown=False, is_replay=False).verdict
                for event, known in zip(events, self._ledger.recall(events), strict=True)
            ]
            self._remember(events, verdicts)
        except LedgerUnavailable:
            raise LedgerUnavailable(_NO_ROOM) from None
        for event, verdict in zip(events, verdicts, strict=True):
            self.findings.note(event, verdict)
        return verdicts

    def _remember(self, events: Sequence[Event], verdicts: Sequence[Verdict]) -> None:
        """As a run does, but for what it would hold: that needs no row here, which would be its whole record."""
        judged = list(zip(events, verdicts, strict=True))
        self._ledger.abandon(event for event, verdict in judged if isinstance(verdict, Held))
        self._ledger.commit(
            [
                Concluded(part=event, outcome=_DELIVERED if isinstance(verdict, Send) else verdict)
                for event, verdict in judged
                if not isinstance(verdict, Held)
            ]
        )


class Findings:
    """What was found in an input, counted, without a value."""

    def __init__(self) -> None:
        self.events = 0
        self.repeats = 0
        """Events of the very same content as one before."""
        self.changed = 0
        """Events of other content than one before, which are not sent."""
        self._changes_unsaid: Counter[str] = Counter()
        self._held: Counter[tuple[str, HeldAs]] = Counter()

    def note(self, event: Event, verdict: Verdict) -> None:
        """What a run would do with an event."""
        self.events += 1
        match verdict:
            case Send():
                pass
            case AlreadyDelivered():
                self.repeats += 1
            case Changed():
                self.changed += 1
                if not verdict.is_said:
                    self._changes_unsaid[event.mapping] += 1
            case Held():
                self._held[event.mapping, verdict.kind] += 1
            case _:
                assert_never(verdict)

    def errors(self) -> Iterator[str]:
        """What a run would hold, a sentence for each mapping, with what to do."""
        for (mapping, kind), count in sorted(self._held.items(), key=str):
            text = _COLLIDES if kind is HeldAs.COLLISION else _UNDECIDED
            yield text.format(events=counted(count, "event"), mapping=mapping)

    def warnings(self) -> Iterator[str]:
        """What a run would not send since nobody said what becomes of it, a sentence for each mapping."""
        for mapping, count in sorted(self._changes_unsaid.items()):
            yield _CHANGED.format(events=counted(count, "event"), mapping=mapping)


def marks(verdict: Verdict | None) -> dict[str, str]:
    """How an event is marked that a run would not send; a repeat is not."""
    match verdict:
        case Held():
            return {verdict.kind.value: verdict.reason}
        case Changed():
            return {"changed": verdict.cause.value}
        case _:
            return {}


_DELIVERED = Delivered()
_COLLIDES = (
    "{events} of {mapping} under the event_id of another person's event: a run would hold what came later. Make "
    "event_id of all that tells two events apart; where it is one person with a new address, set person_id."
)
_UNDECIDED = (
    "{events} of {mapping} with other content under an event_id that came before, and nothing says whether that is a "
    "change or another event: a run would hold what came later. If each event_id is surely its own, set on_changed: "
    "skip or send; if not, mend event_id."
)
_CHANGED = (
    "{events} of {mapping} changed, both contents in this input: is the key too short? A run would not send what came "
    "later. If that is right, set on_changed: skip; to send each change, set on_changed: send."
)
_NO_ROOM = (
    "The events could not be held against each other, since no temporary file can be written: make room in the "
    "directory for such files, or name another one in TMPDIR. Then run again."
)
