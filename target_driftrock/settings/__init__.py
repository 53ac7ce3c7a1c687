"""Every setting, once: where it comes from, what is right, and the frozen groups that the rest reads.

`sources` reads files and the environment, `table` says what there is, `parsing` judges it and makes the groups.
This package must not open anything but the settings' own files, nor know what a template means.
"""

from __future__ import annotations

from target_driftrock.settings.groups import (
    DEFAULT_PORTS,
    DEFAULT_URLS,
    EVENT_TYPES,
    Api,
    ApiKey,
    ClientCredentials,
    Comparison,
    Credentials,
    Environment,
    Keeping,
    NewLedger,
    OnChanged,
    OnUnknown,
    Pace,
    Patience,
    Scalar,
    Settings,
    StreamMapping,
    Table,
    is_allowed,
    is_loopback,
    mapping_label,
    origin,
    port,
)
from target_driftrock.settings.parsing import parse, sdk_config, secret_values
from target_driftrock.settings.sources import from_environment, read_files, variable_doubts
from target_driftrock.settings.table import (
    TABLE,
    config_jsonschema,
    editor_jsonschema,
    meltano_settings,
    settings_table,
)

__all__ = [
    "DEFAULT_PORTS",
    "DEFAULT_URLS",
    "EVENT_TYPES",
    "TABLE",
    "Api",
    "ApiKey",
    "ClientCredentials",
    "Comparison",
    "Credentials",
    "Environment",
    "Keeping",
    "NewLedger",
    "OnChanged",
    "OnUnknown",
    "Pace",
    "Patience",
    "Scalar",
    "Settings",
    "StreamMapping",
    "Table",
    "config_jsonschema",
    "editor_jsonschema",
    "from_environment",
    "is_allowed",
    "is_loopback",
    "mapping_label",
    "meltano_settings",
    "origin",
    "parse",
    "port",
    "read_files",
    "sdk_config",
    "secret_values",
    "settings_table",
    "variable_doubts",
]
