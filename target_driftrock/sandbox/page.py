"""The page: what arrived, the newest first, and the counts. Plain HTML that loads nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import msgspec

from target_driftrock.sandbox.arrivals import Arrival

SHOWN = 200
_CELL = 1_000
"""Characters that are shown of a value."""
_REFRESH_SECONDS = 2
_COLUMNS = ("event_type", "event_name", "source_id", "event_id", "fields")
_FIGURES = ("requests", "accepted", "refused", "repeats", "distinct_event_ids", "token_requests", "unauthorized")

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; color: #1c2430; }
h1 { font-size: 1.4rem; margin: 0; } p { color: #5a6675; margin: .2rem 0 1.2rem; }
dl { display: flex; flex-wrap: wrap; gap: .8rem; margin: 0 0 1.4rem; }
dl div { border: 1px solid #d9dfe7; border-radius: 6px; padding: .5rem .9rem; }
dt { color: #5a6675; font-size: .8rem; } dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #e6eaf0; }
th { color: #5a6675; font-weight: 600; } td { overflow-wrap: anywhere; }
.good { color: #12703a; } .bad { color: #b3261e; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def rendered(counts: Mapping[str, Any], arrivals: Iterable[Arrival]) -> str:
    """The whole page; every value is escaped, and all of it is seen."""
    figures = "".join(f"<div><dt>{_words(name)}</dt><dd>{counts[name]}</dd></div>" for name in _FIGURES)
    heads = "".join(f"<th>{_words(name)}</th>" for name in ("time", "endpoint", "outcome", *_COLUMNS))
    rows = "".join(map(_row, arrivals)) or '<tr><td colspan="8">Nothing has arrived yet.</td></tr>'
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Driftrock sandbox</title>'
        f'<meta http-equiv="refresh" content="{_REFRESH_SECONDS}"><style>{_STYLE}</style>'
        "<h1>Driftrock sandbox</h1><p>A double of Driftrock's API on this machine. Nothing leaves it.</p>"
        f"<dl>{figures}</dl><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></html>"
    )


def _row(arrival: Arrival) -> str:
    event = _attributes(arrival.body)
    outcome = arrival.outcome.replace("_", ", ")
    mood = "good" if arrival.outcome.startswith("accepted") else "bad"
    status = f"{arrival.status or ''} {outcome}".strip()
    cells = (f"{arrival.time:%H:%M:%S}", arrival.endpoint, status, *(event.get(name, "") for name in _COLUMNS))
    return f'<tr class="{mood}">' + "".join(f"<td>{escape(_visible(_short(cell)))}</td>" for cell in cells) + "</tr>"


def _attributes(body: bytes) -> dict[str, str]:
    """The body's attributes as texts: a string without its quotes, all else as it was sent."""
    try:
        raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        return {name: _text(bytes(value)) for name, value in raw.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _text(value: bytes) -> str:
    if value.startswith(b'"'):
        return msgspec.json.decode(value, type=str)
    return value.decode()


def _visible(text: str) -> str:
    """A text with an escape of JSON's for what cannot be seen: no value turns around what stands beside it."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def _short(text: str) -> str:
    return text if len(text) <= _CELL else f"{text[:_CELL]}…"


def _words(name: str) -> str:
    return name.replace("_", " ")
