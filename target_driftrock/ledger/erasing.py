"""Taking kept rows away for good, under the run's lock, and whom deliveries were about.

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
from target_driftrock.ledger.likeness import ERASED
from target_driftrock.ledger.rows import pages, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from target_driftrock.events.identity import Who
    from target_driftrock.ledger.rows import Row

PAGE = 50
"""Rows that are read at once: each may hold a record of any size."""
DELIVERIES_PAGE = 2_000
"""These are small."""


def _never(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Whose rows go: those of a person or of an event, and those in which what is sought stands.

    With a `person` or an `event`, `is_in_record` is asked of those rows alone that have none. `is_in_text` is asked
    of the API's answers and of the ids of events. `who` are those whom a delivery then no longer says it was about.
    """

    person: str | None = field(default=None, repr=False)
    event: str | None = field(default=None, repr=False)
    is_in_record: Callable[[bytes], bool] = field(repr=False)
    is_in_text: Callable[[str], bool] = field(default=_never, repr=False)
    who: Sequence[Who] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many rows went: kept ones, and ids of events whose answer was lost."""

    kept: int
    unknown: int
    forgotten: int = 0
    """Contents of events that stand as before, but no longer say whom they were about."""


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
        self._person = sought.person and digests.text("person", sought.person)
        self._event = sought.event and digests.event(sought.event)
        self._source = sought.event and digests.text("source", sought.event)

    def erase(self) -> Erased:
        return Erased(
            kept=self._delete(tables.kept.c.key, self._goes),
            unknown=self._delete(tables.unknown.c.identity, self._is_lost),
            forgotten=sum(map(self._forget, self._deliveries())),
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
        if self._person is not None:
            return bool(row["person"] == self._person) or (row["person"] is None and self._stands_in(row))
        if self._event is not None:
            if row["event"] is not None:
                return bool(row["event"] == self._event)
            return bool(row["source"] == self._source) or self._stands_in(row)
        return self._stands_in(row)

    def _stands_in(self, row: Row) -> bool:
        texts = bytes(row["excerpt"]).decode(errors="replace"), row["event_id"] or ""
        return self._sought.is_in_record(bytes(row["record"])) or any(map(self._sought.is_in_text, texts))

    def _is_lost(self, row: Row) -> bool:
        return self._sought.is_in_text(row["event_id"])

    def _deliveries(self) -> Iterator[Row]:
        """What is known of deliveries that say by a kind that is sought whom they were about."""
        table = tables.deliveries
        kinds = {name for who in self._sought.who for name, value in zip(_KINDS, who, strict=True) if value is not None}
        order = [table.c.identity, table.c.content]
        names_somebody = sa.or_(sa.false(), *(table.c[name] != ERASED for name in kinds))
        statement = sa.select(*order, *(table.c[name] for name in _KINDS)).where(names_somebody)
        return chain.from_iterable(pages(self._ask, statement, order=order, size=DELIVERIES_PAGE))

    def _forget(self, row: Row) -> bool:
        """Erase whom a delivery was about, if that is sought. True if it was."""
        met = {
            name
            for who in self._sought.who
            for name, digest in zip(_KINDS, self._digests.who(row["identity"], who), strict=True)
            if digest is not None and digest == row[name]
        }
        if not met:
            return False
        table = tables.deliveries
        is_this = table.c.identity == row["identity"], table.c.content == row["content"]
        self._connection.execute(table.update().where(*is_this).values(dict.fromkeys(met, ERASED)))
        return True


_KINDS = ("person", "email", "phone")
"""The columns of `deliveries` that say whom an event is about, in the order of `Who`."""
