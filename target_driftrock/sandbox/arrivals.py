"""What came: the newest in memory, and each as a line of a file when one is asked for."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice, takewhile
from pathlib import Path
from typing import IO, Any

import msgspec

from target_driftrock.sandbox import contract
from target_driftrock.sandbox.verdict import Outcome

KEPT = 10_000
KEPT_BYTES = 32 * 2**20
"""Of all that is kept. Whoever may send may send a lot: nobody is asked who they are."""
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")  # between tokens only: inside a JSON string neither may stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request to the event endpoints, whatever became of it. `connection` is the sender's port."""

    number: int
    time: datetime
    connection: int
    endpoint: str
    outcome: Outcome
    status: int | None
    reason: str = ""
    """Why it was not accepted, in words; an answer may lack one."""
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    """As they came, but for what lets somebody in."""
    body: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """In bytes, of what the sender chose."""
        headers = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.body) + len(self.endpoint) + headers

    def holds(self, words: Sequence[str]) -> bool:
        """Whether each of these words, in small letters, stands anywhere in it: text, number, name or header."""
        text = self._text() if words else ""
        return all(word in text for word in words)

    def _text(self) -> str:
        headers = " ".join(f"{name}: {value}" for name, value in self.headers)
        body = self.body
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            body = msgspec.json.encode(msgspec.json.decode(body)) if b"\\" in body else body  # an escape is a letter
        told = f"{self.endpoint} {self.status or ''} {self.outcome} {self.reason} {headers}"
        return f"{told} {body.decode('utf-8', 'replace')}".casefold()

    def shown(self) -> dict[str, Any]:
        """As JSON shows it: `event` the body's own text, so that no number changes, or `body` what is no JSON."""
        moment = self.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = {
            "number": self.number,
            "time": moment,
            "connection": self.connection,
            "endpoint": self.endpoint,
            "outcome": self.outcome,
            "status": self.status,
            "reason": self.reason,
        }
        try:
            contract.parsed(self.body)
        except ValueError:
            return {**head, "body": self.body.decode("utf-8", "replace")}
        return {**head, "event": msgspec.Raw(self.body.translate(_ONE_LINE))}


class Arrivals:
    """The newest arrivals. With a `record`, each is a line there as soon as it came; only its owner may read that."""

    def __init__(self, record: Path | None = None) -> None:
        """Raises OSError when nothing can be written to the record, or somebody else could read it there."""
        self._newest: deque[Arrival] = deque()
        self._bytes = 0
        self._file = None if record is None else _opened(record)

    def note(self, arrival: Arrival) -> None:
        """Keep one arrival. Raises OSError when its line cannot be written."""
        if self._file is not None:
            self._file.write(msgspec.json.encode(arrival.shown()) + b"\n")
        self._newest.append(arrival)
        self._bytes += arrival.size
        while len(self._newest) > KEPT or self._bytes > KEPT_BYTES:
            self._bytes -= self._newest.popleft().size

    def newest(self, limit: int, *, after: int = 0, words: Sequence[str] = ()) -> list[Arrival]:
        """Up to `limit` arrivals after that number in which these words stand, the newest first."""
        later = takewhile(lambda arrival: arrival.number > after, reversed(self._newest))
        return list(islice((arrival for arrival in later if arrival.holds(words)), limit))

    def numbered(self, number: int) -> Arrival | None:
        """The one of this number, if it is still kept."""
        return next((arrival for arrival in self._newest if arrival.number == number), None)

    def clear(self) -> None:
        """Forget what is in memory; the file keeps its lines."""
        self._newest.clear()
        self._bytes = 0

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is not None:
            self._file.close()


def _opened(record: Path) -> IO[bytes]:
    """A file to append to, which nobody else can read. A link is not followed, nor is anybody waited for."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(record, flags, 0o600)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise OSError(error.errno, _NOT_OURS) from None
        raise
    file = open(descriptor, "ab", buffering=0)  # noqa: PTH123, SIM115 - a descriptor, which is closed with the record
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_uid != os.geteuid():
        file.close()
        raise OSError(errno.EPERM, _NOT_OURS)
    os.fchmod(descriptor, 0o600)
    return file


_NOT_OURS = "it must be a file of this user's, and no link or second name of one"
