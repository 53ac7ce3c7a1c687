"""What is known of runs, what is forgotten in time, and which ledgers a version of this program takes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from target_driftrock.errors import SettingsInvalid
from target_driftrock.events.outcome import Delivered, Held, Invalid, Rejected
from target_driftrock.ledger import tables
from target_driftrock.ledger.inspection import doubts
from target_driftrock.ledger.interface import Answered, Change, Concluded, Counts, Intent, Lost, Withdrawn
from tests.contract.places import opened
from tests.delivery.examples import event, refusal
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
        assert ledger.recall([event(1)]) != [None]
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
        killed.wait()
    with opened(location):
        pass

    first, second = rows(location, tables.runs)
    assert json.loads(first["receipt"]) == {
        "kind": "killed",
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
    Concluded(part=refusal(8), outcome=Invalid(reason="a rule")),
]


def test_only_delivered_events_and_ids_of_lost_answers_go_when_they_are_old(location: str) -> None:
    """What was refused, held or left open is not settled by time; receipts and captures stay."""
    with opened(location) as ledger:
        ledger.commit([Concluded(part=event(1), outcome=Delivered()), *OPEN, *REFUSED])
    _age(location, days=31)
    with opened(location) as ledger:
        ledger.commit([Concluded(part=event(2), outcome=Delivered()), Lost(event(9))])

        assert not ledger.prune(days=30)

        known = ledger.recall([event(position) for position in range(1, 8)])
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
        assert None not in ledger.recall([event(1), event(2)])
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
        assert ledger.recall(events) == [None] * 25
        assert not ledger.prune(days=1, step=10)


# Versions.


def test_a_ledger_is_refused_in_one_sentence_when_a_newer_version_made_it(location: str) -> None:
    """Nothing in it is touched, `check` says the same, and the lock is free again."""
    with opened(location):
        pass
    alter(location, tables.facts.update().where(tables.facts.c.name == "version").values(value="2"))
    alter(location, tables.unknown.delete(), tables.runs.delete())

    for look in (lambda: opened(location).__enter__(), lambda: doubts(location)):
        with pytest.raises(SettingsInvalid) as invalid:
            look()
        assert str(invalid.value).startswith("ledger was made by a newer version of target-driftrock: ")
        assert str(invalid.value).count(".") == 1
    assert rows(location, tables.runs) == []

    alter(location, tables.facts.update().where(tables.facts.c.name == "version").values(value="1"))
    with opened(location) as ledger:
        assert not ledger.is_new


def test_a_ledger_is_new_when_its_making_was_interrupted(tmp_path: Path) -> None:
    """The file alone is no ledger: all tables are made with the salt, or none is."""
    (tmp_path / "ledger.sqlite3").touch()

    with opened(str(tmp_path)) as ledger:
        assert ledger.is_new
