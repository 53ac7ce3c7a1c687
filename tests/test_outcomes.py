"""The table of outcomes, held to everyone who accounts for one."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import get_args

import pytest

from target_driftrock.events.event import Part
from target_driftrock.events.outcome import (
    ACCOUNTS,
    AlreadyDelivered,
    ChangeCause,
    Changed,
    Delivered,
    Held,
    Invalid,
    Open,
    Outcome,
    Rejected,
    Settled,
)
from target_driftrock.ledger.interface import Concluded
from target_driftrock.receipt import EventCounts
from target_driftrock.records.tally import Tally
from target_driftrock.singer.checkpoint import Checkpoint
from tests.contract.places import opened
from tests.delivery.examples import event, invalid_part
from tests.ledger.rows import kept

SETTLED: list[Settled] = [
    Delivered(),
    AlreadyDelivered(),
    Changed(cause=ChangeCause.SAID, is_said=True),
    Invalid(reason="a rule"),
    Rejected(status=422),
    Held(reason="it fails"),
]
OUTCOMES: list[Outcome] = [*SETTLED, Open(reason="never sent")]


def _name(outcome: Outcome) -> str:
    return ACCOUNTS[type(outcome)].name


def part_of(outcome: Outcome) -> Part:
    """What may have it: only a refused part is invalid."""
    return invalid_part(1) if isinstance(outcome, Invalid) else event(1)


def test_each_outcome_is_accounted_for_when_there_is_one() -> None:
    """The table has each, and the receipt counts each by its name."""
    assert list(ACCOUNTS) == [type(outcome) for outcome in OUTCOMES]
    assert set(ACCOUNTS) == set(get_args(Outcome))
    assert [field.name for field in fields(EventCounts)] == [account.name for account in ACCOUNTS.values()]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=_name)
def test_the_tally_keeps_to_the_table_when_a_part_has_its_outcome(outcome: Outcome) -> None:
    """It is counted under its name, and refused, or it is not."""
    account, part = ACCOUNTS[type(outcome)], part_of(outcome)
    tally = Tally(Checkpoint())
    tally.enter("leads", [part])

    tally.settle([(part, outcome)])

    assert {name for name, count in asdict(tally.events).items() if count} == {account.name}
    assert bool(tally.over(5)) == account.is_refused


@pytest.mark.parametrize("outcome", SETTLED, ids=_name)
def test_the_ledger_keeps_to_the_table_when_it_commits_the_outcome(outcome: Settled, tmp_path: Path) -> None:
    """It counts it, and keeps the record, or it does not."""
    account = ACCOUNTS[type(outcome)]

    with opened(str(tmp_path)) as ledger:
        ledger.commit([Concluded(part=part_of(outcome), outcome=outcome)])
        counts = asdict(ledger.counts())

    assert {name for name, count in counts.items() if count} == ({account.name} if account.is_recorded else set())
    assert len(kept(str(tmp_path))) == account.is_kept
