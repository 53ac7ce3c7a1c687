"""Names in sentences: of streams, properties, settings and files, which others chose and which may hold anything.

A name is printed by `shown`, so that what cannot be seen in it is seen, and no name begins a line of its own. Whole
sentences pass `escaped`, as a last line of defence.
"""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator

_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe0e\ufe0f")
"""Printable by their Unicode category, and yet nothing is seen of them."""
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_CALLED = {
    "\ufeff": "byte order mark",
    "\n": "line break",
    "\r": "line break",
    "\t": "tab",
    "\0": "NUL",
    "\x1b": "escape character",
}
_CLOSE = 0.6
"""How alike two names must be for one to be taken for the other, from 0 to 1."""
_FOUR_DIGITS = 0xFFFF


def shown(name: str) -> str:
    """`name` as it stands in a sentence: as it is, or quoted and escaped where a reader would be misled.

    No two names are shown alike.
    """
    return name if _is_plain(name) else _quoted(name)


def escaped(text: str) -> str:
    """`text` with an escape, as JSON and YAML read them, for each character that cannot be seen. Spaces stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) if _is_hidden(char) else char for char in text)


def visible_json(line: bytes) -> bytes:
    """A line of JSON that says the same, with an escape of JSON's own for each character that cannot be seen."""
    text = line.decode()
    if text.isascii() and text.isprintable():
        return line
    return "".join(json.dumps(char)[1:-1] if _is_hidden(char) else char for char in text).encode()


def nearest(name: str, names: Iterable[str], *, close: float = _CLOSE) -> str | None:
    """The one of `names` that was probably meant by `name`; None if none is `close`.

    Case, Unicode form and what stands between words do not count: `contact.email` is `Contact_Email`.
    """
    by_form: dict[str, list[str]] = {}
    for candidate in sorted(set(names)):
        by_form.setdefault(_form(candidate), []).append(candidate)
    found = difflib.get_close_matches(_form(name), by_form, n=1, cutoff=close)
    return max(by_form[found[0]], key=lambda other: _likeness(name, other)) if found else None


def hint(
    name: str,
    names: Iterable[str],
    *,
    above: str = "",
    close: float = _CLOSE,
    written: Callable[[str], str] = str,
) -> str | None:
    """The nearest of `names`, in words that tell the two apart where they look alike; None if none is near.

    `above` is the path at whose end the names stand; `written` gives a name as it is to be written.
    """
    other = nearest(name, names, close=close)
    return None if other is None else f"the nearest is {shown(above + other)}{_apart(name, other, written)}"


def _is_plain(name: str) -> bool:
    if not name or "\\" in name or name[0] in "'\" " or name[-1] == " " or unicodedata.combining(name[0]):
        return False
    return name.isprintable() and (name.isascii() or not _BLANK_LETTERS.intersection(name))


def _quoted(name: str) -> str:
    quote = '"' if "'" in name and '"' not in name else "'"
    text = escaped(name.replace("\\", r"\\").replace(quote, f"\\{quote}"))
    if name and unicodedata.combining(name[0]):  # it would stand on the quote
        text = _escape(name[0]) + text[1:]
    return f"{quote}{text}{quote}"


def _is_hidden(char: str) -> bool:
    return not char.isprintable() or char in _BLANK_LETTERS


def _escape(char: str) -> str:
    code = ord(char)
    return _SHORT.get(char) or (f"\\u{code:04x}" if code <= _FOUR_DIGITS else f"\\U{code:08x}")


def _form(name: str) -> str:
    """What all spellings of one name share."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\W_]+", "_", folded).strip("_") or folded


def _likeness(name: str, other: str) -> float:
    return difflib.SequenceMatcher(None, name, other).ratio()


def _apart(name: str, other: str, written: Callable[[str], str]) -> str:
    """In what alone `other` differs from `name`, and what to do; nothing where the two do not look alike."""
    looks, other_looks = _looks(name), _looks(other)
    if _composed(looks).casefold() != _composed(other_looks).casefold():
        return ""
    odd = list(_oddities(other))
    if odd:
        right = escaped(written(other))
        return f', which {" and ".join(odd)}: have the tap leave that out, or write "{right}" in double quotes'
    if looks == other_looks:
        return ""
    if looks.casefold() == other_looks.casefold():
        return ": upper and lower case count"
    return f', in another Unicode form: write "{_ascii(other)}" in double quotes'


def _looks(name: str) -> str:
    """What a reader sees of a name: one space for each gap, and nothing of what takes no room."""
    return " ".join("".join(char for char in name if char.isspace() or not _is_hidden(char)).split())


def _composed(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _oddities(name: str) -> Iterator[str]:
    """What cannot be seen of a name, and where it is."""
    odd = "".join(char for char in name if char == " " or _is_hidden(char))
    core = name.strip(odd)
    before, after = name[: len(name) - len(name.lstrip(odd))], name[len(name.rstrip(odd)) :]
    for where, text in (("begins with", before), ("ends with", after), ("holds", "".join(filter(_is_hidden, core)))):
        if text:
            yield f"{where} {' and '.join(map(_called, dict.fromkeys(text)))}"


def _called(char: str) -> str:
    if char == " ":
        return "a space"
    return f"a {_CALLED.get(char) or unicodedata.name(char, 'control character').lower()} (U+{ord(char):04X})"


def _ascii(text: str) -> str:
    return "".join(char if char.isascii() else _escape(char) for char in text)
