"""The table of settings, and what is generated from it: the SDK's JSON Schema, README's table, Meltano's list.

A new setting is a row here and an attribute of a group in `groups`; the group holds its default.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields

from target_driftrock.settings.groups import (
    EVENT_TYPES,
    Environment,
    Keeping,
    NewLedger,
    OnChanged,
    OnUnknown,
    Pace,
    Patience,
    Settings,
)

_GROUPS = (Pace, Patience, Keeping, Settings)
_DEFAULTS = {slot.name: slot.default for group in _GROUPS for slot in fields(group) if slot.default is not MISSING}


class Kind(enum.Enum):
    """What a setting holds."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    OPTIONS = "options"
    OBJECT = "object"
    ARRAY = "array"


JSON_TYPES = {Kind.DECIMAL: "number", Kind.OPTIONS: "string"}
"""Where JSON Schema's word is another."""
MELTANO_KINDS = {Kind.DECIMAL: "string"}
"""Where Meltano's word is another. It has `decimal` too, and then cannot write what a variable says of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting.

    `attribute` is where its group keeps it. `minimum` and `maximum` may be reached, `above` may not. An
    `is_builtin` one is read by the SDK itself.
    """

    name: str
    title: str
    description: str
    kind: Kind
    attribute: str = ""
    options: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    above: int | None = None
    is_required: bool = False
    is_secret: bool = False
    secret_mark: str = ""
    """A value of a secret setting without this in it is none: a directory, where a URL might be."""
    is_builtin: bool = False
    builtin_default: bool | None = None
    """Of one that no group keeps."""

    @property
    def default(self) -> int | float | bool | str | None:
        """What holds when nothing is given, or None."""
        default = _DEFAULTS.get(self.attribute or self.name, self.builtin_default)
        if isinstance(default, enum.Enum):
            return str(default.value)
        return int(default) if isinstance(default, float) and default.is_integer() else default


