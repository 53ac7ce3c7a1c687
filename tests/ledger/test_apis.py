"""What was delivered is known for each API by itself: whoever changes the address is told before all is sent again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

import pytest

from target_driftrock.errors import SettingsInvalid
from target_driftrock.events.outcome import Delivered, Rejected, Settled
from target_driftrock.ledger import tables
from target_driftrock.ledger.apis import delivered, doubts
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.interface import Concluded
from target_driftrock.ledger.job import open_job
from tests.contract.places import kill, new_schema, opened
from tests.delivery.examples import event
from tests.ledger.rows import rows
from tests.ledger.test_ways import OLD
from tests.stage import logged

PROXY, RENAMED = "https://proxy.example.com:443", "https://renamed.example.com:443"


def run(location: str, api: str, *positions: int, outcome: Settled | None = None, may_make: bool = True) -> list[str]:
    """A run that delivers these at an API; what it says before it begins."""
    with logged() as lines:
        ledger = open_ledger(location, api=api, wait=0, is_stopped=lambda: False, may_make=may_make)
    assert ledger is not None
    with closing(ledger):
        parts = [event(position, way=OLD) for position in positions]
        ledger.commit([Concluded(part=part, outcome=outcome or Delivered()) for part in parts])
        ledger.finish(exit_code=0, receipt="{}")
    return lines


def test_one_line_tells_of_the_other_apis_when_there_is_no_delivery_to_this_one(location: str) -> None:
    """Which, how much was delivered there, and what to put back; once something was delivered here, nothing."""
    run(location, "sandbox", 1, 2)
    run(location, PROXY, 1, 2, 3)

    (told,) = run(location, RENAMED)

    assert told == (
        f"WARNING The ledger knows of no delivery to {RENAMED}, but of 3 to {PROXY} and 2 to sandbox. Each API is "
        "known by itself, so whatever comes is sent. If that is the same API under another address, end this "
        "run, and put environment and api_url back as they were."
    )
    assert len(run(location, RENAMED, 1, outcome=Rejected(status=400))) == 1
    assert len(run(location, RENAMED, 1)) == 1
    assert run(location, RENAMED, 2) == []


def test_what_is_forgotten_is_counted_once_when_its_way_was_forgotten_before(location: str) -> None:
    """Else the count falls below nothing, and takes what was delivered in other ways with it."""
    run(location, PROXY, 1, 2)
    with opened(location, api=PROXY) as ledger:
        ledger.forget_ways({OLD: None})
        assert not ledger.prune(days=-1)
        assert delivered(ledger.connection) == {PROXY: 0}


def test_nothing_is_said_when_no_other_api_has_a_delivery(location: str) -> None:
    """A first run, a second one, and one after trials that delivered nothing."""
    said = [
        run(location, PROXY, 1, outcome=Rejected(status=400)),
        run(location, "production", 1),
        run(location, "production", 1),
    ]

    assert said == [[], [], []]


def test_a_run_ends_when_a_new_ledger_is_refused_and_this_api_is_new_to_it(location: str) -> None:
    """Before anything is sent, and without a trace; it goes on once the address is as it was."""
    run(location, "production", 1)

    with pytest.raises(SettingsInvalid) as invalid:
        run(location, PROXY, 1, may_make=False)

    assert str(invalid.value) == (
        f"ledger: it knows of no delivery to {PROXY}, but of 1 to production, and new_ledger is `refuse`. Each API is "
        "known by itself: if that is the same API under another address, put environment and api_url back as they "
        f"were, or everything is sent again. For a first run at {PROXY} set new_ledger: allow."
    )
    assert len(rows(location, tables.runs)) == 1
    assert run(location, "production", 2, may_make=False) == []


def test_a_run_goes_on_when_a_new_ledger_is_refused_and_this_api_was_tried(location: str) -> None:
    """It was allowed once: a first run that delivered nothing is no reason to allow it again."""
    run(location, "production", 1)
    run(location, PROXY, 1, outcome=Rejected(status=400))

    assert len(run(location, PROXY, 1, may_make=False)) == 1
    assert run(location, PROXY, 2, may_make=False) == []


@pytest.mark.postgres
def test_a_job_is_told_as_a_run_is() -> None:
    """Once, by the process that starts its tasks; where a new ledger is refused, no task begins."""
    with new_schema() as location:
        run(location, "production", 1)

        with logged() as lines:
            job = open_job(location, api=PROXY, tasks=1, wait=0, is_stopped=lambda: False, may_make=True)
        assert job is not None
        kill(job)
        with pytest.raises(SettingsInvalid, match="new_ledger is `refuse`"):
            open_job(location, api=PROXY, tasks=1, wait=0, is_stopped=lambda: False, may_make=False)

        (told,) = lines
        assert told.startswith(f"WARNING The ledger knows of no delivery to {PROXY}, but of 1 to production.")


@pytest.mark.parametrize(
    ("known", "told"),
    [
        pytest.param({"sandbox": 1234}, "1,234 to sandbox.", id="one"),
        pytest.param({"a": 1, "b": 2, "c": 3}, "3 to c and 2 to b and 1 to a.", id="three"),
        pytest.param(
            {f"http://127.0.0.1:{port}": port for port in range(1, 8)},
            "5 to http://127.0.0.1:5 and 10 to others.",
            id="many",
        ),
        pytest.param({"a\nERROR all is lost": 1}, r"1 to 'a\nERROR all is lost'.", id="forged"),
    ],
)
def test_a_sentence_names_few_when_a_ledger_knows_many(known: Mapping[str, int], told: str) -> None:
    """Those with most; no name begins a line of its own."""
    (doubt,) = doubts(known, api="production", may_be_new=True)

    assert told in doubt


def test_the_ways_say_what_was_delivered_where(location: str) -> None:
    """They are few, however much was delivered; an API that was only tried is among them."""
    run(location, "sandbox", 1, 2)
    run(location, PROXY, 1, outcome=Rejected(status=400))

    with opened(location) as ledger, ledger.connection.begin():
        assert delivered(ledger.connection) == {"sandbox": 2, PROXY: 0}
