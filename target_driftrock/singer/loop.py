"""The Singer front: a tap's messages in, STATE out, and between them the door for records.

The only writer of STATE.
"""

from __future__ import annotations

import logging
import time
from typing import IO, TYPE_CHECKING, Protocol

from target_driftrock.errors import LedgerUnavailable, unwritten
from target_driftrock.progress import Figures, Input, Pulse, terminal_line
from target_driftrock.records.ending import causes_of, gravest
from target_driftrock.singer.writer import write_line

if TYPE_CHECKING:
    import signal
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence

    from target_driftrock.errors import RunStopped
    from target_driftrock.events.event import Part
    from target_driftrock.mapping.stream import CompiledStream
    from target_driftrock.records import Records
    from target_driftrock.singer.checkpoint import Checkpoint
    from target_driftrock.singer.messages import Record, Schema, State

log = logging.getLogger(__name__)

STATE_SECONDS = 5.0


class Stops(Protocol):
    """Signals that ask for the end, as something to look at. See `signals.Signals`."""

    @property
    def received(self) -> signal.Signals | None:
        """The first that came."""
        ...

    @property
    def count(self) -> int:
        """How many came."""
        ...


class NoStops:
    """Nobody asks for the end."""

    received = None
    count = 0


class Mapped(Protocol):
    """What maps a tap's records. See `streams.Streams`."""

    def take_schema(self, message: Schema, *, judge: Callable[[Sequence[CompiledStream]], object]) -> list[str]: ...
    def map(self, message: Record, *, position: int) -> list[Part]: ...
    def filters_deletion(self, message: Record) -> bool: ...
    def unmet_stream_maps(self) -> list[str]: ...
    def idle_mappings(self) -> list[str]: ...


class Source(Protocol):
    """Where messages come from. See `reader.Reader`."""

    counts: Counter[str]
    place: tuple[int, int] | None
    was_stopped: bool

    def process_lines(
        self, file_input: IO[bytes] | IO[str] | None, callbacks: Mapping[str, Callable[..., None]]
    ) -> Counter[str]:
        """Hand every message to the callback of its type, in order."""
        ...


class Loop:
    """One run of the Singer target. All methods are for the main thread.

    `checkpoint` must be the follower of `records`; `write` writes a line of STATE, and raises OSError where nobody
    reads it; it is told by `is_hurried` whether there is need to hurry.
    """

    def __init__(
        self,
        records: Records,
        streams: Mapped,
        checkpoint: Checkpoint,
        *,
        stops: Stops,
        write: Callable[..., None] = write_line,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._streams = streams
        self._checkpoint = checkpoint
        self._stops = stops
        self._write = write
        self._clock = clock
        self._source: Source | None = None
        self._pulse: Pulse | None = None
        self._state_due = clock() + STATE_SECONDS
        self._state: bytes | None = None
        """What is written once the disk has all that it passes."""
        self._unwritten: RunStopped | None = None
        """Why STATE cannot be written any more."""

    def run(self, reader: Source, source: IO[bytes] | None) -> int:
        """Read all of `source` (standard input if None), deliver it, account for it; the exit code."""
        causes = causes_of(lambda: self._read(reader, source), self._deliver)
        return self._conclude(causes)

    def end(self) -> None:
        """For whoever handed over messages: deliver the rest, write the last STATE, and account for it.

        Raises:
            RunStopped: What ended the run.
        """
        self._conclude(causes_of(self._deliver))
        if self._records.causes:
            raise gravest(self._records.causes)

    def use(self, reader: Source) -> None:
        """Messages come from there: what it counts is what was read."""
        self._source = reader

    # Messages, in the order read.

    def take_schema(self, message: Schema) -> None:
        """A stream's records look like this from here on.

        Raises:
            SettingsInvalid: The mapping, or a stream map, does not go with it; or the ledger knows its events by
                identities made in another way.
        """
        self._streams.take_schema(message, judge=self._records.judge_ways)

    def take_record(self, message: Record) -> None:
        """A row. Waits while there is no room for more.

        Raises:
            RecordBeforeSchema: No SCHEMA of its stream was read.
            RejectsAboveLimit: It is the tenth of its stream, and all ten are invalid.
        """
        parts = self._streams.map(message, position=self._records.next_position)
        is_deletion = not parts and self._streams.filters_deletion(message)
        self._records.enter(message.stream, parts, kept_row=message.kept_row, is_deletion=is_deletion)

    def take_state(self, message: State) -> None:
        """A bookmark, for what was read before it."""
        self._checkpoint.state(message.value)

    def tick(self) -> None:
        """Take note of what was settled, and write STATE when it is time. Called about once a second."""
        self._records.tick()
        self._follow_state()
        if self._pulse is not None:
            self._pulse.beat(self._clock())

    def is_stopped(self) -> bool:
        """Whether a signal came, or STATE cannot be written any more."""
        return self._stops.count > 0 or self._unwritten is not None

    # The stages of a run.

    def _read(self, reader: Source, source: IO[bytes] | None) -> None:
        self.use(reader)
        if not self._records.start():
            return
        self._pulse = Pulse(look=self._figures, look_ahead=self._records.delivery.look_ahead, line=terminal_line())
        reader.process_lines(source, {"SCHEMA": self.take_schema, "RECORD": self.take_record, "STATE": self.take_state})
        if not self._records.is_over():
            for fault in (*self._streams.unmet_stream_maps(), *self._streams.idle_mappings()):
                log.warning("%s", fault)

    def _deliver(self) -> None:
        self._records.deliver_rest(stops=lambda: max(self._stops.count, self._unwritten is not None))
        self._write_last_state()
        self._records.raise_failure()
        if self._unwritten is not None:
            raise self._unwritten

    def _conclude(self, causes: Sequence[RunStopped]) -> int:
        if self._pulse is not None:
            self._pulse.end()
        was_stopped = self._source is not None and self._source.was_stopped
        return self._records.conclude(
            causes, read=self._input.records, was_read=not was_stopped, received=self._stops.received
        )

    @property
    def _input(self) -> Input:
        if self._source is None:
            return Input()
        return Input(records=self._source.counts["RECORD"], place=self._source.place)

    def _figures(self) -> Figures:
        tally = self._records.tally
        return Figures(
            read=self._input,
            delivered=tally.delivered,
            newest=tally.next_position - 1,
            open=tally.open_records,
            oldest=tally.oldest_open,
        )

    # STATE.

    def _follow_state(self) -> None:
        """About every five seconds: have the disk keep what the newest STATE passes, and write it once it does.

        The reader does not wait for the disk: what was taken is written by a later call.
        """
        delivery = self._records.delivery
        if self._state is not None:
            if delivery.is_secured:
                self._write_state(self._state)
            return
        if self._clock() >= self._state_due and self._unwritten is None:
            self._state = self._checkpoint.take()
            if self._state is not None:
                delivery.secure()

    def _write_last_state(self) -> None:
        """Delivery has ended, and the disk has what it did."""
        value = self._checkpoint.take() or self._state
        is_lost = isinstance(self._records.delivery.failure, LedgerUnavailable)
        if value is not None and self._records.ledger is not None and not is_lost and self._unwritten is None:
            self._write_state(value)

    def _write_state(self, value: bytes) -> None:
        self._state = None
        self._state_due = self._clock() + STATE_SECONDS
        if self._pulse is not None:
            self._pulse.make_room()
        try:
            self._write(value, is_hurried=self._is_hurried)
        except OSError as error:
            self._unwritten = unwritten(error)

    def _is_hurried(self) -> bool:
        return self._stops.count > 0 or self._records.delivery.failure is not None
