"""Which part of an event's path a sampled stack belongs to. Pure.

A stack is a line of `py-spy record --format raw --full-filenames --threads`: the thread, its frames from the outermost
on, and how often they were met.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum


class Part(StrEnum):
    """A part of the path, in its order."""

    START_UP = "start-up"
    READING = "reading and decoding lines"
    VALIDATION = "validation"
    MAPPING = "mapping and encoding"
    TALLY = "tally and checkpoint"
    DISPATCHER = "dispatcher"
    CLIENT = "HTTP client, with the loop"
    CROSSING = "crossing threads"
    LEDGER = "ledger: digests, entry"
    SQLALCHEMY = "SQLAlchemy"
    SQLITE = "sqlite3"
    TOKEN = "token"  # noqa: S105 - no password
    REST = "rest"


_TELLING: Mapping[str, Part] = {
    "target_driftrock/cli.py": Part.START_UP,
    "target_driftrock/start.py": Part.START_UP,
    "target_driftrock/given.py": Part.START_UP,
    "target_driftrock/singer/": Part.READING,
    "target_driftrock/singer/streams.py": Part.MAPPING,
    "target_driftrock/singer/loop.py": Part.TALLY,
    "target_driftrock/singer/checkpoint.py": Part.TALLY,
    "target_driftrock/singer/writer.py": Part.TALLY,
    "target_driftrock/mapping/": Part.MAPPING,
    "target_driftrock/sinks.py": Part.MAPPING,
    "target_driftrock/target.py": Part.MAPPING,
    "target_driftrock/records/": Part.TALLY,
    "target_driftrock/records/stream.py": Part.MAPPING,
    "target_driftrock/records/validator.py": Part.VALIDATION,
    "target_driftrock/delivery/": Part.DISPATCHER,
    "target_driftrock/delivery/pool.py": Part.CLIENT,
    "target_driftrock/delivery/transport.py": Part.CLIENT,
    "target_driftrock/client/": Part.CLIENT,
    "httptools/": Part.CLIENT,
    "aiohttp/": Part.CLIENT,
    "asyncio/runners.py": Part.CLIENT,  # uvloop has no frames of its own: what it does stands in the one that runs it
    "target_driftrock/ledger/": Part.LEDGER,
    "target_driftrock/ledger/threaded.py": Part.CROSSING,
    "concurrent/futures/": Part.CROSSING,
    "sqlalchemy/": Part.SQLALCHEMY,
    "sqlalchemy/engine/default.py:do_": Part.SQLITE,
    "sqlalchemy/engine/cursor.py:fetch": Part.SQLITE,
    "target_driftrock/auth.py": Part.TOKEN,
}
"""By how the place of a frame begins, the longest beginning first. Any other frame does its caller's work."""

_OF_START_UP = ("<frozen importlib", "target_driftrock/settings/", "target_driftrock/ledger/durable.py:open_ledger")
"""Whatever is done below one of these is done once."""

_FRAME = re.compile(
    r"(?P<function>.*?) \((?:.*/(?:site-packages|python3\.\d+)/|.*/(?=target_driftrock/))?(?P<file>.*?)(?::\d+)?\)"
)


def parts(stacks: Iterable[str]) -> Counter[Part]:
    """How often each part was met."""
    met: Counter[Part] = Counter()
    for line in stacks:
        stack, count = line.rsplit(" ", 1)
        _, *frames = stack.split(";")
        met[_part([_place(frame) for frame in frames])] += int(count)
    return met


def shares(met: Mapping[Part, int]) -> dict[Part, float]:
    """The share of each part, start-up apart."""
    of_events = {part: met.get(part, 0) for part in Part if part is not Part.START_UP}
    whole = sum(of_events.values())
    return {part: count / whole for part, count in of_events.items()}


def _part(places: list[str]) -> Part:
    """The innermost frame that tells something decides. A thread without frames is the interpreter's own."""
    if not places or any(place.startswith(_OF_START_UP) for place in places):
        return Part.START_UP
    return next((part for place in reversed(places) if (part := _told(place)) is not None), Part.REST)


def _told(place: str) -> Part | None:
    beginnings = [beginning for beginning in _TELLING if place.startswith(beginning)]
    return _TELLING[max(beginnings, key=len)] if beginnings else None


def _place(frame: str) -> str:
    """A frame as `file:function`, the file as it is imported, the function without its class."""
    found = _FRAME.fullmatch(frame)
    return frame if found is None else f"{found['file']}:{found['function'].rpartition('.')[2]}"
