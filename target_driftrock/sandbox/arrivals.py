"""What came: the newest in memory, and each as a line of a file when one is asked for."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from target_driftrock.sandbox import contract
from target_driftrock.sandbox.verdict import Outcome

KEPT = 10_000
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
    body: bytes = field(repr=False)

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
        }
        try:
            contract.parsed(self.body)
        except ValueError:
            return {**head, "body": self.body.decode("utf-8", "replace")}
        return {**head, "event": msgspec.Raw(self.body.translate(_ONE_LINE))}


class Arrivals:
    """The newest arrivals. With a `record`, each is a line there as soon as it came; only its owner may read that."""

    def __init__(self, record: Path | None = None) -> None:
        self._newest: deque[Arrival] = deque(maxlen=KEPT)
        self._file = None if record is None else open(record, "ab", buffering=0, opener=_private)  # noqa: SIM115

    def note(self, arrival: Arrival) -> None:
        """Keep one arrival. Raises OSError when its line cannot be written."""
        if self._file is not None:
            self._file.write(msgspec.json.encode(arrival.shown()) + b"\n")
        self._newest.append(arrival)

    def newest(self, limit: int) -> list[Arrival]:
        """Up to `limit` arrivals, the newest first."""
        return list(islice(reversed(self._newest), limit))

    def clear(self) -> None:
        """Forget what is in memory; the file keeps its lines."""
        self._newest.clear()

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is not None:
            self._file.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
