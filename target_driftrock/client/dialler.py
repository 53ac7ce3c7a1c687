"""How a connection to the API comes to stand: name, address, proxy, TLS. Nothing of an event or a token goes from here.

Why none does is told in words of ours: those of the libraries name hosts, addresses and proxies.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import re
import socket
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import quote, unquote, urlsplit

import aiohappyeyeballs

from target_driftrock import loops
from target_driftrock.client.connection import Connection
from target_driftrock.errors import NoThread
from target_driftrock.network import CONNECT_TIMEOUT, basic_credentials, begun, user_agent
from target_driftrock.settings import DEFAULT_PORTS, is_loopback, port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from urllib.parse import SplitResult

    from aiohappyeyeballs import AddrInfoType

    from target_driftrock.network import Network

_ATTEMPT_SECONDS = 0.25  # RFC 8305 section 5: then the next address is tried beside the one before
_TUNNEL_PATIENCE = 2  # times as long for a proxy's answer: it has a name to look up and a connection to make, too
_TUNNEL_HEAD_LIMIT = 64 * 1024  # bytes
_HEAD = re.compile(rb"(?:(HTTP/1\.[01]) (\d\d\d)(?=[ \r\n])|.).*?\n\r?\n", re.DOTALL)
_FIRST_FINAL_STATUS, _FIRST_REFUSAL = 200, 300
_WANTS_CREDENTIALS = frozenset({401, 407})  # the former from tinyproxy, where it takes the host for its own

AnyProtocol = TypeVar("AnyProtocol", bound=asyncio.Protocol)


class NotConnected(Exception):
    """No connection came to stand, so nothing was sent. `cause` is fit for a log.

    `is_full`: this machine, or this process, opens nothing more.
    """

    def __init__(self, cause: str, *, is_full: bool = False) -> None:
        self.cause = cause
        self.is_full = is_full
        super().__init__(cause)


class _LeadsHere(ConnectionRefusedError):
    """A name of another machine leads to this one, as filters of names make it of what they block."""


class Dialler:
    """Makes connections to the host of the API, through its proxy if there is one. To be used inside one loop.

    `timeout` is seconds for each stretch of the way: to whoever is connected with first, and behind a proxy to the API.
    """

    def __init__(
        self, network: Network, *, timeout: float = CONNECT_TIMEOUT, connection: Callable[[], Connection] = Connection
    ) -> None:
        self._api = urlsplit(network.token_url)
        self._proxy = None if network.proxy is None else urlsplit(network.proxy)
        self._tls = network.tls
        self._names = network.names
        self._timeout = timeout
        self._connection = connection

    async def dial(self) -> Connection:
        """A new connection. Raises `NotConnected` where none stands in time."""
        if self._proxy is not None:
            return await self._tunnel(self._proxy)
        async with _in_time(self._timeout):
            _, connection = await self._connect(self._api, self._connection)
            return connection

    async def _connect(
        self, url: SplitResult, protocol: Callable[[], AnyProtocol]
    ) -> tuple[asyncio.Transport, AnyProtocol]:
        is_secure = url.scheme == "https"
        try:
            return await asyncio.get_running_loop().create_connection(
                protocol,
                sock=await self._socket(url),
                ssl=self._tls if is_secure else None,
                server_hostname=url.hostname if is_secure else None,
            )
        except BaseException:
            self._names.forget(url.hostname or "", port(url))
            raise

    async def _socket(self, url: SplitResult) -> socket.socket:
        addresses = _written_out(url) or await self._look_up(url)
        try:
            return await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=_ATTEMPT_SECONDS)
        except ConnectionRefusedError:
            if not is_loopback(url.hostname or "") and all(map(_is_here, addresses)):
                raise _LeadsHere from None
            raise
        except RuntimeError as error:  # uvloop's way to say of some errors that they are the system's
            raise OSError(*error.args) from error

    async def _look_up(self, url: SplitResult) -> Sequence[AddrInfoType]:
        addresses, _ = await asyncio.wrap_future(self._names.addresses(url.hostname or "", port(url)))
        return addresses

    async def _tunnel(self, proxy: SplitResult) -> Connection:
        """Through a proxy, by CONNECT (RFC 9110 section 9.3.6)."""
        async with _in_time(self._timeout, prefix=_PROXY):
            transport, greeting = await self._connect(proxy, _Greeting)
        try:
            async with _in_time(_TUNNEL_PATIENCE * self._timeout, prefix=_PROXY):
                transport.write(_connect_request(self._api, proxy))
                await greeting.agreed
            async with _in_time(self._timeout):
                connection = self._connection()
                tunnel = await asyncio.get_running_loop().start_tls(
                    transport, connection, self._tls, server_hostname=self._api.hostname
                )
        except BaseException:
            transport.abort()
            raise
        connection.connection_made(cast("asyncio.Transport", tunnel))
        return connection


class _Greeting(asyncio.Protocol):
    """Waits for a proxy's answer: `agreed` is done when the tunnel stands, and else raises `NotConnected`."""

    def __init__(self) -> None:
        self.agreed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._head = b""
        self._length = 0

    def data_received(self, data: bytes) -> None:
        self._head += data
        self._length += len(data)
        while (head := _HEAD.match(self._head)) is not None and not self.agreed.done():
            self._head = self._head[head.end() :]
            status = int(head[2] or 0)
            if not head[1] or status >= _FIRST_FINAL_STATUS:
                self._end(status)
        if self._length > _TUNNEL_HEAD_LIMIT:
            self._end(0)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - what came until then is all there is
        self._end(None)

    def _end(self, status: int | None) -> None:
        """By this status, 0 where what came is no HTTP, None where nothing more comes."""
        if self.agreed.done():
            return
        if status is not None and _FIRST_FINAL_STATUS <= status < _FIRST_REFUSAL:
            self.agreed.set_result(None)
        else:
            self.agreed.set_exception(NotConnected(_PROXY + _refusal(status)))
            self.agreed.exception()  # whoever waits for it may have been cancelled: then it is nobody's


