"""In the user's own process: a DataFrame is judged, dealt out to tasks, and accounted for."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.errors import PySparkException
from pyspark.sql import functions as F  # noqa: N812 - as Spark's own pages have it
from pyspark.sql import types

from target_driftrock.delivery.door import Delivery, resources_of
from target_driftrock.errors import ApiOutage, SettingsInvalid, TasksFailed
from target_driftrock.ledger.job import JobLedger, open_job
from target_driftrock.mapping.compiler import named
from target_driftrock.mapping.masking import Mask
from target_driftrock.network import begun
from target_driftrock.records.door import Records, misgiven
from target_driftrock.records.ending import causes_of, gravest
from target_driftrock.settings import NewLedger
from target_driftrock.spark.columns import json_schema
from target_driftrock.spark.rows import DONE, IS_INVALID, LANE, LINE, MAPPED, MOMENT, ROW, Stream
from target_driftrock.spark.task import Job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame

    from target_driftrock.delivery.door import Resources
    from target_driftrock.errors import RunStopped
    from target_driftrock.mapping.stream import CompiledStream
    from target_driftrock.receipt import Receipt

log = logging.getLogger(__name__)

TASKS = 8
"""At a time, where nobody says another number, and the pace allows so many."""
WIND_DOWN_SECONDS = 120.0
"""How long tasks may take to end: the grace of their requests, and for a dead executor until TCP says so."""


def deliver(
    df: DataFrame,
    *,
    settings: Mapping[str, Any],
    stream: str,
    key: Sequence[str] = (),
    tasks: int | None = None,
    partition_by: Sequence[str] = (),
    order_by: Sequence[str] = (),
) -> Receipt:
    """Deliver the rows of a DataFrame as events, as a run delivers the records of a tap; what became of them.

    Args:
        df: A batch. Its schema is the stream's SCHEMA.
        settings: As in a settings file. The ledger is in PostgreSQL: all tasks share it.
        stream: What mappings know the rows by.
        key: The columns that tell a row from any other: key properties.
        tasks: How many deliver at a time, each with its share of `max_concurrency` and `max_events_per_second`.
        partition_by: Rows that agree in these columns go to one task. Without it: those of one person, else of one
            `event_id`, as the mapping says.
        order_by: In the order of these columns a task sends its rows. Without it: by `created_at`, as the mapping says.

    It returns when all is settled, and holds the ledger until then: this process must outlive its tasks. There is no
    transaction over an API: what was delivered stays delivered, whatever becomes of the job.

    Raises:
        SettingsInvalid: The settings, the schema or the arguments are wrong. Nothing was sent.
        RunStopped: What ended the job; its receipt is in the ledger. Deliver the same rows again: what was delivered is
            known.
    """
    return _Delivery(df, settings, stream=stream, key=key, tasks=tasks, by=partition_by, order=order_by).run()


class _Delivery:
    """One job, from the judgement of its settings to its receipt."""

    def __init__(
        self,
        df: DataFrame,
        settings: Mapping[str, Any],
        *,
        stream: str,
        key: Sequence[str],
        tasks: int | None,
        by: Sequence[str],
        order: Sequence[str],
    ) -> None:
        self._df = df
        self._records = Records(settings, delivery=Delivery(self._resources))
        most = self._records.settings.pace.max_concurrency
        self._tasks = min(TASKS, most) if tasks is None else tasks
        _demand_kinds(stream, tasks=self._tasks, key=key, partition_by=by, order_by=order)
        plain, _ = json_schema(df.schema)
        mask = Mask(said=named(self._records.settings.mappings)).over(plain, key)
        schema, faults = json_schema(df.schema, mask=mask)
        faults += _faults(df, mask, key=key, by=by, order=order, tasks=self._tasks, most=most)
        if faults:
            raise SettingsInvalid(faults)
        self._stream = Stream(
            settings=settings,
            name=stream,
            schema=schema,
            key=tuple(key),
            row=df.schema,
            partition_by=tuple(by),
        )
        self._order = tuple(order)
        self._compiled: CompiledStream = self._records.stream(stream, schema=schema, key=key).compiled
        self._ledger: JobLedger | None = None

    def run(self) -> Receipt:
        """See `deliver`."""
        try:
            causes = causes_of(self._deliver)
        except BaseException as ended:
            received = signal.SIGINT if isinstance(ended, KeyboardInterrupt) else None
            self._account([TasksFailed(_ENDED)], received=received)
            raise
        self._account(causes)
        if self._records.causes:
            raise gravest(self._records.causes)
        assert self._records.receipt is not None  # noqa: S101 - it is made where the accounts are
        return self._records.receipt

    def _resources(self) -> Resources:
        settings = self._records.settings
        return replace(
            resources_of(settings),
            hold=lambda is_stopped: open_job(
                settings.keeping.ledger,
                api=settings.api.name,
                tasks=self._tasks,
                may_make=settings.keeping.new_ledger is NewLedger.ALLOW,
                wait=settings.patience.max_outage,
                is_stopped=is_stopped,
            ),
        )

    def _deliver(self) -> None:
        self._records.hold()
        ledger = self._records.ledger
        assert isinstance(ledger, JobLedger)  # noqa: S101 - as `_resources` says
        self._ledger = ledger
        ledger.meet_ways(
            (mapping.way, mapping.former_ways) for mapping in self._compiled.mappings if mapping.way is not None
        )
        self._say_order()
        self._demand_token()
        has_failed = self._run_tasks(ledger, Job(stream=self._stream, run=ledger.run, tasks=self._tasks))
        stopped = ledger.stopped
        if stopped is not None:
            raise stopped
        if has_failed:
            raise TasksFailed(_FAILED)

    def _say_order(self) -> None:
        """Whether rows go in an order, where the arguments do not name one."""
        mapped = {name for mapping in self._compiled.mappings for name, _ in mapping.attributes}
        lacking = [
            name for name, given in (("person_id", self._stream.partition_by), ("created_at", self._order)) if not given
        ]
        if missing := [name for name in lacking if name not in mapped]:
            log.info(_NO_ORDER, " and ".join(missing))

    def _demand_token(self) -> None:
        """Whether the credentials are right, before any task begins."""
        resources = resources_of(self._records.settings)

        async def ask() -> None:
            await asyncio.wait_for(resources.tokens.token(), self._records.settings.patience.max_outage)

        try:
            begun(lambda: asyncio.run(ask())).result()  # in a thread of its own: a notebook has a loop in this one
        except TimeoutError:
            reason = f"no token: {resources.tokens.fault or 'no answer yet'}"
            raise ApiOutage(seconds=self._records.settings.patience.max_outage, reason=reason) from None

    def _run_tasks(self, ledger: JobLedger, job: Job) -> bool:
        """Have Spark deliver all rows; whether it failed, for a reason that it tells itself."""
        planned = self._planned(job)
        try:
            done = planned.collect()
        except Exception as error:  # noqa: BLE001 - Spark's own, whose text may hold rows
            log.error("Spark ended the job: %s.", _kind(error))  # noqa: TRY400 - it shows what the text is kept from
            return True
        return not {row[0] for row in done} <= ledger.accounts().keys()

    def _planned(self, job: Job) -> DataFrame:
        try:
            return self._plan(job)
        except Exception as error:  # noqa: BLE001 - Spark's own, whose text may hold values of the query
            raise SettingsInvalid([_NO_PLAN.format(kind=_kind(error))]) from None

    def _plan(self, job: Job) -> DataFrame:
        order = [f"order_{number}" for number in range(len(self._order))]
        beside = [_column(name).alias(alias) for name, alias in zip(self._order, order, strict=True)]
        rows = self._df.select(F.struct(*map(_column, self._df.columns)).alias(ROW), *beside)
        kinds = [rows.schema[alias] for alias in order]
        lines = rows.mapInArrow(self._stream.lines, types.StructType([*MAPPED.fields, *kinds]))
        by = order or [F.col(MOMENT).asc_nulls_last()]
        # What is invalid comes last, so that a partition's first rows are so only where all of them are.
        partitions = lines.repartition(self._tasks, LANE).sortWithinPartitions(IS_INVALID, *by, LINE)
        return partitions.select(LINE).mapInArrow(job.deliver, DONE)

    def _account(self, causes: Sequence[RunStopped], *, received: signal.Signals | None = None) -> None:
        """The receipt, once the last task is gone."""
        records, ledger = self._records, self._ledger
        try:
            if ledger is not None:
                causes = [*causes, *causes_of(partial(self._absorb, ledger, causes), records.raise_failure)]
            records.conclude(causes, read=records.tally.next_position - 1, was_read=not causes, received=received)
        finally:
            records.delivery.give_up()

    def _absorb(self, ledger: JobLedger, causes: Sequence[RunStopped]) -> None:
        if causes:
            ledger.stop(gravest(causes))
        try:
            ledger.await_tasks(wait=WIND_DOWN_SECONDS)
        finally:
            for account in ledger.accounts().values():
                self._records.absorb(account)


def _demand_kinds(stream: object, *, tasks: object, **names: object) -> None:
    """Raise SettingsInvalid where an argument is of another kind."""
    faults = misgiven(stream, **names)
    if not isinstance(tasks, int) or isinstance(tasks, bool):
        faults.append("tasks: give a whole number.")
    if faults:
        raise SettingsInvalid(faults)


def _faults(
    df: DataFrame, mask: Mask, *, key: Sequence[str], by: Sequence[str], order: Sequence[str], tasks: int, most: int
) -> list[str]:
    """What is wrong with the arguments, a sentence each."""
    found = [
        f"{argument}: the DataFrame has no column {mask.column(name)}: see df.columns."
        for argument, names in (("key", key), ("partition_by", by), ("order_by", order))
        for name in names
        if name not in df.columns
    ]
    has_case = str(df.sparkSession.conf.get("spark.sql.caseSensitive")).lower() == "true"
    names = [name if has_case else name.lower() for name in df.columns]
    found += [
        f"Column {mask.column(name)}: two columns have this name: rename one."
        for name in sorted({*names})
        if names.count(name) > 1
    ]
    if df.isStreaming:
        found.append("df is a stream: deliver each of its batches by writeStream.foreachBatch.")
    if not 1 <= tasks <= most:
        found.append(
            f"tasks must be 1 to {most}, since each gets its share of max_concurrency: raise that, or lower tasks."
        )
    return found


def _column(name: str) -> Column:
    """Whatever its name is made of."""
    quoted = name.replace("`", "``")
    return F.col(f"`{quoted}`")


def _kind(error: Exception) -> str:
    """What Spark calls it. Its text is kept back."""
    condition = error.getCondition() if isinstance(error, PySparkException) else None
    return condition or type(error).__name__


_FAILED = (
    "A task failed as often as Spark tries it, or the DataFrame's own query did: Spark's log says which. If that finds "
    "no module named target_driftrock, set PYSPARK_PYTHON to this environment's python. Mend it, and deliver the same "
    "rows again: what was delivered is known by its event_id. If the query gives other rows each time, write them to a "
    "table first."
)
_NO_PLAN = (
    "Spark cannot deal these rows out ({kind}): order_by needs columns that can be ordered, and settings hold plain "
    "values only."
)
_NO_ORDER = (
    "No order of a person's events is promised, since no mapping says %s: see partition_by and order_by if it matters."
)
_ENDED = "This process was asked to end."
