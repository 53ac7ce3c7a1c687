"""The bearer token: ask for it, keep it in memory, renew it early, once for all who wait.

The request is RFC 6749 section 4.4 (client credentials) with RFC 7617 (Basic). Tokens and secrets are in no repr,
no log line and no exception.
"""

from __future__ import annotations

import asyncio
import io
import logging
import math
import random
import time
from dataclasses import dataclass, field
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import backoff
import msgspec
import requests
from requests.adapters import BaseAdapter
from singer_sdk.authenticators import OAuthAuthenticator

from target_driftrock import loops
from target_driftrock.client.connection import Connection
from target_driftrock.client.dialler import Dialler, NotConnected, cause, request_start
from target_driftrock.errors import AskedToWait, CredentialsRejected, NoThread, NotTheApi
from target_driftrock.events.answer import Answer, Unreadable
from target_driftrock.network import basic_credentials, begun, detached, user_agent
from target_driftrock.retry import Silence, full_jitter, retry_after
from target_driftrock.settings import ApiKey

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from target_driftrock.errors import SetupRefused
    from target_driftrock.events.answer import Reply
    from target_driftrock.network import Network
    from target_driftrock.settings import ClientCredentials, Credentials

log = logging.getLogger(__name__)

_READ_TIMEOUT = 20.0
_REQUEST_LIMIT = 30.0  # for all of a request, its name look-up and every address of the host included
_DEFAULT_LIFETIME = 3600.0  # seconds: what the API documents for its tokens
_EARLY = 60.0
_SHORTEST = 1.0
"""Seconds from one token to the next: a cache counts the life of its token down, and gives it again when it is dead."""
_WAIT_STATUSES = frozenset({408, 425, 429})  # beside 5xx: they judge the moment, not the credentials
_STRANGERS = frozenset({501, 505})  # who has no POST, or no HTTP/1.1, will not have them later
_REFUSALS = frozenset({"invalid_client", "invalid_grant", "unauthorized_client"})  # RFC 6749 section 5.2
_MISUNDERSTOOD = frozenset({"invalid_request", "invalid_scope", "unsupported_grant_type"})
_OK, _UNAUTHORIZED = 200, 401

_REFUSED = (
    "Driftrock refused the credentials: check that client_id and client_secret belong together and to this "
    "environment, or make new ones at Driftrock, then run again."
)


class TokenUnavailable(Exception):
    """No token at present. `reason` is fit for a log; `retry_after` is the seconds that the endpoint asked for."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(reason)


class NotAToken(TokenUnavailable):
    """Something answers in the token endpoint's place: a firewall, a proxy. `stop` is what many of them mean."""

    def __init__(self, reason: str, stop: SetupRefused) -> None:
        super().__init__(reason)
        self.stop = stop


class Tokens(Protocol):
    """Where bearer tokens come from."""

    @property
    def requests(self) -> int:
        """How many token requests were sent."""

    @property
    def is_renewable(self) -> bool:
        """Whether another token can be had in place of a refused one."""

    @property
    def fault(self) -> str | None:
        """Why there was no token when one was asked for last, fit for a log; None where there was one."""

    async def token(self, *, refused: str | None = None) -> str:
        """A token to send, in place of `refused`: the one that was answered with a 401.

        Waits for as long as it takes; whoever calls puts an end to it by cancelling. Raises `SetupRefused` where
        no token will ever come.
        """


