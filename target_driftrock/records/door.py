"""The door for records, on which every front stands: open a stream with its SCHEMA and key, and put its records.

A record becomes parts, the parts go to delivery, and what comes back is tallied. A front adds where its records come
from, and what it tells its source of those that are resolved.
"""

from __future__ import annotations

import logging
import resource
import signal
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import msgspec

from target_driftrock.delivery.door import WAIT_SECONDS, Delivery, resources_of
from target_driftrock.errors import (
    ENOUGH_FILES,
    Defect,
    ExitCode,
    LedgerUnavailable,
    NoFile,
    RejectsAboveLimit,
    RunStopped,
    SettingsInvalid,
    SourceFailed,
)
from target_driftrock.events.columns import deletion
from target_driftrock.events.event import Origin
from target_driftrock.events.outcome import Open
from target_driftrock.ledger.interface import Counts
from target_driftrock.mapping.compiler import named, template_faults
from target_driftrock.mapping.masking import Mask
from target_driftrock.mapping.ways import forgotten, mended
from target_driftrock.receipt import EventCounts, Receipt
from target_driftrock.records.batch import Batch
from target_driftrock.records.ending import (
    MISNAMED,
    NEXT_RUN,
    causes_of,
    doubts,
    exit_code,
    gravest,
    rows_waiting,
    say_end,
    settled,
)
from target_driftrock.records.lines import read_line, record_line, schema_line
from target_driftrock.records.stream import RecordStream, record_digest
from target_driftrock.records.tally import FIRST_INVALID, Nobody, Tally
from target_driftrock.settings import Settings, parse
from target_driftrock.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from target_driftrock.events.event import Part
    from target_driftrock.events.identity import Way
    from target_driftrock.ledger.interface import RunLedger
    from target_driftrock.mapping.stream import CompiledStream
    from target_driftrock.records.tally import Follower

log = logging.getLogger(__name__)

BATCH_SECONDS = 4.0
"""A half-full batch is looked at once a second, and must not wait for more than five."""
OPEN_BYTES = 16 * 1024 * 1024
"""What may be open at once, beside the bound on records: some 7,000 of one kilobyte, or eight of one megabyte."""
PERCENTILES = (50, 95, 99)


def _never() -> bool:
    return False


