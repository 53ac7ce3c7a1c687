"""The ledger of a job: its own process has the lock, its tasks write beside each other, and nothing after its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest
import sqlalchemy as sa

from target_driftrock.errors import (
    ApiOutage,
    CaptureRefused,
    Defect,
    LedgerUnavailable,
    RejectsAboveLimit,
    RunStopped,
    SettingsInvalid,
    revived,
)
from target_driftrock.events.event import Event
from target_driftrock.events.identity import Way
from target_driftrock.events.outcome import Delivered, Rejected
from target_driftrock.ledger import joined, tables
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.interface import Answered, Concluded, Counts, Intent, Lost, Proven, Standing
from target_driftrock.ledger.job import JobLedger, open_job
from target_driftrock.ledger.joined import JoinedLedger, join
from target_driftrock.ledger.postgres import JOB, Postgres
from target_driftrock.ledger.reading import reading
from tests.contract.places import SERVER, kill, new_schema, opened, role
from tests.contract.recalling import standings
from tests.delivery.examples import API, capture, event
from tests.ledger.rows import rows
from tests.waiting import until

pytestmark = pytest.mark.postgres


@dataclass
class Played:
    """A job, and the tasks that have joined it."""

    location: str
    job: JobLedger
    ends: ExitStack = field(repr=False)

    def task(self, partition: int = 0, *, attempt: int = 1) -> JoinedLedger:
        """One that may begin at once."""
        found = self.join(partition, attempt=attempt)
        assert found is not None
        self.ends.callback(found.close)
        return found

    def join(
        self, partition: int, *, attempt: int = 1, is_stopped: Callable[[], bool] = lambda: False
    ) -> JoinedLedger | None:
        """As a task does."""
        return join(
            self.location,
            api=API,
            run=self.job.run,
            partition=partition,
            attempt=attempt,
            is_stopped=is_stopped,
        )


@contextmanager
def job_of(location: str) -> Iterator[JobLedger]:
    """A job of four tasks that has the ledger there."""
    found = open_job(location, api=API, tasks=4, wait=0, is_stopped=lambda: False, may_make=True)
    assert found is not None
    with closing(found):
        yield found


@pytest.fixture
def played() -> Iterator[Played]:
    """A job with a ledger of its own."""
    with new_schema() as location, job_of(location) as job, ExitStack() as ends:
        yield Played(location, job, ends)


def claimed(task: JoinedLedger, *events: Event) -> list[bool]:
    """Recall these, and say which of them the task may send."""
    task.recall(events)
    return intended(task, *events)


def intended(task: JoinedLedger, *events: Event) -> list[bool]:
    """Say which of these, which were recalled, the task may send."""
    intents = [Intent(each) for each in events]
    task.commit(intents)
    return [not intent.is_refused for intent in intents]


# Claims.


def test_one_task_gets_an_event_when_two_want_it(played: Played) -> None:
    """The second one recalled it before the first one's intent, and so must recall it again."""
    one, other = played.task(0), played.task(1)
    late = event(1)
    other.recall([late])
    assert claimed(one, event(1)) == [True]
    assert intended(other, late) == [False]


def test_an_event_is_in_hand_when_another_task_has_an_intent_of_it(played: Played) -> None:
    """Nothing is decided of it until that one says what became of it; then what it says counts."""
    one, other = played.task(0), played.task(1)
    sent, late = event(1), event(1)
    claimed(one, sent)

    ((known,),) = other.recall([late])
    assert (known.standing, known.is_in_hand) == (Standing.INTENDED, True)
    assert intended(other, late) == [False]

    one.commit([Concluded(part=sent, outcome=Delivered())])
    ((known,),) = other.recall([late])
    assert (known.standing, known.is_in_hand) == (Standing.DELIVERED, False)


def test_an_event_is_in_nobody_s_hand_when_the_task_that_has_an_intent_of_it_is_dead(played: Played) -> None:
    """It is perhaps accepted, as an intent of a run that died."""
    one, other = played.task(0), played.task(1)
    sent, repeat = event(1), event(1)
    claimed(one, sent)
    kill(one)
    until(lambda: not other.recall([repeat])[0][0].is_in_hand)
    assert intended(other, repeat) == [True]


