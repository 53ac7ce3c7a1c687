"""Defects on purpose: code that puts a function that raises in the place of one of ours, and the run that meets it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from tests.program import Ended, written
from tests.stage import Stage, record, schema, state
from tests.warm import Warm

VALUE = "canary-person@example.com"
"""What no log may hold."""
RECORDS = 6
INVALID = 4
"""The record that breaks its SCHEMA."""
LONGEST = 20
"""Seconds within which a run ends that has a defect."""
ALWAYS = 10**6
"""Times that a function raises: at every call."""

PLANT = """
import importlib, itertools, os, warnings
import target_driftrock.delivery.door as delivery, target_driftrock.records.door as records
import target_driftrock.singer.loop as loop
loop.STATE_SECONDS = 0.0
delivery.WAIT_SECONDS = records.WAIT_SECONDS = 0.02
records.OPEN_BYTES = 1
warnings.simplefilter("ignore", ResourceWarning)  # as Python does by itself; a defect leaves things open
place, times = os.environ.pop("PLACE"), int(os.environ.pop("TIMES"))
path, value = place.split(":"), os.environ.pop("VALUE")
owner = importlib.import_module("target_driftrock." + path[0])
*classes, name = path[1].split(".")
for each in classes:
    owner = getattr(owner, each)
was, calls = getattr(owner, name), itertools.count(1)
def fail(*arguments, **named):
    local = value
    if next(calls) <= times:
        raise ValueError(f"{local} {arguments!r} {named!r}") from KeyError(local)
    return was(*arguments, **named)
setattr(owner, name, fail)
"""
"""Every bound that makes a callback rare is made small, so that a short run comes by all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """What came of a run with a defect in it."""

    ended: Ended
    lost: set[int]
    """Records that STATE passes, and that are neither delivered nor kept."""


def lines() -> list[dict[str, Any]]:
    """Records with a value in each, one of them invalid, and STATE behind every one."""
    listed = {"id": {"type": "integer"}, "email": {"type": "string"}, "few": {"enum": ["a"]}}
    told = [schema(properties=listed)]
    for number in range(1, RECORDS + 1):
        more = {"few": VALUE} if number == INVALID else {}
        told += [record(number, email=f"{number}-{VALUE}", **more), state(passed=number)]
    return told


def broken(place: str, *, warm: Warm, stage: Stage, times: int = 1) -> Broken:
    """A run in which the first calls of the function at `place` raise what has values in its text."""
    ended = warm.run(
        stage.config(),
        lines=written(lines()),
        folder=stage.folder,
        environ={"HOME": "/nonexistent", "LOGLEVEL": "DEBUG", "PLACE": place, "TIMES": str(times), "VALUE": VALUE},
        before=PLANT,
        patience=LONGEST,
    )
    delivered = {int(event["fields"]["id"]) for event in stage.accepted()}
    passed = max((json.loads(line)["passed"] for line in ended.out.splitlines()), default=0)
    return Broken(ended=ended, lost={*range(1, passed + 1)} - delivered - _kept(stage))


def _kept(stage: Stage) -> set[int]:
    file = stage.folder / "ledger" / "ledger.sqlite3"
    if not file.exists():
        return set()
    with closing(sqlite3.connect(file)) as ledger:
        if not ledger.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept'").fetchone():
            return set()
        return {json.loads(line)["record"]["id"] for (line,) in ledger.execute("SELECT record FROM kept")}
