"""Asking for a token: what is sent, what its answer means, and who waits for whom."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import threading
import traceback
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import requests
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.auth import (
    ApiKeyTokens,
    DriftrockAuthenticator,
    Grant,
    NotAToken,
    TokenUnavailable,
    grant_from,
    lifetime,
    renewal_age,
    tokens_for,
    waits,
)
from target_driftrock.errors import AskedToWait, CredentialsRejected, NotTheApi, SetupRefused
from target_driftrock.network import Names, Network
from target_driftrock.settings import Api, ApiKey, ClientCredentials, Environment
from tests import certificates, threads
from tests.delivery.servers import addresses, silent_port
from tests.waiting import ManualClock

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping
    from email.message import Message
    from pathlib import Path

CLIENT_ID, CLIENT_SECRET = "canary-idé", "canary-secret-ü"
CREDENTIALS = ClientCredentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """One answer. Without a status the endpoint hangs up; while `until` is not set it says nothing."""

    status: int | None = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    until: threading.Event | None = None


def granting(token: str, **members: Any) -> Scripted:
    """The documented answer with this token."""
    answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600} | members
    return Scripted(body=json.dumps(answer).encode(), headers={"Content-Type": "application/json"})


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One request, as the endpoint heard it."""

    line: str
    headers: Message
    body: bytes


