"""The pages: what arrived, the newest first, with the counts, and one event in full. What they show is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from target_driftrock.pages.page import Page, filled
from target_driftrock.sandbox import contract
from target_driftrock.sandbox.arrivals import Arrival

SHOWN = 200
LONGEST_FILTER = 200
_CELL = 1_000
"""Characters that are shown of a value in the list."""
_INDENTED = 16_384
"""Bytes of a body up to which it is indented: what is nested would become a hundred times as long."""
_FIGURES = ("requests", "accepted", "refused", "repeats", "distinct_event_ids", "token_requests", "unauthorized")
_WIDE = frozenset({"fields", "metadata", "body"})

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Shown(NamedTuple):
    """An attribute under its name; a wide one takes a line of its own."""

    name: str
    text: str
    is_wide: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One arrival in the list."""

    number: int
    time: str
    endpoint: str
    status: str
    is_accepted: bool
    reason: str
    attributes: list[Shown]


def overview(counts: Mapping[str, Any], arrivals: Iterable[Arrival], *, sought: str, era: int) -> Page:
    """What arrived, and how much. `sought` is the filter that the arrivals have passed; `era` lasts until a reset."""
    return filled(
        "sandbox.html",
        script="sandbox.js",
        figures=[(name.replace("_", " "), counts[name]) for name in _FIGURES],
        rows=[_row(arrival) for arrival in arrivals],
        latest=counts["requests"],
        sought=sought,
        most=SHOWN,
        era=str(era),
    )


def whole(arrival: Arrival) -> Page:
    """One event in full: what came, header by header, and why it was refused, if it was."""
    return filled(
        "event.html",
        row=_row(arrival),
        connection=arrival.connection,
        headers=arrival.headers,
        lines=_indented(arrival.body).splitlines(),
    )


def _row(arrival: Arrival) -> Row:
    outcome = arrival.outcome.replace("_", ", ")
    return Row(
        number=arrival.number,
        time=f"{arrival.time:%H:%M:%S}",
        endpoint=arrival.endpoint,
        status=f"{arrival.status or ''} {outcome}".strip(),
        is_accepted=arrival.outcome.startswith("accepted"),
        reason=arrival.reason,
        attributes=list(_attributes(arrival.body)),
    )


def _attributes(body: bytes) -> Iterator[Shown]:
    """All that the body has, the known ones in their order, wide ones last; of what is no object, the body itself."""
    try:
        raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        texts = {name: _text(bytes(value)) for name, value in raw.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        texts = {"body": body.decode("utf-8", "replace")} if body else {}
    known = [name for name in contract.ATTRIBUTES if name in texts]
    names = (*known, *(name for name in texts if name not in contract.ATTRIBUTES))
    for name in sorted(names, key=_WIDE.__contains__):
        yield Shown(_short(name), _short(texts[name]), is_wide=name in _WIDE)


def _text(value: bytes) -> str:
    """A string without its quotes, all else as it was sent."""
    if value.startswith(b'"'):
        return msgspec.json.decode(value, type=str)
    return value.decode()


def _indented(body: bytes) -> str:
    """A body that is JSON and not long, a member a line, each number as it came; any other as it is."""
    try:
        if len(body) <= _INDENTED:
            contract.parsed(body)
            return msgspec.json.format(body, indent=2).decode()
    except ValueError:
        pass
    return body.decode("utf-8", "replace")


def _short(text: str) -> str:
    return text if len(text) <= _CELL else f"{text[:_CELL]}…"
