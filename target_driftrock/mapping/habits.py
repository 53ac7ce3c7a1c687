"""Names in a template as other tools write them: `{{ email }}` of dbt and Jinja, `$email` and `${email}` of shells."""

from __future__ import annotations

import re
from collections.abc import Iterator

from target_driftrock.mapping.grammar import braces
from target_driftrock.naming import escaped, shown

_IN_BRACES = re.compile(r"\{\s*\$?([^{}|]*[^{}|\s])\s*(?:\|[^{}]*)?\}")
_BEHIND_DOLLAR = re.compile(r"\$([^\W\d]\w*(?:\.\w+)*)")


def habits(text: str) -> Iterator[tuple[str, str]]:
    """What in a template looks like a name in another tool's form, as it is written there, and the name.

    Nothing in a text that is no template. Whether such a name means a property is the caller's to see.
    """
    for literal, inner in braces(text):
        yield from _in_literal(literal)
        if inner is None:
            continue
        meant = inner.partition("|")[0].strip().removeprefix("$")
        if meant and literal.endswith("$"):
            yield f"${{{inner}}}", meant
        elif meant and inner.startswith("$"):
            yield f"{{{inner}}}", meant


def habit_fault(written: str) -> str:
    """What to say where such a form means a property."""
    dollar = "; a dollar sign before it wants a space behind it" if written.startswith("${") else ""
    right = escaped(written.strip("${} "))
    return f"{shown(written)} is not how a template names a property: write {{{right}}}{dollar}"


def _in_literal(literal: str) -> Iterator[tuple[str, str]]:
    for found in _IN_BRACES.finditer(literal):
        yield f"{{{found[0]}}}", found[1]
    for found in _BEHIND_DOLLAR.finditer(_IN_BRACES.sub("", literal)):
        yield found[0], found[1]
