"""How a connection to the API comes to stand: name, address, proxy, TLS. Nothing of an event is sent from here."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import quote, unquote, urlsplit

import aiohappyeyeballs

from target_driftrock.delivery.connection import Connection
from target_driftrock.errors import NoThread
from target_driftrock.network import basic_credentials, detached, user_agent
from target_driftrock.settings import DEFAULT_PORTS, port

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from urllib.parse import SplitResult

    from aiohappyeyeballs import AddrInfoType

    from target_driftrock.network import Network

log = logging.getLogger(__name__)

_ADDRESS_SECONDS = 10.0  # for how long an address is taken to be its name's
_ATTEMPT_SECONDS = 0.25  # RFC 8305 section 5: then the next address is tried beside the one before
_TUNNEL_STANDS = re.compile(rb"HTTP/1\.[01] 2\d\d[ \r].*\r\n\r\n", re.DOTALL)
_TUNNEL_HEAD_LIMIT = 64 * 1024  # bytes

AnyProtocol = TypeVar("AnyProtocol", bound=asyncio.Protocol)


class NotConnected(Exception):
    """No connection came to stand, so nothing was sent."""


class Dialler:
    """Makes connections to the host of the API, through its proxy if there is one. To be made inside its loop."""

    def __init__(self, network: Network, *, timeout: float) -> None:
        self._api = urlsplit(network.token_url)
        self._proxy = None if network.proxy is None else urlsplit(network.proxy)
        self._tls = network.tls
        self._timeout = timeout
        self._looking_up = asyncio.Lock()
        self._addresses: Sequence[AddrInfoType] = []
        self._addresses_end = float("-inf")
        self._has_warned = False

    async def dial(self) -> Connection:
        """A new connection. Raises `NotConnected` where none stands in time."""
        try:
            async with asyncio.timeout(self._timeout):
                if self._proxy is None:
                    _, connection = await self._connect(self._api, Connection)
                    return connection
                return await self._tunnel(self._proxy)
        except OSError:  # ssl.SSLError, TimeoutError and socket.gaierror are some
            self._addresses_end = float("-inf")
            raise NotConnected from None

    async def _connect(self, url: SplitResult, protocol: type[AnyProtocol]) -> tuple[asyncio.Transport, AnyProtocol]:
        is_secure = url.scheme == "https"
        return await asyncio.get_running_loop().create_connection(
            protocol,
            sock=await self._socket(url),
            ssl=self._tls if is_secure else None,
            server_hostname=url.hostname if is_secure else None,
        )

    async def _socket(self, url: SplitResult) -> socket.socket:
        async with self._looking_up:  # one question for all who dial at once
            addresses = await self._look_up(url)
        try:
            return await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=_ATTEMPT_SECONDS)
        except RuntimeError as error:  # uvloop's way to say of some errors that they are the system's
            raise ConnectionError from error

    async def _look_up(self, url: SplitResult) -> Sequence[AddrInfoType]:
        now = asyncio.get_running_loop().time
        if now() >= self._addresses_end:
            ask = partial(socket.getaddrinfo, url.hostname, port(url), type=socket.SOCK_STREAM)
            try:
                self._addresses = _written_out(ask) or await detached(ask)
            except UnicodeError:  # what can be no name
                raise ConnectionError from None
            except NoThread:
                self._warn_of_threads()
                raise ConnectionError from None
            self._addresses_end = now() + _ADDRESS_SECONDS
        return self._addresses

    def _warn_of_threads(self) -> None:
        if not self._has_warned:
            log.warning(_NO_THREAD)
        self._has_warned = True

    async def _tunnel(self, proxy: SplitResult) -> Connection:
        """Through a proxy, by CONNECT (RFC 9110 section 9.3.6)."""
        transport, greeting = await self._connect(proxy, _Greeting)
        try:
            transport.write(_connect_request(self._api, proxy))
            await greeting.agreed
            connection = Connection()
            tunnel = await asyncio.get_running_loop().start_tls(
                transport, connection, self._tls, server_hostname=self._api.hostname
            )
        except BaseException:
            transport.abort()
            raise
        connection.connection_made(cast("asyncio.Transport", tunnel))
        return connection


class _Greeting(asyncio.Protocol):
    """Waits for a proxy's answer: `agreed` is done when the tunnel stands, and else raises `ConnectionError`."""

    def __init__(self) -> None:
        self.agreed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._head = b""

    def data_received(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" in self._head or len(self._head) > _TUNNEL_HEAD_LIMIT:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - what came until then is all there is
        self._end()

    def _end(self) -> None:
        if self.agreed.done():
            return
        if _TUNNEL_STANDS.match(self._head):
            self.agreed.set_result(None)
        else:
            self.agreed.set_exception(ConnectionError())


def _written_out(ask: Callable[..., Sequence[AddrInfoType]]) -> Sequence[AddrInfoType]:
    """The address of a host that is one already: nobody is asked, so that no thread is needed."""
    try:
        return ask(flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return ()


def authority(url: SplitResult, *, has_port: bool = False) -> str:
    """Host and port as HTTP writes them (RFC 9112 section 3.2); the port left out where it is its scheme's own."""
    host = url.hostname or ""
    host = f"[{host}]" if ":" in host else _in_ascii(host)
    return f"{host}:{port(url)}" if has_port or port(url) != DEFAULT_PORTS[url.scheme] else host


def _in_ascii(host: str) -> str:
    """As names are looked up; one that can be none gets no connection, so that any text does."""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return quote(host)


def _connect_request(api: SplitResult, proxy: SplitResult) -> bytes:
    target = authority(api, has_port=True)
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", f"User-Agent: {user_agent()}"]
    if proxy.username is not None:
        credentials = basic_credentials(unquote(proxy.username), unquote(proxy.password or ""))
        lines.append(f"Proxy-Authorization: {credentials}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


_NO_THREAD = (
    "No thread to look the API's name up by: this machine's limit on processes (ulimit -u), or the container's, is "
    "reached; trying again."
)
