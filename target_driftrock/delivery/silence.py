"""What many replies that judge no event say of the capture, of the credentials, or of what stands at `api_url`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_driftrock.delivery.verdict import UNAUTHORIZED
from target_driftrock.errors import CaptureSilent, NotTheApi, TokenRejected
from target_driftrock.events.answer import Answer, Form, Unreadable
from target_driftrock.retry import Silence

if TYPE_CHECKING:
    from target_driftrock.events.event import Capture

FEWEST = 3
"""In a row: what is no API's answer from a stranger, or 401s before it is the token."""
ONE_AT_A_TIME_FROM = 10


class Silences:
    """Counts, in a row, what is no HTTP, web pages, 401s and statuses of the set-up.

    `has_key`: no other token will come.
    """

    def __init__(self, *, has_key: bool) -> None:
        self._has_key = has_key
        self._was_heard = False
        self._by_capture: dict[Capture, Silence] = {}
        self._strange = 0
        self._unauthorized = 0

    def end(self, capture: Capture) -> None:
        """A verdict came from this capture."""
        self._was_heard = True
        self.interrupt(capture)

    def interrupt(self, capture: Capture) -> None:
        """Something else came from it that judges nothing: a 5xx, say, or no connection. The row is no row any more."""
        self._strange = self._unauthorized = 0
        if self._by_capture:
            self._by_capture.pop(capture, None)

    def is_long(self, capture: Capture) -> bool:
        """Whether one request at a time is enough to see how it ends."""
        silence = self._by_capture.get(capture)
        return silence is not None and silence.count >= ONE_AT_A_TIME_FROM

    def note(
        self, capture: Capture, answer: Answer | Unreadable, *, now: float, is_proven: bool, is_stranger: bool
    ) -> None:
        """One more. `is_stranger`: what stands at `api_url` has accepted nothing, as far as is known.

        Raises:
            SetupRefused: So many of them mean that something else than the events is wrong.
        """
        is_answer = isinstance(answer, Answer)
        is_strange = isinstance(answer, Unreadable) or answer.form is Form.PAGE
        self._strange = self._strange + 1 if is_strange else 0
        self._unauthorized = self._unauthorized + 1 if is_answer and answer.status == UNAUTHORIZED else 0
        if self._strange >= FEWEST and is_stranger:
            raise NotTheApi(_NOT_THE_API.format(reason=answer.told))
        is_over = self._by_capture.setdefault(capture, Silence()).note(now, is_known=is_proven)
        is_key_dead = self._has_key and not self._was_heard
        if (is_over or is_key_dead) and self._unauthorized >= FEWEST:
            raise TokenRejected(_REFUSED_WITH_KEY if self._has_key else _REFUSED_AS_A_WHOLE)
        if is_over:
            raise CaptureSilent(capture=capture.label, reason=answer.told)


_NOT_THE_API = (
    "What answers events is no API but {reason}: check environment, api_url, and any proxy or firewall in between."
)
_REFUSED_AS_A_WHOLE = (
    "Driftrock gives a token, but refuses events with it (status 401): check that client_id, client_secret and "
    "environment belong together, and that these credentials may send events."
)
_REFUSED_WITH_KEY = (
    "Driftrock refuses events with this API key (status 401): check api_key and environment, or make a new key at "
    "Driftrock under Settings, Security."
)
