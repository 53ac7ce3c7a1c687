"""The life of a run, from the ledger's lock to its receipt: what is delivered, what STATE says, how it ends.

The only writer of STATE. Knows nothing of messages and mappings: it is handed parts, and values of STATE.
"""

from __future__ import annotations

import logging
import os
import random
import time
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from target_driftrock.auth import tokens_for
from target_driftrock.books import Books
from target_driftrock.delivery.dispatcher import Dispatcher
from target_driftrock.delivery.handoff import Handoff
from target_driftrock.delivery.passage import Plan
from target_driftrock.delivery.transport import HttpTransport
from target_driftrock.errors import (
    PRECEDENCE,
    Defect,
    ExitCode,
    LedgerUnavailable,
    RejectsAboveLimit,
    RunStopped,
    SettingsInvalid,
    SetupRefused,
    StateUnread,
    faults,
)
from target_driftrock.events.outcome import HeldAs
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.interface import Forgotten
from target_driftrock.ledger.journal import GroupingJournal
from target_driftrock.mapping.ways import forgotten, mended
from target_driftrock.naming import shown
from target_driftrock.network import SANDBOX_MISSING, Network, connection_fault
from target_driftrock.progress import Figures, Pulse, terminal_line
from target_driftrock.receipt import EventCounts, Receipt
from target_driftrock.settings import Environment, NewLedger, OnUnknown
from target_driftrock.singer.checkpoint import Checkpoint
from target_driftrock.singer.writer import write_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from target_driftrock.auth import Tokens
    from target_driftrock.events.event import Part
    from target_driftrock.events.identity import Way
    from target_driftrock.events.outcome import Outcome
    from target_driftrock.ledger.durable import DurableLedger
    from target_driftrock.mapping.stream import CompiledStream
    from target_driftrock.progress import Input
    from target_driftrock.settings import Settings
    from target_driftrock.signals import Signals

log = logging.getLogger(__name__)

STATE_SECONDS = 5.0
WAIT_SECONDS = 0.5
OPEN_BYTES = 16 * 1024 * 1024
"""What may be open at once, beside the bound on records: some 7,000 of one kilobyte, or eight of one megabyte."""
GRACE_SECONDS = 15.0
"""How long requests in flight may still take when a run stops."""
PERCENTILES = (50, 95, 99)


