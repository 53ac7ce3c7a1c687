"""Runs that are watched from within: which of our lines they execute, what they start, and what they write to."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.program import ROOT, Ended
from tests.warm import Warm, warmed

_ONCE = "import coverage, json, sys; sys.dont_write_bytecode = True"
_WATCH = """
import atexit, coverage, json, os, sys
watched_at = os.environ.pop("WATCHED")
told = {"started": [], "written": []}
def look(event, given):
    if event in ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"):
        told["started"].append(event)
    if event == "open" and isinstance(given[0], str) and given[2] & (os.O_WRONLY | os.O_RDWR):
        told["written"].append(str(given[0]))
    if event == "sqlite3.connect":
        told["written"].append(str(given[0]))
lines = coverage.Coverage(data_file=None, include=["*/target_driftrock/*"], config_file=False)
def leave():
    lines.stop()
    data = lines.get_data()
    told["lines"] = {file: data.lines(file) for file in data.measured_files()}
    with open(watched_at, "w") as file:
        json.dump(told, file)
atexit.register(leave)
sys.addaudithook(look)
lines.start()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A program that is run again and again, and what was seen of it."""

    warm: Warm
    place: Path
    lines: dict[Path, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Which lines were executed, by file."""
    started: list[str] = field(default_factory=list)
    """Every process that was started."""
    written: set[str] = field(default_factory=set)
    """Every file that was opened to be written to."""

    def run(
        self, *options: str, lines: bytes, folder: Path, before: str = "", environ: Mapping[str, str] | None = None
    ) -> Ended:
        """The whole of a run: see `Warm.run`."""
        ended = self.warm.run(
            *options,
            lines=lines,
            folder=folder,
            environ={"HOME": "/nonexistent", "LOGLEVEL": "DEBUG", "WATCHED": str(self.place), **(environ or {})},
            before=_WATCH + before,
        )
        if self.place.exists():  # else a signal ended it
            told = json.loads(self.place.read_text())
            self.place.unlink()
            self.started.extend(told["started"])
            self.written.update(told["written"])
            for file, executed in told["lines"].items():
                self.lines[Path(file).relative_to(ROOT)].update(executed)
        return ended


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """One that is kept for as long as the `with`."""
    with warmed(folder, before=_ONCE) as warm:
        yield Watched(warm=warm, place=folder / "watched.json")
