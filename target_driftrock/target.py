"""The Singer target: wiring, the life of a run, the shared batch. The only writer of STATE."""

from __future__ import annotations

import logging
import os
import random
import sys
import time
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING, Any, ClassVar, NoReturn

from singer_sdk.exceptions import RecordsWithoutSchemaException
from singer_sdk.target_base import Target

from target_driftrock.auth import tokens_for
from target_driftrock.books import Books
from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.delivery.handoff import Handoff
from target_driftrock.delivery.passage import Plan
from target_driftrock.delivery.transport import HttpTransport
from target_driftrock.errors import (
    Defect,
    ExitCode,
    InputInvalid,
    LedgerUnavailable,
    RejectsAboveLimit,
    RunStopped,
    SettingsInvalid,
    SetupRefused,
    StateUnread,
)
from target_driftrock.events.event import Origin
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.interface import Forgotten
from target_driftrock.ledger.journal import GroupingJournal
from target_driftrock.mapping.compiler import template_faults
from target_driftrock.network import SANDBOX_MISSING, Network, connection_fault
from target_driftrock.receipt import EventCounts, Receipt
from target_driftrock.settings import Environment, OnUnknown, config_jsonschema, from_environment, parse, sdk_config
from target_driftrock.singer.checkpoint import Checkpoint
from target_driftrock.singer.reader import Reader
from target_driftrock.singer.stream_maps import unmet
from target_driftrock.sinks import MAP_FAILED, Batch, DriftrockSink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from singer_sdk.mapper import StreamMap

    from target_driftrock.events.event import Part
    from target_driftrock.events.outcome import Outcome
    from target_driftrock.ledger.durable import DurableLedger
    from target_driftrock.settings import StreamMapping
    from target_driftrock.signals import Signals
    from target_driftrock.singer.messages import ActivateVersion, Record, Schema, State

log = logging.getLogger(__name__)

STATE_SECONDS = 5.0
BATCH_SECONDS = 4.0
"""A half-full batch is looked at once a second, and must not wait for more than five."""
WAIT_SECONDS = 0.5
GRACE_SECONDS = 15.0
"""How long requests in flight may still take when a run stops."""
PERCENTILES = (50, 95, 99)
PRECEDENCE = (
    ExitCode.DEFECT,
    ExitCode.STATE_UNREAD,
    ExitCode.SETTINGS,
    ExitCode.SETUP,
    ExitCode.TRY_LATER,
    ExitCode.INPUT,
    ExitCode.REJECTS,
)
"""Which cause a run is said to have ended by, where there are several."""


