"""What the SDK adds to settings, dependencies and logging that would mislead here; and what is done instead."""

from __future__ import annotations

import ast
import json
import re
import tomllib

import pytest

from target_driftrock.errors import SettingsInvalid
from target_driftrock.settings.table import DROPPED, TABLE
from target_driftrock.target import TargetDriftrock
from tests.program import ROOT
from tests.stage import Stage


@pytest.mark.parametrize("name", sorted(DROPPED))
def test_a_setting_of_the_sdk_is_refused_when_it_would_have_no_effect(name: str, stage: Stage) -> None:
    """`load_method` or `add_record_metadata` would promise what an event cannot keep; the message says so."""
    with pytest.raises(SettingsInvalid, match=f"{name} has no effect here"):
        stage.target(**{name: True})


def test_the_settings_are_those_of_the_table_when_the_sdk_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    """The SDK adds settings of its own that nobody listed: here `--about` knows the table alone."""
    TargetDriftrock.print_about("json")

    about = json.loads(capsys.readouterr().out)
    assert list(about["settings"]["properties"]) == [row.name for row in TABLE]
    assert "batch" not in about["capabilities"]


def test_no_second_backoff_is_asked_for_when_the_sdk_brings_its_own() -> None:
    """Two distributions own the import `backoff`: uninstalling one would break `import singer_sdk`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    asked = [*project["dependencies"], *(one for extra in extras for one in extra)]
    pinned = [line for file in (ROOT / "requirements").glob("*.txt") for line in file.read_text().splitlines()]

    names = {re.split(r"[\s\[<>=~!;]", one, maxsplit=1)[0].lower() for one in [*asked, *pinned]}

    assert "python-backoff" in names
    assert "backoff" not in names


def test_no_log_line_has_extra_fields_when_meltano_reads_it() -> None:
    """`extra={"event": …}` silently ends Meltano's reading of a target's log, errors included."""
    calls = [
        (source.name, node)
        for source in (ROOT / "target_driftrock").rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Call)
    ]

    assert len(calls) > 1000
    assert not [f"{name}:{call.lineno}" for name, call in calls for word in call.keywords if word.arg == "extra"]
