"""A run of the target beside a sandbox, in this process: what went in, what arrived, and what was written."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from target_driftrock.sandbox.access import Keys
from target_driftrock.sandbox.background import in_thread
from target_driftrock.sandbox.faults import Faults
from target_driftrock.sandbox.server import Sandbox, Setup
from target_driftrock.target import TargetDriftrock
from tests.lying import wherever
from tests.program import Ended, Message, Running, finished, started, written
from tests.sandbox.wire import Wire

LEADS: Mapping[str, Any] = {"stream": "leads", "event_type": "lead", "source_id": "capture-1", "fields": "*"}


def schema(
    stream: str = "leads", *, keys: Iterable[str] | None = ("id",), properties: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A SCHEMA message; without `properties`, that of a lead."""
    listed = {"id": {"type": "integer"}, "email": {"type": ["string", "null"]}} if properties is None else properties
    return {
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"type": "object", "properties": listed},
        "key_properties": None if keys is None else list(keys),
    }


def record(number: int, stream: str = "leads", /, **values: Any) -> dict[str, Any]:
    """A RECORD message with an id."""
    return {"type": "RECORD", "stream": stream, "record": {"id": number, **values}}


def state(**value: Any) -> dict[str, Any]:
    """A STATE message."""
    return {"type": "STATE", "value": value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a run."""

    code: int
    states: list[bytes]
    events: list[Any]
    """What the sandbox accepted since it was started, in the order of arrival. A fraction is an exact Decimal."""
    log: str = field(repr=False)

    @property
    def fields(self) -> list[Any]:
        """The fields of what was accepted, by the events' ids."""
        return [event["fields"] for event in sorted(self.events, key=lambda event: str(event.get("event_id")))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One sandbox, one ledger, and settings that fit both."""

    wire: Wire
    folder: Path

    def settings(self, **others: Any) -> dict[str, Any]:
        """A configuration; one mapping, for a stream `leads`, unless another is given."""
        return {
            "environment": "sandbox",
            "api_url": self.wire.url,
            "ledger": str(self.folder / "ledger"),
            "streams": [dict(LEADS)],
            **others,
        }

    def target(self, **others: Any) -> TargetDriftrock:
        """A target with these settings, that has not begun."""
        return TargetDriftrock(config=self.settings(**others))

    def run(self, *messages: Message, **settings: Any) -> Done:
        """The whole of a run over these messages."""
        target = self.target(**settings)
        with captured() as out, logged() as lines:
            code = target.run(io.BytesIO(written(messages)))
        return Done(code=code, states=out.getvalue().splitlines(), events=self.accepted(), log="\n".join(lines))

    def started(
        self, *options: str, source: Running | None = None, is_read: bool = True, **environ: str
    ) -> AbstractContextManager[Running]:
        """The program at work in a process of its own, its folder `self.folder`: see `program.started`."""
        return started(*options, folder=self.folder, source=source, is_read=is_read, environ=environ)

    def finished(self, *options: str, given: bytes = b"", **environ: str) -> Ended:
        """The whole of the program in a process of its own, with `given` as its input."""
        return finished(*options, folder=self.folder, given=given, environ=environ)

    def config(self, **others: Any) -> str:
        """A file with these settings, as an option."""
        file = self.folder / "config.json"
        file.write_text(json.dumps(self.settings(**others)))
        return f"--config={file}"

    def accepted(self) -> list[Any]:
        """What the sandbox accepted, in the order of arrival."""
        shown = self.wire.send("GET", "/_sandbox/arrivals?limit=10000", {}).body
        arrivals = json.loads(shown, parse_float=Decimal)
        return [each["event"] for each in reversed(arrivals) if each["outcome"].startswith("accepted")]

    def kept(self) -> list[tuple[str, str, bytes]]:
        """Stream, reason and record of every row that the ledger keeps, the reason first."""
        with closing(sqlite3.connect(self.folder / "ledger" / "ledger.sqlite3")) as ledger:
            return ledger.execute("SELECT stream, reason, record FROM kept ORDER BY record").fetchall()


@contextmanager
def wired(
    *,
    setup: Setup | None = None,
    keys: Keys | None = None,
    clock: Callable[[], float] = time.monotonic,
    **faults: Any,
) -> Iterator[Wire]:
    """A sandbox in this process, on a free port, set up so or with these keys and faults. It ends with the `with`."""
    chosen = setup or Setup(keys=keys or Keys(), faults=Faults(**faults))
    with in_thread(Sandbox(chosen, clock=clock)) as url:
        yield Wire(url)


@contextmanager
def staged(folder: Path, **faults: Any) -> Iterator[Stage]:
    """A stage whose sandbox has these faults. It ends with the `with`."""
    with wired(**faults) as wire:
        yield Stage(wire=wire, folder=folder)


@contextmanager
def captured() -> Iterator[io.BytesIO]:
    """Standard output, as bytes."""
    out = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(out, encoding="utf-8", write_through=True)) as text:
        yield out
        text.detach()  # else it would close what the test reads


@contextmanager
def logged() -> Iterator[list[str]]:
    """What our own loggers say from INFO on, wherever the ledger lies."""
    lines = _Lines()
    logger = logging.getLogger("target_driftrock")
    level = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    try:
        yield lines.said
    finally:
        logger.removeHandler(lines)
        logger.setLevel(level)


class _Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.extend(wherever([f"{record.levelname} {record.getMessage()}"]))
