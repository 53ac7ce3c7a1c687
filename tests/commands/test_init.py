"""`init`: what it prints of SCHEMAs, and that a mapping comes of it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock import cli
from target_driftrock.commands.preview import Preview
from target_driftrock.errors import ExitCode
from target_driftrock.events.columns import is_added
from target_driftrock.mapping.skeleton import HEAD, skeleton
from target_driftrock.target import TargetDriftrock
from tests.program import written

DEMO = Path(__file__).parents[2] / "demo/leads.singer"
LEADS = """\
# A mapping to begin with: fill in what is open, and take away what is not to be sent.
streams:
- stream: leads
  event_type: # lead, conversion or action
  source_id: # the capture, as its step "Connect" shows it
  # event_id is made of the key: "leads:{id}", where nothing is said
  # person_id and created_at say whose event it is, and when it happened: name a property for each
  fields:
    id: "{id}"
    contact_id: "{contact_id}"
    email: "{email}"
    "First Name": "{First Name}"
    phones.0.number: "{phones.0.number}"
    utm.source: "{utm.source}"
    created_at: "{created_at}"
- stream: opportunities
"""


def printed(schema: Mapping[str, Any], *keys: str, stream: str = "leads") -> str:
    """The whole of it for one SCHEMA."""
    return "\n".join([*HEAD, *skeleton(stream, schema=schema, key_properties=keys)]) + "\n"


def filled(text: str) -> list[dict[str, Any]]:
    """Its mappings, once a user has said what is open."""
    loaded: list[dict[str, Any]] = yaml.safe_load(text)["streams"]
    said = {"event_type": "lead", "source_id": "capture-1", "fields": {"form": "website"}}
    return [mapping | {name: value for name, value in said.items() if mapping.get(name) is None} for mapping in loaded]


def preview(streams: list[dict[str, Any]], messages: bytes) -> Preview:
    """What would come of these messages."""
    config = {"environment": "sandbox", "ledger": "unused", "streams": streams}
    seen = Preview(TargetDriftrock(config=config), write=lambda _: None)
    seen.read(io.BytesIO(messages))
    return seen


def test_every_path_is_printed_when_a_file_is_read(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """As it is, in the order of the SCHEMA, and what nobody can know is left open."""
    assert cli.run(["init", "--input", str(DEMO)]) == ExitCode.RESOLVED

    out, err = capfdbinary.readouterr()
    assert out.decode().startswith(LEADS)
    assert err == b""


def test_a_run_would_send_all_when_what_is_open_is_said(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The mapping loads, and goes with the very SCHEMAs."""
    cli.run(["init", "--input", str(DEMO)])

    seen = preview(filled(capfdbinary.readouterr().out.decode()), DEMO.read_bytes())

    assert seen.exit_code == ExitCode.RESOLVED
    assert "Records: 9 read = 9 mapped + 0 invalid" in "\n".join(seen.summary())


def test_it_says_so_when_there_is_no_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list would be no mapping."""
    empty = tmp_path / "empty.singer"
    empty.write_text("")

    assert cli.run(["init", "--input", str(empty)]) == ExitCode.INPUT
    assert "The input holds no SCHEMA" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        pytest.param(["id"], '# event_id is made of the key: "leads:{id}", where nothing is said', id="a key"),
        pytest.param(["b", "a"], '# event_id is made of the key: "leads:{a}:{b}", where', id="two of them"),
        pytest.param(["a | b"], "# event_id is made of the key: \"leads:{'a | b'}\", where", id="one in quotes"),
        pytest.param(
            ["_sdc_source_lineno"], 'event_id: "leads:{_sdc_source_lineno}" # is this a position?', id="a line"
        ),
        pytest.param(["row"], 'event_id: "leads:{row}" # is this a position?', id="a row"),
        pytest.param([], "event_id: null # no key, so a repeat cannot be recognised", id="none"),
    ],
)
def test_the_key_is_as_it_is_today_when_there_is_one(keys: list[str], line: str) -> None:
    """And asked about where it looks like a position."""
    assert f"  {line}" in printed({"properties": {key: {} for key in keys}}, *keys)


@pytest.mark.parametrize(
    ("properties", "paths"),
    [
        pytest.param({"a": {"properties": {"b": {"properties": {"c": {}}}}}}, ["a.b.c"], id="nested"),
        pytest.param({"a": {"type": "array", "items": {"properties": {"b": {}}}}}, ["a.0.b"], id="a list of objects"),
        pytest.param({"a": {"type": "array", "items": {"type": "string"}}}, ["a"], id="a list of texts"),
        pytest.param({"a": {"anyOf": [{"properties": {"b": {}}}, {"type": "null"}]}}, ["a.b"], id="alternatives"),
        pytest.param({"a.b": {}, "a": {"properties": {"c": {}}}}, ["a.b", "a.c"], id="a name with a dot"),
        pytest.param({"a": {}, "_sdc_batched_at": {}}, ["a"], id="what a loader added"),
        pytest.param({"yes": {}, "on": {}, "1": {}}, ["yes", "on", "1"], id="what YAML would take for others"),
    ],
)
def test_every_listed_path_stands_there_once_when_a_schema_has_it(properties: dict[str, Any], paths: list[str]) -> None:
    """Under its own name."""
    (mapping,) = filled(printed({"properties": properties}, "id"))

    assert mapping["fields"] == {path: f"{{{path}}}" for path in paths}


@pytest.mark.parametrize(
    ("properties", "keys", "stream"),
    [
        pytest.param({"CANARY@example.com": {}, "Ada": {}}, ["id"], "leads", id="a column"),
        pytest.param({"a": {"properties": {"+44 7700 900471": {}}}}, ["id"], "leads", id="a column within another"),
        pytest.param({"id": {}}, ["CANARY@example.com"], "leads", id="a key"),
        pytest.param({"id": {}}, ["row", "CANARY@example.com"], "leads", id="a key beside a position"),
        pytest.param({"id": {}}, ["id"], "CANARY@example.com", id="a stream"),
    ],
)
def test_no_value_is_printed_when_the_header_row_is_missing(
    properties: dict[str, Any], keys: list[str], stream: str
) -> None:
    """And what is printed loads all the same."""
    text = printed({"properties": properties}, *keys, stream=stream)

    assert "CANARY" not in text
    assert "900471" not in text
    assert "Ada" not in text
    assert "is the header row missing?" in text or stream != "leads" or "{id}" in text


NAMES = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["a | b", "it's", '"', "{x}", "no", "~", "\ufeffE", " a", "ä"]
)


@settings(max_examples=150, deadline=None)
@given(
    names=st.lists(NAMES, min_size=1, max_size=6, unique=True), stream=st.sampled_from(["leads", "a {b}", "on", "ä:b"])
)
def test_the_mapping_loads_whatever_the_columns_are_called(names: list[str], stream: str) -> None:
    """Each is taken as it is, and comes as it is."""
    schema: dict[str, Any] = {"properties": {name: {} for name in names}}
    record = {name: f"v{place}" for place, name in enumerate(names)}
    messages = [
        {"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": [names[0]]},
        {"type": "RECORD", "stream": stream, "record": record},
    ]

    (mapping,) = filled(printed(schema, names[0], stream=stream))

    seen = preview([mapping], written(messages))
    assert seen.exit_code == ExitCode.RESOLVED, list(seen.summary())
    fields = mapping["fields"]
    assert fields in ("*", {"form": "website"}) or {name for name in names if not is_added(name)} >= set(fields)
