"""The short form of `make acceptance`: some rows of the table, in fewer trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from tests.faults.every import ROWS, SHORT, SHORT_TIMES
from tests.faults.summary import Pace, Summary, play

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def summaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[Summary]]]:
    """All rows, a few at a time: each has a sandbox of its own."""
    folder, pace = tmp_path_factory.mktemp("faults"), Pace(times=SHORT_TIMES, is_short=True)
    with ThreadPoolExecutor(4) as pool:
        yield {row.name: pool.submit(partial(play, row, folder=folder, pace=pace)) for row in ROWS if row.name in SHORT}


@pytest.mark.parametrize("name", SHORT)
def test_every_promise_holds_when_a_fault_happens(name: str, summaries: Mapping[str, Future[Summary]]) -> None:
    """Nothing is lost, no repeat is uncounted, each person's order is kept, and the exit code is right."""
    summary = summaries[name].result()

    assert summary.broken == []
    assert summary.happened.total() > 0