TABLE = (
    Row(
        name="client_id",
        title="Client ID",
        description="Of the OAuth 2.0 client credentials. Give it with `client_secret`, or give `api_key` instead;"
        " the environment `sandbox` needs neither.",
        kind=Kind.STRING,
    ),
    Row(
        name="client_secret",
        title="Client secret",
        description="Of the OAuth 2.0 client credentials, beside `client_id`.",
        kind=Kind.STRING,
        is_secret=True,
    ),
    Row(
        name="api_key",
        title="API key",
        description="The older long-lived bearer key, instead of `client_id` and `client_secret`.",
        kind=Kind.STRING,
        is_secret=True,
    ),
    Row(
        name="environment",
        title="Environment",
        description="Whose API is meant; `sandbox` is a `target-driftrock sandbox` that runs on this machine. What was"
        " delivered is known for each by itself.",
        kind=Kind.OPTIONS,
        options=tuple(environment.value for environment in Environment),
        is_required=True,
    ),
    Row(
        name="api_url",
        title="API URL",
        description="Another base URL than the environment's own. HTTPS only, but for a loopback address. Another"
        " host or port is another API, to which everything is sent again.",
        kind=Kind.STRING,
    ),
    Row(
        name="ledger",
        title="Ledger",
        description="What a run leaves behind lies here: a directory that outlives the run, or a PostgreSQL URL,"
        " `postgresql://user@host/database?schema=name`. A container's own disk forgets.",
        kind=Kind.STRING,
        is_required=True,
        is_secret=True,
        secret_mark="://",  # noqa: S106 - where credentials may be, not what they are
    ),
    Row(
        name="new_ledger",
        title="A new ledger",
        description="Whether a run may make the ledger: `refuse` ends it (2) where there is none, so that a mistyped or"
        " lost one does not send everything again; and where it knows other APIs, and not this one.",
        kind=Kind.OPTIONS,
        options=tuple(choice.value for choice in NewLedger),
    ),
    Row(
        name="source_id",
        title="Source ID",
        description="The capture of every mapping that names none.",
        kind=Kind.STRING,
    ),
    Row(
        name="streams",
        title="Streams",
        description="An array of mappings, each with a `stream`: what becomes of which stream's records. The first"
        " one that fits takes the record.",
        kind=Kind.ARRAY,
        is_required=True,
    ),
    Row(
        name="max_concurrency",
        title="Most requests at once",
        description="The ceiling of the adaptive limit on requests in flight.",
        kind=Kind.INTEGER,
        minimum=1,
        maximum=256,
    ),
    Row(
        name="max_events",
        title="Most events of a run",
        description="Reading ends after the record with which this many events had a first request. Retries, and what"
        " was delivered before, do not count.",
        kind=Kind.INTEGER,
        minimum=1,
    ),
    Row(
        name="max_events_per_second",
        title="Most events a second",
        description="A ceiling beside the adaptive limit; every request counts, retries too.",
        kind=Kind.INTEGER,
        minimum=1,
    ),
    Row(
        name="read_timeout",
        title="Read timeout",
        description="Seconds to wait for an answer. A short one makes duplicates.",
        kind=Kind.DECIMAL,
        above=0,
    ),
    Row(
        name="max_outage_seconds",
        title="Longest outage",
        description="Seconds to wait for an API or a token that answers nothing of use, and for a ledger at the start.",
        kind=Kind.DECIMAL,
        attribute="max_outage",
        minimum=0,
    ),
    Row(
        name="on_unknown",
        title="On a lost answer",
        description="What becomes of an event whose answer was lost: `retry` sends it again with the same `event_id`,"
        " `hold` keeps it for a person to decide.",
        kind=Kind.OPTIONS,
        options=tuple(choice.value for choice in OnUnknown),
    ),
    Row(
        name="on_changed",
        title="On changed content",
        description="What becomes of an event that was delivered before, with other content: `skip` does not send it,"
        " `send` does, each content once. If not set, it is not sent where it is surely the same person's or the same"
        " record, and else held for a person to decide. A mapping may say otherwise.",
        kind=Kind.OPTIONS,
        options=tuple(choice.value for choice in OnChanged),
    ),
    Row(
        name="max_reject_percent",
        title="Most rejects",
        description="Percent of a stream's or a capture's events that may be refused; above it, and from ten refused"
        " events on, a run ends with exit 6; however few there are, where all of them are refused. What is held for its"
        " identity counts as refused. 100 turns it off.",
        kind=Kind.DECIMAL,
        minimum=0,
        maximum=100,
    ),
    Row(
        name="ledger_retention_days",
        title="Retention of the ledger",
        description="How many days delivered events are remembered. None forgets nothing.",
        kind=Kind.INTEGER,
        minimum=1,
    ),
    Row(
        name="batch_size_rows",
        title="Rows in a batch",
        description="How many records are gathered before they are handed to delivery.",
        kind=Kind.INTEGER,
        minimum=1,
        is_builtin=True,
    ),
    Row(
        name="validate_records",
        title="Validate records",
        description="Whether each record is held against its stream's schema. One that breaks it is kept as invalid.",
        kind=Kind.BOOLEAN,
        is_builtin=True,
        builtin_default=True,
    ),
    Row(
        name="stream_maps",
        title="Stream maps",
        description="The SDK's stream maps, which run before the mappings in `streams`.",
        kind=Kind.OBJECT,
        is_builtin=True,
    ),
    Row(
        name="stream_map_config",
        title="Stream map configuration",
        description="Values for the expressions in `stream_maps`.",
        kind=Kind.OBJECT,
        is_builtin=True,
    ),
    Row(
        name="flattening_enabled",
        title="Flatten records",
        description="Whether nested properties become top-level ones, before the mappings in `streams`. Needs"
        " `flattening_max_depth`.",
        kind=Kind.BOOLEAN,
        is_builtin=True,
    ),
    Row(
        name="flattening_max_depth",
        title="Flattening depth",
        description="How many levels are flattened.",
        kind=Kind.INTEGER,
        minimum=0,
        is_builtin=True,
    ),
    Row(
        name="flattening_max_key_length",
        title="Longest flattened key",
        description="How many characters a flattened property's name may have.",
        kind=Kind.INTEGER,
        minimum=1,
        is_builtin=True,
    ),
    Row(
        name="flattening_separator",
        title="Flattening separator",
        description="What stands between the names of the levels in a flattened property's name.",
        kind=Kind.STRING,
        is_builtin=True,
    ),
)

