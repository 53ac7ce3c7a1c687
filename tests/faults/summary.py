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
from tests.faults.trial import NotInTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A line of the table."""

    row: Row
    trials: int
    records: int
    happened: Counter[str]
    lost: int
    twice: int
    most_twice: int
    uncounted: int
    unknown: int
    kept: int
    out_of_order: int
    codes: Counter[Sequence[int]]
    broken: Sequence[str]
    seconds: float

    @property
    def evidence(self) -> str:
        """How often the fault happened."""
        return ", ".join(f"{name}: {count}" for name, count in self.happened.items())

    @property
    def ends(self) -> str:
        """Exit codes, run after run, each with how many trials ended so."""
        return "; ".join(
            f"{', then '.join(map(str, codes))}{f' ({count} x)' if count > 1 else ''}"
            for codes, count in self.codes.items()
        )

    @property
    def line(self) -> str:
        """For a terminal."""
        verdict = "BROKEN" if self.broken else "right"
        text = (
            f"{verdict:7}{self.row.name:22} {self.evidence}; lost {self.lost}, twice {self.twice} "
            f"(most {self.most_twice}), unknown {self.unknown}, kept {self.kept}, "
            f"out of order {self.out_of_order}, exit {self.ends}; {self.seconds:.0f} s"
        )
        return "\n".join([text, *(f"       {each}" for each in self.broken)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much is played: trials of a row with random moments, seconds of all at once, how often with other chance."""

    times: int
    seconds: float
    repeat: int = 1


def play(row: Row, *, folder: Path, pace: Pace) -> Summary:
    """Play a row, and sum up what came of it."""
    began = time.monotonic()
    found: list[Finding | str] = []
    for seed in range(pace.repeat if row.is_random else 1):
        place = folder / f"{row.name}-{seed}"
        place.mkdir(parents=True)
        found += _played(row, Stage(folder=place, times=pace.times, seconds=pace.seconds, seed=seed))
    return summed(row, found, seconds=time.monotonic() - began)


def _played(row: Row, stage: Stage) -> list[Finding | str]:
    """Each trial's finding; at the end why there are no more, if something was waited for in vain."""
    found: list[Finding | str] = []
    try:
        found.extend(row.play(stage))
    except NotInTime as late:
        found.append(f"waited in vain for {late}")
    except psycopg.OperationalError:
        found.append("not played: no PostgreSQL server")
    return found


def summed(row: Row, found: Sequence[Finding | str], *, seconds: float) -> Summary:
    """The row's line."""
    findings = [each for each in found if isinstance(each, Finding)]
    broken = [each for each in found if isinstance(each, str)]
    broken += [f"trial {number}: {each}" for number, one in enumerate(findings, 1) for each in one.broken]
    return Summary(
        row=row,
        trials=len(findings),
        records=sum(one.records for one in findings),
        happened=sum((one.happened for one in findings), Counter()),
        lost=sum(one.lost for one in findings),
        twice=sum(one.twice for one in findings),
        most_twice=max((one.twice for one in findings), default=0),
        uncounted=sum(one.uncounted for one in findings),
        unknown=sum(one.unknown for one in findings),
        kept=sum(one.kept for one in findings),
        out_of_order=sum(one.out_of_order for one in findings),
        codes=Counter(one.codes for one in findings),
        broken=broken,
        seconds=seconds,
    )
