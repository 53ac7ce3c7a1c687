"""What must not be seen, and how to look for it in whatever form it may have been written."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator, Mapping
from functools import cache
from urllib.parse import quote, quote_plus

PERSONAL: Mapping[str, str] = {
    "name": "Zoë Ķanarienvøgel-Ångström",
    "email": "canary.zoë+tag@kanarie.example",
    "phone": "+49 1555 0104 2718",
    "city": '"Kanaria" \\ <O\'Brien> & {Sons}%s',
    "note": "ein łanger Text über Zoë; " * 400,
    "person": "canary-person-0042718281",
}
"""Values of records."""

SECRETS: Mapping[str, str] = {
    "client_id": "canary-client-id-2718281828",
    "client_secret": 'canary/secret+"2718"=%41',
    "api_key": "canary-api-key-3141592653",
    "password": "canary p@ss:w/rd-5772156649",
    "token": "canary-token-1618033988",
}

_PIECE = 12
"""Characters of a value that are enough to know it by: a log that cuts a text off has shown it all the same."""
_PIECES = 4


def found(data: bytes, values: Mapping[str, str]) -> set[str]:
    """Which values can be seen there."""
    return {name for name, value in values.items() if any(needle in data for needle in _needles(value))}


@cache
def _needles(value: str) -> frozenset[bytes]:
    pieces = [value[start : start + _PIECE] for start in range(0, len(value), _PIECE)]
    whole = [piece for piece in pieces if len(piece) == _PIECE][:_PIECES]
    return frozenset(form for piece in whole for form in _forms(piece))


def _forms(piece: str) -> Iterator[bytes]:
    data = piece.encode()
    texts = {
        piece,
        json.dumps(piece)[1:-1],
        json.dumps(piece, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(piece))[3:-3],
        repr(piece)[1:-1],
        ascii(piece)[1:-1],
        quote(piece),
        quote(piece, safe=""),
        quote_plus(piece),
        html.escape(piece),
        piece.encode("unicode_escape").decode(),
        repr(data)[2:-1],
        data.hex(),
    }
    yield from (text.encode() for text in texts)
    for skipped in range(3):  # base64 writes three bytes at a time, so there are three ways in which they may fall
        cut = data[skipped : len(data) - (len(data) - skipped) % 3]
        yield from (base64.b64encode(cut), base64.urlsafe_b64encode(cut))
