"""What a ledger holds, read beside a run: without its lock, without a write, in transactions of a page each."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_driftrock.errors import SettingsInvalid
from target_driftrock.events.outcome import HeldAs
from target_driftrock.ledger import tables
from target_driftrock.ledger.database import guarded, opening
from target_driftrock.ledger.digests import Digests
from target_driftrock.ledger.interface import DEFENDING, Standing
from target_driftrock.ledger.likeness import TO_DECIDE
from target_driftrock.ledger.location import parse_location
from target_driftrock.ledger.rows import pages, rows_of
from target_driftrock.ledger.tables import CODES, STANDINGS
from target_driftrock.ledger.ways import remembered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_driftrock.events.identity import KnownWay, Way
    from target_driftrock.ledger.database import Ask, Database
    from target_driftrock.ledger.rows import Row

KEYS_PAGE = 2_000
ROWS_PAGE = 50
"""Keys are small; a row may hold a record of any size."""
HELD = TO_DECIDE | {HeldAs.FAILED.value}
"""The kinds of kept rows that wait for a person's word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which kept rows are meant: those to which everything that is said fits. `since` is Unix time."""

    stream: str | None = None
    reason: str | None = None
    """A part of the reason is enough, in capitals or not."""
    since: float | None = None
    """Refused or held at that time or later, for the last time."""
    kinds: frozenset[str] = frozenset()
    """One of these; none for any."""
    event: str | None = field(default=None, repr=False)
    """Of this `event_id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defender:
    """Other content of the same event, which was or may have been accepted. What it was, the ledger does not hold."""

    event_id: str = field(repr=False)
    is_delivered: bool
    at: float
    run: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a row waits. `answer` is the start of what the API answered, if it did: it may be personal."""

    kind: str
    reason: str
    status: int | None
    answer: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRow:
    """One record that waits. `record` and `schema` are the lines as they were read."""

    key: str
    stream: str
    record: bytes = field(repr=False)
    schema: bytes = field(repr=False)
    why: Why
    known: Sequence[Defender] | None = None
    """What it collides with, where a person has to say whether it is a change of that."""


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
    known_at: float | None = None
    """When the latest of what they collide with was delivered, or tried."""
    known_run: int | None = None
    """By which run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedEvent:
    """What became of one content of an event, by the latest run that dealt with it.

    `tries` counts its requests, in all runs.
    """

    standing: Standing
    tries: int
    run: int
    at: float
    is_kept: bool
    """A row of it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedRow:
    """A kept row of which nothing was sent: it became no event, or one that is held since its identity is in doubt."""

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
    database = parse_location(location)
    with database.look() as ask:
        if ask is None:
            raise _missing(database)
        yield LedgerReader(database, ask)


