"""What a measurement found: figures beside their bars, rates, and what got slower since the last kept result. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

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


class Verdict(StrEnum):
    """A figure beside its bar."""

    PASS = "pass"  # noqa: S105 - no password
    SHORT = "**short of**"
    NO_BAR = ""


@dataclass(frozen=True, slots=True, kw_only=True)
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
    def spread(self) -> float:
        return max(self.values) - min(self.values)

    @property
    def verdict(self) -> Verdict:
        """Whether the median is on the right side of the bar."""
        if self.at_least is None and self.at_most is None:
            return Verdict.NO_BAR
        low = self.at_least is not None and self.median < self.at_least
        high = self.at_most is not None and self.median > self.at_most
        return Verdict.SHORT if low or high else Verdict.PASS

    @property
    def bar(self) -> str:
        if self.at_least is not None:
            return f"at least {self.unit.shown(self.at_least)}"
        return "" if self.at_most is None else f"at most {self.unit.shown(self.at_most)}"

    def row(self) -> list[str]:
        """A line of the table."""
        return [self.measure, shown(self.values, self.unit), self.bar, self.verdict]


FIGURES_HEAD = ("measure", "median (least to most)", "bar", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Events a second of one contestant, a value of each run; latency in seconds, processor time of all its threads."""

    contestant: str
    latency: float
    connections: int
    values: Sequence[float]
    processor_microseconds: float | None = None
    commit_milliseconds: float | None = None

    def row(self) -> list[str]:
        """A line of the table."""
        best = ideal(self.connections, self.latency)
        return [
            f"{self.latency * 1000:.0f} ms",
            str(self.connections),
            self.contestant,
            shown(self.values, Unit.RATE).replace(f" {Unit.RATE}", ""),
            "" if best is None else Unit.SHARE.shown(statistics.median(self.values) / best),
            "" if self.processor_microseconds is None else f"{self.processor_microseconds:.0f}",
            "" if self.commit_milliseconds is None else f"{self.commit_milliseconds:.2f}",
        ]


RATES_HEAD = (
    "latency",
    "connections",
    "who",
    "events a second (least to most)",
    "of connections ÷ latency",
    "processor µs an event",
    "ms a commit",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """All that one measurement found, with where and when; `load` is the machine's before it began."""

    form: str
    commit: str
    date: str
    machine: str
    load: float
    seconds: float
    runs: int
    minutes: float
    figures: Sequence[Figure]
    rates: Sequence[Rate] = ()


@dataclass(frozen=True, slots=True)
class Slower:
    """A ratio that is worse than it was, by more than the runs lay apart."""

    before: Figure
    now: Figure

    @property
    def measure(self) -> str:
        return self.now.measure

    def __str__(self) -> str:
        now, before, apart = map(self.now.unit.shown, (self.now.median, self.before.median, _noise(self)))
        return f"{self.measure}: {now}, and was {before} (runs lie {apart} apart)"


def slower(before: Sheet, now: Sheet) -> list[Slower]:
    """What got worse, of the ratios that both have. Runs of another length are not compared: they have other ratios."""
    if before.seconds != now.seconds:
        return []
    kept = {figure.measure: figure for figure in before.figures}
    pairs = [Slower(kept[each.measure], each) for each in now.figures if each.measure in kept and each.is_comparable]
    return [pair for pair in pairs if _worse(pair) > _noise(pair)]


def _worse(pair: Slower) -> float:
    grown = pair.now.median - pair.before.median
    return grown if pair.now.at_most is not None else -grown


def _noise(pair: Slower) -> float:
    """How far the two may lie apart without meaning anything."""
    return max(pair.before.spread, pair.now.spread, LEAST_NOISE * abs(pair.before.median))


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


def shown(values: Sequence[float], unit: Unit) -> str:
    """The median, and between which values it lies."""
    median = unit.shown(statistics.median(values))
    return median if len(values) == 1 else f"{median} ({unit.shown(min(values))} to {unit.shown(max(values))})"


def shortfalls(sheet: Sheet) -> Iterator[str]:
    """What missed its bar, a sentence each."""
    for figure in sheet.figures:
        if figure.verdict is Verdict.SHORT:
            yield f"{figure.measure}: {shown(figure.values, figure.unit)}, and the bar is {figure.bar}."


def write(path: Path, sheet: object) -> None:
    """Keep a sheet."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(sheet), indent=1) + b"\n")


def read(path: Path) -> Sheet | None:
    """A kept sheet, if there is one."""
    return msgspec.json.decode(path.read_bytes(), type=Sheet) if path.exists() else None
