"""Kept rows of which a person says that they are changes of what was delivered under the same identity.

Nothing else could say it of a corrected e-mail address: it is another person's as far as can be seen, and would be
held as often as it is read.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_driftrock.ledger import tables
from target_driftrock.ledger.database import guarded
from target_driftrock.ledger.digests import Digests
from target_driftrock.ledger.hold import holding
from target_driftrock.ledger.interface import DEFENDING, PERHAPS_ACCEPTED, Standing
from target_driftrock.ledger.likeness import TO_DECIDE
from target_driftrock.ledger.reading import fitting_rows
from target_driftrock.ledger.rows import pages, rows_of
from target_driftrock.ledger.tables import CODES, STANDINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from target_driftrock.ledger.interface import Row
    from target_driftrock.ledger.reading import Selection

PAGE = 500
TO_SEND = "settled as a change, to be sent again"
"""The reason of a row that is settled, and stays since changes of its mapping are sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of the rows that were selected."""

    settled: int
    """They count as changes from now on."""
    to_send: int
    """Of those: they stay, to be sent again."""
    left: int
    """Nothing was delivered that they could be a change of."""


def settle(location: str, selection: Selection, *, sends: Callable[[str], bool], wait: float) -> Settlement:
    """Settle what is selected; where only a time is said, what is held since its identity is in doubt.

    `sends` tells by a mapping's label whether changes of it are sent. Another run's lock is waited out for up to `wait`
    seconds.

    Raises:
        SettingsInvalid: The location is wrong, or there is no ledger.
        LedgerUnavailable: It could not be had in time.
    """
    if not (selection.stream or selection.reason or selection.event):
        selection = replace(selection, kinds=TO_DECIDE)
    with holding(location, wait=wait) as hold, guarded(hold.database), hold.connection.begin():
        return _Settling(hold.connection, sends=sends, now=time.time()).settle(selection)


class _Settling:
    """One pass over the kept rows, in one transaction."""

    def __init__(self, connection: sa.Connection, *, sends: Callable[[str], bool], now: float) -> None:
        self._connection = connection
        self._ask = partial(rows_of, connection)
        self._sends = sends
        self._now = now

    def settle(self, selection: Selection) -> Settlement:
        settled = to_send = left = 0
        for page in self._pages(selection):
            contents = self._contents(page)
            changes = [row for row in page if _is_change(row, contents.get(row["identity"], {}))]
            staying = {row["key"] for row in changes if self._sends(row["mapping"])}
            self._stand(changes, contents)
            self._relabel(staying)
            self._delete({row["key"] for row in changes} - staying)
            settled, to_send, left = settled + len(changes), to_send + len(staying), left + len(page) - len(changes)
        return Settlement(settled=settled, to_send=to_send, left=left)

    def _pages(self, selection: Selection) -> Iterator[Sequence[Mapping[str, Any]]]:
        table = tables.kept
        fitting = fitting_rows(selection, Digests(tables.fact(self._connection, "salt")))
        columns = [column for column in table.c if column.name not in _NOT_NEEDED]
        return pages(self._ask, sa.select(*columns).where(*fitting), order=[table.c.key], size=PAGE)

    def _contents(self, page: Sequence[Mapping[str, Any]]) -> Mapping[bytes, Mapping[bytes, Standing]]:
        """Where all contents stand of the events of these rows, by identity."""
        table = tables.deliveries
        identities = {row["identity"] for row in page if row["identity"] is not None}
        found: dict[bytes, dict[bytes, Standing]] = defaultdict(dict)
        statement = sa.select(table.c.identity, table.c.content, table.c.standing)
        for row in self._ask(statement.where(table.c.identity.in_(identities))):
            found[row["identity"]][row["content"]] = STANDINGS[row["standing"]]
        return found

    def _stand(self, changes: Sequence[Mapping[str, Any]], contents: Mapping[bytes, Mapping[bytes, Standing]]) -> None:
        """Write where the contents of these rows stand from now on, each once."""
        for (identity, content), row in {_content(row): row for row in changes}.items():
            standing = contents[identity].get(content)
            if standing is None:
                self._connection.execute(tables.deliveries.insert().values(self._change(row)))
            elif not self._stays(row, standing):
                self._restate(identity, content)

    def _stays(self, row: Mapping[str, Any], standing: Standing) -> bool:
        """Nothing overwrites a delivery; and what is sent again, and may have arrived, must not forget that."""
        return standing is Standing.DELIVERED or (standing in PERHAPS_ACCEPTED and self._sends(row["mapping"]))

    def _change(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row of `deliveries` for a content that was never tried. The run is the one that kept it."""
        return {
            "identity": row["identity"],
            "content": row["content"],
            "event": row["event"],
            "person": row["who_person"],
            "email": row["who_email"],
            "phone": row["who_phone"],
            "record": row["digest"],
            "standing": int(CODES[Standing.CHANGED]),
            "tries": 0,
            "way": row["way"],
            "run": row["run"],
            "at": self._now,
        }

    def _restate(self, identity: bytes, content: bytes) -> None:
        table = tables.deliveries
        self._connection.execute(
            table.update()
            .where(table.c.identity == identity, table.c.content == content)
            .values(standing=int(CODES[Standing.CHANGED]), at=self._now)
        )

    def _relabel(self, keys: AbstractSet[bytes]) -> None:
        table = tables.kept
        self._connection.execute(table.update().where(table.c.key.in_(keys)).values(reason=TO_SEND))

    def _delete(self, keys: AbstractSet[bytes]) -> None:
        table = tables.kept
        self._connection.execute(table.delete().where(table.c.key.in_(keys)))


_NOT_NEEDED = {"record", "excerpt", "schema", "event_id"}
"""Of a kept row: large, or personal."""


def _is_change(row: Mapping[str, Any], contents: Mapping[bytes, Standing]) -> bool:
    """Whether there is something that a row can be a change of.

    What is held since its identity is in doubt can be one of what was only perhaps accepted, too.
    """
    known = DEFENDING if row["kind"] in TO_DECIDE else {Standing.DELIVERED}
    return any(standing in known for content, standing in contents.items() if content != row["content"])


def _content(row: Mapping[str, Any]) -> Row:
    return row["identity"], row["content"]
