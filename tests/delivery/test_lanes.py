"""Who must wait for whom, against a model that scans one list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_driftrock.delivery.lanes import Lanes


class Item:
    """Something with keys."""

    def __init__(self, number: int, keys: tuple[str, ...]) -> None:
        self.number = number
        self.keys = keys

    def __repr__(self) -> str:
        return f"{self.number}{self.keys}"


class Queue:
    """The model: all that is inside, in one list. An item is free when nothing before it shares a key."""

    def __init__(self) -> None:
        self.inside: list[Item] = []

    def free(self) -> set[Item]:
        """Those that may go."""
        return {
            item
            for index, item in enumerate(self.inside)
            if not any(set(item.keys) & set(earlier.keys) for earlier in self.inside[:index])
        }


KEYS = st.lists(st.sampled_from("abcd"), max_size=3).map(tuple)


@given(keys=st.lists(KEYS, max_size=25), data=st.data())
def test_the_same_may_go_as_in_the_model_when_items_come_and_leave(
    keys: list[tuple[str, ...]], data: st.DataObject
) -> None:
    """Whatever comes and leaves: free are exactly those before which nothing shares a key, each told once."""
    lanes: Lanes[Item] = Lanes()
    queue = Queue()
    waiting = [Item(number, each) for number, each in enumerate(keys)]
    free: set[Item] = set()

    while waiting or queue.inside:
        enters = waiting and (not free or data.draw(st.booleans()))
        if enters:
            item = waiting.pop(0)
            queue.inside.append(item)
            told = [item] if lanes.enter(item, item.keys) else []
        else:
            item = data.draw(st.sampled_from(sorted(free, key=lambda each: each.number)))
            queue.inside.remove(item)
            free.remove(item)
            told = lanes.leave(item)
        assert not free & set(told)
        assert len(told) == len(set(told))
        free |= set(told)
        assert free == queue.free()  # so somebody is always free: no deadlock


@given(keys=st.lists(KEYS, max_size=25))
def test_items_of_a_key_go_in_their_order_when_each_leaves_at_once(keys: list[tuple[str, ...]]) -> None:
    """Everything that shares a key goes in the order it came, and everything goes."""
    lanes: Lanes[Item] = Lanes()
    items = [Item(number, each) for number, each in enumerate(keys)]
    ready = [item for item in items if lanes.enter(item, item.keys)]
    gone: list[Item] = []

    while ready:
        item = ready.pop()  # the latest first, to be as unfair as can be
        gone.append(item)
        ready += lanes.leave(item)

    assert len(gone) == len(items)
    for key in "abcd":
        numbers = [item.number for item in gone if key in item.keys]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize("keys", [(), ("a", "a")], ids=["no key", "the same key twice"])
def test_an_item_may_go_at_once_when_nobody_is_before_it(keys: tuple[str, ...]) -> None:
    """No key, or one named twice, is no reason to wait."""
    lanes: Lanes[Item] = Lanes()
    item = Item(1, keys)

    assert lanes.enter(item, item.keys)
    assert lanes.leave(item) == []
    assert lanes.enter(item, item.keys)
