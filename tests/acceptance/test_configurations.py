"""The table of right and wrong configurations, each given to the installed command as a new user would."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.acceptance.process import Command
from tests.program import Ended, sandbox
from tests.sandbox.wire import Wire
from tests.settings.configurations import configurations

pytestmark = pytest.mark.acceptance

ELSEWHERE = "example.com"
TABLE = [
    row
    for row in configurations()
    if ELSEWHERE not in (row["config"] or {}).get("ledger", "")  # a run would wait for that server
]
NAMES = [row["name"] for row in TABLE]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ended]]:
    """What became of each row, a few at a time."""
    with sandbox() as wire, ThreadPoolExecutor(4) as pool:
        folders = [tmp_path_factory.mktemp("configuration") for _ in TABLE]
        done = pool.map(lambda row, folder: _start(row, Command(folder), wire), TABLE, folders)
        yield dict(zip(NAMES, done, strict=True))


def _start(row: dict[str, Any], command: Command, wire: Wire) -> Ended:
    """A run over nothing, so that a right configuration sends nothing."""
    given = row["config"]
    files = [] if given is None else [given]
    if row["exit_code"] == 0 and _environment(row) == "sandbox":
        files.append({"api_url": wire.url})  # the default port may be anybody's
    sources = [command.config(file) for file in files] + (["ENV"] if row["environment"] else [])
    options = [part for source in sources for part in ("--config", source)]
    return command.run(*options, environ=row["environment"])


def _environment(row: dict[str, Any]) -> object:
    return (row["config"] or {}).get("environment") or row["environment"].get("TARGET_DRIFTROCK_ENVIRONMENT")


@pytest.mark.parametrize("row", TABLE, ids=[name.replace(" ", "-") for name in NAMES])
def test_a_run_says_what_to_change_when_a_configuration_is_wrong(row: dict[str, Any], ended: dict[str, Ended]) -> None:
    """Every fault in a line of its own and nothing else; a right configuration runs."""
    run = ended[row["name"]]

    assert (run.code, run.out) == (row["exit_code"], "")
    if row["exit_code"]:
        assert run.err.splitlines() == [f"error: {fault}" for fault in row["faults"]]
    else:
        assert "No record came" in run.last_line
