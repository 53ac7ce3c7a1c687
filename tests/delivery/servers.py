"""Servers that break off at every point of an exchange, and the transport to them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiohappyeyeballs import AddrInfoType

from target_driftrock.delivery.transport import HttpTransport, Transport
from target_driftrock.events.answer import Reply
from target_driftrock.network import Names, Network
from target_driftrock.settings import Api, Environment
from tests.delivery.examples import event

Script = Callable[["Exchange"], Awaitable[None]]
Run = Callable[[Coroutine[Any, Any, Any]], Any]

TOKEN = "canary-token"

BODY = b'{"event_type": "lead", "fields": {"email": "ada@example.com"}}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
GREETING = b"220 mail.example.com ESMTP\r\n\r\n"
SHORT = 0.25
"""Seconds. Only a wait that is meant to run out lasts as long."""


@dataclass
class Exchange:
    """One connection, as its server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    async def request(self) -> bytes:
        """A whole request, as it came."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        return head + await self.reader.readexactly(int(fields.get(b"content-length", 0)))

    async def send(self, data: bytes) -> None:
        """Send these bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def hang_up(self) -> None:
        """Close in good order."""
        self.writer.close()

    async def reset(self) -> None:
        """Close with a reset."""
        self.writer.transport.abort()

    async def wait(self) -> None:
        """Say nothing for as long as the other side stays."""
        await self.reader.read()


@dataclass
class Server:
    """A server on this machine that does with each connection what its script says."""

    script: Script
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
        """Serve, with TLS if given, until the block ends."""
        tasks: set[asyncio.Task[None]] = set()

        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            tasks.add(asyncio.ensure_future(self._play(Exchange(reader, writer, self.connections))))

        server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _play(self, exchange: Exchange) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self.script(exchange)
        finally:
            exchange.writer.close()


def answering(*answers: bytes) -> Server:
    """A server that gives these answers in turn over each connection, then hangs up."""
    server: Server

    async def script(exchange: Exchange) -> None:
        for answer in answers:
            server.requests.append(await exchange.request())
            await exchange.send(answer)
        server.requests.append(await exchange.request())

    server = Server(script)
    return server


def saying(data: bytes, *, then: Script = Exchange.hang_up) -> Script:
    """Take a request, send `data`, and end like this."""

    async def script(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(data)
        await then(exchange)

    return script


@contextlib.asynccontextmanager
async def transport_to(
    url: str,
    *,
    environ: Mapping[str, str] | None = None,
    read_timeout: float = 5.0,
    connect_timeout: float = 5.0,
    clock: Callable[[], float] | None = None,
    names: Names | None = None,
) -> AsyncIterator[HttpTransport]:
    """The transport to an API at `url`, closed when the block ends."""
    network = Network.from_environment(Api(environment=Environment.SANDBOX, url=url), environ or {})
    transport = HttpTransport(
        network if names is None else replace(network, names=names),
        read_timeout=read_timeout,
        connect_timeout=connect_timeout,
        clock=clock,
    )
    try:
        yield transport
    finally:
        await transport.close()


async def post(transport: Transport, body: bytes = BODY) -> Reply:
    """The reply to one event."""
    (reply,) = await transport.send([event(1, body=body)], token=TOKEN)
    return reply


async def replies_of(
    server: Server,
    count: int,
    *,
    url: str = "http://127.0.0.1:{port}",
    tls: ssl.SSLContext | None = None,
    body: bytes = BODY,
    **options: Any,
) -> list[Reply]:
    """The replies of this server to so many events, one after the other."""
    async with server.running(tls), transport_to(url.format(port=server.port), **options) as transport:
        return [await post(transport, body) for _ in range(count)]


async def reply_of(server: Server, **options: Any) -> Reply:
    """The reply of this server to one event."""
    (reply,) = await replies_of(server, 1, **options)
    return reply


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """A port at which a connection neither stands nor is refused: as many as may wait to be taken do already."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as waiting:
        port = listener.getsockname()[1]
        for _ in range(3):
            one = waiting.enter_context(socket.socket())
            one.settimeout(0)
            one.connect_ex(("127.0.0.1", port))
        yield port


def addresses(*ports: int) -> list[AddrInfoType]:
    """A name with an address for each of these ports."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]
