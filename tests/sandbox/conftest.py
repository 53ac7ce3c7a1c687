"""Sandboxes for the tests, each on a free port in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.sandbox.wire import Wire
from tests.stage import wired

Start = Callable[..., Wire]
"""Start a sandbox, as `wired` does; it ends with the test."""


@pytest.fixture
def start() -> Iterator[Start]:
    """Sandboxes with faults."""
    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(wired(**given))


@pytest.fixture
def wire(start: Start) -> Wire:
    """A sandbox without a fault."""
    return start()


@pytest.fixture(scope="module")
def shared() -> Iterator[Wire]:
    """A sandbox without a fault for tables whose rows leave nothing behind that another would see."""
    with wired() as wire:
        yield wire
