"""How a connection comes to stand, or does not: names, addresses, proxies, certificates."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohappyeyeballs import AddrInfoType

from target_driftrock.auth import DriftrockAuthenticator, TokenUnavailable
from target_driftrock.client import dialler
from target_driftrock.client.dialler import authority
from target_driftrock.events.answer import Answer, NoAnswer, Reply
from target_driftrock.network import Names, Network
from target_driftrock.settings import Api, ClientCredentials, Environment
from tests import certificates, threads
from tests.delivery.servers import (
    GREETING,
    OK,
    SHORT,
    TOKEN,
    Exchange,
    Run,
    Script,
    Server,
    addresses,
    answering,
    post,
    reply_of,
    silent_port,
    transport_to,
)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, and at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_name_is_looked_up_when_the_url_has_one(run: Run) -> None:
    """Names become addresses, with the port kept."""
    server = answering(OK)

    assert run(reply_of(server, url="http://localhost:{port}")) == Answer(status=200, excerpt=b"{}")
    assert f"Host: localhost:{server.port}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.example.com", "api.example.com"),
        ("https://api.example.com:443/base", "api.example.com"),
        ("https://api.example.com:8443", "api.example.com:8443"),
        ("http://[::1]:8377", "[::1]:8377"),
    ],
)
def test_the_host_is_written_as_http_writes_it_when_a_url_names_it(url: str, host: str) -> None:
    """RFC 9112 section 3.2: an address of IPv6 in brackets, and no port that is the scheme's own."""
    assert authority(urlsplit(url)) == host


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

    assert run(reply_of(server, url="https://127.0.0.1:{port}", connect_timeout=SHORT)) is NoAnswer.NOT_SENT


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

    assert run(scenario()) is NoAnswer.NOT_SENT