class TokenEndpoint:
    """A server on this machine that gives scripted answers, the last one over and over."""

    def __init__(self, *answers: Scripted) -> None:
        self.answers = list(answers)
        self.heard: list[Heard] = []
        self.was_asked = threading.Event()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.answer(self)

            do_GET = do_CONNECT = do_POST  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                """Nothing is said on stderr."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Note the request, and play the next answer."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.heard.append(Heard(line=handler.requestline, headers=handler.headers, body=body))
        self.was_asked.set()
        scripted = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if scripted.until is not None:
            scripted.until.wait(5)
        if scripted.status is None:
            return
        with contextlib.suppress(OSError):
            handler.send_response(scripted.status)
            for name, value in scripted.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(scripted.body)))
            handler.end_headers()
            handler.wfile.write(scripted.body)

    @contextlib.contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Iterator[TokenEndpoint]:
        """Serve, with TLS if given, until the block ends."""
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            thread.join()
            self.server.server_close()


def network(url: str, environ: Mapping[str, str] | None = None) -> Network:
    """The network to an API at `url`."""
    return Network.from_environment(Api(environment=Environment.SANDBOX, url=url), environ or {})


def ticking(seconds: float) -> Callable[[], float]:
    """A clock that goes on by so much whenever somebody looks."""
    return partial(next, count(0.0, seconds))


def authenticator(endpoint: TokenEndpoint, **options: Any) -> DriftrockAuthenticator:
    """The authenticator for this endpoint; it never waits between two tries."""
    options = {"roll": lambda: 0.0} | options
    return DriftrockAuthenticator(CREDENTIALS, network(f"http://127.0.0.1:{endpoint.port}"), **options)


def test_the_request_is_the_documented_one_when_a_token_is_asked_for() -> None:
    """RFC 6749 section 4.4 and RFC 7617: one form field, and the credentials in UTF-8 in the header alone."""
    with TokenEndpoint(granting("t1")).running() as endpoint:
        asyncio.run(authenticator(endpoint).token())

    (heard,) = endpoint.heard
    scheme, _, credentials = heard.headers["Authorization"].partition(" ")
    assert heard.line == "POST /oauth2/token HTTP/1.1"
    assert heard.body == b"grant_type=client_credentials"
    assert scheme == "Basic"
    assert base64.b64decode(credentials).decode() == f"{CLIENT_ID}:{CLIENT_SECRET}"
    assert heard.headers["Accept"] == "application/json"
    assert heard.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert heard.headers["User-Agent"].startswith("target-driftrock")


def test_a_secret_goes_out_as_it_came_in_when_the_environment_could_not_decode_it() -> None:
    """A byte that is no UTF-8 reaches Python as a lone surrogate: it is sent, not shown in a traceback."""
    odd = ClientCredentials(client_id="id", client_secret=b"\xff".decode("utf-8", "surrogateescape"))
    with TokenEndpoint(granting("t1")).running() as endpoint:
        DriftrockAuthenticator(odd, network(f"http://127.0.0.1:{endpoint.port}")).update_access_token()

    assert endpoint.heard[0].headers["Authorization"] == "Basic " + base64.b64encode(b"id:\xff").decode()


def test_our_header_stays_when_netrc_knows_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No netrc is read: requests would put its entry in our header's place."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login ada password canary\ndefault login ada password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    with TokenEndpoint(granting("t1")).running() as endpoint:
        authenticator(endpoint).update_access_token()

    credentials = endpoint.heard[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(credentials).decode() == f"{CLIENT_ID}:{CLIENT_SECRET}"


def test_no_cookie_is_sent_when_an_earlier_answer_set_one() -> None:
    """A token request carries nothing of the one before."""
    answer = granting("t1")
    with TokenEndpoint(Scripted(body=answer.body, headers={"Set-Cookie": "a=b; Path=/"})).running() as endpoint:
        tokens = authenticator(endpoint)
        tokens.update_access_token()
        tokens.update_access_token()

    assert [heard.headers["Cookie"] for heard in endpoint.heard] == [None, None]


def error(code: str) -> bytes:
    """The body of an error by RFC 6749 section 5.2."""
    return json.dumps({"error": code, "error_description": "canary"}).encode()


@pytest.mark.parametrize(
    ("status", "body", "stop"),
    [
        pytest.param(401, error("invalid_grant"), CredentialsRejected, id="401-documented"),
        pytest.param(400, error("invalid_client"), CredentialsRejected, id="400-invalid_client"),
        pytest.param(400, error("invalid_grant"), CredentialsRejected, id="400-invalid_grant"),
        pytest.param(403, error("unauthorized_client"), CredentialsRejected, id="403-unauthorized_client"),
        pytest.param(400, error("invalid_request"), NotTheApi, id="400-our-request"),
        pytest.param(404, error("invalid_client"), CredentialsRejected, id="404-invalid_client"),
        pytest.param(400, error("invalid_scope"), NotTheApi, id="400-our-scope"),
        pytest.param(200, b'{"access_token": ""}', NotTheApi, id="200-empty-token"),
        pytest.param(200, b'{"access_token": "can\\r\\nary: 1"}', NotTheApi, id="200-line-break-in-token"),
        pytest.param(200, b'{"access_token": "can ary"}', NotTheApi, id="200-space-in-token"),
        pytest.param(200, b'{"access_token": "canary", "token_type": "mac"}', NotTheApi, id="200-other-type"),
        pytest.param(408, b"", TokenUnavailable, id="408"),
        pytest.param(425, b"", TokenUnavailable, id="425"),
        pytest.param(429, b"", TokenUnavailable, id="429"),
        pytest.param(500, error("invalid_client"), TokenUnavailable, id="500"),
        pytest.param(503, b"", TokenUnavailable, id="503"),
        pytest.param(599, b"", TokenUnavailable, id="599"),
    ],
)
def test_an_answer_without_a_token_is_told_apart_when_it_comes(status: int, body: bytes, stop: type[Exception]) -> None:
    """Wrong credentials, another server and a bad moment each ask for another thing to do; no body is shown."""
    with pytest.raises(stop) as stopped:
        grant_from(status, body)

    assert "canary" not in "".join(traceback.format_exception(stopped.value))


ODD = [
    pytest.param(401, b"", CredentialsRejected, id="401-empty"),
    pytest.param(401, b"<html>canary", CredentialsRejected, id="401-html"),
    pytest.param(400, b'{"error": 7}', NotTheApi, id="400-odd"),
    pytest.param(403, b"<html>canary", NotTheApi, id="403-firewall"),
    pytest.param(404, b"", NotTheApi, id="404"),
    pytest.param(405, b"", NotTheApi, id="405"),
    pytest.param(302, b"", NotTheApi, id="redirect"),
    pytest.param(501, b"<html>canary", NotTheApi, id="501-no-post"),
    pytest.param(204, b"", NotTheApi, id="204"),
    pytest.param(200, b"<html>canary</html>", NotTheApi, id="200-html"),
    pytest.param(200, b"", NotTheApi, id="200-empty"),
    pytest.param(200, b"\xff\xfe", NotTheApi, id="200-no-text"),
    pytest.param(200, b"[]", NotTheApi, id="200-array"),
    pytest.param(200, b'{"a": ' + b"[" * 2000 + b"]" * 2000 + b"}", NotTheApi, id="200-nested"),
    pytest.param(400, b'{"error": ' + b"[" * 2000 + b"]" * 2000 + b"}", NotTheApi, id="400-nested"),
    pytest.param(200, b'{"token_type": "Bearer"}', NotTheApi, id="200-no-token"),
    pytest.param(200, b'{"access_token": null}', NotTheApi, id="200-null"),
]
"""What no OAuth endpoint says: perhaps it is not spoken by one."""


@pytest.mark.parametrize(("status", "body", "stop"), ODD)
def test_nobody_is_judged_at_once_when_something_else_answers_for_the_endpoint(
    status: int, body: bytes, stop: type[SetupRefused]
) -> None:
    """A later request may succeed; what many of them mean is told, and no body is shown."""
    with pytest.raises(NotAToken) as odd:
        grant_from(status, body)

    assert isinstance(odd.value.stop, stop)
    assert "canary" not in f"{odd.value.stop}" + "".join(traceback.format_exception(odd.value))


@pytest.mark.parametrize(("status", "body", "stop"), ODD)
def test_a_good_run_goes_on_when_something_else_answers_for_the_endpoint_for_a_while(
    status: int, body: bytes, stop: type[SetupRefused]
) -> None:
    """Nine in a row, or ten in less than ten seconds, end nothing; the tenth after ten seconds does."""
    odd = Scripted(status=status, body=body)

    async def scenario(tokens: DriftrockAuthenticator) -> str:
        await tokens.token()
        return await tokens.token(refused="t1")

    for seconds, times in ((10.0, 9), (0.1, 30)):
        with TokenEndpoint(granting("t1"), *[odd] * times, granting("t2")).running() as endpoint:
            assert asyncio.run(scenario(authenticator(endpoint, clock=ticking(seconds)))) == "t2"
    with TokenEndpoint(granting("t1"), odd).running() as endpoint:
        with pytest.raises(stop):
            asyncio.run(scenario(authenticator(endpoint, clock=ticking(1.0))))
        assert len(endpoint.heard) == 1 + 10


def test_pages_are_in_a_row_only_when_nothing_else_is_between_them() -> None:
    """Two of them, an outage, and two more judge nobody."""
    page, down = Scripted(status=404), Scripted(status=503)
    with TokenEndpoint(page, page, down, page, page, granting("t1")).running() as endpoint:
        assert asyncio.run(authenticator(endpoint, clock=ticking(5.0)).token()) == "t1"


def test_a_run_stops_soon_when_something_else_answers_from_the_start() -> None:
    """There was never a token: three in a row over five seconds are enough."""
    with TokenEndpoint(Scripted(status=404)).running() as endpoint:
        with pytest.raises(NotTheApi, match="status 404"):
            asyncio.run(authenticator(endpoint, clock=ticking(2.0)).token())
        assert 3 <= len(endpoint.heard) <= 5


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, error("invalid_grant"), ["client_id", "client_secret", "environment"]),
        (400, error("invalid_request"), ["api_url", "environment", "400"]),
        (200, b'{"access_token": "t", "token_type": "mac"}', ["api_url", "environment", "Bearer"]),
    ],
    ids=["credentials", "another-server", "another-type"],
)
def test_the_settings_to_look_at_are_named_when_no_token_will_come(status: int, body: bytes, words: list[str]) -> None:
    """Whoever reads the error knows what to do next."""
    with pytest.raises(SetupRefused) as stopped:
        grant_from(status, body)

    assert all(word in str(stopped.value) for word in words)


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER", None])
def test_a_token_is_taken_when_it_is_a_bearer_token_in_any_case(kind: str | None) -> None:
    """RFC 6749 section 5.1: the case of token_type does not count. A missing one is the documented one."""
    answer = {"access_token": "t1", "expires_in": "90", "scope": "all"} | ({"token_type": kind} if kind else {})

    assert grant_from(200, json.dumps(answer).encode()) == Grant(token="t1", lifetime=90.0)


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (3600, 3600.0),
        (2, 2.0),
        (0.5, 0.5),
        ("7200", 7200.0),
        (" 90 ", 90.0),
        (None, 3600.0),
        (0, 3600.0),
        (-5, 3600.0),
        ("soon", 3600.0),
        ("", 3600.0),
        ("nan", 3600.0),
        ("inf", 3600.0),
        (True, 3600.0),
        ([60], 3600.0),
        (10**400, 3600.0),
        ("9" * 5000, 3600.0),
    ],
    ids=str,
)
def test_a_lifetime_is_read_when_expires_in_has_this_form(expires_in: Any, seconds: float) -> None:
    """A number or a numeral is honoured; what says nothing of use stands for the documented hour."""
    assert lifetime(expires_in) == seconds


@pytest.mark.parametrize(
    ("life", "age"), [(3600.0, 3540.0), (120.0, 60.0), (119.0, 59.5), (60.0, 30.0), (2.0, 1.0), (0.1, 1.0)], ids=str
)
def test_a_token_is_renewed_early_when_it_lives_so_long(life: float, age: float) -> None:
    """A minute early, or at half of a life under two minutes; never sooner than after a second."""
    assert renewal_age(life) == age


@settings(deadline=None, max_examples=100)
@given(st.floats(min_value=1.001, max_value=1e9))
def test_a_token_is_renewed_within_its_life_when_it_has_one(life: float) -> None:
    """A token is neither renewed at once nor used past its end."""
    assert 1 <= renewal_age(life) < life


def test_a_token_is_kept_when_it_is_not_due_for_renewal() -> None:
    """One request serves until a minute before the end, counted from when it was sent."""
    clock = ManualClock()

    async def scenario(tokens: DriftrockAuthenticator) -> list[str]:
        seen = [await tokens.token()]
        clock.seconds += 3539.0
        seen.append(await tokens.token())
        clock.seconds += 1.0
        seen.append(await tokens.token())
        return seen

    with TokenEndpoint(granting("t1"), granting("t2")).running() as endpoint:
        tokens = authenticator(endpoint, clock=clock)
        assert asyncio.run(scenario(tokens)) == ["t1", "t1", "t2"]
    assert tokens.requests == len(endpoint.heard) == 2


def test_one_request_is_sent_when_many_wait() -> None:
    """However many events wait for a token, the endpoint is asked once."""

    async def scenario(tokens: DriftrockAuthenticator) -> list[str]:
        return await asyncio.gather(*(tokens.token() for _ in range(50)))

    with TokenEndpoint(granting("t1"), granting("t2")).running() as endpoint:
        assert asyncio.run(scenario(authenticator(endpoint))) == ["t1"] * 50
    assert len(endpoint.heard) == 1


def test_one_request_is_sent_when_many_were_refused_with_the_same_token() -> None:
    """A token that dies early is renewed once for all whose requests it failed, latecomers too."""

    async def scenario(tokens: DriftrockAuthenticator) -> list[str]:
        await tokens.token()
        renewed = await asyncio.gather(*(tokens.token(refused="t1") for _ in range(50)))
        return [*renewed, await tokens.token(refused="t1"), await tokens.token()]

    with TokenEndpoint(granting("t1"), granting("t2"), granting("t3")).running() as endpoint:
        assert asyncio.run(scenario(authenticator(endpoint))) == ["t2"] * 52
    assert len(endpoint.heard) == 2


def test_the_endpoint_is_not_pestered_when_it_gives_the_refused_token_again() -> None:
    """An endpoint that keeps to its token is asked once for each refusal of it, not once for each event."""

    async def scenario(tokens: DriftrockAuthenticator) -> list[str]:
        return [await tokens.token()] + [await tokens.token(refused="t1") for _ in range(20)]

    with TokenEndpoint(granting("t1")).running() as endpoint:
        assert asyncio.run(scenario(authenticator(endpoint))) == ["t1"] * 21
    assert len(endpoint.heard) == 2


def test_the_endpoint_is_asked_anew_when_the_token_that_it_gave_again_is_refused_a_second_later() -> None:
    """A cache hands a dead token out for a while, and then a good one."""
    clock = ManualClock()

    async def scenario(tokens: DriftrockAuthenticator) -> list[str]:
        seen = [await tokens.token(), await tokens.token(refused="t1")]
        clock.seconds += 1.0
        return [*seen, await tokens.token(refused="t1"), await tokens.token(refused="t1")]

    with TokenEndpoint(granting("t1"), granting("t1"), granting("t2")).running() as endpoint:
        assert asyncio.run(scenario(authenticator(endpoint, clock=clock))) == ["t1", "t1", "t2", "t2"]
    assert len(endpoint.heard) == 3


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Scripted(status=503, body=b"canary"), "status 503"),
        (Scripted(status=429, headers={"Retry-After": "0"}), "status 429"),
        (Scripted(status=None), "answer lost"),
    ],
    ids=["503", "429", "hung-up"],
)
def test_the_endpoint_is_asked_again_when_it_fails(
    failure: Scripted, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An outage of the token endpoint is waited out, with one warning however long it lasts."""
    with TokenEndpoint(failure, failure, failure, granting("t1")).running() as endpoint:
        tokens = authenticator(endpoint)
        assert asyncio.run(tokens.token()) == "t1"

    assert tokens.requests == len(endpoint.heard) == 4
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        f"The token endpoint gives no token yet ({reason}); trying again."
    ]


