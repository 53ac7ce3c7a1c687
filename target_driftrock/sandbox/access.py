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
        self._ends: dict[str, float] = {}
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
        return self._clock() < self._ends.get(token, 0.0)

    def issue(self, faults: Faults) -> str:
        """A new token, which lives as long as `faults` say. Dead ones are forgotten."""
        now = self._clock()
        life = min(faults.token_lifetime, faults.revoke_every or faults.token_lifetime)
        self._ends = {token: end for token, end in self._ends.items() if end > now}
        self._issued += 1
        token = f"sandbox.{self._issued}.{secrets.token_urlsafe(24)}"
        self._ends[token] = now + life
        return token

    def revoke(self) -> int:
        """How many tokens lived until now; from now on none does."""
        now = self._clock()
        living = sum(end > now for end in self._ends.values())
        self._ends = {}
        return living
