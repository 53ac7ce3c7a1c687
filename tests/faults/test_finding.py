"""The judgement of a trial: it would tell a broken promise."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.finding import Finding, judged

GOOD = Finding(happened=Counter({"kill -9": 1}), records=10, twice=2, kept=1, codes=(-9, 0))


def _broken(**changes: Any) -> list[str]:
    found = replace(GOOD, **changes)
    return list(judged(found, codes=[(-9, 1), 0], most_twice=2, most_kept=1, holds={"it is so": True}).broken)


def test_nothing_is_broken_when_every_figure_is_within_its_bound() -> None:
    """A repeat that was allowed, and an exit code that is one of several, are right."""
    assert _broken() == []


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        pytest.param({"lost": 1}, ["lost: 1, more than 0"], id="lost"),
        pytest.param({"twice": 3}, ["sent twice: 3, more than 2"], id="twice"),
        pytest.param({"uncounted": 1}, ["sent twice and not counted as unknown: 1, more than 0"], id="uncounted"),
        pytest.param({"kept": 2}, ["kept: 2, more than 1"], id="kept"),
        pytest.param({"out_of_order": 1}, ["persons out of order: 1, more than 0"], id="order"),
        pytest.param({"happened": Counter({"kill -9": 0})}, ["it did not happen: kill -9"], id="no fault"),
        pytest.param({"codes": (-9, 4)}, ["exit codes [-9, 4], not [(-9, 1), 0]"], id="another code"),
        pytest.param({"codes": (-9,)}, ["exit codes [-9], not [(-9, 1), 0]"], id="a run too few"),
    ],
)
def test_a_promise_is_broken_when_a_figure_is_out_of_bounds(changes: dict[str, Any], broken: list[str]) -> None:
    """Each is told in words."""
    assert _broken(**changes) == broken


def test_a_promise_is_broken_when_what_must_hold_does_not() -> None:
    """What a row asks besides the figures."""
    assert judged(GOOD, codes=[-9, 0], most_twice=2, most_kept=1, holds={"it is so": False}).broken == [
        "not so: it is so"
    ]
