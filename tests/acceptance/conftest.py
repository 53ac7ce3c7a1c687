"""One sandbox for all acceptance tests, as it was at its start for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import meltano
from tests.acceptance.process import Command
from tests.program import PROGRAM, sandbox
from tests.sandbox.wire import Wire
from tests.stage import wired


@pytest.fixture(scope="session")
def _double() -> Iterator[Wire]:
    """A sandbox in a process of its own."""
    assert PROGRAM.exists(), f"{PROGRAM} is not there: `make setup` installs it."
    with sandbox() as wire:
        yield wire


@pytest.fixture(scope="session")
def _no_faults(_double: Wire) -> Any:
    return _double.get("/_sandbox/faults")


@pytest.fixture
def double(_double: Wire, _no_faults: Any) -> Wire:
    """A sandbox that nothing has reached yet, and that has no fault."""
    assert _double.post("/_sandbox/faults", _no_faults).status == 200
    _double.post("/_sandbox/reset")
    return _double


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A sandbox without a fault, for this test alone."""
    with wired() as wire:
        yield wire


@pytest.fixture
def meltano_installed() -> None:
    """Skips where Meltano is not installed."""
    if reason := meltano.missing():
        pytest.skip(reason)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The installed command."""
    return Command(tmp_path)
