"""The layers and fences that pyproject.toml draws."""

import subprocess
import sys
from pathlib import Path


def test_imports_keep_to_the_layers_and_fences() -> None:
    """No module imports what its layer or a fence keeps from it."""
    lint_imports = Path(sys.executable).with_name("lint-imports")
    root = Path(__file__).parents[1]

    check = subprocess.run(
        [lint_imports, "--no-cache", "--no-logo"], cwd=root, capture_output=True, text=True, check=False
    )

    assert check.returncode == 0, check.stdout + check.stderr
