"""The page of hazards is held to the tests, and the tests to the page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.program import ROOT

PAGE = (ROOT / "docs" / "hazards.md").read_text()


def names_in(folder: Path, *, but: Path | None = None) -> Iterator[str]:
    """The name of every test under a folder, without those of one file."""
    for file in folder.rglob("test_*.py"):
        if file == but:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield node.name


def rows() -> list[list[str]]:
    """The cells of every row of every table."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| by itself")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_a_test_exists_when_the_page_names_it() -> None:
    """No row outlives its test."""
    named = set(re.findall(r"`(test_\w+)`", PAGE))

    assert named
    assert not named - set(names_in(ROOT / "tests"))


def test_the_page_names_a_test_when_a_hazard_has_one() -> None:
    """Whoever adds a hazard's test tells what it is good for."""
    own = set(names_in(Path(__file__).parent, but=Path(__file__)))

    assert own
    assert not [name for name in own if f"`{name}`" not in PAGE]


def test_each_row_is_pinned_when_the_page_has_it() -> None:
    """What happens, what is done, and the test: none is left blank."""
    assert len(rows()) > 36
    assert not [row for row in rows() if len(row) != 3 or not all(row) or "`test_" not in row[2]]
