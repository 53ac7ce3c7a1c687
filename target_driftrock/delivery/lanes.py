"""Who must wait for whom: everything that shares a key goes one after the other, in the order it came."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

T = TypeVar("T")


class Lanes(Generic[T]):
    """A queue for each key. What has several keys may go when it is first in all of their queues.

    Items are told apart by identity, and each may be in the lanes once at a time.
    """

    def __init__(self) -> None:
        self._queues: dict[Hashable, deque[T]] = {}
        self._blockers: dict[int, int] = {}
        self._keys: dict[int, tuple[Hashable, ...]] = {}

    def enter(self, item: T, keys: Iterable[Hashable]) -> bool:
        """Queue the item under its keys; True if it may go at once."""
        distinct = tuple(dict.fromkeys(keys))
        blockers = 0
        for key in distinct:
            queue = self._queues.setdefault(key, deque())
            blockers += bool(queue)
            queue.append(item)
        self._keys[id(item)] = distinct
        if blockers:
            self._blockers[id(item)] = blockers
        return not blockers

    def holds(self, key: Hashable) -> bool:
        """Whether anything is queued under a key."""
        return key in self._queues

    def leave(self, item: T) -> list[T]:
        """Take an item that was free to go out of its queues; those that may go now, in order."""
        freed = []
        for key in self._keys.pop(id(item)):
            queue = self._queues[key]
            queue.popleft()
            if not queue:
                del self._queues[key]
            elif self._unblock(queue[0]):
                freed.append(queue[0])
        return freed

    def _unblock(self, item: T) -> bool:
        left = self._blockers[id(item)] - 1
        if left:
            self._blockers[id(item)] = left
            return False
        del self._blockers[id(item)]
        return True
