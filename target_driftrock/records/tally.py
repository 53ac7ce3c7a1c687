"""The tally of a run: which records are open, what came of each, and what became of its parts."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, assert_never

from target_driftrock.errors import RejectsAboveLimit
from target_driftrock.events.event import Event, InvalidPart
from target_driftrock.events.outcome import (
    ACCOUNTS,
    AlreadyDelivered,
    Changed,
    Delivered,
    Held,
    HeldAs,
    Invalid,
    Open,
    Rejected,
)
from target_driftrock.ledger.interface import Forgotten, Reread
from target_driftrock.mapping.masking import BARE, Mask
from target_driftrock.receipt import EventCounts, Line, RecordCounts, record_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from target_driftrock.events.event import Part
    from target_driftrock.events.outcome import Outcome, Settled
    from target_driftrock.mapping.filters.reading import Unread

Key = TypeVar("Key")
Group = TypeVar("Group")

FEWEST_REFUSED = 10
"""With fewer refusals a share says nothing."""
FIRST_INVALID = 10
"""So many invalid records at the very start of a stream: its SCHEMA or its mapping is wrong."""
_STREAM_INVALID = (
    "The first {count} records of stream {stream} are all invalid ({reason}): check its SCHEMA and its mapping with "
    "`target-driftrock preview`, then run again."
)


def utc_today() -> str:
    """The day on which an event without a time of its own is dated."""
    return datetime.now(UTC).date().isoformat()


class Follower(Protocol):
    """Whoever follows which records are resolved, such as a front that gives its source a bookmark."""

    @property
    def has_room(self) -> bool:
        """Whether another record may be read."""
        ...

    def open(self, position: int) -> None:
        """The record was read. Positions come in order, from 1, and only while there is room."""
        ...

    def resolve(self, position: int) -> None:
        """All that came of the record has its outcome."""
        ...


class Nobody:
    """Follows nothing."""

    has_room = True

    def open(self, position: int) -> None:
        """See `Follower.open`."""

    def resolve(self, position: int) -> None:
        """See `Follower.resolve`."""


class Tally:
    """Counts every record and every part once, and tells its follower which records are resolved.

    A record is resolved when all of its parts are settled. `mask` says how streams' names are told. The run ends where
    the `first_invalid` records of a stream are all so. For one thread.
    """

    def __init__(
        self,
        follower: Follower,
        *,
        mask: Mask = BARE,
        first_invalid: float = FIRST_INVALID,
        today: Callable[[], str] = utc_today,
    ) -> None:
        self._follower = follower
        self._mask = mask
        self._first_invalid = first_invalid
        self._today = today
        self._opened = 0
        self._parts_left: dict[int, int] = {}
        self._rows: dict[int, str] = {}
        self._rows_left: set[str] = set()
        self._rows_changed: set[str] = set()
        self._records: Counter[tuple[str, str]] = Counter()
        self._events: Counter[tuple[Line, str]] = Counter()
        self._invalid_from_start: dict[str, int] = {}
        self.submitted = 0
        """Parts, refused ones included."""
        self.open_bytes = 0
        """What the parts without an outcome weigh: each its record as read, and its body."""
        self.refusals: Counter[tuple[str, str]] = Counter()
        """Invalid and rejected parts by mapping and reason."""
        self.held: Counter[tuple[str, str]] = Counter()
        """Held events by mapping and reason."""
        self.changes: Counter[tuple[str, str]] = Counter()
        """Changed events, which were not sent, by mapping and cause."""
        self.changes_unsaid: Counter[str] = Counter()
        """Those of them of which nobody said that they are not to be sent, by mapping."""
        self.changes_sent: Counter[str] = Counter()
        """Delivered events that were changes, by mapping."""
        self.to_decide: Counter[tuple[str, HeldAs]] = Counter()
        """Events held since their identity is in doubt, by mapping and kind."""
        self.delivered = 0
        """Events, now."""
        self.without_identity: Counter[str] = Counter()
        """Events without an `event_id`, by mapping."""
        self.unread: Counter[Unread] = Counter()
        """Values that a filter could not read, and that an `else` let pass."""
        self._rereads: dict[str, tuple[Reread, ...]] = {}
        self.rows_filtered = 0
        """Kept rows that were read again, and of which nothing came."""

    def as_json(self) -> Mapping[str, Any]:
        """What it has counted, of records that are all resolved or left open, for another tally to `absorb`."""
        return {
            "opened": self._opened,
            "submitted": self.submitted,
            "delivered": self.delivered,
            "records": [[*key, count] for key, count in self._records.items()],
            "events": [[*line, name, count] for (line, name), count in self._events.items()],
            **{name: [[key, count] for key, count in getattr(self, name).items()] for name in _BY_MAPPING},
            **{name: [[*key, count] for key, count in getattr(self, name).items()] for name in _BY_REASON},
            "to_decide": [[mapping, kind.value, count] for (mapping, kind), count in self.to_decide.items()],
        }

    def absorb(self, told: Mapping[str, Any]) -> None:
        """Add what another tally has counted, in another process."""
        self._opened += told["opened"]
        self.submitted += told["submitted"]
        self.delivered += told["delivered"]
        for stream, kind, count in told["records"]:
            self._records[stream, kind] += count
        for *line, name, count in told["events"]:
            self._events[Line(*line), name] += count
        for name in (*_BY_MAPPING, *_BY_REASON):
            for *key, count in told[name]:
                getattr(self, name)[key[0] if name in _BY_MAPPING else tuple(key)] += count
        for mapping, kind, count in told["to_decide"]:
            self.to_decide[mapping, HeldAs(kind)] += count

    @property
    def next_position(self) -> int:
        """The number of the next record."""
        return self._opened + 1

    @property
    def open_records(self) -> int:
        """How many records have parts without an outcome."""
        return len(self._parts_left)

    @property
    def oldest_open(self) -> int | None:
        """The number of the first of these."""
        return next(iter(self._parts_left), None)

    def enter(
        self, stream: str, parts: Sequence[Part], *, kept_row: str | None = None, is_deletion: bool = False
    ) -> None:
        """The next record was read, and became these parts. `kept_row` is where it was kept, if it is sent again.

        `is_deletion`: nothing came of it since it says that its row was deleted.

        Raises:
            RejectsAboveLimit: It is the last of the first ones, and all of these are invalid.
        """
        self._opened += 1
        self._follower.open(self._opened)
        self.submitted += len(parts)
        self.open_bytes += sum(map(_weight, parts))
        self.without_identity.update(
            part.mapping for part in parts if isinstance(part, Event) and part.event_id is None
        )
        kind = record_kind(parts)
        self._records[stream, kind] += 1
        if is_deletion:
            self._records[stream, "deletions"] += 1
        if parts:
            self._parts_left[self._opened] = len(parts)
            if kept_row is not None:
                self._rows[self._opened] = kept_row
                self._rereads[kept_row] = (*self._rereads.get(kept_row, ()), Reread.of(parts[0].origin))
        else:
            self._follower.resolve(self._opened)
            if kept_row is not None:
                self.rows_filtered += 1
                self._rows_left.add(kept_row)
        self._watch_start(stream, kind, parts)

    def settle(self, outcomes: Iterable[tuple[Part, Outcome]]) -> None:
        """What became of parts. An open one leaves its record open."""
        for part, outcome in outcomes:
            self._events[self._line(part), _name(outcome)] += 1
            self.open_bytes -= _weight(part)
            if isinstance(outcome, Open):
                continue
            position = part.origin.position
            self._count(part, outcome)
            self._parts_left[position] -= 1
            if not self._parts_left[position]:
                self._resolve(position)

    def _count(self, part: Part, outcome: Settled) -> None:
        """By mapping and cause; and what became of the kept row that it was read from, if it was."""
        position, mapping = part.origin.position, part.mapping
        match outcome:
            case Delivered():
                self.delivered += 1
                if outcome.is_change:
                    self.changes_sent[mapping] += 1
            case Invalid() | Rejected() | Held():
                told = self.held if isinstance(outcome, Held) else self.refusals
                told[mapping, outcome.reason] += 1
                self._leave_row(position)
                if isinstance(outcome, Held) and outcome.kind is not HeldAs.FAILED:
                    self.to_decide[mapping, outcome.kind] += 1
            case Changed():
                self.changes[mapping, outcome.cause.value] += 1
                if not outcome.is_said:
                    self.changes_unsaid[mapping] += 1
                    self._leave_row(position)
                elif position in self._rows:
                    self._rows_changed.add(self._rows[position])
            case AlreadyDelivered():
                pass
            case _:
                assert_never(outcome)

    def records(self, read: int) -> RecordCounts:
        """Records by what came of them; of `read` records those that never got here are unmapped."""
        return RecordCounts(**_summed(self._records, lambda _: None)[None], unmapped=read - self._opened)

    @property
    def records_by_stream(self) -> dict[str, RecordCounts]:
        """The records that got here, by stream; by one name those of which no name is told."""
        return {
            stream: RecordCounts(**counts) for stream, counts in _summed(self._records, self._mask.raw_stream).items()
        }

    def only_deletions(self) -> Iterator[tuple[str, int]]:
        """The streams of which every record was a deletion, as they are told, and how many these were."""
        for stream, sums in _summed(self._records, str).items():
            counts = RecordCounts(**sums)
            if counts.deletions and counts.deletions == counts.total:
                yield self._mask.stream(stream), counts.total

    @property
    def events(self) -> EventCounts:
        """Parts by outcome."""
        return _event_counts(_summed(self._events, lambda _: None)[None])

    @property
    def events_by_line(self) -> dict[Line, EventCounts]:
        """Parts by outcome, for each stream, mapping, capture, day, type and name."""
        return {line: _event_counts(counts) for line, counts in _summed(self._events, self._told).items()}

    def _resolve(self, position: int) -> None:
        del self._parts_left[position]
        self._follower.resolve(position)
        self._rows.pop(position, None)

    def _leave_row(self, position: int) -> None:
        """It was read from a kept row, if it was, that stays: something of it is not delivered."""
        if position in self._rows:
            self._rows_left.add(self._rows[position])

    @property
    def rows_done(self) -> Iterator[Forgotten]:
        """Kept rows that were read again, once of each line that bore their key all is delivered, or a change."""
        waiting = self._rows_left.union(self._rows.values())
        for row, rereads in self._rereads.items():
            if row not in waiting:
                yield Forgotten(row, is_change=row in self._rows_changed, rereads=rereads)

    def over(self, percent: float) -> list[str]:
        """The streams and captures of which more than `percent` was refused, in words.

        Ten or more of each, or however few there are, where nothing but refusals came of it: not one was delivered,
        now or before, is open, or waits for a lost answer. Held ones count as refused, but for those that had a lost
        answer, since these may be delivered; open ones were not judged. 100 turns it off.
        """
        if percent >= 100:  # noqa: PLR2004 - percent
            return []
        by_stream = _summed(self._events, lambda line: line.stream)
        by_capture = _summed(self._events, lambda line: line.capture)
        sums = [(f"stream {self._mask.stream(stream)}", counts) for stream, counts in by_stream.items()]
        sums += [(f"the capture of {capture}", counts) for capture, counts in by_capture.items() if capture]
        shares = [
            (name, sum(counts[each] for each in _REFUSED), counts.total() - counts["open"], counts["open"])
            for name, counts in sums
        ]
        return [
            f"{refused} of {total} of {name}"
            for name, refused, total, is_open in shares
            if (refused >= FEWEST_REFUSED and refused * 100 > percent * total)
            or (refused and refused == total and not is_open)
        ]

    def _line(self, part: Part) -> Line:
        if not isinstance(part, Event):
            return Line(part.origin.stream, part.mapping, "", self._today())
        return Line(
            part.origin.stream,
            part.mapping,
            part.capture.label,
            part.day or self._today(),
            part.event_type,
            part.name_label,
        )

    def _told(self, line: Line) -> Line:
        return line._replace(stream=self._mask.raw_stream(line.stream))

    def _watch_start(self, stream: str, kind: str, parts: Sequence[Part]) -> None:
        invalid = self._invalid_from_start.setdefault(stream, 0)
        if invalid < 0:
            return
        self._invalid_from_start[stream] = invalid + 1 if kind == "invalid" else -1
        if invalid + 1 == self._first_invalid and kind == "invalid":
            reason = next(part.reason for part in parts if isinstance(part, InvalidPart))
            count, told = f"{invalid + 1:,}", self._mask.stream(stream)
            raise RejectsAboveLimit(_STREAM_INVALID.format(count=count, stream=told, reason=reason))


def _summed(counts: Counter[tuple[Key, str]], group: Callable[[Key], Group]) -> dict[Group, Counter[str]]:
    """Counts by name, added up for each group of keys."""
    sums: dict[Group, Counter[str]] = defaultdict(Counter)
    for (key, name), count in counts.items():
        sums[group(key)][name] += count
    return sums


def _event_counts(counts: Counter[str]) -> EventCounts:
    """As the receipt has them: what is held is held."""
    named = Counter(counts)
    named["held"] += named.pop(_HELD_UNKNOWN, 0)
    return EventCounts(**named)


def _weight(part: Part) -> int:
    return len(part.origin.record) + (len(part.body) if isinstance(part, Event) else 0)


def _name(outcome: Outcome) -> str:
    """By what it is counted here: held ones that had a lost answer apart, since these may be delivered."""
    if isinstance(outcome, Held) and outcome.is_unknown:
        return _HELD_UNKNOWN
    return ACCOUNTS[type(outcome)].name


_BY_MAPPING = ("changes_unsaid", "changes_sent", "without_identity")
_BY_REASON = ("refusals", "held", "changes", "unread")
_HELD_UNKNOWN = "held_unknown"
_REFUSED = tuple(account.name for account in ACCOUNTS.values() if account.is_refused)
