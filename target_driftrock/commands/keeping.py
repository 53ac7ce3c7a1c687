"""What the commands that only look into the ledger need of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
