"""A ledger, held by a command that changes what lies there: taken as a run takes it, and no run begins."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from target_driftrock.ledger.exclusive import HeldByAnother, exclusive, waited_out
from target_driftrock.ledger.location import parse_location
from target_driftrock.ledger.reading import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_driftrock.ledger.exclusive import Hold


@contextmanager
def holding(location: str, *, wait: float) -> Iterator[Hold]:
    """The ledger at a location, ours while the `with` lasts. Another's lock is waited out for up to `wait` seconds.

    Raises:
        SettingsInvalid: The location is wrong, or there is no ledger.
        LedgerUnavailable: It could not be had in time.
    """
    with reading(location):
        pass  # to look for it makes none
    take = partial(exclusive, parse_location(location), advice="wait for that run.")
    hold = waited_out(HeldByAnother, take, wait=wait)
    try:
        yield hold
    finally:
        hold.release()