def tokens_for(credentials: Credentials, network: Network, *, patience: float = math.inf) -> Tokens:
    """Where tokens come from under these credentials. Nothing is asked yet. `patience` is `max_outage_seconds`."""
    if isinstance(credentials, ApiKey):
        return ApiKeyTokens(key=credentials.key)
    return DriftrockAuthenticator(credentials, network, patience=patience)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyTokens:
    """The long-lived key in a token's place: nothing is asked for, and nothing can be renewed."""

    key: str = field(repr=False)
    requests: int = 0
    is_renewable: bool = False
    fault: str | None = None

    async def token(self, *, refused: str | None = None) -> str:  # noqa: ARG002 - there is no other
        """The key."""
        return self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A token and for how many seconds it lives, counted from its request."""

    token: str = field(repr=False)
    lifetime: float


class DriftrockAuthenticator(OAuthAuthenticator):
    """The SDK's authenticator by our rules: one try, our deadlines, the connections of events, nothing logged.

    Of the SDK's own request nothing is left: it tries ten times for 60 seconds each, reads netrc, and logs the
    answer's body. `clock` is monotonic, `roll` uniform in [0, 1), `limit` the seconds for one request.
    """

    is_renewable = True

    def __init__(
        self,
        credentials: ClientCredentials,
        network: Network,
        *,
        clock: Callable[[], float] = time.monotonic,
        roll: Callable[[], float] = random.random,
        limit: float = _REQUEST_LIMIT,
        patience: float = math.inf,
    ) -> None:
        super().__init__(
            auth_endpoint=network.token_url,
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
        )
        self.requests = 0
        self.fault: str | None = None
        self._clock = clock
        self._limit = limit
        self._patience = patience
        self._silence = Silence()
        self._renew_at = -math.inf
        self._spared_until = -math.inf
        self._lock = asyncio.Lock()
        self._ask_until_answered = backoff.on_exception(
            partial(waits, roll), TokenUnavailable, jitter=None, logger=None
        )(self._ask)
        self._session.trust_env = False  # else a netrc entry would replace our header
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, _Adapter(network))

    @property
    def oauth_request_body(self) -> dict[str, str]:
        """All that is said: the credentials go in the header alone."""
        return {"grant_type": "client_credentials"}

    def is_token_valid(self) -> bool:
        """Whether there is a token that need not be renewed yet."""
        return self.access_token is not None and self._clock() < self._renew_at

    async def token(self, *, refused: str | None = None) -> str:
        """A token to send: one request however many wait, and none while the present one is good.

        With `refused`, the token that was answered with a 401, a new one is asked for, unless another waiter has
        it already, or the endpoint gave the same one again within the last second. While the endpoint answers nothing
        of use it is asked again, with full jitter and by its `Retry-After`, until the caller cancels; a cancelled
        waiter leaves the next one to ask. Raises `CredentialsRejected` or `NotTheApi`.
        """
        if (present := self._present(refused)) is not None:  # nearly always: no need to queue for the lock
            return present
        async with self._lock:
            if (present := self._present(refused)) is not None:
                return present
            before = self.access_token
            token = await self._ask_until_answered()
            self._spared_until = self._clock() + _SHORTEST if token == before else -math.inf
            return token

    def _present(self, refused: str | None) -> str | None:
        """The token that there is, if it is good and not the refused one."""
        is_good = self.is_token_valid() and not self._is_refused(refused)
        return self.access_token if is_good else None

    def _is_refused(self, refused: str | None) -> bool:
        is_ours = self.access_token is not None and self.access_token == refused
        return is_ours and self._clock() >= self._spared_until

    def update_access_token(self) -> None:
        """Send one token request and keep what it grants. Blocks for up to half a minute.

        Raises `CredentialsRejected`, `NotTheApi`, or `TokenUnavailable` where a later request may succeed.
        """
        asked_at = self._clock()
        self.requests += 1
        try:
            self._keep(begun(self._request).result(), asked_at=asked_at)
        except NotAToken as answer:
            raise answer.stop from None

    def handle_error(self, *, content: str, status_code: int | None) -> None:
        """Log nothing: an answer's body may hold anything."""

    async def _ask(self) -> str:
        asked_at = self._clock()
        self.requests += 1
        try:
            async with asyncio.timeout(self._limit):
                grant = await detached(self._request)
        except TimeoutError:
            failure = TokenUnavailable("no answer in time")
        except NoThread:
            self.requests -= 1
            failure = TokenUnavailable("no thread to ask it by: this machine's limit on processes is reached")
        except TokenUnavailable as unavailable:
            failure = unavailable
            self._judge(unavailable)
        else:
            self._keep(grant, asked_at=asked_at)
            return grant.token
        self._warn(failure)
        raise failure

    def _judge(self, failure: TokenUnavailable) -> None:
        """Raises what ends the run where asking again is of no use."""
        if failure.retry_after is not None and failure.retry_after > self._patience:
            raise AskedToWait(until=time.time() + failure.retry_after, reason=f"token endpoint, {failure.reason}")
        if not isinstance(failure, NotAToken):
            self._silence.end()
        elif self._silence.note(self._clock(), is_known=self.access_token is not None):
            raise failure.stop

    def _keep(self, grant: Grant, *, asked_at: float) -> None:
        self._silence.end()
        self.access_token = grant.token
        self._renew_at = asked_at + renewal_age(grant.lifetime)
        self.fault = None

    def _warn(self, failure: TokenUnavailable) -> None:
        if failure.reason != self.fault:
            log.warning("The token endpoint gives no token yet (%s); trying again.", failure.reason)
        self.fault = failure.reason

    def _request(self) -> Grant:
        try:
            response = self._session.post(
                self.auth_endpoint,
                data=self.oauth_request_payload,
                headers={
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                    "Authorization": basic_credentials(self.client_id or "", self.client_secret or ""),
                    "Connection": "close",  # the next request may be an hour away
                    "User-Agent": user_agent(),
                },
                allow_redirects=False,
            )
        except _Unreadable as odd:
            raise NotAToken(odd.reason, _not_the_api(odd.reason)) from None
        except _NoReply as unanswered:
            raise TokenUnavailable(unanswered.reason) from None  # the cause holds the request, header and all
        headers = response.headers
        wait = retry_after(headers.get("Retry-After"), now=time.time(), date=headers.get("Date"))
        return grant_from(response.status_code, response.content, wait=wait)


def waits(roll: Callable[[], float]) -> Generator[float, TokenUnavailable, None]:
    """Seconds before each further attempt, for `backoff`, which sends in the failure that came before it.

    Full jitter with `roll` uniform in [0, 1), but never less than the endpoint asked for.
    """
    failure = yield 0.0
    for attempt in count(2):
        failure = yield max(full_jitter(attempt, roll=roll()), failure.retry_after or 0.0)


