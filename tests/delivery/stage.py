"""A whole delivery on virtual time: parts go in, and what became of each comes out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from target_driftrock.auth import Tokens
from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.delivery.pending import DeliveryConfig, Statistics
from target_driftrock.events.event import Part
from target_driftrock.events.outcome import Outcome
from target_driftrock.ledger.interface import Proven
from target_driftrock.ledger.threaded import LedgerThread
from tests import virtual_time
from tests.delivery.doubles import (
    HeldToItsTable,
    InLoopExecutor,
    React,
    RecordingLedger,
    ScriptedTokens,
    ScriptedTransport,
    accept,
)
from tests.delivery.examples import API, capture

WALL = 1_800_000_000.0
"""Unix time when virtual time is 0."""
GRACE = 15.0

Meanwhile = Callable[[Dispatcher], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What a delivery came to."""

    outcomes: list[tuple[int, Outcome]]
    """By record, in the order reported."""
    error: BaseException | None
    transport: ScriptedTransport
    ledger: RecordingLedger
    statistics: Statistics
    ended_at: float

    def __getitem__(self, position: int) -> Outcome:
        """The outcome of a record, which has one."""
        (outcome,) = [outcome for each, outcome in self.outcomes if each == position]
        return outcome

    def kinds(self) -> dict[int, str]:
        """The outcomes by name."""
        return {position: type(outcome).__name__ for position, outcome in sorted(self.outcomes, key=lambda one: one[0])}


@dataclass(kw_only=True)
class Stage:
    """How things are around a delivery."""

    react: React = accept
    ledger: RecordingLedger = field(default_factory=RecordingLedger)
    tokens: Tokens = field(default_factory=ScriptedTokens)
    proven: Sequence[str] = ("capture-1",)
    """Captures that have accepted an event in an earlier run."""
    max_concurrency: int = 16
    max_outage: float = 900.0
    max_per_second: float | None = None
    holds_unknown: bool = False
    bears_refusals: bool = False
    trial_rest: float | None = None
    roll: Callable[[], float] = lambda: 0.5
    commit_seconds: float = 0.001

    def play(self, parts: Sequence[Part], meanwhile: Meanwhile | None = None) -> Ending:
        """Deliver these parts. `meanwhile` runs beside, and says when the input ends; without it, it ends at once."""
        return virtual_time.run(self._play(parts, meanwhile))

    async def _play(self, parts: Sequence[Part], meanwhile: Meanwhile | None) -> Ending:
        self.ledger.earlier(*(Proven(capture(source)) for source in self.proven))
        loop = asyncio.get_running_loop()
        outcomes: list[tuple[int, Outcome]] = []
        transport = ScriptedTransport(self.react)
        dispatcher = Dispatcher(
            config=DeliveryConfig(
                api=API,
                max_concurrency=self.max_concurrency,
                most_per_second=self.max_per_second,
                max_outage=self.max_outage,
                holds_unknown=self.holds_unknown,
                bears_refusals=self.bears_refusals,
                trial_rest=self.trial_rest,
            ),
            transport=transport,
            tokens=self.tokens,
            ledger=LedgerThread(self.ledger, executor=InLoopExecutor(lambda: self.commit_seconds)),
            wall=lambda: WALL + loop.time(),
            roll=self.roll,
            report=lambda part, outcome: outcomes.append((part.origin.position, outcome)),
            pending=HeldToItsTable,
        )
        dispatcher.submit(parts)
        beside = asyncio.create_task(_beside(dispatcher, meanwhile))
        error = await _error(dispatcher.run(grace=GRACE))
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
        assert transport.flying == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}, "The dispatcher leaves tasks behind."
        return Ending(
            outcomes=outcomes,
            error=error,
            transport=transport,
            ledger=self.ledger,
            statistics=dispatcher.statistics,
            ended_at=loop.time(),
        )


async def _beside(dispatcher: Dispatcher, meanwhile: Meanwhile | None) -> None:
    if meanwhile is None:
        dispatcher.end_input()
    else:
        await meanwhile(dispatcher)


async def _error(work: Awaitable[None]) -> BaseException | None:
    try:
        await work
    except Exception as error:  # noqa: BLE001 - the test says which it wants
        return error
    return None
