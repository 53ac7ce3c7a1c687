"""SECURITY.md, docs/privacy.md and docs/spark.md, held to the tests that they name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.program import ROOT

PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8") for name in ("SECURITY.md", "docs/privacy.md", "docs/spark.md")
}
NAMED = sorted({found for page in PAGES.values() for found in re.findall(r"(tests/\S+\.py)::(\w+)", page)})
UNTESTED = re.compile(r"<!-- untested: [^>]{10,} -->")
"""With the reason, for whoever reads the page's source."""


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_exists_when_the_page_names_it(file: str, name: str) -> None:
    """Whoever changes its name changes the page."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))

    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES)
def test_a_test_is_named_when_something_is_said(page: str) -> None:
    """In each row, item and paragraph; or why there is none."""
    said = list(_said(PAGES[page]))

    assert said
    assert [each for each in said if "::test_" not in each and not UNTESTED.search(each)] == []


def _said(page: str) -> Iterator[str]:
    """The rows of tables, but for their heads; items of lists; paragraphs. No example, nor what the page is for."""
    below = page.partition("\n## ")[2].partition("\n")[2]
    prose = re.sub(r"^```.*?^```$", "", below, flags=re.MULTILINE | re.DOTALL)
    for block in re.split(r"\n\n+|\n(?=- )", prose):
        lines = block.strip().splitlines()
        if len(lines) > 1 and lines[1].startswith("|--"):
            yield from lines[2:]
        elif lines and not block.startswith("#"):
            yield block.strip()
