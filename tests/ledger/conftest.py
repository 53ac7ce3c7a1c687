"""Where the ledgers of these tests lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.places import new_schema


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where the ledger of the test lies."""
    if request.param == "sqlite":
        yield str(tmp_path / "ledger")
        return
    with new_schema() as found:
        yield found
