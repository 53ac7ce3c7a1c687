"""What is reported of HTTP delivery and OAuth in production: the installed command, and the servers concerned."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from signal import SIGCONT
from typing import Any

import pytest

from target_driftrock.errors import ExitCode
from tests import certificates, daemons
from tests.delivery.servers import OK, Exchange, Server
from tests.delivery.test_whole_runs import accepting, freeze, leads, run_against, until
from tests.program import PROGRAM, Ended, Running, started, written
from tests.stage import LEADS

KEY = {"api_key": "key"}
CLIENT = {"client_id": "id", "client_secret": "secret"}
LOGIN = "Location: http://login.example.com/"
PAGE = b"<html>canary</html>"


def says(status: int, body: bytes = b"", *headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def grants(**members: Any) -> bytes:
    """A token endpoint's answer."""
    return says(200, json.dumps({"access_token": "token", **members}).encode())


class Api:
    """Gives tokens, and takes events, of which it knows how often it took each.

    `instead` gives the answer to a request that is not taken, by its number.
    """

    def __init__(
        self,
        instead: Callable[[bytes, int], bytes | None] = lambda *_: None,
        *,
        token: Callable[[], bytes] = grants,
        accepts: bytes = OK,
    ) -> None:
        self.accepted: Counter[str] = Counter()
        self.requests = 0
        self.server = Server(self.serve)
        self._instead = instead
        self._token = token
        self._accepts = accepts

    @property
    def url(self) -> str:
        """Where it is, while its server runs."""
        return f"http://127.0.0.1:{self.server.port}"

    async def serve(self, exchange: Exchange) -> None:
        """One connection."""
        while True:
            await exchange.send(self.answer(await exchange.request()))

    def answer(self, request: bytes) -> bytes:
        """What is said to a request."""
        head, _, body = request.partition(b"\r\n\r\n")
        if b"/oauth2/token " in head:
            return self._token()
        self.requests += 1
        other = self._instead(head, self.requests)
        if other is None:
            self.accepted[json.loads(body)["event_id"]] += 1
        return other or self._accepts


@contextmanager
def run_to(
    url: str,
    folder: Path,
    *,
    credentials: Mapping[str, str] = KEY,
    environ: Mapping[str, str] | None = None,
    command: Sequence[str | Path] = (PROGRAM,),
    **settings: Any,
) -> Iterator[Running]:
    """The command at work, with its API there. Nothing is fed yet."""
    ledger = str(folder / "ledger")
    given = {"environment": "sandbox", "api_url": url, "ledger": ledger, "streams": [dict(LEADS)], **settings}
    (folder / "config.json").write_text(json.dumps({**given, **credentials}))
    with started("--config", "config.json", folder=folder, command=command, environ=environ) as running:
        yield running


async def ended(running: Running, count: int) -> Ended:
    """How it ends after so many leads."""
    running.pour([written(leads(count))])
    return await asyncio.to_thread(running.ended)


def run(api: Api, folder: Path, count: int, **how: Any) -> Ended:
    """How a run of so many leads to this API ends. `how` is of `run_to`."""

    async def scenario() -> Ended:
        async with api.server.running():
            with run_to(api.url, folder, **how) as running:
                return await ended(running, count)

    return asyncio.run(scenario())


# Connections that end.


@pytest.mark.daemons
def test_nothing_is_lost_when_haproxy_gives_idle_connections_up(tmp_path: Path) -> None:
    """Each lead comes about when it gives up the connection of the one before."""
    api = Api()

    async def scenario() -> Ended:
        async with api.server.running():
            idle = ("option http-keep-alive", "timeout http-request 500ms")
            with daemons.haproxy(tmp_path, api.server.port, *idle) as port:
                return await one_by_one(port)

    async def one_by_one(port: int) -> Ended:
        with run_to(f"http://127.0.0.1:{port}", tmp_path, batch_size_rows=1) as running:
            first, *records = leads(9)
            running.feed([first])
            for number, record in enumerate(records, 1):
                running.feed([record])
                await until(lambda: len(api.accepted) == number, running)  # noqa: B023 - called in this turn alone
                await asyncio.sleep(0.495 + number / 1000)
            return await asyncio.to_thread(running.ended)

    done = asyncio.run(scenario())

    assert done.code == ExitCode.RESOLVED, done.err
    assert len(api.accepted) == 9
    assert api.accepted.total() - 9 <= answers_lost(done)


def answers_lost(done: Ended) -> int:
    """As the receipt has it."""
    return int(done.err.partition(" answers lost")[0].rpartition(" ")[2])