class LedgerReader:
    """Questions to a ledger. Every method may raise `errors.LedgerUnavailable`."""

    def __init__(self, database: Database, ask: Ask) -> None:
        self._database = database
        self._ask = ask
        with opening(database):
            self._digests = Digests(ask(self._salt))

    def kept(self, selection: Selection) -> Iterator[KeptRow]:
        """The rows, those that were kept first in front. What is kept from now on is not among them."""
        for keys in self._pages(selection):
            for start in range(0, len(keys), ROWS_PAGE):
                yield from self._rows(keys[start : start + ROWS_PAGE])

    def groups(self, selection: Selection) -> list[KeptGroup]:
        """How many rows wait for what, by stream, mapping, kind and reason."""
        table = tables.kept
        shared = [table.c[name] for name in _SHARED]
        figures = [
            sa.func.count().label("count"),
            sa.func.min(table.c.first_at).label("first_at"),
            sa.func.max(table.c.at).label("at"),
        ]
        fitting = fitting_rows(selection, self._digests)
        statement = sa.select(*shared, *figures).where(*fitting).group_by(*shared).order_by(*shared)
        known = self._known_by_group(fitting)
        return [KeptGroup(**row, **known.get(_group(row), {})) for row in self._all(statement)]

    def trace(self, event_id: str) -> tuple[list[TracedEvent], list[TracedRow]]:
        """All contents of the events that bear this id, the oldest in front; and the rows of which nothing was sent."""
        event, source = self._digests.event(event_id), self._digests.text("source", event_id)
        deliveries, kept = tables.deliveries, tables.kept
        known = self._all(
            sa.select(*(deliveries.c[name] for name in ("identity", "content", "standing", "tries", "run", "at")))
            .where(deliveries.c.event == event)
            .order_by(deliveries.c.at),
            is_long=True,
        )
        is_without_event = sa.and_(kept.c.event.is_(None), kept.c.source == source)
        waiting = self._all(
            sa.select(*(kept.c[name] for name in ("identity", "content", *_TRACED)))
            .where(sa.or_(kept.c.event == event, is_without_event))
            .order_by(kept.c.first_at, kept.c.position)
        )
        sent, kept_contents = set(map(_content, known)), set(map(_content, waiting))
        events = [_traced(row, is_kept=_content(row) in kept_contents) for row in known]
        rows = [TracedRow(**{name: row[name] for name in _TRACED}) for row in waiting if _content(row) not in sent]
        return events, rows

    def runs(self, *, last: int | None = None, between: tuple[float, float] | None = None) -> list[Run]:
        """The latest `last` runs, of those that began in the time `between` (Unix times, the second one excluded)."""
        table = tables.runs
        columns = [*(table.c[name] for name in _RUN), *map(_counted, tables.COUNTERS)]
        statement = sa.select(*columns).order_by(table.c.id.desc()).limit(last)
        if between is not None:
            statement = statement.where(table.c.started_at >= between[0], table.c.started_at < between[1])
        return [self._run(row) for row in reversed(self._all(statement))]

    def unknown(self, runs: Sequence[int]) -> list[UnknownEvent]:
        """The events whose answer was lost, for the last time in one of these runs."""
        table = tables.unknown
        columns = [table.c[name] for name in ("event_id", "capture", "lost", "run", "at")]
        statement = sa.select(*columns).where(table.c.run.in_(runs)).order_by(table.c.at, table.c.event_id)
        return [UnknownEvent(**row) for row in self._all(statement)]

    def ways(self, api: str) -> dict[Way, KnownWay]:
        """How identities were made at an API, and how much was delivered so."""
        return remembered(self._all(sa.select(tables.ways).where(tables.ways.c.api == api)))

    def _all(self, statement: sa.Select[Any], *, is_long: bool = False) -> list[Row]:
        """What a statement finds. One `is_long` that looks through a table from end to end."""

        def find(connection: sa.Connection) -> list[Row]:
            with connection.begin(), self._database.unhurried(connection) if is_long else nullcontext():
                return rows_of(connection, statement)

        with guarded(self._database):
            return self._ask(find)

    def _salt(self, connection: sa.Connection) -> str:
        with connection.begin():
            found = tables.version(connection)
            if found is None:
                raise _missing(self._database)
            if found != tables.VERSION:
                raise SettingsInvalid([_OTHER_VERSION])
            return tables.fact(connection, "salt")

    def _pages(self, selection: Selection) -> Iterator[list[bytes]]:
        """Keys by pages, so that no transaction lasts while somebody reads what we say."""
        table = tables.kept
        order = [table.c.first_at, table.c.position, table.c.key]
        newest = self._all(sa.select(sa.func.max(table.c.first_at).label("at")))[0]["at"]
        if newest is None:
            return
        fitting = sa.select(*order).where(*fitting_rows(selection, self._digests), table.c.first_at <= newest)
        for page in pages(self._all, fitting, order=order, size=KEYS_PAGE):
            yield [row["key"] for row in page]

    def _rows(self, keys: Sequence[bytes]) -> Iterator[KeptRow]:
        """The rows of these keys, in their order, but for those that have gone meanwhile."""
        kept, schemas = tables.kept, tables.schemas
        statement = (
            sa.select(*(kept.c[name] for name in _ROW), schemas.c.line)
            .join(schemas, schemas.c.digest == kept.c.schema)
            .where(kept.c.key.in_(keys))
        )
        found = {row["key"]: row for row in self._all(statement)}
        known = self._known([key for key, row in found.items() if row["kind"] in TO_DECIDE])
        for key in keys:
            if (row := found.get(key)) is not None:
                yield KeptRow(
                    key=bytes(key).hex(),
                    stream=row["stream"],
                    record=bytes(row["record"]),
                    schema=bytes(row["line"]),
                    why=_why(row),
                    known=known.get(key),
                )

    def _known(self, keys: Sequence[bytes]) -> dict[bytes, list[Defender]]:
        """What each of these rows collides with, the oldest in front."""
        known: dict[bytes, list[Defender]] = {key: [] for key in keys}
        kept, deliveries = tables.kept, tables.deliveries
        columns = [kept.c.key, kept.c.event_id, *(deliveries.c[name] for name in ("standing", "at", "run"))]
        statement = sa.select(*columns).join(deliveries, _DEFENDS).where(kept.c.key.in_(keys)).order_by(deliveries.c.at)
        for row in self._all(statement) if keys else ():
            is_delivered = row["standing"] == CODES[Standing.DELIVERED]
            defender = Defender(event_id=row["event_id"], is_delivered=is_delivered, at=row["at"], run=row["run"])
            known[row["key"]].append(defender)
        return known

    def _known_by_group(self, fitting: Sequence[sa.ColumnElement[bool]]) -> dict[tuple[Any, ...], dict[str, Any]]:
        """When and by which run the latest was dealt with of what a group's rows collide with."""
        kept, deliveries = tables.kept, tables.deliveries
        shared = [kept.c[name] for name in _SHARED]
        latest = [sa.func.max(deliveries.c.at).label("known_at"), sa.func.max(deliveries.c.run).label("known_run")]
        statement = (
            sa.select(*shared, *latest)
            .join(deliveries, _DEFENDS)
            .where(*fitting, kept.c.kind.in_(TO_DECIDE))
            .group_by(*shared)
        )
        return {_group(row): {name: row[name] for name in _KNOWN} for row in self._all(statement)}

    def _run(self, row: Row) -> Run:
        holder = row.pop("holder")
        is_running = row["ended_at"] is None and self._ask(partial(self._database.is_held, by=holder))
        return Run(**row, is_running=is_running)


