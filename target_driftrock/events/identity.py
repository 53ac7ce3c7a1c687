"""Which two events are the same one, and whom an event is about."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from target_driftrock.events.event import Capture

DIGEST_BYTES = 16


class Who(NamedTuple):
    """Whom an event is about, by kind, the strongest first. Personal, so it prints nothing.

    `email` is trimmed and small; `phone` the last nine digits of the number.
    """

    person: str | None = None
    email: str | None = None
    phone: str | None = None

    def __repr__(self) -> str:
        return "Who(...)"


NOBODY = Who()


class Way(NamedTuple):
    """How a mapping makes identities: templates, names, and the tables into which these look; no values of records.

    `scope` is the tap's stream, or the stream map's key where a map makes another stream of it; `templates` is a JSON
    object of the attributes that are the identity.
    """

    scope: str
    templates: str


class KnownWay(NamedTuple):
    """What a ledger remembers of a way: how much was delivered in it, and which way took its place, if one did."""

    delivered: int
    successor: Way | None = None


def digest(data: bytes) -> bytes:
    """What stands for some bytes within this process. Not salted: it must not be kept."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()


def identity(capture: Capture, *, event_type: str, event_name: str, event_id: str | None) -> bytes | None:
    """What stands for an event itself, whatever its content; None for one without an `event_id`.

    It is made of a JSON array, so that no two different events share it.
    """
    if event_id is None:
        return None
    return digest(
        msgspec.json.encode(
            (capture.endpoint.value, capture.source_id, capture.affiliate_id, event_type, event_name, event_id)
        )
    )
