"""Who may send: client credentials, the tokens issued for them, and the API key."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from target_driftrock.sandbox import contract
from target_driftrock.sandbox.faults import Faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What is accepted: one pair of client credentials, or any that is not empty, and one API key."""

    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    api_key: str = field(default="sandbox", repr=False)


class Access:
    """The tokens that live. `clock` counts seconds and never goes back."""

    def __init__(self, keys: Keys, *, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock
        self._lives: dict[str, tuple[float, float]] = {}
        self._issued = 0

    def admits_client(self, authorization: str) -> bool:
        """Whether a Basic header holds credentials that get a token."""
        pair = contract.credentials_of(authorization)
        if pair is None:
            return False
        return self._keys.client_id is None or pair == (self._keys.client_id, self._keys.client_secret)

    def admits_bearer(self, authorization: str) -> bool:
        """Whether a Bearer header holds a token that lives, or the API key."""
        token = contract.bearer_of(authorization)
        if token and token == self._keys.api_key:
            return True
        begin, end = self._lives.get(token, _NEVER)
        return begin <= self._clock() < end

    def issue(self, faults: Faults) -> str:
        """A new token, which lives as long as `faults` say. Dead ones are forgotten."""
        now = self._clock()
        life = min(faults.token_lifetime, faults.revoke_every or faults.token_lifetime)
        self._lives = {token: (begin, end) for token, (begin, end) in self._lives.items() if end > now}
        self._issued += 1
        token = f"sandbox.{self._issued}.{secrets.token_urlsafe(24)}"
        self._lives[token] = now + faults.token_delay, now + life
        return token

    def revoke(self) -> int:
        """How many tokens lived until now; from now on none does."""
        now = self._clock()
        living = sum(end > now for _, end in self._lives.values())
        self._lives = {}
        return living


_NEVER = 0.0, 0.0
