"""A mapping in plain sentences, for those who own the data and write no settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from target_driftrock.mapping.template import Template
from target_driftrock.naming import shown
from target_driftrock.settings import Comparison, Scalar, StreamMapping


class Words(NamedTuple):
    """A piece of a sentence: plain words, or a name or template as the settings have it."""

    text: str
    is_quoted: bool = False


Sentence = tuple[Words, ...]


class Row(NamedTuple):
    """An attribute or a field of the event, and of what it is made."""

    name: str
    made_of: str
    is_constant: bool


def sentences(mapping: StreamMapping) -> Iterator[Sentence]:
    """What becomes of the records that a mapping takes."""
    yield tuple(_first(mapping))
    if mapping.skip:
        return
    if mapping.affiliate_id is not None:
        yield _plain("It goes to the affiliate endpoint, for the affiliate"), *_quoted(mapping.affiliate_id)
    if not mapping.has_identity:
        yield (_plain("Nothing tells it from its repeat, so what is read again is sent again"),)
    elif mapping.event_id is None:
        yield (_plain("It is known by its stream and key, and sent once"),)
    else:
        yield _plain("It is known by"), *_quoted(mapping.event_id), _plain(", and sent once")
    if mapping.person_id is not None:
        yield _plain("It is about the person"), *_quoted(mapping.person_id)
    if mapping.created_at is None:
        yield (_plain("It is dated when it arrives"),)
    else:
        yield _plain("It is dated"), *_quoted(mapping.created_at)
    if mapping.on_changed is not None:
        yield (_plain(f"What changes under a known event_id is {_CHANGED[mapping.on_changed.value]}"),)


def rows(mapping: StreamMapping) -> Iterator[Row]:
    """The fields, and what else it sends beside what the sentences say."""
    if mapping.ga_client_id is not None:
        yield _row("ga_client_id", mapping.ga_client_id)
    for kind in ("metadata", "fields"):
        given = getattr(mapping, kind)
        if isinstance(given, Mapping):
            yield from (_row(f"{kind}.{shown(name)}", value) for name, value in given.items())
        elif given == "*" and kind == "fields":
            yield Row("fields", "every property that is neither null nor blank", is_constant=True)
        elif given is not None:
            yield _row(kind, given)


def is_constant(given: Scalar) -> bool:
    """Whether what the settings say is the same for every record."""
    return not isinstance(given, str) or Template.parse(given).is_constant


def _row(name: str, given: Scalar) -> Row:
    return Row(name, _written(given), is_constant(given))


def _first(mapping: StreamMapping) -> Iterator[Words]:
    is_glob = any(sign in mapping.stream for sign in "*?[")
    yield _plain(f"Each record of {'streams like' if is_glob else 'the stream'}")
    yield from _quoted(mapping.stream)
    for number, (name, wanted) in enumerate(mapping.when.items()):
        yield _plain(", whose" if not number else ", and whose")
        yield from _quoted(name)
        yield from _wanted(wanted)
    if mapping.when:
        yield _plain(",")
    if mapping.skip:
        yield _plain("is left out: nothing is sent")
        return
    yield from _becomes(mapping)
    yield _plain("at the capture")
    yield from _quoted(str(mapping.source_id))


def _wanted(wanted: tuple[Scalar, ...] | Comparison) -> Iterator[Words]:
    if not isinstance(wanted, Comparison):
        yield _plain("is")
        yield from _listed(wanted, joined_by="or")
        return
    if wanted.but:
        yield _plain("is neither" if len(wanted.but) > 1 else "is not")
        yield from _listed(wanted.but, joined_by="nor")
    for number, (sign, bound) in enumerate(wanted.bounds):
        yield _plain("and is" if number or wanted.but else "is")
        yield _plain(_SIGNS[sign])
        yield Words(_written(bound), is_quoted=True)


def _listed(values: tuple[Scalar, ...], *, joined_by: str) -> Iterator[Words]:
    for place, value in enumerate(values):
        yield from () if not place else (_plain(joined_by),)
        yield Words(_written(value), is_quoted=True)


def _becomes(mapping: StreamMapping) -> Iterator[Words]:
    event_type = str(mapping.event_type)
    if is_constant(event_type):
        yield _plain(f"becomes {'an' if event_type.startswith('a') else 'a'} {event_type}")
    else:
        yield _plain("becomes a lead, conversion or action, as")
        yield from _quoted(event_type)
        yield _plain("says")
    if mapping.event_name is not None:
        yield _plain("called")
        yield from _quoted(mapping.event_name)
    else:
        yield _plain("called as its stream is")


def _plain(text: str) -> Words:
    return Words(text)


def _quoted(text: str) -> Iterator[Words]:
    yield Words(text, is_quoted=True)


def _written(given: Scalar) -> str:
    match given:
        case None:
            return "nothing"
        case bool():
            return "true" if given else "false"
        case _:
            return str(given)


_SIGNS: Mapping[str, str] = {"<": "less than", "<=": "at most", ">": "more than", ">=": "at least"}
_CHANGED: Mapping[str, str] = {"skip": "not sent", "send": "sent as well"}
