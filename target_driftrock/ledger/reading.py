"""What a ledger holds, read beside a run: without its lock, without a write, in transactions of a page each."""

from __future__ import annotations

import fcntl
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from target_driftrock.errors import SettingsInvalid
from target_driftrock.ledger import tables
from target_driftrock.ledger.digests import Digests
from target_driftrock.ledger.lock import lock_for
from target_driftrock.ledger.place import Directory, engine, guarded, opening, parse_place
from target_driftrock.ledger.tables import STANDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_driftrock.ledger.interface import Standing
    from target_driftrock.ledger.place import Place

KEYS_PAGE = 2_000
ROWS_PAGE = 50
"""Keys are small; a row may hold a record of any size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which kept rows are meant: those to which everything that is said fits. `since` is Unix time."""

    stream: str | None = None
    reason: str | None = None
    """A part of the reason is enough, in capitals or not."""
    since: float | None = None
    """Refused or held at that time or later, for the last time."""
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRow:
    """One record that waits. `record` and `schema` are the lines as they were read."""

    key: str
    stream: str
    record: bytes = field(repr=False)
    schema: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptGroup:
    """Kept rows that wait for the same thing. Times are Unix times. Nothing personal is in it."""

    stream: str
    mapping: str
    kind: str
    reason: str
    status: int | None
    count: int
    first_at: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedEvent:
    """What became of one event, by the latest run that dealt with it. `tries` counts its requests, in all runs."""

    standing: Standing
    tries: int
    run: int
    at: float
    is_kept: bool
    """A row of it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedRow:
    """A kept row of which no event is known: the record was refused before it became one, or by another mapping."""

    stream: str
    kind: str
    reason: str
    run: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, as its own transactions counted it. `receipt` is JSON; of a killed run, made by the next one."""

    id: int
    started_at: float
    ended_at: float | None
    exit_code: int | None
    is_running: bool
    delivered: int
    invalid: int
    rejected: int
    held: int
    unknown: int
    receipt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent:
    """An event of which at least one request lost its answer. `event_id` may be personal."""

    event_id: str = field(repr=False)
    capture: str
    lost: int
    run: int
    at: float


@contextmanager
def reading(location: str) -> Iterator[LedgerReader]:
    """The ledger at a location, to read from while the `with` lasts. A run may write to it meanwhile.

    Raises:
        SettingsInvalid: There is no ledger, or not one that this version can read.
        LedgerUnavailable: It cannot be reached at present.
    """
    place = parse_place(location)
    with opening(place):
        connection = _connect(place)
    with closing(connection):
        yield LedgerReader(place, connection)


