"""The ledger in a database: SQLite or PostgreSQL, one code path over SQLAlchemy Core."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, assert_never

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from target_driftrock.errors import LedgerUnavailable
from target_driftrock.events.event import Event
from target_driftrock.events.identity import identity
from target_driftrock.events.outcome import AlreadyDelivered, Changed, Delivered, Held, Invalid, Rejected
from target_driftrock.ledger import tables
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
from target_driftrock.ledger.lock import lock_for
from target_driftrock.ledger.place import connect, engine, guarded, holder, parse_place
from target_driftrock.ledger.tables import CODES, STANDINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from target_driftrock.events.event import Capture, Origin, Refusal
    from target_driftrock.ledger.interface import Change
    from target_driftrock.ledger.lock import Lock
    from target_driftrock.ledger.place import Place

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
PRUNE_STEP = 5_000
EXCERPT_CHARACTERS = 2_000
_LOOK_UP = 500
_KINDS = {Invalid: "invalid", Rejected: "rejected", Held: "held"}

Row = dict[str, Any]


class DurableLedger:
    """One run's hold on a ledger, from the lock to the receipt. For one thread at a time."""

    def __init__(self, place: Place, connection: sa.Connection, lock: Lock, *, api: str, is_new: bool) -> None:
        self._place = place
        self._connection = connection
        self._lock = lock
        self._api = api
        self._insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        self.is_new = is_new
        """Whether this run made the ledger: nothing was remembered before it."""
        with guarded(place), connection.begin():
            self._digests = Digests(tables.fact(connection, "salt"))
            self._close_killed_runs()
            self._run = self._begin_run()
        self._upserts = _Upserts(self._insert)

    # What delivery asks.

    def recall(self, events: Sequence[Event]) -> list[Known | None]:
        """See `Ledger.recall`."""
        keys = [self._identity(event) for event in events]
        found = self._found(sorted({key for key in keys if key is not None}))
        return [
            None if key is None or key not in found else self._known(found[key], event)
            for key, event in zip(keys, events, strict=True)
        ]

    def proven(self, captures: Sequence[Capture]) -> list[bool]:
        """See `Ledger.proven`."""
        digests = [self._capture(capture) for capture in captures]
        table = tables.captures
        known: set[bytes] = set()
        with guarded(self._place), self._connection.begin():
            for part in _chunks(digests):
                statement = sa.select(table.c.capture).where(table.c.capture.in_(part))
                known.update(self._connection.execute(statement).scalars())
        return [digest in known for digest in digests]

    def commit(self, changes: Sequence[Change]) -> None:
        """See `Ledger.commit`."""
        entry = _Entry(self._digests, api=self._api, run=self._run, now=time.time())
        for change in changes:
            entry.take(change)
        with guarded(self._place), self._connection.begin():
            self._write(entry)

    def counts(self) -> Counts:
        """See `Ledger.counts`."""
        names = ("delivered", "invalid", "rejected", "held", "unknown")
        columns = [tables.runs.c[name] for name in names]
        with guarded(self._place), self._connection.begin():
            row = self._connection.execute(sa.select(*columns).where(tables.runs.c.id == self._run)).one()
        return Counts(**dict(zip(names, row, strict=True)))

    # The run itself.

    @property
    def run(self) -> int:
        """The number of this run."""
        return self._run

    def finish(self, *, exit_code: int, receipt: str) -> None:
        """Keep the receipt: the run has ended."""
        values = {"ended_at": time.time(), "exit_code": exit_code, "receipt": receipt}
        with guarded(self._place), self._connection.begin():
            self._connection.execute(tables.runs.update().where(tables.runs.c.id == self._run).values(values))

    def rejects_waiting(self) -> tuple[int, float | None]:
        """How many kept rows there are, and since when the oldest (Unix time)."""
        statement = sa.select(sa.func.count(), sa.func.min(tables.kept.c.first_at))
        with guarded(self._place), self._connection.begin():
            count, since = self._connection.execute(statement).one()
        return count, since

    def prune(self, *, days: int) -> int:
        """Forget a step's worth of what was delivered more than `days` ago; how many rows went."""
        before = time.time() - days * 86_400
        with guarded(self._place), self._connection.begin():
            return sum(self._prune(table, before) for table in (tables.deliveries, tables.unknown))

    def close(self) -> None:
        """Let go of the connection and the lock. May be called twice."""
        self._connection.close()
        self._lock.release()

    def _prune(self, table: sa.Table, before: float) -> int:
        old = sa.select(table.c.identity).where(table.c.at < before)
        if table is tables.deliveries:
            old = old.where(table.c.standing == CODES[Standing.DELIVERED])
        gone = self._connection.execute(table.delete().where(table.c.identity.in_(old.limit(PRUNE_STEP))))
        return gone.rowcount

    def _begin_run(self) -> int:
        begun = tables.runs.insert().values(holder=holder(), started_at=time.time()).returning(tables.runs.c.id)
        return int(self._connection.execute(begun).scalar_one())

    def _close_killed_runs(self) -> None:
        """A run without an end was killed: its counters are what is known of it."""
        killed = tables.runs.update().where(tables.runs.c.ended_at.is_(None)).values(ended_at=time.time())
        self._connection.execute(killed)

    # Look-ups.

    def _found(self, keys: Sequence[bytes]) -> dict[bytes, tuple[int, bytes]]:
        table = tables.deliveries
        found: dict[bytes, tuple[int, bytes]] = {}
        with guarded(self._place), self._connection.begin():
            for part in _chunks(keys):
                statement = sa.select(table.c.identity, table.c.standing, table.c.payload).where(
                    table.c.identity.in_(part)
                )
                found.update(
                    {bytes(key): (code, bytes(load)) for key, code, load in self._connection.execute(statement)}
                )
        return found

    def _known(self, row: tuple[int, bytes], event: Event) -> Known:
        code, payload = row
        return Known(standing=STANDINGS[code], same_payload=payload == self._digests.payload(event.body))

    def _identity(self, event: Event) -> bytes | None:
        canonical = identity(event, api=self._api)
        return None if canonical is None else self._digests.of(canonical)

    def _capture(self, capture: Capture) -> bytes:
        return self._digests.capture(self._api, capture)

    # Changes.

    def _write(self, entry: _Entry) -> None:
        run = self._connection.execute
        if entry.standings:
            run(self._upserts.standing, list(entry.standings.values()))
        if entry.proven:
            run(self._upserts.capture, [{"capture": each, "at": entry.now} for each in entry.proven])
        if entry.lost:
            run(self._upserts.unknown, entry.lost)
        if entry.schemas:
            run(self._upserts.schema, [{"digest": digest, "line": line} for digest, line in entry.schemas.items()])
        if entry.gone:
            self._forget(entry.gone)
        if entry.kept:
            run(self._upserts.kept, list(entry.kept.values()))
        if entry.counted:
            run(_add(entry.counted).where(tables.runs.c.id == self._run))

    def _forget(self, keys: Iterable[bytes]) -> None:
        for part in _chunks(sorted(keys)):
            self._connection.execute(tables.kept.delete().where(tables.kept.c.key.in_(part)))