def test_the_endpoint_is_asked_again_when_it_hangs() -> None:
    """A request has a limit of its own, and an answer after it goes to nobody."""
    release = threading.Event()
    late = granting("late")
    hung = Scripted(body=late.body, until=release)
    with TokenEndpoint(hung, granting("t1")).running() as endpoint:
        tokens = authenticator(endpoint, limit=0.1)
        try:
            assert asyncio.run(tokens.token()) == "t1"
        finally:
            release.set()

    assert tokens.access_token == "t1"


def test_the_endpoint_is_asked_again_when_no_thread_was_left(caplog: pytest.LogCaptureFixture) -> None:
    """A machine that is full for a moment costs a moment, and one warning."""
    rolls = 0
    has_failed_often = asyncio.Event()

    def roll() -> float:
        nonlocal rolls
        rolls += 1
        if rolls == 5:
            has_failed_often.set()
        return 0.0

    async def scenario(tokens: DriftrockAuthenticator) -> str:
        with threads.none_left():
            waiter = asyncio.ensure_future(tokens.token())
            await has_failed_often.wait()
        return await waiter

    with TokenEndpoint(granting("t1")).running() as endpoint:
        tokens = authenticator(endpoint, roll=roll)
        assert asyncio.run(scenario(tokens)) == "t1"

    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "this machine's limit on processes is reached" in warning
    assert tokens.requests == len(endpoint.heard) == 1


