"""What is generated from the table of settings."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import jsonschema_rs
import pytest
from singer_sdk.helpers.capabilities import FLATTENING_CONFIG

from target_driftrock.settings import (
    TABLE,
    Pace,
    Patience,
    config_jsonschema,
    editor_jsonschema,
    meltano_settings,
    settings_table,
)
from target_driftrock.settings.groups import StreamMapping
from target_driftrock.settings.table import DROPPED, MAPPING_SCHEMAS, Kind, Row
from tests.settings.configurations import configurations

MELTANO_KINDS = {"string", "integer", "boolean", "options", "object", "array"}
VALID = {
    "environment": "sandbox",
    "ledger": "ledger",
    "client_id": None,
    "streams": [{"stream": "leads", "event_type": "lead", "fields": {"email": "{email}", "rank": 1}, "event_id": None}],
}


def row(name: str) -> Row:
    """The row of a setting."""
    return next(row for row in TABLE if row.name == name)


def test_row_stands_for_every_slot_when_a_group_has_one() -> None:
    """No group has an attribute that no setting fills."""
    attributes = {row.attribute or row.name for row in TABLE}

    assert attributes >= {slot.name for group in (Pace, Patience) for slot in fields(group)}


def test_row_says_enough_when_it_is_read_alone() -> None:
    """Each has a name of its own, a title, a description that ends like a sentence, and choices where it needs them."""
    assert len({row.name for row in TABLE}) == len(TABLE)
    assert all(row.title and row.description.endswith(".") for row in TABLE)
    assert [row.name for row in TABLE if row.kind is Kind.OPTIONS] == [row.name for row in TABLE if row.options]


def test_flattening_is_kept_whole_when_the_sdk_has_more_of_it() -> None:
    """A new setting of the SDK's flattening is noticed here."""
    assert {row.name for row in TABLE} >= set(FLATTENING_CONFIG["properties"])
    assert not {row.name for row in TABLE} & DROPPED.keys()


@pytest.mark.parametrize(("name", "default"), [("max_concurrency", 16), ("read_timeout", 60), ("max_events", None)])
def test_default_is_the_groups_own_when_the_table_is_read(name: str, default: object) -> None:
    """A default stands in one place, and whole seconds are shown as such."""
    assert repr(row(name).default) == repr(default)


def test_schema_takes_what_is_right_when_it_is_compiled() -> None:
    """The schema behind `--about` is JSON Schema, and takes nulls, templates and constants."""
    validator = jsonschema_rs.validator_for(config_jsonschema())

    assert validator.is_valid(VALID)
    assert validator.is_valid(VALID | {"read_timeout": 0.5, "max_concurrency": 256})
    assert validator.is_valid(VALID | {"on_changed": "send", "new_ledger": "refuse"})


@pytest.mark.parametrize(
    "former",
    [None, {"event_id": "{id}"}, {"affiliate_id": None}, [{"event_name": "x"}, {"source_id": "capture-0"}]],
    ids=str,
)
def test_schema_takes_a_former_identity_when_it_is_one(former: object) -> None:
    """An object, several of them, or the null that forgets."""
    item = {"stream": "leads", "event_type": "lead", "fields": "*", "on_changed": "skip", "formerly": former}

    assert jsonschema_rs.validator_for(config_jsonschema()).is_valid(VALID | {"streams": [item]})


@pytest.mark.parametrize(
    "change",
    [
        {"max_concurrency": 257},
        {"read_timeout": 0},
        {"environment": "elsewhere"},
        {"environment": None},
        {"streams": []},
        {"streams": {"leads": {}}},
        {"streams": [{"event_type": "lead"}]},
        {"streams": [{"stream": "leads", "feilds": "*"}]},
        {"streams": [{"stream": "leads", "on_changed": "ask"}]},
        {"streams": [{"stream": " "}]},
        {"streams": [{"stream": "leads", "event_type": "purchase"}]},
        {"streams": [{"stream": "leads", "person_id": ""}]},
        {"streams": [{"stream": "leads", "when": {"stage": []}}]},
        {"streams": [{"stream": "leads", "metadata": "plain"}]},
        {"streams": [{"stream": "leads", "fields": "email"}]},
        {"streams": [{"stream": "leads", "fields": {}}]},
        {"streams": [{"stream": "leads", "formerly": {"event_type": None}}]},
        {"streams": [{"stream": "leads", "formerly": {}}]},
        {"streams": [{"stream": "leads", "formerly": []}]},
        {"streams": [{"stream": "leads", "formerly": {"person_id": "{id}"}}]},
        {"on_changed": "ask"},
        {"new_ledger": "yes"},
        {"colour": 1},
    ],
    ids=str,
)
def test_schema_refuses_what_is_wrong_when_it_is_compiled(change: dict[str, object]) -> None:
    """Bounds, choices and names are in the schema, as they are in the parser."""
    assert not jsonschema_rs.validator_for(config_jsonschema()).is_valid(VALID | change)


