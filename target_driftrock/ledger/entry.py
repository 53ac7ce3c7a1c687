"""The rows that one transaction writes: changes in their order, the latest for each row."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, assert_never

from target_driftrock.events.event import Event
from target_driftrock.events.identity import identity
from target_driftrock.events.outcome import AlreadyDelivered, Changed, Delivered, Held, Invalid, Rejected
from target_driftrock.ledger.interface import (
    Answered,
    Concluded,
    Forgotten,
    Intent,
    Lost,
    Proven,
    Standing,
    Withdrawn,
)
from target_driftrock.ledger.tables import CODES

if TYPE_CHECKING:
    from target_driftrock.events.event import Refusal
    from target_driftrock.ledger.digests import Digests
    from target_driftrock.ledger.interface import Change

EXCERPT_CHARACTERS = 2_000
_KINDS = {Invalid: "invalid", Rejected: "rejected", Held: "held"}

Row = dict[str, Any]


class Entry:
    """What the changes of one transaction come to. `now` is Unix time.

    Where the ledger `may_keep_rows` of earlier transactions, those of what is settled go.
    """

    def __init__(self, digests: Digests, *, api: str, run: int, now: float, may_keep_rows: bool) -> None:
        self._digests = digests
        self._api = api
        self._run = run
        self._may_keep_rows = may_keep_rows
        self._identities: dict[int, bytes | None] = {}
        self.now = now
        self.standings: dict[bytes, Row] = {}
        """Where each event stands after all changes. `tries` is what they add to it."""
        self.proven: set[bytes] = set()
        self.lost: list[Row] = []
        self.schemas: dict[bytes, bytes] = {}
        self.kept: dict[bytes, Row] = {}
        self.released: dict[bytes, int | None] = {}
        """Kept rows that go; those with a position only where they were not kept of this very record."""
        self.counted: Counter[str] = Counter()

    def take(self, change: Change) -> None:
        """Add one change."""
        match change:
            case Intent(event):
                self._stand(event, Standing.INTENDED, tries=1)
            case Withdrawn(event):
                self._stand(event, Standing.UNKNOWN if change.was_unknown else Standing.ANSWERED, tries=-1)
            case Answered(event):
                self._stand(event, Standing.UNKNOWN if change.was_unknown else Standing.ANSWERED)
            case Lost(event):
                self._lose(event)
            case Proven(capture):
                self.proven.add(self._digests.capture(self._api, capture))
            case Forgotten(row):
                self._let_go(bytes.fromhex(row))
            case Concluded():
                self._conclude(change)
            case _:
                assert_never(change)

    def _conclude(self, change: Concluded) -> None:
        part, outcome = change.part, change.outcome
        match outcome:
            case Delivered():
                self.counted["delivered"] += 1
                self._settle(part, Standing.DELIVERED)
                self._release(part)
            case AlreadyDelivered() | Changed():
                self._release(part)
            case Invalid():
                self.counted["invalid"] += 1
                self._keep(part, outcome)
            case Rejected():
                self.counted["rejected"] += 1
                if not change.is_superseded:
                    self._settle(part, Standing.REFUSED)
                    self._keep(part, outcome)
            case Held():
                self.counted["held"] += 1
                self._settle(part, Standing.HELD_UNKNOWN if outcome.is_unknown else Standing.REFUSED)
                self._keep(part, outcome)
            case _:
                assert_never(outcome)

    # Standings.

    def _settle(self, part: Event | Refusal, standing: Standing) -> None:
        if isinstance(part, Event):
            self._stand(part, standing)

    def _stand(self, event: Event, standing: Standing, *, tries: int = 0) -> None:
        key = self._identity(event)
        if key is None or event.event_id is None:
            return
        earlier = self.standings.get(key)
        self.standings[key] = {
            "identity": key,
            "payload": self._digests.payload(event.body),
            "event": self._digests.text("event", event.event_id),
            "standing": int(CODES[standing]),
            "tries": tries if earlier is None else earlier["tries"] + tries,
            "run": self._run,
            "at": self.now,
        }

    def _lose(self, event: Event) -> None:
        self._stand(event, Standing.UNKNOWN)
        self.counted["unknown"] += 1
        key = self._identity(event)
        if key is None or event.event_id is None:
            return
        self.lost.append(
            {
                "identity": key,
                "event_id": _writable(event.event_id),
                "capture": _writable(event.capture.label),
                "lost": 1,
                "run": self._run,
                "at": self.now,
            }
        )

    def _identity(self, event: Event) -> bytes | None:
        """Its digest, made once however many changes of this transaction are about it."""
        if id(event) not in self._identities:
            canonical = identity(event, api=self._api)
            self._identities[id(event)] = None if canonical is None else self._digests.of(canonical)
        return self._identities[id(event)]

    # Kept rows.

    def _release(self, part: Event | Refusal) -> None:
        """What was kept of this event, or of its record before anything was known of its event, goes.

        Not what was kept of another part of the same record just now: a record can be split in two, and
        without key properties both parts have the record's digest.
        """
        if not (self._may_keep_rows or self.kept):
            return
        source = self._digests.source(part.origin)
        own = self._identity(part) if isinstance(part, Event) else None
        if own is not None and own.hex() != part.origin.row:  # that one goes with the last part: see `Forgotten`
            self._let_go(own)
        kept = self.kept.get(source)
        is_of_this_record = kept is not None and kept["position"] == part.origin.position
        if source.hex() != part.origin.row and not is_of_this_record:
            self.kept.pop(source, None)
            self.released.setdefault(source, part.origin.position)

    def _let_go(self, key: bytes) -> None:
        self.kept.pop(key, None)
        self.released[key] = None

    def _keep(self, part: Event | Refusal, outcome: Invalid | Rejected | Held) -> None:
        origin = part.origin
        key = self._key(part)
        schema = self._digests.of(origin.schema)
        self.schemas[schema] = origin.schema
        event = part if isinstance(part, Event) else None
        self.kept[key] = {
            "key": key,
            "person": event and event.person_id and self._digests.text("person", event.person_id),
            "event": event and event.event_id and self._digests.text("event", event.event_id),
            "kind": _KINDS[type(outcome)],
            "stream": _writable(origin.stream),
            "mapping": _writable(part.mapping),
            "reason": _writable(outcome.reason),
            "status": None if isinstance(outcome, Invalid) else outcome.status,
            "excerpt": b"" if isinstance(outcome, Invalid) else _first_characters(outcome.excerpt),
            "record": origin.record,
            "schema": schema,
            "position": origin.position,
            "run": self._run,
            "first_at": self.now,
            "at": self.now,
        }

    def _key(self, part: Event | Refusal) -> bytes:
        """Where a part is kept: in the row that it was read from, else by its identity, else by its record."""
        if part.origin.row is not None:
            return bytes.fromhex(part.origin.row)
        own = self._identity(part) if isinstance(part, Event) else None
        return self._digests.source(part.origin) if own is None else own


def _first_characters(excerpt: bytes) -> bytes:
    return excerpt.decode(errors="replace")[:EXCERPT_CHARACTERS].encode()


def _writable(text: str) -> str:
    """As every database takes it: PostgreSQL refuses a NUL, and none takes half a surrogate pair."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")
