"""Which names out of data are not told, since they may be values.

A sheet without a header row makes the first person's values the names of its columns. Whether a single name is a
word or somebody's surname nobody can see; but where one of a SCHEMA looks like a value, all were cells of one row. What
the settings name is known to whoever reads the log, and is told.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from target_driftrock.events.columns import is_added
from target_driftrock.mapping.path import steps
from target_driftrock.naming import shown

_FEWEST_DIGITS = 6
_MOST_CHARACTERS = 60
_DAY = re.compile(r"(?<!\d)20\d\d[-_]?(0[1-9]|1[0-2])([-_]?([0-2]\d|3[01]))?(?!\d)")
"""Of a table that is one of many: `events_20260301`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """How names out of data are told: those of streams, and those of the columns of one SCHEMA, nested ones too.

    `said` are the names that the settings name; `odd` says what a column looks like that may be a value, and `is_row`
    that one of those is no nested one, as in a sheet.
    """

    said: frozenset[str] = frozenset()
    odd: str | None = None
    is_row: bool = False

    def over(self, schema: Mapping[str, Any], key_properties: Sequence[str]) -> Mask:
        """The same for the columns of this SCHEMA."""
        listed = schema.get("properties")
        columns = [*key_properties, *(listed if isinstance(listed, Mapping) else ())]
        return replace(self, odd=self._odd((*columns, *names_in(schema))), is_row=self._odd(columns) is not None)

    def _odd(self, names: Iterable[str]) -> str | None:
        return next(filter(None, (_looks(name) for name in names if name not in self.said)), None)

    def hides(self, name: str) -> bool:
        """Whether a column's name, or a path, is not told."""
        if self.odd is None or name in self.said:
            return False
        return not is_added(name) or _looks(name) is not None

    def hides_any(self, names: Sequence[str]) -> bool:
        """Whether one of these is not told, which another SCHEMA may have listed."""
        return self.over({}, names).odd is not None or any(map(self.hides, names))

    def column(self, name: str) -> str:
        """A column's name as it stands in a sentence, or what it looks like."""
        if not self.hides(name):
            return shown(name)
        looks = _looks(name)
        return "another column" if looks is None else f"a column whose name {looks}"

    def told(self, names: Iterable[str]) -> list[str]:
        """Those of these columns that may be told."""
        return [name for name in names if not self.hides(name)]

    def stream(self, name: str) -> str:
        """A stream's name as it stands in a sentence. Each is judged by itself: streams are no cells of one row."""
        return shown(self.raw_stream(name))

    def raw_stream(self, name: str) -> str:
        """The same without quotes, where what is made of it has some of its own."""
        return f"(whose name {_looks_of_stream(name)})" if self.hides_stream(name) else name

    def hides_stream(self, name: str) -> bool:
        """Whether a stream's name is not told."""
        return name not in self.said and _looks_of_stream(name) is not None

    def doubt(self, stream: str) -> str | None:
        """What to say where a column is missing, if the names of the others may be values."""
        if self.odd is None:
            return None
        return _NO_HEADER.format(stream=self.stream(stream), looks=self.odd)


BARE = Mask()
"""Where neither settings nor a SCHEMA are at hand."""


def ways_to(names: Iterable[str]) -> Iterator[str]:
    """These names, which may be paths, and all that is named on the way: `contact` and `email` by `contact.email`."""
    for name in names:
        yield name
        before = ""
        for step in steps(name):
            yield from (step.rest, step.head, before + step.head)
            before += f"{step.head}."


def _looks(name: str) -> str | None:
    """As what a name looks that may be a value; None for a plain one."""
    name = unicodedata.normalize("NFKC", name)
    if "@" in name:
        return "looks like an e-mail address"
    if sum(map(str.isdigit, name)) >= _FEWEST_DIGITS:
        return "holds six digits or more"
    return "is long" if len(name) > _MOST_CHARACTERS else None


def _looks_of_stream(name: str) -> str | None:
    return _looks(_DAY.sub("", name))


def names_in(schema: Any) -> Iterator[str]:
    """All names in a SCHEMA that could be told, wherever they stand in it."""
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            for names in (node.get("properties"), node.get("required")):
                found = names if isinstance(names, Mapping | list) else ()
                yield from (name for name in found if isinstance(name, str))
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


_NO_HEADER = (
    "the SCHEMA of stream {stream} lists a column whose name {looks}: is the header row missing? Have the tap read "
    "one, or tell it what the columns are called; or, if it is called so, name it in a template"
)
