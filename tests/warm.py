"""The program in processes of its own, each forked from one that has imported everything: a hundred in seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.program import ROOT, Ended

_PARENT = """
import json, os, signal, sys
import target_driftrock.commands.check, target_driftrock.commands.preview, target_driftrock.target
from target_driftrock.settings import TABLE
exec(os.environ["BEFORE"], {})
for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
signal.alarm(job["patience"])
for number, name in enumerate(("in", "out", "err")):
    os.dup2(os.open(job["files"] + name, os.O_RDWR | os.O_CREAT), number)
os.environ.clear()
os.environ.update(job["environ"])
os.chdir(job["folder"])
sys.argv = ["target-driftrock", *job["options"]]
exec(job["before"], {})
from target_driftrock.start import main
main()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """A process that has imported the program, and waits to become it."""

    parent: subprocess.Popen[str]
    files: Path

    def run(
        self,
        *options: str,
        lines: bytes,
        folder: Path,
        environ: Mapping[str, str],
        before: str = "",
        patience: int = 60,
    ) -> Ended:
        """The whole of a run in `folder`, with `lines` on standard input. `before` is code that runs there first.

        Killed after `patience` seconds, which shows in its code.
        """
        assert self.parent.stdin is not None
        assert self.parent.stdout is not None
        files = {name: self.files / name for name in ("in", "out", "err")}
        for name, file in files.items():
            file.write_bytes(lines if name == "in" else b"")
        job = {
            "options": options,
            "folder": str(folder),
            "environ": dict(environ),
            "before": before,
            "files": f"{self.files}/",
            "patience": patience,
        }
        self.parent.stdin.write(json.dumps(job) + "\n")
        self.parent.stdin.flush()
        code = int(self.parent.stdout.readline())
        return Ended(code=code, out=files["out"].read_text(), err=files["err"].read_text())


@contextmanager
def warmed(files: Path, *, before: str = "") -> Iterator[Warm]:
    """One that is kept for as long as the `with`; it uses the folder `files`. `before` is code that it runs once."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _PARENT],
        env={"PYTHONPATH": str(ROOT), "BEFORE": before},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        yield Warm(parent=parent, files=files)
        assert parent.stdin is not None
        parent.stdin.close()
