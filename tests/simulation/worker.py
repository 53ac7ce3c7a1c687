"""In place of the delivery thread: one that works on virtual time, and only while the reader calls."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine

from tests.virtual_time import VirtualLoop

MOST_ROUNDS = 4
"""Of the loop's callbacks, at a call that does not wait: a thread may have done nothing meanwhile, or much."""


class Endless(SystemExit):
    """The run goes on for longer than anything in a story lasts: the loop goes no further."""


class VirtualWorker:
    """Turns its loop by random steps at every call. See `delivery.worker.Worker`."""

    def __init__(self, loop: VirtualLoop, chance: random.Random, *, longest: float) -> None:
        self._loop = loop
        self._chance = chance
        self._ends_by = loop.time() + longest
        self._task: asyncio.Task[None] | None = None
        self._has_news = False

    def start(self, main: Callable[[], Coroutine[None, None, None]]) -> None:
        """Begin, and return at the first news."""
        self._task = self._loop.create_task(main())
        self._task.add_done_callback(lambda _: self.notify())
        self._loop.turn(until=lambda: self._has_news)
        self._has_news = False

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Have it called, at once or later."""
        if self.is_running:
            self._loop.call_soon(function, *arguments)
            self.turn()

    def turn(self) -> None:
        """Some rounds, and no time passes."""
        rounds = self._chance.randrange(MOST_ROUNDS)

        def is_enough() -> bool:
            nonlocal rounds
            rounds -= 1
            self._loop.call_soon(_nothing)  # while something is ready, time stands still
            return rounds <= 0

        if rounds and self.is_running:
            self._loop.call_soon(_nothing)
            self._loop.turn(until=is_enough)

    def notify(self) -> None:
        """There is news."""
        self._has_news = True

    def wait(self, timeout: float) -> None:
        """Until there is news, for so much virtual time at most."""
        self._pass(timeout, is_over=lambda: self._has_news)
        self._has_news = False
        self.turn()

    def pause(self, seconds: float) -> None:
        """Let so much virtual time pass."""
        self._pass(seconds, is_over=lambda: False)

    def _pass(self, seconds: float, *, is_over: Callable[[], bool]) -> None:
        if self._loop.time() > self._ends_by:
            raise Endless
        passed: list[float] = []
        timer = self._loop.call_later(seconds, passed.append, seconds)  # which fires a trifle before its moment
        if not is_over():
            self._loop.turn(until=lambda: bool(passed) or is_over())
        timer.cancel()

    @property
    def is_started(self) -> bool:
        """Whether it has begun."""
        return self._task is not None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._task is not None and not self._task.done()

    @property
    def failure(self) -> BaseException | None:
        """What ended it, if it ended by itself."""
        return None if self._task is None or not self._task.done() else self._task.exception()


def _nothing() -> None:
    pass
