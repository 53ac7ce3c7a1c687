"""One connection: a request and its whole answer, from servers that break off at every point of it."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from target_driftrock.events.answer import Answer, NoAnswer, Reply, Unreadable
from tests.delivery.servers import (
    BODY,
    GREETING,
    OK,
    SHORT,
    Exchange,
    Run,
    Script,
    Server,
    answering,
    post,
    replies_of,
    reply_of,
    saying,
    transport_to,
)


async def break_in_the_request(exchange: Exchange) -> None:
    """Read the start of a request, then close with a reset."""
    await exchange.reader.readexactly(1000)
    await exchange.reset()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\nhello"


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
    ],
)
def test_the_answer_is_lost_when_a_standing_connection_breaks(run: Run, script: Script, body: bytes) -> None:
    """Once a request may have begun to leave, what became of it is unknown, and it is not sent again by itself."""
    server = Server(script)

    assert run(reply_of(server, body=body)) is NoAnswer.LOST
    assert server.connections == 1


FOLDED = (
    b"HTTP/1.1 422 No\r\nX-A: one\r\n two\r\nContent-Type: text/html;\r\n\tcharset=utf-8\r\nContent-Length: 1\r\n\r\n<"
)
TWICE = b"HTTP/1.1 422 No\r\nContent-Length: 1\r\nX-A: b\r\ncontent-length:  1\r\nRetry-After: 7\r\n\r\n<"


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        pytest.param(FOLDED, Answer(status=422, excerpt=b"<"), id="folded-headers"),
        pytest.param(FOLDED.replace(b"\r", b""), Answer(status=422, excerpt=b"<"), id="bare-line-feeds"),
        pytest.param(TWICE, Answer(status=422, retry_after="7", excerpt=b"<"), id="one-length-twice"),
        pytest.param(
            b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + TWICE,
            Answer(status=422, retry_after="7", excerpt=b"<"),
            id="one-length-twice-after-103",
        ),
        pytest.param(
            TWICE.replace(b"\r", b""), Answer(status=422, retry_after="7", excerpt=b"<"), id="one-length-twice-bare"
        ),
        pytest.param(
            b"HTTP/1.1 422 No\r\nContent-Length: 1, 1\r\n\r\n<",
            Answer(status=422, excerpt=b"<"),
            id="a-list-of-lengths",
        ),
        pytest.param(
            b"HTTP/1.1 422 No\r\nX-A: a\x01b\x00\x07\r\nContent-Length: 1\r\n\r\n<",
            Answer(status=422, excerpt=b"<"),
            id="control-characters",
        ),
        pytest.param(
            b"HTTP/1.1 422 No\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\n<\r\n0\r\n\r\n",
            Answer(status=422, excerpt=b"<"),
            id="a-space-after-a-chunk's-size",
        ),
        pytest.param(
            b"HTTP/1.1 422 No\nTransfer-Encoding: chunked\n\n1\r\n<\r\n0\r\n\r\n",
            Answer(status=422, excerpt=b"<"),
            id="a-bare-head-before-chunks",
        ),
    ],
)
@pytest.mark.parametrize("is_torn", [False, True], ids=["in-one-piece", "byte-by-byte"])
def test_an_answer_is_read_when_it_is_written_in_a_way_that_is_still_plain(
    run: Run, answer: bytes, reply: Answer, *, is_torn: bool
) -> None:
    """It has come, and means one thing: to call it lost would send the event twice."""

    async def script(exchange: Exchange) -> None:
        await exchange.request()
        for piece in [bytes([byte]) for byte in answer] if is_torn else [answer]:
            await exchange.send(piece)
            await asyncio.sleep(0)
        await exchange.wait()

    assert run(reply_of(Server(script))) == reply


BOTH = b"Transfer-Encoding: chunked\r\n", b"Content-Length: 9\r\n"


@pytest.mark.parametrize("headers", [BOTH, BOTH[::-1]], ids=["chunked-first", "length-first"])
def test_the_answer_stands_and_its_connection_goes_when_it_is_framed_in_two_ways(
    run: Run, headers: tuple[bytes, bytes]
) -> None:
    """RFC 9112 section 6.3: chunks count, and what follows them may be another's."""
    answer = b"HTTP/1.1 200 OK\r\n%b%b\r\n2\r\n{}\r\n0\r\n\r\n" % headers
    server = Server(saying(answer, then=Exchange.wait))

    assert run(replies_of(server, 2)) == [Answer(status=200, excerpt=b"{}")] * 2
    assert server.connections == 2


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        pytest.param(CHUNKED + b"zz\r\n", 200, id="a-malformed-chunk"),
        pytest.param(b"HTTP/1.1 422 No\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n<<", 422, id="two-lengths"),
        pytest.param(b"HTTP/1.1 422 No\r\nContent-Length: 1, 2\r\n\r\n<<", 422, id="a-list-of-two-lengths"),
        pytest.param(b"HTTP/1.1 422 No\r\nContent-Length: -1\r\n\r\n", 422, id="a-length-below-zero"),
        pytest.param(b"HTTP/1.1 422 No\r\nContent Length: 1\r\n\r\n<", 422, id="a-name-of-two-words"),
        pytest.param(b"HTTP/2 422\r\n\r\n", 422, id="another-version"),
        pytest.param(UPGRADE, 101, id="another-protocol"),
        pytest.param(GREETING, None, id="no-HTTP"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", None, id="a-greeting-without-an-end"),
    ],
)
def test_an_answer_is_unreadable_when_it_is_no_plain_http(run: Run, answer: bytes, status: int | None) -> None:
    """Another thing than an answer that never came: who repeats the request will get it again."""
    server = Server(saying(answer, then=Exchange.wait))

    assert run(reply_of(server, read_timeout=60.0)) == Unreadable(status=status)
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
    assert run(reply_of(Server(script), read_timeout=SHORT)) is NoAnswer.LOST


