"""What tests of several packages share."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.stage import Stage, staged
from tests.waiting import NotInTime, until


def pytest_configure() -> None:
    """What `nohup` or a shell's background job ignores, the runs that tests start would ignore too."""
    for number, handler in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two processes a processor: much of the time goes by in waiting for other processes, sockets and clocks."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A sandbox without a fault, an empty ledger, and settings that fit both."""
    with staged(tmp_path) as stage:
        yield stage


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails a test after which more threads run, or more sockets are open, than before it."""
    before = _threads(), _sockets()
    yield
    with suppress(NotInTime):
        until(lambda: (_threads(), _sockets()) == before)  # a thread whose work is done ends a moment later
    assert (_threads(), _sockets()) == before


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def _sockets() -> int:
    """How many sockets this process has open."""
    return sum(map(_is_socket, Path("/proc/self/fd").iterdir()))


def _is_socket(link: Path) -> bool:
    try:
        return str(link.readlink()).startswith("socket:")
    except FileNotFoundError:  # the listing's own
        return False
