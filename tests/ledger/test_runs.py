"""What is known of runs, what is forgotten in time, and which ledgers a version of this program takes."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from target_driftrock.errors import LedgerUnavailable, SettingsInvalid
from target_driftrock.events.event import Event
from target_driftrock.events.outcome import ChangeCause, Changed, Delivered, Held, HeldAs, Invalid, Rejected, Settled
from target_driftrock.ledger import tables
from target_driftrock.ledger.durable import DurableLedger, open_ledger
from target_driftrock.ledger.inspection import doubts
from target_driftrock.ledger.interface import Answered, Change, Concluded, Counts, Intent, Lost, Standing, Withdrawn
from target_driftrock.ledger.location import parse_location
from tests.contract.places import opened
from tests.contract.recalling import standings
from tests.delivery.examples import API, event, invalid_part
from tests.ledger.holding import held_by_another
from tests.ledger.rows import alter, rows

DAY = 86_400


def test_a_ledger_is_new_when_nothing_was_remembered_before(location: str) -> None:
    """The second run finds what the first one left, and counts from zero."""
    with opened(location) as ledger:
        assert ledger.is_new
        ledger.commit([Concluded(part=event(1), outcome=Delivered())])
    with opened(location) as ledger:
        assert not ledger.is_new
        assert standings(ledger, event(1)) == [Standing.DELIVERED]
        assert ledger.counts() == Counts()


def test_a_receipt_is_kept_when_a_run_ends(location: str) -> None:
    """With its exit code, and with what its own transactions counted."""
    before = time.time()
    with opened(location) as ledger:
        ledger.commit([Concluded(part=event(1), outcome=Delivered())])
        ledger.finish(exit_code=6, receipt='{"a": 1}')

    (run,) = rows(location, tables.runs)
    assert (run["exit_code"], run["receipt"], run["delivered"]) == (6, '{"a": 1}', 1)
    assert before <= run["started_at"] <= run["ended_at"] <= time.time()


def test_the_next_run_writes_the_receipt_when_a_run_was_killed(location: str) -> None:
    """What its transactions counted, the answers it lost, and the requests that nobody knows of."""
    with held_by_another(location) as killed:
        killed.kill()
    with opened(location):
        pass

    first, second = rows(location, tables.runs)
    assert json.loads(first["receipt"]) == {
        "kind": "cut off",
        "events": {"delivered": 1, "invalid": 0, "rejected": 0, "held": 0},
        "answers_lost": 1,
        "intents_open": 1,
    }
    assert first["exit_code"] is None
    assert first["ended_at"] is not None
    assert second["receipt"] is None


def test_a_receipt_stays_as_it_is_when_its_run_has_ended(location: str) -> None:
    """Only a run without an end was killed."""
    with opened(location) as ledger:
        ledger.finish(exit_code=0, receipt="its own")
    with opened(location):
        pass

    assert rows(location, tables.runs)[0]["receipt"] == "its own"


def test_tries_are_counted_over_all_runs_when_an_event_is_sent_again(location: str) -> None:
    """Each intent that was not taken back is a request."""
    one = event(1)
    with opened(location) as ledger:
        ledger.commit([Intent(one), Lost(one), Intent(one)])
        ledger.commit([Withdrawn(one, was_unknown=True)])
    with opened(location) as ledger:
        ledger.commit([Intent(one)])
        ledger.commit([Answered(one)])
        ledger.commit([Intent(one), Concluded(part=one, outcome=Delivered())])

    (row,) = rows(location, tables.deliveries)
    assert (row["tries"], row["run"]) == (3, 2)


def test_the_ids_of_lost_answers_are_listed_when_answers_are_lost(location: str) -> None:
    """One row for each event, with how often; a NUL in an id stops nothing."""
    with opened(location) as ledger:
        ledger.commit([Lost(event(1)), Lost(event(1))])
        ledger.commit([Lost(event(1)), Lost(event(2, event_id="a\0b")), Lost(event(3, event_id=None))])
        ledger.commit([Concluded(part=event(1), outcome=Delivered())])
        assert ledger.counts().unknown == 5

    lost = {row["event_id"]: (row["lost"], row["capture"]) for row in rows(location, tables.unknown)}
    assert lost == {"leads:1": (3, "capture-1"), "a\ufffdb": (1, "capture-1")}


# Retention.


def _age(location: str, *, days: int) -> None:
    """Let all rows be as old as that."""
    then = time.time() - days * DAY
    for table in (tables.deliveries, tables.unknown, tables.kept):
        alter(location, table.update().values(at=then))
    alter(location, tables.kept.update().values(first_at=then))


OPEN: list[Change] = [Answered(event(3)), Lost(event(4)), Intent(event(5))]
HELD = Held(reason="its answer was lost", is_unknown=True)
REFUSED: list[Change] = [
    Concluded(part=event(6), outcome=Rejected(status=400)),
    Concluded(part=event(7), outcome=HELD),
    Concluded(part=invalid_part(8), outcome=Invalid(reason="a rule")),
]


def test_only_delivered_events_and_ids_of_lost_answers_go_when_they_are_old(location: str) -> None:
    """What was refused, held or left open is not settled by time; receipts and captures stay."""
    with opened(location) as ledger:
        ledger.commit([Concluded(part=event(1), outcome=Delivered()), *OPEN, *REFUSED])
    _age(location, days=31)
    with opened(location) as ledger:
        ledger.commit([Concluded(part=event(2), outcome=Delivered()), Lost(event(9))])

        assert not ledger.prune(days=30)

        known = standings(ledger, *(event(position) for position in range(1, 8)))
        assert [each is not None for each in known] == [False, True, True, True, True, True, True]
    assert [row["event_id"] for row in rows(location, tables.unknown)] == ["leads:9"]
    assert len(rows(location, tables.kept)) == 3
    assert len(rows(location, tables.runs)) == 2


def test_nothing_goes_when_it_is_younger_than_the_retention(location: str) -> None:
    """A day less, and it is remembered."""
    with opened(location) as ledger:
        ledger.commit([Concluded(part=event(1), outcome=Delivered()), Lost(event(2))])
    _age(location, days=29)
    with opened(location) as ledger:
        assert not ledger.prune(days=30)
        assert standings(ledger, event(1), event(2)) == [Standing.DELIVERED, Standing.UNKNOWN]
    assert len(rows(location, tables.unknown)) == 1


def test_old_events_go_in_steps_when_there_are_many(location: str) -> None:
    """Each step is a transaction that looks at so many rows, and says whether there are more."""
    events = [event(position) for position in range(25)]
    with opened(location) as ledger:
        ledger.commit([Concluded(part=each, outcome=Delivered()) for each in events])
    _age(location, days=2)
    with opened(location) as ledger:
        left = []
        while ledger.prune(days=1, step=10):
            left.append(len(rows(location, tables.deliveries)))

        assert left == [15, 5]
        assert standings(ledger, *events) == [None] * 25
        assert not ledger.prune(days=1, step=10)


def _content(number: int) -> Event:
    """One of several contents of one event."""
    return event(number, event_id="x")


SETTLED: list[Settled] = [Delivered(), Changed(cause=ChangeCause.CONFLICT, is_said=True)]
UNSETTLED: dict[str, Change] = {
    "answered": Answered(_content(2)),
    "unknown": Lost(_content(2)),
    "intended": Intent(_content(2)),
    "rejected": Concluded(part=_content(2), outcome=Rejected(status=400)),
    "held": Concluded(part=_content(2), outcome=HELD),
}


def test_all_contents_of_an_event_go_together_when_they_are_old(location: str) -> None:
    """Delivered, and changed by a conflict; a collision has nothing to forget."""
    collision = Held(reason="its event_id is another's", kind=HeldAs.COLLISION)
    with opened(location) as ledger:
        ledger.commit(
            [Concluded(part=_content(number), outcome=outcome) for number, outcome in enumerate([*SETTLED, collision])]
        )
    _age(location, days=31)

    with opened(location) as ledger:
        assert not ledger.prune(days=30)
    assert rows(location, tables.deliveries) == []
    assert len(rows(location, tables.kept)) == 1


@pytest.mark.parametrize("unsettled", list(UNSETTLED.values()), ids=list(UNSETTLED))
def test_no_content_of_an_event_goes_when_one_is_unsettled(location: str, unsettled: Change) -> None:
    """Forgotten, the delivered one could no longer defend the identity, and the other would go out over it."""
    with opened(location) as ledger:
        ledger.commit([Concluded(part=_content(1), outcome=Delivered()), unsettled])
        ledger.commit([Concluded(part=event(3), outcome=Delivered())])
    _age(location, days=31)

    with opened(location) as ledger:
        ledger.prune(days=30)
        assert standings(ledger, event(3)) == [None]
    assert len(rows(location, tables.deliveries)) == 2


@pytest.mark.parametrize("outcome", SETTLED, ids=["delivered", "changed"])
def test_no_content_of_an_event_goes_when_one_is_younger_than_the_retention(location: str, outcome: Settled) -> None:
    """An event that still changes is remembered as a whole."""
    with opened(location) as ledger:
        ledger.commit([Concluded(part=_content(1), outcome=Delivered())])
    _age(location, days=31)

    with opened(location) as ledger:
        ledger.commit([Concluded(part=_content(2), outcome=outcome)])
        ledger.prune(days=30)
    assert len(rows(location, tables.deliveries)) == 2


def test_no_event_is_parted_when_old_ones_go_in_steps(location: str) -> None:
    """A step ends with a whole event, however many contents it has."""
    events = [event(number, event_id=f"id {number % 7}") for number in range(49)]
    with opened(location) as ledger:
        ledger.commit([Concluded(part=each, outcome=Delivered()) for each in events])
    _age(location, days=2)

    left = []
    with opened(location) as ledger:
        while ledger.prune(days=1, step=3):
            left.append(sorted(Counter(row["identity"] for row in rows(location, tables.deliveries)).values()))

    assert left == [[7] * events for events in range(6, -1, -1)]


# Versions.


@pytest.mark.parametrize(
    ("other", "by"),
    [pytest.param(tables.VERSION + 1, "a newer", id="newer"), pytest.param(1, "an older", id="older")],
)
def test_a_ledger_is_refused_in_one_sentence_when_another_version_made_it(location: str, other: int, by: str) -> None:
    """Nothing in it is touched, `check` says the same, and the lock is free again."""
    with opened(location):
        pass
    alter(location, tables.facts.update().where(tables.facts.c.name == "version").values(value=str(other)))
    alter(location, tables.unknown.delete(), tables.runs.delete())

    for look in (lambda: opened(location).__enter__(), lambda: doubts(location)):
        with pytest.raises(SettingsInvalid) as invalid:
            look()
        assert str(invalid.value).startswith(f"ledger was made by {by} version of target-driftrock")
        assert str(invalid.value).count(".") == 1
    assert rows(location, tables.runs) == []

    made = tables.facts.update().where(tables.facts.c.name == "version").values(value=str(tables.VERSION))
    alter(location, made)
    with opened(location) as ledger:
        assert not ledger.is_new


def test_a_ledger_is_new_when_its_making_was_interrupted(tmp_path: Path) -> None:
    """The file alone is no ledger: all tables are made with the salt, or none is."""
    (tmp_path / "ledger.sqlite3").touch()

    with opened(str(tmp_path)) as ledger:
        assert ledger.is_new


# Whether a run may make one.


def _open_one_that_is_there(location: str, *, wait: float = 0) -> DurableLedger:
    opened = open_ledger(location, api=API, wait=wait, is_stopped=lambda: False, may_make=False)
    assert opened is not None
    return opened


def test_a_run_ends_when_there_is_no_ledger_and_it_may_not_make_one(location: str) -> None:
    """It waits for nothing, says where it looked and what to do, and makes nothing."""
    for _ in range(2):
        with pytest.raises(SettingsInvalid) as invalid:
            _open_one_that_is_there(location, wait=600)
        assert str(invalid.value).startswith(f"ledger: there is none in {parse_location(location).name}")
        assert "new_ledger: allow" in str(invalid.value)


def test_a_run_goes_on_when_the_ledger_is_there_that_it_may_not_make(location: str) -> None:
    """As it does from then on, once one run was allowed to."""
    with opened(location) as ledger:
        ledger.commit([Concluded(part=event(1), outcome=Delivered())])

    with closing(_open_one_that_is_there(location)) as ledger:
        assert not ledger.is_new
        assert standings(ledger, event(1)) == [Standing.DELIVERED]


def test_nothing_is_made_when_a_run_may_not_make_a_ledger(tmp_path: Path) -> None:
    """A directory that appears by mistake would look like the right one next time."""
    with pytest.raises(SettingsInvalid):
        _open_one_that_is_there(str(tmp_path / "mistyped"))

    assert list(tmp_path.iterdir()) == []


def test_a_file_without_tables_is_no_ledger_when_a_run_may_not_make_one(tmp_path: Path) -> None:
    """What was interrupted while it was made remembers nothing."""
    (tmp_path / "ledger.sqlite3").touch()

    with pytest.raises(SettingsInvalid):
        _open_one_that_is_there(str(tmp_path))


def test_a_server_is_waited_for_when_it_is_away_and_a_run_may_not_make_a_ledger() -> None:
    """Whether one lies there cannot be told."""
    with pytest.raises(LedgerUnavailable):
        _open_one_that_is_there("postgresql://u@127.0.0.1:1/d")
