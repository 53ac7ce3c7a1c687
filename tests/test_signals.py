"""Signals as something to look at, and to wait for."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from target_driftrock.signals import ENDING, Signals

NUMBERS = [pytest.param(number, id=number.name) for number in ENDING]


@contextmanager
def untouched() -> Iterator[None]:
    """Fails where another handler, or another wake-up, is in place afterwards than before."""
    before = [signal.getsignal(number) for number in ENDING]
    yield
    assert [signal.getsignal(number) for number in ENDING] == before
    assert signal.set_wakeup_fd(-1) == -1


def is_readable(descriptor: int) -> bool:
    """Whether a wait for it would be over."""
    return bool(select.select([descriptor], [], [], 0)[0])


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_noted_and_wakes_a_wait_when_it_comes(number: signal.Signals) -> None:
    """Nothing is raised in the middle of work: whoever waits is woken, and whoever looks sees it."""
    with untouched(), Signals() as signals:
        assert (signals.received, signals.count, is_readable(signals.wake_fd)) == (None, 0, False)

        signal.raise_signal(number)

        assert (signals.received, signals.count, is_readable(signals.wake_fd)) == (number, 1, True)


def test_the_first_signal_counts_when_several_come() -> None:
    """The exit code is that of the first; a second one is seen, so that it can hurry the end."""
    with untouched(), Signals() as signals:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGHUP)

    assert signals.received is signal.SIGTERM
    assert signals.count == 3


def test_no_signal_is_lost_when_thousands_come() -> None:
    """A wake pipe that is full neither blocks nor complains."""
    with untouched(), Signals() as signals:
        for _ in range(70_000):
            signal.raise_signal(signal.SIGHUP)

        assert is_readable(signals.wake_fd)

    assert signals.count == 70_000


def test_everything_is_as_before_when_the_run_is_over() -> None:
    """Handlers, wake-up and descriptors are given back, after an exception too."""
    with untouched(), pytest.raises(KeyError), Signals() as signals:
        raise KeyError

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(signals.wake_fd)


def test_a_hangup_stays_ignored_when_nohup_asked_for_it() -> None:
    """A run that was started to outlive its terminal does."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with untouched(), Signals() as signals:
            signal.raise_signal(signal.SIGHUP)

            assert signals.received is None
    finally:
        signal.signal(signal.SIGHUP, before)
