"""A task's hold on the ledger of its job: it writes beside other tasks, and for as long as the job lasts.

What one process has in its memory, tasks ask each other for here. An intent is a claim on an event; a capture that has
accepted nothing is tried by one task; every transaction shares the row of the job's run, and none comes after its end.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from target_driftrock.errors import LedgerUnavailable
from target_driftrock.events.event import Event
from target_driftrock.ledger import tables
from target_driftrock.ledger.database import guarded, unavailable
from target_driftrock.ledger.durable import DurableLedger
from target_driftrock.ledger.exclusive import POLL_SECONDS, Hold, close
from target_driftrock.ledger.interface import Answered, Concluded, Intent, Standing
from target_driftrock.ledger.job import read_stop, say_stop
from target_driftrock.ledger.location import parse_shared
from target_driftrock.ledger.postgres import JOB, TASKS
from target_driftrock.ledger.statements import Statements
from target_driftrock.ledger.tables import CODES, COUNTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from target_driftrock.errors import RunStopped
    from target_driftrock.events.event import Capture
    from target_driftrock.ledger.durable import Found
    from target_driftrock.ledger.interface import Change, Known, Row
    from target_driftrock.ledger.likeness import Release
    from target_driftrock.ledger.postgres import Postgres
    from target_driftrock.ledger.write_batch import WriteBatch

    _Standing = tuple[bytes, int, int, int | None]
    """One content as it stands: its digest, its standing's code, by which run and partition."""
    Snapshot = frozenset[_Standing]

LOOK_SECONDS = 10.0
"""How often it is asked whether the job's own process lives."""
_CONTENDED = frozenset({"40001", "40P01"})
"""The server's codes for a transaction that may be tried again: a failed serialisation, a deadlock."""
_TRIES = 5


class _Contended(Exception):
    """Two transactions stood in each other's way, and this one was undone."""


