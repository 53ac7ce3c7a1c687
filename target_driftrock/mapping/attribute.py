"""What each attribute of an event takes, and what it does not.

A reader here gives the value to send, None for an attribute to leave out, or `Wrong`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from target_driftrock.mapping import timestamps
from target_driftrock.mapping.path import Reader, Record
from target_driftrock.mapping.writing import Wrong, as_text

EVENT_TYPES = ("lead", "conversion", "action")

IS_NULL = Wrong("is null")
IS_EMPTY = Wrong("is empty")
NO_IDENTIFIER = Wrong("is neither text nor a number")
NO_EVENT_TYPE = Wrong(f"is none of {', '.join(EVENT_TYPES)}")
NO_TIME = Wrong("is not a time")
NO_OBJECT = Wrong("is not an object")


def required(read: Reader) -> Reader:
    """`read`, where null and empty are wrong."""

    def given(record: Record) -> Any:
        value = read(record)
        if value is None:
            return IS_NULL
        return IS_EMPTY if value == "" else value

    return given


def optional(read: Reader) -> Reader:
    """`read`, where an empty text is left out, as null is: taps of CSV files know no other null."""

    def given(record: Record) -> Any:
        value = read(record)
        return None if value == "" else value

    return given


def event_type(read: Reader) -> Reader:
    """One of the API's three words."""

    def checked(record: Record) -> Any:
        value = read(record)
        return value if isinstance(value, Wrong) or value in EVENT_TYPES else NO_EVENT_TYPE

    return checked


def identifier(read: Reader) -> Reader:
    """A text; of a number, its digits as JSON writes them."""

    def checked(record: Record) -> str | Wrong | None:
        value = read(record)
        if type(value) is str or value is None or isinstance(value, Wrong):
            return value
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return as_text(value)
        return NO_IDENTIFIER

    return checked


def key(stream: str, parts: Sequence[Reader]) -> Reader:
    """The stream and the key properties, `leads:42`; a `:` or `%` within a part is percent-encoded.

    No two keys of a stream share one text unless their parts differ in type alone. A null part is wrong, and
    so are an object, a list, and a key whose every part is empty.
    """
    start = _encoded(stream)
    nothing = start + ":" * len(parts)

    def checked(record: Record) -> str | Wrong:
        text = start
        for read in parts:
            value = read(record)
            if value is None:
                return IS_NULL
            part = NO_IDENTIFIER if isinstance(value, dict | list) else as_text(value)
            if isinstance(part, Wrong):
                return part
            text += f":{_encoded(part)}"
        return IS_EMPTY if text == nothing else text

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
    """An object of what the readers give, without nulls."""
    items = tuple(readers.items())

    def gather(record: Record) -> dict[str, Any]:
        found = {}
        for name, read in items:
            value = read(record)
            if value is not None:
                found[name] = value
        return found

    return gather


def every_property(record: Record) -> dict[str, Any]:
    """All of the record but nulls and what the SDK adds (`_sdc_*`)."""
    return {name: value for name, value in record.items() if value is not None and not name.startswith("_sdc_")}


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


def _encoded(part: str) -> str:
    return part.replace("%", "%25").replace(":", "%3A")
