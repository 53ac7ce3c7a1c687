"""Three ledgers that are told the same say the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.events.event import Event
from target_driftrock.events.outcome import AlreadyDelivered, Changed, Delivered, Held, Invalid, Rejected, Settled
from target_driftrock.ledger.interface import (
    Answered,
    Change,
    Concluded,
    Counts,
    Intent,
    Ledger,
    Lost,
    Proven,
    Withdrawn,
)
from target_driftrock.ledger.memory import MemoryLedger
from tests.contract.places import new_schema, opened
from tests.delivery.examples import API, capture, event, refusal

SERIALS = count()
EVENTS = range(4)
"""The last one has no identity."""
CAPTURES = range(2)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """One ledger for all examples: each has events of its own."""
    with opened(str(tmp_path_factory.mktemp("ledger"))) as found:
        yield found


@pytest.fixture(scope="module")
def postgres() -> Iterator[Ledger]:
    """The same."""
    with ExitStack() as stack:
        yield stack.enter_context(opened(stack.enter_context(new_schema())))


def an_event(serial: int, number: int, payload: bool) -> Event:  # noqa: FBT001 - drawn
    """One of the events of an example, with one of two payloads."""
    event_id = None if number == EVENTS[-1] else f"{serial}:{number}"
    return event(number, event_id=event_id, body=b"{}" if payload else None)


@st.composite
def changes(draw: st.DrawFn, serial: int) -> Change:
    """Any change to one of few events, so that they meet often."""
    found = an_event(serial, draw(st.sampled_from(EVENTS)), draw(st.booleans()))
    outcomes: list[Settled] = [
        Delivered(),
        AlreadyDelivered(),
        Changed(),
        Rejected(status=400),
        Held(reason="it fails while others do well", status=500),
        Held(reason="its answer was lost", is_unknown=True),
    ]
    change: Change = draw(
        st.one_of(
            st.just(Intent(found)),
            st.booleans().map(lambda was_unknown: Withdrawn(found, was_unknown=was_unknown)),
            st.just(Answered(found)),
            st.just(Lost(found)),
            st.just(Concluded(part=found, outcome=draw(st.sampled_from(outcomes)), is_superseded=draw(st.booleans()))),
            st.just(Concluded(part=refusal(draw(st.sampled_from(EVENTS))), outcome=Invalid(reason="a rule"))),
            st.sampled_from(CAPTURES).map(lambda number: Proven(capture(f"{serial}:{number}"))),
        ).filter(lambda change: not _is_superseded_otherwise(change))
    )
    return change


def _is_superseded_otherwise(change: Change) -> bool:
    """Only what an unproven capture refused can be superseded."""
    return isinstance(change, Concluded) and change.is_superseded and not isinstance(change.outcome, Rejected)


def said(ledger: Ledger, groups: list[list[Change]], serial: int) -> tuple[object, ...]:
    """All that a ledger says of these changes."""
    before = ledger.counts()
    for group in groups:
        ledger.commit(group)
    after = ledger.counts()
    counted = [getattr(after, name) - getattr(before, name) for name in Counts.__dataclass_fields__]
    asked = [an_event(serial, number, payload) for number in EVENTS for payload in (True, False)]
    proven = ledger.proven([capture(f"{serial}:{number}") for number in CAPTURES])
    return counted, ledger.recall(asked), proven


def _agree(ledger: Ledger, data: st.DataObject) -> None:
    serial = next(SERIALS)
    groups = data.draw(st.lists(st.lists(changes(serial), max_size=6), max_size=6))

    assert said(ledger, groups, serial) == said(MemoryLedger(api=API), groups, serial)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_sqlite_says_what_memory_says_when_told_the_same(sqlite: Ledger, data: st.DataObject) -> None:
    """Any changes, in any groups."""
    _agree(sqlite, data)


@pytest.mark.postgres
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_postgres_says_what_memory_says_when_told_the_same(postgres: Ledger, data: st.DataObject) -> None:
    """Any changes, in any groups."""
    _agree(postgres, data)
