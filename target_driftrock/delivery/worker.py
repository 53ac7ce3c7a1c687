"""The one thread that delivers: an event loop of its own, behind calls that do not block. Decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Protocol

import uvloop

from target_driftrock import loops
from target_driftrock.errors import NoThread

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Main = Callable[[], Coroutine[None, None, None]]

_ABANDON_SECONDS = 5.0
"""How long `main` may still wind down after a defect of the loop's callbacks."""
_LOOK_SECONDS = 0.5


class Worker(Protocol):
    """Runs one coroutine beside the reader. All methods but `notify` are for the reader's thread."""

    def start(self, main: Main) -> None:
        """Begin with `main`, and return when it has called `notify` for the first time, or has ended."""
        ...

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Have the worker's loop call this soon; nothing once it has ended."""
        ...

    def notify(self) -> None:
        """For the worker's own loop: there is news."""
        ...

    def wait(self, timeout: float) -> None:
        """Return when there is news, when the worker has ended, or after `timeout` seconds."""
        ...

    def pause(self, seconds: float) -> None:
        """Let so much time pass."""
        ...

    @property
    def is_started(self) -> bool:
        """Whether `start` was called."""
        ...

    @property
    def is_running(self) -> bool:
        """Whether `main` has begun and has not ended."""
        ...

    @property
    def failure(self) -> BaseException | None:
        """What ended `main`, if it ended by itself."""
        ...


class ThreadWorker:
    """A daemon thread with uvloop.

    The reader owns this object, the thread owns the loop and everything that was made in it. Between the two pass only
    calls (`call_soon_threadsafe`), and what `main` leaves in places that are safe for two threads.
    """

    def __init__(self) -> None:
        self._news = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: BaseException | None = RuntimeError("The delivery thread has not come to its end.")
        self._thread: threading.Thread | None = None

    def start(self, main: Main) -> None:
        """See `Worker.start`.

        Raises:
            NoThread: None can be had.
        """
        thread = threading.Thread(target=self._work, args=(main,), name="delivery", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            raise NoThread from None
        self._thread = thread
        while not self._news.wait(_LOOK_SECONDS) and thread.is_alive():
            pass
        self._news.clear()

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the thread has ended
                self._loop.call_soon_threadsafe(function, *arguments)

    def notify(self) -> None:
        self._news.set()

    def wait(self, timeout: float) -> None:
        self._news.wait(timeout)
        self._news.clear()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    @property
    def is_started(self) -> bool:
        return self._thread is not None

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def failure(self) -> BaseException | None:
        return self._failure if self.is_started and not self.is_running else None

    def _work(self, main: Main) -> None:
        try:
            loops.run(self._run(main), patience=_ABANDON_SECONDS, loop_factory=uvloop.new_event_loop)
            self._failure = None
        except BaseException as failure:  # noqa: BLE001 - kept for the reader's thread, which raises it
            self._failure = failure
        finally:
            self._news.set()

    async def _run(self, main: Main) -> None:
        self._loop = asyncio.get_running_loop()
        await main()
