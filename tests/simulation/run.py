"""One run of the program: the reader, the books, STATE and the whole of delivery, on a loop of its own."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from target_driftrock.books import Books
from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.delivery.passage import Plan
from target_driftrock.errors import LedgerUnavailable, RejectsAboveLimit, RunStopped
from target_driftrock.events.event import Capture, Event, Part
from target_driftrock.events.outcome import Held, Open, Outcome, Rejected
from target_driftrock.ledger.interface import Answered, Change, Concluded, Counts, Intent, Known, Lost
from target_driftrock.ledger.journal import GroupingJournal
from target_driftrock.ledger.memory import MemoryLedger
from target_driftrock.receipt import EventCounts, Receipt
from target_driftrock.singer.checkpoint import Checkpoint
from tests.delivery.doubles import InLoopExecutor
from tests.simulation.api import SimulatedApi, SimulatedTokens, Wire
from tests.simulation.scenario import API, Line, Mishap, Scenario
from tests.simulation.trace import Trace

GRACE = 15.0
STATE_SECONDS = 5.0
WAIT_SECONDS = 0.5
LONGEST = 10_000.0
"""Seconds that a run may take, outages and the tap's silences included."""


class Endless(SystemExit):
    """The run goes on for longer than anything in a story lasts: the loop goes no further."""


class Crash(SystemExit):
    """The process dies here: the loop goes no further."""


class SimulatedLedger(MemoryLedger):
    """What is durable of all runs, and what it was told of each event."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(api=API)
        self._trace = trace
        self.concluded: set[str] = set()
        """Parts, by record and index, that have an outcome for good."""
        self.kept: set[str] = set()
        """Parts that were refused or held at some time: a row keeps them, whatever is tried later."""
        self.lost: Counter[int] = Counter()
        """How often an answer to each event was counted as lost, by serial."""

    def commit(self, changes: Sequence[Change]) -> None:
        """Make them durable."""
        super().commit(changes)
        for change in changes:
            match change:
                case Concluded(part=part, outcome=outcome):
                    self._trace.note("concluded", part.origin.key, type(outcome).__name__)
                    self.concluded.add(_key(part))
                    if isinstance(outcome, Rejected | Held):
                        self.kept.add(_key(part))
                case Lost(event):
                    self._trace.note("lost", event.origin.key)
                    self.lost[serial(event)] += 1
                case Intent(event) | Answered(event):
                    self._trace.note(type(change).__name__, event.origin.key)


class LedgerOfRun:
    """A run's hold on the durable ledger: it can be lost, and a dead process commits nothing."""

    def __init__(self, durable: SimulatedLedger, wire: Wire, *, fails_at: int | None) -> None:
        self._durable = durable
        self._wire = wire
        self._commits = 0
        self._fails_at = fails_at
        self._before = durable.counts()

    def recall(self, events: Sequence[Event]) -> list[Known | None]:
        """As it is in the ledger."""
        return self._durable.recall(events)

    def proven(self, captures: Sequence[Capture]) -> list[bool]:
        """As it is in the ledger."""
        return self._durable.proven(captures)

    def close(self) -> None:
        """The ledger outlives the run."""

    def commit(self, changes: Sequence[Change]) -> None:
        """Make them durable, or fail."""
        self._commits += 1
        if self._wire.is_cut or (self._fails_at is not None and self._commits >= self._fails_at):
            raise LedgerUnavailable("The ledger is gone.")
        self._durable.commit(changes)
        for change in changes:
            match change:
                case Answered(event) | Lost(event) | Concluded(part=Event() as event):
                    self._wire.in_doubt.discard(serial(event))

    def counts(self) -> Counts:
        """Of this run."""
        after = self._durable.counts()
        names = ("delivered", "invalid", "rejected", "held", "unknown")
        return Counts(**{name: getattr(after, name) - getattr(self._before, name) for name in names})


