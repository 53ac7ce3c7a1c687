"""What whole runs are told of leads, and what came of these: for the tests of what a mapping refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.stage import LEADS, Done, Stage, schema

ADA = "ada@example.com"
AT = "2026-03-01T08:00:00Z"
EMAIL: Mapping[str, Any] = {"type": ["null", "string"]}
ID: Mapping[str, Any] = {"type": ["null", "integer"]}
MAILED: Mapping[str, Any] = {**LEADS, "fields": {"email": "{email}"}}
FLAT: Mapping[str, Any] = {"flattening_enabled": True, "flattening_max_depth": 3}
DELETED = "_sdc_deleted_at"


def leads(
    more: Mapping[str, Any] | None = None, /, *, closed: bool = False, required: Iterable[str] = (), **named: Any
) -> dict[str, Any]:
    """A SCHEMA of leads that have an id, an email, and these."""
    message = schema(properties={"id": ID, "email": EMAIL, **named, **(more or {})})
    message["schema"] |= {"required": list(required)} if required else {}
    message["schema"] |= {"additionalProperties": False} if closed else {}
    return message


def row(**values: Any) -> dict[str, Any]:
    """A RECORD of leads, and nothing in it but what is said."""
    return {"type": "RECORD", "stream": "leads", "record": values}


def ids(done: Done) -> list[Any]:
    """The ends of the ids of what was accepted, in their order."""
    return sorted(str(event.get("event_id")).rpartition(":")[2] for event in done.events)


def reasons(stage: Stage) -> list[str]:
    """Why rows were kept."""
    return [reason for _, reason, _ in stage.kept()]


def warnings(done: Done) -> list[str]:
    """What a run warned of, but that its ledger is new."""
    return [line for line in done.log.splitlines() if line.startswith("WARNING") and "ledger is new" not in line]
