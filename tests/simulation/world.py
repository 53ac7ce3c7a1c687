"""A whole story: a run, and further runs from the STATE that was written, until nothing is left to do."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from target_driftrock.errors import (
    AnswersLost,
    ApiOutage,
    AskedToWait,
    CaptureRefused,
    CaptureSilent,
    LedgerUnavailable,
    NotTheApi,
    RejectsAboveLimit,
    TokenRejected,
)
from target_driftrock.events.event import InvalidPart, Origin
from target_driftrock.events.outcome import Invalid
from target_driftrock.records.tally import Tally
from target_driftrock.singer.checkpoint import Checkpoint
from tests.simulation.api import FINAL, SETUP, SimulatedApi
from tests.simulation.ledger import SimulatedLedger
from tests.simulation.promises import Promises
from tests.simulation.run import GRACE, Crash, Ending, Run
from tests.simulation.scenario import LAST, Line, Mishap, Scenario, scenario
from tests.simulation.trace import Trace
from tests.simulation.worker import Endless
from tests.virtual_time import NothingCanHappen, VirtualLoop

MOST_STEPS = 200_000
"""Of the tasks of one run."""
EVERYTHING = 1_000
"""Records that a tap reads again at a full refresh: more than there are."""
CALM_RUNS = 4
"""So many runs are enough once nothing goes wrong any more."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """What came of it: promises that did not hold, a sentence each, and everything that happened."""

    faults: list[str]
    trace: Trace
    runs: int


def tell(scenario: Scenario, *, seed: int) -> Story:
    """Run this scenario to its end. `seed` decides what is left to chance in it."""
    return _World(scenario, random.Random(seed)).tell()  # noqa: S311 - the same each time, on purpose


def failing_seeds(first: int, *, size: int, last: int) -> dict[int, list[str]]:
    """What did not hold, by seed, of `size` seeds from `first` on, but none from `last` on."""
    gc.disable()  # a story is short, and full of cycles
    try:
        stories = {seed: tell(scenario(seed), seed=seed) for seed in range(first, min(first + size, last))}
    finally:
        gc.enable()
    return {seed: story.faults for seed, story in stories.items() if story.faults}


def state_passes_refusals() -> bool:
    """Whether the tally lets STATE pass a record that was refused, since something keeps it."""
    checkpoint = Checkpoint()
    tally = Tally(checkpoint)
    part = InvalidPart(origin=Origin(position=1, stream="s", record=b"{}", schema=b"{}"), mapping="m", reason="r")
    tally.enter("s", [part])
    checkpoint.state(b"{}")
    tally.settle([(part, Invalid(reason="r"))])
    return checkpoint.take() is not None


class _World:
    """What outlives a run."""

    def __init__(self, scenario: Scenario, chance: random.Random) -> None:
        self._scenario = scenario
        self._chance = chance
        self._trace = Trace()
        self._api = SimulatedApi(scenario, chance, self._trace)
        self._labelled = {
            label: (line, index)
            for one in scenario.lines
            for line in one.forms
            for index, label in enumerate(line.labels)
        }
        self._ledger = SimulatedLedger(
            {label: line.pieces[index] for label, (line, index) in self._labelled.items()}, self._trace
        )
        self._promises = Promises(scenario, self._api, self._ledger)
        self._is_calm = False
        self._covered = 0
        self._now = 0.0
        self._runs = 0
        self._faults: list[str] = []

    def tell(self) -> Story:
        for mishap in self._scenario.mishaps:
            if not self._faults:
                self._run(mishap)
        self._api.heal()
        self._is_calm = True
        self._read_all()
        self._replay_all()
        self._refresh()
        return Story(faults=self._faults, trace=self._trace, runs=self._runs)

    def _read_all(self) -> None:
        """Nothing goes wrong any more: after some runs nothing is left to do."""
        for _ in range(CALM_RUNS):
            if self._faults or self._run(Mishap()).ending.is_done:
                break
        else:
            self._faults.append(f"There is no end after {self._runs} runs.")
        if not self._faults and state_passes_refusals() and self._covered != len(self._scenario.lines):
            self._faults.append(f"All is resolved, and STATE covers {self._covered} of {len(self._scenario.lines)}.")
        self._look_at(self._promises.broken)

    def _replay_all(self) -> None:
        """What is kept is sent again, until no more goes: what is left has a reason that still stands.

        One that waits for another's answer may have had its turn before that one, so a replay may free something.
        """
        rows: list[tuple[bytes, str]] | None = None
        while not self._faults and self._rows() not in ([], rows):
            rows = self._rows()
            self._run(Mishap(is_replay=True))
            self._look_at(self._promises.broken)
        self._look_at(self._promises.kept_needlessly)

    def _refresh(self) -> None:
        """Everything is read again, and again. The last time nothing is accepted, and no row comes or goes.

        The first may read what was edited since, and so take away rows that the second makes again.
        """
        if self._faults or not self._scenario.is_refreshed:
            return
        for _ in range(2):
            self._run(Mishap(rereads=EVERYTHING))
        rows = self._rows()
        run = self._run(Mishap(rereads=EVERYTHING))
        again = [content for content in run.wire.accepted if self._promises.has_identity(content)]
        if again:
            self._faults.append(f"A full refresh delivered {again} once more.")
        if self._rows() != rows:
            self._faults.append("One more full refresh moved a kept row.")
        self._look_at(self._promises.broken)

    def _look_at(self, promises: Callable[[], Iterable[str]]) -> None:
        if not self._faults:
            self._faults += promises()

    def _rows(self) -> list[tuple[bytes, str]]:
        return sorted((row["key"], row["kind"]) for row in self._ledger.kept.rows)

    def _run(self, mishap: Mishap) -> Run:
        first = max(0, self._covered - mishap.rereads)
        number = LAST if self._is_calm else self._runs
        lines = self._kept_lines() if mishap.is_replay else self._scenario.lines_in(number)[first:]
        self._trace.note(*(("replay of", len(lines)) if mishap.is_replay else ("run from", first)))
        run = Run(
            self._scenario,
            mishap,
            lines,
            on_changed=self._scenario.says_in(number),
            chance=self._chance,
            api=self._api,
            ledger=self._ledger,
            trace=self._trace,
        )
        self._runs += 1
        self._play(run, mishap)
        ending = run.ending
        self._trace.note("ended", type(ending.error).__name__, ending.is_crashed, ending.is_signalled, ending.opened)
        self._covered = ending.states[-1] if ending.states else self._covered
        self._faults += [*ending.faults, *self._ledger.faults]
        if ending.is_crashed and mishap.cuts_power:
            self._ledger.cut_power(self._chance)
            self._faults += self._promises.passed_and_gone(self._covered)
        if not ending.is_crashed:
            self._faults += _needless(ending, mishap, self._api, self._scenario)
        return run

    def _kept_lines(self) -> list[Line]:
        found = [(row["key"].hex(), *self._labelled[row["record"].decode()]) for row in self._ledger.kept.rows]
        return [line.kept_as(key, index=index) for key, line, index in found]

    def _play(self, run: Run, mishap: Mishap) -> None:
        steps = _Steps(
            mishap.crash_at_step,
            disorder=self._scenario.disorder,
            chance=self._chance,
            look=lambda: None if run.wire.is_cut else self._look_at(run.look),
        )
        loop = steps.loop(start=self._now)
        loop.set_exception_handler(lambda _, context: self._faults.append(str(context)))
        try:
            loop.call_soon(self._api.begin_run)
            run.main(loop)
        except Crash:
            run.ending.is_crashed = True
            run.wire.is_cut = True
            self._look_at(run.look_back)
            _bury(loop)
        except AssertionError as wrong:
            self._faults.append(f"A step that must not be: {wrong}")
            run.wire.is_cut = True
            steps.let_end()
            _bury(loop)
        except (Endless, NothingCanHappen):
            self._faults.append("The run goes on for ever, or waits for something that nobody will do.")
            run.wire.is_cut = True
            _bury(loop)
        run.ending.ended_at = self._now = loop.time()
        self._now += self._chance.choice([0.0, 1.0, 100.0]) * self._chance.random()
        loop.close()


def _needless(ending: Ending, mishap: Mishap, api: SimulatedApi, scenario: Scenario) -> Iterator[str]:
    """A run that ended without what would justify it."""
    seen, statuses = api.seen, api.seen.statuses
    needs: dict[type[BaseException], bool] = {
        ApiOutage: _was_silent(seen.verdicts, ending.ended_at, scenario.max_outage),
        AskedToWait: seen.waits > 0,
        AnswersLost: scenario.holds_unknown,
        CaptureRefused: sum(statuses[status] for status in SETUP) >= FEWEST_SETUP,
        CaptureSilent: seen.quiet >= FEWEST_SILENT,
        TokenRejected: statuses[401] >= FEWEST_SILENT,
        NotTheApi: seen.pages >= FEWEST_SILENT,
        RejectsAboveLimit: sum(statuses[status] for status in FINAL) > 0 or ending.opened == 0,
        LedgerUnavailable: mishap.ledger_fails_at is not None,
    }
    if ending.error is not None and not needs.get(type(ending.error), False):
        yield f"The run ended without need: {ending.error!r}."


FEWEST_SETUP, FEWEST_SILENT = 2, 3
"""Answers by which a capture is judged."""


def _was_silent(verdicts: list[float], ended_at: float, seconds: float) -> bool:
    """Whether no verdict came for so long, until the end or until the grace that a run has to finish."""
    moments = [float("-inf"), *verdicts, ended_at]
    silences = [(end - begin, end) for begin, end in pairwise(moments)]
    return any(length > seconds - 0.001 and end > ended_at - GRACE - 0.001 for length, end in silences)


class _Steps:
    """The order in which tasks take their steps, and the step before which the process dies.

    `look` is called between steps, as often as there are any.
    """

    def __init__(
        self, crash_at: int | None, *, disorder: float, chance: random.Random, look: Callable[[], object]
    ) -> None:
        self._crash_at = crash_at
        self._disorder = disorder
        self._chance = chance
        self._look = look
        self._taken = 0

    def loop(self, *, start: float) -> VirtualLoop:
        """A loop that takes them."""
        self._loop = VirtualLoop(start=start, defers=self._defers)
        return self._loop

    def let_end(self) -> None:
        """The process is dead already: it does not die once more."""
        self._crash_at = None

    def _defers(self) -> bool:
        self._taken += 1
        self._loop.call_soon(self._look)
        if self._taken == self._crash_at:
            self._loop.call_soon(_raise, Crash())
        if self._taken == MOST_STEPS:
            self._loop.call_soon(_raise, Endless())
        return self._chance.random() < self._disorder


def _raise(end: SystemExit) -> None:
    raise end


def _bury(loop: VirtualLoop) -> None:
    """Let the tasks of a dead process end without an effect, so that nothing of them is left."""
    loop.set_exception_handler(lambda *_: None)
    tasks = sorted(asyncio.all_tasks(loop), key=_age)  # a set's order would differ from process to process
    for task in tasks:
        task.cancel()
    loop.run_until_complete(_gather(tasks))


def _age(task: asyncio.Task[object]) -> int:
    return int(task.get_name().removeprefix("Task-"))


async def _gather(tasks: Sequence[asyncio.Task[object]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