def test_the_next_waiter_asks_when_the_one_who_asks_is_cancelled() -> None:
    """Cancelling is clean at any moment: it ends at once, and takes the token from nobody else."""
    release = threading.Event()

    async def scenario(tokens: DriftrockAuthenticator, endpoint: TokenEndpoint) -> str:
        first, second = (asyncio.ensure_future(tokens.token()) for _ in range(2))
        await asyncio.to_thread(endpoint.was_asked.wait, 5)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        return await second

    with TokenEndpoint(Scripted(status=503, until=release), granting("t1")).running() as endpoint:
        try:
            assert asyncio.run(scenario(authenticator(endpoint), endpoint)) == "t1"
        finally:
            release.set()


def test_waiting_ends_at_once_when_it_is_cancelled_between_two_tries() -> None:
    """A long Retry-After does not hold whoever waits."""

    async def scenario(tokens: DriftrockAuthenticator, endpoint: TokenEndpoint) -> bool:
        waiter = asyncio.ensure_future(tokens.token())
        await asyncio.to_thread(endpoint.was_asked.wait, 5)
        await asyncio.wait([waiter], timeout=0.05)
        waiter.cancel()
        await asyncio.wait([waiter])
        return waiter.cancelled()

    with TokenEndpoint(Scripted(status=503, headers={"Retry-After": "86400"})).running() as endpoint:
        assert asyncio.run(scenario(authenticator(endpoint), endpoint))
    assert len(endpoint.heard) == 1


