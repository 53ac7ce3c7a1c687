"""The installed command against servers that misbehave, and where this machine is short of something."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

from tests.delivery.servers import OK, Exchange, Server
from tests.program import Ended, Message, Running, started
from tests.stage import LEADS, record, schema
from tests.waiting import PATIENCE


def leads(count: int) -> list[Message]:
    """A stream of so many leads."""
    return [schema(), *(record(number, email="ada@example.com") for number in range(1, count + 1))]


@asynccontextmanager
async def run_against(server: Server, folder: Path, count: int, **settings: Any) -> AsyncIterator[Running]:
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
        with started("--config", "config.json", folder=folder) as running:
            running.feed(leads(count))
            running.close()
            yield running


async def until(holds: Callable[[], bool], running: Running) -> None:
    """Come back once it does."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            assert running.is_alive, running.log
            await asyncio.sleep(0.01)


def is_stopped(process: int) -> bool:
    """Whether all of its threads have stopped."""
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
            running.tell(SIGSTOP)
            await until(lambda: is_stopped(running.process.pid), running)
            release.set()
            await asyncio.sleep(2)  # until the deadline is over for a process to which no time goes by
            running.tell(SIGCONT)
            return await asyncio.to_thread(running.ended)

    ended = asyncio.run(scenario())

    assert ended.code == 0, ended.err
    assert len(requests) == 11
