"""What tests with Spark share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.places import new_schema
from tests.spark.session import demand


@pytest.fixture
def location() -> Iterator[str]:
    """Where a job's ledger lies."""
    demand()
    with new_schema() as url:
        yield url