def test_nothing_was_sent_when_no_thread_is_left_to_look_up_a_name(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """A machine that is full for a moment costs a moment, and one warning."""
    server = answering(OK)

    async def scenario() -> list[Reply]:
        async with server.running(), transport_to(f"http://localhost:{server.port}") as transport:
            with threads.none_left():
                refused = [await post(transport) for _ in range(3)]
            return [*refused, await post(transport)]

    assert run(scenario()) == [*[NoAnswer.NOT_SENT] * 3, Answer(status=200, excerpt=b"{}")]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "ulimit -u" in warning


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A certificate for api.example.com and localhost."""
    return certificates.made_in(tmp_path)


@pytest.mark.parametrize("trusted", [True, False])
def test_an_event_goes_only_to_whom_the_certificates_name_when_tls_is_spoken(
    run: Run,
    pem: Path,
    trusted: bool,  # noqa: FBT001
) -> None:
    """A server with another certificate than a trusted one never sees an event."""
    api = answering(OK)
    environ = {"SSL_CERT_FILE": str(pem)} if trusted else {}

    reply = run(reply_of(api, url="https://127.0.0.1:{port}", tls=certificates.server_context(pem), environ=environ))

    assert reply == (Answer(status=200, excerpt=b"{}") if trusted else NoAnswer.NOT_SENT)
    assert len(api.requests) == trusted


# Addresses, and the look-up of names.


def test_addresses_are_tried_beside_each_other_when_the_first_ones_are_silent(run: Run) -> None:
    """RFC 8305: a network that drops IPv6 costs a second, and no event."""
    server = answering(OK)

    async def scenario() -> Reply:
        with silent_port() as silent:
            async with server.running():
                names = Names(lambda *_, **__: addresses(silent, silent, silent, server.port))
                async with transport_to("http://localhost", names=names, connect_timeout=3.0) as transport:
                    return await post(transport)

    assert run(scenario()) == Answer(status=200, excerpt=b"{}")


def test_a_name_is_asked_for_once_and_to_the_end_when_the_name_server_is_slow(run: Run) -> None:
    """An attempt to connect gives up before it; the next ones take what it says in the end."""
    asked = 0
    answers = threading.Event()
    server = answering(OK)

    def ask(*_: object, **__: object) -> list[AddrInfoType]:
        nonlocal asked
        asked += 1
        answers.wait(20)
        return addresses(server.port)

    async def scenario() -> list[Reply]:
        url = "http://localhost"
        async with server.running(), transport_to(url, names=Names(ask), connect_timeout=SHORT) as transport:
            too_early = [await post(transport) for _ in range(2)]
            answers.set()
            return [*too_early, await post(transport)]

    assert run(scenario()) == [NoAnswer.NOT_SENT, NoAnswer.NOT_SENT, Answer(status=200, excerpt=b"{}")]
    assert asked == 1


def test_another_address_is_found_when_the_name_has_moved(run: Run, closed_port: int) -> None:
    """What is known of a name is forgotten where no connection comes of it."""
    server = answering(OK)
    ports = [closed_port]

    async def scenario() -> list[Reply]:
        names = Names(lambda *_, **__: addresses(*ports))
        async with server.running(), transport_to("http://localhost", names=names) as transport:
            first = await post(transport)
            ports[:] = [server.port]
            return [first, await post(transport)]

    assert run(scenario()) == [NoAnswer.NOT_SENT, Answer(status=200, excerpt=b"{}")]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError(errno.ENETUNREACH, "x"), "its address cannot be reached from here"),
        (
            OSError("Multiple exceptions: [Errno 101] x, [Errno 111] Connect call failed ('::1', 1)"),
            "connection refused",
        ),
        (socket.gaierror(socket.EAI_NONAME, "x"), "its name is not known"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "no name server answers"),
        (UnicodeError("label empty"), "its name is not known"),
        (OSError(errno.EMFILE, "x"), "the limit on open files (ulimit -n) is reached"),
        (ConnectionResetError(), "it closed the connection"),
        (OSError("x"), "no connection"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value),
)
def test_the_cause_is_in_our_words_when_there_is_no_connection(error: Exception, cause: str) -> None:
    """The system's name addresses; of several addresses the most telling failure counts."""
    assert dialler.cause(error) == cause


@pytest.mark.parametrize(
    ("host", "found", "cause"),
    [
        ("api.example.com", ["0.0.0.0"], "its name leads to this machine"),  # noqa: S104 - nobody listens
        ("api.example.com", ["127.0.0.1", "127.0.0.2"], "its name leads to this machine"),
        ("localhost", ["127.0.0.1"], "connection refused"),
    ],
    ids=["no address", "addresses of this machine", "a name of this machine"],
)
def test_it_is_told_when_a_name_leads_to_this_machine(
    closed_port: int, host: str, found: list[str], cause: str
) -> None:
    """Filters of names answer so for what they block."""
    listed = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, closed_port)) for address in found]

    async def scenario() -> str | None:
        async with transport_to(f"https://{host}", names=Names(lambda *_, **__: listed)) as transport:
            await post(transport)
            return transport.fault

    assert cause in str(asyncio.run(scenario()))


# Through a proxy. The API's name has no address here, so whatever arrives came through it.