def _counted(name: str) -> sa.ColumnElement[int]:
    """What a run has counted so far; of a job that lasts, its tasks have."""
    of_tasks = sa.select(sa.func.coalesce(sa.func.sum(tables.tasks.c[name]), 0))
    return (tables.runs.c[name] + of_tasks.where(tables.tasks.c.run == tables.runs.c.id).scalar_subquery()).label(name)


def fitting_rows(selection: Selection, digests: Digests) -> list[sa.ColumnElement[bool]]:
    """What a kept row must fulfil to be selected."""
    table = tables.kept
    said = [
        selection.stream and table.c.stream == selection.stream,
        selection.reason and sa.func.lower(table.c.reason).contains(selection.reason.lower(), autoescape=True),
        selection.since and table.c.at >= selection.since,
        selection.kinds and table.c.kind.in_(selection.kinds),
        selection.event and table.c.event == digests.event(selection.event),
    ]
    return [condition for condition in said if isinstance(condition, sa.ColumnElement)]


def _content(row: Mapping[str, Any]) -> tuple[Any, Any]:
    """Which content of which event."""
    return row["identity"], row["content"]


def _group(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _SHARED)


def _why(row: Mapping[str, Any]) -> Why:
    return Why(kind=row["kind"], reason=row["reason"], status=row["status"], answer=bytes(row["excerpt"]))


def _traced(row: Row, *, is_kept: bool) -> TracedEvent:
    return TracedEvent(
        standing=STANDINGS[row["standing"]], tries=row["tries"], run=row["run"], at=row["at"], is_kept=is_kept
    )


def _missing(database: Database) -> SettingsInvalid:
    return SettingsInvalid([f"ledger: there is none in {database.name} yet: the first run makes it."])


_SHARED = ("stream", "mapping", "kind", "reason", "status")
"""What kept rows of one group have in common."""
_ROW = ("key", "stream", "record", "kind", "reason", "status", "excerpt")
_KNOWN = ("known_at", "known_run")
_TRACED = ("stream", "kind", "reason", "run", "at")
_DEFENDS = sa.and_(
    tables.deliveries.c.identity == tables.kept.c.identity,
    tables.deliveries.c.content != tables.kept.c.content,
    tables.deliveries.c.standing.in_([int(CODES[standing]) for standing in DEFENDING]),
)
"""Of a content and a kept row: it stands against that row's event."""
_RUN = ("id", "holder", "started_at", "ended_at", "exit_code", "receipt")
_OTHER_VERSION = (
    "ledger was made by another version of target-driftrock: run the newer one of the two once, or name another ledger."
)
