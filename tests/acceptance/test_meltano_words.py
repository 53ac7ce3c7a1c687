"""What Meltano does to a configuration on its way, and what is said of it, through the real Meltano."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance import meltano
from tests.acceptance.meltano import PATIENCE, SANDBOX
from tests.sandbox.wire import Wire
from tests.stage import LEADS

pytestmark = [pytest.mark.acceptance, pytest.mark.meltano, pytest.mark.usefixtures("meltano_installed")]

SCHEMA = {
    "type": "SCHEMA",
    "stream": "leads",
    "key_properties": ["id"],
    "schema": {"properties": {"id": {"type": "integer"}, "name": {"type": "string"}, "note": {}}},
}
RUN = ("run", "file-to-sandbox")
CHECK = ("invoke", f"{SANDBOX}:check")


def project(folder: Path, wire: Wire, config: Mapping[str, Any]) -> meltano.Project:
    """One whose meltano.yml has this configuration for the target, and a file of one lead."""
    made = meltano.project(folder / "project", wire, streams=[LEADS])
    file = made.root / "meltano.yml"
    described = yaml.safe_load(file.read_text())
    (loader,) = [each for each in described["plugins"]["loaders"] if each["name"] == "target-driftrock"]
    loader["config"] |= config
    file.write_text(yaml.safe_dump(described, sort_keys=False))
    lead = {"type": "RECORD", "stream": "leads", "record": {"id": 1, "name": "Ada", "note": "a"}}
    (made.root / "demo/leads.singer").write_text(f"{json.dumps(SCHEMA)}\n{json.dumps(lead)}\n")
    return made


def failed(made: meltano.Project, *arguments: str, where: Path | None = None, **variables: str) -> str:
    """What Meltano printed, whose exit code is not 0; nothing was sent."""
    process = made.start(*arguments, where=where, **variables)
    try:
        assert process.wait(PATIENCE) != 0
    finally:
        process.kill()
    assert made.accepted() == []
    return made.log


@pytest.mark.parametrize("arguments", [RUN, CHECK], ids=["run", "check"])
@pytest.mark.parametrize(
    ("config", "words"),
    [
        pytest.param(
            {"stream_maps": json.dumps({"public.leads": {"__filter__": "False"}})},
            "stream_maps has the key public.leads, and Meltano hands on no key with a dot in it",
            id="a stream with a dot",
        ),
        pytest.param(
            {"stream_maps": {"leads": {"name": None}}},
            "stream_maps has the key leads.name, and Meltano hands on no key with a dot in it",
            id="an object that takes a property away",
        ),
        pytest.param(
            {"stream_maps": {"public.leads": {"name": "name"}}}, "write stream_maps as JSON in quotes", id="an object"
        ),
        pytest.param(
            {"streams": {"leads": {"event_type": "lead"}}}, "streams is an object, whose keys Meltano", id="streams"
        ),
    ],
)
def test_it_is_said_when_meltano_would_lose_a_key(
    tmp_path: Path, wire: Wire, config: Mapping[str, Any], words: str, arguments: tuple[str, ...]
) -> None:
    """By the run and by `check` alike: a filter, or a property that is taken away, is never gone without a word."""
    log = failed(project(tmp_path, wire, config), *arguments)

    assert words in log
    assert "is set, and has no effect" not in log


def test_a_variable_through_meltano_is_told_when_it_names_no_setting(tmp_path: Path, wire: Wire) -> None:
    """Almost a setting's, it ends the run; another is a warning; an inherited plugin's is passed over."""
    made = project(tmp_path, wire, {})

    log = failed(made, *RUN, TARGET_DRIFTROCK_MAX_EVENT="1")
    assert "TARGET_DRIFTROCK_MAX_EVENT is no setting's variable: did you mean TARGET_DRIFTROCK_MAX_EVENTS?" in log

    log = made.run(*RUN, TARGET_DRIFTROCK_PORT="1", TARGET_DRIFTROCK__SANDBOX_MAX_EVENT="1")
    assert "TARGET_DRIFTROCK_PORT is set, and has no effect" in log
    assert "TARGET_DRIFTROCK__" not in log


def test_stream_maps_are_applied_when_they_are_written_as_the_page_says(tmp_path: Path, wire: Wire) -> None:
    """As JSON in quotes, with `?` for a dot; and the keys of `stream_map_config`, as an object, are no slips."""
    maps = {"leads": {"name": "config['salt']", "note": None}, "public?leads": None}
    made = project(tmp_path, wire, {"stream_maps": json.dumps(maps), "stream_map_config": {"salt": "salt-1"}})

    log = made.run(*RUN)

    assert [event["fields"] for event in made.accepted()] == [{"id": 1, "name": "salt-1"}]
    assert "TARGET_DRIFTROCK_" not in log
    made.run(*CHECK)


@pytest.mark.parametrize("arguments", [RUN, CHECK], ids=["run", "check"])
@pytest.mark.parametrize(
    ("option", "variable"),
    [
        pytest.param("debug", "info", id="an option"),
        pytest.param(None, "debug", id="a variable"),
        pytest.param("info", "info", id="info"),
    ],
)
def test_it_is_said_once_when_meltano_logs_every_record(
    tmp_path: Path, wire: Wire, arguments: tuple[str, ...], option: str | None, variable: str
) -> None:
    """Into files that others can read: nothing of ours can keep it from that."""
    made = project(tmp_path, wire, {})
    is_told = "debug" in {option, variable}

    log = made.run(*([] if option is None else [f"--log-level={option}"]), *arguments, MELTANO_CLI_LOG_LEVEL=variable)

    assert log.count("Meltano's log level is debug") == is_told
    if arguments == RUN:
        (file,) = made.root.glob("**/elt.log")
        assert ("Ada" in file.read_text()) == ("Ada" in log) == is_told
        assert file.stat().st_mode & 0o004
