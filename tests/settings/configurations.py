"""The table of right and wrong configurations: each is a small right one, and what is different in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LEAD = {"stream": "leads", "event_type": "lead", "source_id": "capture-1", "fields": {"email": "{email}"}}
RIGHT = {"environment": "sandbox", "ledger": "ledger"}


def configurations() -> list[dict[str, Any]]:
    """Each by its name: the `config` in a file, or None; the `environment`; the `faults`; and the `exit_code`.

    In the table, `settings` and `mapping` say what is different, and `without` what is left out of either.
    """
    rows = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return [
        {
            "name": row["name"],
            "config": _config(row),
            "environment": row.get("environment", {}),
            "faults": row.get("faults", []),
            "exit_code": 2 if row.get("faults") else 0,
        }
        for row in rows
    ]


def _config(row: dict[str, Any]) -> dict[str, Any] | None:
    if row.get("settings", {}) is None:
        return None
    without = row.get("without", [])
    mapping = {name: value for name, value in {**LEAD, **row.get("mapping", {})}.items() if name not in without}
    settings = {**RIGHT, "streams": [mapping], **row.get("settings", {})}
    return {name: value for name, value in settings.items() if name not in without}
