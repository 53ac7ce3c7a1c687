"""The table of breakages against the code that they break."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.__main__ import ROOT, Mutant, mutants


@pytest.mark.parametrize("mutant", [pytest.param(one, id=one.name) for one in mutants()])
def test_a_breakage_is_one_when_it_is_made(mutant: Mutant, tmp_path: Path) -> None:
    """What it takes away stands there once, what is left is Python, and its test is there."""
    copy = tmp_path / mutant.file
    copy.parent.mkdir(parents=True)
    whole = (ROOT / mutant.file).read_text(encoding="utf-8")
    copy.write_text(whole, encoding="utf-8")

    mutant.break_in(tmp_path)

    broken = copy.read_text(encoding="utf-8")
    assert broken != whole
    compile(broken, mutant.file, "exec")
    assert (ROOT / mutant.test.partition("::")[0]).exists()


def test_each_breakage_has_a_name_of_its_own() -> None:
    """By which it can be asked for."""
    names = [mutant.name for mutant in mutants()]

    assert len(set(names)) == len(names)
