"""One trial: a sandbox with its faults, a ledger, and runs of the installed command, one after the other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

from tests.acceptance.process import PROGRAM, sandbox
from tests.faults import memory, witness
from tests.faults.crowd import Entry, bookmark, mappings, since, tap
from tests.faults.finding import Finding, judged
from tests.faults.memory import InDirectory, Memory
from tests.faults.witness import Arrival, Witness
from tests.sandbox.wire import Wire

SECONDS = 90.0
"""How long anything may take, on a machine that is busy."""
REST_SECONDS = 600.0
"""How long a run may take to its end: what an outage has held up comes then."""
SLOTS = 16
"""`max_concurrency` of every run."""
RECORD = "arrivals.jsonl"
LIMITED = (
    "import os, resource, sys; n = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_FSIZE, (n, n));"
    "os.execv(sys.argv[2], sys.argv[2:])"
)
"""A program that becomes another one, whose files may only grow so far; Python ignores SIGXFSZ, as its children do."""


WRITER = (
    "import pathlib, sys; sys.stdout.buffer.write(pathlib.Path(sys.argv[1]).read_bytes()); sys.stdout.flush();"
    "print('written', file=sys.stderr, flush=True); sys.stdin.read()"
)
"""A tap that writes a file, says so on standard error, and then neither writes nor ends."""


class NotInTime(Exception):
    """What a trial waited for did not happen."""


class NotPlayed(Exception):
    """This machine has not what a row needs."""


@dataclass(slots=True, kw_only=True)
class Trial:
    """Plays Meltano: keeps the latest STATE, and reads from there when it runs again."""

    wire: Wire
    witness: Witness
    memory: Memory
    folder: Path
    entries: Sequence[Entry]
    settings: dict[str, Any]
    bookmark: int = 0
    codes: list[int] = field(default_factory=list)
    started: int = 0
    api: ExitStack
    """Closing it ends the sandbox's process."""

    @contextmanager
    def run(
        self,
        lines: Iterable[bytes] = (),
        *,
        source: subprocess.Popen[bytes] | None = None,
        states: int | None = None,
        file_limit: int | None = None,
        **changes: Any,
    ) -> Iterator[Run]:
        """The command at work on these lines, or on what another process writes. It is killed at the end, if it lives.

        After so many `states`, if they are said, its standard output is closed.
        """
        path = self._config(**changes)
        before = [] if file_limit is None else [sys.executable, "-c", LIMITED, str(file_limit)]
        with (
            path.with_suffix(".log").open("wb") as log,
            subprocess.Popen(
                [*before, PROGRAM, "--config", str(path)],
                stdin=subprocess.PIPE if source is None else source.stdout,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,
                env=_environment(),
            ) as process,
        ):
            if source is not None and source.stdout is not None:
                source.stdout.close()  # the command alone reads it
            try:
                yield Run(process, lines, log=Path(log.name), keep=self._keep, states=states)
            finally:
                process.kill()

    @contextmanager
    def tap(self, lines: Iterable[bytes]) -> Iterator[subprocess.Popen[bytes]]:
        """A process that writes these lines, and then stays silent until it is killed."""
        path = self.folder / "tap"
        path.write_bytes(b"".join(lines))
        with self._process(sys.executable, "-c", WRITER, str(path), stderr=subprocess.PIPE) as process:
            yield process

    @contextmanager
    def rejects(self) -> Iterator[subprocess.Popen[bytes]]:
        """The command that writes what the ledger keeps, as a tap does."""
        with self._process(PROGRAM, "rejects", "--config", str(self._config()), stderr=subprocess.DEVNULL) as process:
            yield process

    @contextmanager
    def _process(self, *arguments: str | Path, stderr: int) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=self.folder,
            env=_environment(),
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def _config(self, **changes: Any) -> Path:
        self.started += 1
        path = self.folder / f"config-{self.started}.json"
        path.write_text(json.dumps({**self.settings, **changes}), encoding="utf-8")
        return path

    def deliver(self, lines: Iterable[bytes], *, file_limit: int | None = None, **changes: Any) -> int:
        """Run the command to its end; its exit code."""
        with self.run(lines, file_limit=file_limit, **changes) as run:
            return self.end(run)

    def end(self, run: Run) -> int:
        """Wait for a run's end, and note its exit code."""
        self.codes.append(run.ended())
        return self.codes[-1]

    def whole(self) -> Iterator[bytes]:
        """The input from its first line, as if no STATE had ever been written."""
        return tap(self.entries)

    def rest(self) -> Iterator[bytes]:
        """The input from the latest STATE on, inclusive."""
        return tap(since(self.entries, self.bookmark))

    def again(self, number: int) -> Iterator[bytes]:
        """What the `number`th trial of a row runs again: every third one everything, the others the rest."""
        return self.whole() if number % 3 == 2 else self.rest()

    def fault(self, **faults: Any) -> None:
        """Change the sandbox's faults while it runs."""
        reply = self.wire.post("/_sandbox/faults", faults)
        assert reply.status == 200, reply.body

    def api_again(self) -> None:
        """Start a sandbox without faults where the one that was ended listened; it goes on with the same record."""
        _, port = self.wire.address
        self.api.enter_context(sandbox("--record", str(self.folder / RECORD), "--port", str(port)))

    def seen(self, **what: Any) -> list[Arrival]:
        """The arrivals with this outcome or this status."""
        return [each for each in self.arrivals() if all(getattr(each, name) == value for name, value in what.items())]

    def count(self, **what: Any) -> int:
        """How many arrivals there are with this outcome or this status."""
        return len(self.seen(**what))

    def arrivals(self) -> Sequence[Arrival]:
        """What reached the sandbox."""
        return self.witness.arrivals()

    def arrived(self) -> int:
        """How many requests the sandbox has seen."""
        return len(self.witness.arrivals())

    def accepted(self) -> list[Arrival]:
        """What the sandbox accepted."""
        return self.witness.accepted()

    def finding(self, happened: Mapping[str, int], *, late: Collection[int] = (), **bounds: Any) -> Finding:
        """Judge what happened by what was promised: `bounds` are those of `finding.judged`.

        `late` are serials that were refused at first, and sent again later: in order among themselves.
        """
        accepted, unknown, kept = self.accepted(), memory.unknown(self.memory), memory.kept(self.memory)
        twice = witness.twice(accepted)
        found = Finding(
            happened=Counter({name: int(count) for name, count in happened.items()}),
            records=len(self.entries),
            lost=len(witness.lost(accepted, self.entries, kept=kept)),
            twice=twice.total(),
            uncounted=(twice - unknown).total(),
            unknown=unknown.total(),
            kept=len(kept),
            out_of_order=len(witness.out_of_order(accepted, late=late)),
            codes=tuple(self.codes),
        )
        return judged(found, **bounds)

    def _keep(self, line: bytes) -> None:
        self.bookmark = bookmark(line)


