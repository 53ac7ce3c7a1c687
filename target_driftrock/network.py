"""What the token and the events share: hosts, the loopback rule, proxies, TLS. Nothing is sent from here."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from threading import Thread
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # CPython has it, typeshed not

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from target_driftrock.errors import NoThread, SettingsInvalid
from target_driftrock.events.event import Endpoint
from target_driftrock.settings import is_allowed, is_loopback, origin, port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_driftrock.settings import Api

CONNECT_TIMEOUT = 10.0
"""Seconds until a connection stands, with its name looked up and TLS agreed."""

SANDBOX_MISSING = (
    "environment is sandbox, and none is running: start one with `target-driftrock sandbox`, then run again. "
    "If one is running on another port than its default, name its address in api_url."
)
"""What to say where `connection_fault` finds none in the environment `sandbox`."""

_TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path, no secret

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Where to reach the API, and how. `proxy` is None where the API is reached directly."""

    token_url: str
    event_urls: Mapping[Endpoint, str]
    proxy: str | None = field(default=None, repr=False)  # its credentials are part of it
    tls: ssl.SSLContext = field(repr=False)

    @classmethod
    def from_environment(cls, api: Api, environ: Mapping[str, str]) -> Self:
        """Read proxy and certificates from the environment's variables, and nothing else: no netrc, no system store.

        Raises `SettingsInvalid` with all faults: a URL that is not allowed, an unusable proxy or SSL_CERT_FILE.
        """
        faults: list[str] = []
        if not is_allowed(api.url):
            faults.append("api_url must begin with https://: http:// is for a loopback address alone.")
        proxy = _proxy(api.url, environ, faults=faults)
        tls = _tls(environ.get("SSL_CERT_FILE") or DEFAULT_CA_BUNDLE_PATH, faults=faults)
        if faults or tls is None:
            raise SettingsInvalid(faults)
        return cls(
            token_url=api.url + _TOKEN_PATH,
            event_urls={endpoint: api.url + endpoint.value for endpoint in Endpoint},
            proxy=proxy,
            tls=tls,
        )


def connection_fault(network: Network) -> str | None:
    """Why no connection to the API, or to the proxy before it, can be had; None where one can. Nothing is sent.

    Takes up to `CONNECT_TIMEOUT` for each address of the host, and a name look-up on top.
    """
    url = urlsplit(network.proxy or network.token_url)
    try:
        with socket.create_connection((url.hostname or "", port(url)), CONNECT_TIMEOUT) as connection:
            if url.scheme == "https":
                network.tls.wrap_socket(connection, server_hostname=url.hostname).close()
    except socket.gaierror:
        return "its name is not known"
    except ssl.SSLCertVerificationError:
        return "its certificate is not trusted"
    except ssl.SSLError:
        return "it speaks no TLS that we take"
    except TimeoutError:
        return "no answer in time"
    except (OSError, UnicodeError):  # a UnicodeError is a name that cannot be one
        return "no connection"
    return None


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


async def detached(call: Callable[[], _T]) -> _T:
    """What `call` returns or raises, from a daemon thread of its own.

    The loop's executor will not do: its threads are joined when the process ends, so that a hung name server or
    token endpoint would hold a stop. Cancelling leaves the thread to itself, and its result to nobody.

    Raises:
        NoThread: None can be had. Nothing was called.
    """
    outcome: Future[_T] = Future()
    outcome.set_running_or_notify_cancel()  # from here on it cannot be taken back
    try:
        Thread(target=_settle, args=(outcome, call), daemon=True).start()
    except RuntimeError:
        raise NoThread from None
    return await asyncio.wrap_future(outcome)


def _settle(outcome: Future[_T], call: Callable[[], _T]) -> None:
    try:
        outcome.set_result(call())
    except BaseException as error:  # noqa: BLE001 - handed on to the one who waits
        outcome.set_exception(error)


def _proxy(url: str, environ: Mapping[str, str], *, faults: list[str]) -> str | None:
    """The proxy for `url`, with its scheme. The names in small letters win, as in curl."""
    if is_loopback(urlsplit(url).hostname or ""):
        return None  # a proxy's loopback is not ours
    no_proxy = environ.get("no_proxy", environ.get("NO_PROXY", ""))
    if proxy_bypass_environment(urlsplit(origin(url)).netloc, {"no": no_proxy}):
        return None
    for name in ("HTTPS_PROXY", "ALL_PROXY"):
        value = environ.get(name.lower(), environ.get(name, "")).strip()
        if not value:
            continue
        proxy = value if "://" in value else f"http://{value}"
        if _is_usable_proxy(proxy):
            return proxy
        faults.append(f"{name} must be an http:// or https:// URL with a host: mend it, or except the API by NO_PROXY.")
        return None
    return None


def _is_usable_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _tls(cafile: str, *, faults: list[str]) -> ssl.SSLContext | None:
    try:
        context = ssl.create_default_context(cafile=cafile)
    except (OSError, ValueError):  # ssl.SSLError is an OSError; a NUL in the name is a ValueError
        faults.append("SSL_CERT_FILE must name a readable file of certificates in PEM: mend it, or unset it.")
        return None
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # the default, unless a distribution built it otherwise
    return context