class Digests:
    """Salted digests: what the ledger holds instead of who it is."""

    def __init__(self, salt: str) -> None:
        self._salt = bytes.fromhex(salt)

    def of(self, data: bytes) -> bytes:
        """16 bytes that mean nothing without the salt."""
        return hashlib.blake2b(data, digest_size=16, key=self._salt).digest()

    def payload(self, body: bytes) -> bytes:
        """The digest of what is sent."""
        return self.of(body)

    def text(self, kind: str, value: str) -> bytes:
        """The digest of an id of some kind."""
        return self.of(f"{kind}\0{value}".encode())

    def capture(self, api: str, capture: Capture) -> bytes:
        """The digest of a capture at an API."""
        parts = (api, capture.endpoint.value, capture.source_id, capture.affiliate_id or "")
        return self.text("capture", "\0".join(parts))

    def source(self, origin: Origin) -> bytes:
        """Of a record: its stream and key properties, else the whole of it."""
        return self.of(origin.record) if origin.key is None else self.text("source", origin.key)


class _Entry:
    """The changes of one transaction, the latest for each row."""

    def __init__(self, digests: Digests, *, api: str, run: int, now: float) -> None:
        self._digests = digests
        self._api = api
        self._run = run
        self.now = now
        self.standings: dict[bytes, Row] = {}
        self.proven: list[bytes] = []
        self.lost: list[Row] = []
        self.kept: dict[bytes, Row] = {}
        self.gone: set[bytes] = set()
        self.schemas: dict[bytes, bytes] = {}
        self.counted: Counter[str] = Counter()

    def take(self, change: Change) -> None:
        """Add one change."""
        match change:
            case Intent(event):
                self._stand(event, Standing.INTENDED)
            case Withdrawn(event) | Answered(event):
                self._stand(event, Standing.ANSWERED)
            case Lost(event):
                self._lose(event)
            case Proven(capture):
                self.proven.append(self._digests.capture(self._api, capture))
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
                self._settle(change, Standing.DELIVERED)
                self._release(part)
            case AlreadyDelivered() | Changed():
                self._release(part)
            case Invalid():
                self.counted["invalid"] += 1
                self._keep(part, outcome)
            case Rejected() if change.is_superseded:
                self.counted["rejected"] += 1
            case Rejected():
                self.counted["rejected"] += 1
                self._settle(change, Standing.REFUSED)
                self._keep(part, outcome)
            case Held():
                self.counted["held"] += 1
                self._settle(change, Standing.HELD_UNKNOWN if outcome.is_unknown else Standing.REFUSED)
                self._keep(part, outcome)
            case _:
                assert_never(outcome)

    def _settle(self, change: Concluded, standing: Standing) -> None:
        if isinstance(change.part, Event):
            self._stand(change.part, standing, tries=change.tries)

    def _stand(self, event: Event, standing: Standing, *, tries: int = 0) -> None:
        key = self._identity(event)
        if key is None or event.event_id is None:
            return
        self.standings[key] = {
            "identity": key,
            "payload": self._digests.payload(event.body),
            "event": self._digests.text("event", event.event_id),
            "standing": int(CODES[standing]),
            "tries": tries,
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
                "event_id": event.event_id,
                "capture": event.capture.label,
                "lost": 1,
                "run": self._run,
                "at": self.now,
            }
        )

    def _release(self, part: Event | Refusal) -> None:
        """What was kept of this event, or of this record when nothing was known of its event, goes."""
        for key in self._keys(part):
            if key.hex() != part.origin.row:  # that one goes when all of its record is delivered: see `Forgotten`
                self._let_go(key)

    def _let_go(self, key: bytes) -> None:
        self.kept.pop(key, None)
        self.gone.add(key)

    def _keep(self, part: Event | Refusal, outcome: Invalid | Rejected | Held) -> None:
        origin = part.origin
        key = bytes.fromhex(origin.row) if origin.row is not None else self._keys(part)[0]
        schema = self._digests.of(origin.schema)
        self.schemas[schema] = origin.schema
        event = part if isinstance(part, Event) else None
        self.kept[key] = {
            "key": key,
            "person": event and event.person_id and self._digests.text("person", event.person_id),
            "event": event and event.event_id and self._digests.text("event", event.event_id),
            "kind": _KINDS[type(outcome)],
            "stream": origin.stream,
            "mapping": part.mapping,
            "reason": outcome.reason,
            "status": getattr(outcome, "status", None),
            "excerpt": getattr(outcome, "excerpt", b""),
            "record": origin.record,
            "schema": schema,
            "run": self._run,
            "first_at": self.now,
            "at": self.now,
        }

    def _keys(self, part: Event | Refusal) -> list[bytes]:
        """The keys of the rows that may be kept of a part, the one that it would be kept under first."""
        source = self._digests.source(part.origin)
        own = self._identity(part) if isinstance(part, Event) else None
        return [source] if own is None else [own, source]

    def _identity(self, event: Event) -> bytes | None:
        canonical = identity(event, api=self._api)
        return None if canonical is None else self._digests.of(canonical)


