"""The rows: each a fault, and how it is played."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.crowd import Entry, crowd
from tests.faults.finding import Finding
from tests.faults.memory import Memory
from tests.faults.trial import Trial, trial


@dataclass(slots=True, kw_only=True)
class Stage:
    """Where a row is played. `times` is how often a fault with a moment is tried; one that lasts lasts `seconds`."""

    folder: Path
    times: int
    seconds: float = 0.0
    seed: int = 0
    trials: int = 0
    entries: Sequence[Entry] = field(default_factory=crowd)

    def trial(
        self, *options: str, entries: Sequence[Entry] | None = None, ledger: Memory | None = None, **settings: Any
    ) -> AbstractContextManager[Trial]:
        """A trial in a folder of its own, in which chance is the stage's."""
        self.trials += 1
        folder, given = self.folder / f"trial-{self.trials}", self.entries if entries is None else entries
        return trial(folder, given, "--seed", str(self.seed), *options, ledger=ledger, **settings)

    def moments(self, times: int) -> list[int]:
        """So many moments of a run, as requests seen by then: the first is the start-up, the others by chance."""
        chance = random.Random(self.seed)  # noqa: S311 - repeatable on purpose
        return [0, *sorted(chance.sample(range(1, len(self.entries) * 9 // 10), times - 1))]


Play = Callable[[Stage], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A fault, in words, and how it is played: a finding for each trial."""

    name: str
    fault: str
    play: Play
    is_random: bool = False
    """Whether chance chooses its moments, so that it finds more when it is played again."""
    seconds: float = 0.0
    """How long the fault lasts, if that is a part of it."""
    short: float = 0.0
    """How long it lasts in the short form."""
