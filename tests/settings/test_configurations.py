"""The table of right and wrong configurations, read the way the command reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from target_driftrock.errors import SettingsInvalid
from target_driftrock.settings import Settings, parse, read_files
from tests.settings.configurations import configurations

CONFIGURATIONS = configurations()
CANARIES = ("CANARY", "canary", "4242", "42.42")

rows = pytest.mark.parametrize("row", [pytest.param(row, id=row["name"].replace(" ", "-")) for row in CONFIGURATIONS])


def outcome(row: dict[str, Any], folder: Path) -> Settings | SettingsInvalid:
    """What becomes of a row that is given as a file, as environment variables, or as both."""
    file = folder / "config.json"
    file.write_text(json.dumps(row["config"]), encoding="utf-8")
    paths = ([] if row["config"] is None else [str(file)]) + (["ENV"] if row["environment"] else [])
    try:
        return parse(read_files(paths, row["environment"]), template_faults=lambda _: [])
    except SettingsInvalid as invalid:
        return invalid


@rows
def test_every_fault_is_told_in_its_words_when_a_configuration_is_wrong(row: dict[str, Any], tmp_path: Path) -> None:
    """Each fault is told, and nothing else; a right configuration has none, and the exit code says which it was."""
    result = outcome(row, tmp_path)

    faults = list(result.faults) if isinstance(result, SettingsInvalid) else []
    assert faults == row["faults"]
    assert row["exit_code"] == (result.exit_code if isinstance(result, SettingsInvalid) else 0)


@rows
def test_no_value_is_shown_when_a_configuration_is_wrong(row: dict[str, Any], tmp_path: Path) -> None:
    """No message, and no repr of what is right, holds a value that could be a secret or personal."""
    result = outcome(row, tmp_path)

    shown = f"{result} {result!r}"
    assert not [canary for canary in CANARIES if canary in shown]
    assert "secret-1" not in shown
    assert "key-1" not in shown


def test_every_fault_is_a_sentence_when_it_is_told() -> None:
    """Each says in one line what is wrong, and ends like a sentence."""
    faults = [fault for row in CONFIGURATIONS for fault in row["faults"]]

    assert faults
    assert all(fault.endswith((".", "?")) and "\n" not in fault for fault in faults)
