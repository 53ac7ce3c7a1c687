"""An event loop whose time jumps to the next timer as soon as nothing else is left to do.

Seconds pass in no time, every run takes the same course, and a wait that nothing can end is an error at once.
For one thread: nothing from outside can wake such a loop.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

Result = TypeVar("Result")
Parameters = TypeVarTuple("Parameters")


class NothingCanHappen(Exception):
    """Every task waits, and no timer is set: in real time this would hang for ever."""


class _Clock(selectors.SelectSelector):
    """In place of waiting for sockets, waits for nothing and lets time pass."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.now = start

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Nothing is ever ready; `timeout` seconds have passed."""
        if timeout is None:
            raise NothingCanHappen
        if timeout > 0:  # by a step that a float can show, or the timer would never be reached
            self.now = max(self.now + timeout, math.nextafter(self.now, math.inf))
        return []


def _never() -> bool:
    return False


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time begins at `start`. `defers`, asked before each step of a task, may put the step behind others."""

    def __init__(self, *, start: float = 0.0, defers: Callable[[], bool] = lambda: False) -> None:
        self._clock = _Clock(start)
        self._defers = defers
        self._is_enough: Callable[[], bool] = _never
        super().__init__(self._clock)

    def turn(self, *, until: Callable[[], bool]) -> None:
        """Go on from outside, as another thread would let it: until `until()` says so after a round of callbacks."""
        self._is_enough = until
        try:
            self.run_forever()
        finally:
            self._is_enough = _never

    def _run_once(self) -> None:
        super()._run_once()  # type: ignore[misc]  # not in the stubs: one round of callbacks
        if self._is_enough():
            self.stop()

    def time(self) -> float:
        """Virtual seconds."""
        return self._clock.now

    def call_soon(
        self, callback: Callable[[*Parameters], object], *args: *Parameters, context: Context | None = None
    ) -> asyncio.Handle:
        """The loop's own, but for the steps that are put behind others."""
        if isinstance(getattr(callback, "__self__", None), asyncio.Task) and self._defers():
            return super().call_soon(partial(self.call_soon, callback, *args, context=context))
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(
        self, callback: Callable[[*Parameters], object], *args: *Parameters, context: Context | None = None
    ) -> asyncio.Handle:
        """There is one thread only, so nobody has to be woken."""
        return self.call_soon(callback, *args, context=context)


def run(main: Coroutine[Any, Any, Result], *, start: float = 0.0) -> Result:
    """The result of `main` on virtual time that begins at `start`. What is left over is cancelled."""
    with asyncio.Runner(loop_factory=partial(VirtualLoop, start=start)) as runner:
        return runner.run(main)
