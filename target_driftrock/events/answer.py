"""What comes back for one request: an answer, or the want of one."""

from __future__ import annotations

import enum

from target_driftrock.events.event import Value

EXCERPT_CHARACTERS = 2_000


class NoAnswer(enum.Enum):
    """Why a request has no answer."""

    NOT_SENT = "no connection"
    """Surely not sent: nothing of the request left this machine on an established connection."""
    LOST = "answer lost"
    """Something of the request may have left; what became of it is unknown."""


class Answer(Value, frozen=True, kw_only=True, gc=False):
    """A whole HTTP answer. `excerpt` is the start of its body: personal data may be in it."""

    _shown = ("status", "retry_after", "is_html")

    status: int
    retry_after: str | None = None
    is_html: bool = False
    excerpt: bytes = b""


def excerpt_of(body: bytes, *, charset: str = "utf-8") -> bytes:
    """The first characters of a body, in UTF-8 whatever it came in."""
    start = body[: 4 * EXCERPT_CHARACTERS]
    try:
        text = start.decode(charset, "replace")
    except (LookupError, ValueError):  # a charset that nobody knows, or that is none
        text = start.decode("utf-8", "replace")
    return text[:EXCERPT_CHARACTERS].encode()


Reply = Answer | NoAnswer
