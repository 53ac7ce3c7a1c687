"""A ledger and its lock, for a command that changes what lies there: taken as a run takes them, and no run begins."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from target_driftrock.errors import LedgerUnavailable
from target_driftrock.ledger import tables
from target_driftrock.ledger.durable import POLL_SECONDS
from target_driftrock.ledger.lock import lock_for
from target_driftrock.ledger.place import connect, engine, opening, parse_place
from target_driftrock.ledger.reading import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from target_driftrock.ledger.lock import Lock
    from target_driftrock.ledger.place import Place

log = logging.getLogger(__name__)


@contextmanager
def holding(location: str, *, wait: float) -> Iterator[tuple[Place, sa.Connection]]:
    """The ledger at a location, ours while the `with` lasts. Another's lock is waited out for up to `wait` seconds.

    Raises:
        SettingsInvalid: The location is wrong, or there is no ledger.
        LedgerUnavailable: It could not be had in time.
    """
    place = parse_place(location)
    with reading(location):
        pass  # to look for it makes none
    connection, lock = _take(place, wait=wait)
    try:
        yield place, connection
    finally:
        connection.close()
        lock.release()


def _take(place: Place, *, wait: float) -> tuple[sa.Connection, Lock]:
    deadline = time.monotonic() + wait
    told: str | None = None
    while isinstance(taken := _try_take(place), str):
        if time.monotonic() >= deadline:
            raise LedgerUnavailable(f"The ledger in {place.name} is held by {taken}: wait for that run.")
        if told != taken:
            told = taken
            log.warning("Waiting up to %d seconds for the ledger, held by %s.", wait, taken)
        time.sleep(POLL_SECONDS)
    return taken


def _try_take(place: Place) -> tuple[sa.Connection, Lock] | str:
    """The ledger and its lock, or who holds it."""
    connection = connect(place, engine(place))
    lock = lock_for(place, connection)
    try:
        if lock.try_take():
            with opening(place), connection.begin():
                tables.prepare(connection)
            return connection, lock
        held_by = lock.held_by()
    except BaseException:
        connection.close()
        lock.release()
        raise
    connection.close()
    return held_by
