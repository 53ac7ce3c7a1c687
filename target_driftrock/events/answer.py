"""What comes back for one request: an answer, or the want of one."""

from __future__ import annotations

import enum
import zlib

from target_driftrock.events.event import Value

EXCERPT_CHARACTERS = 2_000
_SIGNS = frozenset({b"<", b"{", b"["})
_GZIP = b"\x1f\x8b\x08"
"""RFC 1952 section 2.3.1."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class NoAnswer(enum.Enum):
    """Why a request has no answer."""

    NOT_SENT = "no connection"
    """Surely not sent: nothing of the request left this machine on an established connection."""
    LOST = "answer lost"
    """Something of the request may have left; what became of it is unknown."""


class Form(enum.Enum):
    """What a body is by its first byte: gateways send pages without a type, or with a wrong one."""

    PAGE = "a web page"
    JSON = "JSON"
    OTHER = "nothing, or any other text"


class Answer(Value, frozen=True, kw_only=True, gc=False):
    """A whole HTTP answer. `excerpt` is the start of its body: personal data may be in it.

    `retry_after` and `date` are its headers of these names, as they came.
    """

    _shown = ("status", "retry_after", "form")

    status: int
    retry_after: str | None = None
    date: str | None = None
    excerpt: bytes = b""

    @property
    def form(self) -> Form:
        """What its body is, whatever its type says."""
        match self.excerpt.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1]:
            case b"<":
                return Form.PAGE
            case b"{" | b"[":
                return Form.JSON
            case _:
                return Form.OTHER

    @property
    def told(self) -> str:
        """What it was, for a log."""
        return f"{'a web page with ' if self.form is Form.PAGE else ''}status {self.status}"


class Unreadable(Value, frozen=True, kw_only=True, gc=False):
    """Something came that is no HTTP answer, or not to its end. `status` is its own, where it was said."""

    _shown = ("status",)

    status: int | None = None

    @property
    def told(self) -> str:
        """What it was, for a log."""
        return "an answer that is no HTTP" + ("" if self.status is None else f" (status {self.status})")


def excerpt_of(body: bytes, charset: str = "utf-8") -> bytes:
    """The first characters of a body, in UTF-8 whatever it came in; nothing where it can be made none of."""
    start = _unpacked(body)[: 4 * EXCERPT_CHARACTERS]
    try:
        text = _decoded(start, charset)
        return text[:EXCERPT_CHARACTERS].encode("utf-8", "replace")  # some charsets hold halves of characters
    except Exception:  # noqa: BLE001 - to describe is not to judge: no codec may cost an answer
        return b""


def _unpacked(body: bytes) -> bytes:
    """Some gateways compress their pages whatever was asked for, and some without saying so."""
    if not body.startswith(_GZIP):
        return body
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(body, 4 * EXCERPT_CHARACTERS)
    except zlib.error:
        return body


def _decoded(text: bytes, charset: str) -> str:
    """By its charset, unless that is none, or hides the sign that the body plainly begins with: `Form` goes by it."""
    try:
        decoded = text.decode(charset, "replace")
    except (LookupError, ValueError):
        decoded = ""
    sign = text.lstrip()[:1]
    is_hidden = sign in _SIGNS and not decoded.lstrip().startswith(sign.decode("ascii"))
    return decoded if decoded and not is_hidden else text.decode("utf-8", "replace")


Reply = Answer | NoAnswer | Unreadable
