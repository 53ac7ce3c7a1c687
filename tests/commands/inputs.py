"""Settings and Singer messages for the commands' tests."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from target_driftrock.target import TargetDriftrock
from tests.program import Message, written

LEADS: Mapping[str, Any] = {
    "stream": "leads",
    "event_type": "lead",
    "created_at": "{at}",
    "fields": {"email": "{email}"},
}

NOBODY: Mapping[str, Any] = {**LEADS, "fields": {"note": "{email}"}}
"""Its events name no person, as far as a name of a field can tell."""
ANOTHER = "grace@example.com"
"""An address that is not the one that `record` makes of a number."""
LATER = "2026-05-06T07:08:09Z"


def schema(stream: str = "leads", **properties: Any) -> dict[str, Any]:
    """A SCHEMA with a key, an e-mail address and a time."""
    listed = {"id": {"type": "integer"}, "email": {"type": "string"}, "at": {"type": ["string", "null"]}}
    return {
        "type": "SCHEMA",
        "stream": stream,
        "key_properties": ["id"],
        "schema": {"type": "object", "properties": {**listed, **properties}},
    }


def record(number: int, stream: str = "leads", **changes: Any) -> dict[str, Any]:
    """A RECORD as the SCHEMA has it."""
    values = {"id": number, "email": f"ada-{number}@example.com", "at": "2026-03-04T05:06:07Z", **changes}
    return {"type": "RECORD", "stream": stream, "record": values}


def singer(*messages: Message) -> io.BytesIO:
    """What a tap writes."""
    return io.BytesIO(written(messages))


def settings(*streams: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """Settings for a sandbox; a ledger that would fail, if a command made one."""
    return {
        "environment": "sandbox",
        "ledger": "/dev/null/ledger",
        "source_id": "capture-1",
        "streams": list(streams) or [dict(LEADS)],
        **others,
    }


def target(*streams: Mapping[str, Any], **others: Any) -> TargetDriftrock:
    """The target under such settings."""
    return TargetDriftrock(config=settings(*streams, **others))
