"""Counters whose memory does not grow with what is counted."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from target_driftrock.commands.counting import Commonest, Counted, Days


def test_counts_are_exact_when_there_are_few_different_ones() -> None:
    """What came most in front; of those that came as often, by their text."""
    counts: Commonest[str] = Commonest(places=3)
    for item in "cabaaca":
        counts.note(item)

    assert counts.first(2) == [Counted("a", 4, is_exact=True), Counted("c", 2, is_exact=True)]
    assert counts.total == 7


def test_the_commonest_are_kept_when_there_are_many_different_ones() -> None:
    """Whenever they come, and nothing is counted too low; what may be others' says so."""
    chance = random.Random(7)  # noqa: S311 - repeatable on purpose
    items = [f"rare {number}" for number in range(5_000)] + ["common"] * 900 + ["usual"] * 600
    chance.shuffle(items)
    counts: Commonest[str] = Commonest(places=50)
    for item in items:
        counts.note(item)

    first = counts.first(2)

    assert [each.item for each in first] == ["common", "usual"]
    real = Counter(items)
    assert all(each.count >= real[each.item] for each in counts.first(50))
    assert all(each.count == real[each.item] for each in counts.first(50) if each.is_exact)
    assert len(counts.first(1000)) == 50


@pytest.mark.parametrize(
    ("days", "most", "told"),
    [
        pytest.param(["2026-01-31", "2026-02-01", "2026-01-31"], 2, {"2026-01-31": 2, "2026-02-01": 1}, id="days"),
        pytest.param(["2026-01-31", "2026-01-30", "2026-02-01"], 2, {"2026-01": 2, "2026-02": 1}, id="months"),
        pytest.param(["2026-01-31", "2026-02-28", "2027-02-01"], 2, {"2026": 2, "2027": 1}, id="years"),
        pytest.param(["2026-01-31", "2027-02-28", "2028-02-01"], 2, {"2026": 1, "2027": 1, "2028": 1}, id="no longer"),
        pytest.param([], 2, {}, id="none"),
    ],
)
@pytest.mark.parametrize("kept", [2, 1_000])
def test_days_become_months_when_there_are_many(days: list[str], most: int, told: dict[str, int], kept: int) -> None:
    """As many as are shown, and as many as are kept."""
    counts = Days(most=kept)
    for day in days:
        counts.note(day)
    counts.note(None)

    assert counts.told(most) == told
    assert counts.undated == 1
