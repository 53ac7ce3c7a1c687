"""What the commands that only look into the ledger need of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_driftrock.mapping.masking import Mask
from target_driftrock.settings import Settings, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOR_SENDING = ("client_id", "client_secret", "api_key", "api_url", "source_id", "streams")
_NOTHING_SENT: Mapping[str, Any] = {"environment": "sandbox", "streams": [{"stream": "*", "skip": True}]}


def for_ledger(config: Mapping[str, Any]) -> Settings:
    """The settings, but for credentials, host and mapping: they may be wrong or missing, since nothing is sent.

    Raises:
        SettingsInvalid: Another setting is wrong, or `ledger` is missing.
    """
    given = {name: value for name, value in config.items() if name not in _FOR_SENDING}
    return parse({**given, **_NOTHING_SENT}, template_faults=lambda _: ())


def mask_of(config: Mapping[str, Any]) -> Mask:
    """How streams' names are told: `streams` may be wrong, too, and what it says of them is known all the same."""
    streams = config.get("streams")
    items = [item for item in streams if isinstance(item, dict)] if isinstance(streams, list) else []
    return Mask(said=frozenset(name for item in items if isinstance(name := item.get("stream"), str)))
