"""What a run did: records and events, and the proof that both sums close."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from target_driftrock.events.event import Event
from target_driftrock.events.outcome import ACCOUNTS
from target_driftrock.naming import shown
from target_driftrock.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from target_driftrock.events.event import Part


VERSION = 1
"""Of the receipt's JSON: another one where a member goes, or means something else. New members may come without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCounts:
    """Records by what came of them. Each counts once."""

    mapped: int = 0
    invalid: int = 0
    filtered: int = 0
    unmapped: int = 0
    deletions: int = 0
    """Of those filtered: records that say that their row was deleted."""

    @property
    def told(self) -> str:
        """The sum in words, without the number read."""
        deletions = f" (of them {counted(self.deletions, 'deletion')})" if self.deletions else ""
        return (
            f"{self.mapped} mapped + {self.invalid} invalid + {self.filtered} filtered{deletions} "
            f"+ {self.unmapped} unmapped"
        )

    @property
    def total(self) -> int:
        """All of them."""
        return self.mapped + self.invalid + self.filtered + self.unmapped


def record_kind(parts: Sequence[Part]) -> str:
    """As what a record counts, by the parts that came of it."""
    if any(isinstance(part, Event) for part in parts):
        return "mapped"
    return "invalid" if parts else "filtered"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCounts:
    """Events, and refused parts of records, by outcome. Each has one."""

    delivered: int = 0
    already_delivered: int = 0
    changed: int = 0
    invalid: int = 0
    rejected: int = 0
    held: int = 0
    open: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_name().values())

    def by_name(self) -> dict[str, int]:
        """In the order in which they are told."""
        return {each.name: getattr(self, each.name) for each in ACCOUNTS.values()}


