"""What a wheel and a source distribution must hold, and must not."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from email import message_from_string
from pathlib import Path
from typing import Any

_PRIVATE = re.compile(r"(^|/)(\.env|\.venvs?|\.git|\.ledger[^/]*|\.meltano|dist|__pycache__)(/|$)|\.pyc$")
_NEEDED = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "target_driftrock/py.typed", "tests/conftest.py"}


def faults(folder: Path, project: Mapping[str, Any], package: Path) -> Iterator[str]:
    """What is wrong with the two files in a folder, a sentence each. `package` is the code that they are made of."""
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    yield from _of_wheel(wheel, project, package)
    yield from _of_source(source)


def _of_wheel(path: Path, project: Mapping[str, Any], package: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        (info,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
        metadata = message_from_string(wheel.read(f"{info}/METADATA").decode())
        entry_points = wheel.read(f"{info}/entry_points.txt").decode()
    code = {
        f"{package.name}/{file.relative_to(package)}"
        for file in package.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    code.add(f"{package.name}/py.typed")
    inside = {name for name in names if not name.startswith(f"{info}/")}
    if inside != code:
        yield f"The wheel has, or lacks: {', '.join(sorted(inside ^ code))}."
    expected = {
        "Name": project["name"],
        "Version": project["version"],
        "Summary": project["description"],
        "License-Expression": project["license"],
        "Requires-Python": project["requires-python"],
        "Description-Content-Type": "text/markdown",
    }
    for field, value in expected.items():
        if metadata[field] != value:
            yield f"The wheel's {field} is {metadata[field]}, not {value}."
    if {url.partition(", ")[0] for url in metadata.get_all("Project-URL", [])} != set(project["urls"]):
        yield "The wheel names other addresses than the project."
    if f"{project['name']} = {project['scripts'][project['name']]}" not in entry_points:
        yield "The wheel installs no command."
    if f"{info}/licenses/LICENSE" not in names:
        yield "The wheel has no licence."


def _of_source(path: Path) -> Iterator[str]:
    with tarfile.open(path) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    if private := sorted(name for name in names if _PRIVATE.search(name)):
        yield f"The source has: {', '.join(private)}."
    if lacking := sorted(_NEEDED - names):
        yield f"The source lacks: {', '.join(lacking)}."
