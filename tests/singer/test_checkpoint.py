"""How far STATE may move, against a model that forgets nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.singer.checkpoint import Checkpoint


def resolved_in_turn(checkpoint: Checkpoint, count: int) -> list[bytes]:
    """What is given while the records up to `count` are resolved one after the other."""
    given = []
    for position in range(1, count + 1):
        checkpoint.resolve(position)
        if (value := checkpoint.take()) is not None:
            given.append(value)
    return given


def with_state_after_each(checkpoint: Checkpoint, count: int) -> Checkpoint:
    """So many records opened, and after each a STATE that names it, eight bytes long."""
    for position in range(1, count + 1):
        checkpoint.open(position)
        checkpoint.state(b"%08d" % position)
    return checkpoint


def test_a_state_is_given_at_once_when_it_comes_before_all_records() -> None:
    """What waits for nothing is not kept waiting."""
    checkpoint = Checkpoint()

    checkpoint.state(b"{}")

    assert checkpoint.take() == b"{}"


def test_a_state_is_given_once_when_the_records_before_it_are_resolved() -> None:
    """In whatever order they are, and never a second time."""
    checkpoint = Checkpoint()
    checkpoint.open(1)
    checkpoint.open(2)
    checkpoint.state(b"{2}")
    checkpoint.open(3)

    checkpoint.resolve(2)
    before = checkpoint.take()
    checkpoint.resolve(1)

    assert before is None
    assert checkpoint.take() == b"{2}"
    assert checkpoint.take() is None


def test_the_last_state_counts_when_several_cover_the_same_records() -> None:
    """A tap that says STATE twice means the second."""
    checkpoint = Checkpoint()
    checkpoint.open(1)
    checkpoint.state(b"{1}")
    checkpoint.state(b"{2}")

    assert resolved_in_turn(checkpoint, 1) == [b"{2}"]


def test_few_states_wait_when_a_tap_says_them_without_records() -> None:
    """A tap that is silent but for its STATE costs no memory, and means the last of them."""
    checkpoint = Checkpoint(max_states=2)
    checkpoint.open(1)
    for number in range(10):
        checkpoint.state(b"%d" % number)

    assert resolved_in_turn(checkpoint, 1) == [b"9"]


def test_the_newest_state_is_given_when_several_are_covered() -> None:
    """Older ones say nothing that it does not."""
    checkpoint = with_state_after_each(Checkpoint(), 3)
    for position in (3, 2, 1):
        checkpoint.resolve(position)

    assert checkpoint.take() == b"00000003"
    assert checkpoint.take() is None


def test_there_is_no_room_when_too_many_are_open() -> None:
    """Open records are bounded, wherever they lie."""
    checkpoint = Checkpoint(max_open=2)
    checkpoint.open(1)
    checkpoint.open(2)

    assert not checkpoint.has_room
    checkpoint.resolve(2)
    assert checkpoint.has_room


def test_there_is_no_room_when_the_oldest_open_record_is_too_far_behind() -> None:
    """One slow record bounds how far the reader runs ahead of it."""
    checkpoint = Checkpoint(max_span=3)
    checkpoint.open(1)
    for position in (2, 3):
        checkpoint.open(position)
        checkpoint.resolve(position)

    assert not checkpoint.has_room
    checkpoint.resolve(1)
    assert checkpoint.has_room


def opened(*positions: int) -> Checkpoint:
    """A checkpoint with room for three records."""
    checkpoint = Checkpoint(max_open=3, max_span=3)
    for position in positions:
        checkpoint.open(position)
    return checkpoint


def test_it_is_a_defect_when_a_record_is_settled_that_is_not_open() -> None:
    """A record has one outcome: never read, below the first and settled before are all refused."""
    checkpoint = opened(1, 2, 3)
    checkpoint.resolve(1)
    checkpoint.resolve(3)

    for position in (-1, 0, 1, 3, 4):
        with pytest.raises(ValueError, match=f"Record {position} is not open"):
            checkpoint.resolve(position)


@pytest.mark.parametrize(
    ("positions", "position"),
    [
        pytest.param((), 0, id="before the first"),
        pytest.param((), 2, id="the first left out"),
        pytest.param((1,), 1, id="twice"),
        pytest.param((1,), 3, id="one left out"),
        pytest.param((1, 2, 3), 4, id="no room"),
    ],
)
def test_it_is_a_defect_when_records_are_opened_out_of_turn(positions: tuple[int, ...], position: int) -> None:
    """Each record is opened once, in the order read, and only while there is room."""
    checkpoint = opened(*positions)

    with pytest.raises(ValueError, match=f"ecord {position}"):
        checkpoint.open(position)


@pytest.mark.parametrize("limits", [{"max_open": 0}, {"max_span": 0}, {"max_states": 1}], ids=str)
def test_it_is_a_defect_when_a_limit_leaves_no_room(limits: dict[str, int]) -> None:
    """A checkpoint that could never move is refused at once."""
    with pytest.raises(ValueError, match="needs room"):
        Checkpoint(**limits)


@pytest.mark.parametrize("count", [3, 5, 99, 101, 1_000, 20_000])
@pytest.mark.parametrize("max_states", [2, 3, 100])
def test_waiting_states_are_thinned_evenly_when_there_are_many(count: int, max_states: int) -> None:
    """So few wait, they lie evenly over the records, and the first and the last are always among them."""
    checkpoint = with_state_after_each(Checkpoint(max_open=count, max_states=max_states), count)

    positions = [int(value) for value in resolved_in_turn(checkpoint, count)]

    assert len(positions) <= max_states
    assert positions[0] == 1
    assert positions[-1] == count
    assert max(after - before for before, after in pairwise(positions)) <= max(1, 4 * count // max_states)


def test_waiting_states_are_thinned_by_size_when_they_are_large() -> None:
    """Memory is bounded by bytes, too, and the last STATE is still reached."""
    checkpoint = with_state_after_each(Checkpoint(max_bytes=80), 1_000)

    given = resolved_in_turn(checkpoint, 1_000)

    assert 2 < len(given) <= 10
    assert given[-1] == b"00001000"


def test_states_stay_dense_when_those_that_take_up_room_were_given() -> None:
    """What was given counts no more, by number or by size."""
    checkpoint = Checkpoint(max_states=11, max_bytes=11 * 8)
    given = []
    for position in range(1, 101):
        checkpoint.open(position)
        checkpoint.state(b"%08d" % position)
        if position > 10:
            checkpoint.resolve(position - 10)
            given.append(checkpoint.take())

    assert None not in given


def test_states_are_given_on_the_way_when_each_is_larger_than_the_limit() -> None:
    """A tap with an outsized STATE after every record, always ahead, does not keep STATE from moving."""
    checkpoint = Checkpoint(max_bytes=1)
    given = []
    for position in range(1, 101):
        checkpoint.open(position)
        checkpoint.state(b"%08d" % position)
        if position > 10:
            checkpoint.resolve(position - 10)
            given.append(checkpoint.take())

    assert sum(value is not None for value in given) >= 8


def test_states_are_dense_again_when_a_long_wait_is_over() -> None:
    """The thinning of an outage does not outlast it."""
    checkpoint = with_state_after_each(Checkpoint(), 5_000)
    resolved_in_turn(checkpoint, 4_990)

    given = []
    for position in range(5_001, 5_101):
        checkpoint.open(position)
        checkpoint.state(b"%08d" % position)
        checkpoint.resolve(position - 10)
        given.append(checkpoint.take())

    assert None not in given[10:]


@dataclass(slots=True)
class Model:
    """All that was ever said, and what follows from it, counted out anew each time."""

    settled: list[str | None] = field(default_factory=list)
    states: list[tuple[int, bytes]] = field(default_factory=list)

    def open_positions(self) -> list[int]:
        """The records without a fate."""
        return [index + 1 for index, fate in enumerate(self.settled) if fate is None]

    def prefix(self) -> int:
        """How many records from the first are all resolved."""
        fates = [*self.settled, None]
        return next(index for index, fate in enumerate(fates) if fate != "resolve")

    def span(self) -> int:
        """From the oldest open record to the newest."""
        return len(self.settled) - min(self.open_positions(), default=len(self.settled) + 1) + 1

    def covered(self) -> list[bytes]:
        """The STATEs that may be given, oldest first."""
        return [value for position, value in self.states if position <= self.prefix()]


STEPS = st.lists(
    st.tuples(st.sampled_from(["open", "open", "state", "take", "resolve", "resolve"]), st.integers(0, 50)),
    max_size=80,
)


def run(checkpoint: Checkpoint, model: Model, steps: list[tuple[str, int]]) -> list[bytes]:
    """What is given on the way; each is judged by the model as it is given."""
    given: list[bytes] = []
    for step, choice in steps:
        candidates = model.open_positions()
        match step:
            case "open" if checkpoint.has_room:
                model.settled.append(None)
                checkpoint.open(len(model.settled))
            case "resolve" if candidates:
                position = candidates[choice % len(candidates)]
                model.settled[position - 1] = step
                checkpoint.resolve(position)
            case "state":
                value = b"%d" % len(model.states)
                model.states.append((len(model.settled), value))
                checkpoint.state(value)
            case "take":
                value_or_none = checkpoint.take()
                if value_or_none is not None:
                    assert value_or_none in model.covered()
                    given.append(value_or_none)
    return given


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_state_is_that_of_a_model_when_nothing_is_thinned(steps: list[tuple[str, int]]) -> None:
    """Whatever the order of things, it is the newest STATE of the longest resolved prefix."""
    checkpoint, model = Checkpoint(), Model()

    given = run(checkpoint, model, [*steps, ("take", 0)])

    assert given[-1:] == model.covered()[-1:]


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, max_open=st.integers(1, 5), max_span=st.integers(1, 8), max_states=st.integers(2, 4))
def test_state_is_safe_and_complete_when_everything_is_narrow(
    steps: list[tuple[str, int]], max_open: int, max_span: int, max_states: int
) -> None:
    """Under any limits: the windows hold, STATE comes in order, and with all resolved it is the last one."""
    checkpoint, model = Checkpoint(max_open=max_open, max_span=max_span, max_states=max_states), Model()

    given = run(checkpoint, model, steps)

    assert len(model.open_positions()) <= max_open
    assert model.span() <= max_span
    rest = [("resolve", 0)] * len(model.open_positions())
    given += run(checkpoint, model, [*rest, ("take", 0)])
    numbers = [int(value) for value in given]
    assert numbers == sorted(set(numbers))
    assert given[-1:] == model.covered()[-1:]
