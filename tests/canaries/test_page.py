"""SECURITY.md and docs/privacy.md, held to the tests that they name."""

from __future__ import annotations

import ast
import re

import pytest

from tests.program import ROOT

PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PRIVACY = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"(tests/\S+\.py)::(\w+)", PAGE + PRIVACY)))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_exists_when_the_page_names_it(file: str, name: str) -> None:
    """Whoever changes its name changes the page."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))

    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_a_test_is_named_when_something_is_promised() -> None:
    """In each row of the table."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| |")]

    assert rows
    assert all("::test_" in row for row in rows)
