"""Taking away for good, under the run's lock, what the ledger knows of a person; deliveries stay known.

No byte of it stays in the ledger's files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_driftrock.ledger import tables
from target_driftrock.ledger.database import guarded
from target_driftrock.ledger.digests import Digests
from target_driftrock.ledger.hold import holding
from target_driftrock.ledger.likeness import ERASED, TAKEN_OUT
from target_driftrock.ledger.rows import pages, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from target_driftrock.events.identity import Who
    from target_driftrock.ledger.rows import Row

PAGE = 50
"""Rows that are read at once: each may hold a record of any size."""
DELIVERIES_PAGE = 2_000
"""These are small."""


def _never(_: str) -> bool:
    return False


def _as_it_is(line: bytes) -> bytes:
    return line


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Whose rows go: those about a person, those of an event, and those in which what is sought stands.

    `is_in_text` is asked of the API's answers, of the ids of events, and of reasons. No question may fail, whatever
    the bytes.
    """

    rows: AbstractSet[bytes] = frozenset()
    """Kept rows with these keys go."""
    who: Sequence[Who] = ()
    """Kept rows about these go, and a delivery no longer says that it was about them."""
    events: Sequence[str] = field(default=(), repr=False)
    """With these, `is_in_record` is asked of the rows alone that have no `event_id`."""
    is_in_record: Callable[[bytes], bool] = field(repr=False)
    is_only_nobodys: bool = False
    """`is_in_record` is asked of the rows alone that have no `person_id`."""
    is_in_text: Callable[[str], bool] = field(default=_never, repr=False)
    blanked: Callable[[bytes], bytes] = field(default=_as_it_is, repr=False)
    """A line of JSON that stays, without the names and values in which it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many rows went: kept ones, and ids of events whose answer was lost."""

    kept: int = 0
    unknown: int = 0
    forgotten: int = 0
    """Contents of events that stand as before, but no longer say whom they were about."""
    texts: int = 0
    """SCHEMA lines, reasons of kept rows, and receipts in which it stood, and does no longer."""


def erase(location: str, sought: Sought, *, wait: float) -> Erased:
    """Take away what is sought. Another run's lock is waited out for up to `wait` seconds.

    Raises:
        SettingsInvalid: The location is wrong, or there is no ledger.
        LedgerUnavailable: It could not be had in time; or rows went, and the files still hold their bytes.
    """
    with holding(location, wait=wait) as hold:
        database, connection = hold.database, hold.connection
        with guarded(database), connection.begin(), database.unhurried(connection):
            erased = _Eraser(connection, sought).erase()
        database.wipe(connection)
    return erased


