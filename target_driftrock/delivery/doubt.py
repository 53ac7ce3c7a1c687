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

    def refused(self, token: str) -> list[T]:
        """Whom the API refuses, since it accepts the token for others. They wait no longer."""
        return self._doubted.pop(token, []) if token in self._accepted else []

    def is_hopeless(self, token: str) -> bool:
        """Somebody waits to know, and no request in flight can tell any more: the token is refused."""
        return bool(self._doubted.get(token)) and token not in self._users
