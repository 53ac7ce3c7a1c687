"""One request, one reply, against servers that break off at every point of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import uvloop

from target_driftrock.delivery.dialler import authority
from target_driftrock.delivery.transport import HttpTransport, Transport
from target_driftrock.events.answer import Answer, Fault
from target_driftrock.events.event import Capture, Endpoint
from target_driftrock.network import Network
from target_driftrock.settings import Api, Environment
from tests import certificates, threads
from tests.delivery.examples import event

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
    from pathlib import Path

    from target_driftrock.events.answer import Reply

    Script = Callable[["Exchange"], Awaitable[None]]
    End = Callable[["Exchange"], Awaitable[None]]
    Run = Callable[[Coroutine[Any, Any, Any]], Any]

TOKEN = "canary-token"
BODY = b'{"event_type": "lead", "fields": {"email": "ada@example.com"}}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
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


def saying(data: bytes, *, then: End = Exchange.hang_up) -> Script:
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
) -> AsyncIterator[Transport]:
    """The transport to an API at `url`, closed when the block ends."""
    transport = HttpTransport(
        Network.from_environment(Api(environment=Environment.SANDBOX, url=url), environ or {}),
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


async def reply_of(server: Server, **options: Any) -> Reply:
    """The reply of this server to one event."""
    async with server.running(), transport_to(f"http://127.0.0.1:{server.port}", **options) as transport:
        return await post(transport)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine on either loop, since each has its own way to report a lost connection."""

    def on_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(asyncio.wait_for(coroutine, 20))  # a test that hangs has failed

    return on_loop


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, and at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_the_request_is_the_documented_one_when_an_event_is_posted(run: Run) -> None:
    """Method, path, headers and body are what the API's documentation states."""
    server = answering(OK)

    reply = run(reply_of(server))

    head, body = server.requests[0].split(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert reply == Answer(status=200, excerpt=b"{}")
    assert lines[0] == "POST /v2/event HTTP/1.1"
    assert body == BODY
    assert {
        "Content-Type: application/json",
        "Accept: application/json",
        f"Authorization: Bearer {TOKEN}",
        f"Content-Length: {len(BODY)}",
    } < set(lines)
    assert any(line.startswith("User-Agent: target-driftrock") for line in lines)


def test_the_affiliate_path_is_used_when_the_endpoint_says_so(run: Run) -> None:
    """Each endpoint has its own path."""
    server = answering(OK)

    async def scenario() -> None:
        async with server.running(), transport_to(f"http://127.0.0.1:{server.port}") as transport:
            await transport.send([event(1, source=Capture(endpoint=Endpoint.AFFILIATE, source_id="s"))], token=TOKEN)

    run(scenario())
    assert server.requests[0].startswith(b"POST /v2/affiliate_event HTTP/1.1\r\n")


def test_a_name_is_looked_up_when_the_url_has_one(run: Run) -> None:
    """Names become addresses, with the port kept."""
    server = answering(OK)

    async def scenario() -> Reply:
        async with server.running(), transport_to(f"http://localhost:{server.port}") as transport:
            return await post(transport)

    assert run(scenario()) == Answer(status=200, excerpt=b"{}")
    assert f"Host: localhost:{server.port}\r\n".encode() in server.requests[0]


async def break_in_the_request(exchange: Exchange) -> None:
    """Read the start of a request, then close with a reset."""
    await exchange.reader.readexactly(1000)
    await exchange.reset()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\nhello"
GREETING = b"220 mail.example.com ESMTP\r\n\r\n"


@pytest.mark.parametrize(
    ("script", "body"),
    [
        pytest.param(break_in_the_request, b"x" * 900_000, id="in-the-request"),
        pytest.param(saying(b""), BODY, id="after-the-request"),
        pytest.param(saying(b"", then=Exchange.reset), BODY, id="reset-after-the-request"),
        pytest.param(saying(HEAD[:25]), BODY, id="in-the-head"),
        pytest.param(saying(HEAD), BODY, id="after-the-head"),
        pytest.param(saying(HEAD + b'{"ok":'), BODY, id="in-the-body"),
        pytest.param(saying(HEAD + b'{"ok":', then=Exchange.reset), BODY, id="reset-in-the-body"),
        pytest.param(saying(CHUNKED + b"5\r\nhello\r\n"), BODY, id="between-chunks"),
        pytest.param(saying(CHUNKED + b"zz\r\n"), BODY, id="by-a-malformed-chunk"),
        pytest.param(saying(GREETING), BODY, id="by-what-is-no-HTTP"),
        pytest.param(saying(UPGRADE, then=Exchange.wait), BODY, id="by-another-protocol"),
    ],
)
def test_the_answer_is_lost_when_a_standing_connection_breaks(run: Run, script: Script, body: bytes) -> None:
    """Once a request may have begun to leave, what became of it is unknown, and it is not sent again by itself."""
    server = Server(script)

    async def scenario() -> Reply:
        async with server.running(), transport_to(f"http://127.0.0.1:{server.port}") as transport:
            return await post(transport, body)

    assert run(scenario()) is Fault.NO_ANSWER
    assert server.connections == 1


async def drop_by_drop(exchange: Exchange) -> None:
    """Answer so slowly that no single wait is long."""
    await exchange.request()
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        await exchange.send(b".")
        await asyncio.sleep(SHORT / 10)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(Exchange.wait, id="never"),
        pytest.param(saying(HEAD + b"{", then=Exchange.wait), id="not-to-its-end"),
        pytest.param(drop_by_drop, id="drop-by-drop"),
    ],
)
def test_the_answer_is_lost_when_it_is_not_complete_in_time(run: Run, script: Script) -> None:
    """`read_timeout` is for the whole answer: bytes that trickle in do not prolong it."""
    assert run(reply_of(Server(script), read_timeout=SHORT)) is Fault.NO_ANSWER


