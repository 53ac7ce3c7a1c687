"""Signals that end a run, as something to look at and to wait for, never as an exception in the middle of work."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def end_at_once() -> None:
    """From here on a signal of `ENDING` ends the process where it is, unless it is ignored already.

    For the kernel does so, and without a traceback; but it gives the first process of a container none of its defaults.
    """
    ending = _end if os.getpid() == 1 else signal.SIG_DFL
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, ending)


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    os._exit(128 + number)


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
