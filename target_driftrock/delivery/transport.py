"""One request, one reply, over connections that are kept. Faults come back as values; nothing is retried."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from target_driftrock.client.dialler import Dialler, NotConnected, request_start
from target_driftrock.delivery.pool import Pool
from target_driftrock.events.answer import NoAnswer
from target_driftrock.network import CONNECT_TIMEOUT, user_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_driftrock.events.answer import Reply
    from target_driftrock.events.event import Endpoint, Event
    from target_driftrock.network import Network


class Transport(Protocol):
    """The way to the API."""

    @property
    def fault(self) -> str | None:
        """Why no connection came to stand when one was tried last, fit for a log; None where one did."""

    async def send(self, events: Sequence[Event], *, token: str) -> Sequence[Reply]:
        """Send each event once, and give what came back for each. No status and no lost connection raises."""

    async def close(self) -> None:
        """Let go of all connections. May be called twice."""


class HttpTransport:
    """`Transport` over HTTP/1.1, with as many connections as requests at once. To be made inside the loop that uses it.

    `read_timeout` counts seconds from the moment a request has its connection: an answer that is not complete by
    then is lost. `connect_timeout` counts until there is a connection. How long one was idle is told by `clock`, the
    loop's own unless another is given.
    """

    def __init__(
        self,
        network: Network,
        *,
        read_timeout: float,
        connect_timeout: float = CONNECT_TIMEOUT,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._heads = {endpoint: _head(url) for endpoint, url in network.event_urls.items()}
        self._read_timeout = read_timeout
        self._pool = Pool(Dialler(network, timeout=connect_timeout).dial, now=clock or asyncio.get_running_loop().time)

    @property
    def fault(self) -> str | None:
        """Why no connection came to stand when one was tried last, fit for a log; None where one did."""
        return self._pool.fault

    async def send(self, events: Sequence[Event], *, token: str) -> Sequence[Reply]:
        """A request for each, one after the other: this API takes one event at a time."""
        return [await self.post(event.capture.endpoint, body=event.body, token=token) for event in events]

    async def post(self, endpoint: Endpoint, *, body: bytes, token: str) -> Reply:
        """Post one event, once: no retry, no redirect, no exception for a status or a lost connection.

        `NoAnswer.NOT_SENT` is said only where no connection stood: what is written to one may have left. Cancellation
        passes through, and ends the connection.
        """
        try:
            connection = self._pool.take_idle() or await self._pool.take()
        except NotConnected:
            return NoAnswer.NOT_SENT
        message = b"%b%b\r\nContent-Length: %d\r\n\r\n%b" % (self._heads[endpoint], token.encode(), len(body), body)
        try:
            return await connection.request(message, timeout=self._read_timeout)
        finally:
            self._pool.put_back(connection)

    async def close(self) -> None:
        """Let go of all connections. May be called twice."""
        self._pool.close()
        await asyncio.sleep(0)  # in which the loop closes them


def _head(url: str) -> bytes:
    """The start of every request to `url`, up to its token."""
    return "\r\n".join(
        [
            *request_start(urlsplit(url)),
            "Accept: application/json",
            "Accept-Encoding: identity",  # a status must not depend on whether its body can be unpacked
            f"User-Agent: {user_agent()}",
            "Content-Type: application/json",
            "Authorization: Bearer ",
        ]
    ).encode("ascii")
