"""The connections to the API that are kept: which is used next, for how long, and how many there may be."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from target_driftrock.client.dialler import NotConnected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from target_driftrock.client.connection import Connection

log = logging.getLogger(__name__)

_IDLE_LIMIT = 2.0
"""Seconds. Servers that keep connections for five are common, and a request that meets the close is one whose answer is
lost; an older connection may be forgotten by a firewall, too."""
_LONGEST_LIFE = 60
"""Seconds. The next one is made to where the name leads by then, and a gateway may share its load out anew."""
_LIVES_APART = 16
"""Seconds by which lives differ, so that many connections do not end at once."""
_SPARE = 8
"""How many fewer there are than this process could open: the ledger and the resolver open files, too."""
_FULL_SECONDS = 60.0
"""For how long so many are the most: by then others may have closed their files."""


class Pool:
    """Hands out connections, new ones as they are needed. To be used inside one loop, whose time `now` tells.

    `dial` makes one, or raises `NotConnected`. Where this process can open no more files, whoever asks waits for a
    connection that another puts back: to try again would end the same. `fault` is why none came to stand when one was
    tried last; None where one did.
    """

    def __init__(self, dial: Callable[[], Awaitable[Connection]], *, now: Callable[[], float]) -> None:
        self.fault: str | None = None
        self._make = dial
        self._now = now
        self._idle: deque[tuple[float, Connection]] = deque()  # since when; those longest idle first
        self._taken = 0  # in use, or being made
        self._dialled = 0
        self._most = 0
        self._is_full_until = float("-inf")
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._told: set[str] = set()

    def take_idle(self) -> Connection | None:
        """A connection that stands, to be put back; None where there is none."""
        while self._idle:
            since, connection = self._idle.pop()
            if connection.is_free and self._now() - since < _IDLE_LIMIT:
                self._taken += 1
                return connection
            connection.abort()
        return None

    async def take(self) -> Connection:
        """A connection, to be put back. Raises `NotConnected` where none can be had."""
        while (connection := self.take_idle()) is None:
            if self._taken >= self._most and self._now() < self._is_full_until:
                await self._room()
                continue
            try:
                return await self._dial()
            except NotConnected as failure:
                if not (failure.is_full and self._taken):
                    raise
        return connection

    def put_back(self, connection: Connection) -> None:
        """It is not used any more. It is kept where it may serve again."""
        now = self._now()
        while self._idle and now - self._idle[0][0] >= _IDLE_LIMIT:
            self._idle.popleft()[1].abort()
        has_room = now >= self._is_full_until or self._taken <= self._most
        if has_room and connection.is_free and now < connection.lives_until:
            self._idle.append((now, connection))
        else:
            connection.abort()
        self._give_back()

    def close(self) -> None:
        """Let go of those that nobody uses. May be called twice."""
        while self._idle:
            self._idle.popleft()[1].abort()

    async def _dial(self) -> Connection:
        self._taken += 1
        try:
            connection = await self._make()
        except BaseException as failure:
            self._give_back()
            if isinstance(failure, NotConnected):
                self._note(failure)
            raise
        self.fault = None
        self._dialled += 1
        connection.lives_until = self._now() + _LONGEST_LIFE - self._dialled % _LIVES_APART
        return connection

    def _note(self, failure: NotConnected) -> None:
        self.fault = failure.cause
        if failure.is_full:
            self._most = max(1, self._taken - _SPARE)
            self._is_full_until = self._now() + _FULL_SECONDS
        if failure.cause not in self._told:
            self._told.add(failure.cause)
            log.warning(_FULL if failure.is_full and self._taken else _NOT_CONNECTED, failure.cause)

    async def _room(self) -> None:
        """Until one is given back."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # it is its turn, which is another's now
                self._wake()
            raise

    def _give_back(self) -> None:
        self._taken -= 1
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


_NOT_CONNECTED = "No connection to Driftrock (%s); trying again."
_FULL = (
    "No further connection to Driftrock (%s): events go over those that stand, more slowly. Raise the limit, or lower "
    "max_concurrency."
)
