"""The asynchronous front of a ledger: its own thread, and one transaction for all that waits."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_driftrock.events.event import Capture, Event
    from target_driftrock.ledger.interface import Change, Known, Ledger


class Journal(Protocol):
    """What the dispatcher awaits. Every method may raise `errors.LedgerUnavailable`."""

    async def recall(self, events: Sequence[Event]) -> list[Known | None]:
        """See `Ledger.recall`."""
        ...

    async def proven(self, captures: Sequence[Capture]) -> list[bool]:
        """See `Ledger.proven`."""
        ...

    async def commit(self, changes: Sequence[Change]) -> None:
        """Return once the changes are durable, in the order of the calls."""
        ...


class GroupingJournal:
    """Runs a ledger on one thread. Changes that come while a commit runs share the next one."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._changes: list[Change] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._is_busy = False

    async def recall(self, events: Sequence[Event]) -> list[Known | None]:
        """See `Journal.recall`."""
        return await self._loop.run_in_executor(self._thread, self._ledger.recall, events)

    async def proven(self, captures: Sequence[Capture]) -> list[bool]:
        """See `Journal.proven`."""
        return await self._loop.run_in_executor(self._thread, self._ledger.proven, captures)

    async def commit(self, changes: Sequence[Change]) -> None:
        """See `Journal.commit`. Cancelling the wait does not undo the changes."""
        if not changes:
            return
        waiter = self._loop.create_future()
        self._changes.extend(changes)
        self._waiters.append(waiter)
        if not self._is_busy:
            self._start()
        await waiter

    def close(self) -> None:
        """Close the ledger on its own thread, after all that was asked before. May be called twice."""
        self._thread.shutdown(wait=True)
        self._ledger.close()

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def _start(self) -> None:
        changes, self._changes = self._changes, []
        waiters, self._waiters = self._waiters, []
        self._is_busy = True
        running = self._loop.run_in_executor(self._thread, self._ledger.commit, changes)
        running.add_done_callback(lambda done: self._finish(done, waiters))

    def _finish(self, done: asyncio.Future[None], waiters: list[asyncio.Future[None]]) -> None:
        self._is_busy = False
        if self._changes:
            self._start()
        error = done.exception()
        for waiter in waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
