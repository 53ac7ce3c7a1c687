"""A mapping to begin with, of what a SCHEMA lists: every path as it is, and nothing guessed. Lines of YAML.

Names that may be values are not printed: see `masking`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from target_driftrock.events.columns import is_added
from target_driftrock.mapping.compiler import told_template
from target_driftrock.mapping.grammar import in_quotes, is_writable
from target_driftrock.mapping.listing import leaves
from target_driftrock.mapping.masking import Mask
from target_driftrock.mapping.position import is_position
from target_driftrock.naming import escaped
from target_driftrock.settings import EVENT_TYPES
from target_driftrock.wording import counted, either

HEAD = (
    "# A mapping to begin with: fill in what is open, and take away what is not to be sent.",
    "streams:",
)
_PLAIN = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_NO_TEXTS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""What YAML makes something else of."""


def skeleton(stream: str, *, schema: Mapping[str, Any], key_properties: Sequence[str]) -> Iterator[str]:
    """The mapping of one stream."""
    keys = sorted(set(key_properties))
    mask = Mask().over(schema, keys)
    if mask.hides_stream(stream):
        yield f"# A stream is left out: {escaped(mask.stream(stream))}. Name it here yourself."
        return
    yield f"- stream: {_scalar(stream)}"
    yield f"  event_type: # {either(EVENT_TYPES)}"
    yield '  source_id: # the capture, as its step "Connect" shows it'
    yield from _event_id(stream, keys, mask)
    yield "  # person_id and created_at say whose event it is, and when it happened: name a property for each"
    yield from _fields(schema, mask)


def _event_id(stream: str, keys: Sequence[str], mask: Mask) -> Iterator[str]:
    if not keys:
        yield "  event_id: null # no key, so a repeat cannot be recognised: write what tells the records apart"
        return
    template = told_template(stream, keys, mask) if all(map(is_writable, keys)) else None
    if not any(map(is_position, keys)):
        of = "the key" if template is None else f"the key: {_quoted(template)}"
        yield f"  # event_id is made of {of}, where nothing is said"
        return
    if template is None:
        yield "  event_id: null # the key says where a row stood: write what tells the records apart"
        return
    yield f"  event_id: {_quoted(template)} # is this a position? Then one new row on top would make every row"
    yield "  # another's: write what tells the records apart"


def _fields(schema: Mapping[str, Any], mask: Mask) -> Iterator[str]:
    paths = [path for path in leaves(schema) if not is_added(path)]
    told = [path for path in mask.told(paths) if is_writable(path)]
    hidden = len(paths) - len(told)
    if hidden:
        yield f"  # left out: {counted(hidden, 'column')}, since {_NO_NAME if mask.odd is None else _NO_HEADER}"
    if not told:
        yield '  fields: "*" # every property' if mask.odd is None else "  fields: # templates by name"
        return
    yield "  fields:"
    yield from (f"    {_scalar(path)}: {_quoted(f'{{{in_quotes(path)}}}')}" for path in told)


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.lower() not in _NO_TEXTS else _quoted(text)


def _quoted(text: str) -> str:
    """In YAML's double quotes, with an escape for each character that cannot be seen."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped(plain)}"'


_NO_NAME = "a template cannot name what is called by nothing, or by both kinds of quotes"
_NO_HEADER = "a name in this SCHEMA looks like a value: is the header row missing?"
