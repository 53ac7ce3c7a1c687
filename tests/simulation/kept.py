"""The kept rows of a ledger that lies in no database: the real rules, and a dict for the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from target_driftrock.ledger.digests import Digests
from target_driftrock.ledger.interface import Change, Concluded, Forgotten
from target_driftrock.ledger.ways import Ways
from target_driftrock.ledger.write_batch import Keys, WriteBatch

API = "simulation"
SALT = "00" * 32

Row = Mapping[str, Any]


class KeptRows:
    """What was refused or held, until it is settled. A transaction says which rows went by it."""

    def __init__(self) -> None:
        self._digests = Digests(SALT)
        self._keys = Keys(self._digests, api=API)
        self._ways = Ways(API, [], next_id=1)
        self._rows: dict[bytes, Row] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> list[Row]:
        """All of them, in the order in which they were kept."""
        return sorted(self._rows.values(), key=lambda row: (row["run"], row["position"], row["key"]))

    def keeps(self, record: bytes) -> bool:
        """Whether a row holds this record."""
        return any(row["record"] == record for row in self._rows.values())

    def commit(self, changes: Sequence[Change], *, run: int) -> list[Row]:
        """Keep what these changes say, and let go of what they settle: the rows that went."""
        told = [change for change in changes if isinstance(change, Concluded | Forgotten)]
        if not told:
            return []
        entry = WriteBatch(self._digests, self._keys, self._ways, api=API, run=run, now=0.0, may_keep_rows=True)
        for change in told:
            entry.take(change)
        gone = [row for row in self._rows.values() if entry.forgets(row) or _is_released(row, entry, run=run)]
        for row in gone:
            del self._rows[row["key"]]
        entry.place(self._rows)
        self._rows |= entry.kept
        return gone


def _is_released(row: Row, entry: WriteBatch, *, run: int) -> bool:
    return any(release.takes(row, run=run) for release in entry.releases)