@pytest.mark.parametrize("is_frozen", [False, True], ids=["meets the next request", "lies there before it"])
def test_no_event_gets_it_for_its_answer_when_a_408_tells_of_silence(tmp_path: Path, *, is_frozen: bool) -> None:
    """A repeat is counted, whatever it came to; to a process that was frozen both come at once."""
    api, quiet = Api(), asyncio.Event()

    async def serve(exchange: Exchange) -> None:
        await exchange.send(api.answer(await exchange.request()))
        if api.requests > 1:
            await api.serve(exchange)
        await (quiet.wait() if is_frozen else exchange.reader.readexactly(1))
        await exchange.send(says(408, PAGE, "Connection: close"))

    async def scenario() -> Ended:
        server = Server(serve)
        async with server.running():
            with run_to(f"http://127.0.0.1:{server.port}", tmp_path, batch_size_rows=1) as running:
                first, *records = leads(3)
                running.feed([first, records[0]])
                await until(lambda: len(api.accepted) == 1, running)
                await asyncio.sleep(0.3)  # in which its answer is read, and the connection put back
                if is_frozen:
                    await freeze(running)
                quiet.set()
                running.feed(records[1:])
                await asyncio.sleep(0.1)
                running.tell(SIGCONT)
                return await asyncio.to_thread(running.ended)

    done = asyncio.run(scenario())

    assert done.code == ExitCode.RESOLVED, done.err
    assert set(api.accepted.values()) == {1}
    assert len(api.accepted) == 3
    assert answers_lost(done) == (0 if is_frozen else 1)


@pytest.mark.daemons
def test_each_repeat_is_counted_when_a_backend_closes_what_nginx_keeps(tmp_path: Path) -> None:
    """It answers 502, whether the backend took the event before it closed or not."""
    api, broken = Api(), Counter[bool]()

    async def serve(exchange: Exchange) -> None:
        for _ in range(5):
            await exchange.send(api.answer(await exchange.request()))
        request, takes_it = await exchange.request(), bool(exchange.number % 2)
        broken[takes_it] += 1
        if takes_it:
            api.answer(request)

    async def scenario() -> Ended:
        server = Server(serve)
        async with server.running():
            kept = f"upstream api {{ server 127.0.0.1:{server.port} max_fails=0; keepalive 32; }}"
            kept += 'proxy_http_version 1.1; proxy_set_header Connection "";'
            with (
                daemons.nginx(tmp_path, "location / { proxy_pass http://api; }", above=kept) as port,
                run_to(f"http://127.0.0.1:{port}", tmp_path) as running,
            ):
                return await ended(running, 200)

    done = asyncio.run(scenario())

    assert done.code == ExitCode.RESOLVED, done.err
    assert len(api.accepted) == 200
    assert api.accepted.total() - 200 == broken[True] > 0
    assert answers_lost(done) == broken.total()


@pytest.mark.daemons
def test_nothing_is_lost_when_nginx_closes_without_an_answer(tmp_path: Path) -> None:
    """Its own status 444 is no answer at all."""
    api = Api()

    async def scenario() -> Ended:
        async with api.server.running():
            odd = f"location / {{ if ($request_id ~ [0-3]$) {{ return 444; }} proxy_pass {api.url}; }}"
            with daemons.nginx(tmp_path, odd) as port, run_to(f"http://127.0.0.1:{port}", tmp_path) as running:
                return await ended(running, 60)

    done = asyncio.run(scenario())

    assert done.code == ExitCode.RESOLVED, done.err
    assert (len(api.accepted), api.accepted.total()) == (60, 60)
    assert answers_lost(done) > 0


ENDINGS = {
    "Connection: close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", True),
    "keep-alive in HTTP/1.0": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", False),
    "keep-alive, and closes": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", True),
    "Keep-Alive: timeout=1": (b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\n{}", False),
    "HTTP/1.0 until its end": (b"HTTP/1.0 200 OK\r\n\r\n{}", True),
    "HTTP/1.1 until its end": (b"HTTP/1.1 200 OK\r\n\r\n{}", True),
}


@pytest.mark.parametrize(("answer", "closes"), ENDINGS.values(), ids=ENDINGS)
def test_all_is_delivered_once_and_soon_when_answers_end_like_this(
    tmp_path: Path, answer: bytes, *, closes: bool
) -> None:
    """What a gateway says of its connection, or leaves unsaid, costs no event a second request."""
    api = Api(accepts=answer)

    async def once(exchange: Exchange) -> None:
        await exchange.send(api.answer(await exchange.request()))

    api.server.script = once if closes else api.serve
    began = time.monotonic()
    done = run(api, tmp_path, 200)

    assert done.code == ExitCode.RESOLVED, done.err
    assert (len(api.accepted), api.requests) == (200, 200)
    assert time.monotonic() - began < 30


