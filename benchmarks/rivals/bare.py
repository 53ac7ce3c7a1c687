"""aiohttp alone: as many loops as connections, each posting the same body again and again.

`python -m benchmarks.rivals.bare uvloop|asyncio URL CONNECTIONS EVENTS`.
"""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import uvloop

from benchmarks import inputs


async def _main(url: str, connections: int, events: int) -> None:
    body = inputs.body(inputs.typical())
    headers = {"Authorization": "Bearer double", "Content-Type": "application/json"}
    left = iter(range(events))
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=connections)) as session:

        async def post() -> None:
            for _ in left:
                async with session.post("/v2/event", data=body, headers=headers) as response:
                    await response.read()

        await asyncio.gather(*(post() for _ in range(connections)))


if __name__ == "__main__":
    factory = uvloop.new_event_loop if sys.argv[1] == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_main(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
