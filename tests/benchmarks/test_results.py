"""What a measurement makes of its runs: ratios, noise, verdicts, and what got slower."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import page, results
from benchmarks.results import Figure, Sheet, Unit

SHARE = Figure(measure="16 connections at 20 ms, against wrk", values=[0.94, 0.96, 0.95], at_least=0.93)
PROCESSOR = Figure(measure="processor time", values=[1.6, 1.5, 1.6], unit=Unit.MULTIPLE, at_most=1.7)
SHEET = Sheet(
    commit="0000000",
    date="2026-01-01",
    machine="2 processors",
    seconds=3,
    figures=[SHARE, PROCESSOR],
    rates=[[20.0, 16, "wrk", 785, 780, 790, 98.1, None, None]],
)


@pytest.mark.parametrize(
    ("values", "bars", "verdict"),
    [
        pytest.param([0.93], {"at_least": 0.93}, "pass", id="just enough"),
        pytest.param([0.92, 0.92, 0.99], {"at_least": 0.93}, "**short of**", id="a median that is too small"),
        pytest.param([0.99, 0.99, 0.5], {"at_least": 0.93}, "pass", id="one bad run"),
        pytest.param([1.7], {"at_most": 1.7}, "pass", id="just not too much"),
        pytest.param([1.71], {"at_most": 1.7}, "**short of**", id="too much"),
        pytest.param([0.01], {}, "", id="no bar"),
    ],
)
def test_the_median_is_held_against_the_bar(values: list[float], bars: dict[str, float], verdict: str) -> None:
    """What one run of three does decides nothing."""
    assert Figure(measure="a measure", values=values, **bars).row()[-1] == verdict  # type: ignore[arg-type]


def test_a_row_has_the_median_its_range_the_bar_and_the_verdict() -> None:
    """The table says all that a reader needs to judge a figure."""
    assert SHARE.row() == [
        "16 connections at 20 ms, against wrk",
        "95.0 % (94.0 % to 96.0 %)",
        "at least 93.0 %",
        "pass",
    ]
    assert replace(SHARE, values=[0.9]).row()[1:] == ["90.0 %", "at least 93.0 %", "**short of**"]


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        (Unit.SHARE, "256.8 %"),
        (Unit.MULTIPLE, "2.57 x"),
        (Unit.SECONDS, "2.57 s"),
        (Unit.RATE, "3 events a second"),
        (Unit.MEBIBYTES, "3 MiB"),
    ],
)
def test_each_unit_is_shown_with_as_many_digits_as_mean_something(unit: Unit, text: str) -> None:
    """A share in tenths of a percent, a rate in whole events."""
    assert unit.shown(2.5678) == text


def test_a_ratio_is_one_round_s() -> None:
    """A round in which everything was slow gives the same ratio as the others."""
    assert results.ratios([950, 475, 950], [1000, 500, 1000]) == [0.95, 0.95, 0.95]


def test_rounds_that_do_not_match_are_an_error() -> None:
    """Runs of different rounds are never divided by each other."""
    with pytest.raises(ValueError, match="shorter"):
        results.ratios([950, 475], [1000])


@pytest.mark.parametrize(
    ("mix", "expected"),
    [
        pytest.param({}, 800.0, id="nothing but latency"),
        pytest.param({"error_share": 0.01}, 792.0, id="one in a hundred asked again"),
        pytest.param({"slow_share": 0.01, "slow_seconds": 2.0}, 16 / 0.0398, id="one in a hundred taking two seconds"),
    ],
)
def test_the_ideal_is_connections_by_the_mean_time_of_an_event(mix: dict[str, float], expected: float) -> None:
    """Failures cost another request, slow answers keep their connection."""
    assert results.ideal(16, 0.02, **mix) == pytest.approx(expected)


def test_there_is_no_ideal_without_latency() -> None:
    """The processor is the limit then, and arithmetic says nothing of it."""
    assert results.ideal(16, 0.0) is None


# What got slower.


def _changed(*figures: Figure) -> list[str]:
    return [line.partition(":")[0] for line in results.slower(SHEET, replace(SHEET, figures=figures))]


def test_a_ratio_that_fell_by_more_than_the_runs_lie_apart_is_slower() -> None:
    """0.95 with runs 0.02 apart: 0.92 is told, with both figures and the noise."""
    (told,) = results.slower(SHEET, replace(SHEET, figures=[replace(SHARE, values=[0.92, 0.92, 0.92])]))

    assert told == f"{SHARE.measure}: 92.0 %, and was 95.0 % (runs lie 2.0 % apart)"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([0.94, 0.94, 0.94], id="within the noise of before"),
        pytest.param([0.85, 0.90, 0.99], id="within the noise of now"),
        pytest.param([0.99, 0.99, 0.99], id="better"),
    ],
)
def test_what_lies_within_the_noise_is_not_slower(values: list[float]) -> None:
    """The noise is the larger spread of the two results."""
    assert _changed(replace(SHARE, values=values)) == []


def test_one_run_each_has_the_least_noise() -> None:
    """Two single runs never lie apart, and still two percent mean nothing."""
    before = replace(SHEET, figures=[replace(SHARE, values=[1.0])])
    now = [replace(SHEET, figures=[replace(SHARE, values=[value])]) for value in (0.981, 0.979)]

    assert [len(results.slower(before, each)) for each in now] == [0, 1]


def test_what_may_not_exceed_its_bar_is_slower_when_it_grows() -> None:
    """Processor time is worse when there is more of it."""
    assert _changed(replace(PROCESSOR, values=[1.8, 1.8, 1.8])) == [PROCESSOR.measure]
    assert _changed(replace(PROCESSOR, values=[1.2, 1.2, 1.2])) == []


def test_what_is_no_ratio_of_the_target_or_has_no_past_is_not_compared() -> None:
    """Events a second of another machine say nothing, and a new measure has no past."""
    absolute = Figure(measure="a rate", values=[3000], unit=Unit.RATE)
    double = Figure(measure="the double", values=[9], unit=Unit.MULTIPLE, at_least=3, is_of_target=False)
    before = replace(SHEET, figures=[absolute, double])
    figures = [replace(absolute, values=[1000]), replace(double, values=[4]), replace(SHARE, values=[0.1])]
    now = replace(SHEET, figures=figures)

    assert results.slower(before, now) == []


def test_runs_of_another_length_are_not_compared() -> None:
    """A short run has more of the slow start in it."""
    now = replace(SHEET, seconds=20, figures=[replace(SHARE, values=[0.5])])

    assert results.slower(SHEET, now) == []


# What is kept.


def test_a_kept_sheet_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Figures, bars and rates come back, so that the next measurement can be compared."""
    results.write(tmp_path / "bench.json", SHEET)

    assert results.read(tmp_path / "bench.json") == SHEET


def test_there_is_nothing_to_read_before_something_was_kept(tmp_path: Path) -> None:
    """A first measurement compares with nothing."""
    assert results.read(tmp_path / "bench.json") is None


# How it is shown.


def test_a_table_shows_three_digits_of_a_fraction_and_all_of_a_great_number() -> None:
    """What has no value is an empty cell, and a text stands as it is."""
    table = page.table(
        "who | rate", [["wrk", 119429.4], ["a share", 97.123], ["a time", 0.0534], [None, 1000], ["x", 0]]
    )

    assert table.splitlines() == [
        "| who | rate |",
        "| --- | --- |",
        "| wrk | 119,429 |",
        "| a share | 97.1 |",
        "| a time | 0.0534 |",
        "|  | 1,000 |",
        "| x | 0 |",
    ]
