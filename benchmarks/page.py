"""A page of figures: what was measured, on which machine, when, of which commit."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
MEASUREMENTS = ROOT / "docs/measurements"
Row = Sequence[object]
_GREAT = 100


def text(title: str, *, command: str, parts: Iterable[str]) -> str:
    """All of a page that `command` writes."""
    heading = f"# {title}\n\nWritten by `{command}` on {today()}, of commit {commit()}, on {machine()}."
    return "\n\n".join([heading, *parts]) + "\n"


def section(title: str, how: str, head: str, rows: Iterable[Row]) -> str:
    """A table under its own heading, and how its figures were found."""
    return f"## {title}\n\n{how}\n\n{table(head, rows)}"


def table(head: str, rows: Iterable[Row]) -> str:
    """A table in Markdown, whose `head` has the names of the columns with bars between them."""
    rule = " | ".join(["---"] * len(head.split(" | ")))
    return "\n".join(f"| {line} |" for line in [head, rule, *(" | ".join(map(_cell, row)) for row in rows)])


def _cell(value: object) -> str:
    """What a table shows: of a fraction three digits, of a great number all before the point, of None nothing."""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < _GREAT else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str("" if value is None else value)


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
