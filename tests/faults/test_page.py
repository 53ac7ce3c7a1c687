"""The page that `make acceptance` writes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.every import ROWS, SHORT
from tests.faults.finding import Finding
from tests.faults.page import page
from tests.faults.summary import Pace, Summary, summed

FINE = Finding(happened=Counter({"kill -9": 1}), records=10, twice=2, unknown=3, codes=(-9, 0))
BAD = Finding(happened=Counter({"kill -9": 1}), records=10, lost=1, codes=(-9, 0), broken=["lost: 1, more than 0"])


def _page(*findings: Finding | str, tmp_path: Path) -> str:
    summary: Summary = summed(ROWS[0], findings, seconds=7.4)
    return page([summary], folder=tmp_path, seconds=60.0)


def test_trials_are_summed_when_a_row_has_many(tmp_path: Path) -> None:
    """The sums, the worst trial, and the exit codes with how often they came."""
    told = _page(FINE, replace(FINE, twice=1), tmp_path=tmp_path)

    assert "| 2 | kill -9: 2 | 0 | 3 (most in one trial 2) | 0 | 6 (most in one trial 3) | 0 | kept |" in told
    assert "| -9, then 0 (2 x) | 7 |" in told
    assert "1 of 1 rows kept every promise" in told


def test_it_is_told_how_often_a_row_was_repeated_when_it_was(tmp_path: Path) -> None:
    """Its trials are those of all repeats, and the worst figure is the worst of them all."""
    summary = summed(ROWS[0], [FINE, replace(FINE, twice=7)], seconds=7.4, repeats=2)

    told = page([summary], folder=tmp_path, seconds=60.0)

    assert "| 2 (2 repeats) |" in told
    assert "| 9 (most in one trial 7) |" in told


def test_exit_codes_are_counted_when_a_trial_has_many_runs(tmp_path: Path) -> None:
    """One after the other they would tell less."""
    assert "| -9 (2 x), 143 (2 x), at last 0 |" in _page(replace(FINE, codes=(-9, 143, -9, 143, 0)), tmp_path=tmp_path)


@pytest.mark.parametrize(
    ("pace", "told"),
    [
        pytest.param(Pace(times=1), "It lasts", id="true length"),
        pytest.param(Pace(times=1, is_short=True), "It lasts (shrunk: 5 s of 60)", id="short form"),
        pytest.param(Pace(times=1, seconds=7.0), "It lasts (shrunk: 7 s of 60)", id="as asked"),
        pytest.param(Pace(times=1, seconds=90.0), "It lasts", id="not stretched"),
    ],
)
def test_a_row_says_how_long_it_lasted_when_it_was_shrunk(pace: Pace, told: str) -> None:
    """In its true length by default."""
    row = replace(ROWS[0], fault="It lasts", seconds=60.0, short=5.0)

    assert summed(row, [FINE], seconds=1.0, lasted=pace.lasts(row)).fault == told


def test_a_broken_promise_stands_on_the_page_when_there_is_one(tmp_path: Path) -> None:
    """Which trial broke it, and how."""
    told = _page(FINE, BAD, "waited in vain for its end", tmp_path=tmp_path)

    assert "0 of 1 rows kept every promise" in told
    assert f"- {ROWS[0].fault}: trial 2: lost: 1, more than 0" in told
    assert f"- {ROWS[0].fault}: waited in vain for its end" in told


def test_a_row_is_found_by_its_name_when_the_short_form_asks_for_it() -> None:
    """By a name that no other row has."""
    names = [row.name for row in ROWS]

    assert len(set(names)) == len(names)
    assert set(SHORT) <= set(names)
