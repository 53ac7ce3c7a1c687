"""What filters cost: the time of each per call, beside that of reading the property without one."""

from __future__ import annotations

import timeit
from collections.abc import Iterator
from typing import Any

from benchmarks import page
from benchmarks.page import Row
from benchmarks.track import Job
from target_driftrock.mapping.filters.reading import UNREADABLE, Scene
from target_driftrock.mapping.filters.table import EXAMPLE_TABLES, TABLE
from target_driftrock.mapping.template import Template

CALLS = 20_000
ROUNDS = 5


def measured(job: Job) -> Iterator[str]:
    calls = round(CALLS * job.scale)
    yield page.section("Each filter", _HOW.format(calls=calls, rounds=ROUNDS), _HEAD, _rows(calls))


def _rows(calls: int) -> Iterator[Row]:
    yield ["no filter", "a", "read", _microseconds("{x}", "a", calls)]
    for row in TABLE:
        for written, value, result in row.examples:
            outcome = "refused" if result is UNREADABLE else "read"
            template = f"{{x | {written}}}"
            yield [_cell(written), _cell(str(value)), outcome, _microseconds(template, value, calls)]


def _microseconds(template: str, value: Any, calls: int) -> float:
    """Of one call, by the quickest round."""
    read = Template.parse(template).reader(scene=Scene(tables=EXAMPLE_TABLES))
    record = {"x": value}
    return min(timeit.repeat(lambda: read(record), number=calls, repeat=ROUNDS)) / calls * 1e6


def _cell(text: str) -> str:
    return f"`{text}`".replace("|", "\\|").replace("\u00a0", " ")


_HOW = "Microseconds of a call, the quickest of {rounds} rounds of {calls:,}, over the examples of docs/mapping.md."
_HEAD = "filter | value | | µs"
