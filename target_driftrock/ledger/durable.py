"""The ledger in a database: SQLite or PostgreSQL, one code path over SQLAlchemy Core."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from target_driftrock.errors import LedgerUnavailable
from target_driftrock.events.identity import identity
from target_driftrock.ledger import tables
from target_driftrock.ledger.digests import Digests
from target_driftrock.ledger.entry import Entry
from target_driftrock.ledger.interface import Counts, Known, Standing
from target_driftrock.ledger.lock import lock_for
from target_driftrock.ledger.mounts import NETWORK_ADVICE, network_file_system
from target_driftrock.ledger.place import (
    Directory,
    connect,
    engine,
    guarded,
    holder,
    inode,
    opening,
    parse_place,
    unavailable,
)
from target_driftrock.ledger.statements import COUNTERS, Statements
from target_driftrock.ledger.tables import CODES, STANDINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from target_driftrock.events.event import Capture, Event
    from target_driftrock.ledger.interface import Change
    from target_driftrock.ledger.lock import Lock
    from target_driftrock.ledger.place import Place

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
PRUNE_STEP = 10_000
"""Rows that are looked at in one transaction of the pruning."""
_LOOK_UP = 500


class DurableLedger:
    """One run's hold on a ledger, from the lock to the receipt. For one thread at a time.

    After the first failure every call raises that failure: the lock is gone with the connection, and to
    connect again would write beside another run.
    """

    def __init__(self, place: Place, connection: sa.Connection, lock: Lock, *, api: str, is_new: bool) -> None:
        self._place = place
        self._connection = connection
        self._lock = lock
        self._api = api
        self._failure: LedgerUnavailable | None = None
        self._pruned_to: dict[str, bytes] = {}
        self._statements = Statements(connection.dialect)
        self.is_new = is_new
        """Whether this run made the ledger: nothing was remembered before it."""
        with guarded(place):
            self._inode = inode(place)
        with self._transaction():
            self._digests = Digests(tables.fact(connection, "salt"))
            self._close_killed_runs()
            self._run = self._begin_run()
            self._may_keep_rows = connection.execute(sa.select(tables.kept.c.key).limit(1)).first() is not None

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
        digests = [self._digests.capture(self._api, capture) for capture in captures]
        table = tables.captures
        known: set[bytes] = set()
        with self._transaction():
            for part in _chunks(digests):
                statement = sa.select(table.c.capture).where(table.c.capture.in_(part))
                known.update(self._connection.execute(statement).scalars())
        return [digest in known for digest in digests]

    def commit(self, changes: Sequence[Change]) -> None:
        """See `Ledger.commit`."""
        entry = Entry(self._digests, api=self._api, run=self._run, now=time.time(), may_keep_rows=self._may_keep_rows)
        for change in changes:
            entry.take(change)
        with self._transaction():
            self._write(entry)

    def counts(self) -> Counts:
        """See `Ledger.counts`."""
        columns = [tables.runs.c[name] for name in COUNTERS]
        with self._transaction():
            row = self._connection.execute(sa.select(*columns).where(tables.runs.c.id == self._run)).one()
        return Counts(**dict(zip(COUNTERS, row, strict=True)))

    # The run itself.

    @property
    def run(self) -> int:
        """The number of this run."""
        return self._run

    def finish(self, *, exit_code: int, receipt: str) -> None:
        """Keep the receipt: the run has ended."""
        values = {"ended_at": time.time(), "exit_code": exit_code, "receipt": receipt}
        with self._transaction():
            self._connection.execute(tables.runs.update().where(tables.runs.c.id == self._run).values(values))

    def rejects_waiting(self) -> tuple[int, float | None]:
        """How many kept rows there are, and since when the oldest (Unix time)."""
        statement = sa.select(sa.func.count(), sa.func.min(tables.kept.c.first_at))
        with self._transaction():
            count, since = self._connection.execute(statement).one()
        return count, since

    def prune(self, *, days: int, step: int = PRUNE_STEP) -> bool:
        """Forget what was delivered more than `days` ago, and ids of unknown events as old, among the next `step` rows.

        False when all rows have been looked at. What was refused, held, or left open is not forgotten.
        """
        before = time.time() - days * 86_400
        delivered = tables.deliveries.c.standing == CODES[Standing.DELIVERED]
        with self._transaction():
            is_more = self._prune(tables.deliveries, step, tables.deliveries.c.at < before, delivered)
            return self._prune(tables.unknown, step, tables.unknown.c.at < before) or is_more

    def close(self) -> None:
        """Let go of the connection and the lock. May be called twice."""
        _let_go(self._connection, self._lock)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._failure is not None:
            raise self._failure
        try:
            with guarded(self._place), self._connection.begin():
                if inode(self._place) != self._inode:
                    raise unavailable(self._place, "its file is another one now")
                yield
        except LedgerUnavailable as failure:
            self._failure = failure
            raise

    def _prune(self, table: sa.Table, step: int, *is_old: sa.ColumnElement[bool]) -> bool:
        key, begin = table.c.identity, self._pruned_to.get(table.name, b"")
        following = sa.select(key).where(key > begin).order_by(key).offset(step - 1).limit(1)
        end = self._connection.execute(following).scalar()
        looked_at = [key > begin] if end is None else [key > begin, key <= end]
        self._connection.execute(table.delete().where(*looked_at, *is_old))
        self._pruned_to[table.name] = _LAST if end is None else bytes(end)
        return end is not None

    def _begin_run(self) -> int:
        begun = tables.runs.insert().values(holder=holder(), started_at=time.time()).returning(tables.runs.c.id)
        return int(self._connection.execute(begun).scalar_one())

    def _close_killed_runs(self) -> None:
        """A run without an end was killed, or lost its ledger: its receipt is what its transactions say."""
        table = tables.runs
        killed = self._connection.execute(sa.select(table).where(table.c.ended_at.is_(None))).mappings().all()
        in_doubt = self._intents_by_run() if killed else {}
        for run in killed:
            receipt = _receipt_of_killed(run, intents=in_doubt.get(run["id"], 0))
            ended = table.update().where(table.c.id == run["id"]).values(ended_at=time.time(), receipt=receipt)
            self._connection.execute(ended)

    def _intents_by_run(self) -> dict[int, int]:
        table = tables.deliveries
        intended = sa.select(table.c.run, sa.func.count()).where(table.c.standing == CODES[Standing.INTENDED])
        return {row[0]: row[1] for row in self._connection.execute(intended.group_by(table.c.run))}

    # Look-ups.

    def _found(self, keys: Sequence[bytes]) -> dict[bytes, tuple[int, bytes]]:
        found: dict[bytes, tuple[int, bytes]] = {}
        with self._transaction():
            for part in _chunks(keys):
                rows = self._connection.exec_driver_sql(*self._statements.look_up(part))
                found.update({key: (code, payload) for key, code, payload in rows})
        return found

    def _known(self, row: tuple[int, bytes], event: Event) -> Known:
        code, payload = row
        return Known(standing=STANDINGS[code], same_payload=payload == self._digests.payload(event.body))

    def _identity(self, event: Event) -> bytes | None:
        canonical = identity(event, api=self._api)
        return None if canonical is None else self._digests.of(canonical)

    # Changes.

    def _write(self, entry: Entry) -> None:
        rows: tuple[tuple[str, list[dict[str, Any]]], ...] = (
            (self._statements.standing, list(entry.standings.values())),
            (self._statements.capture, [{"capture": each, "at": entry.now} for each in entry.proven]),
            (self._statements.unknown, entry.lost),
            (self._statements.schema, [{"digest": digest, "line": line} for digest, line in entry.schemas.items()]),
            (self._statements.kept, list(entry.kept.values())),
            (self._statements.counted, [self._counted(entry)] if entry.counted else []),
        )
        self._release(entry.released)
        for statement, parameters in rows:
            if parameters:
                self._connection.exec_driver_sql(statement, parameters)
        self._may_keep_rows |= bool(entry.kept)

    def _counted(self, entry: Entry) -> dict[str, int]:
        return {"run": self._run} | {f"{name}_more": entry.counted[name] for name in COUNTERS}

    def _release(self, released: Mapping[bytes, int | None]) -> None:
        """Kept rows go, but for one kept in this run of the very record whose other part is settled."""
        table = tables.kept
        for part in _chunks(list(released)):
            found = sa.select(table.c.key, table.c.run, table.c.position).where(table.c.key.in_(part))
            gone = [
                key
                for key, run, position in self._connection.execute(found)
                if (run, position) != (self._run, released[key])
            ]
            if gone:
                self._connection.execute(table.delete().where(table.c.key.in_(gone)))


_LAST = b"\xff" * 17
"""After every key."""


def _receipt_of_killed(run: sa.RowMapping, *, intents: int) -> str:
    """What is known of a run that could not say it. `intents`: requests that may have begun, and nobody knows."""
    counted = {name: run[name] for name in COUNTERS if name != "unknown"}
    receipt = {"kind": "killed", "events": counted, "answers_lost": run["unknown"], "intents_open": intents}
    return msgspec.json.encode(receipt).decode()


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
    _warn_of_network(place)
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
            _tell_wait(obstacle, wait)
        time.sleep(POLL_SECONDS)
    return None


def _try_open(place: Place, *, api: str) -> DurableLedger | str:
    """The ledger, or who holds it."""
    connection = connect(place, engine(place))
    lock = lock_for(place, connection)
    try:
        if lock.try_take():
            with opening(place), connection.begin():
                is_new = tables.prepare(connection)
            return DurableLedger(place, connection, lock, api=api, is_new=is_new)
        held_by = lock.held_by()
    except BaseException:
        _let_go(connection, lock)
        raise
    _let_go(connection, lock)
    return held_by


def _let_go(connection: sa.Connection, lock: Lock) -> None:
    with contextlib.suppress(SQLAlchemyError):  # it was lost before
        connection.close()
    lock.release()


def _tell_wait(obstacle: str | LedgerUnavailable, wait: float) -> None:
    if isinstance(obstacle, LedgerUnavailable):
        log.warning("Waiting up to %d seconds for the ledger. %s", wait, obstacle)
    else:
        log.warning("Waiting up to %d seconds for the ledger, held by %s.", wait, obstacle)


def _warn_of_network(place: Place) -> None:
    if isinstance(place, Directory) and (kind := network_file_system(place.path)) is not None:
        log.warning("The ledger in %s lies on a network file system (%s): %s", place.name, kind, NETWORK_ADVICE)


def _locked(place: Place, held_by: str) -> LedgerUnavailable:
    return LedgerUnavailable(
        f"The ledger in {place.name} is held by {held_by}: wait for that run, or give this pipeline its own ledger."
    )
