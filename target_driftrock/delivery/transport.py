"""One request, one reply: the only import of aiohttp's client. Faults come back as values; nothing is retried."""

from __future__ import annotations

import asyncio
import socket
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from target_driftrock.events.answer import Answer, Fault
from target_driftrock.network import CONNECT_TIMEOUT, detached, user_agent

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from target_driftrock.events.answer import Reply
    from target_driftrock.events.event import Endpoint
    from target_driftrock.network import Network

_IDLE_LIMIT = 5.0  # seconds; a server or a firewall may have forgotten an older connection
_EXCERPT_CHARACTERS = 2_000
_READ_LIMIT = 64 * 1024  # bytes; a longer body is cut off, and its connection with it
_HTML = frozenset({"text/html", "application/xhtml+xml"})


class Transport(Protocol):
    """The way to the API."""

    async def post(self, endpoint: Endpoint, *, body: bytes, token: str) -> Reply:
        """Post one event, once, and give what came back. No status and no lost connection raises."""

    async def close(self) -> None:
        """Let go of all connections. May be called twice."""


class HttpTransport:
    """`Transport` over HTTP/1.1 with at most `max_connections` at once. To be made inside the loop that uses it.

    `read_timeout` counts seconds from the moment a request has its connection: an answer that is not complete by
    then is lost. `connect_timeout` counts until there is a connection.
    """

    def __init__(
        self,
        network: Network,
        *,
        read_timeout: float,
        max_connections: int,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self._urls = network.event_urls
        self._session = aiohttp.ClientSession(
            connector=_Connector(
                ssl=network.tls,
                limit=max_connections,
                keepalive_timeout=_IDLE_LIMIT,
                resolver=_Resolver(),
            ),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",  # a status must not depend on whether its body can be unpacked
                "User-Agent": user_agent(),
            },
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(connect=connect_timeout),
            proxy=network.proxy,
            trust_env=False,  # else netrc would be read
        )
        self._read_timeout = read_timeout

    async def post(self, endpoint: Endpoint, *, body: bytes, token: str) -> Reply:
        """Post one event, once: no retry, no redirect, no exception for a status or a lost connection.

        `Fault.NOT_SENT` is said only where no connection stood. An answer that breaks off inside its body is no
        answer, whatever its status (RFC 9112 section 8: incomplete). Cancellation passes through.
        """
        try:
            async with asyncio.timeout(None) as limit:
                _on_connection.set(partial(self._begin, limit))
                return await self._exchange(endpoint, body=body, token=token)
        except _NoConnection:
            return Fault.NOT_SENT
        except (aiohttp.ClientError, OSError):  # TimeoutError is an OSError
            return Fault.NO_ANSWER

    async def close(self) -> None:
        """Let go of all connections. May be called twice."""
        await self._session.close()

    def _begin(self, limit: asyncio.Timeout) -> None:
        limit.reschedule(asyncio.get_running_loop().time() + self._read_timeout)

    async def _exchange(self, endpoint: Endpoint, *, body: bytes, token: str) -> Reply:
        async with self._session.post(
            self._urls[endpoint],
            data=body,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            allow_redirects=False,
        ) as response:
            if response.status < 200:  # noqa: PLR2004 - 101: another protocol that nobody asked for
                response.close()
                return Fault.NO_ANSWER
            return Answer(
                status=response.status,
                retry_after=response.headers.get("Retry-After"),
                is_html=response.content_type in _HTML,
                excerpt=_excerpt(await _start(response), charset=response.charset),
            )


class _NoConnection(Exception):
    """No connection stood, so nothing was sent."""


# The connector knows for which request it connects by the task alone.
_on_connection: ContextVar[Callable[[], None]] = ContextVar("_on_connection")


class _Connector(aiohttp.TCPConnector):
    """Draws the line between *not sent* and *unknown*.

    aiohttp raises the same errors on both sides of it: a proxy that hangs up is a `ServerDisconnectedError` like a
    server that does. But whatever `connect` raises came before the first byte of the request.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own
    ) -> Connection:
        try:
            connection = await super().connect(req, traces, timeout)
        except (aiohttp.ClientError, OSError):
            raise _NoConnection from None
        _on_connection.get()()
        return connection


class _Resolver(AbstractResolver):
    """Looks names up in threads that cannot hold the end of the process, as the loop's executor would."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        look_up = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=found,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, _, proto, _, address in await detached(look_up)
        ]

    async def close(self) -> None:
        """Nothing is kept."""


async def _start(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, so that the connection can be used again; of a long one the start, and the connection goes."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _READ_LIMIT:
            response.close()
            break
    return bytes(body)


def _excerpt(body: bytes, *, charset: str | None) -> bytes:
    """The first characters of `body`, in UTF-8 whatever it came in."""
    start = body[: 4 * _EXCERPT_CHARACTERS]
    try:
        text = start.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):  # a charset that nobody knows, or that is none
        text = start.decode("utf-8", "replace")
    return text[:_EXCERPT_CHARACTERS].encode()
