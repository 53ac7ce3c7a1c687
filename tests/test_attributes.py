"""Every attribute of a mapping, driven to the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from target_driftrock.errors import ExitCode
from target_driftrock.events.event import Endpoint
from target_driftrock.settings.table import MAPPING_SCHEMAS
from tests.judging import ADA, AT, EMAIL, MAILED, leads, row
from tests.stage import Stage, schema

pytestmark = pytest.mark.usefixtures("nothing_left")


COLUMNS: Mapping[str, Any] = {"id": 1, "email": ADA, "happened": AT, "kind": "conversion", "bag": {"a": 1}}
"""A record; beside these, a column for each attribute, under its name and with its name as the value."""
FORMS: Mapping[str, tuple[Any, Any]] = {
    "event_type": ("{kind}", "conversion"),
    "created_at": ("{happened}", "2026-03-01T08:00:00.000Z"),
    "metadata": ("{bag}", {"a": 1}),
    "fields": ({"mail": "{email}"}, {"mail": ADA}),
}
"""What is said, and what is sent, of an attribute that is no plain text."""
NOT_SENT = {"stream", "skip", "when", "tables", "on_changed", "formerly"}
"""Attributes that say which records, and what becomes of them; a test each, below."""


@pytest.mark.parametrize("name", sorted(set(MAPPING_SCHEMAS) - NOT_SENT))
def test_an_attribute_reaches_the_api_when_a_mapping_has_it(name: str, stage: Stage) -> None:
    """Each that the settings know, so that a new one cannot be forgotten on the way: under its own name."""
    said, sent = FORMS.get(name, (f"{{{name}_column}}", f"the {name}"))
    record = {**COLUMNS, f"{name}_column": f"the {name}"}
    message = schema(properties={column: {} for column in record})

    done = stage.run(message, row(**record), streams=[{**MAILED, name: said}])

    assert done.code == ExitCode.RESOLVED
    assert [event.get(name) for event in done.events] == [sent]


def test_its_endpoint_is_another_when_a_mapping_names_an_affiliate(stage: Stage) -> None:
    """An attribute that says where an event goes, too."""
    stage.run(leads(), row(id=1, email=ADA), streams=[{**MAILED, "affiliate_id": "partner-1"}])

    shown = stage.wire.send("GET", "/_sandbox/arrivals?limit=1", {}).body
    assert Endpoint.AFFILIATE.value in shown.decode()


@pytest.mark.parametrize(
    ("mappings", "types"),
    [
        pytest.param([{"stream": "le*"}], ["lead", "lead"], id="stream"),
        pytest.param([{"when": {"id": 1}}], ["lead"], id="when"),
        pytest.param([{"when": {"id": 1}, "skip": True}, {"event_type": "action"}], ["action"], id="skip"),
        pytest.param(
            [{"event_type": "{note | lookup: types}", "tables": {"types": {"a": "lead", "b": "action"}}}],
            ["lead", "action"],
            id="tables",
        ),
        pytest.param([{"on_changed": "send"}], ["lead", "lead", "lead"], id="on_changed"),
        pytest.param([{"on_changed": "skip"}], ["lead", "lead"], id="on_changed-otherwise"),
        pytest.param([{"event_name": "New", "formerly": {"event_name": "leads"}}], ["lead", "lead"], id="formerly"),
    ],
)
def test_records_go_where_a_mapping_says_when_it_says_so(
    mappings: list[dict[str, Any]], types: list[str], stage: Stage
) -> None:
    """What came before is known, and what changed is sent or not."""
    messages = [leads(note=EMAIL), row(id=1, email=ADA, note="a"), row(id=2, email=ADA, note="b")]
    streams = [
        {"stream": "leads", **mapping}
        if mapping.get("skip")
        else {**MAILED, "fields": {"email": "{email}", "note": "{note}"}, **mapping}
        for mapping in mappings
    ]
    is_mended = any("formerly" in mapping for mapping in mappings)
    is_changed = any("on_changed" in mapping for mapping in mappings)
    if is_mended:
        stage.run(*messages, streams=[{**MAILED, "fields": {"email": "{email}", "note": "{note}"}}])
    stage.run(*messages, streams=streams)

    done = stage.run(leads(note=EMAIL), *([row(id=1, email=ADA, note="z")] if is_changed else []), streams=streams)

    assert [event["event_type"] for event in done.events] == types


def test_no_attribute_is_without_a_test_when_the_settings_know_it() -> None:
    """Those that are not sent are those that are tried above."""
    assert set(MAPPING_SCHEMAS) >= NOT_SENT
