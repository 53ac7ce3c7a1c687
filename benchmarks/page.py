"""A page of figures: what was measured, on which machine, when, of which commit."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
MEASUREMENTS = ROOT / "docs/measurements"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write(name: str, *, title: str, command: str, parts: Sequence[str]) -> Path:
    """Write `docs/measurements/<name>.md`, and give its path."""
    MEASUREMENTS.mkdir(exist_ok=True)
    page = MEASUREMENTS / f"{name}.md"
    heading = f"# {title}\n\nWritten by `{command}` on {today()}, of commit {commit()}, on {machine()}."
    page.write_text("\n\n".join([heading, *parts]) + "\n", encoding="utf-8")
    return page


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
    processor = next(
        (line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine()
    )
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} processors ({processor}), {platform.system()} {platform.release()}, {python}"


def _git(checkout: Path, *arguments: str) -> str:
    ended = subprocess.run(
        ["git", *arguments],  # noqa: S607 - whichever git there is
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stdout.strip()


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
