"""A sandbox beside other work of one process: a loop of its own in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread

from target_driftrock.sandbox.server import Sandbox, serving

_new_loop: Callable[[], asyncio.AbstractEventLoop]
try:
    import uvloop
except ImportError:  # no wheel for this platform
    _new_loop = asyncio.new_event_loop
else:
    _new_loop = uvloop.new_event_loop


def run(sandbox: Sandbox, *, host: str, port: int, listening: Callable[[str, asyncio.Event], None]) -> None:
    """Serve until the event given to `listening` is set; it is called with the URL, on the loop. Raises OSError."""

    async def stay() -> None:
        end = asyncio.Event()
        async with serving(sandbox, host=host, port=port) as url:
            listening(url, end)
            await end.wait()

    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(stay())


@contextmanager
def in_thread(sandbox: Sandbox, *, port: int = 0) -> Iterator[str]:
    """Serve `sandbox` on loopback while the `with` lasts; gives its URL. Raises OSError when it cannot listen."""
    ready: Future[tuple[str, Callable[[], object]]] = Future()

    def listening(url: str, end: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        ready.set_result((url, lambda: loop.call_soon_threadsafe(end.set)))

    def work() -> None:
        try:
            run(sandbox, host="127.0.0.1", port=port, listening=listening)
        except OSError as error:
            ready.set_exception(error)

    thread = Thread(target=work, name="sandbox", daemon=True)
    thread.start()
    url, end = ready.result()
    try:
        yield url
    finally:
        end()
        thread.join()
