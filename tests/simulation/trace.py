"""What happened, in order: to compare two runs of one seed, and to read what a failing one did."""

from __future__ import annotations

import asyncio
import hashlib


class Trace:
    """A line for each thing that happened, with its moment."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, *what: object) -> None:
        """Append a line."""
        self.lines.append(f"{_moment()} {' '.join(map(str, what))}")

    def digest(self) -> str:
        """Equal for equal traces."""
        return hashlib.blake2b("\n".join(self.lines).encode(), digest_size=16).hexdigest()


def _moment() -> str:
    try:
        return f"{asyncio.get_running_loop().time():.6f}"
    except RuntimeError:  # between two runs
        return "-"