@pytest.mark.parametrize("year", ["99999", "99999999999"])
def test_the_endpoint_is_asked_again_when_it_names_a_year_that_no_calendar_has(year: str) -> None:
    """A date that cannot be read asks for nothing, and ends no run."""
    refusal = Scripted(status=429, headers={"Retry-After": f"Fri, 31 Dec {year} 23:59:59 GMT"})
    with TokenEndpoint(refusal, granting("t1")).running() as endpoint:
        assert asyncio.run(authenticator(endpoint).token()) == "t1"


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("retry_after", ["Fri, 31 Dec 9999 23:59:59 GMT", "9" * 400], ids=["last-year", "400-digits"])
def test_the_endpoint_is_waited_for_when_it_names_a_time_that_nobody_lives_to_see(
    retry_after: str, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """No loop fails at such a wait; whoever waits ends it."""

    async def scenario(tokens: DriftrockAuthenticator, endpoint: TokenEndpoint) -> bool:
        waiter = asyncio.ensure_future(tokens.token())
        await asyncio.to_thread(endpoint.was_asked.wait, 30)
        await asyncio.wait([waiter], timeout=0.3)
        is_waiting = not waiter.done()
        waiter.cancel()
        await asyncio.wait([waiter])
        return is_waiting

    with TokenEndpoint(Scripted(status=503, headers={"Retry-After": retry_after})).running() as endpoint:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            assert runner.run(scenario(authenticator(endpoint), endpoint))
        assert len(endpoint.heard) == 1


def test_the_run_ends_at_once_when_the_endpoint_asks_for_longer_than_patience_lasts() -> None:
    """Nobody waits in silence for what will not come: the moment to come back is told."""
    refusal = Scripted(status=429, headers={"Retry-After": "3600"})
    with TokenEndpoint(refusal).running() as endpoint:
        with pytest.raises(AskedToWait, match="token endpoint, status 429"):
            asyncio.run(authenticator(endpoint, patience=900.0).token())
        assert len(endpoint.heard) == 1


def test_waits_double_and_obey_the_endpoint_when_tries_fail() -> None:
    """Full jitter from 1 s to 60 s, and never less than Retry-After."""
    generator = waits(lambda: 0.5)
    next(generator)
    silent, asking = TokenUnavailable("status 503"), TokenUnavailable("status 429", retry_after=120.0)

    assert [generator.send(failure) for failure in [silent, silent, asking, silent]] == [0.5, 1.0, 120.0, 4.0]
    assert [generator.send(silent) for _ in range(9)][-1] == 30.0


def test_retry_after_is_kept_when_a_token_is_refused_for_the_moment() -> None:
    """Both doors tell how long the endpoint wants to be left alone."""
    with (
        TokenEndpoint(Scripted(status=429, headers={"Retry-After": "7"})).running() as endpoint,
        pytest.raises(TokenUnavailable) as unavailable,
    ):
        authenticator(endpoint).update_access_token()

    assert unavailable.value.retry_after == 7.0


def test_credentials_are_refused_at_once_when_the_endpoint_says_so() -> None:
    """Wrong credentials stop a run without a second request."""
    with (
        TokenEndpoint(Scripted(status=401, body=error("invalid_grant"))).running() as endpoint,
        pytest.raises(CredentialsRejected),
    ):
        asyncio.run(authenticator(endpoint).token())

    assert len(endpoint.heard) == 1


def test_no_redirect_is_followed_when_the_endpoint_asks_for_it() -> None:
    """Credentials go to the host that the settings name, or nowhere."""
    with (
        TokenEndpoint(Scripted(status=307, headers={"Location": "/elsewhere"})).running() as endpoint,
        pytest.raises(NotTheApi, match="307"),
    ):
        authenticator(endpoint).update_access_token()

    assert len(endpoint.heard) == 1


def test_a_long_body_is_not_read_to_its_end_when_it_cannot_be_a_token() -> None:
    """What answers with more than 64 KiB is not the API, whatever comes in the end."""
    with (
        TokenEndpoint(Scripted(body=b" " * 80_000 + granting("t1").body)).running() as endpoint,
        pytest.raises(NotTheApi),
    ):
        authenticator(endpoint).update_access_token()


def test_nothing_secret_is_shown_when_everything_is_printed(caplog: pytest.LogCaptureFixture) -> None:
    """No token, secret or body is in a repr, a log line of any level, or a traceback."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    answers = (
        Scripted(status=503, body=b"canary"),
        Scripted(status=None),
        Scripted(status=401, body=error("invalid_grant")),
        granting("canary-token"),
    )
    with TokenEndpoint(*answers).running() as endpoint:
        tokens = authenticator(endpoint)
        for _ in answers:
            try:
                tokens.update_access_token()
            except (TokenUnavailable, SetupRefused) as stopped:
                shown += traceback.format_exception(stopped)
        tokens.handle_error(content="canary", status_code=500)

    assert tokens.access_token == "canary-token"
    shown += [repr(tokens), repr(Grant(token="canary", lifetime=1.0)), repr(ApiKeyTokens(key="canary"))]
    assert len(shown) > 3
    assert "canary" not in "".join(shown) + caplog.text
    assert base64.b64encode(CLIENT_ID.encode()).decode()[:8] not in "".join(shown) + caplog.text


def test_a_request_is_signed_when_the_sdk_uses_the_authenticator() -> None:
    """The SDK's own door still works, and asks for a token only when one is due."""
    with TokenEndpoint(granting("t1")).running() as endpoint:
        tokens = authenticator(endpoint)
        request = requests.Request("POST", "https://api.example.com/v2/event", auth=tokens).prepare()
        requests.Request("POST", "https://api.example.com/v2/event", auth=tokens).prepare()

    assert request.headers["Authorization"] == "Bearer t1"
    assert tokens.requests == len(endpoint.heard) == 1


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A certificate for api.example.com and localhost."""
    return certificates.made_in(tmp_path)


def test_a_token_is_had_over_tls_when_the_certificate_is_trusted(pem: Path) -> None:
    """SSL_CERT_FILE holds for the token, and nothing is added to what it trusts."""
    with TokenEndpoint(granting("t1")).running(certificates.server_context(pem)) as endpoint:
        secured = network(f"https://localhost:{endpoint.port}", {"SSL_CERT_FILE": str(pem)})
        tokens = DriftrockAuthenticator(CREDENTIALS, secured)
        tokens.update_access_token()

    assert tokens.access_token == "t1"
    assert secured.tls.cert_store_stats()["x509"] == 1


def test_no_credentials_are_sent_when_the_certificate_is_not_trusted(pem: Path) -> None:
    """A server that cannot show who it is never sees the credentials."""
    with TokenEndpoint(granting("t1")).running(certificates.server_context(pem)) as endpoint:
        tokens = DriftrockAuthenticator(CREDENTIALS, network(f"https://localhost:{endpoint.port}"))
        with pytest.raises(TokenUnavailable, match="its certificate is not trusted"):
            tokens.update_access_token()

    assert not endpoint.heard


def test_a_token_is_had_when_the_first_addresses_are_silent() -> None:
    """As events are: a network that drops IPv6 ends no run before its first event."""
    with TokenEndpoint(granting("t1")).running() as endpoint, silent_port() as silent:
        names = Names(lambda *_, **__: addresses(silent, silent, silent, endpoint.port))
        tokens = DriftrockAuthenticator(CREDENTIALS, replace(network("http://localhost"), names=names), limit=5.0)
        assert asyncio.run(tokens.token()) == "t1"


def test_a_token_is_had_when_its_answer_is_written_oddly() -> None:
    """By the leniencies of events, too."""
    answer = granting("t1")
    with TokenEndpoint(Scripted(body=answer.body, headers={"X-A": "one\n two\x01"})).running() as endpoint:
        assert asyncio.run(authenticator(endpoint).token()) == "t1"


def test_the_cause_is_told_when_no_token_can_be_had() -> None:
    """For an outage's line, and a run's last one."""
    endpoint = TokenEndpoint(granting("t1"))
    endpoint.server.server_close()
    has_failed = asyncio.Event()

    def roll() -> float:
        has_failed.set()
        return 0.9

    async def scenario(tokens: DriftrockAuthenticator) -> str | None:
        waiter = asyncio.ensure_future(tokens.token())
        await has_failed.wait()
        waiter.cancel()
        return tokens.fault

    assert asyncio.run(scenario(authenticator(endpoint, roll=roll))) == "connection refused"


def test_the_token_goes_through_the_proxy_when_there_is_one() -> None:
    """HTTPS_PROXY holds for the token: the proxy hears where to connect, and not the credentials."""
    with TokenEndpoint(Scripted(status=502)).running() as proxy:
        environ = {"HTTPS_PROXY": f"http://ada:lovelace@127.0.0.1:{proxy.port}"}
        tokens = DriftrockAuthenticator(CREDENTIALS, network("https://api.example.com", environ))
        with pytest.raises(TokenUnavailable, match=r"the proxy: it gives no connection \(status 502\)") as unavailable:
            tokens.update_access_token()

    (heard,) = proxy.heard
    assert heard.line.startswith("CONNECT api.example.com:443 ")
    assert heard.headers["Proxy-Authorization"] == "Basic " + base64.b64encode(b"ada:lovelace").decode()
    assert heard.headers["Authorization"] is None
    assert unavailable.value.__cause__ is None
    assert unavailable.value.__suppress_context__, "the context holds the request, and the proxy's password"


def test_no_proxy_is_used_when_the_environment_names_one_only_to_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network that was read at the start decides; requests does not read the environment again."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with TokenEndpoint(granting("t1")).running() as endpoint:
        assert asyncio.run(authenticator(endpoint).token()) == "t1"


def test_the_key_is_the_token_when_an_api_key_is_given() -> None:
    """A long-lived key needs no request, and nothing can be had in its place."""
    tokens = tokens_for(ApiKey(key="k1"), network("https://api.example.com"))

    assert asyncio.run(tokens.token()) == "k1"
    assert tokens.requests == 0
    assert not tokens.is_renewable


def test_tokens_are_asked_for_when_client_credentials_are_given() -> None:
    """Client credentials get the authenticator, and nothing is sent before a token is wanted."""
    tokens = tokens_for(CREDENTIALS, network("https://api.example.com"))

    assert isinstance(tokens, DriftrockAuthenticator)
    assert tokens.is_renewable
    assert tokens.requests == 0
