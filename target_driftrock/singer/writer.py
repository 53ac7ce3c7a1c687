"""Lines of STATE → standard output, in waits that can be ended."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_SECONDS = 0.25
HURRIED_SECONDS = 2.0
"""So long a reader that does not read is waited for once there is need to hurry."""


def write_line(value: bytes, *, is_hurried: Callable[[], bool]) -> None:
    """Write one line, whatever the encoding, for as long as its reader takes.

    Raises:
        OSError: Nobody can read it; or nobody does, and `is_hurried()`: then a part of the line may be written.
    """
    if sys.stdout is None:
        raise BrokenPipeError
    try:
        descriptor = sys.stdout.fileno()
    except io.UnsupportedOperation:
        _write_to_memory(value + b"\n")
    else:
        _write(descriptor, value + b"\n", is_hurried)


def _write(descriptor: int, line: bytes, is_hurried: Callable[[], bool]) -> None:
    """A pipe that can be written takes `PIPE_BUF` bytes without blocking; a longer write could not be ended."""
    ticks = HURRIED_SECONDS / TICK_SECONDS
    while line:
        _, ready, _ = select.select([], [descriptor], [], TICK_SECONDS)
        if ready:
            line = line[os.write(descriptor, line[: select.PIPE_BUF]) :]
            continue
        ticks -= is_hurried()
        if ticks <= 0:
            raise TimeoutError


def _write_to_memory(line: bytes) -> None:
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(line.decode())
    else:
        binary.write(line)
    sys.stdout.flush()
