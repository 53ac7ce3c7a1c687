"""The wheel and the source, as `make release-check` builds them, and two builds of the same."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.program import ROOT
from tests.release.contents import faults

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGE = ROOT / "target_driftrock"


def built(folder: Path) -> Path:
    """Both, in a folder."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both."""
    return built(tmp_path_factory.mktemp("release"))


def test_all_is_there_and_nothing_else_when_a_release_is_built(release: Path) -> None:
    """The code and its marker of types in the wheel, no test; and nothing private in either."""
    assert list(faults(release, PROJECT, PACKAGE)) == []


def test_two_builds_are_the_same_when_nothing_was_changed(release: Path, tmp_path: Path) -> None:
    """To the byte, so that anyone can tell whether what was published is what is here."""
    again = built(tmp_path)

    assert sorted(path.name for path in again.iterdir()) == sorted(path.name for path in release.iterdir())
    assert [path.name for path in again.iterdir() if path.read_bytes() != (release / path.name).read_bytes()] == []


@pytest.mark.parametrize("odd", ["tests/test_cli.py", "target_driftrock/secret.pem"])
def test_it_is_told_when_a_wheel_has_what_it_should_not(release: Path, tmp_path: Path, odd: str) -> None:
    """Or else the check would say nothing."""
    for path in release.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(odd, "")

    assert list(faults(tmp_path, PROJECT, PACKAGE)) == [f"The wheel has, or lacks: {odd}."]
