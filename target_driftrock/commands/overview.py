"""What of an input would go where, and what would not: counts, examples, and the shapes of what could not be read.

Memory does not grow with the input. Of what comes out of records nothing but shapes is kept, unless values are to be
shown.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from target_driftrock.commands.cards import Card, Cards
from target_driftrock.commands.counting import Commonest, Counted, Days
from target_driftrock.commands.names import Names
from target_driftrock.delivery.admission import Send
from target_driftrock.events.columns import is_added
from target_driftrock.events.event import Event, Misfit
from target_driftrock.events.outcome import Changed, Held
from target_driftrock.mapping import shapes
from target_driftrock.mapping.path import reader
from target_driftrock.mapping.sentences import Row, Sentence, is_constant, rows, sentences
from target_driftrock.mapping.values import is_nothing
from target_driftrock.naming import shown
from target_driftrock.settings import StreamMapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from target_driftrock.commands.search import Verdict
    from target_driftrock.events.event import Part
    from target_driftrock.mapping.filters.reading import Unread
    from target_driftrock.mapping.masking import Mask
    from target_driftrock.singer.messages import Record, Schema

SHAPES = 10
"""How many shapes are told of what one rule could not read."""
BARS = 50
_DAYS_SHOWN = 62
_RULES = 500
"""How many rules' shapes are kept."""
_COLUMNS = 1_000
"""How many columns of a stream are watched."""
_LINES = 5
_LONGEST = 200
"""Characters of a value that is shown."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a count: how many, and its part of the most in percent, from 1 to 100."""

    name: str
    count: int
    width: int
    is_exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """What came, by one thing."""

    title: str
    of: str
    """What stands in its first column."""
    bars: Sequence[Bar]
    others: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfits:
    """What one rule could not read of one property: how many values, and their commonest shapes."""

    name: str
    rule: str
    count: int
    shapes: Sequence[Counted[tuple[str, str]]]
    """Each the kind of value, and its shape."""


@dataclass(slots=True)
class Marked:
    """What a run would not send: how many, and the first lines."""

    count: int = 0
    lines: list[int] = field(default_factory=list)

    def note(self, line: int) -> None:
        """One more."""
        self.count += 1
        if len(self.lines) < _LINES:
            self.lines.append(line)


class Reason(NamedTuple):
    """Of which mapping how much would not be sent, and why."""

    mapping: str
    why: str
    marked: Marked


class Told(NamedTuple):
    """A mapping for people, with how many events of it would be sent."""

    label: str
    sentences: Sequence[Sentence]
    rows: Sequence[Row]
    skips: bool
    events: int


