"""How far STATE may move: the longest prefix of the input that is wholly resolved."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_FEWEST_STATES = 2
"""The oldest waiting STATE and the newest: with the newest alone, a fast tap would never see one given."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    position: int
    value: bytes = field(repr=False)


class Checkpoint:
    """Which STATE may be written, by which records are resolved.

    Records are numbered from 1 in the order read. A STATE covers all records opened before it, and is
    given by `take()` once every one of them is resolved. At most `max_open` records are open at once, and
    `max_span` lie between the oldest open one and the newest: ask `has_room` before reading on.

    Memory is bounded, whatever the tap does: STATEs that wait are thinned to `max_states` and `max_bytes`,
    evenly over the records that they cover, but the oldest and the newest of them always stay.

    For one thread. Each call costs O(1), taken together. A `ValueError` is a defect of the caller.
    """

    def __init__(
        self,
        *,
        max_open: int = 10_000,
        max_span: int = 200_000,
        max_states: int = 100,
        max_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        if min(max_open, max_span) < 1 or max_states < _FEWEST_STATES:
            raise ValueError("A checkpoint needs room for one record and two STATEs.")
        self._max_open = max_open
        self._max_span = max_span
        self._max_states = max_states
        self._max_bytes = max_bytes
        self._newest = 0
        self._settled_to = 0  # this record and all before it are resolved
        self._settled = bytearray(max_span)  # a ring: those beyond, one byte for each position
        self._open_count = 0
        self._states: deque[_Waiting] = deque()
        self._bytes = 0
        self._gap = 1  # records between two STATEs that wait, at the least

    @property
    def has_room(self) -> bool:
        """Whether another record may be opened."""
        return self._open_count < self._max_open and self._newest - self._settled_to < self._max_span

    def open(self, position: int) -> None:
        """The record was read. Positions come in order, from 1, and only while there is room.

        Raises:
            ValueError: It is not the next one, or there is no room.
        """
        if position != self._newest + 1:
            raise ValueError(f"Record {position} is not the next after {self._newest}.")
        if not self.has_room:
            raise ValueError(f"There is no room for record {position}.")
        self._newest = position
        self._open_count += 1

    def resolve(self, position: int) -> None:
        """All that came of the record has its outcome: STATE may pass it.

        Raises:
            ValueError: The record is not open.
        """
        if not self._settled_to < position <= self._newest or self._settled[position % self._max_span]:
            raise ValueError(f"Record {position} is not open.")
        self._settled[position % self._max_span] = 1
        self._open_count -= 1
        while self._settled[(following := self._settled_to + 1) % self._max_span]:
            self._settled[following % self._max_span] = 0
            self._settled_to = following

    def state(self, value: bytes) -> None:
        """The tap said STATE after the newest opened record."""
        if self._crowds():
            self._drop_newest()
        self._states.append(_Waiting(self._newest, value))
        self._bytes += len(value)
        while self._is_too_much():
            self._thin()

    def take(self) -> bytes | None:
        """The newest STATE of which every record is resolved, or None where that was given before."""
        value = None
        while self._states and self._states[0].position <= self._settled_to:
            value = self._states.popleft().value
            self._bytes -= len(value)
        if value is not None:
            self._gap = self._even_gap()
        return value

    def _drop_newest(self) -> None:
        self._bytes -= len(self._states.pop().value)

    def _crowds(self) -> bool:
        """Whether the newest waiting STATE gives way to the one just read: same records, or too near another."""
        if self._states and self._states[-1].position == self._newest:
            return True
        return len(self._states) >= _FEWEST_STATES and (
            self._states[-1].position - self._states[-2].position < self._gap
        )

    def _is_too_much(self) -> bool:
        if len(self._states) <= _FEWEST_STATES:
            return False
        return len(self._states) > self._max_states or self._bytes > self._max_bytes

    def _thin(self) -> None:
        """Keep the oldest, the newest, and of those between one every `gap` records."""
        self._gap *= 2
        oldest, *between, newest = self._states
        kept = deque([oldest])
        for waiting in between:
            if waiting.position - kept[-1].position >= self._gap:
                kept.append(waiting)
        kept.append(newest)
        self._states = kept
        self._bytes = sum(len(waiting.value) for waiting in kept)

    def _even_gap(self) -> int:
        """What spreads half of `max_states` over the records that the waiting STATEs span."""
        if not self._states:
            return 1
        return max(1, 2 * (self._states[-1].position - self._states[0].position) // self._max_states)
