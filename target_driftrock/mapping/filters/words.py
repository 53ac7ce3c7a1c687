"""Filters of texts: their form, what they say yes or no by, what they stand for, and what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, DecimalException
from functools import partial
from typing import Any

import msgspec

from target_driftrock.bounds import exact
from target_driftrock.mapping.filters.reading import (
    UNREADABLE,
    ArgumentInvalid,
    Filter,
    Scene,
    of_text,
    text_of,
    unknown,
    without_arguments,
)
from target_driftrock.mapping.grammar import Argument
from target_driftrock.mapping.path import reader
from target_driftrock.mapping.values import SPACES
from target_driftrock.settings import Scalar

YES = (
    *("true", "t", "yes", "y", "on", "1"),
    *("ja", "j", "wahr", "waar", "oui", "vrai", "sí", "si", "sì", "verdadero", "vero", "sim"),
)
NO = (
    *("false", "f", "no", "n", "off", "0"),
    *("nein", "falsch", "nee", "onwaar", "non", "faux", "falso", "não", "nao"),
)
"""What consent may hang on: closed lists, of words that mean one thing in every language that has them."""
_BOOLEANS = dict.fromkeys(YES, True) | dict.fromkeys(NO, False)
_ANY = "*"
_DECODER = msgspec.json.Decoder(float_hook=exact)
_NO_JSON = (msgspec.DecodeError, UnicodeError, DecimalException, RecursionError)


def changed(change: Callable[[str], str]) -> Callable[[Sequence[Argument], Scene], Filter]:
    """What makes a filter that only changes a text."""

    def make(arguments: Sequence[Argument], _: Scene) -> Filter:
        without_arguments(arguments)
        return of_text(change)

    return make


def trimmed(text: str) -> str:
    """Without the white space at its ends, and what takes no room there."""
    return text.strip(SPACES)


def replace(arguments: Sequence[Argument], _: Scene) -> Filter:
    """Writes one text for another, wherever it stands."""
    match arguments:
        case (Argument(text=old), Argument(text=new)) if old:
            return of_text(lambda text: text.replace(old, new))
    raise ArgumentInvalid("takes what is replaced, and by what, as in replace: '-', ''")


def boolean(arguments: Sequence[Argument], _: Scene) -> Filter:
    """Reads yes and no."""
    without_arguments(arguments)
    return _boolean


def _boolean(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    text = text_of(value)
    return UNREADABLE if text is None else _BOOLEANS.get(text.strip().casefold(), UNREADABLE)


def sha256(arguments: Sequence[Argument], _: Scene) -> Filter:
    """Hashes a text."""
    without_arguments(arguments)
    return of_text(_sha256)


def _sha256(text: str) -> Any:
    try:
        return hashlib.sha256(text.encode()).hexdigest()
    except UnicodeEncodeError:  # half of a surrogate pair
        return UNREADABLE


def lookup(arguments: Sequence[Argument], scene: Scene) -> Filter:
    """Takes what a table of the mapping says."""
    if len(arguments) != 1:
        raise ArgumentInvalid("takes the name of a table, which stands under `tables` in the mapping: lookup: stages")
    name = arguments[0].text
    if name in scene.tables:
        table: Mapping[str, Scalar | Any] = scene.tables[name]
        otherwise = table.get(_ANY, UNREADABLE)
        return of_text(lambda text: table.get(text, otherwise))
    if not scene.tables:
        raise ArgumentInvalid("needs the table: write it under `tables` in the mapping")
    raise unknown(name, scene.tables, what="table")


def json(arguments: Sequence[Argument], _: Scene) -> Filter:
    """Takes JSON apart."""
    if len(arguments) > 1:
        raise ArgumentInvalid("takes a path at most, as in json: contact.email; one with a comma stands in quotes")
    return partial(_json, reader(f"value.{arguments[0].text}") if arguments else None)


def _json(find: Callable[[Mapping[str, Any]], Any] | None, value: Any) -> Any:
    if not isinstance(value, dict | list):
        text = text_of(value)
        if text is None:
            return UNREADABLE
        try:
            value = _DECODER.decode(text)
        except _NO_JSON:
            return UNREADABLE
    return value if find is None else find({"value": value})


def default(arguments: Sequence[Argument], _: Scene) -> Filter:
    """Gives one value: a number, true and false without quotes are no texts."""
    if len(arguments) != 1:
        raise ArgumentInvalid("takes one value, as in default: direct; a text with a comma stands in quotes")
    value = arguments[0].text if arguments[0].is_quoted else _typed(arguments[0].text)
    if value is None:
        raise ArgumentInvalid("takes a value, and null is what there is without it; the text is written 'null'")
    return lambda _: value


def _typed(text: str) -> Any:
    """As JSON has it, where that is a number, a boolean or null; else the text."""
    try:
        value = _DECODER.decode(text)
    except _NO_JSON:
        return text
    return value if value is None or isinstance(value, bool | int | Decimal) else text


def otherwise(arguments: Sequence[Argument], _: Scene) -> Filter:
    """Gives null, or one text, for what could not be read."""
    if len(arguments) > 1:
        raise ArgumentInvalid("takes nothing, or one text; one with a comma stands in quotes")
    value = arguments[0].text if arguments else None
    return lambda _: value