class Overview:
    """Takes each part of an input with what a run would do with it. `shows` values; else their shapes."""

    def __init__(self, mappings: Sequence[StreamMapping], mask: Mask, *, shows: bool = False) -> None:
        self.shows = shows
        self.sent = 0
        self._refused: dict[tuple[str, str], Marked] = {}
        self._not_sent: dict[tuple[str, str], Marked] = {}
        self._mappings = {mapping.label: mapping for mapping in mappings}
        self._names = Names(mask, shows=shows)
        self._cards = Cards(self._mappings, self._names, shows=shows)
        self._captures: Commonest[str] = Commonest()
        self._kinds: Counter[str] = Counter()
        self._called: Commonest[str] = Commonest()
        self._by_mapping: Counter[str] = Counter()
        self._days = Days()
        self._shapes: dict[tuple[str, str], Commonest[tuple[str, str]]] = {}
        self._empty_fields: dict[str, set[str]] = {}
        """By mapping, the fields that no event had yet."""
        self._columns: dict[str, set[str]] = {}
        """By stream, those that were listed so far, or the first thousand."""
        self._empty_columns: dict[str, set[str]] = {}
        """Those of them that no record had yet."""
        self._records: Counter[str] = Counter()

    # Taking.

    def take_schema(self, schema: Schema) -> None:
        """What a stream's columns are called from here on."""
        self._names.take_schema(schema)
        known = self._columns.setdefault(schema.stream, set())
        new = (name for name in schema.schema.get("properties", ()) if name not in known and not is_added(name))
        found = set(islice(new, _COLUMNS - len(known)))
        known |= found
        self._empty_columns.setdefault(schema.stream, set()).update(found)

    def take_record(self, record: Record) -> None:
        """A record, whatever comes of it."""
        self._records[record.stream] += 1
        empty = self._empty_columns.get(record.stream)
        if empty:
            empty -= {name for name in empty if not is_nothing(record.record.get(name))}

    def take(self, record: Record, part: Part, verdict: Verdict | None) -> None:
        """A part of a record; of an event with what a run would do with it."""
        if not isinstance(part, Event):
            self._refused.setdefault((part.mapping, part.reason), Marked()).note(record.line)
            if part.misfit is not None:
                self._take_misfit(part.misfit)
            return
        if isinstance(verdict, Send):
            self._count(part)
        why = _why(verdict)
        if why:
            self._not_sent.setdefault((part.mapping, why), Marked()).note(record.line)
        self._watch_fields(part)
        if self._cards.wants(part):
            self._cards.take(record, part, mark=why)

    def take_passed(self, record: Record, passed: Iterable[Unread]) -> None:
        """What of a record filters could not read, and `else` let pass."""
        for each in passed:
            rule = f"cannot be read by the filter {each.filter}, as else allows"
            self._take_misfit(Misfit(of=shown(each.property), rule=rule, value=reader(each.property)(record.record)))

    def _count(self, event: Event) -> None:
        self.sent += 1
        self._captures.note(self._capture(event))
        self._kinds[event.event_type] += 1
        self._called.note(event.event_name if self.shows else event.name_label)
        self._by_mapping[event.mapping] += 1
        self._days.note(event.day)

    def _capture(self, event: Event) -> str:
        mapping = self._mappings[event.mapping]
        source, affiliate = str(mapping.source_id), mapping.affiliate_id
        if self.shows:
            source, affiliate = event.capture.source_id, event.capture.affiliate_id
        return source if affiliate is None else f"{source}, affiliate {affiliate}"

    def _take_misfit(self, misfit: Misfit) -> None:
        key = misfit.of, misfit.rule
        if is_nothing(misfit.value) or (key not in self._shapes and len(self._shapes) >= _RULES):
            return
        value = str(misfit.value)[:_LONGEST] if self.shows else shapes.shape(misfit.value)
        self._shapes.setdefault(key, Commonest()).note((shapes.kind(misfit.value), value))

    def _watch_fields(self, event: Event) -> None:
        empty = self._empty_fields.get(event.mapping)
        if empty is None:
            empty = self._empty_fields[event.mapping] = set(_field_names(self._mappings[event.mapping]))
        if empty:
            body = msgspec.json.decode(event.body)
            empty -= {name for name in empty if _has(body, name)}

    # Telling.

    def where(self) -> Iterator[Bars]:
        """How much would go where."""
        yield _common("By capture", "capture", self._captures)
        yield _bars("By type", "type", self._kinds.most_common())
        yield _common("By name", "name", self._called)
        yield _bars("By mapping", "mapping", self._by_mapping.most_common(BARS), total=self.sent)
        days = self._days.told(_DAYS_SHOWN)
        dated = list(days.items())[:_DAYS_SHOWN]
        undated = [("when it arrives", self._days.undated)] if self._days.undated else []
        span = {4: "year", 7: "month"}.get(len(next(iter(days), "")), "day")
        yield _bars(f"By {span}", f"{span} (UTC)", [*dated, *undated], total=self.sent)

    def mappings(self) -> Iterator[Told]:
        """The mappings in plain sentences."""
        for label, mapping in self._mappings.items():
            yield Told(label, list(sentences(mapping)), list(rows(mapping)), mapping.skip, self._by_mapping[label])

    def cards(self) -> Sequence[Card]:
        """Examples, of each mapping in turn."""
        return self._cards.chosen()

    def refused(self) -> list[Reason]:
        """What is invalid, the most of it in front."""
        return _ordered(self._refused)

    def not_sent(self) -> list[Reason]:
        """Events that a run would hold, or pass over as changed, the most of them in front."""
        return _ordered(self._not_sent)

    def misfits(self) -> Iterator[Misfits]:
        """What could not be read, the most of it in front."""
        for (name, rule), found in sorted(self._shapes.items(), key=lambda pair: (-pair[1].total, pair[0])):
            yield Misfits(name=name, rule=rule, count=found.total, shapes=found.first(SHAPES))

    def empty_fields(self) -> Iterator[tuple[str, Sequence[str]]]:
        """By mapping, the fields that none of its events had."""
        yield from ((label, sorted(names)) for label, names in self._empty_fields.items() if names)

    def empty_columns(self) -> Iterator[tuple[str, Sequence[str]]]:
        """By stream, the columns that none of its records had."""
        for stream, names in self._empty_columns.items():
            if names and self._records[stream]:
                told = (self._names.column(stream, name) for name in sorted(names))
                yield self._names.stream(stream), list(dict.fromkeys(told))


def _ordered(counts: Mapping[tuple[str, str], Marked]) -> list[Reason]:
    found = [Reason(mapping, why, marked) for (mapping, why), marked in counts.items()]
    return sorted(found, key=lambda reason: (-reason.marked.count, reason.mapping, reason.why))


def _why(verdict: Verdict | None) -> str:
    """Why a run would not send it; a repeat is nobody's fault, and is not marked."""
    match verdict:
        case Held():
            return f"{verdict.kind.value}: {verdict.reason}"
        case Changed():
            return f"changed: {verdict.cause.value}"
        case _:
            return ""


def _field_names(mapping: StreamMapping) -> Iterator[str]:
    """What of an event comes of a record and may be left out."""
    for name in ("person_id", "ga_client_id", "created_at"):
        given = getattr(mapping, name)
        if given is not None and not is_constant(given):
            yield name
    for kind in ("fields", "metadata"):
        given = getattr(mapping, kind)
        if isinstance(given, dict):
            yield from (f"{kind}.{name}" for name, made_of in given.items() if not is_constant(made_of))


def _has(body: Mapping[str, Any], name: str) -> bool:
    kind, _, member = name.partition(".")
    return kind in body if not member else member in body.get(kind, ())


def _common(title: str, of: str, counts: Commonest[str]) -> Bars:
    first = counts.first(BARS)
    exact = [each.is_exact for each in first]
    return _bars(title, of, [(each.item, each.count) for each in first], total=counts.total, exact=exact)


def _bars(
    title: str, of: str, counts: Iterable[tuple[str, int]], *, total: int = 0, exact: Sequence[bool] = ()
) -> Bars:
    listed = list(counts)
    most = max((count for _, count in listed), default=1)
    bars = [
        Bar(name, count, max(1, round(100 * count / most)), exact[place] if exact else True)
        for place, (name, count) in enumerate(listed)
    ]
    return Bars(title=title, of=of, bars=bars, others=max(0, total - sum(count for _, count in listed)))