class Line(NamedTuple):
    """What events are accounted by, in the words of the settings. `day` is a UTC date; no capture is "".

    The day is that of `created_at`, else of sending. `name` is the template where it comes of a record. What is invalid
    has neither type nor name.
    """

    stream: str
    mapping: str
    capture: str
    day: str
    type: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The accounts of one run. `seconds` lie between the first request and the latest answer."""

    records: RecordCounts
    records_read: int
    events: EventCounts
    events_submitted: int
    events_recorded: EventCounts | None
    """What the ledger's own transactions added up; what it does not count is zero. None where it is lost."""
    records_by_stream: Mapping[str, RecordCounts] = field(default_factory=dict)
    events_by_line: Mapping[Line, EventCounts] = field(default_factory=dict)
    refusals: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Invalid and rejected parts by mapping and reason."""
    held: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Held events by mapping and reason."""
    changes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Changed events, which were not sent, by mapping and cause."""
    changes_sent: Mapping[str, int] = field(default_factory=dict)
    """What of the delivered were changes, by mapping."""
    without_identity: Mapping[str, int] = field(default_factory=dict)
    """Events without an `event_id`, by mapping: what is promised of repeats does not hold for them."""
    unread: Mapping[Any, int] = field(default_factory=dict)
    """Values that a filter could not read, and that an `else` let pass, by mapping, property and filter."""
    retries: int = 0
    unknown: int = 0
    unknown_recorded: int | None = None
    """Lost answers as the ledger's transactions added them up."""
    latencies: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds from a request to its answer, by percentile."""
    token_requests: int = 0
    is_ledger_new: bool = False
    seconds: float = 0.0
    delivered_before: int = 0
    """Of a job: by attempts at its tasks that were cut off. A later attempt found these already delivered."""

    def disagreements(self) -> Iterator[str]:
        """Each sum that does not close, a sentence each. There are none unless we have a defect."""
        if self.records.total != self.records_read:
            yield f"{self.records_read} records were read, and {self.records.total} are accounted for."
        if self.events.total != self.events_submitted:
            yield f"{self.events_submitted} events were made, and {self.events.total} have an outcome."
        if self.events_recorded is None:
            return
        for name in (each.name for each in ACCOUNTS.values() if each.is_recorded):
            counted, recorded = getattr(self.events, name), getattr(self.events_recorded, name)
            if counted != recorded:
                yield f"{counted} events are {name}, and the ledger recorded {recorded}."
        if self.unknown_recorded not in {None, self.unknown}:
            yield f"{self.unknown} answers were lost, and the ledger recorded {self.unknown_recorded}."

    def lines(self) -> Iterator[str]:
        """The receipt for a person, a line each."""
        yield f"Records: {self.records_read} read = {self.records.told}."
        told = " + ".join(f"{count} {name.replace('_', ' ')}" for name, count in self.events.by_name().items())
        yield f"Events: {self.events_submitted} made = {told}."
        if self.delivered_before:
            yield f"Attempts at this job's tasks that were cut off delivered {self.delivered_before} of these before."
        for (mapping, reason), count in sorted(self.refusals.items()):
            yield f"Refused: {count} of {mapping}: {reason}."
        for (mapping, reason), count in sorted(self.held.items()):
            yield f"Held: {count} of {mapping}: {reason}."
        for (mapping, cause), count in sorted(self.changes.items()):
            yield f"Changed, not sent: {count} of {mapping}: {cause}."
        for mapping, count in sorted(self.changes_sent.items()):
            if count:
                yield f"Changes that were sent: {count} of the delivered of {mapping}."
        for mapping, count in sorted(self.without_identity.items()):
            yield f"Without event_id: {count} of {mapping}; a repeat of them cannot be recognised."
        yield from unread_lines(self.unread.items())
        yield (
            f"{self._pace()}, {self.retries} retries, {self.unknown} answers lost, "
            f"{self.token_requests} token requests."
        )
        if self.latencies:
            told = ", ".join(f"{name} {value:.0f} ms" for name, value in self.latencies.items())
            yield f"Answers came after: {told}."

    def as_json(self) -> str:
        """The receipt to keep."""
        return msgspec.json.encode(
            {
                "version": VERSION,
                "records": {"read": self.records_read, **asdict(self.records)},
                "events": {"made": self.events_submitted, **asdict(self.events)},
                "records_by_stream": {stream: asdict(counts) for stream, counts in self.records_by_stream.items()},
                "events_by_line": [
                    {**line._asdict(), **asdict(counts)} for line, counts in sorted(self.events_by_line.items())
                ],
                "refusals": _by_reason(self.refusals),
                "held": _by_reason(self.held),
                "changes": [
                    {"mapping": mapping, "cause": cause, "count": count}
                    for (mapping, cause), count in sorted(self.changes.items())
                ],
                "changes_sent": {mapping: count for mapping, count in self.changes_sent.items() if count},
                "without_identity": dict(self.without_identity),
                "unread": [
                    {"mapping": mapping, "property": name, "filter": passed, "count": count}
                    for (mapping, name, passed), count in sorted(self.unread.items())
                ],
                "retries": self.retries,
                "answers_lost": self.unknown,
                "latencies_ms": {name: round(value, 1) for name, value in self.latencies.items()},
                "token_requests": self.token_requests,
                "seconds": round(self.seconds, 3),
                "is_ledger_new": self.is_ledger_new,
                "delivered_before": self.delivered_before,
            }
        ).decode()

    def _pace(self) -> str:
        if not self.seconds:
            return "Nothing was sent"
        return f"{self.events.delivered / self.seconds:.0f} events a second over {self.seconds:.1f} seconds"


def _by_reason(counts: Mapping[tuple[str, str], int]) -> list[dict[str, str | int]]:
    return [
        {"mapping": mapping, "reason": reason, "count": count} for (mapping, reason), count in sorted(counts.items())
    ]


def unread_lines(unread: Iterable[tuple[tuple[str, str, str], int]]) -> Iterator[str]:
    """What filters could not read, and `else` let pass, a sentence each."""
    for (mapping, name, passed), count in sorted(unread):
        yield f"Passed over: {count} of {mapping}: {shown(name)} cannot be read by the filter {passed}, as else allows."
