"""The loop that the tests of delivery stand on."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.virtual_time import NothingCanHappen, VirtualLoop, run


def test_time_has_passed_when_a_sleep_is_over() -> None:
    """A day of virtual time is over at once, and to the second."""
    began = time.monotonic()

    async def sleep() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert run(sleep(), start=1_000.0) == pytest.approx(87_400)
    assert time.monotonic() - began < 5


def test_sleepers_wake_by_their_time_when_several_sleep() -> None:
    """Timers fire in the order of their moments, not in that of their making."""
    woken: list[float] = []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(seconds)

    async def all_of_them() -> None:
        await asyncio.gather(*(sleeper(seconds) for seconds in (3.0, 1e-9, 2.0, 1.0 / 3)))

    run(all_of_them())

    assert woken == [1e-9, 1.0 / 3, 2.0, 3.0]


def test_a_run_fails_when_nothing_can_end_its_wait() -> None:
    """A wait for what nobody will do is told, not waited for."""

    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(NothingCanHappen):
        run(wait())


def test_tasks_take_another_order_when_steps_are_deferred() -> None:
    """A step put behind others is done all the same, later."""
    decisions = iter([False, True, *[False] * 20])  # of the steps of both(), first, second, and what follows
    loop = VirtualLoop(defers=lambda: next(decisions))
    done: list[str] = []

    async def note(name: str) -> None:
        done.append(name)

    async def both() -> None:
        await asyncio.gather(note("first"), note("second"))

    loop.run_until_complete(both())
    loop.close()

    assert done == ["second", "first"]