def _refusal(status: int | None) -> str:
    if status is None:
        return _CLOSED
    if status in _WANTS_CREDENTIALS:
        return f"it wants a user name and password, or others (status {status})"
    return f"it gives no connection (status {status})" if status else "its answer is no HTTP"


def connection_fault(network: Network) -> str | None:
    """Why no connection to the API can be had; None where one can. Nothing is sent but a proxy's CONNECT.

    Raises:
        NoThread: There is none to try by.
    """
    return begun(lambda: loops.run(_fault(network), patience=0)).result()


async def _fault(network: Network) -> str | None:
    try:
        connection = await Dialler(network).dial()
    except NotConnected as failure:
        return failure.cause
    connection.abort()
    await asyncio.sleep(0)  # in which the loop closes it
    return None


@asynccontextmanager
async def _in_time(seconds: float, *, prefix: str = "") -> AsyncIterator[None]:
    """Raises `NotConnected` in place of all that the system, TLS and the resolver raise. `prefix` says of whom."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (OSError, UnicodeError, NoThread) as error:
        raise NotConnected(prefix + cause(error), is_full=_is_full(error)) from None


def cause(error: Exception) -> str:
    """Why there is no connection, in our words."""
    match error:
        case NoThread():
            return "no thread to look its name up by: the limit on processes (ulimit -u) is reached"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({_check_of(error)})"
        case ssl.SSLError():
            return "it speaks no TLS that we take"
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return "no name server answers"
        case socket.gaierror() | UnicodeError():
            return "its name is not known"
        case TimeoutError():
            return "no answer in time"
        case _LeadsHere():
            return "its name leads to this machine, where nobody listens: perhaps a filter of names blocks it"
    numbers = _errors_in(error)
    otherwise = _CLOSED if isinstance(error, ConnectionError) else "no connection"
    return next((text for number, text in _CAUSES.items() if number in numbers), otherwise)


def _check_of(error: ssl.SSLCertVerificationError) -> str:
    """Which check failed. Of a wrong name OpenSSL's own words would repeat it."""
    return "it is another host's" if error.verify_code in _WRONG_NAME else error.verify_message


def _is_full(error: Exception) -> bool:
    return not _errors_in(error).isdisjoint(_FULL)


def _errors_in(error: Exception) -> set[int | None]:
    """Its number; where several addresses failed, each for its own reason, there are only the numbers in its text."""
    return {getattr(error, "errno", None), *map(int, re.findall(r"\[Errno (\d+)\]", str(error)))}


_PROXY = "the proxy: "
_CLOSED = "it closed the connection"
_FULL = frozenset({errno.EMFILE, errno.ENFILE})
_CAUSES = {
    errno.EMFILE: "the limit on open files (ulimit -n) is reached",
    errno.ENFILE: "this machine's limit on open files is reached",
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: _CLOSED,
    errno.ECONNABORTED: _CLOSED,
    errno.EPIPE: _CLOSED,
    errno.ETIMEDOUT: "no answer in time",
    errno.ENETUNREACH: "its address cannot be reached from here",
    errno.EHOSTUNREACH: "its address cannot be reached from here",
    errno.EACCES: "this machine does not allow it",
    errno.EPERM: "this machine does not allow it",
}
"""By what the system says; the more telling first, since several addresses may fail, each for its own reason."""
_WRONG_NAME = frozenset({62, 63, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, and of an e-mail and an IP address


def _is_here(address: AddrInfoType) -> bool:
    """Whether an address is this machine's own, or none at all."""
    ip = ipaddress.ip_address(address[4][0])
    return ip.is_loopback or ip.is_unspecified


def _written_out(url: SplitResult) -> Sequence[AddrInfoType]:
    """The address of a host that is one already: nobody is asked, so that no thread is needed."""
    try:
        return socket.getaddrinfo(url.hostname, port(url), type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return ()


def authority(url: SplitResult, *, has_port: bool = False) -> str:
    """Host and port as HTTP writes them (RFC 9112 section 3.2); the port left out where it is its scheme's own."""
    host = url.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{port(url)}" if has_port or port(url) != DEFAULT_PORTS[url.scheme] else host


def request_start(url: SplitResult) -> list[str]:
    """The first lines of every request to `url`."""
    return [f"POST {quote(url.path, safe=_PATH_CHARACTERS)} HTTP/1.1", f"Host: {authority(url)}"]


def _connect_request(api: SplitResult, proxy: SplitResult) -> bytes:
    target = authority(api, has_port=True)
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", f"User-Agent: {user_agent()}"]
    if proxy.username is not None:
        user, password = (unquote(text or "", errors="surrogateescape") for text in (proxy.username, proxy.password))
        lines.append(f"Proxy-Authorization: {basic_credentials(user, password)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


_PATH_CHARACTERS = "/%:@!$&'()*+,;="  # RFC 3986 section 3.3
