"""`make mutants`: each breakage on a copy of the tree, and whether its test, and the simulation, finds it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
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


def mutants() -> list[Mutant]:
    """The table."""
    return [Mutant(**row) for row in json.loads(TABLE.read_text(encoding="utf-8"))]


@click.command("make mutants")
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...]) -> None:
    """Break the code in each way of the table, or in those named, and say who noticed."""
    missed = [mutant.name for mutant in mutants() if (not names or mutant.name in names) and not _is_killed(mutant)]
    click.echo(f"{len(missed)} missed{': ' if missed else '.'}{', '.join(missed)}")
    sys.exit(min(1, len(missed)))


def _is_killed(mutant: Mutant) -> bool:
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder)
        for name in ("target_driftrock", "tests", "demo"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        file = copy / mutant.file
        file.write_text(file.read_text(encoding="utf-8").replace(mutant.old, mutant.new, 1), encoding="utf-8")
        by_test = _fails(copy, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", mutant.test)
        seed = _first_seed(copy) if mutant.is_simulated else None
    found = [mutant.test] if by_test else []
    found += [] if seed is None else [f"the simulation's seed {seed}"]
    click.echo(f"{mutant.name}: {'found by ' + ' and '.join(found) if found else 'MISSED'}")
    return by_test and (seed is not None or not mutant.is_simulated)


def _fails(copy: Path, *arguments: str) -> bool:
    try:
        return _run(copy, *arguments).returncode == 1  # pytest's code for a failed test, not for a missing one
    except subprocess.TimeoutExpired:
        return True


def _first_seed(copy: Path) -> str | None:
    """The first seed whose story goes wrong, or None."""
    for first, count in CHUNKS:
        try:
            done = _run(copy, "-m", "tests.simulation", "--first", str(first), "--seeds", str(count))
        except subprocess.TimeoutExpired:
            return f"{first} or later, which hangs"
        if seeds := _SEED.findall(done.stdout):
            return str(min(map(int, seeds)))
        if done.returncode:
            return f"{first} or later, which breaks off"
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
