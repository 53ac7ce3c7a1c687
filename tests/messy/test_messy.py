"""Six files as people have them, mapped with filters alone: the mapping, and what comes of each record.

Persons, addresses and telephone numbers are made up: the latter of the ranges that are kept for films.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from target_driftrock.commands.preview import Preview
from target_driftrock.target import TargetDriftrock

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/records.singer"))


def came_of(folder: Path) -> list[str]:
    """What `preview` shows of each record that is not filtered: the event, or why there is none; and the sums."""
    mapping: dict[str, Any] = yaml.safe_load((folder / "mapping.yaml").read_text(encoding="utf-8"))
    target = TargetDriftrock(config={"environment": "sandbox", "ledger": "unused", **mapping})
    lines: list[bytes] = []
    seen = Preview(target, write=lines.append)
    seen.read(io.BytesIO((folder / "records.singer").read_bytes()))
    passed = [json.dumps(line) for line in seen.summary() if line.startswith(("Passed over", "Records"))]
    return [*(line.decode().rstrip("\n") for line in lines), *passed]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_messy_file_becomes_these_events_when_filters_read_it(folder: Path) -> None:
    """And what cannot be read is refused, or passed over, by name."""
    expected = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()

    assert came_of(folder) == expected


def test_there_are_six_when_they_are_counted() -> None:
    """Two CSV files in the style of two taps, a spreadsheet, two CRMs, and what a form exports."""
    assert len(FOLDERS) == 6
