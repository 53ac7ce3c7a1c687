"""The rows that one transaction writes: changes in their order, the latest for each row."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, assert_never

from target_driftrock.events.answer import excerpt_of
from target_driftrock.events.event import Event
from target_driftrock.events.outcome import AlreadyDelivered, ChangeCause, Changed, Delivered, Held, Invalid, Rejected
from target_driftrock.ledger.interface import (
    Answered,
    Arrived,
    Concluded,
    Forgotten,
    Intent,
    Lost,
    Proven,
    Standing,
    Withdrawn,
)
from target_driftrock.ledger.likeness import TO_DECIDE, Release
from target_driftrock.ledger.tables import CODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_driftrock.events.event import InvalidPart, Origin
    from target_driftrock.ledger.digests import Digests, WhoDigests
    from target_driftrock.ledger.interface import Change
    from target_driftrock.ledger.interface import Row as Key
    from target_driftrock.ledger.ways import Ways

_NOBODY: WhoDigests = (None, None, None)

Row = dict[str, Any]


class Keys:
    """The digests of the events that are under way: made once, however many transactions are about them."""

    def __init__(self, digests: Digests, *, api: str) -> None:
        self._digests = digests
        self._api = api
        self._rows: dict[int, tuple[Event, Key]] = {}
        self._columns: dict[int, Row] = {}

    def row(self, event: Event) -> Key | None:
        """Which row of `deliveries` an event has; None where it has no identity."""
        known = self._rows.get(id(event))
        if known is not None:
            return known[1]
        if event.identity is None:
            return None
        identity = self._digests.identity(self._api, event.identity)
        row = identity, self._digests.content(identity, event.content)
        self._rows[id(event)] = event, row  # with the event, whose number in memory is its own as long as it lives
        return row

    def columns(self, event: Event, row: Key) -> Row:
        """What stands in its row whatever becomes of it."""
        found = self._columns.get(id(event))
        if found is None:
            identity, content = row
            person, email, phone = self._digests.who(identity, event.who)
            found = self._columns[id(event)] = {
                "identity": identity,
                "content": content,
                "event": self._digests.event(event.event_id or ""),
                "person": person,
                "email": email,
                "phone": phone,
                "record": self._digests.record(identity, event.origin.digest),
            }
        return found

    def formers(self, event: Event) -> list[Key]:
        """Which rows it may have had before its mapping was mended."""
        identities = [self._digests.identity(self._api, former) for former in event.former]
        return [(identity, self._digests.content(identity, event.content)) for identity in identities]

    def forget(self, event: Event) -> None:
        """Nothing more will be committed of an event."""
        self._rows.pop(id(event), None)
        self._columns.pop(id(event), None)


class WriteBatch:
    """What the changes of one transaction come to. `now` is Unix time.

    Where the ledger `may_keep_rows` of earlier transactions, those of what is settled go.
    """

    def __init__(
        self, digests: Digests, keys: Keys, ways: Ways, *, api: str, run: int, now: float, may_keep_rows: bool
    ) -> None:
        self._digests = digests
        self._keys = keys
        self._ways = ways
        self._api = api
        self._run = run
        self._may_keep_rows = may_keep_rows
        self.now = now
        self.standings: dict[Key, Row] = {}
        """Where each content stands after all changes. `tries` is what they add to it."""
        self.others: dict[Key, Standing] = {}
        """Where contents stand that the events of this transaction are not about."""
        self.delivered: Counter[int] = Counter()
        """How much was delivered, by way."""
        self.proven: set[bytes] = set()
        self.lost: list[Row] = []
        self.schemas: dict[bytes, bytes] = {}
        self.kept: dict[bytes, Row] = {}
        """By event and content, else by record; from `place` on, by the row that a part was read from, if it was."""
        self.named: dict[bytes, bytes] = {}
        """By what is kept, where its record bears the key of another row: that key."""
        self.misnamed: set[bytes] = set()
        """Rows of which other records bore the keys, or the same ones mended by hand."""
        self.forgotten: dict[bytes, Forgotten] = {}
        """Kept rows that were sent again and go; whether only if something was to be decided of them."""
        self.releases: list[Release] = []
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
            case Lost(event, row):
                self._lose(event, row)
            case Arrived(event, row):
                self._arrive(event, row)
            case Proven(capture):
                self.proven.add(self._digests.capture(self._api, capture))
            case Forgotten():
                self._forget(change)
            case Concluded():
                self._conclude(change)
                if isinstance(change.part, Event):
                    self._keys.forget(change.part)
            case _:
                assert_never(change)

    def _conclude(self, change: Concluded) -> None:
        part, outcome = change.part, change.outcome
        match outcome:
            case Delivered():
                self.counted["delivered"] += 1
                self._deliver(part)
            case AlreadyDelivered():
                if outcome.as_former:
                    self._stand_delivered(part)  # it is known under its new identity from now on
                self._release(part)
            case Changed():
                self._change(part, outcome)
            case Invalid():
                self.counted["invalid"] += 1
                self._keep(part, outcome)
            case Rejected():
                self.counted["rejected"] += 1
                if not change.is_superseded:
                    self._settle(part, Standing.UNKNOWN if outcome.may_have_arrived else Standing.REFUSED)
                    self._keep(part, outcome)
            case Held():
                self.counted["held"] += 1
                self._hold(part, outcome)
            case _:
                assert_never(outcome)

    def _deliver(self, part: Event | InvalidPart) -> None:
        self._stand_delivered(part)
        self._release(part, is_now=True)

    def _stand_delivered(self, part: Event | InvalidPart) -> None:
        self._settle(part, Standing.DELIVERED)
        if isinstance(part, Event) and part.identity is not None:
            self.delivered[self._ways.id(part)] += 1

    def _change(self, part: Event | InvalidPart, outcome: Changed) -> None:
        if outcome.cause is ChangeCause.CONFLICT:
            self._settle(part, Standing.CHANGED)
        if outcome.is_said:
            self._release(part, is_decided=True)

    def _hold(self, part: Event | InvalidPart, outcome: Held) -> None:
        if outcome.was_sent and outcome.kind.value not in TO_DECIDE:  # else nothing was sent, and nothing else changes
            self._settle(part, Standing.HELD_UNKNOWN if outcome.is_unknown else Standing.REFUSED)
        self._keep(part, outcome)

    # Standings.

    def _settle(self, part: Event | InvalidPart, standing: Standing) -> None:
        if isinstance(part, Event):
            self._stand(part, standing)

    def _stand(self, event: Event, standing: Standing, *, tries: int = 0) -> None:
        key = self._keys.row(event)
        if key is None or event.event_id is None:
            return
        earlier = self.standings.get(key)
        if earlier is not None:
            if earlier["standing"] != CODES[Standing.DELIVERED]:  # nothing overwrites a delivery
                earlier["standing"] = int(CODES[standing])
            earlier["tries"] += tries
            return
        self.standings[key] = {
            **self._keys.columns(event, key),
            "standing": int(CODES[standing]),
            "tries": tries,
            "way": self._ways.id(event),
            "run": self._run,
            "at": self.now,
        }

    def _arrive(self, event: Event, other: Key) -> None:
        """It is delivered, and what was kept of it goes."""
        self.others[other] = Standing.DELIVERED
        self.delivered[self._ways.id(event)] += 1
        self._apply(Release(contents=(other,), position=event.origin.position))

    def _lose(self, event: Event, other: Key | None) -> None:
        if other is None:
            self._stand(event, Standing.UNKNOWN)
        else:
            self.others[other] = Standing.UNKNOWN
        self.counted["unknown"] += 1
        key = self._keys.row(event)
        if key is None or event.event_id is None:
            return
        self.lost.append(
            {
                "identity": key[0],
                "event_id": _writable(event.event_id),
                "capture": _writable(event.capture.label),
                "lost": 1,
                "run": self._run,
                "at": self.now,
            }
        )

    # Kept rows.

    def _release(self, part: Event | InvalidPart, *, is_now: bool = False, is_decided: bool = False) -> None:
        """What was kept of this content goes, also under a former identity, and of its record without an event.

        What was delivered now also takes what it makes out of date: earlier contents, about the same person, of the
        same event, or of an invalid record with the same key properties. One that was sent again from a kept row takes
        none of these, since they may be later than it; and its own row goes with its last part: see `Forgotten`. Where
        it was mended by hand, its row is an earlier content like any other.
        """
        if not (self._may_keep_rows or self.kept) or not isinstance(part, Event):
            return
        row = self._keys.row(part)
        source = self._digests.source(part.origin) if is_now else None
        release = Release(
            contents=(*([] if row is None else [row]), *self._keys.formers(part)),
            record=self._digests.kept_record(part.origin),
            replayed=None if part.origin.kept_row is None else bytes.fromhex(part.origin.kept_row),
            read=self._read(part.origin),
            position=part.origin.position,
            is_decided=is_decided,
            identity=row[0] if row is not None and is_now else None,
            who=self._digests.who(row[0], part.who) if row is not None and is_now else _NOBODY,
            source=source,
            source_who=_NOBODY if source is None else self._digests.who(source, part.who),
        )
        self._apply(release)

    def _read(self, origin: Origin) -> bytes:
        return self._digests.read(origin.stream, origin.digest or origin.record)

    def _apply(self, release: Release) -> None:
        for key in [key for key, kept in self.kept.items() if release.takes(kept, run=self._run)]:
            del self.kept[key]
        self.releases.append(release)

    def _forget(self, change: Forgotten) -> None:
        key = bytes.fromhex(change.row)
        self.forgotten[key] = change
        if key in self.kept and self.forgets(self.kept[key]):
            del self.kept[key]

    def forgets(self, row: Mapping[str, Any]) -> bool:
        """Whether a row goes that was sent again: some only if something was to be decided; none of another record."""
        change = self.forgotten.get(row["key"])
        if change is None:
            return False
        if change.rereads and row["read"] not in [
            self._digests.read(each.stream, each.record) for each in change.rereads
        ]:
            self.misnamed.add(row["key"])
            return False
        return not change.is_change or row["kind"] in TO_DECIDE

    def _keep(self, part: Event | InvalidPart, outcome: Invalid | Rejected | Held) -> None:
        origin = part.origin
        event = part if isinstance(part, Event) else None
        row = None if event is None else self._keys.row(event)
        identity, content = (None, None) if row is None else row
        source = self._digests.source(origin)
        over = identity or source
        who = _NOBODY if over is None else self._digests.who(over, part.who)
        own = self._digests.kept_record(origin) if row is None else self._digests.kept(*row)
        self.named.pop(own, None)
        if origin.kept_row is not None and (key := bytes.fromhex(origin.kept_row)) != own:
            self.named[own] = key
        schema = self._digests.of(origin.schema)
        self.schemas[schema] = origin.schema
        self.kept[own] = {
            "key": own,
            "identity": identity,
            "content": content,
            "source": source,
            "who_person": who[0],
            "who_email": who[1],
            "who_phone": who[2],
            "person": event and event.person_id and self._digests.text("person", event.person_id),
            "event": event and event.event_id and self._digests.event(event.event_id),
            "event_id": event and event.event_id and _writable(event.event_id),
            "digest": identity and self._digests.record(identity, origin.digest),
            "read": self._read(origin),
            "way": None if event is None else self._ways.id(event),
            "kind": _kind(outcome),
            "stream": _writable(origin.stream),
            "mapping": _writable(part.mapping),
            "reason": _writable(outcome.reason),
            "status": None if isinstance(outcome, Invalid) else outcome.status,
            "excerpt": b"" if isinstance(outcome, Invalid) else excerpt_of(outcome.excerpt),
            "record": origin.record,
            "schema": schema,
            "position": origin.position,
            "run": self._run,
            "first_at": self.now,
            "at": self.now,
        }

    def place(self, rows: Mapping[bytes, Mapping[str, Any]]) -> None:
        """Keep what was sent again in the row that it was read from, where that is of this very record.

        `rows` are those that are `named` or `kept`, by their keys. One that is gone, or another record's, gets nothing:
        what was mended by hand and is refused again has a row of its own, since the edit may be what is wrong.
        """
        for own in [own for own in self.kept if own in rows and not self._may_replace(rows[own], own)]:
            self._set_beside(own)
        for own, key in self.named.items():
            row = rows.get(key)
            if row is None or own not in self.kept or key in self.kept:
                continue
            if row["read"] != self.kept[own]["read"]:
                self.misnamed.add(key)
            elif row["run"] != self._run or self._is_same_event(row, own):
                self.kept[key] = self.kept.pop(own) | {"key": key}

    def _may_replace(self, row: Mapping[str, Any], own: bytes) -> bool:
        """Not another event, which was sent again from this row; nor another record, by one that was mended into it."""
        return self._is_same_event(row, own) and (own not in self.named or row["read"] == self.kept[own]["read"])

    def _is_same_event(self, row: Mapping[str, Any], own: bytes) -> bool:
        return all(row[name] == self.kept[own][name] for name in ("identity", "content"))

    def _set_beside(self, own: bytes) -> None:
        """Keep it under another key, as its own is taken."""
        kept = self.kept.pop(own)
        key = self._digests.of(own + kept["read"])
        self.kept[key] = kept | {"key": key}
        if own in self.named:
            self.named[key] = self.named.pop(own)


def _kind(outcome: Invalid | Rejected | Held) -> str:
    match outcome:
        case Invalid():
            return "invalid"
        case Rejected():
            return "rejected"
        case Held():
            return outcome.kind.value
        case _:
            assert_never(outcome)


def _writable(text: str) -> str:
    """As every database takes it: PostgreSQL refuses a NUL, and none takes half a surrogate pair."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")
