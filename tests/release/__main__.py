"""Hold a wheel and a source distribution to what they must be: `python -m tests.release FOLDER`."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from tests.release.contents import faults

ROOT = Path(__file__).parents[2]

if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = list(faults(Path(sys.argv[1]), project, ROOT / "target_driftrock"))
    print(*found or ["All that they must hold, and nothing else."], sep="\n")  # noqa: T201 - for people
    sys.exit(bool(found))
