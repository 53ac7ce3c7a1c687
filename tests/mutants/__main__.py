"""`make mutants`: each breakage on a copy of the tree, and whether its test, and the simulation, finds it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("mutants.json")
CHUNKS = ((0, 100), (100, 900), (1_000, 4_000))
"""First seed and number of seeds: a few at first, since most breakages are found by a few."""
PATIENCE = 300.0
"""Seconds until a breakage that hangs counts as found."""
_SEED = re.compile(r"^Seed (\d+):", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One breakage: `old` gives way to `new` in `file`, and `test` must fail. `is_simulated`: so must a seed."""

    name: str
    file: str
    old: str
    new: str
    test: str
    is_simulated: bool

    def break_in(self, copy: Path) -> None:
        """Break it in a copy of the tree."""
        file = copy / self.file
        whole = file.read_text(encoding="utf-8")
        assert whole.count(self.old) == 1, f"{self.name}: what it breaks is not there, or more than once."
        file.write_text(whole.replace(self.old, self.new), encoding="utf-8")


def mutants() -> list[Mutant]:
    """The table."""
    return [Mutant(**row) for row in json.loads(TABLE.read_text(encoding="utf-8"))]


@click.command("make mutants")
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...]) -> None:
    """Break the code in each way of the table, or in those named, and say who noticed."""
    began = time.monotonic()
    tried = [mutant for mutant in mutants() if not names or mutant.name in names]
    missed = [mutant.name for mutant in tried if not _is_killed(mutant)]
    minutes = (time.monotonic() - began) / 60
    click.echo(
        f"{len(tried)} in {minutes:.0f} minutes, {len(missed)} missed{': ' if missed else '.'}{', '.join(missed)}"
    )
    sys.exit(min(1, len(missed)))


def _is_killed(mutant: Mutant) -> bool:
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder)
        for name in ("target_driftrock", "tests", "demo"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        mutant.break_in(copy)
        by_test = _fails(copy, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", mutant.test)
        seeds = _seeds(copy) if mutant.is_simulated else None
    found = [mutant.test] if by_test else []
    found += [] if seeds is None else [f"the simulation within {seeds}"]
    click.echo(f"{mutant.name}: {'found by ' + ' and '.join(found) if found else 'MISSED'}")
    return by_test and (seeds is not None or not mutant.is_simulated)


def _fails(copy: Path, *arguments: str) -> bool:
    try:
        return _run(copy, *arguments).returncode == 1  # pytest's code for a failed test, not for a missing one
    except subprocess.TimeoutExpired:
        return True


def _seeds(copy: Path) -> str | None:
    """How many seeds it takes until a story goes wrong, or None."""
    for first, count in CHUNKS:
        try:
            done = _run(copy, "-m", "tests.simulation", "--first", str(first), "--seeds", str(count))
        except subprocess.TimeoutExpired:
            return f"{first + count} seeds, of which one hangs"
        if failing := _SEED.findall(done.stdout):
            return f"{min(map(int, failing)) + 1} seeds"
        if done.returncode:
            return f"{first + count} seeds, of which one breaks off"
    return None


def _run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={"PYTHONPATH": str(copy), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


if __name__ == "__main__":
    main()