def grant_from(status: int, body: bytes, *, wait: float | None = None) -> Grant:
    """What a token endpoint's answer grants. `wait` is the `Retry-After` that came with it, in seconds.

    Only OAuth's own errors (RFC 6749 section 5.2) judge credentials: anything else may be a gateway's.

    Raises `CredentialsRejected`, `NotTheApi`, or `TokenUnavailable` where a later request may succeed: `NotAToken`
    where something else seems to answer.
    """
    if (status >= 500 and status not in _STRANGERS) or status in _WAIT_STATUSES:  # noqa: PLR2004 - RFC 9110 15.6
        raise TokenUnavailable(f"status {status}", retry_after=wait)
    error = None if status == _OK else _error(body)
    if error in _REFUSALS:
        raise CredentialsRejected(_REFUSED)
    if error in _MISUNDERSTOOD:
        raise _not_the_api(f"status {status}")
    if status != _OK:
        stop = CredentialsRejected(_REFUSED) if status == _UNAUTHORIZED else _not_the_api(f"status {status}")
        raise NotAToken(f"status {status}", stop)
    try:
        answer = msgspec.json.decode(body, type=_Granted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        reason = "an answer without an access token"
        raise NotAToken(reason, _not_the_api(reason)) from None
    if not _is_sendable(answer.access_token):
        raise _not_the_api("an access token that no header can carry")
    if answer.token_type.casefold() != "bearer":  # RFC 6749 section 5.1: case does not count
        raise _not_the_api("a token_type other than Bearer, the only one understood")
    return Grant(token=answer.access_token, lifetime=lifetime(answer.expires_in))


def lifetime(expires_in: Any) -> float:
    """Seconds that a token lives by its `expires_in`, a number or a numeral.

    RFC 6749 section 5.1 lets it be absent where the documentation says how long a token lives: that hour stands
    in for an absent, an unreadable and a useless value. A token that dies sooner is renewed by its 401.
    """
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float | str):
        return _DEFAULT_LIFETIME
    try:
        seconds = float(expires_in)
    except (ValueError, OverflowError):
        return _DEFAULT_LIFETIME
    return seconds if math.isfinite(seconds) and seconds > 0 else _DEFAULT_LIFETIME


def renewal_age(lifetime: float) -> float:
    """The age in seconds at which a token is renewed: a minute early, or at half of a life under two minutes."""
    return max(lifetime - _EARLY, lifetime / 2, _SHORTEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Granted:
    """RFC 6749 section 5.1. A missing `token_type` is taken for the documented one."""

    access_token: str = field(repr=False)
    token_type: str = "Bearer"  # noqa: S105 - a type, no secret
    expires_in: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    """RFC 6749 section 5.2."""

    error: str


class _NoReply(requests.ConnectionError):
    """Nothing that can be read came back. `reason` is fit for a log."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class _Unreadable(_NoReply):
    """What came is no HTTP."""


class _Adapter(BaseAdapter):
    """requests over the connections that events go by: one rule for names, addresses, proxies, TLS and framing."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """One try, one answer. requests' own time limits, proxies and bundles of certificates are not looked at.

        Raises:
            _NoReply: There is none.
        """
        try:
            reply = loops.run(self._exchange(request), patience=0)
        except NotConnected as failure:
            raise _NoReply(failure.cause) from None
        except OSError as error:  # not even a loop could be made
            raise _NoReply(cause(error)) from None
        if isinstance(reply, Unreadable):
            raise _Unreadable(reply.told)
        if not isinstance(reply, Answer):
            raise _NoReply(reply.value)
        response = requests.Response()
        response.status_code = reply.status
        response.raw = io.BytesIO(reply.excerpt)
        named = {"Retry-After": reply.retry_after, "Date": reply.date}
        response.headers.update({name: value for name, value in named.items() if value is not None})
        return response

    def close(self) -> None:
        """There is nothing that is kept."""

    async def _exchange(self, request: requests.PreparedRequest) -> Reply:
        connection = await Dialler(self._network, connection=lambda: Connection(excerpt=_whole)).dial()
        try:
            return await connection.request(_written(request), timeout=_READ_TIMEOUT)
        finally:
            connection.abort()
            await asyncio.sleep(0)  # in which the loop closes it


def _whole(body: bytes, _: str) -> bytes:
    return body


def _written(request: requests.PreparedRequest) -> bytes:
    lines = request_start(urlsplit(request.url or ""))
    lines += (f"{name}: {value}" for name, value in request.headers.items())
    return "\r\n".join([*lines, "", request.body or ""]).encode("ascii")  # type: ignore[list-item]


def _error(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Refused).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _not_the_api(what: str) -> NotTheApi:
    return NotTheApi(f"The token endpoint does not answer like Driftrock's ({what}): check environment and api_url.")


def _is_sendable(token: str) -> bool:
    """Whether a header can carry it: RFC 6750 section 2.1 knows only visible ASCII in a bearer token."""
    return token.isascii() and token.isprintable() and bool(token) and " " not in token
