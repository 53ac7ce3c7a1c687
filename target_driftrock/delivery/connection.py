"""One HTTP/1.1 connection: a request, its whole answer, and the next. The only import of httptools.

Knows RFC 9112 from the client's side, as far as a POST and its answer need it: framing is the parser's, the rest is
here. Nothing is retried, no redirect followed, no body unpacked.
"""

from __future__ import annotations

import asyncio
from email.message import Message
from functools import lru_cache
from typing import cast

from httptools import HttpParserError, HttpResponseParser

from target_driftrock.events.answer import Answer, NoAnswer, Reply, excerpt_of

_HEAD_LIMIT = 64 * 1024  # bytes; what goes on for longer is no answer
_BODY_LIMIT = 64 * 1024  # bytes; a longer body is cut off, and its connection with it
_FIRST_FINAL_STATUS = 200


class Connection(asyncio.Protocol):
    """The client's side of one connection, from the moment it stands. To be made inside its loop.

    Gives one `Reply` for each request. An answer that breaks off inside its body is none, whatever its status
    (RFC 9112 section 8: incomplete), unless its end is that of the connection (section 6.3).
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._reply: asyncio.Future[Reply] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._retry_after: str | None = None
        self._date: str | None = None
        self._forget_answer()

    @property
    def is_free(self) -> bool:
        """Whether it stands, and nobody waits for an answer."""
        return self._reply is None and self._transport is not None and not self._transport.is_closing()

    def request(self, message: bytes, *, timeout: float) -> asyncio.Future[Reply]:
        """Send a whole request, and give what comes back within `timeout` seconds. Only where `is_free`."""
        assert self._transport is not None  # noqa: S101 - it is free
        self._reply = reply = self._loop.create_future()
        self._timer = self._loop.call_later(timeout, self._lose)
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
        if not self._is_head_complete:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError:  # no HTTP, or from here on another protocol
            self._lose()
            self.abort()
        if not self._is_head_complete and self._head_bytes > _HEAD_LIMIT:
            self._lose()

    def eof_received(self) -> None:
        """The server says that it has said all; the connection closes by itself."""
        if self._is_head_complete and not self._is_framed:
            self._finish(self._answer())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - for us it is lost, however it was
        """The connection is gone."""
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
            self._is_framed = True

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._is_head_complete = True

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        self._body += body
        if len(self._body) > _BODY_LIMIT:
            self._finish(self._answer())

    def on_message_complete(self) -> None:
        """The answer is whole. An interim one is not the answer (RFC 9110 section 15.2)."""
        if self._parser.get_status_code() < _FIRST_FINAL_STATUS:
            self._forget_answer()
        else:
            self._finish(self._answer(), keep=self._parser.should_keep_alive())

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
        if not keep or (self._transport is not None and self._transport.get_write_buffer_size()):
            self.abort()  # part of a request may still be on its way: the answer came before its end

    def _lose(self) -> None:
        self._finish(NoAnswer.LOST)

    def _forget_answer(self) -> None:
        self._head_bytes = 0
        self._is_head_complete = False
        self._is_framed = False
        self._content_type = b""
        self._retry_after = None
        self._date = None
        self._body = b""

    def _answer(self) -> Answer:
        return Answer(
            status=self._parser.get_status_code(),
            retry_after=self._retry_after,
            date=self._date,
            excerpt=excerpt_of(self._body, charset=_charset(self._content_type)),
        )


@lru_cache(maxsize=16)
def _charset(content_type: bytes) -> str:
    header = Message()
    header["Content-Type"] = content_type.decode("latin-1")
    return str(header.get_content_charset("utf-8"))
