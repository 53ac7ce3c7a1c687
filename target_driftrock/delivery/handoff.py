"""The one thread that delivers: an event loop behind blocking calls. Decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import uvloop

from target_driftrock.delivery.passage import Progress
from target_driftrock.errors import NoThread
from target_driftrock.events.outcome import Open

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from target_driftrock.delivery.dispatcher import Dispatcher
    from target_driftrock.delivery.passage import Outlook
    from target_driftrock.events.event import Part
    from target_driftrock.events.outcome import Outcome

    Report = Callable[[Part, Outcome], None]
    OpenDispatcher = Callable[[Report], AbstractAsyncContextManager[Dispatcher]]


GATHER_SECONDS = 0.02
"""How long what is settled gathers before a reader that waits goes on: to change threads for each costs much more."""


class Handoff:
    """Takes parts in the order read, and gives each back with its outcome.

    All methods are for one thread, the reader's; none blocks but `start` and those that say that they wait.
    """

    def __init__(self, open_dispatcher: OpenDispatcher, *, grace: float) -> None:
        self._open_dispatcher = open_dispatcher
        self._grace = grace
        self._inbox: deque[Part] = deque()
        self._outcomes: deque[tuple[Part, Outcome]] = deque()
        self._news = threading.Event()
        self._is_open = threading.Event()
        self._is_secured = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dispatcher: Dispatcher | None = None
        self._outlook: Outlook | None = None
        self._failure: BaseException | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._deliver, name="delivery", daemon=True)

    def start(self) -> None:
        """Start the thread, and return when it takes parts.

        Raises:
            NoThread: None can be had.
        """
        try:
            self._thread.start()
        except RuntimeError:
            raise NoThread from None
        self._is_open.wait()

    def submit(self, parts: Sequence[Part]) -> None:
        """Hand parts over. What the thread can no longer take comes back open."""
        self._inbox.extend(parts)
        if self._dispatcher is not None:
            self._call(self._hand_over)

    def end_input(self) -> None:
        """Nothing more will be submitted."""
        if self._dispatcher is not None:
            self._call(self._dispatcher.end_input)

    def stop(self) -> None:
        """Start nothing more, and let what is in flight finish for the grace. A second call ends that too."""
        if self._dispatcher is not None:
            self._call(self._dispatcher.stop)

    def secure(self) -> None:
        """Have the disk keep all that was reported so far. `is_secured` says when it does."""
        self._is_secured.clear()
        if self._dispatcher is not None:
            self._call(self._dispatcher.secure, self._is_secured.set)

    @property
    def is_secured(self) -> bool:
        """Whether the disk has kept what `secure` was called for."""
        return self._is_secured.is_set()

    def wait(self, timeout: float) -> None:
        """Return when something was settled, when the thread has ended, or after `timeout` seconds."""
        self._news.wait(timeout)
        self._news.clear()

    def wait_for_room(self, timeout: float) -> None:
        """Say that the reader can go on only when something is settled, `wait`, and let some more gather."""
        if self._dispatcher is not None:
            self._call(self._dispatcher.note_reader_waits)
        self.wait(timeout)
        time.sleep(GATHER_SECONDS)

    def take_outcomes(self) -> list[tuple[Part, Outcome]]:
        """What was settled since the last call, in the order of the commits; after the end, what was not taken too."""
        if not self.is_running:
            self._outcomes.extend((part, Open(reason="never sent")) for part in self._take_inbox())
        return [self._outcomes.popleft() for _ in range(len(self._outcomes))]

    @property
    def is_started(self) -> bool:
        """Whether `start` was called."""
        return self._thread.ident is not None

    @property
    def is_running(self) -> bool:
        """Whether the thread still delivers."""
        return self._thread.is_alive()

    @property
    def failure(self) -> BaseException | None:
        """What stopped the thread, if it stopped by itself."""
        return None if self.is_running else self._failure

    @property
    def progress(self) -> Progress:
        """The dispatcher's counters, as they are at this moment."""
        return Progress() if self._dispatcher is None else self._dispatcher.progress

    def look_ahead(self) -> Outlook | None:
        """How things stood with the API when this was called last; it is asked for anew. None at first."""
        if self._dispatcher is not None:
            self._call(self._look)
        return self._outlook

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None  # noqa: S101 - set together with the dispatcher
        with contextlib.suppress(RuntimeError):  # the loop is closed: the thread has ended
            self._loop.call_soon_threadsafe(function, *arguments)

    def _deliver(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._run())
        except BaseException as failure:  # noqa: BLE001 - kept for the reader's thread, which raises it
            self._failure = failure
        finally:
            self._is_open.set()
            self._news.set()

    async def _run(self) -> None:
        async with self._open_dispatcher(self._report) as dispatcher:
            self._loop = asyncio.get_running_loop()
            self._dispatcher = dispatcher
            self._is_open.set()
            try:
                await dispatcher.run(grace=self._grace)
            finally:
                self._is_over = True

    def _look(self) -> None:
        if self._dispatcher is not None:
            self._outlook = self._dispatcher.outlook()

    def _hand_over(self) -> None:
        if self._dispatcher is not None and not self._is_over:
            self._dispatcher.submit(self._take_inbox())

    def _take_inbox(self) -> list[Part]:
        return [self._inbox.popleft() for _ in range(len(self._inbox))]

    def _report(self, part: Part, outcome: Outcome) -> None:
        self._outcomes.append((part, outcome))
        self._news.set()