FILLER = b"X-Filler: " + b"x" * 10_000 + b"\r\n"
HINT = b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "again", "reply"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n", FILLER, Unreadable(status=200), id="head"),
        pytest.param(b"", HINT * 300, Unreadable(status=103), id="interim-answers"),
        pytest.param(CHUNKED + b"0\r\n", FILLER, Answer(status=200), id="trailers"),
        pytest.param(CHUNKED, b"1;" + b"x" * 10_000 + b"\r\na\r\n", Answer(status=200), id="frames"),
    ],
)
def test_an_answer_ends_at_64_kib_when_what_is_no_body_has_no_end(
    run: Run, start: bytes, again: bytes, reply: Answer | Unreadable
) -> None:
    """Memory and time stay the same whatever a server says: a stop waits for no flood."""
    sent = 0

    async def endless(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.request()
        await exchange.send(start)
        while True:
            await exchange.send(again)
            sent += len(again)
            await asyncio.sleep(0)

    found = run(reply_of(Server(endless), read_timeout=60.0))  # long before its time is over

    assert (type(found), found.status) == (type(reply), reply.status)
    assert sent < 2_000_000, "what the system's buffers take, and no more"


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
        pytest.param("Content-Encoding: gzip\r\n", gzip.compress(b"<p>"), b"<p>", id="packed-unasked"),
        pytest.param("", gzip.compress(b"<p>" * 10**6)[:60_000], b"<p>" * 666 + b"<p", id="packed-in-silence"),
        pytest.param("", b"\x1f\x8b\x08\xff", "\x1f\ufffd\x08\ufffd".encode(), id="packed-wrongly"),
        pytest.param("", b"\xff\xfe", "��".encode(), id="no-text"),
        pytest.param("Content-Type: text/plain; charset=utf-7\r\n", b"+2AA-", b"?", id="half-a-character"),
        pytest.param("Content-Type: text/html; charset=utf-16\r\n", b"\n<p>", b"\n<p>", id="charset-that-hides-a-page"),
        pytest.param("Content-Type: text/html; charset=cp037\r\n", b'{"a"', b'{"a"', id="charset-that-hides-JSON"),
        pytest.param("Content-Type: text/html; charset=utf-16-le\r\n", b"<\0p\0", b"<p", id="utf-16"),
        pytest.param("Content-Type: text/plain; charset=undefined\r\n", b"ok", b"ok", id="charset-that-fails"),
        pytest.param("Content-Type: text/plain; charset*=\0'y'z\r\n", b"ok", b"ok", id="charset-of-a-NUL"),
        pytest.param(f"Content-Type: a; charset*{'1' * 5000}=a\r\n", b"ok", b"ok", id="charset-of-many-parts"),
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
            Answer(status=200, excerpt=b"<p>"),
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
    assert reply is NoAnswer.LOST
    assert seconds > 0.75 * SHORT
    assert server.connections == 1


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
    assert run(replies_of(server, 2)) == [Answer(status=200, excerpt=b"{}")] * 2
    assert server.connections == 2


@pytest.mark.parametrize(("status", "connections"), [(422, 1), (499, 1), (421, 2), (500, 2), (503, 2), (599, 2)])
def test_a_connection_is_not_used_again_when_it_gave_a_failure(run: Run, status: int, connections: int) -> None:
    """Behind the next one may be a server that is well."""
    server = answering(*[f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()] * 2)

    assert run(replies_of(server, 2)) == [Answer(status=status)] * 2
    assert server.connections == connections


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
            assert not transport._pool._idle  # noqa: SLF001
            return first

    assert run(scenario()) == Answer(status=413)