DROPPED = {
    "add_record_metadata": "the SDK's _sdc_ columns never reach an event",
    "batch_config": "BATCH messages are refused",
    "default_target_schema": "Driftrock has no schemas",
    "emit_activate_version_messages": "it is a tap's setting",
    "faker_config": "invented values never reach an event",
    "hard_delete": "an event is never deleted",
    "load_method": "events are only ever added",
    "process_activate_version_messages": "an event is never deleted",
    "use_singer_decimal": "it is a tap's setting",
}
"""Settings of the SDK that this target has not, and why each would have no effect."""

SCHEMA_KEY = "$schema"
"""By what a settings file tells an editor where its JSON Schema is. It is no setting."""
_NOT_BLANK = r"[^\s\x1c-\x1f\x85]"
"""What is not blank to Python has one of these."""
_TEXT: dict[str, object] = {"type": "string", "pattern": _NOT_BLANK}
_TEMPLATE: dict[str, object] = {"type": ["string", "null"], "pattern": _NOT_BLANK}
_CONSTANTS = ["string", "number", "boolean"]
_TEMPLATES = {"type": _CONSTANTS}

_ALTERNATIVES = {"items": {"type": [*_CONSTANTS, "null"]}, "minItems": 1}
_BOUNDS = {sign: {"type": "number"} for sign in ("<", "<=", ">", ">=")}
_TABLES = {
    "minProperties": 1,
    "additionalProperties": {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"type": [*_CONSTANTS, "null"]},
    },
}

FORMER_SCHEMAS: dict[str, dict[str, object]] = {
    "event_type": _TEXT,
    "event_name": _TEMPLATE,
    "source_id": _TEXT,
    "affiliate_id": _TEMPLATE,
    "event_id": _TEMPLATE,
    "tables": {"type": "object", **_TABLES},
}
"""What makes an identity; no event was without the attributes that cannot be null."""
_FORMER = {"properties": FORMER_SCHEMAS, "additionalProperties": False, "minProperties": 1}

MAPPING_SCHEMAS: dict[str, dict[str, object]] = {
    "stream": _TEXT | {"description": "The stream's name, or a glob."},
    "skip": {"type": ["boolean", "null"], "description": "true: no event comes of these records."},
    "when": {
        "type": ["object", "null"],
        "minProperties": 1,
        "additionalProperties": {
            "type": [*_CONSTANTS, "null", "array", "object"],
            **_ALTERNATIVES,
            "properties": {"not": {"type": [*_CONSTANTS, "null", "array"], **_ALTERNATIVES}, **_BOUNDS},
            "minProperties": 1,
            "additionalProperties": False,
        },
        "description": "Each named property equals the value, or one of the values, or is as an object says.",
    },
    "event_type": {
        "type": ["string", "null"],
        "pattern": rf"[{{}}]|^({'|'.join(EVENT_TYPES)})$",
        "description": "lead, conversion or action, or a template that gives one of them.",
    },
    "event_name": _TEMPLATE | {"description": "The event's label. Default: the stream's name."},
    "source_id": _TEMPLATE | {"description": "The capture. Default: the setting source_id."},
    "affiliate_id": _TEMPLATE | {"description": "The affiliate of the capture; sends to the affiliate endpoint."},
    "event_id": _TEMPLATE | {"description": "Identifies the event; null accepts repeats. Default: stream and key."},
    "person_id": _TEMPLATE | {"description": "Identifies the person."},
    "ga_client_id": _TEMPLATE | {"description": "The Google Analytics client id."},
    "created_at": _TEMPLATE | {"description": "When it happened. Default: when it arrives."},
    "metadata": {
        "type": ["object", "string", "null"],
        "pattern": r"\{",
        "additionalProperties": _TEMPLATES,
        "description": "An object of templates, or a template for one.",
    },
    "tables": {
        "type": ["object", "null"],
        **_TABLES,
        "description": "What stands for which text, in tables by name, for the filter lookup.",
    },
    "on_changed": {
        "type": ["string", "null"],
        "enum": [*(choice.value for choice in OnChanged), None],
        "description": "What becomes of changed events. Default: the setting on_changed.",
    },
    "formerly": {
        "type": ["object", "array", "null"],
        **_FORMER,
        "items": {"type": "object", **_FORMER},
        "minItems": 1,
        "description": "The attributes of the identity as they were before it was mended; null: send all again.",
    },
    "fields": {
        "type": ["object", "string"],
        "pattern": r"^\*$",
        "minProperties": 1,
        "additionalProperties": _TEMPLATES,
        "description": "Templates by field name, or * for all.",
    },
}
"""The attributes of an item of `streams`, in the order of the docs."""


