"""One HTTP/1.1 connection: a request, its whole answer, and the next. The only import of httptools.

Knows RFC 9112 from the client's side, as far as a POST and its answer need it: framing is the parser's, the rest is
here. What can be understood in one way is read, however it is written (RFC 9112 sections 2.2 and 5.2): an answer that
is taken for none sends an event twice. Nothing is retried, no redirect followed, no body unpacked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from email.message import Message
from functools import lru_cache
from typing import cast

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpResponseParser

from target_driftrock.events.answer import Answer, NoAnswer, Reply, Unreadable, excerpt_of

_HEAD_LIMIT = 64 * 1024  # bytes of all that is no body: interim answers, head, the frames of chunks, trailers
_BODY_LIMIT = 64 * 1024  # bytes; a longer body is cut off, and its connection with it
_TYPE_LIMIT = 256  # bytes of a Content-Type that are looked at
_FIRST_FINAL_STATUS = 200
_FIRST_FAILURE = 500
_MISDIRECTED = 421  # RFC 9110 section 15.5.20: to be sent on another connection
_LAST_TURNS = 2  # of the loop: within them it reads what lay in the socket when the time was over

_INTERIM = re.compile(rb"\A(?:HTTP/1\.\d 1\d\d.*?\n\r?\n)+", re.DOTALL)
_HEAD_END = re.compile(rb"\n\r?\n")
_STATUS = re.compile(rb"^HTTP/\d(?:\.\d)? (\d{3})\b", re.MULTILINE)
_LENGTH_BEGINS = re.compile(rb"^Content-Length", re.MULTILINE | re.IGNORECASE)
_LENGTH = re.compile(rb"^Content-Length[ \t]*:([^\r\n]*)\r?\n", re.MULTILINE | re.IGNORECASE)


class Connection(asyncio.Protocol):
    """The client's side of one connection, from the moment it stands. To be made inside its loop.

    Gives one `Reply` for each request. An answer that breaks off inside its body is none, whatever its status
    (RFC 9112 section 8: incomplete), unless its end is that of the connection (section 6.3). `excerpt` is what an
    answer keeps of its body, by its charset.
    """

    def __init__(self, *, excerpt: Callable[[bytes, str], bytes] = excerpt_of) -> None:
        self.lives_until = float("inf")
        """For whoever keeps it: the moment at which it has served long enough."""
        self._loop = asyncio.get_running_loop()
        self._excerpt = excerpt
        self._transport: asyncio.Transport | None = None
        self._parser = _parser(self)
        self._reply: asyncio.Future[Reply] | None = None
        self._timer: asyncio.Handle | None = None
        self._retry_after: str | None = None
        self._date: str | None = None
        self._head = b""
        self._forget_answer()

    @property
    def is_free(self) -> bool:
        """Whether it stands, and nobody waits for an answer."""
        return self._reply is None and self._transport is not None and not self._transport.is_closing()

    def request(self, message: bytes, *, timeout: float) -> asyncio.Future[Reply]:
        """Send a whole request, and give what comes back within `timeout` seconds. Only where `is_free`."""
        assert self._transport is not None  # noqa: S101 - it is free
        self._head_bytes = 0
        self._reply = reply = self._loop.create_future()
        self._timer = self._loop.call_later(timeout, self._expire, _LAST_TURNS)
        self._transport.write(message)
        return reply

    def abort(self) -> None:
        """Close at once, whatever is under way. May be called twice."""
        if self._transport is not None:
            self._transport.abort()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands, TLS and all."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes came. Those that nobody asked for end the connection: they could be taken for the next answer."""
        if self._reply is None:
            self.abort()
            return
        self._head_bytes += len(data)
        if not self._is_head_complete:
            self._head += data
        try:
            self._parser.feed_data(data)
        except HttpParserCallbackError:  # a defect of what is here, and nothing that was answered
            raise
        except HttpParserError:
            self._read_again()
        except HttpParserUpgrade:  # from here on it is another protocol
            self._finish(self._unreadable())
        if self._head_bytes > _HEAD_LIMIT:
            self._finish(self._answer() if self._is_head_complete else self._unreadable())

    def eof_received(self) -> None:
        """The server says that it has said all; the connection closes by itself."""
        if self._is_head_complete and not self._framings:
            self._finish(self._answer())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - for us it is lost, however it was
        """The connection is gone."""
        self._lose()

    def _expire(self, turns: int) -> None:
        """The time is over. Where this process was held up, the answer may be here, and has only not been read."""
        if turns:
            self._timer = self._loop.call_soon(self._expire, turns - 1)
        else:
            self._lose()

    # What the parser calls, within data_received.

    def on_message_begin(self) -> None:
        """An answer begins; one that nobody asked for, behind another in the same packet, ends the connection."""
        if self._reply is None:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header, its value without the space around it."""
        name = name.lower()
        if name == b"content-type":
            self._content_type = value
        elif name == b"retry-after":
            self._retry_after = value.decode("latin-1")
        elif name == b"date":
            self._date = value.decode("latin-1")
        elif name in {b"content-length", b"transfer-encoding"}:
            self._framings += 1

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._is_head_complete = True

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        self._head_bytes -= len(body)
        self._body += body
        if len(self._body) > _BODY_LIMIT:
            self._finish(self._answer())

    def on_message_complete(self) -> None:
        """The answer is whole. An interim one is not the answer (RFC 9110 section 15.2).

        A connection goes with a failure, behind which may be another server the next time, and where an answer was
        framed in two ways (RFC 9112 section 6.3): its end may be another than the one that was found.
        """
        status = self._parser.get_status_code()
        if status < _FIRST_FINAL_STATUS:
            self._forget_answer()
        else:
            is_sound = status < _FIRST_FAILURE and status != _MISDIRECTED and self._framings <= 1
            self._finish(self._answer(), keep=is_sound and self._parser.should_keep_alive())

    # What the parser does not take.

    def _read_again(self) -> None:
        """Read a length that is said twice as one. All else that the parser stops at cannot be read."""
        if self._reply is None:  # what stands behind a whole answer
            self.abort()
        elif self._is_head_complete or not _LENGTH_BEGINS.search(self._head):
            self._finish(self._unreadable())
        elif (end := _HEAD_END.search(start := _INTERIM.sub(b"", self._head, 1))) is not None:
            self._forget_answer()
            self._parser = _parser(self)
            try:
                self._parser.feed_data(_with_one_length(start[: end.end()]) + start[end.end() :])
            except HttpParserCallbackError:
                raise
            except (HttpParserError, HttpParserUpgrade):
                self._finish(self._unreadable())

    def _unreadable(self) -> Unreadable:
        statuses = _STATUS.findall(self._head)
        return Unreadable(status=int(statuses[-1]) if statuses else None)

    # The end of an exchange.

    def _finish(self, reply: Reply, *, keep: bool = False) -> None:
        waiting, self._reply = self._reply, None
        if waiting is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        if not waiting.done():  # else whoever awaited it was cancelled
            waiting.set_result(reply)
        self._forget_answer()
        self._head = b""
        if not keep or (self._transport is not None and self._transport.get_write_buffer_size()):
            self.abort()  # part of a request may still be on its way: the answer came before its end

    def _lose(self) -> None:
        self._finish(NoAnswer.LOST)

    def _forget_answer(self) -> None:
        self._is_head_complete = False
        self._framings = 0
        self._content_type = b""
        self._retry_after = None
        self._date = None
        self._body = b""

    def _answer(self) -> Answer:
        return Answer(
            status=self._parser.get_status_code(),
            retry_after=self._retry_after,
            date=self._date,
            excerpt=self._excerpt(self._body[:_BODY_LIMIT], _charset(self._content_type[:_TYPE_LIMIT])),
        )


def _parser(connection: Connection) -> HttpResponseParser:
    """One that takes what other clients take. No second request waits on a connection whose answer was in doubt."""
    parser = HttpResponseParser(connection)
    parser.set_dangerous_leniencies(
        lenient_headers=True,
        lenient_chunked_length=True,
        lenient_version=True,
        lenient_optional_cr_before_lf=True,
        lenient_spaces_after_chunk_size=True,
    )
    return parser


def _with_one_length(head: bytes) -> bytes:
    """The head of an answer, its Content-Length said once where it is the same all over (RFC 9110 section 8.6)."""
    lengths = {length.strip() for value in _LENGTH.findall(head) for length in value.split(b",")}
    if len(lengths) != 1:
        return head
    status_line, end, headers = head.partition(b"\n")
    return b"%b%bContent-Length: %b\r\n%b" % (status_line, end, lengths.pop(), _LENGTH.sub(b"", headers))


@lru_cache(maxsize=16)
def _charset(content_type: bytes) -> str:
    header = Message()
    header["Content-Type"] = content_type.decode("latin-1")
    try:
        return str(header.get_content_charset("utf-8"))
    except Exception:  # noqa: BLE001 - to describe is not to judge: what an odd header breaks must not lose the answer
        return "utf-8"