class LedgerReader:
    """Questions to a ledger. Every method may raise `errors.LedgerUnavailable`."""

    def __init__(self, place: Place, connection: sa.Connection) -> None:
        self._place = place
        self._connection = connection
        with opening(place), connection.begin():
            if not sa.inspect(connection).has_table(tables.facts.name):
                raise _missing(place)
            if int(tables.fact(connection, "version")) != tables.VERSION:
                raise SettingsInvalid([_OTHER_VERSION])
            self._digests = Digests(tables.fact(connection, "salt"))

    def kept(self, selection: Selection) -> Iterator[KeptRow]:
        """The rows, those that were kept first in front. What is kept from now on is not among them."""
        for keys in self._pages(selection):
            for start in range(0, len(keys), ROWS_PAGE):
                yield from self._rows(keys[start : start + ROWS_PAGE])

    def groups(self, selection: Selection) -> list[KeptGroup]:
        """How many rows wait for what, by stream, mapping, kind and reason."""
        table = tables.kept
        shared = [table.c[name] for name in ("stream", "mapping", "kind", "reason", "status")]
        figures = [
            sa.func.count().label("count"),
            sa.func.min(table.c.first_at).label("first_at"),
            sa.func.max(table.c.at).label("at"),
        ]
        statement = sa.select(*shared, *figures).where(*_fitting(selection)).group_by(*shared).order_by(*shared)
        return [KeptGroup(**row) for row in self._all(statement)]

    def trace(self, event_id: str) -> tuple[list[TracedEvent], list[TracedRow]]:
        """All events that bear this id, and the rows that wait without one."""
        event, source = self._digests.text("event", event_id), self._digests.text("source", event_id)
        known = self._all(sa.select(tables.deliveries).where(tables.deliveries.c.event == event))
        kept = self._all(
            sa.select(*(column for column in tables.kept.c if column.name not in _PERSONAL))
            .where(sa.or_(tables.kept.c.event == event, tables.kept.c.key == source))
            .order_by(tables.kept.c.first_at)
        )
        waiting = {bytes(row["key"]) for row in kept}
        events = [_traced(row, is_kept=bytes(row["identity"]) in waiting) for row in known]
        identities = {bytes(row["identity"]) for row in known}
        rows = [
            TracedRow(**{name: row[name] for name in ("stream", "kind", "reason", "run", "at")})
            for row in kept
            if bytes(row["key"]) not in identities
        ]
        return events, rows

    def runs(self, *, last: int | None = None, between: tuple[float, float] | None = None) -> list[Run]:
        """The latest `last` runs, of those that began in the time `between` (Unix times, the second one excluded)."""
        table = tables.runs
        statement = sa.select(*(table.c[name] for name in _RUN)).order_by(table.c.id.desc()).limit(last)
        if between is not None:
            statement = statement.where(table.c.started_at >= between[0], table.c.started_at < between[1])
        return [self._run(row) for row in reversed(self._all(statement))]

    def unknown(self, runs: Sequence[int]) -> list[UnknownEvent]:
        """The events whose answer was lost, for the last time in one of these runs."""
        table = tables.unknown
        columns = [table.c[name] for name in ("event_id", "capture", "lost", "run", "at")]
        statement = sa.select(*columns).where(table.c.run.in_(runs)).order_by(table.c.at, table.c.event_id)
        return [UnknownEvent(**row) for row in self._all(statement)]

    def _all(self, statement: sa.Select[Any]) -> list[dict[str, Any]]:
        with guarded(self._place), self._connection.begin():
            return [dict(row) for row in self._connection.execute(statement).mappings()]

    def _pages(self, selection: Selection) -> Iterator[list[bytes]]:
        """Keys by pages, so that no transaction lasts while somebody reads what we say."""
        table = tables.kept
        order = [table.c.first_at, table.c.position, table.c.key]
        newest = self._all(sa.select(sa.func.max(table.c.first_at).label("at")))[0]["at"]
        if newest is None:
            return
        fitting = sa.select(*order).where(*_fitting(selection), table.c.first_at <= newest)
        ordered = fitting.order_by(*order).limit(KEYS_PAGE)
        page = self._all(ordered)
        while page:
            yield [row["key"] for row in page]
            last = [sa.literal(page[-1][column.name], column.type) for column in order]
            page = self._all(ordered.where(sa.tuple_(*order) > sa.tuple_(*last)))

    def _rows(self, keys: Sequence[bytes]) -> Iterator[KeptRow]:
        """The rows of these keys, in their order, but for those that have gone meanwhile."""
        kept, schemas = tables.kept, tables.schemas
        statement = (
            sa.select(kept.c.key, kept.c.stream, kept.c.record, schemas.c.line)
            .join(schemas, schemas.c.digest == kept.c.schema)
            .where(kept.c.key.in_(keys))
        )
        found = {row["key"]: row for row in self._all(statement)}
        for key in keys:
            if (row := found.get(key)) is not None:
                yield KeptRow(
                    key=bytes(key).hex(), stream=row["stream"], record=bytes(row["record"]), schema=bytes(row["line"])
                )

    def _run(self, row: dict[str, Any]) -> Run:
        holder = row.pop("holder")
        return Run(**row, is_running=row["ended_at"] is None and _is_held(self._place, self._connection, by=holder))


def _fitting(selection: Selection) -> list[sa.ColumnElement[bool]]:
    table = tables.kept
    said = [
        selection.stream and table.c.stream == selection.stream,
        selection.reason and sa.func.lower(table.c.reason).contains(selection.reason.lower(), autoescape=True),
        selection.since and table.c.at >= selection.since,
        selection.kind and table.c.kind == selection.kind,
    ]
    return [condition for condition in said if isinstance(condition, sa.ColumnElement)]


def _traced(row: dict[str, Any], *, is_kept: bool) -> TracedEvent:
    return TracedEvent(
        standing=STANDINGS[row["standing"]], tries=row["tries"], run=row["run"], at=row["at"], is_kept=is_kept
    )


def _connect(place: Place) -> sa.Connection:
    if not isinstance(place, Directory):
        return engine(place).connect().execution_options(postgresql_readonly=True)
    if not place.file.is_file():
        raise _missing(place)
    address = f"{place.file.as_uri()}?mode=ro"
    made = sa.create_engine(
        "sqlite://",
        poolclass=NullPool,
        creator=lambda: sqlite3.connect(address, uri=True, timeout=5.0, check_same_thread=False),
    )
    return made.connect()


def _is_held(place: Place, connection: sa.Connection, *, by: str) -> bool:
    """Whether a run that has not said that it ended is alive. The lock is looked at, and not taken."""
    if not isinstance(place, Directory):
        return lock_for(place, connection).held_by() == by[:63]  # PostgreSQL cuts the name off there
    try:
        with (place.path / "lock").open("rb") as lock:
            is_its_own = lock.read() == by.encode()
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return is_its_own
    except OSError:
        return False
    return False


def _missing(place: Place) -> SettingsInvalid:
    return SettingsInvalid([f"ledger: there is none in {place.name} yet: the first run makes it."])


_PERSONAL = {"record", "excerpt"}
_COUNTED = ("delivered", "invalid", "rejected", "held", "unknown")
_RUN = ("id", "holder", "started_at", "ended_at", "exit_code", *_COUNTED, "receipt")
_OTHER_VERSION = (
    "ledger was made by another version of target-driftrock: run the newer one of the two once, or name another ledger."
)
