"""Inputs and answers that are made to do harm: each ends in bounded time and memory, by the exit code that fits."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from target_driftrock.errors import ExitCode
from tests.delivery.servers import OK, Exchange, Script, Server
from tests.program import PROGRAM, started, written
from tests.stage import LEADS, record, schema

SECONDS = 20.0
MEBIBYTES = 1_500
"""Of address space, of which threads and libraries take several hundred: what has no bound is beyond it soon."""
MILLION = 1_000_000
CHUNK = b"x" * 65_536


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a run is given, what answers its events and its token request, and how it ends."""

    code: ExitCode
    told: str = ""
    lines: Sequence[bytes] = ()
    """Behind the SCHEMA, before a record that is good."""
    events: Sequence[bytes] = (OK,)
    """The last one again and again, and as long as the other side listens."""
    token: Sequence[bytes] | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def lead(value: str) -> bytes:
    """A record with this JSON in it."""
    return b'{"type": "RECORD", "stream": "leads", "record": {"id": 7, "email": %s}}\n' % value.encode()


def answer(head: str, body: bytes = b"") -> bytes:
    """A whole answer with success."""
    return f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def doubling(times: int) -> bytes:
    """A SCHEMA in which each definition has the next one twice."""
    definitions = {
        f"d{number}": {"allOf": [{"$ref": f"#/definitions/d{number + 1}"}] * 2} for number in range(times)
    } | {f"d{times}": {"type": "string"}}
    properties = {"id": {"type": "integer"}, "email": {"$ref": "#/definitions/d0"}}
    return (
        json.dumps(
            {
                "type": "SCHEMA",
                "stream": "leads",
                "schema": {"properties": properties, "definitions": definitions},
                "key_properties": ["id"],
            }
        ).encode()
        + b"\n"
    )


ODD = {"max_reject_percent": 100}
"""Where one record of two is invalid."""

CASES = {
    "a line without an end": Case(code=ExitCode.INPUT, told="Line 2", lines=[b'{"a": "', *[CHUNK] * 1_200]),
    "arrays in arrays": Case(code=ExitCode.INPUT, told="Line 2", lines=[lead("[" * MILLION + "]" * MILLION)]),
    "a number of a million digits": Case(code=ExitCode.RESOLVED, lines=[lead("9" * MILLION)], settings=ODD),
    "an exponent beyond all": Case(code=ExitCode.RESOLVED, lines=[lead("1e999999999")], settings=ODD),
    "a key a million times": Case(
        code=ExitCode.RESOLVED, lines=[lead("{" + '"a":1,' * MILLION + '"a":1}')], settings=ODD
    ),
    "a SCHEMA that doubles": Case(code=ExitCode.INPUT, told="leads", lines=[doubling(40)]),
    "a map that computes for ever": Case(
        code=ExitCode.REJECTS, settings={"stream_maps": {"leads": {"email": "str(9 ** 9 ** 9)"}}}
    ),
    "a map that repeats a text": Case(
        code=ExitCode.REJECTS, settings={"stream_maps": {"leads": {"email": "email * 10 ** 12"}}}
    ),
    "interim answers without an end": Case(
        code=ExitCode.SETUP, told="no HTTP", events=[b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" * 1_000]
    ),
    "a head without an end": Case(
        code=ExitCode.SETUP, told="no HTTP", events=[b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 9_000]
    ),
    "trailers without an end": Case(
        code=ExitCode.RESOLVED,
        events=[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n" * 9_000],
    ),
    "a body without an end": Case(
        code=ExitCode.RESOLVED, events=[b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", CHUNK]
    ),
    "a body that swells": Case(
        code=ExitCode.RESOLVED, events=[answer("Content-Encoding: gzip\r\n", gzip.compress(b" " * 30 * MILLION))]
    ),
    "a wait of many digits": Case(
        code=ExitCode.TRY_LATER,
        told="left alone",
        events=[b"HTTP/1.1 429 No\r\nRetry-After: " + b"9" * 5_000 + b"\r\nContent-Length: 0\r\n\r\n"],
    ),
    "a token nested deep": Case(
        code=ExitCode.SETUP, told="token", token=[answer("", b'{"a":' * 9_000 + b"1" + b"}" * 9_000)]
    ),
    "a token without an end": Case(
        code=ExitCode.SETUP, told="token", token=[b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", CHUNK]
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_run_ends_in_bounded_time_and_memory_when_somebody_means_harm(case: Case, tmp_path: Path) -> None:
    """By a stop that names the line, the stream or what answers; never as a defect, and never by the kernel."""

    async def scenario() -> tuple[int, str, float]:
        server = Server(script(case))
        async with server.running():
            (tmp_path / "config.json").write_text(json.dumps(settings(case, tmp_path, port=server.port)))
            command = ("prlimit", f"--as={MEBIBYTES << 20}", PROGRAM)
            began = time.monotonic()
            with started("--config", "config.json", folder=tmp_path, command=command) as running:
                running.pour(lines(case))
                ended = await asyncio.to_thread(running.ended)
            return ended.code, ended.err, time.monotonic() - began

    code, said, seconds = asyncio.run(scenario())

    assert code == case.code, said[-2_000:]
    assert case.told in said.splitlines()[-1]
    assert seconds < SECONDS


def settings(case: Case, folder: Path, *, port: int) -> dict[str, Any]:
    """Of a run against a server at this port."""
    key = {"client_id": "id", "client_secret": "secret"} if case.token else {"api_key": "key"}
    return {
        "environment": "sandbox",
        "api_url": f"http://127.0.0.1:{port}",
        "ledger": str(folder / "ledger"),
        "streams": [dict(LEADS)],
        "read_timeout": 5,
        **key,
        **case.settings,
    }


def lines(case: Case) -> Iterator[bytes]:
    """The input."""
    yield written([schema()])
    yield from case.lines
    yield written([record(1, email="ada@example.com")])


def script(case: Case) -> Script:
    """Answers, without an end where the last piece of one is not all that is promised."""

    async def play(exchange: Exchange) -> None:
        while True:
            request = await exchange.request()
            pieces = case.token if case.token and b"/oauth2/token" in request else case.events
            await exchange.send(pieces[0])
            while len(pieces) > 1 or b" 103 " in pieces[0]:
                await exchange.send(pieces[-1])
                await asyncio.sleep(0)

    return play
