"""The program in a process of its own: how it is started, fed, watched, told signals, and left."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from signal import SIGTERM, Signals
from threading import Thread
from typing import IO, Any, NamedTuple

from tests.sandbox.wire import Wire
from tests.waiting import PATIENCE, NotInTime, until

ROOT = Path(__file__).parents[1]
PROGRAM = Path(sys.executable).with_name("target-driftrock")
"""The installed command."""

Message = Mapping[str, Any] | bytes
"""What a tap says; bytes are a line as it stands."""


def written(messages: Iterable[Message]) -> bytes:
    """Messages as a tap writes them."""
    return b"".join(
        message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n" for message in messages
    )


class Ended(NamedTuple):
    """How a process ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def states(self) -> list[Any]:
        """Standard output, where it holds STATE and nothing else."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def last_line(self) -> str:
        """How the run says that it ended."""
        return self.err.splitlines()[-1] if self.err else ""


class Running:
    """A process that is fed and watched. Its lines are collected as they come, but for those that nobody is to read."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        *,
        is_read: bool = True,
        most: int | None = None,
        keep: Callable[[bytes], object] = lambda _: None,
    ) -> None:
        """Each line of standard output goes to `keep`, and after `most` it is closed; all that only if it `is_read`."""
        self.process = process
        self.fed = 0
        """Of the lines that are poured, how many it has read or the pipe holds."""
        self._out: list[bytes] = []
        self._err: list[bytes] = []
        self._new: queue.Queue[bytes] = queue.Queue()
        self._threads: list[Thread] = []
        self._is_poured = False
        if is_read and process.stdout is not None:
            self._begin(self._collect, process.stdout, most, (keep, self._out.append, self._new.put))
        self._begin(self._collect, process.stderr, None, (self._err.append,))

    @property
    def states(self) -> int:
        """How many lines it has written."""
        return len(self._out)

    @property
    def out(self) -> str:
        """What it has written so far."""
        return b"".join(self._out).decode()

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return b"".join(self._err).decode()

    def feed(self, messages: Iterable[Message]) -> None:
        """Write messages, as a tap that goes on afterwards."""
        assert self.process.stdin is not None
        self.process.stdin.write(written(messages))
        self.process.stdin.flush()

    def pour(self, lines: Iterable[bytes]) -> None:
        """Have lines written as fast as it takes them, and its input ended behind them."""
        self._is_poured = True
        self._begin(self._pour, lines)

    def next_state(self) -> Any:
        """The next STATE that it writes."""
        return json.loads(self._new.get(timeout=PATIENCE))

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def until(self, holds: Callable[[], bool], *, seconds: float = PATIENCE) -> bool:
        """Wait until `holds` says so; False if the process ended before.

        Raises:
            NotInTime: It took too long.
        """
        is_so = False

        def is_over() -> bool:
            nonlocal is_so
            is_alive = self.is_alive
            is_so = is_alive and holds()
            return is_so or not is_alive

        try:
            until(is_over, seconds=seconds)
        except NotInTime:
            raise NotInTime(f"{holds.__qualname__}, after {self.log[-500:]}") from None
        return is_so

    def lasts(self, seconds: float) -> bool:
        """Watch it for so long: whether it was at work all the time."""
        end = time.monotonic() + seconds
        return self.until(lambda: time.monotonic() >= end, seconds=2 * seconds)

    def tell(self, number: Signals) -> bool:
        """Send it a signal, unless it has ended: whether it was sent."""
        is_alive = self.is_alive
        self.process.send_signal(number)
        return is_alive

    def close(self) -> None:
        """End its input."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def ended(self, *, seconds: float = PATIENCE) -> Ended:
        """What it left, once its input and it are at their end.

        Raises:
            NotInTime: It took too long.
        """
        self._close_unless_poured()
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise NotInTime(f"its end, after {self.log[-500:]}") from None
        self._join()
        return Ended(code=code, out=self.out, err=self.log)

    def kill(self) -> None:
        """Leave nothing of it, whatever it is doing."""
        self.process.kill()
        self._close_unless_poured()
        self.process.wait(PATIENCE)
        self._join()

    def _close_unless_poured(self) -> None:
        if self.process.stdin is not None and not self._is_poured:
            self.close()

    def _join(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)

    def _begin(self, work: Callable[..., None], *arguments: Any) -> None:
        self._threads.append(Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()

    def _pour(self, lines: Iterable[bytes]) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError), self.process.stdin as pipe:
            for line in lines:
                pipe.write(line)
                self.fed += 1

    @staticmethod
    def _collect(pipe: IO[bytes], most: int | None, takers: Iterable[Callable[[bytes], object]]) -> None:
        with pipe:
            for line in islice(pipe, most):
                for take in takers:
                    take(line)


@contextmanager
def started(
    *arguments: str,
    folder: Path,
    command: Sequence[str | Path] = (PROGRAM,),
    source: Running | None = None,
    out: int | IO[bytes] = subprocess.PIPE,
    environ: Mapping[str, str] | None = None,
    **reading: Any,
) -> Iterator[Running]:
    """A process at work in `folder`, on what `source` writes if there is one; killed at the end, if it lives.

    It knows nothing of ours but where programs are, and `environ`. `command` is whose the arguments are, and `reading`
    what becomes of its standard output: see `Running`.
    """
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    with subprocess.Popen(
        [*command, *arguments],
        cwd=folder,
        env={**kept, "HOME": "/nonexistent", "PYTHONWARNINGS": "error", **(environ or {})},
        stdin=subprocess.PIPE if source is None else source.process.stdout,
        stdout=out,
        stderr=subprocess.PIPE,
    ) as process:
        if source is not None and source.process.stdout is not None:
            source.process.stdout.close()  # this process alone reads it
        running = Running(process, **reading)
        try:
            yield running
        finally:
            running.kill()


def finished(*arguments: str, folder: Path, given: bytes = b"", seconds: float = PATIENCE, **others: Any) -> Ended:
    """The whole of a process, with `given` as its input. `others` are those of `started`."""
    with started(*arguments, folder=folder, **others) as running:
        running.pour([given])
        return running.ended(seconds=seconds)


def interpreted(code: str, *arguments: str, **environ: str) -> Ended:
    """Code in a fresh interpreter, in which nothing is imported yet."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return finished(*arguments, folder=ROOT, command=command, environ=environ)


@contextmanager
def serving(*options: str, command: Sequence[str | Path] = (PROGRAM, "sandbox")) -> Iterator[tuple[Running, Wire]]:
    """A sandbox in a process of its own, on a free port unless `options` have one, once it says that it is ready."""
    with started("--port", "0", *options, folder=Path(), command=command) as running:
        assert running.until(lambda: "\n" in running.log), running.log
        ready = re.match(r"Sandbox ready at (http://\S+) ", running.log)
        assert ready is not None, running.log
        yield running, Wire(ready[1])


@contextmanager
def sandbox(*options: str) -> Iterator[Wire]:
    """The same, which is let end by itself."""
    with serving(*options) as (running, wire):
        try:
            yield wire
        finally:
            running.tell(SIGTERM)
            running.ended()
