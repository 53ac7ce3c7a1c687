"""One trial: a sandbox with its faults, a ledger, and runs of the installed command, one after the other."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL
from typing import Any

from tests.faults import memory, witness
from tests.faults.crowd import Entry, bookmark, mappings, since, tap
from tests.faults.finding import Finding, judged
from tests.faults.memory import InDirectory, Memory
from tests.faults.witness import Arrival, Witness
from tests.program import PROGRAM, Running, sandbox, started
from tests.sandbox.wire import Wire

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
        source: Running | None = None,
        most: int | None = None,
        file_limit: int | None = None,
        **changes: Any,
    ) -> Iterator[Running]:
        """The command at work on these lines, or on what another process writes. It is killed at the end, if it lives.

        After `most` lines, if they are said, its standard output is closed.
        """
        path = self._config(**changes)
        before = [] if file_limit is None else [sys.executable, "-c", LIMITED, str(file_limit)]
        with started(
            *("--config", str(path)),
            folder=self.folder,
            command=[*before, PROGRAM],
            source=source,
            most=most,
            keep=self._keep,
        ) as run:
            if source is None:
                run.pour(lines)
            try:
                yield run
            finally:
                path.with_suffix(".log").write_text(run.log, encoding="utf-8")

    def tap(self, lines: Iterable[bytes]) -> AbstractContextManager[Running]:
        """A process that writes these lines, says so, and then stays silent until it is killed."""
        path = self.folder / "tap"
        path.write_bytes(b"".join(lines))
        return started(str(path), folder=self.folder, command=[sys.executable, "-c", WRITER], is_read=False)

    def rejects(self) -> AbstractContextManager[Running]:
        """The command that writes what the ledger keeps, as a tap does."""
        return started("rejects", "--config", str(self._config()), folder=self.folder, is_read=False)

    def _config(self, **changes: Any) -> Path:
        self.started += 1
        path = self.folder / f"config-{self.started}.json"
        path.write_text(json.dumps({**self.settings, **changes}), encoding="utf-8")
        return path

    def deliver(self, lines: Iterable[bytes], *, file_limit: int | None = None, **changes: Any) -> int:
        """Run the command to its end; its exit code."""
        with self.run(lines, file_limit=file_limit, **changes) as run:
            return self.end(run)

    def killed(self, when: Callable[[], bool]) -> bool:
        """Run the command on the whole input, and `kill -9` it once `when` says so: whether it was at work then."""
        with self.run(self.whole()) as run:
            run.until(when)
            is_sent = run.tell(SIGKILL)
            self.end(run)
        return is_sent

    def end(self, run: Running) -> int:
        """Wait for a run's end, and note its exit code."""
        self.codes.append(run.ended(seconds=REST_SECONDS).code)
        return self.codes[-1]

    @property
    def directory(self) -> InDirectory:
        """The ledger, which is SQLite's here."""
        assert isinstance(self.memory, InDirectory)
        return self.memory

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
