"""A ledger that remembers for as long as the process lives."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, assert_never

from target_driftrock.events.event import Event
from target_driftrock.events.identity import identity
from target_driftrock.events.outcome import AlreadyDelivered, Changed, Delivered, Held, Invalid, Rejected
from target_driftrock.ledger.interface import (
    Answered,
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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_driftrock.events.event import Capture
    from target_driftrock.ledger.interface import Change


class MemoryLedger:
    """Keeps the standing and a payload digest for each event, and nothing personal in the clear."""

    def __init__(self, *, api: str) -> None:
        self._api = api
        self._standings: dict[bytes, tuple[Standing, bytes]] = {}
        self._proven: set[Capture] = set()
        self._counts: Counter[str] = Counter()

    def recall(self, events: Sequence[Event]) -> list[Known | None]:
        """See `Ledger.recall`."""
        return [self._known(event) for event in events]

    def proven(self, captures: Sequence[Capture]) -> list[bool]:
        """See `Ledger.proven`."""
        return [capture in self._proven for capture in captures]

    def commit(self, changes: Sequence[Change]) -> None:
        """See `Ledger.commit`."""
        for change in changes:
            self._apply(change)

    def counts(self) -> Counts:
        """See `Ledger.counts`."""
        return Counts(**self._counts)

    def close(self) -> None:
        """Nothing to let go of."""

    def _known(self, event: Event) -> Known | None:
        key = self._key(event)
        held = None if key is None else self._standings.get(key)
        if held is None:
            return None
        standing, payload = held
        return Known(standing=standing, same_payload=payload == _digest(event.body))

    def _apply(self, change: Change) -> None:
        match change:
            case Intent(event):
                self._stand(event, Standing.INTENDED)
            case Withdrawn(event) | Answered(event):
                self._stand(event, Standing.UNKNOWN if change.was_unknown else Standing.ANSWERED)
            case Lost(event):
                self._stand(event, Standing.UNKNOWN)
                self._counts["unknown"] += 1
            case Proven(capture):
                self._proven.add(capture)
            case Forgotten():
                pass  # nothing is kept here
            case Concluded():
                self._conclude(change)
            case _:
                assert_never(change)

    def _conclude(self, change: Concluded) -> None:
        match change.outcome:
            case Delivered():
                self._finish(change, "delivered", Standing.DELIVERED)
            case Invalid():
                self._counts["invalid"] += 1
            case Rejected():
                self._finish(change, "rejected", Standing.REFUSED)
            case Held(is_unknown=True):
                self._finish(change, "held", Standing.HELD_UNKNOWN)
            case Held():
                self._finish(change, "held", Standing.REFUSED)
            case AlreadyDelivered() | Changed():
                pass  # the look-up said so: nothing changes
            case _:
                assert_never(change.outcome)

    def _finish(self, change: Concluded, count: str, standing: Standing) -> None:
        self._counts[count] += 1
        if isinstance(change.part, Event) and not change.is_superseded:
            self._stand(change.part, standing)

    def _stand(self, event: Event, standing: Standing) -> None:
        key = self._key(event)
        if key is not None:
            self._standings[key] = standing, _digest(event.body)

    def _key(self, event: Event) -> bytes | None:
        canonical = identity(event, api=self._api)
        return None if canonical is None else _digest(canonical)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
