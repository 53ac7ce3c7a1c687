"""One run of the program: the target's own loop, door and delivery, over a made-up tap, API and ledger."""

from __future__ import annotations

import logging
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.delivery.door import Delivery, Resources
from target_driftrock.delivery.pending import DeliveryConfig
from target_driftrock.errors import Defect, RejectsAboveLimit
from target_driftrock.events.event import Part
from target_driftrock.ledger.threaded import LedgerThread
from target_driftrock.records import Records
from target_driftrock.settings import Api, ApiKey, Environment, Keeping, OnChanged, Pace, Patience, Settings
from target_driftrock.singer.checkpoint import Checkpoint
from target_driftrock.singer.loop import Loop
from target_driftrock.singer.messages import Record, Schema, State
from tests.delivery.doubles import HeldToItsTable, InLoopExecutor
from tests.simulation.api import SimulatedApi, SimulatedTokens, Wire
from tests.simulation.ledger import LedgerOfRun, SimulatedLedger
from tests.simulation.scenario import API, Line, Mishap, Scenario
from tests.simulation.states import faults_of, killed
from tests.simulation.trace import Trace
from tests.simulation.worker import VirtualWorker
from tests.virtual_time import VirtualLoop

GRACE = 15.0
TICK_SECONDS = 1.0
LONGEST = 10_000.0
"""Seconds that a run may take, outages and the tap's silences included."""


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


@dataclass(kw_only=True)
class Stops:
    """The signals that have come."""

    received: signal.Signals | None = None
    count: int = 0


class Run:
    """What the program puts together, with other things at its edges."""

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
        self._stops = Stops()
        self.wire = Wire(api, chance, trace)
        self.ending = Ending()
        self.look: Callable[[], Iterable[str]] = tuple
        """What is wrong inside, once there is something: between two steps, and when the process is dead."""
        self.look_back: Callable[[], Iterable[str]] = tuple

    def main(self, loop: VirtualLoop) -> None:
        """From the first line to the receipt."""
        checkpoint = Checkpoint(max_open=self._scenario.max_open, max_span=self._scenario.max_span, max_states=5)
        worker = VirtualWorker(loop, self._chance, longest=LONGEST)
        self._delivery = Delivery(partial(self._resources, loop), grace=GRACE, worker=worker)
        records = Records(
            _settings(self._scenario),
            delivery=self._delivery,
            follower=checkpoint,
            is_stopped=lambda: self._stops.count > 0,
            tick=lambda: front.tick(),  # noqa: PLW0108 - which is made of these records
            clock=loop.time,
        )
        mapped = _Mapped(records, self._on_changed)
        front = Loop(records, mapped, checkpoint, stops=self._stops, write=self._write_state, clock=loop.time)
        tap = _Tap(self._lines, self._scenario, self._chance, worker, records=records, tick=front.tick, clock=loop.time)
        for moment in self._mishap.signals:
            loop.call_later(moment, self._signal)
        with _defects_told(self.ending.faults):
            front.run(tap, None)
        self._judge(records, tap)

    def _resources(self, loop: VirtualLoop) -> Resources:
        ledger = LedgerOfRun(
            self._durable,
            is_cut=lambda: self.wire.is_cut,
            ends=self.wire.in_doubt.discard,
            fails_at=self._mishap.ledger_fails_at,
        )
        seconds = self._scenario.commit_seconds
        executor = InLoopExecutor(lambda: seconds * self._chance.random())
        return Resources(
            config=DeliveryConfig(
                api=API,
                max_concurrency=self._scenario.max_concurrency,
                max_outage=self._scenario.max_outage,
                holds_unknown=self._scenario.holds_unknown,
            ),
            tokens=SimulatedTokens(self._api, self._chance),
            hold=lambda _: ledger,
            open_transport=lambda: self.wire,
            in_thread=partial(LedgerThread, executor=executor),
            wall=lambda: 1_800_000_000.0 + loop.time(),
            roll=self._chance.random,
            make_dispatcher=self._dispatcher,
        )

    def _dispatcher(self, **given: Any) -> Dispatcher:
        """The program's own, looked into."""
        dispatcher = Dispatcher(**given, pending=HeldToItsTable)
        self.look = partial(faults_of, dispatcher)
        self.look_back = partial(killed, dispatcher, self._durable.standing)
        return dispatcher

    def _signal(self) -> None:
        self._trace.note("signal")
        self._stops.received = signal.SIGTERM
        self._stops.count += 1

    def _write_state(self, value: bytes, *, is_hurried: Callable[[], bool]) -> None:
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

    def _judge(self, records: Records, tap: _Tap) -> None:
        ending = self.ending
        ending.error = next(iter(records.causes), None)
        ending.faults += [str(cause) for cause in records.causes if isinstance(cause, Defect)]
        ending.is_signalled = self._stops.count > 0
        ending.has_read_all = tap.has_read_all
        ending.opened = records.tally.events.open
        if self.wire.most_in_doubt > self._scenario.max_concurrency:
            ending.faults.append(f"{self.wire.most_in_doubt} requests were in doubt at once.")


