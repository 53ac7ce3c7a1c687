"""What came of a row: its trials summed, the worst of them, and what was broken."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.faults.finding import Finding
from tests.faults.table import Row, Stage
from tests.faults.trial import NotPlayed
from tests.waiting import NotInTime

FEW = 4
"""Exit codes that are told one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A line of the table."""

    row: Row
    repeats: int
    """How often all trials were played, with other chance."""
    lasted: float
    """Seconds that the fault lasted, if that is a part of it."""
    trials: int
    records: int
    most_records: int
    happened: Counter[str]
    lost: int
    twice: int
    most_twice: int
    uncounted: int
    unknown: int
    most_unknown: int
    kept: int
    most_kept: int
    out_of_order: int
    codes: Counter[Sequence[int]]
    broken: Sequence[str]
    seconds: float

    @property
    def evidence(self) -> str:
        """How often the fault happened."""
        return ", ".join(f"{name}: {count}" for name, count in self.happened.items())

    @property
    def fault(self) -> str:
        """In words, and how long it lasted where that is shorter than the words say."""
        is_shrunk = self.lasted < self.row.seconds
        return f"{self.row.fault} (shrunk: {self.lasted:g} s of {self.row.seconds:g})" if is_shrunk else self.row.fault

    @property
    def ends(self) -> str:
        """Exit codes, run after run, each with how many trials ended so."""
        return "; ".join(f"{_told(codes)}{f' ({count} x)' if count > 1 else ''}" for codes, count in self.codes.items())

    @property
    def line(self) -> str:
        """For a terminal."""
        verdict = "BROKEN" if self.broken else "right"
        text = (
            f"{verdict:7}{self.row.name:22} {self.evidence}; lost {self.lost}, twice {self.twice} "
            f"(most {self.most_twice}), not counted {self.uncounted}, unknown {self.unknown}, kept {self.kept}, "
            f"out of order {self.out_of_order}, exit {self.ends}; {self.seconds:.0f} s"
        )
        return "\n".join([text, *(f"       {each}" for each in self.broken)])


def _told(codes: Sequence[int]) -> str:
    """Run after run; of many runs how often each code came, and the last one."""
    if len(codes) <= FEW:
        return ", then ".join(map(str, codes))
    counts = sorted(Counter(codes[:-1]).items())
    return f"{', '.join(f'{code} ({count} x)' for code, count in counts)}, at last {codes[-1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much is played: trials of a row with random moments, how often with other chance, how long what lasts."""

    times: int
    repeat: int = 1
    is_short: bool = False
    seconds: float | None = None
    """How long a fault lasts that should last longer."""

    def lasts(self, row: Row) -> float:
        """Seconds of the row's fault, if it lasts at all."""
        lasts = row.short if self.is_short else row.seconds
        return lasts if self.seconds is None else min(lasts, self.seconds)

    def repeats(self, row: Row) -> int:
        """How often a row is played: once, where nothing in it is left to chance."""
        return self.repeat if row.is_random else 1


def play(row: Row, *, folder: Path, pace: Pace) -> Summary:
    """Play a row, and sum up what came of it."""
    began = time.monotonic()
    found: list[Finding | str] = []
    for seed in range(pace.repeats(row)):
        place = folder / f"{row.name}-{seed}"
        place.mkdir(parents=True)
        found += _played(row, Stage(folder=place, times=pace.times, seconds=pace.lasts(row), seed=seed))
    return summed(row, found, seconds=time.monotonic() - began, repeats=pace.repeats(row), lasted=pace.lasts(row))


def _played(row: Row, stage: Stage) -> list[Finding | str]:
    """Each trial's finding; at the end why there are no more, if something was waited for in vain."""
    found: list[Finding | str] = []
    try:
        found.extend(row.play(stage))
    except NotInTime as late:
        found.append(f"waited in vain for {late}")
    except NotPlayed as missing:
        found.append(f"not played: {missing}")
    except psycopg.OperationalError:
        found.append("not played: no PostgreSQL server")
    return found


def summed(
    row: Row, found: Sequence[Finding | str], *, seconds: float, repeats: int = 1, lasted: float = 0.0
) -> Summary:
    """The row's line: what came of all its trials, and the worst of them."""
    findings = [each for each in found if isinstance(each, Finding)]
    broken = [each for each in found if isinstance(each, str)]
    broken += [f"trial {number}: {each}" for number, one in enumerate(findings, 1) for each in one.broken]
    return Summary(
        row=row,
        repeats=repeats,
        lasted=lasted,
        trials=len(findings),
        records=sum(one.records for one in findings),
        most_records=max((one.records for one in findings), default=0),
        happened=sum((one.happened for one in findings), Counter()),
        lost=sum(one.lost for one in findings),
        twice=sum(one.twice for one in findings),
        most_twice=max((one.twice for one in findings), default=0),
        uncounted=sum(one.uncounted for one in findings),
        unknown=sum(one.unknown for one in findings),
        most_unknown=max((one.unknown for one in findings), default=0),
        kept=sum(one.kept for one in findings),
        most_kept=max((one.kept for one in findings), default=0),
        out_of_order=sum(one.out_of_order for one in findings),
        codes=Counter(one.codes for one in findings),
        broken=broken,
        seconds=seconds,
    )