async def greet(exchange: Exchange) -> None:
    """Speak first, and no TLS."""
    await exchange.send(GREETING)
    await exchange.wait()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(greet, id="another-protocol"),
        pytest.param(Exchange.hang_up, id="hung-up"),
        pytest.param(Exchange.reset, id="reset"),
        pytest.param(Exchange.wait, id="silence"),
    ],
)
def test_nothing_was_sent_when_tls_is_not_agreed(run: Run, script: Script) -> None:
    """A request that never had its connection may be tried again without a doubt."""
    server = Server(script)

    async def scenario() -> Reply:
        async with (
            server.running(),
            transport_to(f"https://127.0.0.1:{server.port}", connect_timeout=SHORT) as transport,
        ):
            return await post(transport)

    assert run(scenario()) is Fault.NOT_SENT


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}", "https://api.invalid", "https://api..example"],
    ids=["refused", "unknown-name", "no-name"],
)
def test_nothing_was_sent_when_nobody_is_there(run: Run, closed_port: int, url: str) -> None:
    """Neither a closed port nor a name without an address (RFC 6761, `.invalid`) has seen the event."""

    async def scenario() -> Reply:
        async with transport_to(url.format(port=closed_port), connect_timeout=2.0) as transport:
            return await post(transport)

    assert run(scenario()) is Fault.NOT_SENT


