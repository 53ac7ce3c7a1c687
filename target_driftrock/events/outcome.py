"""What becomes of an event in the end. Every part of a record has exactly one outcome."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Delivered:
    """The API took it."""


@dataclass(frozen=True, slots=True)
class AlreadyDelivered:
    """The ledger knows it as delivered, with the same payload: not sent."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The ledger knows it as delivered, with another payload: not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """We refuse it. `reason` names a rule, never a value."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The API refused it. `reason` is the status in words; `excerpt` the start of the answer's body."""

    status: int
    excerpt: bytes = field(default=b"", repr=False)

    @property
    def reason(self) -> str:
        """The rule, for logs and counts."""
        return f"status {self.status}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Kept for a person to decide: an answer lost under `on_unknown: hold`, or a poisoned payload."""

    reason: str
    is_unknown: bool = False
    status: int | None = None
    excerpt: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Open:
    """Unsettled when the run ended: never sent, sent without an answer, or refused and not yet judged."""

    reason: str


Settled = Delivered | AlreadyDelivered | Changed | Invalid | Rejected | Held
"""STATE may pass these."""

Outcome = Settled | Open
