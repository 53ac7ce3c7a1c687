"""Whether a second 401 judges the event or the token: others' answers with the same token tell."""

from __future__ import annotations

from collections import Counter, deque
from typing import Generic, TypeVar

T = TypeVar("T")

TOKENS_REMEMBERED = 4


class Doubts(Generic[T]):
    """Which tokens are in use, which were accepted for some event, and who waits to know."""

    def __init__(self) -> None:
        self._accepted: deque[str] = deque(maxlen=TOKENS_REMEMBERED)
        self._users: Counter[str] = Counter()
        self._doubted: dict[str, list[T]] = {}

    def begin(self, token: str) -> None:
        """A request with this token begins."""
        self._users[token] += 1

    def end(self, token: str) -> None:
        """A request with this token has its reply, or has none."""
        self._users[token] -= 1
        if not self._users[token]:
            del self._users[token]

    def accept(self, token: str) -> None:
        """A verdict came that is no 401: the token is good."""
        if token not in self._accepted:
            self._accepted.append(token)

    def doubt(self, item: T, token: str) -> None:
        """An item got its second 401, with this token."""
        self._doubted.setdefault(token, []).append(item)

    @property
    def is_due(self) -> bool:
        """Whether `refused` or `is_hopeless` has something to say."""
        return bool(self._doubted) and any(
            token in self._accepted or token not in self._users for token in self._doubted
        )

    def refused(self) -> list[T]:
        """Whom the API refuses, since it accepts their token for others. They wait no longer."""
        judged = [token for token in self._doubted if token in self._accepted]
        return [item for token in judged for item in self._doubted.pop(token)]

    def is_hopeless(self) -> bool:
        """Somebody waits to know, and no request in flight can tell any more: the token is refused."""
        return any(token not in self._users for token in self._doubted)