class TargetDriftrock(Target):
    """Sends the records of any Singer tap to Driftrock as events."""

    name = "target-driftrock"
    config_jsonschema: ClassVar[dict[str, Any]] = config_jsonschema()
    default_sink_class = DriftrockSink

    def __init__(
        self,
        *,
        config: Mapping[str, Any] | None = None,
        parse_env_config: bool = False,
        signals: Signals | None = None,
        **_: Any,
    ) -> None:
        given = dict(config or {}) | (from_environment(os.environ) if parse_env_config else {})
        self.settings = parse(given, template_faults=template_faults)
        self.batch = Batch()
        self._signals = signals
        self._checkpoint = Checkpoint()
        self._books = Books(self._checkpoint)
        self._schema_lines: dict[str, bytes] = {}
        self._streams: set[str] = set()
        self._network = Network.from_environment(self.settings.api, os.environ)
        self._tokens = tokens_for(self.settings.credentials, self._network)
        self._ledger: DurableLedger | None = None
        self._handoff = Handoff(self._open_dispatcher, grace=GRACE_SECONDS)
        self._state_written_at = time.monotonic()
        self._reader = Reader(
            wake_fd=None if signals is None else signals.wake_fd, is_stopped=self._is_over, tick=self._tick
        )
        super().__init__(
            config=sdk_config(given), validate_config=False, setup_mapper=False, message_reader=self._reader
        )
        self.max_parallelism = 1
        self._set_up_mapper()

    # What the SDK asks for.

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Nothing: the table of settings has those of the SDK's settings that do something here."""

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002 - the SDK's signature
        """Nothing: `settings.parse` has judged all, and the SDK's messages show values."""
        return []

    def _setup_signal_handlers(self) -> None:
        """None: the SDK's drain inside the handler, write the newest STATE, and end with 0."""

    def _set_up_mapper(self) -> None:
        try:
            self.setup_mapper()
        except Exception:  # noqa: BLE001 - many kinds, with expressions in their texts
            raise SettingsInvalid([_MAPS_INVALID]) from None

    # What the sinks and the commands ask for.

    @property
    def mappings(self) -> Sequence[StreamMapping]:
        """The settings' mappings, in their order."""
        return self.settings.mappings

    def submit(self) -> None:
        """Hand the shared batch over to delivery."""
        parts = self.batch.take()
        if parts:
            self.start()
            self._handoff.submit(parts)

    def map_record(self, message: Record) -> list[Part]:
        """Put the parts that a record becomes into the shared batch, and give them: none if it is filtered.

        Raises:
            RecordsWithoutSchemaException: No SCHEMA of its stream was read.
        """
        if message.stream not in self._schema_lines:
            raise RecordsWithoutSchemaException(_NO_SCHEMA.format(line=message.line))
        origin = Origin(
            position=self._books.next_position,
            stream=message.stream,
            record=message.raw,
            schema=self._schema_lines[message.stream],
            row=message.row,
        )
        before = len(self.batch)
        for stream_map in self.mapper.stream_maps[message.stream]:
            self._map(stream_map, message, origin)
        return self.batch.since(before)

    def take_schema(self, message: Schema) -> list[str]:
        """Compile what maps its stream from here on; what a person should know of that, a sentence each.

        Raises:
            SettingsInvalid: The mapping, or a stream map, does not go with it. The stream is left without a SCHEMA.
        """
        self._process_schema_message(message)
        sinks = (self._sinks_active[each.stream_alias] for each in self.mapper.stream_maps[message.stream])
        return [warning for sink in sinks if isinstance(sink, DriftrockSink) for warning in sink.warnings]

    def unmet_stream_maps(self) -> list[str]:
        """What is wrong with `stream_maps` if no further stream comes, a sentence each."""
        return unmet(self.config.get("stream_maps", {}), self._streams)

    def _map(self, stream_map: StreamMap, message: Record, origin: Origin) -> None:
        sink = self.get_sink(stream_map.stream_alias)
        assert isinstance(sink, DriftrockSink)  # noqa: S101 - `default_sink_class`
        if message.fault is not None:
            self.batch.add(sink.refusal(sink.keyed(message.record, origin), message.fault))
            return
        try:
            record = stream_map.transform(message.record)
        except Exception:  # noqa: BLE001 - an expression can fail in any way, and its text holds values
            self.batch.add(sink.refusal(sink.keyed(message.record, origin), MAP_FAILED))
            return
        if record is not None:
            sink.process_record(record, {"origin": origin})

    # Messages, in the order read. They are our reader's values, not the SDK's dictionaries.

    def _process_schema_message(self, message: Schema) -> None:  # type: ignore[override]
        schema = {"properties": {}, **message.schema}
        self._streams.add(message.stream)
        self._schema_lines.pop(message.stream, None)
        try:
            super()._process_schema_message(
                {"stream": message.stream, "schema": schema, "key_properties": list(message.key_properties)}
            )
        except Exception as fault:
            self.mapper.stream_maps.pop(message.stream, None)  # else it would count as known when it comes again
            if isinstance(fault, RunStopped):
                raise
            raise SettingsInvalid([_MAPS_FAIL.format(stream=message.stream)]) from None
        self._schema_lines[message.stream] = message.raw
        self._sinks_to_clear.clear()  # the batch is shared, so an archived sink has nothing left to drain

    def _process_record_message(self, message: Record) -> None:  # type: ignore[override]
        """The SDK's own prints values, rewrites dates, and stops at the first invalid record."""
        parts = self.map_record(message)
        self._books.enter(message.stream, parts, row=message.row)
        if len(self.batch) >= self.settings.batch_size_rows:
            self.submit()
        while not self._may_read() and not self._is_over():
            self.submit()
            self._handoff.wait_for_room(WAIT_SECONDS)
            self._tick()

    def _process_state_message(self, message: State) -> None:  # type: ignore[override]
        self._checkpoint.state(message.value)

    def _process_activate_version_message(self, message: ActivateVersion) -> None:  # type: ignore[override]
        """Events have no versions."""

    def _process_batch_message(self, message_dict: dict[str, Any]) -> NoReturn:
        """Never called: the reader refuses BATCH messages."""
        raise NotImplementedError

    def process_endofpipe(self) -> None:
        """What the SDK's `listen` calls: deliver the rest, write the last STATE, and let go of the ledger.

        Raises:
            RunStopped: What stopped the delivery.
        """
        self.start()
        try:
            self._deliver(None)
        finally:
            self._leave_ledger(ExitCode.RESOLVED, self._receipt())

    # The life of a run.

    def start(self) -> None:
        """Take the ledger, and begin to deliver. May be called twice.

        Raises:
            SettingsInvalid: The ledger's place is wrong.
            LedgerUnavailable: It is not to be had, or another run has it.
        """
        if self._handoff.is_started:
            return
        self._ledger = open_ledger(
            self.settings.keeping.ledger,
            api=self.settings.api.name,
            wait=self.settings.patience.max_outage,
            is_stopped=lambda: self._is_stopped_by_signal,
        )
        if self._ledger is None:
            return
        if self._ledger.is_new:
            log.warning("The ledger is new: what was delivered before this run is not known to it.")
        self._handoff.start()

    def run(self, source: IO[bytes] | None) -> int:
        """Read all of `source` (standard input if None), deliver it, account for it; the exit code."""
        causes = [cause for stage in (self._read, self._deliver) if (cause := _caught(stage, source)) is not None]
        causes += self._judge(causes)
        receipt = self._receipt()
        causes += [Defect(f"The accounts do not close: {fault}") for fault in receipt.disagreements()]
        for line in receipt.lines():
            log.info("%s", line)
        code = self._exit_code(causes)
        waiting = self._leave_ledger(code, receipt)
        self._conclude(code, causes, waiting=waiting)
        return code

    def _judge(self, causes: Sequence[RunStopped]) -> list[RunStopped]:
        """Whether too much was refused: judged once, where the whole input was read."""
        if self._is_stopped_by_signal or any(cause.exit_code is not ExitCode.INPUT for cause in causes):
            return []
        over = self._books.over(self.settings.keeping.max_reject_percent)
        return [RejectsAboveLimit(_OVER.format(shares="; ".join(over)))] if over else []

    def _read(self, source: IO[bytes] | None) -> None:
        if self.settings.api.environment is Environment.SANDBOX and connection_fault(self._network) is not None:
            raise SetupRefused(SANDBOX_MISSING)
        self.start()
        if self._ledger is None:
            return
        try:
            self.process_lines(source)  # type: ignore[arg-type]  # our reader takes bytes
        except RecordsWithoutSchemaException as missing:
            raise InputInvalid(str(missing)) from None
        if not self._is_over():
            for fault in self.unmet_stream_maps():
                log.warning("%s", fault)

    def _deliver(self, _: IO[bytes] | None) -> None:
        if not self._handoff.is_started:
            return
        self.submit()
        if not self._is_stopped_by_signal:
            self._handoff.end_input()
        self._await_delivery()

    def _await_delivery(self) -> None:
        """Until the delivery has ended; a signal in between stops it, and a second one at once."""
        signals_told = 0
        while self._handoff.is_running:
            while signals_told < self._signal_count:
                self._handoff.stop()
                signals_told += 1
            self._handoff.wait(WAIT_SECONDS)
            self._tick()
        self._collect()
        self._write_state()
        if self._handoff.failure is not None:
            raise self._handoff.failure

    def _exit_code(self, causes: Sequence[RunStopped]) -> int:
        if self._signals is not None and self._signals.received is not None:
            return 128 + self._signals.received
        return _gravest(causes).exit_code if causes else ExitCode.RESOLVED

    def _leave_ledger(self, code: int, receipt: Receipt) -> str:
        """Keep the receipt, take away what is settled after all, and let go; how many rows wait, in words."""
        if self._ledger is None:
            return ""
        waiting = ""
        try:
            self._ledger.commit([Forgotten(row) for row in self._books.rows_done])
            waiting = _waiting(*self._ledger.rejects_waiting(), filtered=self._books.rows_filtered)
            self._ledger.finish(exit_code=code, receipt=receipt.as_json())
            self._prune(self._ledger)
        except LedgerUnavailable as lost:
            log.warning("The receipt could not be kept: %s", lost)
        finally:
            self._ledger.close()
        return waiting

    def _prune(self, ledger: DurableLedger) -> None:
        days = self.settings.keeping.ledger_retention_days
        while days is not None and not self._is_stopped_by_signal and ledger.prune(days=days):
            pass

    def _conclude(self, code: int, causes: Sequence[RunStopped], *, waiting: str) -> None:
        """Say how the run ended, in the last line of the log."""
        if self._signals is not None and self._signals.received is not None:
            log.info("Stopped by %s (exit %d). %s%s", self._signals.received.name, code, _GO_ON, waiting)
        elif causes:
            log.error("%s (exit %d)%s", _gravest(causes), code, waiting)
        else:
            log.info("All is resolved (exit 0).%s", waiting)

    @property
    def _signal_count(self) -> int:
        return 0 if self._signals is None else self._signals.count

    @property
    def _is_stopped_by_signal(self) -> bool:
        return self._signal_count > 0

    def _is_over(self) -> bool:
        """Whether nothing more is to be read."""
        return (
            self._is_stopped_by_signal
            or (self._handoff.is_started and not self._handoff.is_running)
            or self._is_limit_reached
        )

    @property
    def _is_limit_reached(self) -> bool:
        limit = self.settings.pace.max_events
        return limit is not None and self._handoff.progress.first_requests >= limit

    def _may_read(self) -> bool:
        if not self._checkpoint.has_room:
            return False
        limit = self.settings.pace.max_events
        if limit is None:
            return True
        undecided = self._books.submitted - self._handoff.progress.decided  # read before the first requests
        return self._handoff.progress.first_requests + undecided < limit

    # Between the lines.

    def _tick(self) -> None:
        if self.batch.age >= BATCH_SECONDS:
            self.submit()
        self._collect()
        if time.monotonic() - self._state_written_at >= STATE_SECONDS:
            self._write_state()

    def _collect(self) -> None:
        outcomes = self._handoff.take_outcomes()
        self._books.settle(outcomes)

    def _write_state(self) -> None:
        value = self._checkpoint.take()
        if value is None:
            return
        self._state_written_at = time.monotonic()
        try:
            _write_line(value)
        except OSError:
            raise StateUnread(_STATE_UNREAD) from None

    # Wiring.

    @asynccontextmanager
    async def _open_dispatcher(self, report: Callable[[Part, Outcome], None]) -> AsyncIterator[Dispatcher]:
        settings = self.settings
        transport = HttpTransport(
            self._network,
            read_timeout=settings.patience.read_timeout,
            max_connections=settings.pace.max_concurrency,
        )
        assert self._ledger is not None  # noqa: S101 - taken before the delivery is started
        journal = GroupingJournal(self._ledger)
        try:
            yield Dispatcher(
                plan=Plan(
                    api=settings.api.name,
                    max_concurrency=settings.pace.max_concurrency,
                    max_outage=settings.patience.max_outage,
                    holds_unknown=settings.keeping.on_unknown is OnUnknown.HOLD,
                ),
                transport=transport,
                tokens=self._tokens,
                journal=journal,
                wall=time.time,
                roll=random.random,
                report=report,
            )
        finally:
            await transport.close()
            journal.close()

    def _receipt(self) -> Receipt:
        progress, recorded = self._handoff.progress, self._recorded()
        read = self._reader.counts["RECORD"]
        return Receipt(
            records=self._books.records(read),
            records_read=read,
            events=self._books.events,
            events_submitted=self._books.submitted,
            events_recorded=recorded and recorded[0],
            unknown_recorded=recorded and recorded[1],
            records_by_stream=self._books.records_by_stream,
            events_by_line=self._books.events_by_line,
            latencies={f"p{percent}": progress.percentile(percent) * 1000 for percent in PERCENTILES}
            if progress.latencies
            else {},
            refusals=self._books.refusals,
            retries=progress.retries,
            unknown=progress.unknown,
            token_requests=self._tokens.requests,
            seconds=progress.seconds,
            is_ledger_new=self._ledger is not None and self._ledger.is_new,
        )

    def _recorded(self) -> tuple[EventCounts, int] | None:
        """Outcomes, and lost answers, as the ledger has counted them."""
        if self._ledger is None:
            return None
        try:
            counts = self._ledger.counts()
        except LedgerUnavailable:
            return None
        events = EventCounts(
            delivered=counts.delivered, invalid=counts.invalid, rejected=counts.rejected, held=counts.held
        )
        return events, counts.unknown


