"""One run per ledger at a time, whoever dies in between."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from target_driftrock.errors import LedgerUnavailable
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.interface import Standing
from tests.contract.places import new_schema, opened
from tests.contract.recalling import standings
from tests.delivery.examples import API, event
from tests.ledger.holding import held_by_another
from tests.lying import wherever


def on_look(number: int, act: Callable[[], object]) -> Callable[[], bool]:
    """An `is_stopped` that never says so, and acts when it is asked for the `number`th time."""
    looks = iter(range(1, 10_000))

    def is_stopped() -> bool:
        if next(looks) == number:
            act()
        return False

    return is_stopped


def test_a_second_run_is_told_for_whom_it_waited_when_it_gives_up(location: str) -> None:
    """The error names the process that holds the ledger, and what to do."""
    with held_by_another(location) as another, pytest.raises(LedgerUnavailable) as unavailable:
        open_ledger(location, api=API, wait=0, is_stopped=lambda: False)

    assert f"is held by target-driftrock {another.process.pid}@" in str(unavailable.value)
    assert "wait for that run" in str(unavailable.value)


def test_a_second_run_goes_on_when_the_first_is_killed(location: str, caplog: pytest.LogCaptureFixture) -> None:
    """`kill -9` frees the ledger by itself; the one that waited said for whom, and once."""
    caplog.set_level(logging.WARNING)
    with held_by_another(location) as first:
        ledger = open_ledger(location, api=API, wait=60, is_stopped=on_look(4, lambda: first.tell(signal.SIGKILL)))

    assert ledger is not None
    known = standings(ledger, event(1), event(2), event(3))
    assert known == [Standing.DELIVERED, Standing.UNKNOWN, Standing.INTENDED]
    assert not ledger.is_new
    ledger.close()
    (told,) = wherever(record.getMessage() for record in caplog.records)
    assert told.startswith("Waiting up to 60 seconds for the ledger, held by target-driftrock ")
    assert f"{first.process.pid}@" in told


def test_a_second_run_ends_when_it_is_stopped_while_it_waits(location: str) -> None:
    """A signal need not wait for another run."""
    looks = iter([False, False, True])
    with held_by_another(location):
        assert open_ledger(location, api=API, wait=600, is_stopped=lambda: next(looks)) is None


def test_the_next_run_has_the_ledger_when_one_has_closed_it(location: str) -> None:
    """It is told of another run neither by a lock nor by a name."""
    with opened(location) as first:
        assert first.is_new
    with opened(location) as second:
        assert not second.is_new
        assert second.run == first.run + 1


def test_two_runs_go_side_by_side_when_each_has_a_ledger(location: str, tmp_path: Path) -> None:
    """Two pipelines take a directory, or a schema, each."""
    with opened(location), opened(str(tmp_path / "another")) as another:
        assert standings(another, event(1)) == [None]


@pytest.mark.postgres
def test_two_runs_go_side_by_side_when_their_schemas_lie_in_one_database() -> None:
    """The lock is the schema's, not the database's."""
    with new_schema() as one, new_schema() as other, opened(one), opened(other) as second:
        assert second.is_new


def test_a_run_waits_when_its_server_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """For as long as it is told, saying why, and that it goes on once that is mended."""
    looks = iter([False, False, False, True])

    opening = open_ledger("postgresql://u@127.0.0.1:1/d", api=API, wait=60, is_stopped=lambda: next(looks))

    assert opening is None
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith("Waiting up to 60 seconds for the ledger. The ledger in the PostgreSQL schema")
    assert told.endswith(" Mend that, and this goes on by itself.")
    assert "run again" not in told