class Run:
    """One run. All methods are for the main thread."""

    def __init__(self, settings: Settings, *, signals: Signals | None, read: Callable[[], Input]) -> None:
        self._settings = settings
        self._signals = signals
        self._read = read
        self._pulse: Pulse | None = None
        self._checkpoint = Checkpoint()
        self._books = Books(self._checkpoint)
        self._ledger: DurableLedger | None = None
        self._handoff = Handoff(self._open_dispatcher, grace=GRACE_SECONDS)
        self._state_due = time.monotonic() + STATE_SECONDS
        self._state: bytes | None = None
        """What is written once the disk has all that it passes."""
        self._is_state_unread = False
        self._ways_forgotten: dict[Way, Way | None] = {}
        """Of which all may be sent again, each with what took its place."""

    @property
    def next_position(self) -> int:
        """The number of the next record."""
        return self._books.next_position

    @cached_property
    def _network(self) -> Network:
        """Where a run sends to. Nothing that only maps needs it."""
        return Network.from_environment(self._settings.api, os.environ)

    @cached_property
    def _tokens(self) -> Tokens:
        return tokens_for(self._settings.credentials, self._network)

    # While records come.

    def start(self) -> bool:
        """Take the ledger, and begin to deliver. May be called twice. False if a signal came before it was taken.

        Raises:
            SettingsInvalid: The ledger's place is wrong, or what the environment says of a proxy or of certificates.
            SetupRefused: The sandbox is meant, and none runs.
            LedgerUnavailable: The ledger is unavailable, or another run has it.
        """
        if self._handoff.is_started:
            return True
        network = self._network  # before the ledger is taken
        if self._settings.api.environment is Environment.SANDBOX and connection_fault(network) is not None:
            raise SetupRefused(SANDBOX_MISSING)
        self._ledger = open_ledger(
            self._settings.keeping.ledger,
            api=self._settings.api.name,
            may_make=self._settings.keeping.new_ledger is NewLedger.ALLOW,
            wait=self._settings.patience.max_outage,
            is_stopped=lambda: self.is_signalled,
        )
        if self._ledger is None:
            return False
        if self._ledger.is_new:
            log.info("The ledger is new: it knows of no delivery, so whatever comes is sent.")
        self._handoff.start()
        self._pulse = Pulse(look=self._figures, look_ahead=self._handoff.look_ahead, line=terminal_line())
        return True

    def enter(self, stream: str, parts: Sequence[Part], *, row: str | None, is_deletion: bool = False) -> None:
        """A record was read, and became these parts. See `Books.enter`, also for what is raised."""
        self._books.enter(stream, parts, row=row, is_deletion=is_deletion)

    def judge_ways(self, streams: Sequence[CompiledStream]) -> None:
        """Before anything of a stream is sent: whether its events are known by the identities that they have now.

        Raises:
            SettingsInvalid: They were delivered under others, and the mapping does not say how these were made.
        """
        if self._ledger is None:
            return
        known = self._ledger.ways
        faults = [fault for stream in streams for fault in mended(known, stream)]
        if faults:
            raise SettingsInvalid(faults)
        for stream in streams:
            self._ways_forgotten.update(forgotten(known, stream))

    def submit(self, parts: Sequence[Part]) -> None:
        """Hand parts over to delivery."""
        if parts and self.start():
            self._handoff.submit(parts)

    def note_state(self, value: bytes) -> None:
        """The tap said STATE."""
        self._checkpoint.state(value)

    def must_wait(self) -> bool:
        """Whether something has to be settled before another record is read."""
        return not (self._may_read() or self.is_over())

    def wait_for_room(self) -> None:
        """Until something is settled, for half a second at most."""
        self._handoff.wait_for_room(WAIT_SECONDS)

    def tick(self) -> None:
        """Take note of what was settled, and write STATE when it is time. Called about once a second."""
        self._books.settle(self._handoff.take_outcomes())
        self._follow_state()
        if self._pulse is not None:
            self._pulse.beat(time.monotonic())

    @property
    def is_signalled(self) -> bool:
        """Whether a signal asked for the end."""
        return self._signal_count > 0

    def is_over(self) -> bool:
        """Whether nothing more is to be read."""
        is_dead = self._handoff.is_started and not self._handoff.is_running
        return self.is_signalled or self._is_state_unread or is_dead or self._is_limit_reached

    # When no more records come.

    def deliver_rest(self) -> None:
        """Until all is settled, or the delivery has stopped; then write the last STATE.

        A signal in between stops the delivery, and a second one at once. STATE that nobody reads stops it like a first.

        Raises:
            RunStopped: What stopped the delivery.
        """
        if not self._handoff.is_started:
            return
        if not self.is_signalled:
            self._handoff.end_input()
        stops_told = 0
        while self._handoff.is_running:
            while stops_told < max(self._signal_count, self._is_state_unread):
                self._handoff.stop()
                stops_told += 1
            self._handoff.wait(WAIT_SECONDS)
            self.tick()
        self._books.settle(self._handoff.take_outcomes())
        self._write_last_state()
        if self._handoff.failure is not None:
            raise self._handoff.failure
        if self._is_state_unread:
            raise StateUnread(_STATE_UNREAD)

    def conclude(self, causes: Sequence[RunStopped], *, was_read: bool) -> int:
        """Account for all, keep the receipt, and say how the run ended; its exit code.

        `causes` are what ended it; `was_read`, whether reading came to the end of the input.
        """
        self._end_delivery()
        if self._pulse is not None:
            self._pulse.end()
        causes = [*causes, *self._judge(causes)]
        receipt = self._receipt()
        causes += [Defect(f"The accounts do not close: {fault}") for fault in receipt.disagreements()]
        for line in receipt.lines():
            log.info("%s", line)
        for warning in self._doubts():
            log.warning("%s", warning)
        code = self._exit_code(causes)
        waiting = self._leave_ledger(code, receipt)
        if not was_read and self._is_limit_reached and not self.is_signalled:
            log.info("Reading ended after %s, as max_events says; %s.", _events(self._first_requests), _NEXT_RUN)
        self._say_end(code, causes, waiting=waiting)
        return code

    def _end_delivery(self) -> None:
        """A defect of ours may have left it running, and two threads must not use the ledger at once."""
        if self._handoff.is_running:
            self._handoff.stop()
        while self._handoff.is_running:
            self._handoff.wait(WAIT_SECONDS)

    def _judge(self, causes: Sequence[RunStopped]) -> list[RunStopped]:
        """Whether too much was refused: judged once, where the whole input was read."""
        if self.is_signalled or any(cause.exit_code is not ExitCode.INPUT for cause in causes):
            return []
        over = self._books.over(self._settings.keeping.max_reject_percent)
        return [RejectsAboveLimit(_OVER.format(shares="; ".join(over)))] if over else []

    def _doubts(self) -> Iterator[str]:
        """What a person should decide, or mend, a sentence each with what to type."""
        for stream, count in self._books.only_deletions():
            yield _DELETIONS.format(stream=shown(stream), count=count)
        for mapping, count in sorted(self._books.changes_unsaid.items()):
            yield _CHANGED.format(events=_events(count), mapping=mapping)
        for (mapping, kind), count in sorted(self._books.to_decide.items(), key=str):
            text = _COLLIDES if kind is HeldAs.COLLISION else _UNDECIDED
            yield text.format(events=_events(count), mapping=mapping)

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
            self._ledger.commit(
                [
                    Forgotten(row, is_change=is_change, record=self._books.row_records[row])
                    for row, is_change in self._books.rows_done.items()
                ]
            )
            self._ledger.forget_ways(self._ways_forgotten)
            waiting = _waiting(*self._ledger.rejects_waiting(), filtered=self._books.rows_filtered)
            self._ledger.finish(exit_code=code, receipt=receipt.as_json())
            self._prune(self._ledger)
        except LedgerUnavailable as lost:
            log.warning("The receipt could not be kept: %s", lost)
        finally:
            self._ledger.close()
        return waiting

    def _prune(self, ledger: DurableLedger) -> None:
        days = self._settings.keeping.ledger_retention_days
        while days is not None and not self.is_signalled and ledger.prune(days=days):
            pass

    def _say_end(self, code: int, causes: Sequence[RunStopped], *, waiting: str) -> None:
        """Say how the run ended, in the last line of the log."""
        if self._signals is not None and self._signals.received is not None:
            log.info("Stopped by %s (exit %d). %s%s", self._signals.received.name, code, _GO_ON, waiting)
        elif causes:
            *others, last = faults(_gravest(causes))
            for fault in others:
                log.error("%s", fault)
            log.error("%s (exit %d)%s", last, code, waiting)
        else:
            held = sum(self._books.to_decide.values())
            log.info("%s (exit 0).%s", _DECIDE.format(events=_events(held)) if held else "All is resolved", waiting)

    @property
    def _signal_count(self) -> int:
        return 0 if self._signals is None else self._signals.count

    @property
    def _is_limit_reached(self) -> bool:
        limit = self._settings.pace.max_events
        return limit is not None and self._first_requests >= limit

    @property
    def _first_requests(self) -> int:
        return self._handoff.progress.first_requests

    def _figures(self) -> Figures:
        return Figures(
            read=self._read(),
            delivered=self._books.delivered,
            newest=self._books.next_position - 1,
            open=self._books.open_records,
            oldest=self._books.oldest_open,
        )

    def _may_read(self) -> bool:
        if not self._checkpoint.has_room or self._books.open_bytes >= OPEN_BYTES:
            return False
        limit = self._settings.pace.max_events
        if limit is None:
            return True
        undecided = self._books.submitted - self._handoff.progress.decided  # read before the first requests
        return self._handoff.progress.first_requests + undecided < limit

    def _follow_state(self) -> None:
        """About every five seconds: have the disk keep what the newest STATE passes, and write it once it does.

        The reader does not wait for the disk: what was taken is written by a later call.
        """
        if self._state is not None:
            if self._handoff.is_secured:
                self._write_state(self._state)
            return
        if time.monotonic() >= self._state_due and not self._is_state_unread:
            self._state = self._checkpoint.take()
            if self._state is not None:
                self._handoff.secure()

    def _write_last_state(self) -> None:
        """The delivery has ended, so the ledger is this thread's. Also without STATE the disk keeps what was done."""
        value = self._checkpoint.take() or self._state
        if self._ledger is None or isinstance(self._handoff.failure, LedgerUnavailable):
            return
        self._ledger.secure()
        if value is not None and not self._is_state_unread:
            self._write_state(value)

    def _write_state(self, value: bytes) -> None:
        self._state = None
        self._state_due = time.monotonic() + STATE_SECONDS
        if self._pulse is not None:
            self._pulse.make_room()
        try:
            write_line(value, is_hurried=lambda: self.is_signalled or self._handoff.failure is not None)
        except OSError:
            self._is_state_unread = True

    @asynccontextmanager
    async def _open_dispatcher(self, report: Callable[[Part, Outcome], None]) -> AsyncIterator[Dispatcher]:
        settings = self._settings
        transport = HttpTransport(self._network, read_timeout=settings.patience.read_timeout)
        assert self._ledger is not None  # noqa: S101 - taken before the delivery is started
        journal = GroupingJournal(self._ledger)
        try:
            yield Dispatcher(
                plan=Plan(
                    api=settings.api.name,
                    max_concurrency=settings.pace.max_concurrency,
                    most_per_second=settings.pace.max_events_per_second,
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
        progress, recorded, records_read = self._handoff.progress, self._recorded(), self._read().records
        return Receipt(
            records=self._books.records(records_read),
            records_read=records_read,
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
            changes=self._books.changes,
            changes_sent=self._books.changes_sent,
            without_identity=self._books.without_identity,
            retries=progress.retries,
            unknown=progress.unknown,
            token_requests=self._tokens.requests if self._handoff.is_started else 0,
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


def _waiting(count: int, since: float | None, *, filtered: int) -> str:
    """How many kept rows wait, and since when; how many of them were read again in vain. Nothing if none waits."""
    if since is None:
        return ""
    day = time.strftime("%Y-%m-%d", time.gmtime(since))
    rows = f"{count} kept row{' waits' if count == 1 else 's wait'}"
    again = f", {filtered} of them read again and filtered" if filtered else ""
    return f" {rows}, the oldest since {day}{again}: see `target-driftrock rejects`."


def _events(count: int) -> str:
    return f"{count} event{'' if count == 1 else 's'}"


def _gravest(causes: Sequence[RunStopped]) -> RunStopped:
    return min(causes, key=lambda cause: PRECEDENCE.index(cause.exit_code))


_DELETIONS = (
    "All {count} records of stream {stream} say that their row was deleted (_sdc_deleted_at), and were filtered: if "
    "these are to be sent, name _sdc_deleted_at in a `when` or a template of its mapping."
)
_CHANGED = (
    "{events} of {mapping} changed after delivery, and not sent, since on_changed is not set: if that is right, set "
    "on_changed: skip; to send each change, set on_changed: send."
)
_COLLIDES = (
    "{events} of {mapping} held: another person's event was sent under the same event_id. See `target-driftrock "
    "rejects --held`. Mend event_id, then send them again with `target-driftrock rejects | target-driftrock`; where it "
    "is the same person with a new address, run `target-driftrock rejects --changed`."
)
_UNDECIDED = (
    "{events} of {mapping} held: other content was sent under the same event_id, and nothing says whether it is a "
    "change or another event. If each event_id is surely its own, set on_changed: skip or send; if not, mend event_id. "
    "Then send them again with `target-driftrock rejects | target-driftrock`."
)
_DECIDE = "All is settled but {events} held for your decision, as told above"
_OVER = (
    "More was refused than max_reject_percent allows: {shares}. All of it is kept: see `target-driftrock rejects`, "
    "mend the cause, and send it again."
)
_NEXT_RUN = "the next run goes on from the last STATE"
_GO_ON = f"What was in flight is settled or counted as open; {_NEXT_RUN}."
_STATE_UNREAD = (
    "Nobody reads standard output, and so nobody keeps STATE. The next run reads again what came after the last one."
)
