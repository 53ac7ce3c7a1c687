"""docs/when-something-goes-wrong.md, held to what the program says when a run stops."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import target_driftrock
from target_driftrock.errors import ExitCode
from tests.messages import GAP, reasons, said

PAGE = (Path(__file__).parents[1] / "docs/when-something-goes-wrong.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([^`]+)` \| .*\| `(\w+)` \|$", re.MULTILINE)
ROWS = ROW.findall(PAGE)
"""The line of a log, and the class of its reason."""

for _module in pkgutil.walk_packages(target_driftrock.__path__, "target_driftrock."):
    if not _module.name.endswith(".start") and not _module.name.startswith("target_driftrock.spark"):
        import_module(_module.name)  # so that every reason is known; Spark's stand in `errors`
REASONS = reasons()
SAID = sorted({(name, text) for name, text in said(REASONS - {"SettingsInvalid"})})


def fits(line: str, text: str) -> bool:
    """Whether a line of the page stands for a text."""
    return re.fullmatch(re.escape(line).replace(GAP, ".*"), text, re.DOTALL) is not None


@pytest.mark.parametrize(("name", "text"), SAID, ids=[f"{name}: {text[:60]}" for name, text in SAID])
def test_a_message_is_explained_when_a_run_may_end_by_it(name: str, text: str) -> None:
    """By a row with its class. Those of settings name the setting, and are explained by that."""
    assert [line for line, cls in ROWS if cls == name and fits(line, text)]


def test_a_row_stands_for_a_message_when_the_page_has_it() -> None:
    """None is left of what is no longer said."""
    assert len(SAID) > 40
    assert [line for line, cls in ROWS if not any(cls == name and fits(line, text) for name, text in SAID)] == []


def test_every_reason_is_named_when_somebody_catches_it_in_python() -> None:
    """And no other."""
    named = set(re.findall(r"`([A-Z]\w+[a-z])`", PAGE))

    assert REASONS - named == set()


def test_every_exit_code_has_a_heading_when_there_is_one() -> None:
    """In the order of the numbers."""
    headings = [int(number) for number in re.findall(r"^## (\d+)", PAGE, re.MULTILINE)]

    assert sorted({*headings, ExitCode.RESOLVED}) == headings
    assert set(ExitCode) <= set(headings)