async def proxied(server: Server, environ: Mapping[str, str] | None = None, *, connect_timeout: float = 5.0) -> Reply:
    """The reply to one event by way of this proxy."""
    async with server.running():
        proxy = {"HTTPS_PROXY": f"http://ada:canary@127.0.0.1:{server.port}", **(environ or {})}
        async with transport_to("https://api.example.com", environ=proxy, connect_timeout=connect_timeout) as transport:
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

    assert run(proxied(server, connect_timeout=SHORT if answer is None else 5.0)) is NoAnswer.NOT_SENT
    assert server.requests[0].startswith(b"CONNECT api.example.com:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic YWRhOmNhbmFyeQ==\r\n" in server.requests[0]
    assert TOKEN.encode() not in server.requests[0]


def test_the_proxy_is_passed_by_when_no_proxy_names_the_host(run: Run) -> None:
    """NO_PROXY holds for events."""
    server = connecting(b"")

    assert run(proxied(server, {"NO_PROXY": "api.example.com"}, connect_timeout=SHORT)) is not NoAnswer.LOST
    assert not server.requests


def tunnel_to(port: Callable[[], int], *, agreement: bytes = b"HTTP/1.1 200 OK\r\n\r\n", after: float = 0.0) -> Server:
    """A proxy that connects whatever it is asked for with `port` on this machine, and agrees like this."""
    server: Server

    async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
        sink.close()

    async def script(exchange: Exchange) -> None:
        server.requests.append(await exchange.request())
        reader, writer = await asyncio.open_connection("127.0.0.1", port())
        await asyncio.sleep(after)
        await exchange.send(agreement)
        try:
            await asyncio.gather(pipe(exchange.reader, writer), pipe(reader, exchange.writer))
        finally:
            writer.transport.abort()

    server = Server(script)
    return server


def test_an_event_arrives_when_the_proxy_connects_and_the_certificate_is_trusted(run: Run, pem: Path) -> None:
    """HTTPS_PROXY and SSL_CERT_FILE are all that a closed network needs."""
    api = answering(OK)
    proxy = tunnel_to(lambda: api.port)

    async def scenario() -> Reply:
        async with api.running(certificates.server_context(pem)):
            return await proxied(proxy, {"SSL_CERT_FILE": str(pem)})

    assert run(scenario()) == Answer(status=200, excerpt=b"{}")
    assert b"Proxy-Authorization" not in api.requests[0]


@pytest.mark.parametrize(
    ("agreement", "after"),
    [
        pytest.param(b"HTTP/1.1 200 OK\nVia: x\n\n", 0.0, id="with-bare-line-feeds"),
        pytest.param(b"HTTP/1.1 200\r\n\r\n", 0.0, id="without-a-reason"),
        pytest.param(b"HTTP/1.1 200\n\n", 0.0, id="in-few-words"),
        pytest.param(b"HTTP/1.0 200 Connection established\r\nContent-Length: 5\r\n\r\n", 0.0, id="with-a-length"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 0.0, id="after-100"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", 1.5 * SHORT, id="late"),
    ],
)
def test_an_event_arrives_when_the_proxy_agrees_in_an_odd_way(
    run: Run, pem: Path, agreement: bytes, after: float
) -> None:
    """A proxy has a connection to make of its own, so that it may take longer than one takes to connect."""
    api = answering(OK)
    proxy = tunnel_to(lambda: api.port, agreement=agreement, after=after)
    timeout = SHORT if after else 5.0

    async def scenario() -> Reply:
        async with api.running(certificates.server_context(pem)):
            return await proxied(proxy, {"SSL_CERT_FILE": str(pem)}, connect_timeout=timeout)

    assert run(scenario()) == Answer(status=200, excerpt=b"{}")


def test_nothing_was_sent_when_the_proxy_never_comes_to_an_answer(run: Run) -> None:
    """Interim answers without an end are no agreement, and take no memory."""
    sent = 0

    async def endless(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.request()
        while True:
            await exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 400)
            sent += 10_000

    assert run(proxied(Server(endless), connect_timeout=15.0)) is NoAnswer.NOT_SENT
    assert sent < 20_000_000, "what the system's buffers take, and no more"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param("ada:canary", b"ada:canary", id="plain"),
        pytest.param("ada", b"ada:", id="no-password"),
        pytest.param("ada:%E2%82%AC%3A%40%2F%25", "ada:€:@/%".encode(), id="percent-encoded"),
        pytest.param("ada:€ü", "ada:€ü".encode(), id="as-it-is"),
        pytest.param("ada:p@ss:w", b"ada:p@ss:w", id="an-at-sign"),
        pytest.param("ada:100%", b"ada:100%", id="a-percent-sign"),
        pytest.param("ada:%FF", b"ada:\xff", id="no-text"),
    ],
)
def test_the_proxy_hears_the_same_of_token_and_events_when_it_wants_a_password(
    run: Run, written: str, said: bytes
) -> None:
    """RFC 7617 in UTF-8; a byte that is no UTF-8 goes out as it is."""
    server = connecting(b"HTTP/1.1 407 Who\r\n\r\n")

    async def scenario() -> None:
        async with server.running():
            environ = {"HTTPS_PROXY": f"http://{written}@127.0.0.1:{server.port}"}
            network = Network.from_environment(
                Api(environment=Environment.STAGING, url="https://api.example.com"), environ
            )
            tokens = DriftrockAuthenticator(ClientCredentials(client_id="id", client_secret="secret"), network)
            async with transport_to("https://api.example.com", environ=environ) as transport:
                await post(transport)
            with pytest.raises(TokenUnavailable, match="407"):
                await asyncio.to_thread(tokens.update_access_token)

    run(scenario())
    heard = [re.search(rb"Proxy-Authorization: Basic (\S+)\r\n", request) for request in server.requests]
    assert [found and base64.b64decode(found[1]) for found in heard] == [said, said]