class _Eraser:
    """One search through the ledger, in one transaction."""

    def __init__(self, connection: sa.Connection, sought: Sought) -> None:
        self._digests = digests = Digests(tables.fact(connection, "salt"))
        self._connection = connection
        self._ask = partial(rows_of, connection)
        self._sought = sought
        self._who = {name: [who for who in sought.who if getattr(who, name) is not None] for name in _KINDS}
        self._persons = {digests.text("person", who.person) for who in sought.who if who.person is not None}
        self._events = set(map(digests.event, sought.events))
        self._sources = {digests.text("source", event) for event in sought.events}

    def erase(self) -> Erased:
        return Erased(
            kept=self._delete(tables.kept.c.key, self._goes),
            unknown=self._delete(tables.unknown.c.identity, self._is_lost),
            forgotten=sum(map(self._forget, self._deliveries())),
            texts=self._blank_schemas() + self._blank_reasons() + self._blank_receipts(),
        )

    def _delete(self, key: sa.Column[Any], goes: Callable[[Row], bool]) -> int:
        count = 0
        for page in pages(self._ask, sa.select(key.table), order=[key], size=PAGE):
            gone = [row[key.name] for row in page if goes(row)]
            if gone:
                self._connection.execute(sa.delete(key.table).where(key.in_(gone)))
            count += len(gone)
        return count

    def _goes(self, row: Row) -> bool:
        if row["key"] in self._sought.rows or self._is_about(row) or row["event"] in self._events:
            return True
        if self._events and row["event"] is not None:
            return False
        if self._sought.is_only_nobodys and row["person"] is not None:
            return False
        return row["source"] in self._sources or self._stands_in(row)

    def _is_about(self, row: Row) -> bool:
        """By digests, whatever its record shows: a mapping may have made the value of several properties."""
        if row["person"] in self._persons:
            return True
        over = row["identity"] or row["source"]
        return over is not None and bool(self._met(over, [row[f"who_{name}"] for name in _KINDS]))

    def _stands_in(self, row: Row) -> bool:
        texts = bytes(row["excerpt"]).decode(errors="replace"), row["event_id"] or ""
        return self._sought.is_in_record(bytes(row["record"])) or any(map(self._sought.is_in_text, texts))

    def _is_lost(self, row: Row) -> bool:
        return self._sought.is_in_text(row["event_id"])

    def _deliveries(self) -> Iterator[Row]:
        """What is known of deliveries that say by a kind that is sought whom they were about."""
        table = tables.deliveries
        order = [table.c.identity, table.c.content]
        names_somebody = sa.or_(sa.false(), *(table.c[name] != ERASED for name in _KINDS if self._who[name]))
        statement = sa.select(*order, *(table.c[name] for name in _KINDS)).where(names_somebody)
        return chain.from_iterable(pages(self._ask, statement, order=order, size=DELIVERIES_PAGE))

    def _forget(self, row: Row) -> bool:
        """Erase whom a delivery was about, if that is sought. True if it was."""
        met = self._met(row["identity"], [row[name] for name in _KINDS])
        if not met:
            return False
        table = tables.deliveries
        is_this = table.c.identity == row["identity"], table.c.content == row["content"]
        self._connection.execute(table.update().where(*is_this).values(dict.fromkeys(met, ERASED)))
        return True

    def _met(self, over: bytes, theirs: Sequence[bytes | None]) -> set[str]:
        """The kinds by which somebody that is sought is the one whom these digests name."""
        return {
            name
            for at, (name, other) in enumerate(zip(_KINDS, theirs, strict=True))
            if other and any(self._digests.who(over, who)[at] == other for who in self._who[name])
        }

    # Lines that stay, since they are not about one person.

    def _blank_schemas(self) -> int:
        """Those that no kept row needs any more go altogether."""
        table = tables.schemas
        blanked = self._blanked(table.c.line, by=table.c.digest)
        for digest, line in blanked.items():
            new = self._digests.of(line)
            needed = tables.kept.update().where(tables.kept.c.schema == digest).values(schema=new)
            self._connection.execute(table.delete().where(table.c.digest.in_([digest, new])))
            self._connection.execute(table.insert().values(digest=new, line=line))
            self._connection.execute(needed)
        self._connection.execute(table.delete().where(table.c.digest.not_in(sa.select(tables.kept.c.schema))))
        return len(blanked)

    def _blank_reasons(self) -> int:
        table = tables.kept
        reasons = self._connection.execute(sa.select(table.c.reason).distinct()).scalars().all()
        met = [reason for reason in reasons if self._sought.is_in_text(reason)]
        self._connection.execute(table.update().where(table.c.reason.in_(met)).values(reason=TAKEN_OUT))
        return len(met)

    def _blank_receipts(self) -> int:
        table = tables.runs
        blanked = self._blanked(table.c.receipt, by=table.c.id)
        for run, receipt in blanked.items():
            self._connection.execute(table.update().where(table.c.id == run).values(receipt=receipt.decode()))
        return len(blanked)

    def _blanked(self, column: sa.Column[Any], *, by: sa.Column[Any]) -> dict[Any, bytes]:
        """The lines of a column that change, as they are then."""
        statement = sa.select(by, column).where(column.is_not(None))
        found: dict[Any, bytes] = {}
        for row in chain.from_iterable(pages(self._ask, statement, order=[by], size=PAGE)):
            line = row[column.name]
            before = line.encode() if isinstance(line, str) else bytes(line)
            after = self._sought.blanked(before)
            if after != before:
                found[row[by.name]] = after
        return found


_KINDS = ("person", "email", "phone")
"""The columns of `deliveries` that say whom an event is about, in the order of `Who`."""
