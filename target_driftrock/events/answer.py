"""What comes back for one request: an answer, or the want of one."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Fault(enum.Enum):
    """Why a request has no answer."""

    NOT_SENT = "no connection"
    """Surely not sent: nothing of the request left this machine on an established connection."""
    NO_ANSWER = "answer lost"
    """Something of the request may have left; what became of it is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole HTTP answer. `excerpt` is the start of its body: personal data may be in it."""

    status: int
    retry_after: str | None = None
    is_html: bool = False
    excerpt: bytes = field(default=b"", repr=False)


Reply = Answer | Fault
