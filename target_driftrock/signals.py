"""Signals that end a run, as something to look at and to wait for, never as an exception in the middle of work."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def end_at_once() -> None:
    """From here on a signal of `ENDING` ends the process where it is, unless it is ignored already.

    For the kernel does so, and without a traceback; but it gives the first process of a container none of its defaults.
    """
    is_first = os.getpid() == 1
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end if is_first else signal.SIG_DFL)
    if is_first:
        _watch()


def _end(number: int, frame: FrameType | None = None) -> None:
    del frame
    os._exit(128 + number)


def _watch() -> None:
    """Python runs no handler while it waits within a library, for a lock of SQLite, say: a thread hears of it then."""
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    with suppress(RuntimeError):  # this machine starts no further thread: the handler is left
        Thread(target=lambda: _end(os.read(heard, 1)[0]), name="signals", daemon=True).start()


class Signals:
    """While entered, the signals of `ENDING` set `received` and make `wake_fd` readable. For the main thread.

    A SIGHUP that is ignored already stays so: `nohup` means it.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        """The first signal that came."""
        self.count = 0
        self.wake_fd, self._write_fd = os.pipe()
        os.set_blocking(self._write_fd, False)
        self._before: dict[signal.Signals, object] = {}
        self._wakeup_before = -1

    def __enter__(self) -> Self:
        self._wakeup_before = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number in ENDING:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]  # what signal() gave
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self.wake_fd)
        os.close(self._write_fd)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.count += 1
        self.received = self.received or signal.Signals(number)
