"""`rejects`: what was refused or held, as a Singer stream to send again, or as a table for people. Nothing is sent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from target_driftrock.ledger.reading import KeptGroup, KeptRow

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ROW = "driftrock_row"
_COLUMNS = ("stream", "mapping", "kind", "reason", "status", "rows", "first seen", "last seen")


def write_stream(rows: Iterable[KeptRow], write: Callable[[bytes], object]) -> None:
    """The rows as Singer messages, a line each: personal data. A stream's SCHEMA precedes its records."""
    schemas: dict[str, bytes] = {}
    for row in rows:
        if schemas.get(row.stream) != row.schema:
            schemas[row.stream] = row.schema
            write(row.schema + b"\n")
        write(marked(row.record, row.key) + b"\n")


def marked(line: bytes, key: str) -> bytes:
    """A RECORD line that says beside `record` which kept row it is. The rest of it stays, byte for byte by member."""
    try:
        members = _MEMBERS.decode(line)
    except (msgspec.DecodeError, RecursionError):  # NaN, say: kept as it was read, and to be read by the same rules
        mark = b',"%s":"%s"}' % (_ROW.encode(), key.encode())
        return line if line.endswith(mark) else line.removesuffix(b"}") + mark
    return msgspec.json.encode({**members, _ROW: key})


def table(groups: Sequence[KeptGroup]) -> Table:
    """How many rows wait for what, for people. Nothing personal is in it."""
    total = sum(group.count for group in groups)
    shown = Table(caption=f"{total} {'row waits' if total == 1 else 'rows wait'} in the ledger.")
    for name in _COLUMNS:
        shown.add_column(name, justify="right" if name in {"status", "rows"} else "left", overflow="fold")
    for group in groups:
        status = "" if group.status is None else str(group.status)
        words = (group.stream, group.mapping, group.kind, group.reason, status, str(group.count))
        shown.add_row(*map(Text, (*words, _day(group.first_at), _day(group.at))))
    return shown


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))
