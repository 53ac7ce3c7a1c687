"""How names out of data are told beside values: those of streams, columns, and what is nested in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_driftrock.mapping.masking import Mask, names_in
from target_driftrock.mapping.shapes import text_shape
from target_driftrock.naming import shown

if TYPE_CHECKING:
    from target_driftrock.singer.messages import Schema


class Names:
    """A name is told if the settings name it, or a SCHEMA lists it and none there looks like a value; else its shape.

    Where it `shows` values, every name is told.
    """

    def __init__(self, mask: Mask, *, shows: bool) -> None:
        self._mask = mask
        self._shows = shows
        self._masks: dict[str, Mask] = {}
        self._listed: dict[str, frozenset[str]] = {}

    def take_schema(self, schema: Schema) -> None:
        """The names that a stream has from here on."""
        self._masks[schema.stream] = self._mask.over(schema.schema, schema.key_properties)
        self._listed[schema.stream] = frozenset(names_in(schema.schema))

    def stream(self, name: str) -> str:
        """A stream's name."""
        return name if self._shows else self._mask.raw_stream(name)

    def column(self, stream: str, name: str) -> str:
        """A column's name, or what stands in a nested object."""
        if self._shows or name in self._mask.said:
            return name
        mask = self._masks.get(stream, self._mask)
        if mask.hides(name):
            return mask.column(name)
        return shown(name) if name in self._listed.get(stream, ()) else text_shape(name)