def config_jsonschema() -> dict[str, object]:
    """The settings as a JSON Schema, for the SDK's `--about`. A new dict each time: the SDK adds to the one it gets."""
    return {
        "type": "object",
        "properties": {row.name: schema_of(row) for row in TABLE},
        "required": [row.name for row in TABLE if row.is_required],
        "additionalProperties": False,
    }


def editor_jsonschema() -> str:
    """The same as a document, by which an editor completes and checks a settings file. Ends in a line break."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Settings of target-driftrock"}
    schema = head | config_jsonschema()
    schema["properties"] = {SCHEMA_KEY: {"type": "string"}, **{row.name: schema_of(row) for row in TABLE}}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def schema_of(row: Row) -> dict[str, object]:
    """One setting as JSON Schema: what is right by itself."""
    json_type = JSON_TYPES.get(row.kind, row.kind.value)
    schema: dict[str, object] = {
        "type": json_type if row.is_required else [json_type, "null"],
        "title": row.title,
        "description": row.description,
    }
    optional = {
        "default": row.default,
        "enum": list(row.options) or None,
        "minimum": row.minimum,
        "maximum": row.maximum,
        "exclusiveMinimum": row.above,
    }
    schema |= {keyword: value for keyword, value in optional.items() if value is not None}
    if row.is_secret:
        schema |= {"secret": True, "writeOnly": True}  # both marks that the SDK itself sets
    if row.kind is Kind.ARRAY:
        schema |= {"minItems": 1, "items": _mapping_schema()}
    return schema


def _mapping_schema() -> dict[str, object]:
    """One item of `streams` as JSON Schema."""
    return {
        "type": "object",
        "properties": dict(MAPPING_SCHEMAS),
        "required": ["stream"],
        "anyOf": [
            {"properties": {"skip": {"const": True}}, "required": ["skip"]},
            {"required": ["event_type", "fields"]},
        ],
        "additionalProperties": False,
    }


def settings_table(rows: Sequence[Row] = TABLE) -> str:
    """The README's table: Markdown, ending in a line break."""
    lines = ["| Setting | Kind | Default | |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(_cell(text) for text in _cells(row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> tuple[str, str, str, str]:
    kind = "secret" if row.is_secret else row.kind.value
    choices = f" ({', '.join(row.options)})" if row.options else ""
    default = "required" if row.is_required else "" if row.default is None else f"`{row.default}`".lower()
    return f"`{row.name}`", f"{kind}{choices}", default, f"{row.title}. {row.description}"


def _cell(text: str) -> str:
    """A text that cannot end its table cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def meltano_settings() -> list[dict[str, object]]:
    """The `settings` of the plugin in a meltano.yml: without this list, Meltano passes no variable on."""
    return [_meltano_setting(row) for row in TABLE]


def _meltano_setting(row: Row) -> dict[str, object]:
    setting: dict[str, object] = {
        "name": row.name,
        "label": row.title,
        "kind": MELTANO_KINDS.get(row.kind, row.kind.value),
        "description": row.description,
    }
    if row.is_secret:
        setting["sensitive"] = True
    if row.options:
        setting["options"] = [{"label": option.capitalize(), "value": option} for option in row.options]
    if row.default is not None:
        setting["value"] = row.default
    return setting
