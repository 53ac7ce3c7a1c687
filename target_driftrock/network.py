"""What the token and the events share: hosts, the loopback rule, proxies, TLS. Nothing is sent from here."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import logging
import socket
import ssl
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import metadata
from threading import Lock, Thread
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

import idna
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from target_driftrock.errors import NoThread, SettingsInvalid
from target_driftrock.events.event import Endpoint
from target_driftrock.settings import is_allowed, is_loopback, port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from urllib.parse import SplitResult

    from aiohappyeyeballs import AddrInfoType

    from target_driftrock.settings import Api

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
"""Seconds until a connection stands, with its name looked up and TLS agreed."""
_ADDRESS_SECONDS = 10.0
"""For how long an address is taken to be its name's."""

_NO_SANDBOX = (
    "environment is sandbox, and none is running: start one with `target-driftrock sandbox`, then run again. "
    "If one is running on another port than its default, name its address in api_url."
)
_NO_SANDBOX_THERE = (
    "environment is sandbox, and none answers at api_url: start one there with `target-driftrock sandbox --port`, then "
    "run again; or mend api_url, or leave it out for a sandbox on its default port."
)

_TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path, no secret

_T = TypeVar("_T")


class Names:
    """The addresses of names, for token and events alike. Safe from any thread.

    A name is asked for once, however many wait for it, and to its end, whoever still waits: a name server that needs
    longer than one attempt to connect gives its answer to a later one. `ask` is as `socket.getaddrinfo`, `now` is
    monotonic.
    """

    def __init__(
        self,
        ask: Callable[..., Sequence[AddrInfoType]] = socket.getaddrinfo,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._now = now
        self._lock = Lock()
        self._asked: dict[tuple[str, int], Future[tuple[Sequence[AddrInfoType], float]]] = {}

    def addresses(self, host: str, port: int) -> Future[tuple[Sequence[AddrInfoType], float]]:
        """Addresses, and the moment since when they are known.

        Raises:
            NoThread: There is none to ask by.
        """
        with self._lock:
            found = self._asked.get((host, port))
            if found is None or self._is_stale(found):
                found = self._asked[host, port] = begun(partial(self._look_up, host, port))
            return found

    def forget(self, host: str, port: int) -> None:
        """None of its addresses could be connected with: ask anew, unless somebody does already."""
        with self._lock:
            if (found := self._asked.get((host, port))) is not None and found.done():
                del self._asked[host, port]

    def _look_up(self, host: str, port: int) -> tuple[Sequence[AddrInfoType], float]:
        return self._ask(host, port, type=socket.SOCK_STREAM), self._now()

    def _is_stale(self, found: Future[tuple[Sequence[AddrInfoType], float]]) -> bool:
        """Failed, or known for too long."""
        if not found.done():
            return False
        return found.exception() is not None or self._now() >= found.result()[1] + _ADDRESS_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Where to reach the API, and how. `proxy` is None where the API is reached directly."""

    token_url: str
    event_urls: Mapping[Endpoint, str]
    proxy: str | None = field(default=None, repr=False)  # its credentials are part of it
    tls: ssl.SSLContext = field(repr=False)
    names: Names = field(repr=False, default_factory=Names)

    @classmethod
    def from_environment(cls, api: Api, environ: Mapping[str, str]) -> Self:
        """Read proxy and certificates from the environment's variables, and nothing else: no netrc, no system store.

        Raises `SettingsInvalid` with all faults: a URL that is not allowed or names no host, an unusable proxy,
        SSL_CERT_FILE or SSLKEYLOGFILE.
        """
        faults: list[str] = []
        if not is_allowed(api.url):
            faults.append("api_url must begin with https://: http:// is for a loopback address alone.")
        url = _in_ascii(api.url)
        if url is None:
            faults.append("api_url names a host that can be none: mend it.")
        proxy = _proxy(urlsplit(url or ""), environ, faults=faults)
        tls = _tls(environ, faults=faults)
        if faults or url is None or tls is None:
            raise SettingsInvalid(faults)
        return cls(
            token_url=url + _TOKEN_PATH,
            event_urls={endpoint: url + endpoint.value for endpoint in Endpoint},
            proxy=proxy,
            tls=tls,
        )


def sandbox_missing(api: Api) -> str:
    """What to say where `connection_fault` finds nothing in the environment `sandbox`."""
    return _NO_SANDBOX if api.name == api.environment.value else _NO_SANDBOX_THERE


@cache
def user_agent() -> str:
    """Who we say we are: name and version; the name alone where the package is not installed."""
    try:
        return f"target-driftrock/{metadata.version('target-driftrock')}"
    except metadata.PackageNotFoundError:
        return "target-driftrock"


def basic_credentials(user: str, password: str) -> str:
    """RFC 7617 over UTF-8; bytes that the environment could not decode go out as they came in."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogateescape")).decode("ascii")


