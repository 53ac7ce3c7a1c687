"""`rejects`: what was refused or held, as a Singer stream to send again, or as a table for people; and why.

Nothing is sent.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import msgspec
from rich.table import Table
from rich.text import Text

from target_driftrock import naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from target_driftrock.ledger.reading import Defender, KeptGroup, KeptRow, Why

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ROW = "driftrock_row"
_REASON = "driftrock_reason"
_KNOWN = "driftrock_known"
_MEMBER = rb"""{("[a-z_]+":("([^"\\]|\\.)*"|\d+|null),?)*}"""
_MARKS = re.compile(
    rb"""(,"driftrock_row":"[0-9a-f]*")?(,"driftrock_reason":%b)?(,"driftrock_known":\[(%b,?)*\])?}\Z"""
    % (_MEMBER, _MEMBER)
)
"""What `marked` put at the end of a line, and the end."""
_COLUMNS = ("stream", "mapping", "kind", "reason", "status", "rows", "first seen", "last seen")
_COLUMNS_OF_KNOWN = ("known since", "by run")
_FIGURES = frozenset({"status", "rows", "by run"})


def write_stream(rows: Iterable[KeptRow], write: Callable[[bytes], object]) -> None:
    """The rows as Singer messages, a line each: personal data. A stream's SCHEMA precedes its records."""
    schemas: dict[str, bytes] = {}
    for row in rows:
        if schemas.get(row.stream) != row.schema:
            schemas[row.stream] = row.schema
            write(row.schema + b"\n")
        write(marked(row.record, row.key, why=row.why, known=row.known) + b"\n")


def write_answers(rows: Iterable[KeptRow], write: Callable[[bytes], object]) -> None:
    """Why each row waits, a line of JSON each, with what the API answered: personal data."""
    for row in rows:
        write(naming.visible_json(msgspec.json.encode({"stream": row.stream} | _reason(row.why))) + b"\n")


def marked(line: bytes, key: str, *, why: Why, known: Sequence[Defender] | None = None) -> bytes:
    """A RECORD line that says beside `record` which kept row it is, why it waits, and what it collides with.

    The rest of it stays, byte for byte by member. One that was marked before is marked anew.
    """
    marks: dict[str, Any] = {_ROW: key, _REASON: _reason(why)}
    marks |= {} if known is None else {_KNOWN: list(map(_defender, known))}
    try:
        members = _MEMBERS.decode(line)
    except (msgspec.DecodeError, RecursionError):  # NaN, say: kept as it was read, and to be read by the same rules
        return _MARKS.sub(b"", line) + b"," + msgspec.json.encode(marks).removeprefix(b"{")
    members.pop(_KNOWN, None)
    return msgspec.json.encode(members | marks)


def _reason(why: Why) -> dict[str, Any]:
    return {
        "kind": why.kind,
        "reason": why.reason,
        "status": why.status,
        "answer": why.answer.decode(errors="replace"),
    }


def _defender(known: Defender) -> dict[str, Any]:
    return {
        "event_id": known.event_id,
        "standing": "delivered" if known.is_delivered else "perhaps delivered",
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(known.at)),
        "run": known.run,
    }


def table(groups: Sequence[KeptGroup]) -> Table:
    """How many rows wait for what, for people. Nothing personal is in it.

    Where some collide with what is known, it says since when that is, and by which run; the latest of it.
    """
    total = sum(group.count for group in groups)
    shown = Table(caption=f"{total} {'row waits' if total == 1 else 'rows wait'} in the ledger.")
    more = _COLUMNS_OF_KNOWN if any(group.known_at is not None for group in groups) else ()
    for name in (*_COLUMNS, *more):
        shown.add_column(name, justify="right" if name in _FIGURES else "left", overflow="fold")
    for group in groups:
        words = (
            naming.shown(group.stream),
            group.mapping,
            group.kind,
            group.reason,
            _figure(group.status),
            str(group.count),
        )
        known = (_day(group.known_at), _figure(group.known_run)) if more else ()
        shown.add_row(*map(Text, (*words, _day(group.first_at), _day(group.at), *known)))
    return shown


def _figure(number: int | None) -> str:
    return "" if number is None else str(number)


def _day(at: float | None) -> str:
    return "" if at is None else time.strftime("%Y-%m-%d", time.gmtime(at))
