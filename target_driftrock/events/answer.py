"""What comes back for one request: an answer, or the want of one."""

from __future__ import annotations

import enum

from target_driftrock.events.event import Value


class Fault(enum.Enum):
    """Why a request has no answer."""

    NOT_SENT = "no connection"
    """Surely not sent: nothing of the request left this machine on an established connection."""
    NO_ANSWER = "answer lost"
    """Something of the request may have left; what became of it is unknown."""


class Answer(Value, frozen=True, kw_only=True, gc=False):
    """A whole HTTP answer. `excerpt` is the start of its body: personal data may be in it."""

    _shown = ("status", "retry_after", "is_html")

    status: int
    retry_after: str | None = None
    is_html: bool = False
    excerpt: bytes = b""


Reply = Answer | Fault
