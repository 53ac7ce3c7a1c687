"""Every function of a run raises once, one after the other: `make defects`. Says which did not end as they should."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tests.canaries.planting import VALUE, broken
from tests.program import ROOT
from tests.stage import staged
from tests.warm import Warm, warmed

PACKAGE = ROOT / "target_driftrock"
OUTERMOST = {"start:main", "signals:end_at_once", "cli:main"}
"""Behind these there is nobody who could take what they raise; and nothing was read yet that could stand in it."""
ELSEWHERE = ("sandbox", "commands")
"""What a run has nothing to do with."""


def places() -> Iterator[str]:
    """Every function, as `planting` names it."""
    for file in sorted(PACKAGE.rglob("*.py")):
        path = file.relative_to(PACKAGE).with_suffix("")
        if path.parts[0] not in ELSEWHERE:
            module = ".".join(path.parts).removesuffix(".__init__")
            yield from (f"{module}:{name}" for name in _functions(ast.parse(file.read_text()), ()))


def _functions(tree: ast.AST, within: tuple[str, ...]) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, (*within, node.name))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list:
            yield ".".join((*within, node.name))


def verdict(place: str, warm: Warm) -> str:
    """How a run ends whose function at `place` raises."""
    with TemporaryDirectory() as folder, staged(Path(folder), latency=0.05) as stage:
        run = broken(place, warm=warm, stage=stage)
    if VALUE in run.ended.err:
        return "prints a value"
    if run.lost:
        return f"STATE passes {sorted(run.lost)}"
    was_called = "ValueError" in run.ended.err
    return "well" if run.ended.code == (70 if was_called else 0) else f"ended with {run.ended.code}"


def main(words: list[str]) -> None:
    """All places, or those that hold one of the words."""
    with TemporaryDirectory() as folder, warmed(Path(folder)) as warm:
        for place in places():
            if place not in OUTERMOST and (not words or any(word in place for word in words)):
                click.echo(f"{place}\t{verdict(place, warm)}")


if __name__ == "__main__":
    main(sys.argv[1:])
