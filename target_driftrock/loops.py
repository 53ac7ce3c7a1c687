"""Event loops in which nothing is raised to nobody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


def run(
    main: Coroutine[Any, Any, T],
    *,
    patience: float,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """What `main` returns or raises, in a loop of its own; before that, what one of the loop's callbacks raised.

    asyncio would log such a defect and go on, while somebody waits for what was not done. Here it cancels `main`, and
    once more after `patience` seconds, since what `main` waits for meanwhile may never come either.
    """
    watch = _Watch(patience)
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.get_loop().set_exception_handler(watch.note)
            result = runner.run(watch.run(main))
    except BaseException:
        if watch.defect is None:
            raise
    if watch.defect is not None:
        raise watch.defect  # with what led to it, and not as what a cancellation led to
    return result


class _Watch:
    """Takes what a loop would only log."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._task: asyncio.Task[Any] | None = None
        self.defect: BaseException | None = None

    async def run(self, main: Coroutine[Any, Any, T]) -> T:
        self._task = asyncio.current_task()
        return await main

    def note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """For `set_exception_handler`. An OSError that no callback raised is a lost connection's."""
        error = context.get("exception")
        is_defect = error is not None and ("handle" in context or not isinstance(error, OSError))
        if not is_defect or self.defect is not None or self._task is None:
            loop.default_exception_handler(context)
            return
        self.defect = error
        self._task.cancel()
        loop.call_later(self._patience, self._task.cancel)
