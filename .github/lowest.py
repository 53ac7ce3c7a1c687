"""Print constraints that hold every dependency of pyproject.toml at the lowest release that it lets in.

Of what developers alone use nothing is said: it may be the newest.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
_BOUNDED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^\]]*\])?\s*(>=|~=)\s*(?P<lowest>[^,;\s]+)(?P<marker>\s*;.*)?")


def constraints(requirements: Iterable[str]) -> Iterator[str]:
    """One for each requirement. Raises `ValueError` for one that has no lowest release."""
    for requirement in requirements:
        found = _BOUNDED.fullmatch(requirement)
        if found is None:
            raise ValueError(f"{requirement}: begin with a lower bound, >= or ~=, and say no other.")
        yield f"{found['name']}=={found['lowest']}{found['marker'] or ''}"


if __name__ == "__main__":
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    print(*constraints([*project["dependencies"], *extras["postgres"]]), sep="\n")  # noqa: T201 - for pip to read
