"""What a Singer tap says, a frozen value each. Their reprs name lines and streams, never content."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row.

    `line` counts the input's lines from 1. `raw` is the line as it was read, without its newline. Numbers
    are exact: `int` or `Decimal`. With a `fault` (a rule, never a value) the row is not JSON by RFC 8259:
    what could not be read in it is None in `record`, and it must not be sent.
    """

    line: int
    stream: str
    record: dict[str, Any] = field(repr=False)
    raw: bytes = field(repr=False)
    fault: str | None = None
    kept_row: str | None = None
    """Where it was kept before, if it is sent again: the key beside `record`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What the records of a stream look like from here on. `schema["properties"]` is an object, if it is there."""

    line: int
    stream: str
    schema: dict[str, Any] = field(repr=False)
    key_properties: tuple[str, ...] = ()
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A bookmark: a JSON object, byte for byte as the tap wrote it."""

    line: int
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateVersion:
    """A tap has begun a new version of a table. Events have no versions: nothing follows from it."""

    line: int
    stream: str


Message = Record | Schema | State | ActivateVersion
