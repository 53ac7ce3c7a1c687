"""How templates are written: `{NAME | FILTER: ARG, ARG}`, and what stands between the braces.

A name or an argument that holds one of `| : , ! { }` or a quote, or that begins or ends with a space, stands in
quotes, of which there are two kinds and no escapes. In an argument without quotes a `:` may stand, as in `%H:%M`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_SPACE = " \t\r\n"
"""What may stand around names, filters and arguments. A space of another kind is part of them."""
_SIGNS = frozenset("|:,!{}'\"")
_QUOTES = "'\""
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_BARE = re.compile(r"[^|,'\"{}]+")


class TemplateInvalid(ValueError):
    """The text is no template; the message says why, and what to write instead."""


class Argument(NamedTuple):
    """What stands behind a filter's `:`, and whether in quotes, where `'0'` is a text."""

    text: str
    is_quoted: bool = False

    def __str__(self) -> str:
        return _quoted(self.text) if self.is_quoted else self.text


@dataclass(frozen=True, slots=True)
class Call:
    """A filter as it is written, known or not."""

    name: str
    arguments: tuple[Argument, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {', '.join(map(str, self.arguments))}" if self.arguments else self.name


@dataclass(frozen=True, slots=True)
class Place:
    """A property in a template, and the filters that its value passes."""

    name: str
    calls: tuple[Call, ...] = ()

    def __str__(self) -> str:
        return " | ".join([in_quotes(self.name), *map(str, self.calls)])


class Piece(NamedTuple):
    """Some text as it is meant, without doubled braces, and what stands in braces behind it, if anything does."""

    literal: str
    inner: str | None


def pieces(text: str) -> list[Piece]:
    """A template, taken apart at its braces.

    Raises:
        TemplateInvalid: They do not match.
    """
    found = []
    literal, at = "", 0
    while at < len(text):
        sign = text[at]
        if sign not in "{}":
            literal, at = literal + sign, at + 1
        elif text[at + 1 : at + 2] == sign:
            literal, at = literal + sign, at + 2
        else:
            end = _closing(text, at)
            found.append(Piece(literal, text[at + 1 : end]))
            literal, at = "", end + 1
    return [*found, Piece(literal, None)] if literal else found


def place(inner: str) -> Place:
    """What stands between braces, or as a key of `when`.

    Raises:
        TemplateInvalid: It is written otherwise.
    """
    name, *calls = _split(inner, "|")
    return Place(_name(name), tuple(map(_call, calls)))


def in_quotes(name: str) -> str:
    """A name as it is written in a template: in quotes where it must be."""
    return _quoted(name) if _SIGNS.intersection(name) or name != name.strip(_SPACE) else name


def is_writable(name: str) -> bool:
    """Whether a template can name it: there are two kinds of quotes, and no escapes."""
    return bool(name) and not set(_QUOTES) <= set(name)


def _closing(text: str, start: int) -> int:
    """Where the brace at `start` is closed; those in quotes are text."""
    at = start + 1
    while text[start] == "{" and at < len(text):
        sign = text[at]
        if sign in _QUOTES:
            at = text.find(sign, at + 1) if sign in text[at + 1 :] else len(text)
        elif sign in "{}":
            if sign == "{":
                break
            return at
        at += 1
    is_in_quotes = text[start] == "{" and any(sign in text[start:] for sign in _QUOTES)
    raise TemplateInvalid(_OPEN_QUOTE if is_in_quotes else _UNMATCHED)


def _split(text: str, sign: str) -> list[str]:
    """The text at a sign, but for those in quotes."""
    parts, start, at = [], 0, 0
    while at < len(text):
        quoted = _QUOTED.match(text, at)
        if quoted:
            at = quoted.end()
            continue
        if text[at] == sign:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def _name(written: str) -> str:
    text = written.strip(_SPACE)
    if _QUOTED.fullmatch(text) and text[1:-1]:
        return text[1:-1]
    if not text or _QUOTED.fullmatch(text):
        raise TemplateInvalid(_NAMELESS)
    if _SIGNS.intersection(text):
        raise TemplateInvalid(_ODD_NAME.format(fault=_odd(text)))
    return text


def _odd(text: str) -> str:
    """What is wrong with a name that is not in quotes and should be."""
    if "!" in text or ":" in text:
        return "a ':' or '!' behind a name would be a format or a conversion, which templates do not have"
    return "a name that holds one of | : , ! { } or a quote stands in quotes"


def _call(written: str) -> Call:
    name, colon, rest = written.strip(_SPACE).partition(":")
    name = name.strip(_SPACE)
    if not name or _SIGNS.intersection(name):
        raise TemplateInvalid("behind each | stands the name of a filter, and its arguments behind a ':'")
    return Call(name, tuple(map(_argument, _split(rest, ","))) if colon else ())


def _argument(written: str) -> Argument:
    text = written.strip(_SPACE)
    if _QUOTED.fullmatch(text):
        return Argument(text[1:-1], is_quoted=True)
    if not text:
        raise TemplateInvalid("an argument is missing: an empty text is written ''")
    if not _BARE.fullmatch(text) or "!" in text:
        raise TemplateInvalid(
            "an argument that holds one of | , ! { } or a quote stands as a whole in quotes, ' or \", of the other kind"
        )
    return Argument(text)


def _quoted(text: str) -> str:
    """In the kind of quotes that it does not hold; one that holds both cannot be written."""
    return f'"{text}"' if "'" in text else f"'{text}'"


def braces(text: str) -> list[Piece]:
    """The same as `pieces`, and nothing of a text that is no template."""
    try:
        return pieces(text)
    except TemplateInvalid:
        return []


_UNMATCHED = "its braces do not match: a name stands in one pair, and a brace itself is written {{ or }}"
_OPEN_QUOTE = (
    "its braces or quotes do not match: a name stands in one pair of braces, a quote that is opened is closed, and one "
    "within a name or an argument has the whole of it in quotes of the other kind"
)
_NAMELESS = "{} names no property: write its name between the braces"
_ODD_NAME = "{fault}; for a property that is called so, put its name in quotes ('its name'); filters stand behind a |"