class _Upserts:
    """The statements of the hot path, built once: SQLAlchemy keeps what it compiles by them."""

    def __init__(self, insert: Callable[[sa.Table], Any]) -> None:
        self.standing = _replacing(insert(tables.deliveries), tables.deliveries, keep=())
        self.capture = insert(tables.captures).on_conflict_do_nothing()
        self.schema = insert(tables.schemas).on_conflict_do_nothing()
        self.kept = _replacing(insert(tables.kept), tables.kept, keep=("first_at",))
        unknown = insert(tables.unknown)
        self.unknown = unknown.on_conflict_do_update(
            index_elements=[tables.unknown.c.identity],
            set_={"lost": tables.unknown.c.lost + 1, "run": unknown.excluded.run, "at": unknown.excluded.at},
        )


def _replacing(statement: Any, table: sa.Table, *, keep: Sequence[str]) -> Any:
    """On conflict, all columns but the key and those to keep take the new values."""
    names = [column.name for column in table.columns if not column.primary_key and column.name not in keep]
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_={name: statement.excluded[name] for name in names}
    )


def _add(counted: Mapping[str, int]) -> sa.Update:
    return tables.runs.update().values({name: tables.runs.c[name] + count for name, count in counted.items()})


def _chunks(keys: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    return (keys[start : start + _LOOK_UP] for start in range(0, len(keys), _LOOK_UP))


def open_ledger(location: str, *, api: str, wait: float, is_stopped: Callable[[], bool]) -> DurableLedger | None:
    """The ledger at a location, locked for this run; None if `is_stopped()` while waiting for it.

    Another run's lock, and a database that cannot be reached, are waited out for up to `wait` seconds.

    Raises:
        SettingsInvalid: The location is wrong, or a newer version made the ledger.
        LedgerUnavailable: It could not be had in time.
    """
    place = parse_place(location)
    deadline = time.monotonic() + wait
    waited_for: str | None = None
    while not is_stopped():
        try:
            opened = _try_open(place, api=api)
        except LedgerUnavailable as error:
            obstacle: str | LedgerUnavailable = error
        else:
            if isinstance(opened, DurableLedger):
                return opened
            obstacle = opened
        if time.monotonic() >= deadline:
            raise obstacle if isinstance(obstacle, LedgerUnavailable) else _locked(place, obstacle)
        if waited_for != str(obstacle):
            waited_for = str(obstacle)
            log.warning("Waiting up to %d seconds for the ledger, held by %s.", wait, obstacle)
        time.sleep(POLL_SECONDS)
    return None


def _try_open(place: Place, *, api: str) -> DurableLedger | str:
    """The ledger, or who holds it."""
    connection = connect(place, engine(place))
    lock = lock_for(place, connection)
    try:
        if lock.try_take():
            with guarded(place), connection.begin():
                is_new = tables.prepare(connection)
            return DurableLedger(place, connection, lock, api=api, is_new=is_new)
        held_by = lock.held_by()
    except BaseException:
        _let_go(connection, lock)
        raise
    _let_go(connection, lock)
    return held_by


def _let_go(connection: sa.Connection, lock: Lock) -> None:
    connection.close()
    lock.release()


def _locked(place: Place, held_by: str) -> LedgerUnavailable:
    return LedgerUnavailable(
        f"The ledger in {place.name} is held by {held_by}: wait for that run, or give this pipeline its own ledger."
    )
