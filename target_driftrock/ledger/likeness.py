"""Whether two contents are about the same person, and which kept rows a settled event takes with it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from target_driftrock.events.outcome import HeldAs
from target_driftrock.ledger.interface import Likeness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_driftrock.ledger.digests import WhoDigests
    from target_driftrock.ledger.interface import Row

ERASED = b""
"""In the place of a digest that was erased: it differs from every value."""
TAKEN_OUT = "erased"
"""In the place of a text in which an erased value stood, in what is not one person's."""
TO_DECIDE = frozenset({HeldAs.COLLISION.value, HeldAs.UNDECIDED.value})
"""The kinds of kept rows of which a person has to say whether they are changes."""


def likeness(ours: Sequence[object], theirs: Sequence[object]) -> Likeness:
    """Compare by the strongest kind that both name. `ours` and `theirs` are in the order of `Who`."""
    for one, other in zip(ours, theirs, strict=True):
        if one is not None and other is not None:
            return Likeness.SAME if one == other and other != ERASED else Likeness.OTHER
    return Likeness.UNTOLD


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What a settled event says of kept rows: those of this very content go, and those that it makes out of date."""

    contents: tuple[Row, ...]
    """This content of this event, also under its former identities."""
    record: bytes | None = None
    """The key of the row in which its record is kept without an event."""
    replayed: bytes | None = None
    """The key of the row that it was read from: that one goes with its last part, if it is of this very record."""
    read: bytes = b""
    """The digest of its record."""
    position: int
    is_decided: bool = False
    """It is a change, and was said to be one: only rows that waited for that word go."""
    identity: bytes | None = None
    """Earlier contents of this event go where they are about the same person. None where nothing was delivered now."""
    who: WhoDigests = (None, None, None)
    source: bytes | None = None
    """So do invalid records with the same stream and key properties."""
    source_who: WhoDigests = (None, None, None)

    def takes(self, row: Mapping[str, Any], *, run: int) -> bool:
        """Whether a row of `kept` goes, in this run."""
        if row["key"] == self.replayed and row["read"] == self.read:
            return False
        if (row["identity"], row["content"]) in self.contents:
            return not self.is_decided or row["kind"] in TO_DECIDE
        if row["key"] == self.record:
            is_another_part = (row["run"], row["position"]) >= (run, self.position)  # or of the record, read again
            return self.replayed is None and not (self.is_decided or is_another_part)
        if (row["run"], row["position"]) >= (run, self.position):
            return False  # it was read later
        if self.replayed not in {None, row["key"]}:
            return False  # it may be later
        theirs = row["who_person"], row["who_email"], row["who_phone"]
        if row["identity"] is not None:
            return row["identity"] == self.identity and likeness(self.who, theirs) is Likeness.SAME
        return (
            self.source is not None
            and row["source"] == self.source
            and likeness(self.source_who, theirs) is Likeness.SAME
        )
