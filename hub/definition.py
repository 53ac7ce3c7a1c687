"""What Meltano has to know of this plugin, made of the table of settings and the target's capabilities."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import yaml

from target_driftrock.settings import TABLE, meltano_settings
from target_driftrock.target import TargetDriftrock

ROOT = Path(__file__).parents[1]
DEFINITION = ROOT / "hub/target-driftrock.yml"
"""For `meltano add --from-ref`, and for Hub."""
LOCK = ROOT / "plugins/loaders/target-driftrock--driftrock.lock"
"""The same, where Meltano itself keeps it for a project: for the one of this repository."""

COMMANDS = {
    "check": "Say whether settings, host and credentials would do. No event is sent.",
    "preview": "Print every event of a tap's messages as it would be sent. Nothing is sent.",
    "rejects": "Print what was refused or held, to send it again; or erase it. Nothing is sent.",
    "trace": "Say what became of the event with an id. Nothing is sent.",
    "report": "Print the receipts of the latest runs. Nothing is sent.",
}
"""Those that read the plugin's settings."""
_CREDENTIALS: tuple[list[str], ...] = (["client_id", "client_secret"], ["api_key"], [])
"""What else is to be set, one of three: the sandbox needs none."""
_HEAD = "# Made by `make definition` of the table of settings. To add the plugin: docs/meltano.md.\n"


def definition() -> dict[str, Any]:
    """By Hub's schema for the definitions of loaders."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [row.name for row in TABLE if row.is_required]
    return {
        "name": project["name"],
        "namespace": "target_driftrock",
        "variant": "driftrock",
        "label": "Driftrock",
        "description": project["description"],
        "pip_url": f"{project['name']}[postgres]",
        "executable": project["name"],
        "keywords": ["meltano_sdk"],
        "maintenance_status": "active",
        "quality": "unknown",
        "capabilities": sorted(capability.value for capability in TargetDriftrock.capabilities),
        "settings_group_validation": [[*required, *credentials] for credentials in _CREDENTIALS],
        "settings": meltano_settings(),
        "commands": {
            name: {"args": f"{name} --config=ENV", "description": description} for name, description in COMMANDS.items()
        },
    }


def as_yaml() -> str:
    """The definition as a file of Hub's."""
    return _HEAD + yaml.safe_dump(definition(), sort_keys=False, allow_unicode=True, width=120)


def as_json() -> str:
    """The definition as Meltano locks it."""
    return json.dumps({"plugin_type": "loaders", **definition()}, indent=2, ensure_ascii=False) + "\n"
