"""A ledger that remembers for as long as the process lives."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, assert_never

from target_driftrock.events.event import Event
from target_driftrock.events.outcome import (
    AlreadyDelivered,
    ChangeCause,
    Changed,
    Delivered,
    Held,
    HeldAs,
    Invalid,
    Rejected,
)
from target_driftrock.ledger.interface import (
    Answered,
    Arrived,
    Concluded,
    Counts,
    Forgotten,
    Intent,
    Known,
    Lost,
    Proven,
    Standing,
    Withdrawn,
)
from target_driftrock.ledger.likeness import likeness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_driftrock.events.event import Capture
    from target_driftrock.events.identity import KnownWay, Way, Who
    from target_driftrock.events.outcome import Settled
    from target_driftrock.ledger.interface import Change, Row


@dataclass(slots=True)
class _Content:
    """Where one content of an event stands."""

    standing: Standing
    who: Who
    record: bytes


class MemoryLedger:
    """Keeps where each content of each event stands. No rows, and so nothing to send again."""

    def __init__(self) -> None:
        self._contents: dict[bytes, dict[bytes, _Content]] = {}
        self._proven: set[Capture] = set()
        self._counts: Counter[str] = Counter()

    def recall(self, events: Sequence[Event]) -> list[Sequence[Known]]:
        """See `Ledger.recall`."""
        return [
            [
                *self._known(event, event.identity, is_former=False),
                *chain(*(self._known(event, former, is_former=True) for former in event.former)),
            ]
            for event in events
        ]

    def proven(self, captures: Sequence[Capture]) -> list[bool]:
        """See `Ledger.proven`."""
        return [capture in self._proven for capture in captures]

    def trials(self, captures: Sequence[Capture]) -> list[int | None]:
        """See `Ledger.trials`. Nobody else tries one."""
        return [0] * len(captures)

    def leave_trials(self, captures: Sequence[Capture]) -> None:
        """See `Ledger.leave_trials`. Nobody else tries one."""

    def commit(self, changes: Sequence[Change]) -> None:
        """See `Ledger.commit`."""
        for change in changes:
            self._apply(change)

    def secure(self) -> None:
        """There is no disk."""

    def counts(self) -> Counts:
        """See `Ledger.counts`."""
        return Counts(**self._counts)

    is_new = False
    cut_off = Counts()
    misnamed = 0
    ways: Mapping[Way, KnownWay] = MappingProxyType({})

    def forget_ways(self, ways: Mapping[Way, Way | None]) -> None:
        """None is remembered."""

    def rejects_waiting(self) -> tuple[int, float | None]:
        """No row is kept."""
        return 0, None

    def finish(self, *, exit_code: int, receipt: str) -> None:
        """No receipt is kept."""

    def prune(self, *, days: int) -> bool:
        """Nothing gets so old."""
        return False

    def close(self) -> None:
        """Nothing to let go of."""

    def _known(self, event: Event, identity: bytes | None, *, is_former: bool) -> Iterator[Known]:
        if identity is None:
            return
        for content, held in self._contents.get(identity, {}).items():
            yield Known(
                standing=held.standing,
                row=(identity, content),
                is_same_content=content == event.content,
                is_same_record=content != event.content and held.record == event.origin.digest,
                who=likeness((), ()) if content == event.content else likeness(event.who, held.who),
                is_former=is_former,
            )

    def _apply(self, change: Change) -> None:
        match change:
            case Intent(event):
                self._stand(event, Standing.INTENDED)
            case Withdrawn(event) | Answered(event):
                self._stand(event, Standing.UNKNOWN if change.was_unknown else Standing.ANSWERED)
            case Lost(event, row):
                self._counts["unknown"] += 1
                if row is None:
                    self._stand(event, Standing.UNKNOWN)
                else:
                    self._restate(row, Standing.UNKNOWN)
            case Arrived(_, row):
                self._restate(row, Standing.DELIVERED)
            case Proven(capture):
                self._proven.add(capture)
            case Forgotten():
                pass  # nothing is kept here
            case Concluded():
                self._conclude(change)
            case _:
                assert_never(change)

    def _conclude(self, change: Concluded) -> None:
        name = _COUNTED.get(type(change.outcome))
        if name is not None:
            self._counts[name] += 1
        standing = _standing(change.outcome)
        if standing is not None and isinstance(change.part, Event) and not change.is_superseded:
            self._stand(change.part, standing)

    def _stand(self, event: Event, standing: Standing) -> None:
        if event.identity is None:
            return
        contents = self._contents.setdefault(event.identity, {})
        held = contents.get(event.content)
        if held is None:
            contents[event.content] = _Content(standing, event.who, event.origin.digest)
        elif held.standing is not Standing.DELIVERED:  # nothing overwrites a delivery
            held.standing, held.record = standing, event.origin.digest

    def _restate(self, row: Row, standing: Standing) -> None:
        held = self._contents.get(row[0], {}).get(row[1])
        if held is not None and held.standing is not Standing.DELIVERED:
            held.standing = standing


def _standing(outcome: Settled) -> Standing | None:
    """Where an event stands that has this outcome; None if it stands as before."""
    match outcome:
        case Delivered() | AlreadyDelivered(as_former=True):
            return Standing.DELIVERED
        case Rejected():
            return Standing.UNKNOWN if outcome.may_have_arrived else Standing.REFUSED
        case Held() if outcome.kind is HeldAs.FAILED and outcome.was_sent:
            return Standing.HELD_UNKNOWN if outcome.is_unknown else Standing.REFUSED
        case Changed(cause=ChangeCause.CONFLICT):
            return Standing.CHANGED
        case AlreadyDelivered() | Changed() | Invalid() | Held():
            return None
        case _:
            assert_never(outcome)


_COUNTED: Mapping[type[Settled], str] = {Delivered: "delivered", Invalid: "invalid", Rejected: "rejected", Held: "held"}
