"""What each attribute of an event takes, and what it does not.

A reader here gives the value to send, None for an attribute to leave out, or `Wrong`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from target_driftrock.events.columns import without_added
from target_driftrock.mapping import timestamps
from target_driftrock.mapping.path import Reader, Record, reader
from target_driftrock.mapping.values import is_blank, is_nothing
from target_driftrock.mapping.writing import Wrong, as_identifier
from target_driftrock.naming import shown
from target_driftrock.settings import EVENT_TYPES

IS_NULL = Wrong("is null")
IS_EMPTY = Wrong("is empty")
NO_IDENTIFIER = Wrong("is neither text nor a number")
NO_EVENT_TYPE = Wrong(f"is none of {', '.join(EVENT_TYPES)}")
NO_TIME = Wrong(
    "is not a time: a date, a date and time such as 2026-01-31T10:00:00Z, or seconds or milliseconds since 1970 in the "
    "years 2000 to 2100"
)
NO_OBJECT = Wrong("is not an object")


def required(read: Reader) -> Reader:
    """`read`, where null and blank are wrong."""

    def given(record: Record) -> Any:
        value = read(record)
        if value is None:
            return IS_NULL
        return IS_EMPTY if type(value) is str and is_blank(value) else value

    return given


def optional(read: Reader) -> Reader:
    """`read`, where a blank is left out, as null is: taps of CSV files know no other null."""

    def given(record: Record) -> Any:
        value = read(record)
        return None if type(value) is str and is_blank(value) else value

    return given


def event_type(read: Reader) -> Reader:
    """One of the API's three words."""

    def checked(record: Record) -> Any:
        value = read(record)
        return value if isinstance(value, Wrong) or value in EVENT_TYPES else NO_EVENT_TYPE

    return checked


def identifier(read: Reader) -> Reader:
    """A text; of a number, its digits, however it is spelled: `42.0` is `42`."""

    def checked(record: Record) -> str | Wrong | None:
        value = read(record)
        if type(value) is str or value is None or isinstance(value, Wrong):
            return value
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return as_identifier(value)
        return NO_IDENTIFIER

    return checked


def key(stream: str, names: Sequence[str], *, told: Callable[[str], str] = shown) -> Reader:
    """The stream and the key properties of these names, `leads:42`; a `:` or `%` within a part is percent-encoded.

    `told` gives a name as it stands in a sentence.

    No two keys of a stream share one text unless their parts differ in type alone, or are null and blank, which are
    both nothing. Wrong are an object, a list, and a key of which every part is nothing.
    """
    start = encoded(stream)
    parts = tuple(map(reader, names))
    of_these = f"key {'property' if len(names) == 1 else 'properties'} {', '.join(map(told, names))}"
    null, empty = Wrong(f"{IS_NULL.rule} ({of_these})"), Wrong(f"{IS_EMPTY.rule} ({of_these})")

    def checked(record: Record) -> str | Wrong:
        text = start
        is_empty, is_null = True, True
        for read in parts:
            value = read(record)
            if is_nothing(value):
                is_null = is_null and value is None
                text += ":"
                continue
            part = NO_IDENTIFIER if isinstance(value, dict | list) else as_identifier(value)
            if isinstance(part, Wrong):
                return part
            is_empty = False
            text += f":{encoded(part)}"
        if is_empty:
            return null if is_null else empty
        return text

    return checked


def created_at(read: Reader) -> Reader:
    """A moment in the API's form."""

    def checked(record: Record) -> str | Wrong | None:
        value = read(record)
        if value is None or isinstance(value, Wrong):
            return value
        return timestamps.utc(value) or NO_TIME

    return checked


def an_object(read: Reader) -> Reader:
    """A JSON object, as it is."""

    def checked(record: Record) -> Any:
        value = read(record)
        return value if value is None or isinstance(value, dict | Wrong) else NO_OBJECT

    return checked


def named(readers: Mapping[str, Reader]) -> Reader:
    """An object of what the readers give, without nulls and blanks."""
    items = tuple(readers.items())

    def gather(record: Record) -> dict[str, Any]:
        found = {}
        for name, read in items:
            value = read(record)
            if not (value is None or (type(value) is str and is_blank(value))):
                found[name] = value
        return found

    return gather


def every_property(record: Record) -> dict[str, Any]:
    """All of the record but nulls, blanks, and what loaders add (`_sdc_*`)."""
    return {
        name: value
        for name, value in without_added(record).items()
        if not (value is None or (type(value) is str and is_blank(value)))
    }


def _required_text(read: Reader) -> Reader:
    return identifier(required(read))


def _optional_text(read: Reader) -> Reader:
    return identifier(optional(read))


CHECKS: Mapping[str, Callable[[Reader], Reader]] = {
    "event_type": lambda read: event_type(required(read)),
    "event_name": _required_text,
    "source_id": _required_text,
    "affiliate_id": _required_text,  # who names it means its endpoint, and there it is required
    "event_id": _required_text,
    "person_id": _optional_text,
    "ga_client_id": _optional_text,
    "created_at": lambda read: created_at(optional(read)),
    "metadata": lambda read: an_object(optional(read)),
}
"""How what a template gives is judged, by attribute."""

IDENTITY = frozenset({"event_type", "event_name", "source_id", "affiliate_id", "event_id"})
"""What makes an event itself; all else is its content."""

SENT_IN_ORDER = (
    "event_type",
    "event_name",
    "source_id",
    "fields",
    "affiliate_id",
    "event_id",
    "person_id",
    "ga_client_id",
    "created_at",
    "metadata",
)


def encoded(part: str) -> str:
    """A part of a key, so that no `:` in it is taken for one between parts."""
    return part.replace("%", "%25").replace(":", "%3A")
