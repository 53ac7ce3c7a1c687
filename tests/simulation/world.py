"""A whole story: a run, and further runs from the STATE that was written, until nothing is left to do."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from target_driftrock.books import Books
from target_driftrock.errors import (
    ApiOutage,
    CaptureRefused,
    LedgerUnavailable,
    NotTheApi,
    RejectsAboveLimit,
    TokenRejected,
)
from target_driftrock.events.event import Event, Origin, Refusal
from target_driftrock.events.outcome import Invalid
from target_driftrock.ledger.interface import Standing
from target_driftrock.singer.checkpoint import Checkpoint
from tests.simulation.api import FINAL, SETUP, SimulatedApi
from tests.simulation.run import GRACE, Crash, Ending, Endless, Run, SimulatedLedger
from tests.simulation.scenario import Mishap, Piece, Scenario, scenario
from tests.simulation.trace import Trace
from tests.virtual_time import NothingCanHappen, VirtualLoop

MOST_STEPS = 200_000
"""Of the tasks of one run."""
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
    """Whether the books let STATE pass a record that was refused, since something keeps it."""
    checkpoint = Checkpoint()
    books = Books(checkpoint)
    part = Refusal(origin=Origin(position=1, stream="s", record=b"{}", schema=b"{}"), mapping="m", reason="r")
    books.enter("s", [part])
    checkpoint.state(b"{}")
    books.settle([(part, Invalid(reason="r"))])
    return checkpoint.take() is not None


class _World:
    """What outlives a run."""

    def __init__(self, scenario: Scenario, chance: random.Random) -> None:
        self._scenario = scenario
        self._chance = chance
        self._trace = Trace()
        self._api = SimulatedApi(scenario, chance, self._trace)
        self._ledger = SimulatedLedger(self._trace)
        self._covered = 0
        self._now = 0.0
        self._faults: list[str] = []

    def tell(self) -> Story:
        mishaps = self._scenario.mishaps
        runs = 0
        for mishap in (*mishaps, *[Mishap()] * CALM_RUNS):
            if runs == len(mishaps):
                self._api.heal()
            runs += 1
            ending = self._run(mishap)
            if ending.is_done or self._faults:
                break
        else:
            self._faults.append(f"There is no end after {runs} runs.")
        if not self._faults:
            self._faults += self._broken_promises(ending)
        return Story(faults=self._faults, trace=self._trace, runs=runs)

    def _run(self, mishap: Mishap) -> Ending:
        first = max(0, self._covered - mishap.rereads)
        self._trace.note("run from", first)
        run = Run(
            self._scenario,
            mishap,
            self._scenario.lines[first:],
            chance=self._chance,
            api=self._api,
            ledger=self._ledger,
            trace=self._trace,
        )
        self._play(run, mishap)
        ending = run.ending
        self._trace.note("ended", type(ending.error).__name__, ending.is_crashed, ending.is_signalled, ending.opened)
        self._covered = ending.states[-1] if ending.states else self._covered
        self._faults += ending.faults
        if not ending.is_crashed:
            self._faults += _needless(ending, mishap, self._api, self._scenario)
        return ending

    def _play(self, run: Run, mishap: Mishap) -> None:
        steps = _Steps(mishap.crash_at_step, disorder=self._scenario.disorder, chance=self._chance)
        loop = steps.loop(start=self._now)
        loop.set_exception_handler(lambda _, context: self._faults.append(str(context)))
        try:
            loop.run_until_complete(self._begin(run))
        except Crash:
            run.ending.is_crashed = True
            run.wire.is_cut = True
            _bury(loop)
        except (Endless, NothingCanHappen):
            self._faults.append("The run goes on for ever, or waits for something that nobody will do.")
            run.wire.is_cut = True
            _bury(loop)
        run.ending.ended_at = self._now = loop.time()
        self._now += self._chance.choice([0.0, 1.0, 100.0]) * self._chance.random()
        loop.close()

    async def _begin(self, run: Run) -> None:
        self._api.begin_run()
        await run.main()

    # What must hold in the end.

    def _broken_promises(self, ending: Ending) -> Iterator[str]:
        yield from self._lost_or_repeated()
        yield from self._out_of_order()
        if self._scenario.lines and state_passes_refusals() and self._covered != len(self._scenario.lines):
            yield f"All is resolved, and STATE covers {self._covered} of {len(self._scenario.lines)} records."

    def _pieces(self) -> Iterator[tuple[str, Piece, Event]]:
        for line in self._scenario.lines:
            for index, (piece, part) in enumerate(zip(line.pieces, line.parts(position=line.number), strict=True)):
                if isinstance(part, Event):
                    yield f"{line.number}.{index}", piece, part

    def _lost_or_repeated(self) -> Iterator[str]:
        for key, piece, event in self._pieces():
            accepted = len(self._api.acceptances.get(piece.serial, ()))
            if key not in self._ledger.concluded:
                yield f"Event {key} has no outcome."
            if not piece.has_identity:
                if not accepted and key not in self._ledger.kept:
                    yield f"Event {key}, which has no identity, was never accepted."
                continue
            (known,) = self._ledger.recall([event])
            yield from self._wrong(key, piece, accepted, known.standing if known else None)

    def _wrong(self, key: str, piece: Piece, accepted: int, standing: Standing | None) -> Iterator[str]:
        lost = self._ledger.lost[piece.serial]
        if accepted - 1 > lost:
            yield f"Event {key} was accepted {accepted} times, and {lost} answers were counted as lost."
        if lost and piece.serial not in self._api.posted and not self._died():
            yield f"Event {key} was never sent, and {lost} answers were counted as lost."
        if accepted > 1 and self._scenario.holds_unknown:
            yield f"Event {key} was accepted {accepted} times, though unknowns are held."
        match standing:
            case Standing.DELIVERED if not accepted:
                yield f"Event {key} is delivered by the ledger, and the API never took it."
            case Standing.REFUSED if not self._may_be_refused(piece.serial):
                yield f"Event {key} is refused by the ledger, and the API never refused it."
            case Standing.HELD_UNKNOWN if not (lost and self._scenario.holds_unknown):
                yield f"Event {key} is held as unknown, and no answer was lost."
            case None | Standing.ANSWERED | Standing.INTENDED | Standing.UNKNOWN if key not in self._ledger.kept:
                yield f"Event {key} is open in the end: {standing}."
            case _:
                pass

    def _died(self) -> bool:
        """Whether a run could not take back the intents that it had committed ahead."""
        return any(mishap.crash_at_step or mishap.ledger_fails_at for mishap in self._scenario.mishaps)

    def _may_be_refused(self, serial: int) -> bool:
        return serial in self._api.refused or serial in self._scenario.poisoned or serial in self._api.unauthorized

    def _out_of_order(self) -> Iterator[str]:
        """First acceptances, person by person, but for events that were refused or held at some time."""
        latest: dict[str, tuple[float, str]] = defaultdict(lambda: (float("-inf"), ""))
        met: set[int] = set()
        for key, piece, _ in self._pieces():
            is_repeat = piece.serial in met
            met.add(piece.serial)
            accepted = self._api.acceptances.get(piece.serial)
            if is_repeat or piece.person is None or not accepted or not self._keeps_order(key, piece):
                continue
            before, whose = latest[piece.person]
            if accepted[0] < before:
                yield f"Event {key} arrived before {whose} of the same person, which was read earlier."
            latest[piece.person] = (accepted[0], key)

    def _keeps_order(self, key: str, piece: Piece) -> bool:
        return piece.has_identity and key not in self._ledger.kept and not self._may_be_refused(piece.serial)


def _needless(ending: Ending, mishap: Mishap, api: SimulatedApi, scenario: Scenario) -> Iterator[str]:
    """A run that ended without what would justify it."""
    statuses = api.seen.statuses
    match ending.error:
        case None:
            need = True
        case ApiOutage():
            need = _was_silent(api.seen.verdicts, ending.ended_at, scenario.max_outage)
        case CaptureRefused():
            need = sum(statuses[status] for status in SETUP) > 1
        case TokenRejected():
            need = statuses[401] > 1
        case NotTheApi():
            need = api.seen.pages > 0
        case RejectsAboveLimit():
            need = sum(statuses[status] for status in FINAL | {401}) > 0 or ending.opened == 0
        case LedgerUnavailable():
            need = mishap.ledger_fails_at is not None
        case _:
            need = False
    if not need:
        yield f"The run ended without need: {ending.error!r}."


def _was_silent(verdicts: list[float], ended_at: float, seconds: float) -> bool:
    """Whether no verdict came for so long, until the end or until the grace that a run has to finish."""
    moments = [float("-inf"), *verdicts, ended_at]
    silences = [(end - begin, end) for begin, end in pairwise(moments)]
    return any(length > seconds - 0.001 and end > ended_at - GRACE - 0.001 for length, end in silences)


class _Steps:
    """The order in which tasks take their steps, and the step before which the process dies."""

    def __init__(self, crash_at: int | None, *, disorder: float, chance: random.Random) -> None:
        self._crash_at = crash_at
        self._disorder = disorder
        self._chance = chance
        self._taken = 0

    def loop(self, *, start: float) -> VirtualLoop:
        """A loop that takes them."""
        self._loop = VirtualLoop(start=start, defers=self._defers)
        return self._loop

    def _defers(self) -> bool:
        self._taken += 1
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