def begun(call: Callable[[], _T]) -> Future[_T]:
    """What `call` will return or raise, from a daemon thread of its own. It cannot be cancelled.

    An executor will not do: its threads are joined when the process ends, so that a hung name server or token endpoint
    would hold a stop.

    Raises:
        NoThread: None can be had. Nothing was called.
    """
    outcome: Future[_T] = Future()
    outcome.set_running_or_notify_cancel()  # from here on it cannot be taken back

    def settle() -> None:  # within, so that nothing stands before the `try`: whoever waits would wait for ever
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - handed on to the one who waits
            outcome.set_exception(error)

    try:
        Thread(target=settle, daemon=True).start()
    except RuntimeError:
        raise NoThread from None
    return outcome


async def detached(call: Callable[[], _T]) -> _T:
    """What `call` returns or raises: see `begun`. Cancelling leaves the thread to itself, and its result to nobody."""
    return await asyncio.wrap_future(begun(call))


def _in_ascii(url: str) -> str | None:
    """A URL with its host as it is looked up, certified and sent; None where it can be none.

    Done once for all: two ways to write a name, of which there are two standards, are two hosts.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host.isascii():
        return url
    try:
        name = idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError:  # an IDNAError is one
        return None
    before, _, after = parts.netloc.rpartition("@")
    credentials, place = (f"{before}@" if before else ""), after.partition(":")
    return urlunsplit(parts._replace(netloc=f"{credentials}{name}{place[1]}{place[2]}"))


def _proxy(url: SplitResult, environ: Mapping[str, str], *, faults: list[str]) -> str | None:
    """The proxy for `url`, with its scheme. The names in small letters win, as in curl."""
    if is_loopback(url.hostname or ""):
        return None  # a proxy's loopback is not ours
    for name in ("HTTPS_PROXY", "ALL_PROXY"):
        value = environ.get(name.lower(), environ.get(name, "")).strip()
        if not value:
            continue
        if _is_excepted(url, environ.get("no_proxy", environ.get("NO_PROXY", ""))):
            return None
        proxy = _usable_proxy(value if "://" in value else f"http://{value}")
        if proxy is None:
            faults.append(_UNUSABLE_PROXY.format(name=name))
        return proxy
    return None


def _usable_proxy(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return _in_ascii(url) if parts.scheme in {"http", "https"} and parts.hostname else None


def _is_excepted(url: SplitResult, no_proxy: str) -> bool:
    """By a name, which holds for all below it, an address, a network, or a host with its port; `*` is for all."""
    host, entries = url.hostname or "", no_proxy.lower().replace(",", " ").split()
    if any("*" in entry.removeprefix("*") for entry in entries):
        log.warning(_UNMATCHED)
    return any(_excepts(entry, host, port(url)) for entry in entries)


def _excepts(entry: str, host: str, port: int) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    name, colon, number = entry.rpartition(":")
    if colon and number.isdigit():
        return int(number) == port and _excepts(name, host, port)
    name = entry.removeprefix("*").removeprefix(".")
    is_address = host.replace(".", "").isdigit()  # which has nothing below it
    return entry == "*" or (bool(name) and not is_address and f".{host}".endswith(f".{name}"))


def _tls(environ: Mapping[str, str], *, faults: list[str]) -> ssl.SSLContext | None:
    """What certificates are trusted, the same on every Python.

    Not by `ssl.create_default_context`, which reads SSLKEYLOGFILE itself, and from Python 3.13 on refuses the
    authorities of many a company for a missing extension (VERIFY_X509_STRICT).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # the default, unless a distribution built it otherwise
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # what the file names is trusted, the root or not
    try:
        context.load_verify_locations(environ.get("SSL_CERT_FILE") or DEFAULT_CA_BUNDLE_PATH)
    except (OSError, ValueError):  # ssl.SSLError is an OSError; a NUL in the name is a ValueError
        faults.append("SSL_CERT_FILE must name a readable file of certificates in PEM: mend it, or unset it.")
        return None
    if key_log := environ.get("SSLKEYLOGFILE"):
        try:
            context.keylog_filename = key_log
        except (OSError, ValueError):
            faults.append("SSLKEYLOGFILE must name a file that can be written: mend it, or unset it.")
    return context


_UNUSABLE_PROXY = (
    "{name} must be an http:// or https:// URL with a host: mend it (what is special in a password is written as in "
    "%2F), or except the API by NO_PROXY."
)
_UNMATCHED = (
    "NO_PROXY has an entry with a * that does not begin it, which matches nothing: write a domain, an address, or a "
    "network such as 10.0.0.0/8."
)