# Who answers in the API's place.


def test_nothing_is_rejected_when_gateways_answer_with_codes_of_their_own(tmp_path: Path) -> None:
    """AWS's, nginx's, Cloudflare's and Akamai's, each once."""
    codes = [444, 460, 463, 464, 494, 495, 496, 497, 498, 499, 509, *range(520, 531), 561, 598, 599]
    api = Api(lambda _, number: says(codes.pop()) if codes and number % 4 == 0 else None)

    done = run(api, tmp_path, 200)

    assert done.code == ExitCode.RESOLVED, done.err
    assert not codes
    assert (len(api.accepted), api.accepted.total()) == (200, 200)


@pytest.mark.parametrize("good", [0, 30], ids=["from the start", "in the middle"])
def test_nothing_is_rejected_when_a_login_page_takes_the_place_of_the_api(tmp_path: Path, good: int) -> None:
    """Such as a captive portal's: it redirects, and is told with its status."""
    api = Api(lambda _, number: says(302, PAGE, LOGIN) if number > good else None)

    done = run(api, tmp_path, 60)

    assert done.code == ExitCode.SETUP, done.err
    assert "a web page with status 302" in done.last_line
    assert f"{good} delivered" in done.err
    assert " 0 rejected" in done.err


def test_the_endpoint_is_named_when_a_login_page_answers_for_the_token(tmp_path: Path) -> None:
    """Nothing is sent."""
    api = Api(token=lambda: says(302, PAGE, LOGIN))

    done = run(api, tmp_path, 5, credentials=CLIENT)

    assert done.code == ExitCode.SETUP, done.err
    assert "The token endpoint does not answer like Driftrock's (status 302)" in done.last_line
    assert api.requests == 0


# Tokens.


@pytest.mark.parametrize("whole", [True, False], ids=["whole seconds", "fractions"])
def test_the_endpoint_is_asked_less_than_twice_a_second_when_a_cache_counts_a_token_down(
    tmp_path: Path, *, whole: bool
) -> None:
    """Down to nothing, and the cache hands out the same one for a while after it is dead."""
    asked: list[float] = []
    issued: list[float] = []

    def token() -> bytes:
        asked.append(now := time.monotonic())
        if not issued or now > issued[-1] + 3.2:
            issued.append(now)
        left = max(0.0, issued[-1] + 2.5 - now)
        return grants(access_token=f"t{len(issued)}", expires_in=int(left) if whole else left)

    def refused(head: bytes, _: int) -> bytes | None:
        is_good = f"Bearer t{len(issued)}".encode() in head
        return None if is_good and time.monotonic() < issued[-1] + 2.5 else says(401)

    api = Api(refused, token=token)

    done = run(api, tmp_path, 120, credentials=CLIENT, max_events_per_second=20)

    assert done.code == ExitCode.RESOLVED, done.err
    assert (len(api.accepted), api.accepted.total()) == (120, 120)
    assert len(issued) > 1
    assert min(later - earlier for earlier, later in pairwise(asked)) > 0.5


LIVES: dict[str, dict[str, Any]] = {
    "missing": {},
    "null": {"expires_in": None},
    "negative": {"expires_in": -5},
    "a fraction in a text": {"expires_in": "3599.5"},
    "larger than any clock": {"expires_in": 1e300},
    "of 400 digits": {"expires_in": 10**400},
    "infinite": {"expires_in": "Infinity"},
    "a list": {"expires_in": [3600]},
}


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES)
def test_a_token_serves_when_its_life_is_said_oddly(tmp_path: Path, life: dict[str, Any]) -> None:
    """One is enough."""
    api = Api(token=lambda: grants(**life))

    done = run(api, tmp_path, 3, credentials=CLIENT)

    assert done.code == ExitCode.RESOLVED, done.err
    assert ", 1 token requests" in done.err