class _Tap:
    """Hands over the lines of a story, with silences between them. See `reader.Reader`."""

    place: tuple[int, int] | None = None

    def __init__(
        self,
        lines: Sequence[Line],
        scenario: Scenario,
        chance: random.Random,
        worker: VirtualWorker,
        *,
        records: Records,
        tick: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._lines = lines
        self._scenario = scenario
        self._chance = chance
        self._worker = worker
        self._records = records
        self._tick = tick
        self._clock = clock
        self._due = clock() + TICK_SECONDS
        self.counts: Counter[str] = Counter()
        self.was_stopped = False
        self.has_read_all = False

    def process_lines(self, _: object, callbacks: Mapping[str, Callable[..., None]]) -> Counter[str]:
        """Each line, and the STATE behind it."""
        for line in self._lines:
            self._worker.turn()
            if self._chance.random() < self._scenario.silence:
                self._fall_silent(20 * self._chance.random())
            if self._records.is_over():
                self.was_stopped = True
                return self.counts
            self._tick_if_due()
            self.counts["RECORD"] += 1
            callbacks["RECORD"](_record(line))
            if line.has_state:
                callbacks["STATE"](State(line=line.number, value=line.state))
        self.has_read_all = not self._records.is_over()
        self.was_stopped = not self.has_read_all
        return self.counts

    def _fall_silent(self, seconds: float) -> None:
        until = self._clock() + seconds
        while self._clock() < until and not self._records.is_over():
            self._worker.pause(min(TICK_SECONDS, until - self._clock()))
            self._tick_if_due()

    def _tick_if_due(self) -> None:
        if self._clock() >= self._due:
            self._due = self._clock() + TICK_SECONDS
            self._tick()


def _record(line: Line) -> Record:
    return Record(line=line.number, stream=line.stream, record={"line": line}, raw=b"{}", kept_row=line.row)


class _Mapped:
    """Makes of a line the parts that the story has of it. See `streams.Streams`."""

    def __init__(self, records: Records, on_changed: OnChanged | None) -> None:
        self._batch = records.batch
        self._on_changed = on_changed

    def take_schema(self, message: Schema, *, judge: Callable[..., object]) -> list[str]:
        """Lines have none."""
        return []

    def map(self, message: Record, *, position: int) -> list[Part]:
        """Put the parts into the batch, and give them."""
        parts: list[Part] = message.record["line"].parts(position=position, on_changed=self._on_changed)
        for part in parts:
            self._batch.add(part)
        return parts

    def filters_deletion(self, message: Record) -> bool:
        """No line says that its row was deleted."""
        return False

    def unmet_stream_maps(self) -> list[str]:
        """There are none."""
        return []

    def idle_mappings(self) -> list[str]:
        """There are none."""
        return []


def _settings(scenario: Scenario) -> Settings:
    return Settings(
        api=Api(environment=Environment.SANDBOX, url="http://127.0.0.1:1"),
        credentials=ApiKey(key="key"),
        pace=Pace(max_concurrency=scenario.max_concurrency),
        patience=Patience(max_outage=scenario.max_outage),
        keeping=Keeping(ledger="nowhere"),
        mappings=(),
        batch_size_rows=scenario.batch_rows,
    )


class _defects_told:  # noqa: N801 - used as a function
    """Has the traceback of a defect of ours among the faults; else all that would be logged is for nobody."""

    def __init__(self, faults: list[str]) -> None:
        self._handler = _Defects(faults)
        self._logger = logging.getLogger("target_driftrock")

    def __enter__(self) -> None:
        self._level = self._logger.level
        self._logger.setLevel(logging.CRITICAL)
        self._logger.addHandler(self._handler)

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self._handler)
        self._logger.setLevel(self._level)


class _Defects(logging.Handler):
    def __init__(self, faults: list[str]) -> None:
        super().__init__(logging.CRITICAL)
        self._faults = faults

    def emit(self, record: logging.LogRecord) -> None:
        self._faults.append(self.format(record))
