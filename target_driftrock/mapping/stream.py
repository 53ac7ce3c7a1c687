"""What the records of one stream become, under one SCHEMA."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from target_driftrock.events.event import Capture, Endpoint, Event, InvalidPart, Misfit, Origin, Part
from target_driftrock.events.identity import Way, Who, identity
from target_driftrock.mapping.attribute import IDENTITY
from target_driftrock.mapping.condition import Condition
from target_driftrock.mapping.filters.reading import Unread
from target_driftrock.mapping.masking import BARE, Mask
from target_driftrock.mapping.path import Reader, Record, reader
from target_driftrock.mapping.values import content_digest
from target_driftrock.mapping.who import who
from target_driftrock.mapping.writing import UNWRITABLE, Wrong, write
from target_driftrock.naming import shown
from target_driftrock.settings import OnChanged


def capture_of(values: Mapping[str, Any], *, label: str) -> Capture:
    """The capture that these attributes name."""
    affiliate_id = values.get("affiliate_id")
    return Capture(
        endpoint=Endpoint.WEBHOOK if affiliate_id is None else Endpoint.AFFILIATE,
        source_id=values["source_id"],
        affiliate_id=affiliate_id,
        label=label,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerIdentity:
    """How the identities of a mapping were made before it was mended."""

    way: Way
    attributes: tuple[tuple[str, Reader], ...] = field(repr=False)

    def of(self, record: Record) -> bytes | None:
        """The identity that the record's event had then; None if it could have none."""
        values: dict[str, str] = {}
        for name, read in self.attributes:
            value = read(record)
            if not isinstance(value, str):  # null, or wrong: no event came of it
                return None
            values[name] = value
        return identity(
            capture_of(values, label=""),
            event_type=values["event_type"],
            event_name=values["event_name"],
            event_id=values["event_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledMapping:
    """One mapping, ready for records. Without `attributes` it skips what it takes."""

    label: str
    capture_label: str
    name_label: str = ""
    """What its events are called, as the settings tell it."""
    fits: Condition = field(repr=False)
    takes_all: bool = False
    """It has no `when`."""
    attributes: tuple[tuple[str, Reader], ...] = field(default=(), repr=False)
    """In the order in which they are sent."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """By attribute the one property that it is, where it is one and nothing else."""
    may_refuse: bool = False
    """Its `when` may be unable to tell."""
    reads: frozenset[str] = frozenset()
    """The top-level properties that it names."""
    takes: frozenset[str] = frozenset()
    """Those that it takes as they are, past no filter, and those by which it, and each before it, is chosen so."""
    reads_all: bool = False
    """It sends every property."""
    asks: frozenset[str] = frozenset()
    """Of what it takes: by which it, and each before it, is chosen."""
    way: Way | None = None
    """How its identities are made; None where its events have none."""
    formers: tuple[FormerIdentity, ...] = ()
    former_ways: tuple[Way, ...] = ()
    forgets_former: bool = False
    on_changed: OnChanged | None = None

    @property
    def has_condition(self) -> bool:
        """Whether a `when` says which records it takes."""
        return not self.takes_all

    @property
    def skips(self) -> bool:
        """Whether no event comes of what it takes."""
        return not self.attributes

    def part(self, record: Record, origin: Origin) -> Part | None:
        """The event that the record becomes, or the first rule that it breaks; None if the mapping skips it."""
        if self.may_refuse and isinstance(unclear := self.fits(record), Wrong):
            return self._invalid(origin, f"when {unclear.rule}", record, misfit=self._misfit("when", unclear, record))
        if not self.attributes:
            return None
        body: dict[str, Any] = {}
        for name, read in self.attributes:
            value = read(record)
            if value is None:
                continue
            if type(value) is Wrong:
                return self._invalid(origin, f"{name} {value.rule}", record, misfit=self._misfit(name, value, record))
            body[name] = value
        written = write(body)
        content = (
            None if written is None else content_digest({name: body[name] for name in body if name not in IDENTITY})
        )
        if written is None or content is None:
            place, wrong = _unwritable(body)
            return self._invalid(origin, f"{place} {wrong.rule}", record, misfit=self._misfit(place, wrong, record))
        return self._event(origin, record, body, written=written, content=content)

    def _event(
        self, origin: Origin, record: Record, body: Mapping[str, Any], *, written: bytes, content: bytes
    ) -> Event:
        created_at, event_id, person_id = body.get("created_at"), body.get("event_id"), body.get("person_id")
        capture = capture_of(body, label=self.capture_label)
        own = identity(capture, event_type=body["event_type"], event_name=body["event_name"], event_id=event_id)
        return Event(
            origin=origin,
            mapping=self.label,
            capture=capture,
            event_type=body["event_type"],
            event_name=body["event_name"],
            name_label=self.name_label,
            event_id=event_id,
            person_id=person_id,
            day=created_at and created_at[:10],
            body=written,
            identity=own,
            content=content,
            who=who(person_id, body["fields"]),
            way=self.way,
            former=self._former(record, but=own) if self.formers else (),
            former_ways=self.former_ways,
            on_changed=self.on_changed,
        )

    def _former(self, record: Record, *, but: bytes | None) -> tuple[bytes, ...]:
        """The other identities under which the event may be known from before, each once."""
        found = dict.fromkeys(former.of(record) for former in self.formers)
        return tuple(each for each in found if each is not None and each != but)

    def _invalid(self, origin: Origin, reason: str, record: Record, *, misfit: Misfit | None = None) -> InvalidPart:
        return InvalidPart(origin=origin, mapping=self.label, reason=reason, who=self._who(record), misfit=misfit)

    def _misfit(self, attribute: str, wrong: Wrong, record: Record) -> Misfit | None:
        """The value of which `wrong` speaks. Its name stands in a template, so it may be told."""
        name = self.sources.get(attribute) if wrong.name is None else wrong.name
        return None if name is None else Misfit(of=shown(name), rule=wrong.rule, value=reader(name)(record))

    def _who(self, record: Record) -> Who:
        """Whom the event would have been about, as far as that can be read."""
        found = {name: read(record) for name, read in self.attributes if name in {"person_id", "fields"}}
        person_id, fields = found.get("person_id"), found.get("fields")
        return who(person_id if isinstance(person_id, str) else None, fields if isinstance(fields, dict) else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledStream:
    """The mappings of one stream under one SCHEMA, in the order in which they are asked."""

    stream: str
    mappings: tuple[CompiledMapping, ...]
    warnings: tuple[str, ...] = ()
    """What a person should know before anything is sent, a sentence each."""
    scope: str = ""
    """The tap's stream, or the stream map's key: what the ways of its mappings are remembered by."""
    mask: Mask = BARE
    """How the names of the stream and its columns are told."""
    unread: list[Unread] = field(default_factory=list, compare=False)
    """What `else` has let pass in the latest records: for whoever maps them to count, and to empty."""

    def choose(self, record: Record) -> CompiledMapping | None:
        """The first mapping that fits the record, or whose `when` cannot tell; None if none is: it is filtered."""
        return next((mapping for mapping in self.mappings if mapping.fits(record)), None)

    def map(self, record: Record, origin: Origin) -> Part | None:
        """What the record becomes under the mapping that fits it.

        None if it is filtered: none fits, or the one that does says `skip`. Any record of JSON values is answered;
        nothing is raised.
        """
        mapping = self.choose(record)
        return None if mapping is None else mapping.part(record, origin)

    @property
    def is_chosen_by(self) -> frozenset[str]:
        """The top-level properties that the mappings' conditions ask for."""
        return self.mappings[-1].asks if self.mappings else frozenset()

    @property
    def reads(self) -> frozenset[str]:
        """The top-level properties that its mappings name."""
        return frozenset().union(*(mapping.reads for mapping in self.mappings))


def _unwritable(body: Mapping[str, Any]) -> tuple[str, Wrong]:
    """What cannot be written, and why: the first that a filter could not read, or that JSON has no form for."""
    for name in ("fields", "metadata"):
        for member, value in _members(body.get(name)):
            if type(value) is Wrong and value is not UNWRITABLE:
                return shown(f"{name}.{member}"), value
    name = next((name for name, value in body.items() if write(value) is None), "fields")
    return name, UNWRITABLE


def _members(value: Any) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, dict) else ()
