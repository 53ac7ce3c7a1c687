"""The API's double for benchmarks: tokens, events answered after a latency, and counts on a side path.

It is a process of its own, `python -m benchmarks.double BEHAVIOUR`, in JSON, and must never be the limit: so it looks
at no header and checks nothing of an event, which is the sandbox's work. POST /reset begins the counts anew, GET
/counts shows them.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any, cast

import httptools
import uvloop

_ACCEPTED = 201
_UNAVAILABLE = 503
_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1


@dataclass(slots=True)
class Counts:
    """What came and what was answered. Moments are of the machine's monotonic clock, 0 before there is one."""

    requests: int = 0
    accepted: int = 0
    failed: int = 0
    marked: int = 0
    slow: int = 0
    first_request: float = 0.0
    last_answer: float = 0.0
    last_unmarked: float = 0.0


@dataclass(kw_only=True)
class _Double:
    """Answers events. Durations are seconds, shares lie between 0 and 1.

    The `outage` begins so many events after the first one, and lasts `outage_seconds`. An event whose body has
    `marker` in it is answered with `marked_status`, and counted apart. The answer to request number `lost` never
    comes: its connection is closed.
    """

    latency: float = 0.0
    slow_share: float = 0.0
    slow_seconds: float = 2.0
    error_share: float = 0.0
    outage: int = 0
    outage_seconds: float = 0.0
    marker: str = ""
    marked_status: int = _ACCEPTED
    lost: int = 0

    def __post_init__(self) -> None:
        self._marker = self.marker.encode()
        self._timer = _Timer()
        self.reset()

    def reset(self) -> None:
        self.counts = Counts()
        self._chance = random.Random(1)  # noqa: S311 - so that each run meets the same mix
        self._outage_ends = 0.0

    def event(self, connection: _Connection, body: bytes) -> None:
        counts, now = self.counts, time.monotonic()
        counts.requests += 1
        counts.first_request = counts.first_request or now
        is_marked = bool(self._marker) and self._marker in body
        status = None if counts.requests == self.lost else self._status(now, is_marked=is_marked)
        wait = self._wait()
        if wait:
            self._timer.add(now + wait, lambda: self._answer(connection, status, is_marked=is_marked))
        else:
            self._answer(connection, status, is_marked=is_marked)

    def _answer(self, connection: _Connection, status: int | None, *, is_marked: bool) -> None:
        if connection.transport.is_closing():
            return
        if status is None:
            connection.transport.abort()
            return
        connection.transport.write(_ANSWERS[status])
        counts = self.counts
        counts.last_answer = time.monotonic()
        if status != _ACCEPTED:
            counts.failed += 1
        elif is_marked:
            counts.marked += 1
        else:
            counts.accepted += 1
            counts.last_unmarked = counts.last_answer

    def _status(self, now: float, *, is_marked: bool) -> int:
        if is_marked:
            return self.marked_status
        if self.outage and self.counts.requests >= self.outage:
            self._outage_ends = self._outage_ends or now + self.outage_seconds
        is_down = now < self._outage_ends or (self.error_share and self._chance.random() < self.error_share)
        return _UNAVAILABLE if is_down else _ACCEPTED

    def _wait(self) -> float:
        if self.slow_share and self._chance.random() < self.slow_share:
            self.counts.slow += 1
            return self.slow_seconds
        return self.latency


class _Connection(asyncio.Protocol):
    """One connection, on which a request follows the answer to the one before."""

    transport: asyncio.Transport

    def __init__(self, double: _Double) -> None:
        self._double = double
        self._parser = httptools.HttpRequestParser(self)
        self._path = self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path, self._body = url, b""

    def on_body(self, body: bytes) -> None:
        self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        if self._path == b"/v2/event":
            self._double.event(self, self._body)
        elif self._path == b"/oauth2/token":
            self.transport.write(_TOKEN)
        else:
            if self._path == b"/reset":
                self._double.reset()
            self.transport.write(_response("200 OK", asdict(self._double.counts)))


class _Timer:
    """Calls in time, by the kernel's timer: libuv's own count whole milliseconds, a twentieth of a latency of 20."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK)
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._serials = count()
        asyncio.get_running_loop().add_reader(self._file, self._ring)

    def add(self, when: float, call: Callable[[], None]) -> None:
        """Call at a moment of the monotonic clock."""
        serial = next(self._serials)
        heapq.heappush(self._waiting, (when, serial, call))
        if self._waiting[0][1] == serial:
            self._arm(when)

    def _ring(self) -> None:
        os.read(self._file, 8)
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            heapq.heappop(self._waiting)[2]()
        if self._waiting:
            self._arm(self._waiting[0][0])

    def _arm(self, when: float) -> None:
        seconds = int(when)
        new = (ctypes.c_long * 4)(0, 0, seconds, int((when - seconds) * 1e9))
        self._libc.timerfd_settime(self._file, _ABSOLUTE, new, None)


def _response(status: str, content: Any) -> bytes:
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


_TOKEN = _response("200 OK", {"access_token": "double", "token_type": "Bearer", "expires_in": 3600})
_ANSWERS = {
    _ACCEPTED: _response("201 Created", {"status": "accepted"}),
    422: _response("422 Unprocessable Content", {"error": "invalid_event"}),
    _UNAVAILABLE: _response("503 Service Unavailable", {"error": "unavailable"}),
}


async def _serve(**behaviour: Any) -> None:
    double = _Double(**behaviour)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(double), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(**json.loads(sys.argv[1])))
