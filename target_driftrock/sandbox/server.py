"""The double itself: API, control and page behind one address on loopback."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from target_driftrock.pages.page import Page
from target_driftrock.sandbox import contract, page, verdict
from target_driftrock.sandbox.access import Access, Keys
from target_driftrock.sandbox.arrivals import KEPT, Arrival, Arrivals
from target_driftrock.sandbox.chance import Dice, Pace
from target_driftrock.sandbox.contract import Refusal, Request
from target_driftrock.sandbox.counts import Counts
from target_driftrock.sandbox.faults import FaultError, Faults, amended
from target_driftrock.sandbox.verdict import Answer, Circumstances, Outcome, Verdict

PORT = 8377
_LONGEST_NUMBER = 19
_FAREWELL_SECONDS = 0.2
_LINGER_NOT = struct.pack("ii", 1, 0)  # closing sends RST at once, instead of FIN
_NO_STORE = {"Cache-Control": "no-store"}
_TOKEN_HEADERS = {
    401: {**_NO_STORE, "WWW-Authenticate": "Basic"},
    405: {**_NO_STORE, "Allow": "POST"},
}

Limit = Annotated[int, msgspec.Meta(ge=0, le=KEPT)]
Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a sandbox starts. `serial` names the property of `fields` that numbers events."""

    faults: Faults = field(default_factory=Faults)
    keys: Keys = field(default_factory=Keys)
    seed: int = 0
    serial: str = "serial"
    record: Path | None = None


