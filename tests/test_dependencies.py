"""What pyproject.toml lets in: from a release on that there is, and of the SDK one series."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINT = re.compile(r"([A-Za-z0-9._-]+)==([0-9.]+)")


def lowest() -> dict[str, str]:
    """The lowest release of each dependency, as the weekly job installs it."""
    printed = subprocess.run(
        [sys.executable, ROOT / ".github/lowest.py"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    return {found[1].lower(): found[2] for found in map(CONSTRAINT.match, printed.splitlines()) if found}


def pinned() -> dict[str, str]:
    """The release of each dependency that CI installs."""
    text = (ROOT / "requirements/runtime.txt").read_text(encoding="utf-8")
    return {found[1].lower(): found[2] for found in map(CONSTRAINT.match, text.splitlines()) if found}


def test_every_dependency_is_held_at_its_lowest_when_the_constraints_are_printed() -> None:
    """None is left to be whatever is newest, or the job would not try what it says."""
    asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["postgres"]]

    assert len(lowest()) == len(asked)
    assert lowest()["singer-sdk"] in PROJECT["dependencies"][0]


def test_what_is_pinned_is_let_in_when_a_bound_is_raised() -> None:
    """CI and the weekly job try both ends of what is let in."""
    pins = pinned()

    assert all(_parts(pins[name]) >= _parts(release) for name, release in lowest().items())


def test_another_series_of_the_sdk_is_not_let_in_when_there_is_one() -> None:
    """Private methods of its are overridden, which its next series may rename."""
    (sdk,) = [requirement for requirement in PROJECT["dependencies"] if requirement.startswith("singer-sdk")]

    assert re.fullmatch(r"singer-sdk~=\d+\.\d+\.\d+", sdk)
    assert pinned()["singer-sdk"].rpartition(".")[0] == sdk.removeprefix("singer-sdk~=").rpartition(".")[0]


def test_the_tested_releases_are_the_pinned_ones_when_somebody_installs_by_them() -> None:
    """`make lock` writes them without hashes, which pip would then ask of this package, too."""
    pins = [line.removesuffix("\\").strip() for line in _lines("runtime.txt") if line[0] not in "# "]

    assert _lines("constraints.txt") == pins
    assert len(pins) > len(lowest())


def test_an_action_is_one_commit_when_a_workflow_uses_it() -> None:
    """A tag may be moved. Which release the commit is stands behind it, for people and for what renews it."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / ".github/workflows").glob("*.yml"))
    used = re.findall(r"uses: *(.*)", text)

    assert used
    assert [each for each in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


def _lines(name: str) -> list[str]:
    return (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()


def _parts(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))