class Records:
    """One run: records in, a receipt out. All methods are for one thread.

    As a context manager it is a run by itself: it begins with the `with`, and where that ends all that was put is
    delivered and accounted for, also after an exception; what stopped the run is raised there. What asks for the end
    of the process (KeyboardInterrupt, SystemExit) ends the delivery too: only what is in flight may finish.
    A front that has more to do at each of these steps calls them.

    Settings are a mapping, as a settings file has it; what only a run of the Singer target can do is refused in it.

    `follower` is told which records are resolved. `is_stopped` says whether something outside asks for the end.
    `tick` is called while a record waits for room, and must call `Records.tick`.
    """

    def __init__(
        self,
        settings: Settings | Mapping[str, Any],
        *,
        delivery: Delivery | None = None,
        follower: Follower | None = None,
        is_stopped: Callable[[], bool] = _never,
        tick: Callable[[], None] | None = None,
        first_invalid: float = FIRST_INVALID,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(settings, Settings):
            settings = _parsed(settings)
        self.settings = settings
        self._delivery = delivery or Delivery(partial(resources_of, settings))
        self._follower = follower or Nobody()
        self._is_stopped = is_stopped
        self._tick = tick or self.tick
        self.batch = Batch(clock)
        self.tally = Tally(self._follower, mask=Mask(said=named(settings.mappings)), first_invalid=first_invalid)
        self._has_ended = False
        self.receipt: Receipt | None = None
        """The accounts, once the run has ended."""
        self.causes: list[RunStopped] = []
        """All that ended it, once it has."""
        self._ways_unjudged: list[CompiledStream] = []
        self._ways_forgotten: dict[Way, Way | None] = {}
        """Of which all may be sent again, each with what took its place."""

    # By itself.

    def __enter__(self) -> Self:
        self.demand_open()
        try:
            self.start()
        except BaseException:
            self._delivery.give_up()  # the ledger may be ours, and no thread to be had
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_cut_short = not (error is None or isinstance(error, Exception))
        causes = [] if error is None or is_cut_short else [error if isinstance(error, RunStopped) else SourceFailed()]
        try:
            causes += causes_of(lambda: self.deliver_rest(is_cut_short=is_cut_short), self.raise_failure)
            received = signal.SIGINT if isinstance(error, KeyboardInterrupt) else None
            self.conclude(causes, read=self.tally.next_position - 1, was_read=error is None, received=received)
        finally:
            self._delivery.give_up()
        if self.causes and error is None:
            raise gravest(self.causes)

    def stream(self, name: str, *, schema: Mapping[str, Any], key: Sequence[str] = ()) -> OpenStream:
        """A stream whose records can be put. `schema` is a JSON Schema, `key` the names of its key properties.

        Raises:
            SettingsInvalid: No mapping goes with it, or an argument is of another kind.
        """
        self.demand_open()
        if faults := misgiven(name, key=key):
            raise SettingsInvalid(faults)
        line = schema_line(name, schema=schema, key_properties=key)  # first, as a SCHEMA within itself ends here
        opened = RecordStream(
            self.settings, name, schema={"properties": {}, **schema}, key_properties=key, unread=self.tally.unread
        )
        for warning in opened.warnings:
            log.warning("%s", warning)
        self.judge_ways([opened.mapper])
        return OpenStream(self, opened, line=line)

    def demand_open(self) -> None:
        """Raise a RuntimeError where the run has ended: what is put then would be sent by nobody."""
        if self._has_ended:
            raise RuntimeError("This run has ended: make another Records for another run.")

    # While records come.

    def start(self) -> bool:
        """Take the ledger, and begin to deliver. May be called twice. False if it was stopped before it was taken.

        See `Delivery.start` for what is raised; and a NoFile where this process may open too few.
        """
        if self._delivery.is_started:
            return True
        _demand_files()
        return self.hold() and self._delivery.start(is_stopped=self._is_stopped)

    def hold(self) -> bool:
        """Take the ledger, and hold the mappings against it. May be called twice. False if it was stopped before.

        See `Delivery.start` for what is raised; and a SettingsInvalid where deliveries are known by other identities.
        """
        is_held = self.ledger is not None
        if not self._delivery.hold(is_stopped=self._is_stopped):
            return False
        if self.ledger is not None and self.ledger.is_new and not is_held:
            log.info("The ledger is new: it knows of no delivery, so whatever comes is sent.")
        unjudged, self._ways_unjudged = self._ways_unjudged, []
        self.judge_ways(unjudged)
        return True

    @property
    def delivery(self) -> Delivery:
        """The door below."""
        return self._delivery

    @property
    def ledger(self) -> RunLedger | None:
        """This run's hold on its ledger, once it was taken."""
        return self._delivery.ledger

    @property
    def next_position(self) -> int:
        """The number of the next record."""
        return self.tally.next_position

    def judge_ways(self, streams: Sequence[CompiledStream]) -> None:
        """Before anything of a stream is sent: whether its events are known by the identities that they have now.

        Raises:
            SettingsInvalid: They were delivered under others, and the mapping does not say how these were made.
        """
        if self.ledger is None:
            self._ways_unjudged += streams  # by `start`, before anything is sent
            return
        known = self.ledger.ways
        faults = [fault for stream in streams for fault in mended(known, stream)]
        if faults:
            raise SettingsInvalid(faults)
        for stream in streams:
            self._ways_forgotten.update(forgotten(known, stream))

    def enter(
        self, stream: str, parts: Sequence[Part], *, kept_row: str | None = None, is_deletion: bool = False
    ) -> None:
        """A record was read, and became these parts, which are in the batch. Waits while there is no room for more.

        See `Tally.enter`, also for what is raised.
        """
        self.tally.enter(stream, parts, kept_row=kept_row, is_deletion=is_deletion)
        if len(self.batch) >= self.settings.batch_size_rows:
            self.submit()
        while self._must_wait():
            self.submit()
            self._delivery.wait_for_room(WAIT_SECONDS)
            self._tick()

    def submit(self) -> None:
        """Hand the batch over to delivery."""
        if len(self.batch) and self.start():
            self._delivery.submit(self.batch.take())

    def tick(self) -> None:
        """Take note of what was settled, and let no part wait for too long. To be called about once a second."""
        if self.batch.age >= BATCH_SECONDS:
            self.submit()
        self.tally.settle(self._delivery.take_outcomes())

    def is_over(self) -> bool:
        """Whether nothing more is to be read."""
        is_dead = self._delivery.is_started and not self._delivery.is_running
        return self._is_stopped() or is_dead or self._is_limit_reached

    def _must_wait(self) -> bool:
        """Whether something has to be settled before another record is read."""
        return not (self._may_read() or self.is_over())

    def _may_read(self) -> bool:
        if not self._follower.has_room or self.tally.open_bytes >= OPEN_BYTES:
            return False
        limit = self.settings.pace.max_events
        if limit is None:
            return True
        undecided = self.tally.submitted - self._delivery.statistics.decided  # read before the first requests
        return self._delivery.statistics.first_requests + undecided < limit

    @property
    def _is_limit_reached(self) -> bool:
        limit = self.settings.pace.max_events
        return limit is not None and self._delivery.statistics.first_requests >= limit

    # A partition of a job, which is accounted for elsewhere.

    def account(self) -> bytes:
        """What became of all that was put, once delivery has ended; another run can `absorb` it."""
        self._delivery.end()
        self.tally.settle((part, Open(reason="never sent")) for part in self.batch.take())
        self.tally.settle(self._delivery.take_outcomes())
        told = {
            "tally": self.tally.as_json(),
            "statistics": self._delivery.statistics.as_json(),
            "token_requests": self._delivery.token_requests,
        }
        return msgspec.json.encode(told)

    def absorb(self, account: bytes) -> None:
        """Account for what another process has delivered."""
        told = msgspec.json.decode(account)
        self.tally.absorb(told["tally"])
        self._delivery.absorb(told["statistics"], token_requests=told["token_requests"])

    # When no more records come.

    def deliver_rest(self, *, is_cut_short: bool = False, stops: Callable[[], int] = lambda: 0) -> None:
        """Until all is settled, or delivery has stopped.

        `is_cut_short`: what is in flight may finish, and nothing more begins. `stops` says how often the end was asked
        for meanwhile: the second time, what is in flight is not waited for either. Afterwards the disk has what was
        done, unless the ledger was lost.

        Raises:
            LedgerUnavailable: The disk does not have it.
        """
        self.submit()
        if not self._delivery.is_started:
            return
        if not (is_cut_short or stops()):
            self._delivery.end_input()
        stops_told = 0
        while self._delivery.is_running:
            while stops_told < max(stops(), is_cut_short):
                self._delivery.stop()
                stops_told += 1
            self._delivery.wait(WAIT_SECONDS)
            self._tick()
        self.tally.settle(self._delivery.take_outcomes())
        if self.ledger is not None and not isinstance(self._delivery.failure, LedgerUnavailable):
            self.ledger.secure()  # delivery has ended, so it is this thread's

    def raise_failure(self) -> None:
        """Raise what stopped delivery, if anything did."""
        if self._delivery.failure is not None:
            raise self._delivery.failure

    def conclude(
        self, causes: Sequence[RunStopped], *, read: int, was_read: bool, received: signal.Signals | None = None
    ) -> int:
        """Account for all, keep the receipt, let go of the ledger, and say how the run ended; its exit code.

        `causes` are what is known of that; `read` is the number of records, those that never got here included;
        `was_read`, whether reading came to the end of the input; `received`, the signal that ended it.
        """
        self._delivery.end()
        self.tally.settle((part, Open(reason="never sent")) for part in self.batch.take())
        is_complete = was_read and not causes
        self.causes = causes = [*causes, *self._judge(causes, is_stopped=received is not None)]
        self.receipt = self._receipt(read)
        causes += [Defect(f"The accounts do not close: {fault}") for fault in self.receipt.disagreements()]
        for line in self.receipt.lines():
            log.info("%s", line)
        for doubt in doubts(self.tally):
            log.warning("%s", doubt)
        self._has_ended = True
        code = exit_code(causes, received=received)
        waiting = self._leave_ledger(code, self.receipt, is_complete=is_complete)
        if not was_read and self._is_limit_reached and not self._is_stopped():
            sent = counted(self._delivery.statistics.first_requests, "event")
            log.info("Reading ended after %s, as max_events says; %s.", sent, NEXT_RUN)
        refused, held = self.tally.refusals.total(), self.tally.held.total()
        otherwise = settled(read=read, refused=refused, held=held, are_rows_waiting=bool(waiting))
        say_end(code, causes, received=received, otherwise=otherwise, waiting=waiting)
        return code

    def _judge(self, causes: Sequence[RunStopped], *, is_stopped: bool) -> list[RunStopped]:
        """Whether too much was refused: judged once, where the whole input was read."""
        if is_stopped or any(cause.exit_code is not ExitCode.INPUT for cause in causes):
            return []
        over = self.tally.over(self.settings.keeping.max_reject_percent)
        return [RejectsAboveLimit(_OVER.format(shares="; ".join(over)))] if over else []

    def _leave_ledger(self, code: int, receipt: Receipt, *, is_complete: bool) -> str:
        """Keep the receipt, take away what is settled after all, and let go; how many rows wait, in words."""
        ledger = self.ledger
        if ledger is None:
            return ""
        waiting = ""
        try:
            ledger.commit(list(self.tally.rows_done) if is_complete else [])  # else another line may bear a row's key
            if misnamed := ledger.misnamed:
                log.warning(MISNAMED, counted(misnamed, "kept row"))
            ledger.forget_ways(self._ways_forgotten)
            waiting = rows_waiting(*ledger.rejects_waiting(), filtered=self.tally.rows_filtered)
            ledger.finish(exit_code=code, receipt=receipt.as_json())
            self._prune(ledger)
        except LedgerUnavailable as lost:
            log.warning("The receipt could not be kept: %s", lost)
        finally:
            self._delivery.close()
        return waiting

    def _prune(self, ledger: RunLedger) -> None:
        days = self.settings.keeping.ledger_retention_days
        while days is not None and not self._is_stopped() and ledger.prune(days=days):
            pass

    def _receipt(self, read: int) -> Receipt:
        statistics, recorded = self._delivery.statistics, self._recorded()
        cut_off = Counts() if recorded is None or self.ledger is None else self.ledger.cut_off
        return Receipt(
            records=self.tally.records(read),
            records_read=read,
            events=self.tally.events,
            events_submitted=self.tally.submitted,
            events_recorded=recorded and recorded[0],
            unknown_recorded=recorded and recorded[1] + cut_off.unknown,
            records_by_stream=self.tally.records_by_stream,
            events_by_line=self.tally.events_by_line,
            latencies={f"p{percent}": statistics.percentile(percent) * 1000 for percent in PERCENTILES}
            if statistics.latencies
            else {},
            refusals=self.tally.refusals,
            held=self.tally.held,
            changes=self.tally.changes,
            changes_sent=self.tally.changes_sent,
            without_identity=self.tally.without_identity,
            unread=self.tally.unread,
            retries=statistics.retries,
            unknown=statistics.unknown + cut_off.unknown,
            delivered_before=cut_off.delivered,
            token_requests=self._delivery.token_requests,
            seconds=statistics.seconds,
            is_ledger_new=self.ledger is not None and self.ledger.is_new,
        )

    def _recorded(self) -> tuple[EventCounts, int] | None:
        """Outcomes, and lost answers, as the ledger has counted them."""
        if self.ledger is None:
            return None
        try:
            counts = self.ledger.counts()
        except LedgerUnavailable:
            return None
        recorded = EventCounts(
            delivered=counts.delivered, invalid=counts.invalid, rejected=counts.rejected, held=counts.held
        )
        return recorded, counts.unknown


def _demand_files() -> None:
    """Here, since what opens one in another thread fails there in as many ways as there are libraries."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < ENOUGH_FILES:
        raise NoFile


def _parsed(given: Mapping[str, Any]) -> Settings:
    """Settings for who puts records: what would be passed over in silence is a fault."""
    if not isinstance(given, Mapping):
        raise SettingsInvalid([_NO_MAPPING])
    faults = [f"{name}: {reason}." for name, reason in _OF_THE_PIPE.items() if given.get(name)]
    if faults:
        raise SettingsInvalid(faults)
    return parse(given, template_faults=template_faults)


def misgiven(stream: object, **names: object) -> list[str]:
    """Which of these arguments is no stream's name, or no list of columns' names; a sentence each."""
    faults = [] if isinstance(stream, str) else ["stream: give a stream's name, as the mappings have it."]
    return faults + [_NO_NAMES.format(argument=argument) for argument, given in names.items() if not _are_names(given)]


def _are_names(given: object) -> bool:
    if not isinstance(given, Sequence) or isinstance(given, str):
        return False
    return all(isinstance(each, str) for each in given)


class OpenStream:
    """A stream whose records can be put, a mapping of names to values each."""

    def __init__(self, records: Records, stream: RecordStream, *, line: bytes) -> None:
        self._records = records
        self._stream = stream
        self._line = line

    @property
    def compiled(self) -> CompiledStream:
        """The mappings of this stream, under its SCHEMA."""
        return self._stream.mapper

    def put(self, record: Mapping[str, Any]) -> None:
        """Take a record, and wait while too much is open. What becomes of it is told by the receipt.

        A batch that is not full waits for the next record, or for `Records.submit`.

        Raises:
            RuntimeError: The run has ended.
            InputInvalid: JSON cannot say what it holds.
            RejectsAboveLimit: It is the tenth of its stream, and all ten are invalid.
            RunStopped: Delivery has stopped, and takes nothing more.
        """
        self._demand_open()
        self._take(*record_line(self._stream.name, record, position=self._records.next_position))

    def put_line(self, line: bytes) -> None:
        """As `put`, of a record that another process has written by `record_line`."""
        self._demand_open()
        self._take(line, read_line(line))

    def _demand_open(self) -> None:
        self._records.demand_open()
        self._records.raise_failure()

    def _take(self, raw: bytes, read: dict[str, Any]) -> None:
        records, name = self._records, self._stream.name
        origin = Origin(
            position=records.next_position,
            stream=name,
            record=raw,
            schema=self._line,
            digest=record_digest(read, raw),
        )
        deleted_by = deletion(read)
        is_deletion = deleted_by is not None and not self._stream.asks_for(deleted_by)
        part = None if is_deletion else self._stream.part(read, origin)
        if part is not None:
            records.batch.add(part)
        records.enter(name, [] if part is None else [part], is_deletion=is_deletion)
        records.tick()


_OF_THE_PIPE = {
    "stream_maps": "they are for a tap's records: change yours before you put them, and take it away",
    "flattening_enabled": "flattening is for a tap's records: name what is nested by its path, and take it away",
    "max_events": "it ends the reading of an input: put as many records as are to be sent (of a DataFrame, "
    "`df.limit(n)`), and take it away",
}
_NO_MAPPING = "settings: give a mapping of names to values, as a settings file has it, and no file's name."
_NO_NAMES = '{argument}: give a list of columns\' names, such as ["id"].'
_OVER = (
    "More was refused than max_reject_percent allows: {shares}. All of it is kept: see `target-driftrock rejects`, "
    "mend the cause, and send it again."
)
