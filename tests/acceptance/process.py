"""The installed command as a process, and the lines of a tap for it."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.sandbox.wire import Wire

PROGRAM = Path(sys.executable).with_name("target-driftrock")
CANARY = "canary-7c1f"
"""Stands in every value that must never be printed."""
SECONDS = 90.0
"""How long a process may take, on a machine that is busy."""

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


def singer(messages: Iterable[Mapping[str, Any]]) -> bytes:
    """Messages as a tap writes them."""
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a process left. Whatever it was about, it printed no canary but into `personal`."""

    code: int
    out: str = ""
    err: str = ""
    personal: str = field(default="", repr=False)
    """Standard output in the place of `out`, where it is meant to hold values."""

    def __post_init__(self) -> None:
        assert CANARY not in self.err
        assert CANARY not in self.out

    @property
    def states(self) -> list[Any]:
        """Standard output, which holds STATE and nothing else."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def last_line(self) -> str:
        """How the run says that it ended."""
        return self.err.splitlines()[-1] if self.err else ""


@dataclass(frozen=True, slots=True)
class Command:
    """The installed command in a folder of its own, with nothing in its environment but what is said."""

    folder: Path

    def config(self, given: Mapping[str, Any]) -> str:
        """A file of settings."""
        path = self.folder / f"config-{len(list(self.folder.iterdir()))}.json"
        path.write_text(json.dumps(given), encoding="utf-8")
        return str(path)

    def run(self, *arguments: str, tap: bytes = b"", **environment: str) -> Ended:
        """Run it to its end, with `tap` as its input."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            input=tap,
            capture_output=True,
            check=False,
            cwd=self.folder,
            env=surroundings(environment),
            timeout=SECONDS,
        )
        kind = "personal" if "preview" in arguments else "out"
        return Ended(code=done.returncode, err=done.stderr.decode(), **{kind: done.stdout.decode()})

    def deliver(self, given: Mapping[str, Any], messages: Iterable[Mapping[str, Any]]) -> Ended:
        """The target itself, over what a tap writes."""
        return self.run("--config", self.config(given), tap=singer(messages))

    @contextmanager
    def started(self, *arguments: str, **environment: str) -> Iterator[Running]:
        """The process, at work. It is killed at the end, if it lives."""
        with subprocess.Popen(
            [PROGRAM, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=surroundings(environment),
        ) as process:
            try:
                yield Running(process)
            finally:
                process.kill()


class Running:
    """A process that is fed and watched."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.states: list[Any] = []
        self._out: queue.Queue[str] = queue.Queue()
        self._shown: dict[str, list[str]] = {"out": [], "err": []}
        self._readers = [
            threading.Thread(target=self._collect, args=(name, pipe), daemon=True)
            for name, pipe in (("out", process.stdout), ("err", process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def feed(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Write messages, as a tap that goes on afterwards."""
        assert self.process.stdin is not None
        self.process.stdin.write(singer(messages))
        self.process.stdin.flush()

    def next_state(self) -> Any:
        """The next STATE that it writes."""
        return json.loads(self._out.get(timeout=SECONDS))

    @property
    def err(self) -> str:
        """What it has logged so far."""
        return "".join(self._shown["err"])

    def ended(self) -> Ended:
        """What it left, once its input and it are at their end."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        code = self.process.wait(SECONDS)
        for reader in self._readers:
            reader.join(SECONDS)
        return Ended(code=code, out="".join(self._shown["out"]), err="".join(self._shown["err"]))

    def _collect(self, name: str, pipe: IO[bytes]) -> None:
        for line in pipe:
            self._shown[name].append(line.decode())
            if name == "out":
                self._out.put(line.decode())


@contextmanager
def sandbox(*options: str) -> Iterator[Wire]:
    """A sandbox in a process of its own, on a free port."""
    with subprocess.Popen(
        [PROGRAM, "sandbox", "--port", "0", *options], stderr=subprocess.PIPE, text=True, env=surroundings({})
    ) as process:
        assert process.stderr is not None
        try:
            ready = process.stderr.readline()
            assert "http://" in ready, ready
            yield Wire("http://" + ready.split("http://")[1].split()[0])
        finally:
            process.terminate()


def until(holds: Callable[[], bool]) -> None:
    """Come back once `holds` says so; fails at the deadline."""
    deadline = time.monotonic() + SECONDS
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "It did not happen in time."
        pause.wait(0.02)  # leaves the processor to those who are watched


def accepted(wire: Wire, source: str = "capture-1") -> list[int]:
    """The numbers of the leads that a capture accepted, in the order in which they came."""
    arrivals: Sequence[Any] = wire.get("/_sandbox/arrivals?limit=10000")
    return [
        arrival["event"]["fields"]["serial"]
        for arrival in reversed(arrivals)
        if arrival["outcome"].startswith("accepted") and arrival["event"]["source_id"] == source
    ]


def surroundings(given: Mapping[str, str]) -> dict[str, str]:
    """An environment with nothing of ours but the path, where Python is, and every line of the log that there is."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, "TARGET_DRIFTROCK_LOGLEVEL": "DEBUG", "PYTHONWARNINGS": "error", **given}
