"""Lines of STATE into a pipe that is read, not read, or closed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import pytest

from target_driftrock.singer.writer import write_line

LONG = b"x" * 300_000
"""More than a pipe holds."""


@contextmanager
def piped() -> Iterator[int]:
    """A pipe for standard output; the end to read it from."""
    reading, writing = os.pipe()
    with open(reading, "rb", closefd=True) as kept, open(writing, "w", encoding="ascii") as out, redirect_stdout(out):  # noqa: PTH123
        yield kept.fileno()


def read(descriptor: int, size: int) -> bytes:
    """So many bytes, as they come."""
    data = b""
    while len(data) < size:
        data += os.read(descriptor, size - len(data))
    return data


def never() -> bool:
    """Whether there is need to hurry: there is none."""
    return False


def test_the_whole_line_is_written_when_it_is_longer_than_a_pipe_holds() -> None:
    """Piece by piece, byte for byte."""
    with piped() as descriptor:
        writer = threading.Thread(target=write_line, args=(LONG,), kwargs={"is_hurried": never})
        writer.start()

        assert read(descriptor, len(LONG) + 1) == LONG + b"\n"
        writer.join()


def test_the_wait_ends_when_nobody_reads_and_there_is_need_to_hurry() -> None:
    """A signal must not wait for a reader that has stopped to read."""
    hurries = iter([False, False])

    with piped(), pytest.raises(TimeoutError):
        write_line(LONG, is_hurried=lambda: next(hurries, True))


def test_a_slow_reader_gets_all_when_there_is_no_need_to_hurry() -> None:
    """Back-pressure of whoever keeps STATE is no fault."""
    waits = threading.Event()

    def note() -> bool:
        waits.set()
        return False

    with piped() as descriptor:
        writer = threading.Thread(target=write_line, args=(LONG,), kwargs={"is_hurried": note})
        writer.start()
        assert waits.wait(10)

        assert len(read(descriptor, len(LONG) + 1)) == len(LONG) + 1
        writer.join()


def test_it_is_told_when_the_reader_is_gone() -> None:
    """At once, as an error of the operating system."""
    reading, writing = os.pipe()
    os.close(reading)

    with open(writing, "w", encoding="ascii") as out, redirect_stdout(out), pytest.raises(BrokenPipeError):  # noqa: PTH123
        write_line(b"{}", is_hurried=never)