def test_an_intent_is_dead_when_an_earlier_attempt_at_the_partition_left_it(played: Played) -> None:
    """It is in nobody's hand: that attempt's session has ended, else this one could not have begun."""
    claimed(killed := played.task(0), event(1))
    killed.close()
    ((known,),) = played.task(0, attempt=2).recall([event(1)])
    assert (known.standing, known.is_in_hand) == (Standing.INTENDED, False)


def test_other_content_of_an_event_is_a_reason_to_recall_it_again(played: Played) -> None:
    """Two rows with one event_id and different persons: one is sent, and the other one collides with it."""
    one, other = played.task(0), played.task(1)
    first, second = (event(number, event_id="same", person=f"p{number}") for number in (1, 2))
    other.recall([second])
    assert claimed(one, first) == [True]
    assert intended(other, second) == [False]


def test_an_event_is_still_claimed_when_its_own_task_has_written_of_it(played: Played) -> None:
    """A retry, and one after a lost answer, need not be recalled again."""
    task = played.task()
    sent = event(1)
    claimed(task, sent)
    task.commit([Answered(sent)])
    assert intended(task, sent) == [True]
    task.commit([Lost(sent)])
    assert intended(task, sent) == [True]


def test_one_task_waits_for_the_other_when_both_claim_the_same_in_opposite_order(played: Played) -> None:
    """A thousand rounds of both, and no deadlock ends a task."""
    one, other = played.task(0), played.task(1)
    events = [event(number) for number in range(1, 21)]
    taken: dict[int, list[int]] = {0: [], 1: []}

    def claim(task: JoinedLedger, order: Sequence[Event], into: list[int]) -> None:
        for part in (order[:10], order[10:]):
            into += [each.origin.position for each, is_ours in zip(part, claimed(task, *part), strict=True) if is_ours]

    threads = [
        threading.Thread(target=claim, args=(one, events, taken[0])),
        threading.Thread(target=claim, args=(other, [event(each.origin.position) for each in events[::-1]], taken[1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken[0] + taken[1]) == list(range(1, 21))


def test_an_event_without_identity_is_never_refused(played: Played) -> None:
    """Nothing can be known of it."""
    assert claimed(played.task(), event(1, event_id=None)) == [True]


# Who works.


def test_a_task_waits_when_an_earlier_attempt_at_its_partition_is_at_work(played: Played) -> None:
    """Two attempts at once are the normal case once an executor has died."""
    first = played.task(0)
    looks = iter([False, False, True])
    assert played.join(0, attempt=2, is_stopped=lambda: next(looks)) is None
    first.close()
    assert played.task(0, attempt=2)


def test_the_attempt_counts_that_has_read_most(played: Played) -> None:
    """Spark may break one off in the middle of its rows, and it takes that for their end."""
    for attempt, rows_read in ((1, 5), (2, 9), (3, 2)):
        task = played.task(0, attempt=attempt)
        task.commit([Concluded(part=event(attempt), outcome=Delivered())])
        task.leave(b"%d" % rows_read, rows=rows_read)
        task.close()
    assert played.job.accounts() == {0: b"9"}
    assert (played.job.counts(), played.job.cut_off) == (Counts(delivered=1), Counts(delivered=2))


def test_what_attempts_added_up_is_told_apart_when_one_was_cut_off(played: Played) -> None:
    """The account of one tells of its own; of the others the ledger alone does."""
    killed = played.task(0)
    killed.commit([Concluded(part=event(1), outcome=Delivered()), Lost(event(2))])
    killed.close()
    task = played.task(0, attempt=2)
    task.commit([Concluded(part=event(3), outcome=Delivered())])
    assert (played.job.counts(), played.job.cut_off) == (Counts(), Counts(delivered=2, unknown=1))
    task.leave(b"{}", rows=3)
    assert (played.job.counts(), played.job.cut_off) == (Counts(delivered=1), Counts(delivered=1, unknown=1))
    task.close()
    played.job.finish(exit_code=0, receipt="{}")
    (run,) = rows(played.location, tables.runs)
    assert (run["delivered"], run["unknown"]) == (2, 1)
    assert rows(played.location, tables.tasks) == []


def test_what_tasks_have_done_is_seen_while_their_job_lasts(played: Played) -> None:
    """A backfill takes hours, and `report` says how far it is."""
    for partition in range(2):
        task = played.task(partition)
        task.commit([Concluded(part=event(partition), outcome=Delivered()), Lost(event(9 + partition))])
    with reading(played.location) as ledger:
        (running,) = ledger.runs(last=1)
    assert (running.is_running, running.delivered, running.unknown) == (True, 2, 2)


def test_nothing_is_remembered_of_events_that_are_concluded(played: Played) -> None:
    """However long a task is: also where an answer was lost in the same transaction."""
    task = played.task(0)
    events = [event(number) for number in range(20)]
    claimed(task, *events)
    task.commit([change for each in events for change in (Lost(each), Concluded(part=each, outcome=Delivered()))])
    keys = task._keys  # noqa: SLF001 - memory is what this is about
    assert [len(each) for each in (task._recalled, keys._rows, keys._columns)] == [0, 0, 0]  # noqa: SLF001


def test_no_task_begins_once_the_job_has_waited_for_them(played: Played) -> None:
    """What it accounts for then does not change."""
    played.job.await_tasks(wait=0)
    looks = iter([False, False, True])
    assert played.join(0, is_stopped=lambda: next(looks)) is None


def test_a_kept_row_stays_when_another_task_delivers_an_older_content(played: Played) -> None:
    """Rows are counted in each task, so that nobody can say which of two came later: none goes for its place."""
    older, newer = (
        event(position, event_id="order-7", person="ada", body=b'{"amount": %d}' % amount)
        for position, amount in ((100, 1), (3, 2))
    )
    for partition, each, outcome in ((0, newer, Rejected(status=422)), (1, older, Delivered())):
        task = played.task(partition, attempt=partition)
        assert claimed(task, each) == [True]
        task.commit([Concluded(part=each, outcome=outcome)])
    (kept,) = rows(played.location, tables.kept)
    assert kept["position"] == newer.origin.position


def test_a_kept_row_goes_when_another_task_delivers_its_content(played: Played) -> None:
    """That one began when nothing was kept yet."""
    one, other = played.task(0), played.task(1)
    for task, outcome in ((one, Rejected(status=422)), (other, Delivered())):
        same = event(1)
        assert claimed(task, same) == [True]
        task.commit([Concluded(part=same, outcome=outcome)])
    assert rows(played.location, tables.kept) == []


# The end of a job.


def test_nothing_is_written_when_the_next_run_has_begun(played: Played) -> None:
    """The process of the job is dead, and a task of it is not: its transactions find that the run has its end."""
    task = played.task(0)
    kill(played.job)
    with pytest.raises(LedgerUnavailable, match="tasks of a job that was killed"), opened(played.location):
        pass
    with pytest.raises(LedgerUnavailable, match="job of this task is over"):
        task.commit([Concluded(part=event(1), outcome=Delivered())])
    kill(task)
    with opened(played.location) as ledger:
        assert standings(ledger, event(1)) == [None]


def test_a_killed_job_is_accounted_for_by_the_next_run(played: Played) -> None:
    """By what its tasks' transactions say."""
    task = played.task(0)
    task.commit([Concluded(part=event(1), outcome=Delivered())])
    claimed(task, event(2))
    kill(task)
    kill(played.job)
    with opened(played.location):
        pass
    run = rows(played.location, tables.runs)[0]
    assert (run["delivered"], '"intents_open":1' in run["receipt"]) == (1, True)


def test_a_task_stops_when_the_process_of_its_job_is_dead(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock is to be had."""
    task = played.task(0)
    monkeypatch.setattr(joined, "LOOK_SECONDS", 0.0)
    task.commit([Proven(capture())])  # while it lives
    kill(played.job)
    with pytest.raises(LedgerUnavailable, match="process that started this job is gone"):
        task.commit([Proven(capture())])


def test_a_task_does_not_begin_when_the_process_of_its_job_is_dead(played: Played) -> None:
    """Spark begins one attempt after the other as long as it is there itself."""
    kill(played.job)
    with pytest.raises(LedgerUnavailable, match="process that started this job is gone"):
        played.join(0)


def test_a_waiting_attempt_gives_up_when_the_job_is_stopped(played: Played) -> None:
    """The session that it waits for may be that of a frozen worker."""
    played.task(0)
    played.job.stop(RejectsAboveLimit("too many"))
    looks = iter([False, True])
    assert played.join(0, attempt=2, is_stopped=lambda: next(looks)) is None
    assert next(looks) is True, "it waited on"


def test_nothing_is_written_when_a_task_only_asks(played: Played) -> None:
    """A look-up for each row of a backfill waits for no disk, and holds up no end of the job."""
    task = played.task(0)
    number = sa.text("SELECT pg_current_xact_id_if_assigned()::text")
    with task._reading():  # noqa: SLF001 - as `recall` and `proven` do
        assert task.connection.execute(number).scalar() is None
    with task._transaction():  # noqa: SLF001 - as `commit` does
        assert task.connection.execute(number).scalar() is not None


def test_no_task_begins_when_the_job_is_over(played: Played) -> None:
    """An executor may come to it late."""
    played.job.finish(exit_code=0, receipt="{}")
    with pytest.raises(LedgerUnavailable, match="job of this task is over"):
        played.join(0)


@pytest.mark.parametrize(
    "cause",
    [
        CaptureRefused(capture="streams[0]", reason="status 404"),
        SettingsInvalid(["one.", "two."]),
        ApiOutage(seconds=5, reason="status 500"),
    ],
)
def test_what_ends_one_task_ends_all_and_the_first_cause_counts(played: Played, cause: RunStopped) -> None:
    """Every transaction tells of it, and still writes what it has."""
    one, other = played.task(0), played.task(1)
    one.stop_job(cause)
    other.stop_job(RejectsAboveLimit("later"))
    other.commit([Answered(event(1))])  # what is in flight is still recorded
    for stop in (other.stop, played.job.stopped):
        assert (type(stop), str(stop)) == (type(cause), str(cause))


def test_a_cause_of_another_version_is_a_defect() -> None:
    """An executor may have another one installed."""
    assert type(revived("NoSuchCause", ["text"])) is Defect


def test_the_job_waits_when_a_task_is_at_work(played: Played) -> None:
    """Its receipt tells of all of them."""
    task = played.task(0)
    with pytest.raises(LedgerUnavailable, match="still at work"):
        played.job.await_tasks(wait=0.1)
    task.close()
    played.job.await_tasks(wait=10)


# Captures.


def test_one_task_tries_a_capture_that_has_accepted_nothing(played: Played) -> None:
    """The next one goes on with its refusals, so that a wrong mapping costs ten events in the whole job."""
    one, other = played.task(0), played.task(1)
    assert one.trials([capture("a"), capture("b")]) == [0, 0]
    assert other.trials([capture("a"), capture("c")]) == [None, 0]
    refused = [event(number, source="a") for number in (1, 2)]
    one.commit([Answered(each, is_trial=True) for each in refused])
    one.close()
    until(lambda: other.trials([capture("a")]) == [2])
    other.leave_trials([capture("a")])
    assert played.task(2).trials([capture("a")]) == [2]


def test_a_trial_is_nobody_s_when_the_job_is_stopped(played: Played) -> None:
    """Else each task in turn would send one event more to a capture that has refused ten."""
    one, other = played.task(0), played.task(1)
    assert one.trials([capture("a")]) == [0]
    one.stop_job(RejectsAboveLimit("It refuses all."))
    one.close()
    assert other.trials([capture("a")]) == [None]


# Beside it.


def test_ways_have_their_numbers_before_tasks_begin(played: Played) -> None:
    """Else two tasks would give one number to two ways."""
    ways = [Way("leads", f'{{"event_id":"{name}"}}') for name in "ab"]
    played.job.meet_ways([(ways[0], ()), (ways[1], (ways[0],))])
    for part, way in enumerate(reversed(ways)):
        played.task(part).commit([Concluded(part=event(part + 1, way=way), outcome=Delivered())])
    found = {row["templates"]: row["delivered"] for row in rows(played.location, tables.ways)}
    assert found == {way.templates: 1 for way in ways}


def test_kept_rows_of_tasks_are_those_of_a_run(played: Played) -> None:
    """They are kept, and go, in the same way."""
    task = played.task(0)
    task.commit([Concluded(part=event(1), outcome=Rejected(status=400))])
    assert [row["kind"] for row in rows(played.location, tables.kept)] == ["rejected"]
    again = event(1)
    claimed(task, again)
    task.commit([Concluded(part=again, outcome=Delivered())])
    assert rows(played.location, tables.kept) == []


def test_a_plain_run_waits_when_a_job_has_the_ledger(played: Played) -> None:
    """There is one at a time."""
    with pytest.raises(LedgerUnavailable, match="is held by"):
        open_ledger(played.location, api=API, wait=0, is_stopped=lambda: False)


def test_a_directory_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Only one process can write to it."""
    with pytest.raises(SettingsInvalid, match="must be in PostgreSQL"):
        open_job(
            str(tmp_path_factory.mktemp("ledger")), api=API, tasks=1, wait=0, is_stopped=lambda: False, may_make=True
        )


def test_more_tasks_are_refused_than_the_server_lets_in() -> None:
    """A session each, and no pooler."""
    with new_schema() as location:
        with pytest.raises(SettingsInvalid, match="100000 tasks need a session each"):
            open_job(location, api=API, tasks=100_000, wait=0, is_stopped=lambda: False, may_make=True)
        assert rows(location, tables.runs) == []


@pytest.mark.parametrize("of", ["ROLE", "DATABASE"])
def test_more_tasks_are_refused_than_the_role_or_its_database_lets_in(of: str) -> None:
    """As who rents a server has it."""
    limited = f"ALTER {of} {{name}} CONNECTION LIMIT 3"
    with role("GRANT CREATE ON DATABASE {name} TO {name}", limited) as location:
        with pytest.raises(SettingsInvalid, match="4 tasks need a session each, and its server lets in 2 more"):
            open_job(location, api=API, tasks=4, wait=0, is_stopped=lambda: False, may_make=True)
        with closing(open_job(location, api=API, tasks=2, wait=0, is_stopped=lambda: False, may_make=True)):  # type: ignore[type-var]
            pass


def test_a_transaction_is_tried_again_when_a_deadlock_undid_it(played: Played) -> None:
    """A stranger's transaction takes two rows in the other order, and waits long enough for ours to be undone."""
    task = played.task(0)
    sent = [event(number) for number in (1, 2)]
    task.commit([Lost(each) for each in sent])
    low, high = sorted(row["identity"] for row in rows(played.location, tables.unknown))
    taken, is_over = threading.Event(), threading.Event()

    def stand_in_the_way() -> None:
        with psycopg.connect(SERVER) as stranger:
            stranger.execute("SET deadlock_timeout = '20s'")
            stranger.execute(f"SET search_path = {schema_of(played)}")
            touch = "UPDATE unknown SET lost = lost WHERE identity = %s"
            stranger.execute(touch, [high])
            taken.set()
            stranger.execute(touch, [low])  # waits for the task, which waits for us, and is undone
            is_over.set()

    thread = threading.Thread(target=stand_in_the_way)
    thread.start()
    assert taken.wait(10)
    task.commit([Lost(each) for each in sent])
    thread.join()
    assert is_over.is_set()
    assert sorted(row["lost"] for row in rows(played.location, tables.unknown)) == [2, 2]


def schema_of(played: Played) -> str:
    """Where the tables lie."""
    return played.location.partition("schema=")[2]


def test_the_lock_of_a_job_is_not_that_of_another_schema() -> None:
    """All locks of a database share their numbers."""
    assert Postgres(options={}, schema="a").lock_key(JOB) != Postgres(options={}, schema="b").lock_key(JOB)