class JoinedLedger(DurableLedger):
    """The ledger as a task has it. It begins no run, and ends none: `leave` is its last word."""

    def __init__(self, hold: Hold, *, database: Postgres, api: str, run: int, partition: int, attempt: int) -> None:
        super().__init__(hold, api=api, run=run)
        self._postgres = database
        self._statements = Statements(self._connection.dialect, is_of_job=True)
        self._partition = partition
        self._attempt = attempt
        self._recalled: dict[int, tuple[Event, Snapshot]] = {}
        """As each event stood when it was recalled, and what was written of it since by this task."""
        self._latest: dict[bytes, list[Found]] = {}
        """What was found last."""
        self._at_work: frozenset[int] = frozenset()
        """Partitions of those that have an intent of what was found last: those of them with a task at work."""
        self._driver = _Driver(database, self._connection)
        self.stop: RunStopped | None = None
        """What ended the job, as the latest transaction found it."""
        table = tables.tasks
        self._is_ours = sa.and_(table.c.run == run, table.c.partition == partition, table.c.attempt == attempt)
        with self._transaction():
            new = {"run": self.run, "partition": partition, "attempt": attempt}
            self._connection.execute(table.insert().values(new))

    # What delivery asks.

    def recall(self, events: Sequence[Event]) -> list[Sequence[Known]]:
        known = super().recall(events)
        for event in events:
            if (row := self._keys.row(event)) is not None:
                # With the event, whose number is its own as long as it lives.
                self._recalled[id(event)] = event, _snapshot(self._latest.get(row[0], ()))
        return known

    def trials(self, captures: Sequence[Capture]) -> list[int | None]:
        return [self._trial(self._digests.capture(self._api, capture)) for capture in captures]

    def leave_trials(self, captures: Sequence[Capture]) -> None:
        """See `Ledger.leave_trials`."""
        for capture in captures:
            self._postgres.free(self._connection, _trial_lock(self._digests.capture(self._api, capture)))

    def commit(self, changes: Sequence[Change]) -> None:
        for _ in range(_TRIES):
            try:
                with self._transaction(), _undone_when_contended():
                    batch = self._claim(changes)
                    self._write(batch)
                    self._count_trials(changes)
            except _Contended:
                continue
            self._note(changes, batch)
            return
        raise unavailable(self._database, "its transactions stand in each other's way")

    def secure(self) -> None:
        with self._transaction(self._database.to_disk(self._connection)):
            self._connection.execute(self._own.values(rows=None))

    # The task itself.

    def stop_job(self, cause: RunStopped) -> None:
        """What ends this task ends them all."""
        with self._transaction():
            say_stop(self._connection, self.run, cause)

    def leave(self, account: bytes, *, rows: int) -> None:
        """What became of the rows of this partition that this attempt has read."""
        with self._transaction():
            self._connection.execute(self._own.values(account=account, rows=rows))

    @property
    def _own(self) -> sa.Update:
        return tables.tasks.update().where(self._is_ours)

    @contextmanager
    def _transaction(self, begun: AbstractContextManager[object] | None = None) -> Iterator[None]:
        with self._judged(begun, is_to_write=True):
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What it finds may be of a job that has just ended: nothing is sent of it without an intent."""
        with self._judged(None, is_to_write=False):
            yield

    @contextmanager
    def _judged(self, begun: AbstractContextManager[object] | None, *, is_to_write: bool) -> Iterator[None]:
        self._driver.judge_now_and_then()
        with super()._transaction(begun):
            self.stop = judge_run(self._connection, self.run, is_to_write=is_to_write) or self.stop
            yield

    # Claims.

    def _found(self, identities: Sequence[bytes]) -> dict[bytes, list[Found]]:
        self._latest = super()._found(identities)
        if before := self._intending():
            with self._reading():
                self._look_who_works()
                self._latest = self._look_up(identities)  # what is not at work any more has written its last
            self._at_work |= self._intending() - before  # just now
        return self._latest

    def _standings(self) -> Iterator[_Standing]:
        return (_standing(each) for found in self._latest.values() for each in found)

    def _is_intended_elsewhere(self, of: _Standing) -> bool:
        """Whether the latest that was written is an intent, of another partition of this job.

        Of an intent of this very partition it is known that an earlier attempt left it, which is dead.
        """
        _, standing, run, partition = of
        is_intended = standing == CODES[Standing.INTENDED] and run == self.run
        return is_intended and partition not in {None, self._partition}

    def _intending(self) -> frozenset[int]:
        """Other partitions of this job that have an intent of what was found last."""
        found = {each[3] for each in self._standings() if self._is_intended_elsewhere(each)}
        return frozenset(partition for partition in found if partition is not None)

    def _look_who_works(self) -> None:
        """Within a transaction."""
        names = {_lock(each, self.run): each for each in self._intending()}
        held = self._postgres.held(self._connection, list(names))
        self._at_work = frozenset(names[name] for name in held)

    def _known(self, found: Sequence[Found], event: Event, row: Row, *, is_former: bool = False) -> Iterator[Known]:
        known = super()._known(found, event, row, is_former=is_former)
        for of, each in zip(found, known, strict=True):
            yield replace(each, is_in_hand=True) if self._is_in_hand(_standing(of)) else each

    def _is_in_hand(self, of: _Standing) -> bool:
        """Whether a task that is at work has an intent of it, or will find the one that its dead attempt left."""
        return self._is_intended_elsewhere(of) and of[3] in self._at_work

    def _claim(self, changes: Sequence[Change]) -> WriteBatch:
        """Say which intents are refused; what the rest comes to. The rows of an identity are ours until the commit."""
        intents = [change for change in changes if isinstance(change, Intent)]
        claims = [(intent, row[0]) for intent in intents if (row := self._keys.row(intent.event)) is not None]
        if claims:
            self._judge_claims(claims)
        self._may_keep_rows = self._may_keep_rows or self._keeps_rows()  # another task may have kept one since
        return self._batch(change for change in changes if not (isinstance(change, Intent) and change.is_refused))

    def _judge_claims(self, claims: Sequence[tuple[Intent, bytes]]) -> None:
        """Refused is what has changed since it was recalled, and what another task has in hand."""
        identities = sorted({identity for _, identity in claims})
        self._postgres.lock_rows(self._connection, identities)
        self._latest = found = self._look_up(identities)
        self._look_who_works()
        for intent, identity in claims:
            now = _snapshot(found.get(identity, ()))
            _, recalled = self._recalled[id(intent.event)]
            intent.is_refused = now != recalled or any(map(self._is_in_hand, now))

    def _note(self, changes: Sequence[Change], batch: WriteBatch) -> None:
        """What this task has written itself is no reason to recall an event again."""
        concluded = {id(change.part) for change in changes if isinstance(change, Concluded)}
        for change in changes:
            event = getattr(change, "event", None)
            if event is not None and id(event) in self._recalled and id(event) not in concluded:
                self._note_own(event, batch)
        for number in concluded:
            self._recalled.pop(number, None)

    def _note_own(self, event: Event, batch: WriteBatch) -> None:
        row = self._keys.row(event)
        written = None if row is None else batch.standings.get(row)
        if row is None or written is None:
            return
        _, recalled = self._recalled[id(event)]
        others = {each for each in recalled if each[0] != row[1]}
        own = (row[1], int(written["standing"]), self.run, self._partition)
        self._recalled[id(event)] = event, frozenset({*others, own})

    # Captures on trial.

    def _trial(self, capture: bytes) -> int | None:
        """How much it has refused so far, once its trial is this task's; None where that is another's, or nobody's."""
        with self._reading():
            pass  # whether the job still lasts
        if not self._postgres.take(self._connection, _trial_lock(capture)):
            return None
        table = tables.trials
        refused = sa.select(table.c.refusals).where(table.c.run == self.run, table.c.capture == capture)
        with self._reading():
            found = self._connection.execute(refused).scalar() or 0
        return None if self.stop is not None else found  # by the trial itself, perhaps, which has just ended

    def _count_trials(self, changes: Sequence[Change]) -> None:
        """What captures on trial have refused: whoever goes on with a trial goes on from there."""
        table = tables.trials
        refusing = (change.event.capture for change in changes if isinstance(change, Answered) and change.is_trial)
        for capture in refusing:
            new = insert(table).values(run=self.run, capture=self._digests.capture(self._api, capture), refusals=1)
            self._connection.execute(
                new.on_conflict_do_update(
                    index_elements=[table.c.run, table.c.capture], set_={"refusals": table.c.refusals + 1}
                )
            )

    # Changes.

    def _write(self, batch: WriteBatch) -> None:
        for row in batch.standings.values():
            row["partition"] = self._partition
        super()._write(batch)

    def _release(self, releases: Sequence[Release]) -> None:
        """What this job has kept goes with its own content alone: of two tasks' rows nobody knows which came later."""
        super()._release([replace(release, position=0) for release in releases])

    def _in_order(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """By their keys, which stand first: two tasks that write the same ones wait, and do not block each other."""
        return sorted(rows, key=lambda row: tuple(islice(row.values(), 2)))

    def _counted(self, batch: WriteBatch) -> dict[str, int]:
        own = {"of_run": self.run, "of_partition": self._partition, "of_attempt": self._attempt}
        return own | {f"{name}_more": batch.counted[name] for name in COUNTERS}


def join(
    location: str, *, api: str, run: int, partition: int, attempt: int, is_stopped: Callable[[], bool]
) -> JoinedLedger | None:
    """The ledger of a job, for one attempt at one of its partitions; None if it, or the job, is stopped meanwhile.

    It waits for an earlier attempt's session to end, whose process may be dead.

    Raises:
        LedgerUnavailable: It cannot be reached, or the job is over.
    """
    database = parse_shared(location)
    with ExitStack() as unless_joined:
        connection = database.connect()
        unless_joined.callback(close, connection)
        waiting = _Waiting(database, connection, run=run, is_stopped=is_stopped)
        if not (waiting.take(TASKS, is_shared=True) and waiting.take(_lock(partition, run))):
            return None
        hold = Hold(database=database, connection=connection, is_new=False, ends=ExitStack())
        ledger = JoinedLedger(hold, database=database, api=api, run=run, partition=partition, attempt=attempt)
        hold.ends.push(unless_joined.pop_all())
        return ledger


class _Waiting:
    """Waits for locks as long as the job lasts."""

    def __init__(
        self, database: Postgres, connection: sa.Connection, *, run: int, is_stopped: Callable[[], bool]
    ) -> None:
        self._database = database
        self._connection = connection
        self._run = run
        self._is_stopped = is_stopped
        self._driver = _Driver(database, connection)

    def take(self, lock: str, *, is_shared: bool = False) -> bool:
        """Wait for one; False if the task is to stop meanwhile, or the job is."""
        while not (self._is_stopped() or self._judge()):
            if self._database.take(self._connection, lock, is_shared=is_shared):
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _judge(self) -> RunStopped | None:
        self._driver.judge_now_and_then()
        with guarded(self._database), self._connection.begin():
            return judge_run(self._connection, self._run, is_to_write=False)


def judge_run(connection: sa.Connection, run: int, *, is_to_write: bool = True) -> RunStopped | None:
    """Within a transaction, before anything in it: what ends the job, if something does.

    Whoever ends the run waits until a transaction that `is_to_write` is over.

    Raises:
        LedgerUnavailable: The run has its end, so nothing more must be written.
    """
    found = connection.exec_driver_sql(_RUN + " FOR KEY SHARE" * is_to_write, {"run": run}).one_or_none()
    if found is None or found.ended_at is not None:
        raise LedgerUnavailable(_OVER)
    return read_stop(found.stopped)


class _Driver:
    """The job's own process. As long as it lives, nobody else has its lock."""

    def __init__(self, database: Postgres, connection: sa.Connection) -> None:
        self._database = database
        self._connection = connection
        self._looked_at = time.monotonic() - LOOK_SECONDS

    def judge_now_and_then(self) -> None:
        """Look for it at once, and then every `LOOK_SECONDS`.

        Raises:
            LedgerUnavailable: It is dead.
        """
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        if self._database.take(self._connection, JOB, is_shared=True):
            self._database.free(self._connection, JOB, is_shared=True)
            raise LedgerUnavailable(_DEAD)


@contextmanager
def _undone_when_contended() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in _CONTENDED:
            raise _Contended from None
        raise


def _trial_lock(capture: bytes) -> str:
    return f"trial {capture.hex()}"


def _lock(partition: int, run: int) -> str:
    """What the attempt at a partition holds that is at work."""
    return f"partition {partition} of {run}"


def _snapshot(found: Sequence[Found]) -> Snapshot:
    return frozenset(map(_standing, found))


def _standing(found: Found) -> _Standing:
    content, code, _, _, _, _, run, partition = found
    return bytes(content), code, run, partition


_RUN = "SELECT ended_at, stopped FROM runs WHERE id = %(run)s"
_OVER = "The job of this task is over: nothing more is sent. The next run goes on from what the ledger has."
_DEAD = "The process that started this job is gone: nothing more is sent. Start the job again."
