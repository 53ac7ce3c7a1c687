"""The installed command in a folder of its own, and the lines of a tap for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.program import Ended, Message, Running, started, written
from tests.sandbox.wire import Wire

CANARY = "canary-7c1f"
"""Stands in every value that must never be printed."""

SCHEMA: Mapping[str, Any] = {
    "type": "SCHEMA",
    "stream": "leads",
    "key_properties": ["id"],
    "schema": {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "email": {"type": "string"}, "name": {"type": ["string", "null"]}},
    },
}


def record(number: int, **changes: Any) -> dict[str, Any]:
    """A lead, with a canary in each of its texts."""
    values = {"id": number, "email": f"{CANARY}-{number}@example.com", "name": f"{CANARY} {number}", **changes}
    return {"type": "RECORD", "stream": "leads", "record": values}


def state(number: int) -> dict[str, Any]:
    """A bookmark at the lead with this number."""
    return {"type": "STATE", "value": {"bookmarks": {"leads": {"replication_key_value": number}}}}


def bookmark(value: Any) -> int:
    """The number that a STATE stands at."""
    return int(value["bookmarks"]["leads"]["replication_key_value"])


def leads(numbers: Iterable[int], *, every: int = 10) -> list[dict[str, Any]]:
    """A SCHEMA, a lead for each number, and a STATE after each `every` of them and at the end."""
    messages: list[dict[str, Any]] = [dict(SCHEMA)]
    number = None
    for count, number in enumerate(numbers, 1):
        messages.append(record(number))
        if count % every == 0:
            messages.append(state(number))
    return messages if number is None else [*messages, state(number)]


def settings(url: str, **changes: Any) -> dict[str, Any]:
    """What sends leads to a sandbox, with a ledger in the command's folder; a change to None takes a setting away."""
    given = {
        "environment": "sandbox",
        "api_url": url,
        "ledger": "ledger",
        "source_id": "capture-1",
        "client_id": f"{CANARY}-id",
        "client_secret": f"{CANARY}-secret",
        "streams": [
            {
                "stream": "leads",
                "event_type": "lead",
                "fields": {"serial": "{id}", "email": "{email}", "name": "{name}"},
            }
        ],
        **changes,
    }
    return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Command:
    """The installed command in a folder of its own, at its most talkative. No canary is printed but by `preview`."""

    folder: Path

    def config(self, given: Mapping[str, Any]) -> str:
        """A file of settings."""
        path = self.folder / f"config-{len(list(self.folder.iterdir()))}.json"
        path.write_text(json.dumps(given), encoding="utf-8")
        return str(path)

    @contextmanager
    def started(self, *arguments: str, environ: Mapping[str, str] | None = None, **others: Any) -> Iterator[Running]:
        """The process, at work. `others` are those of `program.started`."""
        told = {"TARGET_DRIFTROCK_LOGLEVEL": "DEBUG", **(environ or {})}
        with started(*arguments, folder=self.folder, environ=told, **others) as running:
            yield running
        assert CANARY not in running.log
        assert CANARY not in running.out or "preview" in arguments

    def run(self, *arguments: str, tap: bytes = b"", **others: Any) -> Ended:
        """Run it to its end, with `tap` as its input. `others` are those of `started`."""
        with self.started(*arguments, **others) as running:
            running.pour([tap])
            return running.ended()

    def deliver(self, given: Mapping[str, Any], messages: Iterable[Message]) -> Ended:
        """The target itself, over what a tap writes."""
        return self.run("--config", self.config(given), tap=written(messages))


def accepted(wire: Wire, source: str = "capture-1") -> list[int]:
    """The numbers of the leads that a capture accepted, in the order in which they came."""
    arrivals: Sequence[Any] = wire.get("/_sandbox/arrivals?limit=10000")
    return [
        arrival["event"]["fields"]["serial"]
        for arrival in reversed(arrivals)
        if arrival["outcome"].startswith("accepted") and arrival["event"]["source_id"] == source
    ]
