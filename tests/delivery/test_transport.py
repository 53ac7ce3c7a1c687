"""One request, one reply, over connections that are kept."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from target_driftrock.events.answer import Answer, NoAnswer, Reply
from target_driftrock.events.event import Capture, Endpoint
from tests.delivery.examples import event
from tests.delivery.servers import (
    BODY,
    OK,
    SHORT,
    TOKEN,
    Exchange,
    Run,
    Server,
    answering,
    post,
    replies_of,
    reply_of,
    transport_to,
)
from tests.waiting import ManualClock


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

    assert [reply.status for reply in run(replies_of(server, 3))] == [200, 422, 200]
    assert server.connections == 1


def test_the_answer_is_lost_when_a_kept_connection_closes_under_the_request(run: Run) -> None:
    """A server that tires of a connection just then leaves an unknown: sending again is not the transport's choice."""
    server = answering(OK)

    replies = run(replies_of(server, 3))
    assert [type(reply) for reply in replies] == [Answer, NoAnswer, Answer]
    assert replies[1] is NoAnswer.LOST
    assert len(server.requests) == 3


def test_no_redirect_is_followed_when_the_server_asks_for_it() -> None:
    """An event goes to the host that the settings name, or nowhere."""
    server = answering(b"HTTP/1.1 307 There\r\nLocation: /v2/elsewhere\r\nContent-Length: 0\r\n\r\n", OK)

    assert asyncio.run(reply_of(server)) == Answer(status=307)
    assert len(server.requests) == 1


def test_no_cookie_is_sent_when_the_server_set_one() -> None:
    """Events do not carry what an earlier answer left."""
    server = answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n", OK)

    asyncio.run(replies_of(server, 2))
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


def test_closing_does_no_harm_when_it_is_done_twice() -> None:
    """`close` may be called twice."""

    async def scenario() -> None:
        async with transport_to("http://127.0.0.1:1") as transport:
            await transport.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("idle", "connections"), [(0.0, 1), (1.9, 1), (2.0, 2), (4.0, 2), (4.99, 2), (3600.0, 2)])
def test_a_connection_is_not_used_again_when_it_was_idle_too_long(run: Run, idle: float, connections: int) -> None:
    """A server or a firewall may be giving it up just then, and what is written to it would be an unknown."""
    clock = ManualClock()
    server = answering(OK, OK)

    async def scenario() -> list[Reply]:
        async with server.running(), transport_to(f"http://127.0.0.1:{server.port}", clock=clock) as transport:
            first = await post(transport)
            clock.seconds += idle
            return [first, await post(transport)]

    assert run(scenario()) == [Answer(status=200, excerpt=b"{}")] * 2
    assert server.connections == connections


def test_a_connection_is_made_anew_when_it_served_for_a_minute(run: Run) -> None:
    """Its address may be another's by then; and the lives of several do not end at once."""
    clock = ManualClock()
    server = answering(*[OK] * 200)

    async def scenario() -> list[int]:
        seen = []
        async with server.running(), transport_to(f"http://127.0.0.1:{server.port}", clock=clock) as transport:
            for _ in range(130):
                await post(transport)
                seen.append(server.connections)
                clock.seconds += 1.0
        return seen

    seen = run(scenario())
    ends = [second for second in range(1, 130) if seen[second] > seen[second - 1]]
    assert ends == [60, 119]


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


def test_a_path_is_one_word_when_the_url_has_spaces_in_it(run: Run) -> None:
    """Nothing in api_url can end the request line early."""
    server = answering(OK)

    assert run(reply_of(server, url="http://127.0.0.1:{port}/b c")) == Answer(status=200, excerpt=b"{}")
    assert server.requests[0].startswith(b"POST /b%20c/v2/event HTTP/1.1\r\n")
