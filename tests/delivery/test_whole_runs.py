"""The installed command against servers that misbehave, and where this machine is short of something."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

import pytest

from target_driftrock.errors import ExitCode
from tests.delivery.servers import GREETING, OK, Exchange, Script, Server, saying
from tests.program import PROGRAM, Ended, Message, Running, finished, started, written
from tests.stage import LEADS, record, schema
from tests.waiting import PATIENCE


def leads(count: int) -> list[Message]:
    """A stream of so many leads."""
    return [schema(), *(record(number, email="ada@example.com") for number in range(1, count + 1))]


@asynccontextmanager
async def run_against(
    server: Server, folder: Path, count: int, *, command: Sequence[str | Path] = (PROGRAM,), **settings: Any
) -> AsyncIterator[Running]:
    """The command at work on so many leads, with this server for its API."""
    async with server.running():
        given = {
            "environment": "sandbox",
            "api_url": f"http://127.0.0.1:{server.port}",
            "api_key": "key",
            "ledger": str(folder / "ledger"),
            "streams": [dict(LEADS)],
            **settings,
        }
        (folder / "config.json").write_text(json.dumps(given))
        with started("--config", "config.json", folder=folder, command=command) as running:
            running.pour([written(leads(count))])
            yield running


async def until(holds: Callable[[], bool], running: Running) -> None:
    """Come back once it does."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            assert running.is_alive, running.log
            await asyncio.sleep(0.01)


async def freeze(running: Running) -> None:
    """Have all of its threads stopped, as a container is that is paused."""
    running.tell(SIGSTOP)
    await until(lambda: _is_stopped(running.process.pid), running)


def _is_stopped(process: int) -> bool:
    threads = Path(f"/proc/{process}/task").iterdir()
    return all((thread / "stat").read_text().rpartition(")")[2].split()[0] == "T" for thread in threads)


def accepting(requests: list[bytes], *, before: Callable[[], Awaitable[object]]) -> Server:
    """A server that notes each request, and accepts it after this; the first one at once, which proves the capture."""

    async def script(exchange: Exchange) -> None:
        while True:
            requests.append(await exchange.request())
            if len(requests) > 1:
                await before()
            await exchange.send(OK)

    return Server(script)


def test_nothing_is_sent_twice_when_the_process_was_frozen_past_a_deadline(tmp_path: Path) -> None:
    """A container that is held for some seconds finds the answers in its buffers."""
    requests: list[bytes] = []

    async def scenario() -> Ended:
        release = asyncio.Event()
        server = accepting(requests, before=release.wait)
        async with run_against(server, tmp_path, 11, read_timeout=1.5) as running:
            await until(lambda: len(requests) == 11, running)
            await freeze(running)
            release.set()
            await asyncio.sleep(2)  # until the deadline is over for a process to which no time goes by
            running.tell(SIGCONT)
            return await asyncio.to_thread(running.ended)

    ended = asyncio.run(scenario())

    assert ended.code == 0, ended.err
    assert len(requests) == 11


def test_a_run_ends_soon_when_what_gives_tokens_speaks_no_http(tmp_path: Path) -> None:
    """As with events: it is no outage that what listens there speaks of mail."""

    async def scenario() -> Ended:
        credentials: dict[str, Any] = {"api_key": None, "client_id": "id", "client_secret": "secret"}
        async with run_against(Server(saying(GREETING)), tmp_path, 1, **credentials) as running:
            return await asyncio.to_thread(running.ended)

    ended = asyncio.run(scenario())

    assert ended.code == ExitCode.SETUP, ended.err
    assert "no HTTP" in ended.last_line


async def flood(exchange: Exchange) -> None:
    """Interim answers without an end."""
    await exchange.request()
    while True:
        await exchange.send(b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" * 1000)
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (saying(GREETING), "no HTTP:"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n"), "no HTTP (status 200)"),
        (flood, "no HTTP (status 103)"),
    ],
    ids=["another-protocol", "a-length-in-words", "interim-answers-without-an-end"],
)
def test_a_run_ends_soon_when_what_answers_speaks_no_http(tmp_path: Path, script: Script, told: str) -> None:
    """Not after a quarter of an hour, in which the same events are sent again and again."""

    async def scenario() -> Ended:
        async with run_against(Server(script), tmp_path, 5) as running:
            return await asyncio.to_thread(running.ended)

    ended = asyncio.run(scenario())

    assert ended.code == ExitCode.SETUP, ended.err
    assert told in ended.last_line


def test_all_is_delivered_when_trailers_have_no_end(tmp_path: Path) -> None:
    """The status was said, and the body is whole: no more is waited for, and a stop need not either."""

    async def endless(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
        while True:
            await exchange.send(b"X-Filler: " + b"x" * 10_000 + b"\r\n")
            await asyncio.sleep(0)

    async def scenario() -> tuple[Ended, float]:
        began = time.monotonic()
        async with run_against(Server(endless), tmp_path, 5) as running:
            return await asyncio.to_thread(running.ended), time.monotonic() - began

    ended, seconds = asyncio.run(scenario())

    assert ended.code == ExitCode.RESOLVED, ended.err
    assert seconds < 20


def test_the_cause_is_told_at_once_and_at_the_end_when_there_is_no_connection(tmp_path: Path) -> None:
    """A certificate, a proxy or a name is mended by who knows of it. Where it is, and its password, stay unsaid."""
    given = {
        "environment": "staging",
        "api_url": "https://api.example.com",
        "api_key": "key",
        "max_outage_seconds": 7,
        "ledger": str(tmp_path / "ledger"),
        "streams": [dict(LEADS)],
    }
    (tmp_path / "config.json").write_text(json.dumps(given))

    async def scenario() -> tuple[Ended, Ended]:
        server = Server(saying(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n"))
        async with server.running():
            environ = {"HTTPS_PROXY": f"http://ada:canary@127.0.0.1:{server.port}"}
            run = partial(finished, "--config", "config.json", folder=tmp_path, environ=environ)
            checked = await asyncio.to_thread(run, command=[PROGRAM, "check"])
            return checked, await asyncio.to_thread(run, given=written(leads(2)))

    checked, ended = asyncio.run(scenario())

    cause = "the proxy: it wants a user name and password, or others (status 407)"
    assert ended.code == ExitCode.TRY_LATER
    assert f"No connection to Driftrock ({cause}); trying again." in ended.err
    assert re.search(rf"no verdict on anything since \S+ \({re.escape(cause)}\)", ended.err)
    assert cause in ended.last_line
    assert cause in checked.out
    assert "canary" not in ended.err + checked.out + checked.err


def test_events_go_over_fewer_connections_when_this_process_may_open_no_more(tmp_path: Path) -> None:
    """The limit on open files is told, and costs no event a second request."""
    requests: list[bytes] = []
    server = accepting(requests, before=lambda: asyncio.sleep(0.02))

    async def scenario() -> Ended:
        limited: list[str | Path] = ["bash", "-c", 'ulimit -n 64; exec "$0" "$@"', PROGRAM]
        async with run_against(server, tmp_path, 3000, command=limited, max_concurrency=256) as running:
            return await asyncio.to_thread(running.ended)

    ended = asyncio.run(scenario())

    assert ended.code == ExitCode.RESOLVED, ended.err
    assert len(requests) == 3000
    assert ", 0 retries," in ended.err
    assert 20 < server.connections < 300
    assert ended.err.count("ulimit -n") == 1
