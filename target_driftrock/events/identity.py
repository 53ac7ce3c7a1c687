"""Which two events are the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from target_driftrock.events.event import Event


def identity(event: Event, *, api: str) -> bytes | None:
    """The canonical form of what makes an event itself, or None for one without an `event_id`.

    `api` is the environment's name, or another API's origin. The form is a JSON array, so that no two
    different events can share it; it is personal data until the ledger has salted and hashed it.
    """
    if event.event_id is None:
        return None
    capture = event.capture
    return msgspec.json.encode(
        (
            api,
            capture.endpoint.value,
            capture.source_id,
            capture.affiliate_id,
            event.event_type,
            event.event_name,
            event.event_id,
        )
    )