def _caught(stage: Callable[[IO[bytes] | None], None], source: IO[bytes] | None) -> RunStopped | None:
    """What ended a stage, if anything did."""
    try:
        stage(source)
    except RunStopped as cause:
        return cause
    except Exception:
        log.critical("A defect of target-driftrock ends this run.", exc_info=True)
        return Defect(_DEFECT)
    return None


def _waiting(count: int, since: float | None, *, filtered: int) -> str:
    """How many kept rows wait, and since when; how many of them were read again in vain. Nothing if none waits."""
    if since is None:
        return ""
    day = time.strftime("%Y-%m-%d", time.gmtime(since))
    rows = f"{count} kept row{' waits' if count == 1 else 's wait'}"
    again = f", {filtered} of them read again and filtered" if filtered else ""
    return f" {rows}, the oldest since {day}{again}: see `target-driftrock rejects`."


def _gravest(causes: Sequence[RunStopped]) -> RunStopped:
    return min(causes, key=lambda cause: PRECEDENCE.index(cause.exit_code))


def _write_line(value: bytes) -> None:
    """One line of STATE to standard output, whatever its encoding."""
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(value.decode() + "\n")
    else:
        binary.write(value + b"\n")
    sys.stdout.flush()


_MAPS_INVALID = "stream_maps cannot be understood: check its keys and expressions against the SDK's documentation."
_MAPS_FAIL = "stream_maps cannot be applied to stream {stream}: check the expressions that name it."
_NO_SCHEMA = "Line {line}: a RECORD came before any SCHEMA of its stream. Mend the tap, then run again."
_OVER = (
    "More was refused than max_reject_percent allows: {shares}. All of it is kept: see `target-driftrock rejects`, "
    "mend the cause, and send it again."
)
_GO_ON = "What was in flight is settled or counted as open; the next run goes on from the last STATE."
_STATE_UNREAD = (
    "Standard output was closed, so nobody keeps STATE any more. The next run reads again what came after the last one."
)
_DEFECT = "A defect of target-driftrock: please report the lines above, which hold no data."
