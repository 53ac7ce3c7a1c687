"""What a front says of the records that it puts: how they were read, before it changed anything about them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from target_driftrock.events.columns import is_added
from target_driftrock.mapping.masking import BARE, Mask
from target_driftrock.records.validator import RecordValidator, unsound


@dataclass(frozen=True, slots=True, kw_only=True)
class AsRead:
    """What the SCHEMA says of records as they were read, before stream maps and flattening."""

    schema: dict[str, Any]
    made: Collection[str] = ()
    """Properties of which the stream map makes something else, or nothing."""
    is_made_anew: bool = False
    """Nothing of a mapped record is the tap's, since the stream map says `__else__: null`."""
    flat: Mapping[str, str] | None = None
    """The tap's property for each name that flattening makes of one; None where it makes none."""
    guessed: Collection[str] = ()
    """Of those: the ones of which the flattened SCHEMA does not say what the tap's does."""
    nulls: Mapping[str, None] = field(default_factory=dict)
    """What a stream map must find as null where a record leaves it out: taps need not write nulls."""
    mask: Mask = BARE
    """How the SCHEMA's names are told."""

    def changed(self, mapped: Mapping[str, Any]) -> frozenset[str]:
        """The properties of a mapped SCHEMA of which it does not say what the tap's does."""
        return frozenset(name for name in _properties(mapped) if name in self.guessed or self._source(name) is None)

    def unsound(self) -> Iterator[tuple[str, str]]:
        """What no record can be held against, by property and keyword."""
        return unsound(self.schema)

    def validator(self, mapped: Iterable[str]) -> RecordValidator | None:
        """What judges the tap's properties that stand unchanged in these of a mapped record; None if none does."""
        sources = frozenset(source for name in mapped if (source := self._source(name)) and not is_added(source))
        return RecordValidator(self.schema, names=sources, hides=self.mask.hides) if sources else None

    def validator_of_all(self) -> RecordValidator | None:
        """What judges all that stands unchanged in a mapped record, listed or not; None if nothing does."""
        return None if self.is_made_anew else RecordValidator(self.schema, but=self.made, hides=self.mask.hides)

    def _source(self, name: str) -> str | None:
        if self.flat is not None:
            return self.flat.get(name)
        return None if self.is_made_anew or name in self.made else name


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    listed = schema.get("properties")
    return listed if isinstance(listed, Mapping) else {}