class Run:
    """A process that reads its lines, whose STATE is kept."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        lines: Iterable[bytes],
        *,
        log: Path,
        keep: Callable[[bytes], None],
        states: int | None = None,
    ) -> None:
        self.process = process
        self.states = 0
        self.fed = 0
        """Lines that it has read, or the pipe holds."""
        self._log = log
        self._keep = keep
        self._feeder = threading.Thread(target=self._feed, args=(process.stdin, lines), daemon=True)
        self._reader = threading.Thread(target=self._collect, args=(process.stdout, states), daemon=True)
        self._feeder.start()
        self._reader.start()

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(encoding="utf-8")

    def until(self, holds: Callable[[], bool], *, seconds: float = SECONDS) -> bool:
        """Wait until `holds` says so; False if the process ended before.

        Raises:
            NotInTime: It took too long.
        """
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            if holds():
                return True
            if time.monotonic() >= deadline:
                raise NotInTime(f"{holds.__qualname__}, after {self.log[-500:]}")
            pause(0.005)
        return False

    def lasts(self, seconds: float) -> bool:
        """Watch it for so long: whether it was at work all the time."""
        end = time.monotonic() + seconds
        return self.until(lambda: time.monotonic() >= end, seconds=2 * seconds)

    def kill(self, number: signal.Signals) -> bool:
        """Send it a signal, unless it has ended: whether it was sent."""
        is_alive = self.process.poll() is None
        self.process.send_signal(number)
        return is_alive

    def ended(self) -> int:
        """Its exit code, once it has ended and all its STATE is kept."""
        try:
            code = self.process.wait(REST_SECONDS)
        except subprocess.TimeoutExpired:
            raise NotInTime(f"its end, after {self.log[-500:]}") from None
        self._reader.join(SECONDS)
        self._feeder.join(SECONDS)
        return code

    def _feed(self, pipe: IO[bytes] | None, lines: Iterable[bytes]) -> None:
        if pipe is None:
            return
        with suppress(BrokenPipeError), pipe:
            for line in lines:
                pipe.write(line)
                self.fed += 1

    def _collect(self, pipe: IO[bytes], most: int | None) -> None:
        with pipe:
            for line in islice(pipe, most):
                self._keep(line)
                self.states += 1


def pause(seconds: float) -> None:
    """Leave the processor to those who are watched."""
    threading.Event().wait(seconds)


@contextmanager
def trial(
    folder: Path, entries: Sequence[Entry], *options: str, ledger: Memory | None = None, **settings: Any
) -> Iterator[Trial]:
    """A new sandbox with these options, and a new ledger; by default SQLite's."""
    folder.mkdir()
    record = folder / RECORD
    with ExitStack() as api:
        wire = api.enter_context(sandbox("--record", str(record), *options))
        place = ledger or InDirectory(folder / "ledger")
        given = {
            "environment": "sandbox",
            "api_url": wire.url,
            "client_id": "an-id",
            "client_secret": "a-secret",
            "ledger": place.setting,
            "max_concurrency": SLOTS,
            "streams": mappings("capture"),
            **settings,
        }
        yield Trial(
            wire=wire,
            witness=Witness(record),
            memory=place,
            folder=folder,
            entries=entries,
            settings=given,
            api=api,
        )


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