@pytest.mark.parametrize(
    "mapping",
    [
        {"when": {"stage | lower": ["won"], "n": {">=": 1, "<": 2.5, "not": [1, None]}}, "skip": True},
        {"event_type": "lead", "fields": "*", "tables": {"stages": {"won": "Closed", "*": None, "3": 3}}},
        {"event_type": "lead", "fields": {"a": "{a | number: comma}"}, "formerly": {"tables": {"a": {"b": "c"}}}},
    ],
    ids=str,
)
def test_schema_takes_filters_tables_and_comparisons_when_a_mapping_has_them(mapping: dict[str, object]) -> None:
    """So that an editor does not mark them."""
    assert jsonschema_rs.validator_for(config_jsonschema()).is_valid(VALID | {"streams": [{"stream": "a", **mapping}]})


@pytest.mark.parametrize(
    "mapping",
    [
        {},
        {"event_type": "lead"},
        {"fields": "*"},
        {"skip": False},
        {"skip": True, "when": {"n": {"=>": 1}}},
        {"skip": True, "when": {"n": {">": "1"}}},
        {"skip": True, "when": {"n": {}}},
        {"skip": True, "tables": {"a": {"b": ["c"]}}},
        {"skip": True, "tables": {"a": "b"}},
        {"skip": True, "tables": {}},
    ],
    ids=str,
)
def test_schema_refuses_a_mapping_when_it_is_wrong(mapping: dict[str, object]) -> None:
    """As the parser does."""
    config = VALID | {"streams": [{"stream": "a", **mapping}]}

    assert not jsonschema_rs.validator_for(config_jsonschema()).is_valid(config)


def test_every_right_configuration_is_right_for_an_editor_when_the_schema_is_a_document() -> None:
    """And the schema itself may be named in it."""
    validator = jsonschema_rs.validator_for(json.loads(editor_jsonschema()))
    names = {row.name for row in TABLE}
    right = [each["config"] for each in configurations() if not each["faults"] and each["config"] is not None]
    configs = [config for config in right if config.keys() <= names]  # of what is no setting a null says nothing

    assert len(configs) > 10
    assert [config for config in configs if not validator.is_valid({"$schema": "settings.schema.json", **config})] == []


def test_schema_is_a_new_one_when_it_is_asked_for_again() -> None:
    """The SDK adds its own settings to the schema that it gets; ours does not change with it."""
    schema = config_jsonschema()
    schema["properties"].clear()  # type: ignore[attr-defined]

    assert config_jsonschema() != schema


def test_schema_marks_secrets_when_a_setting_is_one() -> None:
    """Both marks, as the SDK sets them: the one of JSON Schema and its own."""
    properties = config_jsonschema()["properties"]

    assert isinstance(properties, dict)
    marked = [name for name, schema in properties.items() if schema.get("secret") and schema.get("writeOnly")]
    assert marked == ["client_secret", "api_key", "ledger"]


def test_schema_of_a_mapping_names_its_attributes_when_there_are_more() -> None:
    """What an item of `streams` may say is what a mapping keeps of it."""
    assert set(MAPPING_SCHEMAS) == {slot.name for slot in fields(StreamMapping)} - {
        "index",
        "has_identity",
        "forgets_former",
    }


def test_readme_table_has_a_line_for_each_setting_when_generated() -> None:
    """Each line has four cells, and says the default or that there is none."""
    lines = settings_table().splitlines()

    assert lines[1] == "|---|---|---|---|"
    assert [re.findall(r"`(\w+)`", line)[0] for line in lines[2:]] == [row.name for row in TABLE]
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 5 for line in lines)
    assert "| `max_concurrency` | integer | `16` |" in settings_table()
    assert "| `validate_records` | boolean | `true` |" in settings_table()
    assert "| `environment` | options (production, staging, sandbox) | required |" in settings_table()
    assert "| `api_key` | secret |  |" in settings_table()
    assert "| `new_ledger` | options (allow, refuse) | `allow` |" in settings_table()
    assert "| `on_changed` | options (skip, send) |  |" in settings_table()


def test_bar_stays_in_its_cell_when_a_text_has_one() -> None:
    """A `|` or a line break in a description does not break the table."""
    odd = Row(name="odd", title="Odd", description="One|two\nthree.", kind=Kind.STRING)

    assert settings_table([odd]).splitlines()[2] == "| `odd` | string |  | Odd. One\\|two three. |"


def test_meltano_settings_are_meltanos_own_words_when_generated() -> None:
    """Kinds that Meltano can carry, defaults as `value`, secrets as `sensitive`, choices as `options`."""
    by_name = {setting["name"]: setting for setting in meltano_settings()}

    assert list(by_name) == [row.name for row in TABLE]
    assert {str(setting["kind"]) for setting in by_name.values()} <= MELTANO_KINDS
    assert by_name["max_concurrency"]["value"] == 16
    assert "value" not in by_name["environment"]
    sensitive = [name for name, setting in by_name.items() if setting.get("sensitive")]
    assert sensitive == ["client_secret", "api_key", "ledger"]
    assert by_name["environment"]["options"] == [
        {"label": "Production", "value": "production"},
        {"label": "Staging", "value": "staging"},
        {"label": "Sandbox", "value": "sandbox"},
    ]
    assert by_name["streams"]["kind"] == "array"
