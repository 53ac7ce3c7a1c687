"""One run per ledger at a time. The lock frees itself when its holder dies."""

from __future__ import annotations

import fcntl
import hashlib
import os
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

from target_driftrock.ledger.place import Directory, Server, guarded, holder

if TYPE_CHECKING:
    from target_driftrock.ledger.place import Place


class Lock(Protocol):
    """The right to write a ledger."""

    def try_take(self) -> bool:
        """Whether it is ours now. Does not wait."""
        ...

    def held_by(self) -> str:
        """Who has it, in words, as far as that can be told."""
        ...

    def release(self) -> None:
        """Give it back. May be called twice."""
        ...


def lock_for(place: Place, connection: sa.Connection) -> Lock:
    """The lock of a ledger; in PostgreSQL it belongs to the very connection that commits."""
    match place:
        case Directory():
            return FileLock(place)
        case Server():
            return SessionLock(place, connection)


class FileLock:
    """`flock` on a file beside the database: the kernel frees it with the last descriptor."""

    def __init__(self, place: Directory) -> None:
        self._place = place
        self._path = place.path / "lock"
        self._descriptor: int | None = None

    def try_take(self) -> bool:
        """See `Lock.try_take`."""
        with guarded(self._place):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, holder().encode(), 0)
            except BlockingIOError:
                os.close(descriptor)
                return False
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
            return True

    def held_by(self) -> str:
        """See `Lock.held_by`."""
        try:
            return self._path.read_text(errors="replace") or "another run"
        except OSError:
            return "another run"

    def release(self) -> None:
        """See `Lock.release`."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class SessionLock:
    """A session-level advisory lock: it ends with the session, so a lost lock is a failed commit."""

    def __init__(self, place: Server, connection: sa.Connection) -> None:
        self._place = place
        self._connection = connection
        digest = hashlib.blake2b(f"target-driftrock {place.schema}".encode(), digest_size=8).digest()
        self._key = int.from_bytes(digest, "big", signed=True)

    def try_take(self) -> bool:
        """See `Lock.try_take`."""
        with guarded(self._place), self._connection.begin():
            return bool(
                self._connection.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}).scalar()
            )

    def held_by(self) -> str:
        """See `Lock.held_by`."""
        statement = sa.text(
            "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) "
            "WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = :key "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        with guarded(self._place), self._connection.begin():
            return str(self._connection.execute(statement, {"key": self._key}).scalar() or "another run")

    def release(self) -> None:
        """Nothing to do: the lock goes with the connection."""