def test_nothing_was_sent_when_no_thread_is_left_to_look_up_a_name(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """A machine that is full for a moment costs a moment, and one warning."""
    server = answering(OK)

    async def scenario() -> list[Reply]:
        async with server.running(), transport_to(f"http://localhost:{server.port}") as transport:
            with threads.none_left():
                refused = [await post(transport) for _ in range(3)]
            return [*refused, await post(transport)]

    assert run(scenario()) == [*[Fault.NOT_SENT] * 3, Answer(status=200, excerpt=b"{}")]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "ulimit -u" in warning


@pytest.mark.parametrize("seconds", [0.0, SHORT], ids=["at-once", "while-it-hangs"])
@pytest.mark.parametrize("scheme", ["http", "https"], ids=["answer", "connection"])
def test_cancellation_passes_through_when_a_request_is_waited_for(run: Run, scheme: str, seconds: float) -> None:
    """Every wait can be ended, before the connection and after, and it is no fault of the network."""
    server = Server(Exchange.wait)

    async def scenario() -> bool:
        async with server.running(), transport_to(f"{scheme}://127.0.0.1:{server.port}") as transport:
            request = asyncio.ensure_future(post(transport))
            await asyncio.wait([request], timeout=seconds)
            request.cancel()
            await asyncio.wait([request])
            return request.cancelled()

    assert run(scenario())


def test_a_connection_serves_again_when_its_answer_was_read(run: Run) -> None:
    """A connection is not made anew for each event."""
    server = answering(OK, b"HTTP/1.1 422 No\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000, OK)

    async def scenario() -> list[Reply]:
        async with server.running(), transport_to(f"http://127.0.0.1:{server.port}") as transport:
            return [await post(transport) for _ in range(3)]

    assert [reply.status for reply in run(scenario())] == [200, 422, 200]
    assert server.connections == 1


def test_each_request_has_the_whole_time_when_a_connection_serves_several(run: Run) -> None:
    """What an earlier request left of its time is not what the next one has."""
    server = Server(saying(OK, then=Exchange.wait))

    async def scenario() -> tuple[Reply, float]:
        now = asyncio.get_running_loop().time
        async with server.running(), transport_to(f"http://127.0.0.1:{server.port}", read_timeout=SHORT) as transport:
            await post(transport)
            await asyncio.sleep(SHORT / 2)
            began = now()
            return await post(transport), now() - began

    reply, seconds = run(scenario())
    assert reply is Fault.NO_ANSWER
    assert seconds > 0.75 * SHORT
    assert server.connections == 1


def test_the_answer_is_lost_when_a_kept_connection_closes_under_the_request(run: Run) -> None:
    """A server that tires of a connection just then leaves an unknown: sending again is not the transport's choice."""
    server = answering(OK)

    async def scenario() -> list[Reply]:
        async with server.running(), transport_to(f"http://127.0.0.1:{server.port}") as transport:
            return [await post(transport) for _ in range(3)]

    replies = run(scenario())
    assert [type(reply) for reply in replies] == [Answer, Fault, Answer]
    assert replies[1] is Fault.NO_ANSWER
    assert len(server.requests) == 3


def test_the_status_is_known_when_the_body_has_no_end(run: Run) -> None:
    """A body too long to be of use is cut off, its connection with it, and the answer stands."""

    async def endless(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(b"HTTP/1.1 400 No\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            await exchange.send(b"x" * 10_000)

    assert run(reply_of(Server(endless))) == Answer(status=400, excerpt=b"x" * 2000)


@pytest.mark.parametrize(
    ("head", "body", "excerpt"),
    [
        pytest.param("", "é".encode() * 3000, "é".encode() * 2000, id="two-bytes-each"),
        pytest.param("", "𝄞".encode() * 3000, "𝄞".encode() * 2000, id="four-bytes-each"),
        pytest.param("Content-Type: text/plain; charset=iso-8859-1\r\n", b"Jos\xe9", "José".encode(), id="latin-1"),
        pytest.param("Content-Type: text/plain; charset=klingon\r\n", b"ok", b"ok", id="unknown-charset"),
        pytest.param("Content-Type: text/plain; charset=idna\r\n", b"ok\xff", "ok�".encode(), id="useless-charset"),
        pytest.param("Content-Type: text/plain; charset=hex\r\n", b"6f6b", b"6f6b", id="charset-of-no-text"),
        pytest.param("Content-Type: ;;=\r\n", b"ok", b"ok", id="malformed-type"),
        pytest.param("Content-Encoding: gzip\r\n", b"not gzip", b"not gzip", id="wrongly-said-to-be-packed"),
        pytest.param("", b"\xff\xfe", "��".encode(), id="no-text"),
    ],
)
def test_the_excerpt_is_text_when_the_body_is_odd(head: str, body: bytes, excerpt: bytes) -> None:
    """The first 2,000 characters are kept, in UTF-8, and nothing about them endangers the status."""
    answer = f"HTTP/1.1 400 No\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    assert asyncio.run(reply_of(answering(answer))) == Answer(status=400, excerpt=excerpt)


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        pytest.param(b"HTTP/1.1 204 Empty\r\n\r\n", Answer(status=204), id="no-body"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n", Answer(status=200), id="ended-by-closing"),
        pytest.param(b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK, Answer(status=200, excerpt=b"{}"), id="after-103"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, Answer(status=200, excerpt=b"{}"), id="after-100"),
        pytest.param(
            b"HTTP/1.1 429 Slow\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n",
            Answer(status=429, retry_after="Sun, 06 Nov 1994 08:49:37 GMT"),
            id="retry-after",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\nContent-Length: 3\r\n\r\n<p>",
            Answer(status=200, is_html=True, excerpt=b"<p>"),
            id="html",
        ),
        pytest.param(
            b"HTTP/1.1 599 Odd\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            Answer(status=599, excerpt=b"a"),
            id="chunked",
        ),
    ],
)
def test_an_answer_is_told_as_it_came_when_it_is_whole(run: Run, answer: bytes, reply: Answer) -> None:
    """Status, Retry-After and kind are the server's words; judging them is not the transport's."""
    assert run(reply_of(Server(saying(answer)))) == reply


def test_no_redirect_is_followed_when_the_server_asks_for_it() -> None:
    """An event goes to the host that the settings name, or nowhere."""
    server = answering(b"HTTP/1.1 307 There\r\nLocation: /v2/elsewhere\r\nContent-Length: 0\r\n\r\n", OK)

    assert asyncio.run(reply_of(server)) == Answer(status=307)
    assert len(server.requests) == 1


def test_no_cookie_is_sent_when_the_server_set_one() -> None:
    """Events do not carry what an earlier answer left."""
    server = answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n", OK)

    async def scenario() -> None:
        async with server.running(), transport_to(f"http://127.0.0.1:{server.port}") as transport:
            await post(transport)
            await post(transport)

    asyncio.run(scenario())
    assert len(server.requests) == 2
    assert b"cookie" not in server.requests[1].lower()


def test_the_token_stays_when_netrc_knows_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No netrc is read: its password would go out in the token's place."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login ada password canary\ndefault login ada password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    server = answering(OK)

    assert asyncio.run(reply_of(server)) == Answer(status=200, excerpt=b"{}")
    assert f"Authorization: Bearer {TOKEN}".encode() in server.requests[0]


# Through a proxy. The API's name has no address here, so whatever arrives came through it.


async def proxied(server: Server, environ: Mapping[str, str] | None = None, *, connect_timeout: float = 5.0) -> Reply:
    """The reply to one event by way of this proxy."""
    proxy = {"HTTPS_PROXY": f"http://ada:canary@127.0.0.1:{server.port}"}
    async with transport_to(
        "https://api.example.com", environ={**proxy, **(environ or {})}, connect_timeout=connect_timeout
    ) as transport:
        return await post(transport)


def connecting(answer: bytes | None) -> Server:
    """A proxy that hears a CONNECT, and answers so, or not at all; without an answer's end it hangs up."""
    server: Server

    async def script(exchange: Exchange) -> None:
        server.requests.append(await exchange.request())
        if answer is None:
            await exchange.wait()
        else:
            await exchange.send(answer)

    server = Server(script)
    return server


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", id="refuses"),
        pytest.param(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", id="wants-a-password"),
        pytest.param(b"", id="hangs-up"),
        pytest.param(b"HTTP/1.1 20", id="breaks-off"),
        pytest.param(GREETING, id="speaks-no-HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="connects-to-nobody"),
        pytest.param(None, id="is-silent"),
    ],
)
def test_nothing_was_sent_when_the_proxy_gives_no_connection(run: Run, answer: bytes | None) -> None:
    """Until the tunnel stands nothing of the event has left, and the proxy never sees the token."""
    server = connecting(answer)

    async def scenario() -> Reply:
        async with server.running():
            return await proxied(server, connect_timeout=SHORT if answer is None else 5.0)

    assert run(scenario()) is Fault.NOT_SENT
    assert server.requests[0].startswith(b"CONNECT api.example.com:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic YWRhOmNhbmFyeQ==\r\n" in server.requests[0]
    assert TOKEN.encode() not in server.requests[0]


def test_the_proxy_is_passed_by_when_no_proxy_names_the_host(run: Run) -> None:
    """NO_PROXY holds for events."""
    server = connecting(b"")

    async def scenario() -> Reply:
        async with server.running():
            return await proxied(server, {"NO_PROXY": "api.example.com"}, connect_timeout=SHORT)

    assert run(scenario()) is not Fault.NO_ANSWER
    assert not server.requests


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A certificate for api.example.com and localhost."""
    return certificates.made_in(tmp_path)


def tunnel_to(port: Callable[[], int]) -> Server:
    """A proxy that connects whatever it is asked for with `port` on this machine."""

    async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
        sink.close()

    async def script(exchange: Exchange) -> None:
        await exchange.request()
        reader, writer = await asyncio.open_connection("127.0.0.1", port())
        await exchange.send(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            await asyncio.gather(pipe(exchange.reader, writer), pipe(reader, exchange.writer))
        finally:
            writer.transport.abort()

    return Server(script)


def test_an_event_arrives_when_the_proxy_connects_and_the_certificate_is_trusted(run: Run, pem: Path) -> None:
    """HTTPS_PROXY and SSL_CERT_FILE are all that a closed network needs."""
    api = answering(OK)
    proxy = tunnel_to(lambda: api.port)

    async def scenario() -> Reply:
        async with api.running(certificates.server_context(pem)), proxy.running():
            return await proxied(proxy, {"SSL_CERT_FILE": str(pem)})

    assert run(scenario()) == Answer(status=200, excerpt=b"{}")
    assert b"Proxy-Authorization" not in api.requests[0]


@pytest.mark.parametrize("trusted", [True, False])
def test_an_event_goes_only_to_whom_the_certificates_name_when_tls_is_spoken(
    run: Run,
    pem: Path,
    trusted: bool,  # noqa: FBT001
) -> None:
    """A server with another certificate than a trusted one never sees an event."""
    api = answering(OK)
    environ = {"SSL_CERT_FILE": str(pem)} if trusted else {}

    async def scenario() -> Reply:
        async with (
            api.running(certificates.server_context(pem)),
            transport_to(f"https://127.0.0.1:{api.port}", environ=environ) as transport,
        ):
            return await post(transport)

    assert run(scenario()) == (Answer(status=200, excerpt=b"{}") if trusted else Fault.NOT_SENT)
    assert len(api.requests) == trusted


def test_closing_does_no_harm_when_it_is_done_twice() -> None:
    """`close` may be called twice."""

    async def scenario() -> None:
        async with transport_to("http://127.0.0.1:1") as transport:
            await transport.close()

    asyncio.run(scenario())


# What a kept connection must not let through.


async def twice(server: Server) -> list[Reply]:
    """The replies of this server to two events, one after the other."""
    async with server.running(), transport_to(f"http://127.0.0.1:{server.port}") as transport:
        return [await post(transport), await post(transport)]


CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
OLD = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"
REFUSED = b"HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(CLOSING, id="to-be-closed"),
        pytest.param(OLD, id="of-HTTP-1.0"),
        pytest.param(OK + REFUSED, id="with-another-answer-behind"),
        pytest.param(OK + GREETING, id="with-no-HTTP-behind"),
    ],
)
def test_a_connection_is_not_used_again_when_its_answer_says_so_or_is_followed(run: Run, answer: bytes) -> None:
    """What nobody asked for is never taken for the answer to the next event: it would deliver or refuse it falsely."""
    server: Server

    async def script(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(answer if exchange.number == 1 else OK)
        await exchange.wait()

    server = Server(script)
    assert run(twice(server)) == [Answer(status=200, excerpt=b"{}")] * 2
    assert server.connections == 2


def test_the_answer_stands_and_its_connection_goes_when_it_came_before_the_request_was_read(run: Run) -> None:
    """A refusal in the middle of a long body is an answer; the rest of the body must not lead the next request."""
    server: Server

    async def script(exchange: Exchange) -> None:
        await exchange.reader.readexactly(1000)
        await exchange.send(b"HTTP/1.1 413 Long\r\nContent-Length: 0\r\n\r\n")
        await exchange.reader.readuntil(b"\r\n\r\n")

    server = Server(script)

    async def scenario() -> Reply:
        async with server.running(), transport_to(f"http://127.0.0.1:{server.port}") as transport:
            first = await post(transport, b"x" * 20_000_000)
            assert not transport._idle  # type: ignore[attr-defined]  # noqa: SLF001
            return first

    assert run(scenario()) == Answer(status=413)


def test_the_answer_is_lost_when_its_head_has_no_end(run: Run) -> None:
    """Memory stays constant whatever a server says."""

    async def endless(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await exchange.send(b"X-Filler: " + b"x" * 10_000 + b"\r\n")

    assert run(reply_of(Server(endless), read_timeout=60.0)) is Fault.NO_ANSWER  # long before its time is over


@dataclass
class ManualClock:
    """A clock that moves by hand alone."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Seconds, as the hand left them."""
        return self.now


@pytest.mark.parametrize(("idle", "connections"), [(0.0, 1), (1.9, 1), (2.0, 2), (4.0, 2), (4.99, 2), (3600.0, 2)])
def test_a_connection_is_not_used_again_when_it_was_idle_too_long(run: Run, idle: float, connections: int) -> None:
    """A server or a firewall may be giving it up just then, and what is written to it would be an unknown."""
    clock = ManualClock()
    server = answering(OK, OK)

    async def scenario() -> list[Reply]:
        async with server.running(), transport_to(f"http://127.0.0.1:{server.port}", clock=clock) as transport:
            first = await post(transport)
            clock.now += idle
            return [first, await post(transport)]

    assert run(scenario()) == [Answer(status=200, excerpt=b"{}")] * 2
    assert server.connections == connections


def test_no_answer_is_lost_when_the_server_gives_up_an_idle_connection(run: Run) -> None:
    """A keep-alive that ends while nothing is under way costs a new connection, and no request."""
    gave_up = asyncio.Event()

    async def keep_alive(exchange: Exchange) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                await asyncio.wait_for(exchange.request(), SHORT)
                await exchange.send(OK)
        await exchange.hang_up()
        await exchange.reader.read()  # until the other side has closed, too
        gave_up.set()

    server = Server(keep_alive)

    async def scenario() -> list[Reply]:
        async with server.running(), transport_to(f"http://127.0.0.1:{server.port}") as transport:
            first = await post(transport)
            await gave_up.wait()
            return [first, await post(transport)]

    assert run(scenario()) == [Answer(status=200, excerpt=b"{}")] * 2
    assert server.connections == 2


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.example.com", "api.example.com"),
        ("https://api.example.com:443/base", "api.example.com"),
        ("https://api.example.com:8443", "api.example.com:8443"),
        ("http://[::1]:8377", "[::1]:8377"),
        ("https://bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_host_is_written_as_http_writes_it_when_a_url_names_it(url: str, host: str) -> None:
    """RFC 9112 section 3.2: an address of IPv6 in brackets, and no port that is the scheme's own."""
    assert authority(urlsplit(url)) == host


def test_a_path_is_one_word_when_the_url_has_spaces_in_it(run: Run) -> None:
    """Nothing in api_url can end the request line early."""
    server = answering(OK)

    async def scenario() -> Reply:
        async with server.running(), transport_to(f"http://127.0.0.1:{server.port}/b c") as transport:
            return await post(transport)

    assert run(scenario()) == Answer(status=200, excerpt=b"{}")
    assert server.requests[0].startswith(b"POST /b%20c/v2/event HTTP/1.1\r\n")
