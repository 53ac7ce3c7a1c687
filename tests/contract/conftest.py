"""The ledgers that the contract is asked of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from target_driftrock.ledger.durable import DurableLedger
from target_driftrock.ledger.interface import Ledger
from tests.contract.memory import MemoryLedger
from tests.contract.places import new_schema, opened

POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


@pytest.fixture(params=["memory", "sqlite", POSTGRES])
def ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A new ledger of any kind."""
    if request.param == "memory":
        yield MemoryLedger()
    else:
        yield from _durable(request.param, tmp_path_factory)


def _durable(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DurableLedger]:
    if kind == "sqlite":
        with opened(str(tmp_path_factory.mktemp("ledger"))) as found:
            yield found
        return
    with new_schema() as location, opened(location) as found:
        yield found
