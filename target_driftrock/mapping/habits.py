"""Names in a template as other tools write them: `{{ email }}` of dbt and Jinja, `$email` and `${email}` of shells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import Formatter

from target_driftrock.naming import escaped, shown

_IN_BRACES = re.compile(r"\{\s*\$?([^{}|]*[^{}|\s])\s*(?:\|[^{}]*)?\}")
_BEHIND_DOLLAR = re.compile(r"\$([^\W\d]\w*(?:\.\w+)*)")


def habits(text: str) -> Iterator[tuple[str, str]]:
    """What in a template looks like a name in another tool's form, as it is written there, and the name.

    Nothing in a text that is no template. Whether such a name means a property is the caller's to see.
    """
    literal = ""
    for more, name in _pieces(text):
        literal += more  # a doubled brace ends a piece without a name
        if name is None:
            continue
        yield from _in_literal(literal)
        meant = name.removeprefix("$").strip()
        if meant and literal.endswith("$"):
            yield f"${{{name}}}", meant
        elif meant and name.startswith("$"):
            yield f"{{{name}}}", meant
        literal = ""
    yield from _in_literal(literal)


def habit_fault(written: str, name: str) -> str:
    """What to say where such a form means a property."""
    dollar = "; a dollar sign before it wants a space behind it" if written.startswith("${") else ""
    return f"{shown(written)} is not how a template names a property: write {{{escaped(name)}}}{dollar}"


def _pieces(text: str) -> list[tuple[str, str | None]]:
    try:
        return [(literal, name) for literal, name, *_ in Formatter().parse(text)]
    except ValueError:
        return []


def _in_literal(literal: str) -> Iterator[tuple[str, str]]:
    for found in _IN_BRACES.finditer(literal):
        yield f"{{{found[0]}}}", found[1]
    for found in _BEHIND_DOLLAR.finditer(_IN_BRACES.sub("", literal)):
        yield found[0], found[1]