@dataclass(kw_only=True)
class Ending:
    """How a run ended, as its operator sees it, and what was promised and did not hold."""

    error: BaseException | None = None
    is_crashed: bool = False
    is_signalled: bool = False
    has_read_all: bool = False
    opened: int = 0
    ended_at: float = 0.0
    states: list[int] = field(default_factory=list)
    """How many records each STATE covers that was written."""
    faults: list[str] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left for another run."""
        stopped = self.error is not None and not isinstance(self.error, RejectsAboveLimit)
        return self.has_read_all and not (stopped or self.is_crashed or self.is_signalled or self.opened)


def serial(event: Event) -> int:
    """Which event it is."""
    return int(event.body.split(b":")[1].split(b",")[0])


def _key(part: Part) -> str:
    return str(part.origin.key)


class Run:
    """The target's own loop, without threads and pipes."""

    def __init__(
        self,
        scenario: Scenario,
        mishap: Mishap,
        lines: Sequence[Line],
        *,
        chance: random.Random,
        api: SimulatedApi,
        ledger: SimulatedLedger,
        trace: Trace,
    ) -> None:
        self._scenario = scenario
        self._mishap = mishap
        self._lines = lines
        self._chance = chance
        self._api = api
        self._durable = ledger
        self._trace = trace
        self.wire = Wire(api, chance, trace)
        self.ending = Ending()
        self._checkpoint = Checkpoint(max_open=scenario.max_open, max_span=scenario.max_span, max_states=5)
        self._books = Books(self._checkpoint)
        self._batch: list[Part] = []
        self._outcomes: deque[tuple[Part, Outcome]] = deque()
        self._news = asyncio.Event()
        self._read = 0
        self._written_at = 0.0

    async def main(self) -> None:
        """From the first line to the receipt."""
        loop = asyncio.get_running_loop()
        self._written_at = loop.time()
        self._ends_by = loop.time() + LONGEST
        ledger = LedgerOfRun(self._durable, self.wire, fails_at=self._mishap.ledger_fails_at)
        seconds = self._scenario.commit_seconds
        self._dispatcher = Dispatcher(
            plan=Plan(
                api=API,
                max_concurrency=self._scenario.max_concurrency,
                max_outage=self._scenario.max_outage,
                holds_unknown=self._scenario.holds_unknown,
            ),
            transport=self.wire,
            tokens=SimulatedTokens(self._api, self._chance),
            journal=GroupingJournal(ledger, executor=InLoopExecutor(lambda: seconds * self._chance.random())),
            wall=lambda: 1_800_000_000.0 + loop.time(),
            roll=self._chance.random,
            report=self._report,
        )
        for moment in self._mishap.signals:
            loop.call_later(moment, self._signal)
        self._delivery = asyncio.create_task(self._deliver())
        self._delivery.add_done_callback(lambda _: self._news.set())
        await self._follow()
        self._account(ledger)

    async def _deliver(self) -> None:
        try:
            await self._dispatcher.run(grace=GRACE)
        except RunStopped as error:
            self.ending.error = error

    async def _follow(self) -> None:
        try:
            await self._read_lines()
        except RejectsAboveLimit as error:
            self.ending.error = error
        self._submit()
        self._dispatcher.end_input()
        while not self._delivery.done():
            await self._wait()
        self._delivery.result()
        self._settle()
        self._write_state()

    async def _read_lines(self) -> None:
        for line in self._lines:
            await asyncio.sleep(0)
            if self._chance.random() < self._scenario.silence:
                await self._wait(20 * self._chance.random())
            if self._is_over:
                return
            self._read += 1
            parts = line.parts(position=self._books.next_position)
            self._batch += parts
            self._books.enter(line.stream, parts)
            if len(self._batch) >= self._scenario.batch_rows:
                self._submit()
            while not self._checkpoint.has_room and not self._is_over:
                self._submit()
                self._dispatcher.note_reader_waits()
                await self._wait()
            if line.has_state:
                self._checkpoint.state(line.state)
            self._tick()
        self.ending.has_read_all = True

    @property
    def _is_over(self) -> bool:
        return self.ending.is_signalled or self._delivery.done()

    async def _wait(self, seconds: float = WAIT_SECONDS) -> None:
        if asyncio.get_running_loop().time() > self._ends_by:
            raise Endless
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            self._submit()
        self._news.clear()
        self._tick()

    def _submit(self) -> None:
        batch, self._batch = self._batch, []
        if self._delivery.done():
            self._outcomes.extend((part, Open(reason="never sent")) for part in batch)
        else:
            self._dispatcher.submit(batch)

    def _signal(self) -> None:
        self._trace.note("signal")
        self.ending.is_signalled = True
        self._dispatcher.stop()
        self._news.set()

    def _report(self, part: Part, outcome: Outcome) -> None:
        self._trace.note("outcome", part.origin.key, type(outcome).__name__)
        self._outcomes.append((part, outcome))
        self._news.set()

    def _settle(self) -> None:
        outcomes = [self._outcomes.popleft() for _ in range(len(self._outcomes))]
        self.ending.opened += sum(isinstance(outcome, Open) for _, outcome in outcomes)
        self._books.settle(outcomes)

    def _tick(self) -> None:
        self._settle()
        if asyncio.get_running_loop().time() - self._written_at >= STATE_SECONDS:
            self._write_state()

    def _write_state(self) -> None:
        self._written_at = asyncio.get_running_loop().time()
        value = self._checkpoint.take()
        if value is None or self.wire.is_cut:
            return
        covered = int(value.split(b":")[1].rstrip(b"}"))
        self._trace.note("STATE", covered)
        self.ending.states.append(covered)
        for line in self._scenario.lines[:covered]:
            for index in range(len(line.pieces)):
                if f"{line.number}.{index}" not in self._durable.concluded:
                    self.ending.faults.append(
                        f"STATE {covered} passes record {line.number}, part {index}, which is open."
                    )

    def _account(self, ledger: LedgerOfRun) -> None:
        counts, progress = ledger.counts(), self._dispatcher.progress
        receipt = Receipt(
            records=self._books.records(self._read),
            records_read=self._read,
            events=self._books.events,
            events_submitted=self._books.submitted,
            events_recorded=EventCounts(
                delivered=counts.delivered, invalid=counts.invalid, rejected=counts.rejected, held=counts.held
            ),
        )
        self.ending.faults += receipt.disagreements()
        if self.wire.most_in_doubt > self._scenario.max_concurrency:
            self.ending.faults.append(f"{self.wire.most_in_doubt} requests were in doubt at once.")
        if progress.unknown != counts.unknown:
            self.ending.faults.append(f"{progress.unknown} answers are lost, and the ledger counted {counts.unknown}.")
