"""A page of figures: what was measured, on which machine, when, of which commit."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
MEASUREMENTS = ROOT / "docs/measurements"


def main(name: str, title: str, measured: Callable[[Path, float], Sequence[str]]) -> None:
    """Measure in a folder that goes afterwards, and write the page. A number on the command line scales the counts."""
    scale = float(sys.argv[1]) if sys.argv[1:] else 1.0
    with tempfile.TemporaryDirectory(prefix="target-driftrock-bench-") as folder:
        parts = measured(Path(folder), scale)
    command = f"python -m benchmarks.{name.replace('-', '_')}" + ("" if scale == 1 else f" {scale:g}")
    sys.stdout.write(write(name, title=title, command=command, parts=parts).read_text(encoding="utf-8"))


def write(name: str, *, title: str, command: str, parts: Sequence[str]) -> Path:
    """Write `docs/measurements/<name>.md`, and give its path."""
    MEASUREMENTS.mkdir(exist_ok=True)
    page = MEASUREMENTS / f"{name}.md"
    heading = f"# {title}\n\nWritten by `{command}` on {today()}, of commit {commit()}, on {machine()}."
    page.write_text("\n\n".join([heading, *parts]) + "\n", encoding="utf-8")
    return page


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def today() -> str:
    """The day in UTC."""
    return datetime.now(UTC).date().isoformat()


def commit(checkout: Path = ROOT) -> str:
    """What is checked out there, and whether it was changed, but for what was measured of it."""
    name = _git(checkout, "rev-parse", "--short", "HEAD") or "unknown"
    is_dirty = _git(checkout, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/measurements")
    return f"{name}-dirty" if is_dirty else name


def machine() -> str:
    """Processors, system and Python."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    processor = next(names, platform.machine())
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} processors ({processor}), {system}"


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