class Sandbox:
    """Driftrock's API in memory, as a handler for aiohttp's low-level server. `clock` counts seconds, never back."""

    def __init__(self, setup: Setup | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._setup = setup or Setup()
        self._faults = self._setup.faults
        self._access = Access(self._setup.keys, clock=clock)
        self._arrivals = Arrivals(self._setup.record)
        self._counts = Counts(self._setup.serial)
        self._era = time.time_ns()
        """Another one after each reset, and in another sandbox: numbers begin anew."""
        self._world = Circumstances(
            seed=self._setup.seed,
            roll=Dice(self._setup.seed).roll,
            has_room=Pace(clock=clock).has_room,
            admits_bearer=self._access.admits_bearer,
            was_accepted=lambda event: self._counts.was_accepted(event),  # noqa: PLW0108  # reset makes new counts
            now=time.time,
        )
        self._routes: Mapping[str, Mapping[str, Handler]] = {
            "/": {"GET": self._page},
            "/favicon.ico": {"GET": self._nothing},
            "/_sandbox/counts": {"GET": self._get_counts},
            "/_sandbox/arrivals": {"GET": self._get_arrivals},
            "/_sandbox/event": {"GET": self._event_page},
            "/_sandbox/faults": {"GET": self._get_faults, "POST": self._post_faults},
            "/_sandbox/revoke": {"POST": self._revoke},
            "/_sandbox/reset": {"POST": self._reset},
        }

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        if request.path in (contract.WEBHOOK, contract.AFFILIATE):
            return await self._event(request)
        if request.path == contract.TOKEN:
            return await self._token(request)
        if request.path in self._routes:
            return await self._own(request)
        return await self._stray(request)

    def close(self) -> None:
        """Close the record; may be called twice."""
        self._arrivals.close()

    async def _event(self, request: web.BaseRequest) -> web.Response:
        faults, counts = self._faults, self._counts
        with counts.in_flight:
            body = await _body_of(request)
            if body is None:
                result = Verdict(outcome=Outcome.REFUSED, answer=verdict.refused(_TOO_LARGE))
            else:
                result = verdict.judge(_read(request, body), faults, self._world)
            self._note(request, result, body or b"")
            await _wait(verdict.delay(faults, self._world))
            return await _give(request, result)

    async def _stray(self, request: web.BaseRequest) -> web.Response:
        """A request for what is not there: kept as an arrival, since somebody may look for it."""
        body = await _body_of(request)
        result = Verdict(outcome=Outcome.REFUSED, answer=verdict.refused(_NOT_FOUND))
        self._note(request, result, body or b"")
        return await _give(request, result)

    def _note(self, request: web.BaseRequest, result: Verdict, body: bytes) -> None:
        self._arrivals.note(
            Arrival(
                number=self._counts.requests + 1,
                time=datetime.now(UTC),
                connection=_port_of(request),
                endpoint=request.path,
                outcome=result.outcome,
                status=result.answer.status if result.answer else None,
                reason=result.answer.reason if result.answer else "",
                headers=contract.shown_headers(request.headers),
                body=body,
            )
        )
        self._counts.note(result)

    async def _token(self, request: web.BaseRequest) -> web.Response:
        faults, counts = self._faults, self._counts
        with counts.tokens_in_flight:
            body = await _body_of(request) or b""
            await _wait(faults.latency + faults.token_latency)
            if faults.closed:
                counts.note_token(None)
                await _break_off(request)
            answer = self._token_answer(_read(request, body), faults)
            counts.note_token(answer.status)
            return _response(answer)

    def _token_answer(self, request: Request, faults: Faults) -> Answer:
        if faults.token_down:
            return verdict.failed(503, form=faults.error_retry_after, faults=faults, now=time.time())
        refusal = contract.token_refusal(request)
        if refusal is None and not self._access.admits_client(request.authorization):
            refusal = verdict.UNAUTHORIZED
        if refusal is not None:
            return verdict.refused(refusal, _TOKEN_HEADERS.get(refusal.status, _NO_STORE))
        token = {
            "access_token": self._access.issue(faults),
            "token_type": "Bearer",
            "expires_in": round(faults.token_lifetime),
        }
        return Answer(status=200, body=msgspec.json.encode(token), headers=_NO_STORE)

    async def _own(self, request: web.BaseRequest) -> web.Response:
        """Control and page, for callers on this machine that ask for it by a loopback name."""
        host = request.headers.get("Host", "")
        if not _is_local(host):  # another name for this address is a page that rebinds its DNS
            return _refuse(421, "misdirected", "Control and page are served under a loopback name only.")
        if request.headers.get("Origin", f"http://{host}") != f"http://{host}":
            return _refuse(403, "forbidden", "Control and page obey no page of another origin.")
        handlers = self._routes[request.path]
        if request.method not in handlers:
            refusal = Refusal(status=405, error="method_not_allowed", description="Use another method.")
            return _response(verdict.refused(refusal, {"Allow": ", ".join(handlers)}))
        if request.method == "POST" and request.content_type != "application/json":  # which no form of a page has
            return _refuse(415, "unsupported_media_type", "Content-Type must be application/json.")
        return await handlers[request.method](request)

    async def _page(self, request: web.BaseRequest) -> web.Response:
        sought = request.query.get("filter", "")[: page.LONGEST_FILTER]
        found = self._arrivals.newest(
            page.SHOWN, after=_number(request.query.get("after", "")), words=sought.casefold().split()
        )
        return _html(page.overview(self._counts.shown(), found, sought=sought, era=self._era))

    async def _event_page(self, request: web.BaseRequest) -> web.Response:
        arrival = self._arrivals.numbered(_number(request.query.get("number", "")))
        if arrival is None:
            return _refuse(404, "not_found", "No event of this number is kept: the newest are.")
        return _html(page.whole(arrival))

    async def _nothing(self, _request: web.BaseRequest) -> web.Response:
        return web.Response(status=204)

    async def _get_counts(self, _request: web.BaseRequest) -> web.Response:
        return _json(self._counts.shown())

    async def _get_arrivals(self, request: web.BaseRequest) -> web.Response:
        try:
            limit = msgspec.convert(request.query.get("limit", "100"), Limit, strict=False)
        except msgspec.ValidationError:
            return _refuse(400, "invalid_request", f"limit must be a number up to {KEPT}.")
        return _json([arrival.shown() for arrival in self._arrivals.newest(limit)])

    async def _get_faults(self, _request: web.BaseRequest) -> web.Response:
        return _json(asdict(self._faults))

    async def _post_faults(self, request: web.BaseRequest) -> web.Response:
        try:
            changes = contract.parsed(await request.read())
        except ValueError:
            changes = None
        if not isinstance(changes, dict):
            return _refuse(400, "invalid_request", "The body must be a JSON object of faults and their values.")
        try:
            self._faults = amended(self._faults, changes)
        except FaultError as error:
            return _refuse(400, "invalid_fault", str(error))
        return _json(asdict(self._faults))

    async def _revoke(self, _request: web.BaseRequest) -> web.Response:
        return _json({"revoked": self._access.revoke()})

    async def _reset(self, _request: web.BaseRequest) -> web.Response:
        self._arrivals.clear()
        self._counts = Counts(self._setup.serial)
        self._era += 1
        return _json({"status": "reset"})


@asynccontextmanager
async def serving(sandbox: Sandbox, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve `sandbox`, and give its URL once it listens; port 0 picks a free one. Raises OSError when it cannot.

    Leaving ends what still hangs within a fraction of a second, and closes the sandbox.
    """
    server = web.Server(sandbox, handler_cancellation=True, access_log=None, logger=_log, auto_decompress=False)
    runner = web.ServerRunner(server, shutdown_timeout=_FAREWELL_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound = runner.addresses[0][1]
        yield f"http://{f'[{host}]' if ':' in host else host}:{bound}"
    finally:
        await runner.cleanup()
        sandbox.close()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name: localhost, or an address that never leaves it."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_local(authority: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{authority}").hostname or "")
    except ValueError:
        return False


_TOO_LARGE = Refusal(status=413, error="too_large", description="The body is larger than one MiB.")
_NOT_FOUND = Refusal(status=404, error="not_found", description="Nothing is at this path.")


def _by_type_alone(record: logging.LogRecord) -> bool:
    """Keeps what aiohttp quotes of a request out of the log: of an exception, its type is told."""
    kind = record.exc_info and record.exc_info[0]
    if kind:
        record.msg, record.args, record.exc_info = "A request failed: %s.", (kind.__name__,), None
    return True


_log = logging.getLogger(__name__)
_log.addFilter(_by_type_alone)


async def _body_of(request: web.BaseRequest) -> bytes | None:
    """The body, or None when it is larger than the server reads."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return None


def _read(request: web.BaseRequest, body: bytes) -> Request:
    return Request(
        method=request.method, path=request.path, query=request.query_string, headers=request.headers, body=body
    )


async def _wait(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


async def _give(request: web.BaseRequest, result: Verdict) -> web.Response:
    if result.outcome in verdict.RESETS:
        await _break_off(request)
    if result.answer is None:
        await _hang()
    return _response(result.answer)


async def _break_off(request: web.BaseRequest) -> NoReturn:
    """Reset the connection, so that its end is not orderly."""
    if request.transport is not None:
        connection: socket.socket = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        request.transport.abort()
    await _hang()


async def _hang() -> NoReturn:
    """Wait until the connection is gone, with which aiohttp cancels the handler."""
    await asyncio.Event().wait()
    raise AssertionError


def _port_of(request: web.BaseRequest) -> int:
    peer = request.transport and request.transport.get_extra_info("peername")
    return int(peer[1]) if peer else 0


def _response(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status, body=answer.body, content_type=answer.content_type, headers=answer.headers
    )


def _html(shown: Page) -> web.Response:
    return web.Response(
        text=shown.html,
        content_type="text/html",
        headers={**page.HEADERS, "Content-Security-Policy": f"{shown.policy}; frame-ancestors 'none'"},
    )


def _number(text: str) -> int:
    """Of an arrival; 0, which none has, where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER else 0


def _json(value: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json", headers=_NO_STORE)


def _refuse(status: int, error: str, description: str) -> web.Response:
    return _response(verdict.refused(Refusal(status=status, error=error, description=description)))
