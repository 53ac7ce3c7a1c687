"""The page that `make acceptance` writes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.faults.every import ROWS, SHORT
from tests.faults.finding import Finding
from tests.faults.page import page
from tests.faults.summary import Summary, summed

FINE = Finding(happened=Counter({"kill -9": 1}), records=10, twice=2, unknown=3, codes=(-9, 0))
BAD = Finding(happened=Counter({"kill -9": 1}), records=10, lost=1, codes=(-9, 0), broken=["lost: 1, more than 0"])


def _page(*findings: Finding | str, tmp_path: Path) -> str:
    summary: Summary = summed(ROWS[0], findings, seconds=7.4)
    return page([summary], folder=tmp_path, seconds=60.0)


def test_trials_are_summed_when_a_row_has_many(tmp_path: Path) -> None:
    """The sum, the worst trial, and the exit codes with how often they came."""
    told = _page(FINE, FINE, tmp_path=tmp_path)

    assert "| 2 | kill -9: 2 | 0 | 4 (most in one trial 2) | 0 | 6 | 0 | kept | -9, then 0 (2 x) | 7 |" in told
    assert "1 of 1 rows kept every promise" in told


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
