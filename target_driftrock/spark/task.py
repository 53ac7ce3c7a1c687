"""On the executors, after the shuffle: one partition of a job, delivered as a run delivers its input."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark import TaskContext

from target_driftrock.delivery.dispatcher import UNPROVEN_AT_END
from target_driftrock.delivery.door import Delivery, resources_of
from target_driftrock.errors import LedgerUnavailable, NoFile, NoThread, RowsLost, Unwritable
from target_driftrock.ledger.joined import JoinedLedger, join
from target_driftrock.mapping.compiler import template_faults
from target_driftrock.records.door import Records
from target_driftrock.records.ending import causes_of, gravest
from target_driftrock.redaction import installed
from target_driftrock.settings import parse, secret_values
from target_driftrock.spark.rows import DONE, LINE, Stream, TaskFailed, failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from target_driftrock.delivery.door import Resources
    from target_driftrock.errors import RunStopped
    from target_driftrock.ledger.interface import RunLedger
    from target_driftrock.records.door import OpenStream
    from target_driftrock.settings import Settings


TRIAL_REST = 5.0
"""Seconds between looks at captures on trial that have nothing to send: other tasks may have something for them."""
FIRST_INVALID = 1000
"""So many rows of a partition, all of them invalid, and nothing else: ten may be one person's."""
ALL = 100
"""Percent: however much is refused, the job goes on."""
MENDABLE = (LedgerUnavailable, NoFile, NoThread, RowsLost, Unwritable)
"""What another attempt may not meet, maybe on another machine. All else ends the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What each task knows of its job. Its stream's settings hold secrets."""

    stream: Stream = field(repr=False)
    run: int
    tasks: int
    """So many partitions there are, each with its share of the pace."""

    def deliver(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Deliver one partition. What came of it lies in the ledger; a row with its number says so.

        Raises:
            TaskFailed: Another attempt may do better.
        """
        try:
            failure = _Attempt(self).run(batches)
        except Exception as error:  # noqa: BLE001 - which may hold rows or settings
            failure = failed(error)
        if failure is not None:  # raised here, where nothing stands behind it that could hold a value
            raise failure
        yield pa.RecordBatch.from_arrays([pa.array([_context().partitionId()], pa.int32())], names=DONE.names)

    def open_ledger(self, settings: Settings, is_stopped: Callable[[], bool]) -> JoinedLedger | None:
        """This attempt's hold on the ledger."""
        context = _context()
        return join(
            settings.keeping.ledger,
            api=settings.api.name,
            run=self.run,
            partition=context.partitionId(),
            attempt=context.taskAttemptId(),
            is_stopped=is_stopped,
        )


class _Attempt:
    """One attempt at one partition."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._settings = parse(job.stream.settings, template_faults=template_faults)
        self._ledger: JoinedLedger | None = None
        self._has_read_all = False
        self._has_left = False
        self._records = Records(
            self._settings,
            delivery=Delivery(self._resources),
            is_stopped=lambda: self._stop is not None,
            first_invalid=FIRST_INVALID if self._settings.keeping.max_reject_percent < ALL else math.inf,
        )

    @property
    def _stop(self) -> RunStopped | None:
        """What ended the job, in this task or in another one."""
        return None if self._ledger is None else self._ledger.stop

    def run(self, batches: Iterator[pa.RecordBatch]) -> TaskFailed | None:
        """Deliver all rows; what another attempt may mend."""
        with installed(secret_values(self._job.stream.settings)):
            try:
                causes = causes_of(partial(self._deliver, batches), self._end)
                causes += causes_of(partial(self._leave, causes))
            finally:
                self._records.delivery.give_up()
        is_stopped = self._ledger is None and not causes  # by the job, while it waited for the ledger
        if not (self._has_left or is_stopped):
            return TaskFailed(str(causes[0]) if causes else _NO_ACCOUNT)
        causes_of(partial(_drain, batches))  # of a job that is over
        return None

    def _resources(self) -> Resources:
        """As a run has them, with its share of the pace, and a hold on the ledger that others have too."""
        whole = resources_of(self._settings)
        pace, tasks = self._settings.pace, self._job.tasks
        rate = None if pace.max_events_per_second is None else pace.max_events_per_second / tasks
        config = replace(
            whole.config,
            max_concurrency=max(1, pace.max_concurrency // tasks),
            most_per_second=rate,
            trial_rest=TRIAL_REST,
        )
        return replace(whole, config=config, hold=self._hold)

    def _hold(self, is_stopped: Callable[[], bool]) -> RunLedger | None:
        self._ledger = self._job.open_ledger(self._settings, is_stopped)
        return self._ledger

    def _deliver(self, batches: Iterator[pa.RecordBatch]) -> None:
        of = self._job.stream
        if not self._records.hold():
            return
        stream = self._records.stream(of.name, schema=of.schema, key=of.key)
        while (batch := _next(batches)) is not None:
            if not self._put(stream, batch):
                return
        self._has_read_all = True

    def _put(self, stream: OpenStream, batch: pa.RecordBatch) -> bool:
        """Row by row, so that delivery can hold up Spark; False where nothing more is to be put."""
        for line in batch.column(LINE):
            if self._records.is_over():
                self._records.raise_failure()
                return False
            stream.put_line(line.as_py())
        return True

    def _end(self) -> None:
        self._records.deliver_rest(is_cut_short=not self._has_read_all, stops=lambda: int(self._stop is not None))
        self._records.raise_failure()

    def _leave(self, causes: Sequence[RunStopped]) -> None:
        """The account of this partition; for all other tasks, what ends the job. An attempt that fails leaves none."""
        account = self._records.account()
        ledger = self._ledger
        if ledger is None or any(isinstance(cause, MENDABLE) for cause in causes):
            return
        stops = [cause for cause in causes if str(cause) != UNPROVEN_AT_END]  # which is judged of the whole job
        if stops:
            ledger.stop_job(gravest(stops))
        ledger.leave(account, rows=self._records.next_position - 1)
        self._has_left = True


def _next(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    try:
        return next(batches, None)
    except Exception:  # noqa: BLE001 - Spark's own, which may hold rows
        raise RowsLost(_ROWS_LOST) from None


def _drain(batches: Iterator[pa.RecordBatch]) -> None:
    for _ in batches:
        pass


def _context() -> TaskContext:
    context = TaskContext.get()
    if context is None:
        raise RowsLost(_NO_TASK)
    return context


_NO_ACCOUNT = "This attempt could not say what became of its rows."
_ROWS_LOST = (
    "Spark gave no more rows of a partition before its end. What was delivered is known: another attempt goes on."
)
_NO_TASK = "This is no task of Spark's: only `deliver` starts one."
