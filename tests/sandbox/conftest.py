"""Sandboxes for the tests, each on a free port in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

from target_driftrock.sandbox.access import Keys
from target_driftrock.sandbox.background import in_thread
from target_driftrock.sandbox.faults import Faults
from target_driftrock.sandbox.server import Sandbox, Setup
from tests.sandbox.wire import Wire


class Start(Protocol):
    """Start a sandbox with these faults; it ends with the test."""

    def __call__(
        self, *, keys: Keys = ..., clock: Callable[[], float] = ..., setup: Setup | None = ..., **faults: Any
    ) -> Wire:
        """Give its caller."""


@pytest.fixture
def start() -> Iterator[Start]:
    """Sandboxes with faults."""
    with ExitStack() as stack:

        def begin(
            *,
            keys: Keys = Keys(),  # noqa: B008  # frozen
            clock: Callable[[], float] = time.monotonic,
            setup: Setup | None = None,
            **faults: Any,
        ) -> Wire:
            chosen = setup or Setup(keys=keys, faults=Faults(**faults))
            return Wire(stack.enter_context(in_thread(Sandbox(chosen, clock=clock))))

        yield begin


@pytest.fixture
def wire(start: Start) -> Wire:
    """A sandbox without a fault."""
    return start()


@pytest.fixture(scope="module")
def shared() -> Iterator[Wire]:
    """A sandbox without a fault for tables whose rows leave nothing behind that another would see."""
    with in_thread(Sandbox()) as url:
        yield Wire(url)
