"""Counts, choices and moments in sentences."""

from __future__ import annotations

import pytest

from target_driftrock.wording import counted, day, either, moment


@pytest.mark.parametrize(("count", "words"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows")])
def test_a_noun_is_plural_when_there_is_not_one(count: int, words: str) -> None:
    """Nobody reads `1 rows`."""
    assert counted(count, "row") == words


@pytest.mark.parametrize(
    ("words", "choice"), [(["send"], "send"), (["skip", "send"], "skip or send"), (["a", "b", "c"], "a, b or c")]
)
def test_words_are_a_choice_when_there_are_several(words: list[str], choice: str) -> None:
    """The last one stands behind an `or`."""
    assert either(words) == choice


def test_a_moment_is_in_utc_when_it_is_told() -> None:
    """Whatever zone the machine is in, and without a fraction."""
    assert (moment(1_772_442_764.9), day(1_772_442_764.9)) == ("2026-03-02T09:12:44Z", "2026-03-02")
