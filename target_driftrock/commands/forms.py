"""The forms in which one text may stand in another: escaped, in other signs, or as a hash.

A kept line is searched as it lies there, and not as JSON: so no bytes are wrong, none is too deep, and a key that
comes twice is seen twice.
"""

from __future__ import annotations

import html
import re
import unicodedata
from decimal import Decimal
from hashlib import md5, sha1, sha256
from typing import TYPE_CHECKING
from urllib.parse import unquote

from target_driftrock.ledger.likeness import TAKEN_OUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NOT_FOUND = (
    "Not found: what is encoded otherwise than as JSON, URLs and HTML do it (base64, compressed, encrypted), said in "
    "words, cut off, or split over several properties; other spellings, such as a former address."
)
"""What no search finds, for who relies on it."""
LAYERS = 4
"""How often a text is decoded: JSON in a URL in JSON, and one more."""

_JSON_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_HTML_ESCAPE = re.compile(r"&(?:#\d{1,20}|#[xX][0-9a-fA-F]{1,20}|[a-zA-Z]{2,31});")
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_BEYOND_ASCII = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]{1,64}")
"""With the letter that an accent may belong to. A few at once: many accents in a row would take time in the square."""
_EXPONENT = re.compile(r"\d(?:[.,]\d{1,20})?e\+?\d{1,2}(?!\d)")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|-?\d[\d.eE+-]*', re.DOTALL)
"""A text, be it open to the end, or a number."""
_LONG_NUMBER = 9
"""A shorter one in a SCHEMA or a receipt is a limit or a count."""


def layers(text: str) -> Iterator[str]:
    """The text as it is compared, and what comes of it when it is decoded, again and again while that changes it."""
    for _ in range(LAYERS):
        yield plain(text)
        decoded = _decoded(text)
        if decoded == text:
            return
        text = decoded
    yield plain(text)


def plain(text: str) -> str:
    """As texts are compared: small, in one form of Unicode, with ASCII's digits, without signs that nobody sees."""
    return text.lower() if text.isascii() else _BEYOND_ASCII.sub(_plain, text).casefold()


def spellings(text: str) -> set[str]:
    """A text in each form of Unicode."""
    return {text, *(unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD"))}


def hashes(texts: Iterable[str]) -> set[str]:
    """The hashes of each by which advertisers name persons."""
    return {
        make(text.encode(errors="replace"), usedforsecurity=False).hexdigest()
        for text in texts
        for make in (md5, sha1, sha256)
    }


def written_out(text: str) -> str:
    """With numbers such as `4.4e+11`, as a spreadsheet leaves them, as `440000000000`. Of a text that is `plain`."""
    return _EXPONENT.sub(lambda found: f"{Decimal(found[0].replace(',', '.')):f}", text)


def values(line: str) -> Iterator[str]:
    """Every name and every value of a line of JSON, numbers as they stand there."""
    for found in _TOKEN.finditer(line):
        token = found[0]
        yield _unescaped(token[1:].removesuffix('"')) if token.startswith('"') else token


def blanked(line: bytes, is_in: Callable[[str], bool]) -> bytes:
    """A line of JSON without the names and values in which something stands: the same one where it stands in none."""
    text = line.decode(errors="replace")
    if not is_in(text):
        return line

    def replaced(found: re.Match[str]) -> str:
        token = found[0]
        is_text = token.startswith('"')
        if not is_in(token) or not (is_text or len(token) >= _LONG_NUMBER):
            return token
        return f'"{TAKEN_OUT}"' if is_text else "0"

    return _TOKEN.sub(replaced, text).encode()


def _decoded(text: str) -> str:
    if "\\" in text:
        text = _unescaped(text)
    if "%" in text:
        text = unquote(text)
    return _HTML_ESCAPE.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text


def _unescaped(text: str) -> str:
    """JSON's escapes as what they stand for; half a letter as a sign that is in no text."""
    read = _JSON_ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _SHORT.get(found[2], found[2]), text)
    return read if read.isascii() else read.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain(found: re.Match[str]) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", found[0]).casefold())
    return "".join(map(_sign, folded))


def _sign(sign: str) -> str:
    return "" if unicodedata.category(sign) == "Cf" else str(unicodedata.decimal(sign, sign))
