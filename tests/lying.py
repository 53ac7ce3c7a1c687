"""Where the ledgers of tests lie: in a container, on its own disk, of which a run and `check` warn, and rightly so."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from target_driftrock.ledger.mounts import warnings


def warned_of(folder: Path) -> list[str]:
    """What a run and `check` say of where a directory lies on this machine: most often nothing."""
    return warnings(folder, name=f"the directory {folder}")


def wherever(lines: Iterable[str]) -> list[str]:
    """Lines as they would be on a machine of which nothing is to be said."""
    return [line for line in lines if not ("ends with this container" in line or "lies in memory" in line)]
