"""The table of an event's life: that it is sound, that delivery is held to it, and that the page shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from target_driftrock.delivery.life import LIFE, Holding, Kill, State, Stop
from tests.delivery.doubles import HeldToItsTable
from tests.delivery.examples import event

PAGE = Path(__file__).parents[2] / "docs/delivery.md"


def table() -> Iterator[str]:
    """Line by line, as docs/delivery.md shows it."""
    yield "| state | | holds | then | a stop | a kill leaves in the ledger |"
    yield "|---|---|---|---|---|---|"
    for state, row in LIFE.items():
        holds = ", ".join(each.value for each in Holding if each in row.holds)
        then = ", ".join(each.value for each in State if each in row.next)
        yield f"| *{state.value}* | {row.what} | {holds} | {then} | {row.at_stop.value} | {row.at_kill.value} |"


def diagram() -> Iterator[str]:
    """The same, drawn by Mermaid."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    for state in State:
        yield f'    state "{state.value}" as {state.name}'
    yield f"    [*] --> {State.PERSON.name}"
    for state, row in LIFE.items():
        yield from (f"    {state.name} --> {each.name}" for each in State if each in row.next)
    yield f"    {State.SETTLED.name} --> [*]"
    yield "```"


def reachable(start: State) -> set[State]:
    """Every state that an event may come to from this one."""
    met: set[State] = set()
    new = {start}
    while new:
        met |= new
        new = {after for state in new for after in LIFE[state].next} - met
    return met


def test_the_page_shows_the_table_when_it_is_changed() -> None:
    """docs/delivery.md has `table()` and `diagram()`: print them, and put them between the two comments."""
    text = PAGE.read_text(encoding="utf-8")

    shown = text.partition("<!-- life: begin -->\n")[2].partition("<!-- life: end -->")[0]

    assert shown.splitlines() == [*table(), "", *diagram()]


def test_every_event_can_be_settled_wherever_it_is() -> None:
    """Each state has a row, is come to from the first one, and leads to the last."""
    assert set(LIFE) == reachable(State.PERSON) == set(State)
    assert all(State.SETTLED in reachable(state) for state in State)


@pytest.mark.parametrize("state", State)
def test_the_ledger_knows_it_when_a_request_may_begin(state: State) -> None:
    """An intent is what a kill leaves; who has a slot has one, and its capture's turn, and is first in its lanes."""
    row = LIFE[state]

    assert (Holding.INTENT in row.holds) == (row.at_kill is Kill.INTENT)
    assert Holding.SLOT not in row.holds or row.holds == set(Holding)
    assert (row.at_stop is Stop.LEAVE) == (Holding.INTENT not in row.holds)


def test_only_the_next_states_are_gone_to_when_tests_play_a_delivery() -> None:
    """As every stage and every simulation has it."""
    pending = HeldToItsTable(event=event(1))
    pending.move(State.CAPTURE)

    with pytest.raises(AssertionError):
        pending.move(State.IN_FLIGHT)
    assert pending.state is State.CAPTURE
