"""Which connections are kept, and who gets one where no more can be opened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from target_driftrock.client.connection import Connection
from target_driftrock.client.dialler import NotConnected
from target_driftrock.delivery.pool import Pool
from tests.waiting import ManualClock


class Standing(Connection):
    """One that stands, with nobody at its other end."""

    is_open = True

    @property
    def is_free(self) -> bool:
        """Until it is closed."""
        return self.is_open

    def abort(self) -> None:
        """Close."""
        self.is_open = False


class Dialler:
    """Makes connections, and counts them, as long as fewer than `most` stand."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.made: list[Standing] = []

    async def dial(self) -> Connection:
        """One more, or none."""
        await asyncio.sleep(0)
        if sum(each.is_open for each in self.made) >= self.most:
            raise NotConnected("full", is_full=True)
        self.made.append(Standing())
        return self.made[-1]


def pool_of(dialler: Dialler, now: Callable[[], float] | None = None) -> Pool:
    """A pool of its connections."""
    return Pool(dialler.dial, now=now or ManualClock())


def test_everyone_is_served_when_no_more_can_be_opened() -> None:
    """By those that stand, some fewer than could: without a failure, and each by one at a time."""
    dialler = Dialler(most=20)

    async def use(pool: Pool) -> None:
        connection = await pool.take()
        in_use.append(connection)
        most.append(len(in_use))
        assert len(set(in_use)) == len(in_use)
        await asyncio.sleep(0.001)
        in_use.remove(connection)
        pool.put_back(connection)

    async def scenario() -> None:
        pool = pool_of(dialler)
        await asyncio.gather(*(use(pool) for _ in range(500)))

    in_use: list[Connection] = []
    most: list[int] = []
    asyncio.run(scenario())

    assert len(most) == 500
    assert max(most) == 20
    assert most[-1] <= 12
    assert sum(each.is_open for each in dialler.made) <= 12


def test_nobody_waits_when_nobody_could_put_one_back() -> None:
    """Where not one can be opened, it is told, and tried again later."""

    async def scenario() -> str | None:
        pool = pool_of(Dialler(most=0))
        with pytest.raises(NotConnected):
            await pool.take()
        return pool.fault

    assert asyncio.run(scenario()) == "full"


def test_a_turn_goes_to_the_next_when_whoever_had_it_was_cancelled() -> None:
    """No wait can end another's for ever."""

    async def scenario() -> Connection:
        pool = pool_of(Dialler(most=1))
        first = await pool.take()
        second, third = (asyncio.ensure_future(pool.take()) for _ in range(2))
        await asyncio.sleep(0.01)
        pool.put_back(first)  # wakes the second, which is cancelled before it can look
        second.cancel()
        return await asyncio.wait_for(third, 5)

    assert isinstance(asyncio.run(scenario()), Standing)


def test_more_are_opened_when_a_minute_has_gone_by() -> None:
    """Others may have closed their files by then."""
    clock, dialler = ManualClock(), Dialler(most=10)

    async def scenario() -> int:
        pool = pool_of(dialler, clock)
        taken = [await pool.take() for _ in range(10)]
        waiting = asyncio.ensure_future(pool.take())
        await asyncio.sleep(0.01)
        for connection in taken:
            pool.put_back(connection)
        await waiting
        dialler.most, clock.seconds = 50, clock.seconds + 60.0
        return len([await pool.take() for _ in range(30)])

    assert asyncio.run(scenario()) == 30


def test_a_failure_is_told_once_when_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """Each cause in a line of its own, and `fault` for as long as there is one."""
    causes = ["refused", "refused", "no route", "refused"]

    class Failing(Dialler):
        async def dial(self) -> Connection:
            if causes:
                raise NotConnected(causes.pop(0))
            return await super().dial()

    async def scenario() -> list[str | None]:
        pool = pool_of(Failing(most=1))
        faults = []
        for _ in range(4):
            with pytest.raises(NotConnected):
                await pool.take()
            faults.append(pool.fault)
        await pool.take()
        return [*faults, pool.fault]

    assert asyncio.run(scenario()) == ["refused", "refused", "no route", "refused", None]
    assert caplog.messages == [
        f"No connection to Driftrock ({cause}); trying again." for cause in ("refused", "no route")
    ]
