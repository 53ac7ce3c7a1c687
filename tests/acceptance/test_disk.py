"""Not even a loss of power takes back what STATE has passed: the order of system calls shows it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.process import Command, leads, record, settings, state
from tests.program import PROGRAM, Running
from tests.sandbox.wire import Wire

pytestmark = pytest.mark.acceptance

_CALL = re.compile(r"(?P<call>pwrite64|write|fdatasync|fsync)\((?P<descriptor>\d+)<(?P<path>[^>]*)>")
_MISSING = "no strace on this machine, which shows what the disk was told"


@pytest.fixture
def trace(tmp_path: Path) -> list[str]:
    """How a command is started so that its writes are told, in order, in the file `calls`."""
    if shutil.which("strace") is None:
        if os.environ.get("TARGET_DRIFTROCK_TEST_REQUIRE_STRACE") == "1":
            pytest.fail(_MISSING)
        pytest.skip(_MISSING)
    return ["strace", "-f", "-y", "-e", "trace=pwrite64,write,fdatasync,fsync", "-o", str(tmp_path / "calls")]


def _calls(folder: Path) -> list[str]:
    """What was done to the ledger's log of changes and to standard output: `wrote`, `kept`, `STATE`."""
    told = []
    for line in (folder / "calls").read_text(errors="replace").splitlines():
        found = _CALL.search(line)
        if found is None:
            continue
        if found["path"].endswith("-wal"):
            told.append("wrote" if found["call"] == "pwrite64" else "kept")
        elif found["descriptor"] == "1":
            told.append("STATE")
    return told


def _started(trace: list[str], command: Command, given: Mapping[str, Any]) -> AbstractContextManager[Running]:
    return command.started("--config", command.config(given), command=[*trace, PROGRAM])


def test_the_disk_has_the_ledger_when_the_last_state_is_written(
    trace: list[str], command: Command, double: Wire
) -> None:
    """Nothing is written to the ledger between the moment when the disk has all of it and STATE."""
    with _started(trace, command, settings(double.url)) as running:
        running.feed(leads(range(1, 51)))
        ended = running.ended()

    told = _calls(command.folder)
    before = told[: told.index("STATE")]
    assert ended.out.count("\n") == 1
    assert before[-1] == "kept"
    assert "wrote" in before


def test_the_disk_has_what_state_passes_when_the_run_goes_on(trace: list[str], command: Command, double: Wire) -> None:
    """The tap is silent afterwards, so that all that was delivered is what STATE passes."""
    with _started(trace, command, settings(double.url)) as running:
        running.feed([*leads([1, 2, 3]), record(4), state(4)])

        assert running.next_state()
        told = _calls(command.folder)
        running.kill()

    assert told[-1] == "STATE"
    assert told[-2] == "kept"
    assert "wrote" in told


def test_the_disk_has_the_ledger_when_a_run_has_no_state(trace: list[str], command: Command, double: Wire) -> None:
    """What comes from the kept rows has no STATE, and must not be sent once more after a loss of power."""
    with _started(trace, command, settings(double.url)) as running:
        running.feed([one for one in leads(range(1, 51)) if one["type"] != "STATE"])
        running.ended()

    told = _calls(command.folder)
    receipt = len(told) - 1 - told[::-1].index("wrote")
    kept = receipt - told[receipt::-1].index("kept")
    assert "STATE" not in told
    assert told[:kept].count("wrote") > told[kept:].count("wrote")  # else it was before the deliveries