@pytest.mark.daemons
@pytest.mark.parametrize("gateway", ["nginx", "haproxy"])
def test_it_is_told_and_nothing_is_rejected_when_a_token_is_too_long_for_a_gateway(
    tmp_path: Path, gateway: str
) -> None:
    """They answer with a page that says 400."""
    api = Api(token=lambda: grants(access_token="t" * 20_000))

    async def scenario() -> Ended:
        async with api.server.running():
            nginx = daemons.nginx(tmp_path, f"location / {{ proxy_pass {api.url}; }}")
            haproxy = daemons.haproxy(tmp_path, api.server.port)
            with (
                nginx if gateway == "nginx" else haproxy as port,
                run_to(f"http://127.0.0.1:{port}", tmp_path, credentials=CLIENT) as running,
            ):
                return await ended(running, 5)

    done = asyncio.run(scenario())

    assert done.code == ExitCode.SETUP, done.err
    assert "no API but a web page with status 400" in done.last_line
    assert " 0 rejected" in done.err


# Names and certificates.


@pytest.mark.parametrize("address", ["0.0.0.0", "::1"])  # noqa: S104 - nobody listens
def test_it_is_told_when_a_filter_of_names_answers_for_the_name(tmp_path: Path, address: str) -> None:
    """Not as if the API had refused the connection."""
    mounting = ["unshare", "--mount", "sh", "-c", 'mount --bind hosts /etc/hosts && exec "$0" "$@"']
    if os.geteuid() != 0 or subprocess.run([*mounting[:2], "true"], check=False).returncode:
        pytest.skip("only root may mount, and not in every container")
    (tmp_path / "hosts").write_text(f"{address} api.example.com\n")
    url = f"https://api.example.com:{daemons.free_port()}"

    with run_to(url, tmp_path, command=[*mounting, PROGRAM], environment="staging", max_outage_seconds=2) as running:
        done = asyncio.run(ended(running, 5))

    assert done.code == ExitCode.TRY_LATER, done.err
    assert "its name leads to this machine" in done.last_line
    assert "5 open" in done.err


def test_it_is_told_when_a_certificate_expires_in_the_middle(tmp_path: Path) -> None:
    """The server is started again with it."""
    good, old, trusted = certificates.made_in(tmp_path), tmp_path / "old.pem", tmp_path / "trusted.pem"
    again = ["openssl", "x509", "-in", str(good), "-signkey", str(good), "-days", "-1"]
    expired = subprocess.run(again, check=True, capture_output=True).stdout
    old.write_bytes((tmp_path / "key.pem").read_bytes() + expired)
    trusted.write_bytes(good.read_bytes() + expired)
    context = certificates.server_context(good)
    api = Api(
        lambda _, number: context.load_cert_chain(old) if number == 10 else None,
        accepts=says(200, b"{}", "Connection: close"),
    )

    async def scenario() -> Ended:
        async with api.server.running(context):
            url, environ = f"https://127.0.0.1:{api.server.port}", {"SSL_CERT_FILE": str(trusted)}
            with run_to(url, tmp_path, environ=environ, max_outage_seconds=2) as running:
                return await ended(running, 100)

    done = asyncio.run(scenario())

    assert done.code == ExitCode.TRY_LATER, done.err
    assert "its certificate is not trusted (certificate has expired)" in done.last_line
    assert 10 <= len(api.accepted) < 100
    assert " 0 rejected" in done.err


# Time.


def test_there_is_no_outage_when_the_process_was_frozen_for_longer_than_one(tmp_path: Path) -> None:
    """A container that was paused knows nothing of the time in between."""
    requests: list[bytes] = []

    async def scenario() -> Ended:
        release = asyncio.Event()
        server = accepting(requests, before=release.wait)
        async with run_against(server, tmp_path, 11, max_outage_seconds=2) as running:
            await until(lambda: len(requests) == 11, running)
            await freeze(running)
            await asyncio.sleep(4)
            running.tell(SIGCONT)
            await asyncio.sleep(0.3)
            release.set()
            return await asyncio.to_thread(running.ended)

    done = asyncio.run(scenario())

    assert done.code == ExitCode.RESOLVED, done.err
    assert len(requests) == 11


@pytest.mark.daemons
def test_one_token_is_asked_for_and_nothing_sent_twice_when_the_clock_jumps(tmp_path: Path) -> None:
    """By an hour ahead, and back by two."""
    daemons.program("faketime")
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    clock = tmp_path / "clock"
    clock.write_text("+0\n")

    def jumping(_: bytes, number: int) -> None:
        clock.write_text("+0\n" if number < 8 else "+1h\n" if number < 16 else "-1h\n")

    api = Api(jumping)
    environ = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
    }

    done = run(api, tmp_path, 24, credentials=CLIENT, environ=environ, max_concurrency=1)

    assert done.code == ExitCode.RESOLVED, done.err
    assert (len(api.accepted), api.requests) == (24, 24)
    assert ", 1 token requests" in done.err
