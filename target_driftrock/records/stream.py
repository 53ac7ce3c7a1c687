"""One stream under one SCHEMA: what becomes of its records."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from target_driftrock.errors import InputInvalid, SettingsInvalid
from target_driftrock.events.columns import without_added
from target_driftrock.events.event import InvalidPart, Misfit
from target_driftrock.events.identity import NOBODY
from target_driftrock.events.identity import digest as bytes_digest
from target_driftrock.mapping import attribute, values
from target_driftrock.mapping.compiler import MappingFaults, compile_stream, named
from target_driftrock.mapping.masking import Mask
from target_driftrock.records.as_read import AsRead
from target_driftrock.records.validator import SchemaTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_driftrock.events.event import Origin, Part
    from target_driftrock.events.identity import Who
    from target_driftrock.mapping.filters.reading import Unread
    from target_driftrock.mapping.stream import CompiledMapping
    from target_driftrock.records.validator import Fault, RecordValidator
    from target_driftrock.settings import Settings

ENOUGH_TO_WONDER = 100
"""Records of which one at least should have met a condition."""


class RecordStream:
    """Judges and maps the records of one stream: its validators, its key, its compiled mappings. Sends nothing.

    `name` is what the mappings know the stream by, so that several may share it; `scope` is its own, and what its ids
    are made of: see `compile_stream`. `chosen` counts what each mapping took; None stands for no mapping. `unread`
    counts the values that a filter could not read, and that `else` let pass.

    Raises:
        SettingsInvalid: The mappings do not go with the SCHEMA.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        *,
        schema: dict[str, Any],
        key_properties: Sequence[str] = (),
        scope: str | None = None,
        as_read: AsRead | None = None,
        chosen: Counter[str | None] | None = None,
        unread: Counter[Unread] | None = None,
    ) -> None:
        keys = sorted(set(key_properties))
        scope = name if scope is None else scope
        mask = Mask(said=named(settings.mappings)).over(schema, keys) if as_read is None else as_read.mask
        compiled = compile_stream(
            settings.mappings,
            stream=name,
            schema=schema,
            key_properties=keys,
            scope=scope,
            changed=frozenset() if as_read is None else as_read.changed(schema),
            mask=mask,
        )
        if isinstance(compiled, MappingFaults):
            raise SettingsInvalid(compiled.faults)
        self.name = name
        self.mapper = compiled
        self._validates = settings.validate_records
        self.told = mask.stream(name)
        """Its name in a sentence."""
        self._key = attribute.key(scope, keys) if keys else None
        self._as_read = as_read or AsRead(schema=schema, mask=mask)
        self._chosen = Counter() if chosen is None else chosen
        self._unread = Counter() if unread is None else unread
        self._validators: dict[str | None, RecordValidator | None] = {}

    @property
    def warnings(self) -> Sequence[str]:
        """What a person should know of this stream before anything is sent, a sentence each."""
        return [*self.mapper.warnings, *self._unsound()]

    @property
    def nulls(self) -> Mapping[str, None]:
        """What must be found as null where a record leaves it out, before it is changed."""
        return self._as_read.nulls

    def part(self, record: dict[str, Any], origin: Origin, *, read: dict[str, Any] | None = None) -> Part | None:
        """What a record of this stream becomes, or None where it is filtered.

        It is judged as it was `read`, before it was changed, and only in what its mapping takes of it, and in what the
        mappings are chosen by: of what cannot be compared nobody knows whether it was to be filtered.
        """
        origin = self.keyed(record, origin)
        mapping = self.mapper.choose(record)
        self._chosen[None if mapping is None else mapping.label] += 1
        if mapping is not None and not mapping.skips:
            self.mapper.unread.clear()  # what a `when` could not read has cost nothing
        part = None if mapping is None else mapping.part(record, origin)
        if self.mapper.unread:
            self._count_unread()
        fault = self._fault(record if read is None else read, mapping) if self._validates else None
        if fault is None:
            return part
        misfit = Misfit(of=fault.path, rule=fault.rule, value=fault.value)
        return self.invalid(origin, f"schema: {fault.text}", who=NOBODY if part is None else part.who, misfit=misfit)

    def keyed(self, record: dict[str, Any], origin: Origin) -> Origin:
        """The origin with the stream and key properties of the record, where it has them."""
        key = self._key(record) if self._key is not None else None
        return replace(origin, key=key if isinstance(key, str) else None)

    def invalid(self, origin: Origin, reason: str, *, who: Who = NOBODY, misfit: Misfit | None = None) -> InvalidPart:
        """A record of this stream that must not be sent."""
        return InvalidPart(origin=origin, mapping=f"stream {self.told}", reason=reason, who=who, misfit=misfit)

    def asks_for(self, name: str) -> bool:
        """Whether a mapping of this stream names a property as read, or nothing would be sent of it anyway."""
        return name in self.mapper.reads or all(mapping.skips for mapping in self.mapper.mappings)

    def idle_mappings(self) -> Iterator[str]:
        """The mappings whose `when` kept out all records, where there were enough to wonder; a sentence each."""
        asked = self._chosen.total()
        for mapping in self.mapper.mappings:
            if mapping.has_condition and not self._chosen[mapping.label] and asked >= ENOUGH_TO_WONDER:
                yield _IDLE.format(label=mapping.label, count=asked, stream=self.told)
            asked -= self._chosen[mapping.label]

    def _unsound(self) -> Iterator[str]:
        for name, keyword in self._as_read.unsound() if self._validates else ():
            yield _UNSOUND.format(stream=self.told, keyword=keyword, name=self.mapper.mask.column(name))

    def _count_unread(self) -> None:
        """Of one record each value once, however often it was read."""
        self._unread.update(set(self.mapper.unread))
        self.mapper.unread.clear()

    def _fault(self, read: dict[str, Any], mapping: CompiledMapping | None) -> Fault | None:
        label = None if mapping is None else mapping.label
        if label not in self._validators:
            self._validators[label] = self._judge_of(mapping)
        validator = self._validators[label]
        return None if validator is None else validator.fault(read)

    def _judge_of(self, mapping: CompiledMapping | None) -> RecordValidator | None:
        """What judges the records that a mapping takes, or those that none does; None where nothing of them is used."""
        try:
            if mapping is not None and mapping.reads_all:
                return self._as_read.validator_of_all()
            return self._as_read.validator(self.mapper.is_chosen_by if mapping is None else mapping.takes)
        except SchemaTooLarge:
            raise InputInvalid(_TOO_LARGE.format(stream=self.told)) from None


def record_digest(record: Mapping[str, Any], raw: bytes) -> bytes:
    """What stands for a record as read, without what loaders add (`_sdc_*`), which is new each time.

    `raw` is its line, which stands for what cannot be told by names and values.
    """
    has_added = b"_sdc_" in raw.lower()
    found = values.record_digest(without_added(record) if has_added else record)
    return bytes_digest(raw) if found is None else found


_TOO_LARGE = (
    "The SCHEMA of stream {stream} refers to its own parts so often, or is nested so deeply, that to judge a record by "
    "it could take hours: mend the tap, or set validate_records: false."
)
_UNSOUND = (
    "The SCHEMA of stream {stream} has a `{keyword}` for {name} that no draft of JSON Schema knows, so no record is "
    "judged by it: if they are to be, mend the tap."
)
_IDLE = (
    "{label}: its `when` kept out all {count} records of stream {stream} that reached it: check the values that it "
    "compares with, and their types, with `target-driftrock preview`."
)
