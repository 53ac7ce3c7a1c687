"""Lines → messages, in waits that can be ended."""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import stat
import sys
import time
from collections import Counter
from typing import IO, TYPE_CHECKING, Any

from singer_sdk.io_base import GenericSingerReader, SingerMessageType

from target_driftrock.bounds import LINE_BYTES
from target_driftrock.errors import InputInvalid
from target_driftrock.singer.decoding import decode
from target_driftrock.singer.messages import ActivateVersion, Record, Schema, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from _typeshed import WriteableBuffer

    from target_driftrock.singer.messages import Message

_BUFFER = 256 * 1024

_KINDS: Mapping[type[Message], SingerMessageType] = {
    Record: SingerMessageType.RECORD,
    Schema: SingerMessageType.SCHEMA,
    State: SingerMessageType.STATE,
    ActivateVersion: SingerMessageType.ACTIVATE_VERSION,
}


def _never() -> bool:
    return False


def _nothing() -> None:
    pass


class Reader(GenericSingerReader[bytes]):
    """Reads a tap's messages and hands them over, each as a value of `messages`.

    UTF-8 whatever the locale; blank lines and a byte order mark are passed over. `tick` is called every
    `tick_seconds` or sooner after, whether lines come or not. Reading ends at the end of the input, as
    soon as `wake_fd` can be read (nothing is read from it), or between two lines once `is_stopped()`.
    An input without a descriptor (a `StringIO`) is read as it is: there, no wait can be ended.

    `line` is the number of the last line read; `counts` how many messages were read, by type, the one
    being handed over among them. Both hold after an exception, too.
    """

    def __init__(
        self,
        *,
        wake_fd: int | None = None,
        is_stopped: Callable[[], bool] = _never,
        tick: Callable[[], None] = _nothing,
        tick_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.line = 0
        self.counts: Counter[str] = Counter()
        self.place: tuple[int, int] | None = None
        """How many bytes of a file were read when `tick` was called last, and how many it has."""
        self.was_stopped = False
        """Whether reading ended before the end of the input was seen."""
        self._descriptor: int | None = None
        self._wake_fd = wake_fd
        self._is_stopped = is_stopped
        self._is_woken = False
        self._tick = tick
        self._tick_seconds = tick_seconds
        self._clock = clock
        self._due = clock() + tick_seconds

    @property
    def default_input(self) -> IO[Any]:
        """Standard input.

        Raises:
            InputInvalid: It is closed.
        """
        if sys.stdin is None:
            raise InputInvalid("Standard input is closed: pipe a tap into this target, or name a file by --input.")
        return sys.stdin

    def process_lines(
        self,
        file_input: IO[bytes] | IO[str] | None,
        callbacks: Mapping[str, Callable[[Any], None]],
    ) -> Counter[str]:
        """Hand every message to the callback of its type, in order; a type without one is counted alone.

        A file with a descriptor is read from where that stands: what Python has buffered of it is not seen.
        A last line without a newline counts, if it is a message.

        Raises:
            InputInvalid: A line is no message, or the input cannot be read. All before it was handed over.
        """
        for line in self._lines(file_input or self.default_input):
            if self._is_over():
                break
            self._tick_if_due()
            self.line += 1
            if line.strip():
                self._hand_over(decode(line, self.line), callbacks)
        return self.counts

    def deserialize_json(self, line: bytes) -> dict[str, Any]:
        """Not used: a line becomes a message at once, see `decoding`."""
        raise NotImplementedError

    def _hand_over(self, message: Message, callbacks: Mapping[str, Callable[[Any], None]]) -> None:
        kind = _KINDS[type(message)]
        self.counts[kind] += 1
        if (callback := callbacks.get(kind)) is not None:
            callback(message)

    def _lines(self, source: IO[Any]) -> Iterator[bytes]:
        self._descriptor = descriptor = _descriptor(source)
        readable: IO[bytes] | IO[str] = (
            getattr(source, "buffer", source)
            if descriptor is None
            else io.BufferedReader(_Waiting(lambda buffer: self._fill(buffer, descriptor)), _BUFFER)
        )
        while line := readable.readline(LINE_BYTES + 1):  # not iterated: a line might never end
            if len(line) > LINE_BYTES:
                raise InputInvalid(_TOO_LONG.format(line=self.line + 1, bound=LINE_BYTES // 2**20))
            data = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
            yield data if self.line else data.removeprefix(codecs.BOM_UTF8)

    def _fill(self, buffer: WriteableBuffer, descriptor: int) -> int:
        """Wait for input and read some of it. Nothing at its end, and once reading is over."""
        sources = [descriptor] if self._wake_fd is None else [descriptor, self._wake_fd]
        while not self._is_over():
            ready, _, _ = select.select(sources, [], [], max(0.0, self._due - self._clock()))
            self._tick_if_due()
            if self._wake_fd in ready:
                self._is_woken = True
            elif descriptor in ready:
                return self._read(buffer, descriptor)
        return 0

    def _read(self, buffer: WriteableBuffer, descriptor: int) -> int:
        try:
            count = os.readv(descriptor, [buffer])
        except OSError as error:
            cause = errno.errorcode.get(error.errno or 0, "unknown")
            raise InputInvalid(f"The input cannot be read after line {self.line} ({cause}): run again.") from error
        if not count:
            self.place = _place(descriptor)
        return count

    def _is_over(self) -> bool:
        self.was_stopped = self._is_woken or self._is_stopped()
        return self.was_stopped

    def _tick_if_due(self) -> None:
        now = self._clock()
        if now >= self._due:
            self._due = now + self._tick_seconds
            self.place = _place(self._descriptor)
            self._tick()


_TOO_LONG = (
    "Line {line} is longer than {bound} MiB: mend the tap, or have it leave out the property that takes so much room."
)


class _Waiting(io.RawIOBase):
    """Lets the standard library split lines of any length over a read that waits in our own way."""

    def __init__(self, fill: Callable[[WriteableBuffer], int]) -> None:
        self._fill = fill

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return self._fill(buffer)


def _descriptor(source: IO[Any]) -> int | None:
    try:
        return source.fileno()
    except (AttributeError, OSError):  # io.UnsupportedOperation is an OSError
        return None


def _place(descriptor: int | None) -> tuple[int, int] | None:
    """How many bytes of a file were read, and how many it has; None where it is no file."""
    if descriptor is None:
        return None
    found = os.fstat(descriptor)
    return (os.lseek(descriptor, 0, os.SEEK_CUR), found.st_size) if stat.S_ISREG(found.st_mode) else None
