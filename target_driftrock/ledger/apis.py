"""At which APIs a ledger knows of deliveries: an identity belongs to one, so at another everything is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_driftrock.errors import SettingsInvalid
from target_driftrock.ledger.tables import ways
from target_driftrock.naming import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

FEW = 3
"""How many APIs a sentence names: a sandbox on a free port is another one each time."""


def delivered(connection: sa.Connection) -> dict[str, int]:
    """How many deliveries are known, by the name of the API; 0 at one that was only tried.

    The ways are few, and count: no row of `deliveries` is looked at.
    """
    counts = sa.select(ways.c.api, sa.func.sum(ways.c.delivered)).group_by(ways.c.api)
    return {api: int(count) for api, count in connection.execute(counts)}


def doubts(known: Mapping[str, int], *, api: str, may_be_new: bool) -> list[str]:
    """What a person should know before a run at this API relies on a ledger that knows others, a sentence each.

    Raises:
        SettingsInvalid: The API is none that was ever tried, and the run may not begin at a new one.
    """
    others = {name: count for name, count in known.items() if count and name != api}
    if known.get(api) or not others:
        return []
    text = _DOUBT if may_be_new or api in known else _FAULT
    told = text.format(api=shown(api), others=_told(others))
    if text is _FAULT:
        raise SettingsInvalid([told])
    return [told]


def _told(others: Mapping[str, int]) -> str:
    """How many deliveries to which, the most in front."""
    most = sorted(others.items(), key=lambda each: (-each[1], each[0]))
    named = [f"{count:,} to {shown(name)}" for name, count in most[:FEW]]
    rest = sum(count for _, count in most[FEW:])
    return " and ".join([*named, *([f"{rest:,} to others"] if rest else [])])


_DOUBT = (
    "The ledger knows of no delivery to {api}, but of {others}. Each API is known by itself, so whatever comes is "
    "sent. If that is the same API under another address, end this run, and put environment and api_url back as they "
    "were."
)
_FAULT = (
    "ledger: it knows of no delivery to {api}, but of {others}, and new_ledger is `refuse`. Each API is known by "
    "itself: if that is the same API under another address, put environment and api_url back as they were, or "
    "everything is sent again. For a first run at {api} set new_ledger: allow."
)
