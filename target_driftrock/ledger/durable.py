"""The ledger in a database: SQLite or PostgreSQL, one code path over SQLAlchemy Core."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from target_driftrock.errors import LedgerUnavailable
from target_driftrock.ledger import apis, tables
from target_driftrock.ledger.database import guarded, opening, this_process, unavailable
from target_driftrock.ledger.digests import Digests
from target_driftrock.ledger.exclusive import exclusive, waited_out
from target_driftrock.ledger.inspection import judge_existence
from target_driftrock.ledger.interface import Counts, Known, Standing
from target_driftrock.ledger.likeness import likeness
from target_driftrock.ledger.location import parse_location
from target_driftrock.ledger.rows import rows_of
from target_driftrock.ledger.statements import Statements
from target_driftrock.ledger.tables import CODES, COUNTERS, STANDINGS
from target_driftrock.ledger.ways import Ways
from target_driftrock.ledger.write_batch import Keys, WriteBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from target_driftrock.events.event import Capture, Event
    from target_driftrock.events.identity import KnownWay, Way
    from target_driftrock.ledger.database import Database
    from target_driftrock.ledger.exclusive import Hold
    from target_driftrock.ledger.interface import Change, Row
    from target_driftrock.ledger.likeness import Release

log = logging.getLogger(__name__)

T = TypeVar("T")
Begun = TypeVar("Begun", bound="DurableLedger")

PRUNE_STEP = 10_000
"""Rows that are looked at in one transaction of the pruning."""
_LOOK_UP = 500


class DurableLedger:
    """A ledger as one run has it, from the lock to the receipt. For one thread at a time.

    After the first failure every call raises that failure: the lock is gone with the connection, and to
    connect again would write beside another run.

    It begins a run, or is a part of the one that is given.
    """

    def __init__(self, hold: Hold, *, api: str, run: int | None = None) -> None:
        self._hold = hold
        self._database = database = hold.database
        self._connection = connection = hold.connection
        self._api = api
        self._failure: LedgerUnavailable | None = None
        self._pruned_to: dict[str, bytes] = {}
        self._misnamed: set[bytes] = set()
        self._statements = Statements(connection.dialect)
        self.is_new = hold.is_new
        """Whether this run made the ledger: nothing was remembered before it."""
        with guarded(database):
            self._inode = database.inode()
        with opening(database), connection.begin():
            database.prefer_indexes(connection)
            self._digests = Digests(tables.fact(connection, "salt"))
            self._keys = Keys(self._digests, api=api)
            self._ways = self._known_ways()
            self.run = self._begin_run() if run is None else run
            """Its number."""
            self._may_keep_rows = self._keeps_rows()

    @property
    def connection(self) -> sa.Connection:
        """The one that has the lock."""
        return self._connection

    # What delivery asks.

    def recall(self, events: Sequence[Event]) -> list[Sequence[Known]]:
        rows = [self._keys.row(event) for event in events]
        formers = [self._keys.formers(event) for event in events]
        found = self._found(sorted({row[0] for row in (*rows, *chain(*formers)) if row is not None}))
        if not found:
            return [()] * len(events)
        return [
            [
                *(() if row is None else self._known(found.get(row[0], ()), event, row)),
                *chain(*(self._known(found.get(each[0], ()), event, each, is_former=True) for each in former)),
            ]
            for event, row, former in zip(events, rows, formers, strict=True)
        ]

    def proven(self, captures: Sequence[Capture]) -> list[bool]:
        digests = [self._digests.capture(self._api, capture) for capture in captures]
        table = tables.captures
        known: set[bytes] = set()
        with self._reading():
            for part in _chunks(digests):
                statement = sa.select(table.c.capture).where(table.c.capture.in_(part))
                known.update(self._connection.execute(statement).scalars())
        return [digest in known for digest in digests]

    def trials(self, captures: Sequence[Capture]) -> list[int | None]:
        """See `Ledger.trials`. Nobody else tries one."""
        return [0] * len(captures)

    def leave_trials(self, captures: Sequence[Capture]) -> None:
        """See `Ledger.leave_trials`. Nobody else tries one."""

    def commit(self, changes: Sequence[Change]) -> None:
        batch = self._batch(changes)
        with self._transaction():
            self._write(batch)

    def _batch(self, changes: Iterable[Change]) -> WriteBatch:
        batch = WriteBatch(
            self._digests,
            self._keys,
            self._ways,
            api=self._api,
            run=self.run,
            now=time.time(),
            may_keep_rows=self._may_keep_rows,
        )
        for change in changes:
            batch.take(change)
        return batch

    def abandon(self, events: Iterable[Event]) -> None:
        """Nothing will be committed of these, which were recalled."""
        for event in events:
            self._keys.forget(event)

    def secure(self) -> None:
        """See `Ledger.secure`. A commit reaches the disk with all before it: one that waits for that is enough."""
        written = tables.runs.update().where(self._own_run).values(secured_at=time.time())
        with self._transaction(self._database.to_disk(self._connection)):
            self._connection.execute(written)

    def counts(self) -> Counts:
        columns = [tables.runs.c[name] for name in COUNTERS]
        with self._transaction():
            row = self._connection.execute(sa.select(*columns).where(self._own_run)).one()
        return Counts(**dict(zip(COUNTERS, row, strict=True)))

    # The run itself.

    @property
    def cut_off(self) -> Counts:
        """See `RunLedger.cut_off`."""
        return Counts()

    @property
    def ways(self) -> Mapping[Way, KnownWay]:
        """How identities were made before this run."""
        return self._ways.before_run

    @property
    def misnamed(self) -> int:
        """See `RunLedger.misnamed`."""
        with self._reading():
            return sum(1 for _ in self._kept([*self._misnamed]))

    def forget_ways(self, ways: Mapping[Way, Way | None]) -> None:
        """What was delivered in these ways may be sent again: nothing asks for it. Each with what took its place."""
        table = tables.ways
        with self._transaction():
            for way, successor in ways.items():
                for number in self._ways.ids([way]):
                    by = next(iter(self._ways.ids([] if successor is None else [successor])), None)
                    self._connection.execute(
                        table.update().where(table.c.id == number).values(delivered=0, successor=by)
                    )

    def finish(self, *, exit_code: int, receipt: str) -> None:
        """Keep the receipt: the run has ended."""
        values = {"ended_at": time.time(), "exit_code": exit_code, "receipt": receipt}
        with self._transaction():
            self._connection.execute(tables.runs.update().where(self._own_run).values(**values, **self._summed_up()))

    def _summed_up(self) -> Mapping[str, int]:
        """Within the transaction that ends the run: what its own transactions did not count there."""
        return {}

    @property
    def _own_run(self) -> sa.ColumnElement[bool]:
        return tables.runs.c.id == self.run

    def rejects_waiting(self) -> tuple[int, float | None]:
        """How many kept rows there are, and since when the oldest (Unix time)."""
        statement = sa.select(sa.func.count(), sa.func.min(tables.kept.c.first_at))
        with self._transaction():
            count, since = self._connection.execute(statement).one()
        return count, since

    def prune(self, *, days: int, step: int = PRUNE_STEP) -> bool:
        """Forget what was delivered more than `days` ago, and ids of unknown events as old, among the next `step` rows.

        False when all rows have been looked at. All contents of an event go together, once the latest of them is so
        old; those of one that was refused, held, or left open stay.
        """
        before = time.time() - days * 86_400
        table = tables.deliveries
        with self._transaction():
            looked_at, is_more = self._next_step(table, step)
            stays = sa.select(table.c.identity).where(
                *looked_at, sa.or_(table.c.at >= before, table.c.standing.not_in([_DELIVERED, CODES[Standing.CHANGED]]))
            )
            goes = [*looked_at, table.c.identity.not_in(stays)]
            self._uncount(goes)
            self._connection.execute(table.delete().where(*goes))
            looked_at, is_more_unknown = self._next_step(tables.unknown, step)
            self._connection.execute(tables.unknown.delete().where(*looked_at, tables.unknown.c.at < before))
            return is_more or is_more_unknown

    def close(self) -> None:
        """Let go of the connection and the lock. May be called twice."""
        self._hold.release()

    @contextlib.contextmanager
    def _transaction(self, begun: AbstractContextManager[object] | None = None) -> Iterator[None]:
        if self._failure is not None:
            raise self._failure
        try:
            with guarded(self._database), begun or self._connection.begin():
                if self._database.inode() != self._inode:
                    raise unavailable(self._database, "its file is another one now")
                yield
        except LedgerUnavailable as failure:
            self._failure = failure
            raise

    def _reading(self) -> AbstractContextManager[None]:
        """A transaction that writes nothing."""
        return self._transaction()

    def _next_step(self, table: sa.Table, step: int) -> tuple[list[sa.ColumnElement[bool]], bool]:
        """The next rows of a table, by identity; whether there are more behind them."""
        key, begin = table.c.identity, self._pruned_to.get(table.name, b"")
        following = sa.select(key).where(key > begin).order_by(key).offset(step - 1).limit(1)
        end = self._connection.execute(following).scalar()
        self._pruned_to[table.name] = _LAST if end is None else bytes(end)
        return [key > begin] if end is None else [key > begin, key <= end], end is not None

    def _uncount(self, goes: Sequence[sa.ColumnElement[bool]]) -> None:
        """What is forgotten was not delivered in any way any more, unless its way was forgotten before."""
        table, known = tables.deliveries, tables.ways.c.delivered
        counted = sa.select(table.c.way, sa.func.count()).where(*goes, table.c.standing == _DELIVERED)
        for way, count in self._connection.execute(counted.group_by(table.c.way)).all():
            left = sa.case((known > count, known - count), else_=0)
            self._connection.execute(tables.ways.update().where(tables.ways.c.id == way).values(delivered=left))

    def _known_ways(self) -> Ways:
        table = tables.ways
        highest = self._connection.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0
        rows = rows_of(self._connection, sa.select(table).where(table.c.api == self._api))
        return Ways(self._api, rows, next_id=highest + 1)

    def _begin_run(self) -> int:
        begun = tables.runs.insert().values(holder=this_process(), started_at=time.time()).returning(tables.runs.c.id)
        return int(self._connection.execute(begun).scalar_one())

    # Look-ups.

    def _found(self, identities: Sequence[bytes]) -> dict[bytes, list[Found]]:
        with self._reading():
            return self._look_up(identities)

    def _look_up(self, identities: Sequence[bytes]) -> dict[bytes, list[Found]]:
        """Within a transaction."""
        found: dict[bytes, list[Found]] = {}
        for part in _chunks(identities):
            for identity, *row in self._connection.exec_driver_sql(*self._statements.look_up(part)):
                found.setdefault(identity, []).append(row)
        return found

    def _known(self, found: Sequence[Found], event: Event, row: Row, *, is_former: bool = False) -> Iterator[Known]:
        """Each content that is there, compared with the event's own; nobody is compared where that is the same."""
        identity, content = row
        for other, code, person, email, phone, record, *_ in found:
            if other == content:
                yield Known(standing=STANDINGS[code], row=row, is_same_content=True, is_former=is_former)
                continue
            yield Known(
                standing=STANDINGS[code],
                row=(identity, other),
                is_same_content=False,
                is_same_record=record == self._digests.record(identity, event.origin.digest),
                who=likeness(self._digests.who(identity, event.who), (person, email, phone)),
                is_former=is_former,
            )

    # Changes.

    def _write(self, batch: WriteBatch) -> None:
        self._forget(batch)
        self._release(batch.releases)
        self._place(batch)
        rows: tuple[tuple[str, list[dict[str, Any]]], ...] = (
            (self._statements.standing, list(batch.standings.values())),
            (self._statements.other, [self._other(batch, row, standing) for row, standing in batch.others.items()]),
            (self._statements.way, self._ways.take_new()),
            (self._statements.followed, self._ways.take_followed()),
            (self._statements.capture, [{"capture": each, "at": batch.now} for each in batch.proven]),
            (self._statements.unknown, batch.lost),
            (self._statements.schema, [{"digest": digest, "line": line} for digest, line in batch.schemas.items()]),
            (self._statements.kept, list(batch.kept.values())),
            (self._statements.counted, [self._counted(batch)] if batch.counted else []),
            # Last: all tasks of a job add to the same row, and wait for each other from here to the commit.
            (self._statements.delivered, [{"way": way, "more": more} for way, more in batch.delivered.items()]),
        )
        for statement, parameters in rows:
            if parameters:
                self._connection.exec_driver_sql(statement, self._in_order(parameters))
        self._may_keep_rows |= bool(batch.kept)
        self._misnamed |= batch.misnamed

    def _keeps_rows(self) -> bool:
        return self._connection.execute(sa.select(tables.kept.c.key).limit(1)).first() is not None

    def _in_order(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return rows

    def _other(self, batch: WriteBatch, row: Row, standing: Standing) -> dict[str, Any]:
        return {
            "of": row[0],
            "with_content": row[1],
            "now": int(CODES[standing]),
            "by_run": self.run,
            "moment": batch.now,
        }

    def _counted(self, batch: WriteBatch) -> dict[str, int]:
        return {"run": self.run} | {f"{name}_more": batch.counted[name] for name in COUNTERS}

    def _forget(self, batch: WriteBatch) -> None:
        """Kept rows that were sent again go."""
        gone = [row["key"] for row in self._kept(list(batch.forgotten)) if batch.forgets(row)]
        for part in _chunks(gone):
            self._connection.execute(tables.kept.delete().where(tables.kept.c.key.in_(part)))

    def _place(self, batch: WriteBatch) -> None:
        if batch.kept:
            batch.place({row["key"]: row for row in self._kept([*{*batch.named.values(), *batch.kept}])})

    def _kept(self, keys: Sequence[bytes]) -> Iterator[dict[str, Any]]:
        table = tables.kept
        for part in _chunks(keys):
            found = sa.select(*(table.c[name] for name in _JUDGED_BY)).where(table.c.key.in_(part))
            yield from rows_of(self._connection, found)

    def _release(self, releases: Sequence[Release]) -> None:
        """Kept rows go that are settled by what was settled now."""
        table = tables.kept
        for part in _chunks(releases):
            keys = [release.record for release in part if release.record is not None]
            identities = [identity for release in part for identity, _ in release.contents]
            sources = [release.source for release in part if release.source is not None]
            found = sa.select(*(table.c[name] for name in _JUDGED_BY)).where(
                sa.or_(table.c.key.in_(keys), table.c.identity.in_(identities), table.c.source.in_(sources))
            )
            rows = rows_of(self._connection, found)
            gone = [row["key"] for row in rows if any(release.takes(row, run=self.run) for release in part)]
            if gone:
                self._connection.execute(table.delete().where(table.c.key.in_(gone)))


Found = Sequence[Any]
"""What the look-up finds of a content: its digest, standing, the persons, the record."""
_JUDGED_BY = (
    *("key", "read", "identity", "content", "source"),
    *("who_person", "who_email", "who_phone", "kind", "run", "position"),
)
_DELIVERED = CODES[Standing.DELIVERED]
_LAST = b"\xff" * 17
"""After every key."""


def _chunks(keys: Sequence[T]) -> Iterable[Sequence[T]]:
    return (keys[start : start + _LOOK_UP] for start in range(0, len(keys), _LOOK_UP))


def open_ledger(
    location: str, *, api: str, wait: float, is_stopped: Callable[[], bool], may_make: bool = True
) -> DurableLedger | None:
    """The ledger at a location, locked for this run; None if `is_stopped()` while waiting for it.

    Another run's lock, and a database that cannot be reached, are waited out for up to `wait` seconds.

    Raises:
        SettingsInvalid: The location is wrong, another version made the ledger, or there is none and this run must not
            make it, or it knows of deliveries to other APIs alone.
        LedgerUnavailable: It could not be had in time.
    """
    database = parse_location(location)
    for warning in database.warnings():
        log.warning("%s", warning)

    def attempt() -> DurableLedger | None:
        return None if is_stopped() else begin(DurableLedger, database, api=api, may_make=may_make)

    return waited_out(LedgerUnavailable, attempt, wait=wait)


def begin(kind: type[Begun], database: Database, *, api: str, may_make: bool) -> Begun:
    """A ledger of that kind, with which a run begins. Does not wait. See `open_ledger` for what is raised."""
    if not may_make:
        judge_existence(database)
    hold = exclusive(database, advice="wait for that run, or give this pipeline its own ledger.")
    try:
        _judge_api(hold, api=api, may_be_new=may_make)
        return kind(hold, api=api)
    except BaseException:
        hold.release()
        raise


def _judge_api(hold: Hold, *, api: str, may_be_new: bool) -> None:
    """Before a run begins: whether what it will send may be known at another API alone."""
    with opening(hold.database), hold.connection.begin():
        known = apis.delivered(hold.connection)
    for doubt in apis.doubts(known, api=api, may_be_new=may_be_new):
        log.warning("%s", doubt)
