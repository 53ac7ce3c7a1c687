"""Three ledgers that are told the same say the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.events.event import Event
from target_driftrock.events.identity import Who
from target_driftrock.events.outcome import (
    AlreadyDelivered,
    ChangeCause,
    Changed,
    Delivered,
    Held,
    HeldAs,
    Invalid,
    Rejected,
    Settled,
)
from target_driftrock.ledger.interface import (
    Answered,
    Arrived,
    Change,
    Concluded,
    Counts,
    Intent,
    Ledger,
    Lost,
    Proven,
    Withdrawn,
)
from tests.contract.memory import MemoryLedger
from tests.contract.places import new_schema, opened
from tests.contract.recalling import Seen, looked_up
from tests.delivery.examples import capture, event, invalid_part, origin

SERIALS = count()
EVENTS = range(4)
"""The last one has no identity."""
CONTENTS = range(3)
CAPTURES = range(2)
WHO = (Who(person="p", email="ada@example.com"), Who(email="ada@example.com"), Who(person="q"))
"""Of each content: the same as the next one's, another's, and nobody that both name."""
RECORDS = (0, 1, 0)
OF_ANOTHER: list[type[Arrived | Lost]] = [Arrived, Lost]
OUTCOMES: list[Settled] = [
    Delivered(),
    AlreadyDelivered(),
    AlreadyDelivered(as_former=True),
    Changed(cause=ChangeCause.SAME_PERSON, is_said=True),
    Changed(cause=ChangeCause.CONFLICT, is_said=False),
    Rejected(status=400),
    Rejected(status=409, may_have_arrived=True),
    Held(reason="it fails while others do well", status=500),
    Held(reason="its answer was lost", is_unknown=True),
    Held(reason="the answer to an earlier content of it was lost", is_unknown=True, was_sent=False),
    Held(reason="its event_id is another's", kind=HeldAs.COLLISION),
]


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


def an_event(serial: int, number: int, content: int, *, former: tuple[int, ...] = ()) -> Event:
    """One of the events of an example, with one of its contents."""
    return event(
        number,
        event_id=None if number == EVENTS[-1] else f"{serial}:{number}",
        content_of=b"%d" % content,
        who=WHO[content],
        read=origin(number, record=b"%d" % RECORDS[content]),
        former=[an_event(serial, each, content) for each in former],
    )


@dataclass(frozen=True, slots=True)
class OfAnother:
    """What is said of other content of an event, if the ledger has that: its row is the ledger's own."""

    kind: type[Arrived | Lost]
    event: Event
    other: Event

    def to(self, ledger: Ledger) -> Change | None:
        """As this ledger is told."""
        (known,) = ledger.recall([self.other])
        rows = [each.row for each in known if each.is_same_content]
        return self.kind(self.event, rows[0]) if rows else None


@st.composite
def changes(draw: st.DrawFn, serial: int) -> Change | OfAnother:
    """Any change to one of few events, so that they meet often."""
    number, content, another = draw(st.sampled_from(EVENTS)), draw(st.sampled_from(CONTENTS)), draw(st.integers(1, 2))
    found = an_event(serial, number, content)
    other = an_event(serial, number, (content + another) % len(CONTENTS))
    change: Change | OfAnother = draw(
        st.one_of(
            st.just(Intent(found)),
            st.booleans().map(lambda was_unknown: Withdrawn(found, was_unknown=was_unknown)),
            st.booleans().map(lambda was_unknown: Answered(found, was_unknown=was_unknown)),
            st.just(Lost(found)),
            st.sampled_from(OF_ANOTHER).map(lambda kind: OfAnother(kind, found, other)),
            st.just(Concluded(part=found, outcome=draw(st.sampled_from(OUTCOMES)), is_superseded=draw(st.booleans()))),
            st.just(Concluded(part=invalid_part(draw(st.sampled_from(EVENTS))), outcome=Invalid(reason="a rule"))),
            st.sampled_from(CAPTURES).map(lambda number: Proven(capture(f"{serial}:{number}"))),
        ).filter(lambda change: not _is_superseded_otherwise(change))
    )
    return change


def _is_superseded_otherwise(change: Change | OfAnother) -> bool:
    """Only what an unproven capture refused can be superseded."""
    return isinstance(change, Concluded) and change.is_superseded and not isinstance(change.outcome, Rejected)


def tell(ledger: Ledger, group: list[Change | OfAnother]) -> None:
    """In one transaction; but what is said of another content is by itself, as its lanes have it."""
    together: list[Change] = []
    for change in group:
        if not isinstance(change, OfAnother):
            together.append(change)
            continue
        ledger.commit(together)
        together = []
        said = change.to(ledger)
        ledger.commit([] if said is None else [said])
    ledger.commit(together)


def said(ledger: Ledger, groups: list[list[Change | OfAnother]], serial: int) -> tuple[object, ...]:
    """All that a ledger says of these changes."""
    before = ledger.counts()
    for group in groups:
        tell(ledger, group)
    ledger.secure()
    after = ledger.counts()
    counted = [getattr(after, name) - getattr(before, name) for name in Counts.__dataclass_fields__]
    asked = [an_event(serial, number, content) for number, content in product(EVENTS, CONTENTS)]
    asked += [an_event(serial, 2, content, former=(0, 1)) for content in CONTENTS]
    proven = ledger.proven([capture(f"{serial}:{number}") for number in CAPTURES])
    return counted, [sorted(known, key=_order) for known in looked_up(ledger, *asked)], proven


def _order(seen: Seen) -> tuple[object, ...]:
    return seen.is_former, seen.is_same_content, seen.is_same_record, seen.who.name, seen.standing.name


def _agree(ledger: Ledger, data: st.DataObject) -> None:
    serial = next(SERIALS)
    groups = data.draw(st.lists(st.lists(changes(serial), max_size=6), max_size=6))

    assert said(ledger, groups, serial) == said(MemoryLedger(), groups, serial)


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
