"""One run of the program: the reader, the books, STATE and the whole of delivery, on a loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from target_driftrock.books import Books
from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.delivery.passage import Plan
from target_driftrock.errors import LedgerUnavailable, RejectsAboveLimit, RunStopped
from target_driftrock.events.event import Part
from target_driftrock.events.outcome import Open, Outcome
from target_driftrock.ledger.interface import Forgotten
from target_driftrock.ledger.journal import GroupingJournal
from target_driftrock.receipt import EventCounts, Receipt
from target_driftrock.settings import OnChanged
from target_driftrock.singer.checkpoint import Checkpoint
from tests.delivery.doubles import HeldToItsTable, InLoopExecutor
from tests.simulation.api import SimulatedApi, SimulatedTokens, Wire
from tests.simulation.ledger import LedgerOfRun, SimulatedLedger
from tests.simulation.scenario import API, Line, Mishap, Scenario
from tests.simulation.states import faults_of, killed
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


class Run:
    """The target's own loop, without threads and pipes."""

    def __init__(
        self,
        scenario: Scenario,
        mishap: Mishap,
        lines: Sequence[Line],
        *,
        on_changed: OnChanged | None,
        chance: random.Random,
        api: SimulatedApi,
        ledger: SimulatedLedger,
        trace: Trace,
    ) -> None:
        self._scenario = scenario
        self._mishap = mishap
        self._lines = lines
        self._on_changed = on_changed
        self._chance = chance
        self._api = api
        self._durable = ledger
        self._trace = trace
        self.wire = Wire(api, chance, trace)
        self.ending = Ending()
        self.look: Callable[[], Iterable[str]] = tuple
        """What is wrong inside, once there is something: between two steps, and when the process is dead."""
        self.look_back: Callable[[], Iterable[str]] = tuple
        self._checkpoint = Checkpoint(max_open=scenario.max_open, max_span=scenario.max_span, max_states=5)
        self._books = Books(self._checkpoint)
        self._batch: list[Part] = []
        self._outcomes: deque[tuple[Part, Outcome]] = deque()
        self._news = asyncio.Event()
        self._read = 0
        self._state: bytes | None = None
        """What is written once the disk has all that it passes."""
        self._is_secured = False
        self._state_due = 0.0

    async def main(self) -> None:
        """From the first line to the receipt."""
        loop = asyncio.get_running_loop()
        self._state_due = loop.time() + STATE_SECONDS
        self._ends_by = loop.time() + LONGEST
        ledger = LedgerOfRun(
            self._durable,
            is_cut=lambda: self.wire.is_cut,
            ends=self.wire.in_doubt.discard,
            fails_at=self._mishap.ledger_fails_at,
        )
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
            passage=HeldToItsTable,
        )
        self.look = partial(faults_of, self._dispatcher)
        self.look_back = partial(killed, self._dispatcher, self._durable.standing)
        for moment in self._mishap.signals:
            loop.call_later(moment, self._signal)
        self._delivery = asyncio.create_task(self._deliver())
        self._delivery.add_done_callback(lambda _: self._news.set())
        await self._follow(ledger)
        self._account(ledger)
        self._leave(ledger)

    async def _deliver(self) -> None:
        try:
            await self._dispatcher.run(grace=GRACE)
        except RunStopped as error:
            self.ending.error = error

    async def _follow(self, ledger: LedgerOfRun) -> None:
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
        self._write_last_state(ledger)

    async def _read_lines(self) -> None:
        for line in self._lines:
            await asyncio.sleep(0)
            if self._chance.random() < self._scenario.silence:
                await self._wait(20 * self._chance.random())
            if self._is_over:
                return
            self._read += 1
            parts = line.parts(position=self._books.next_position, on_changed=self._on_changed)
            self._batch += parts
            self._books.enter(line.stream, parts, row=line.row)
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
        self._follow_state()

    def _follow_state(self) -> None:
        """As the real run does: the disk has what a STATE passes before it is written, and nobody waits for that."""
        if self._state is not None:
            if self._is_secured:
                self._write_state(self._state)
            return
        if asyncio.get_running_loop().time() < self._state_due:
            return
        self._state = self._checkpoint.take()
        if self._state is not None:
            self._is_secured = False
            self._dispatcher.secure(self._note_secured)

    def _note_secured(self) -> None:
        self._is_secured = True

    def _write_last_state(self, ledger: LedgerOfRun) -> None:
        value = self._checkpoint.take() or self._state
        if isinstance(self.ending.error, LedgerUnavailable):
            return
        try:
            ledger.secure()
        except LedgerUnavailable as error:
            self.ending.error = self.ending.error or error
            return
        if value is not None:
            self._write_state(value)

    def _write_state(self, value: bytes) -> None:
        self._state = None
        self._state_due = asyncio.get_running_loop().time() + STATE_SECONDS
        if self.wire.is_cut:
            return
        covered = int(value.split(b":")[1].rstrip(b"}"))
        self._trace.note("STATE", covered)
        self.ending.states.append(covered)
        for label in self._open_before(covered):
            self.ending.faults.append(f"STATE {covered} passes {label}, which is open, or not on the disk yet.")

    def _open_before(self, covered: int) -> Iterator[str]:
        """Of records that this run has not read either form will do."""
        read = {line.number: line for line in self._lines}
        for line in self._scenario.lines[:covered]:
            forms = [read[line.number]] if line.number in read else line.forms
            not_safe = [[label for label in form.labels if not self._durable.is_secured(label)] for form in forms]
            yield from min(not_safe, key=len)

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

    def _leave(self, ledger: LedgerOfRun) -> None:
        """What was read again from kept rows, and is settled, goes."""
        done = [Forgotten(row, is_change=is_change) for row, is_change in self._books.rows_done.items()]
        with contextlib.suppress(LedgerUnavailable):
            ledger.commit(done)
