"""The asynchronous side of a ledger: its own thread, and one transaction for all that waits."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar, cast

from target_driftrock.errors import NoThread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from target_driftrock.events.event import Capture, Event
    from target_driftrock.ledger.interface import Change, Known, Ledger

Given = TypeVar("Given")
Got = TypeVar("Got")


Result = tuple[Got, None] | tuple[None, Exception]


class AsyncLedger(Protocol):
    """What the dispatcher awaits. Every method may raise `errors.LedgerUnavailable`, or `errors.NoThread`."""

    async def recall(self, events: Sequence[Event]) -> list[Sequence[Known]]: ...

    async def proven(self, captures: Sequence[Capture]) -> list[bool]: ...

    async def trials(self, captures: Sequence[Capture]) -> list[int | None]: ...

    async def leave_trials(self, captures: Sequence[Capture]) -> None: ...

    async def commit(self, changes: Sequence[Change]) -> None:
        """Return once the changes are durable, in the order of the calls."""
        ...

    async def secure(self) -> None:
        """Return once the disk has all that was committed before this call."""
        ...


class LedgerThread:
    """Runs a ledger on one thread. Changes that come in one turn of the loop, or while a commit runs, share one.

    After the first error the ledger is asked nothing more, and every call raises that error: what a lost
    transaction left out must not be followed by what builds on it. `executor` runs one call at a time, in the
    order given; without one it has a thread of its own.
    """

    def __init__(self, ledger: Ledger, *, executor: Executor | None = None) -> None:
        self._ledger = ledger
        self._thread = executor or ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._changes: list[Change] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._is_busy = False
        self._is_closed = False
        self._error: Exception | None = None

    async def recall(self, events: Sequence[Event]) -> list[Sequence[Known]]:
        return await self._run(self._ledger.recall, events)

    async def proven(self, captures: Sequence[Capture]) -> list[bool]:
        return await self._run(self._ledger.proven, captures)

    async def trials(self, captures: Sequence[Capture]) -> list[int | None]:
        return await self._run(self._ledger.trials, captures)

    async def leave_trials(self, captures: Sequence[Capture]) -> None:
        await self._run(self._ledger.leave_trials, captures)

    async def commit(self, changes: Sequence[Change]) -> None:
        """See `AsyncLedger.commit`. Cancelling the wait does not undo the changes."""
        if not changes:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._changes.extend(changes)
        self._waiters.append(waiter)
        self._start_soon()
        await waiter

    async def secure(self) -> None:
        await self._run(lambda _: self._ledger.secure(), None)

    def close(self) -> None:
        """Return when all that was begun is done; what its caller still waits for may not be. May be called twice.

        The ledger stays open.
        """
        self._is_closed = True
        self._thread.shutdown(wait=True)

    def _run(self, call: Callable[[Given], Got], given: Given) -> asyncio.Future[Got]:
        """Less than `run_in_executor` does: its two futures and their locks cost more than the call."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Got] = loop.create_future()

        def work() -> None:  # within, so that nothing stands before the `try`
            try:
                self._perform(call, given, lambda result: loop.call_soon_threadsafe(_resolve, done, result))
            except BaseException as error:  # noqa: BLE001 - beside the call; nobody waits for it: raised on the loop
                loop.call_soon_threadsafe(_raise, error)

        try:
            self._thread.submit(work)
        except RuntimeError as error:
            self._error = self._error or (error if self._is_closed else NoThread())
            done.set_exception(self._error)
        return done

    def _perform(self, call: Callable[[Given], Got], given: Given, resolve: Callable[[Result[Got]], object]) -> None:
        """On the ledger's thread."""
        try:
            result: Result[Got] = self._ask(call, given), None
        except Exception as error:  # noqa: BLE001 - whoever awaits it gets it
            result = None, error
        resolve(result)

    def _ask(self, call: Callable[[Given], Got], given: Given) -> Got:
        """What waits behind a failing call is refused too."""
        if self._error is not None:
            raise self._error
        try:
            return call(given)
        except Exception as error:
            self._error = error
            raise

    def _start_soon(self) -> None:
        """When the loop has gone through what it has at hand: answers that came together share a transaction."""
        if self._changes and not self._is_busy:
            self._is_busy = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        changes, self._changes = self._changes, []
        waiters, self._waiters = self._waiters, []
        running = self._run(self._ledger.commit, changes)
        running.add_done_callback(lambda done: self._finish(done, waiters))

    def _finish(self, done: asyncio.Future[None], waiters: list[asyncio.Future[None]]) -> None:
        self._is_busy = False
        self._start_soon()
        error = done.exception()
        for waiter in waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)


def _raise(error: BaseException) -> NoReturn:
    raise error


def _resolve(future: asyncio.Future[Got], result: Result[Got]) -> None:
    """On the loop. Whoever awaited it may be gone."""
    value, error = result
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(cast("Got", value))
