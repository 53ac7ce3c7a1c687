"""What a measurement found: figures beside their bars, and what got slower since the last kept result. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from benchmarks import page
from benchmarks.page import Row

LEAST_NOISE = 0.02
"""Share of a figure below which nothing counts as slower, however little its runs lay apart."""


class Unit(StrEnum):
    """What a figure counts. Shares and multiples are ratios of two rates of one run, so machines can be compared."""

    SHARE = "%"
    MULTIPLE = "x"
    RATE = "events a second"
    SECONDS = "s"
    MEBIBYTES = "MiB"

    def shown(self, value: float) -> str:
        """A value as the table has it."""
        if self is Unit.SHARE:
            return f"{value * 100:.1f} %"
        return f"{value:.2f} {self}" if self in {Unit.MULTIPLE, Unit.SECONDS} else f"{value:,.0f} {self}"

    def spread(self, values: Sequence[float]) -> str:
        """The median, and between which values it lies."""
        median = self.shown(statistics.median(values))
        return median if len(values) == 1 else f"{median} ({self.shown(min(values))} to {self.shown(max(values))})"


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure, with a value of each run. The bar is what it must reach, or may not exceed.

    `is_of_target` is false where a faster target makes the value worse.
    """

    measure: str
    values: Sequence[float]
    unit: Unit = Unit.SHARE
    at_least: float | None = None
    at_most: float | None = None
    is_of_target: bool = True

    @property
    def is_comparable(self) -> bool:
        """Whether another value of it, of another day or machine, says how the target has changed."""
        return self.is_of_target and self.unit in {Unit.SHARE, Unit.MULTIPLE}

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def is_short(self) -> bool:
        """Whether the median is on the wrong side of the bar."""
        low = self.at_least is not None and self.median < self.at_least
        return low or (self.at_most is not None and self.median > self.at_most)

    def row(self) -> Row:
        """A line of the table."""
        bars = {"at least": self.at_least, "at most": self.at_most}
        bar = "".join(f"{word} {self.unit.shown(value)}" for word, value in bars.items() if value is not None)
        return [self.measure, self.unit.spread(self.values), bar, bar and ("**short of**" if self.is_short else "pass")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """All that one measurement found, with where and when. A rate is a row of a table."""

    commit: str
    date: str
    machine: str
    seconds: float
    figures: Sequence[Figure]
    rates: Sequence[Row] = ()


def slower(before: Sheet, now: Sheet) -> list[str]:
    """What got worse by more than its runs lie apart, a line each, of the ratios that both have.

    Runs of another length are not compared: they have other ratios.
    """
    if before.seconds != now.seconds:
        return []
    kept = {figure.measure: figure for figure in before.figures}
    pairs = [(kept[each.measure], each) for each in now.figures if each.measure in kept and each.is_comparable]
    return [_told(old, new) for old, new in pairs if _worse(old, new) > _noise(old, new)]


def _told(old: Figure, new: Figure) -> str:
    now, before, apart = map(new.unit.shown, (new.median, old.median, _noise(old, new)))
    return f"{new.measure}: {now}, and was {before} (runs lie {apart} apart)"


def _worse(old: Figure, new: Figure) -> float:
    grown = new.median - old.median
    return grown if new.at_most is not None else -grown


def _noise(old: Figure, new: Figure) -> float:
    """How far the two may lie apart without meaning anything."""
    return max(*(max(each.values) - min(each.values) for each in (old, new)), LEAST_NOISE * abs(old.median))


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """The ratio of each run to the other one's of its round, so that what slows the machine down hits both."""
    return [first / second for first, second in zip(above, below, strict=True)]


def ideal(
    connections: int, latency: float, *, slow_share: float = 0.0, slow_seconds: float = 0.0, error_share: float = 0.0
) -> float | None:
    """Events a second that so many connections reach when nothing but answers takes time; None without latency.

    A failed request takes its place like any other, and its event needs another one.
    """
    mean = latency * (1 - slow_share) + slow_seconds * slow_share
    return connections / mean * (1 - error_share) if mean else None


def write(path: Path, sheet: Sheet) -> None:
    """Keep a sheet."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(sheet), indent=1) + b"\n")


def read(path: Path) -> Sheet | None:
    """A kept sheet, if there is one."""
    return msgspec.json.decode(path.read_bytes(), type=Sheet) if path.exists() else None


def table(figures: Iterable[Figure]) -> str:
    """The figures beside their bars."""
    return page.table("measure | median (least to most) | bar | ", [figure.row() for figure in figures])
