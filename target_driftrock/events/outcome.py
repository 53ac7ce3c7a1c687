"""What becomes of an event in the end. Every part of a record has exactly one outcome."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Delivered:
    """The API took it. `is_change`: other content of the same event was delivered before, and the settings say send."""

    is_change: bool = False


@dataclass(frozen=True, slots=True)
class AlreadyDelivered:
    """The ledger knows it as delivered, with the same content: not sent.

    `as_former`: under the identity that it had before its mapping was mended.
    """

    as_former: bool = False


class ChangeCause(enum.Enum):
    """Why other content counts as a change of what was delivered."""

    SAME_PERSON = "the same person"
    SAME_RECORD = "the same record, mapped in another way"
    SAID = "nobody to compare, and on_changed is set"
    CONFLICT = "the API knew it already (status 409)"
    SETTLED = "settled as a change before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The ledger knows the event as delivered, with other content: not sent.

    `is_said`: the settings, or a person, said that it is not to be.
    """

    cause: ChangeCause
    is_said: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """We refuse it. `reason` names a rule, never a value."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The API refused it. `reason` is the status in words; `excerpt` the start of the answer's body."""

    status: int
    excerpt: bytes = field(default=b"", repr=False)
    may_have_arrived: bool = False
    """A request for it lost its answer, and this answer may be about other content of the same event."""

    @property
    def reason(self) -> str:
        """The rule, for logs and counts."""
        return f"status {self.status}{', after a lost answer: it may have arrived' if self.may_have_arrived else ''}"


class HeldAs(enum.Enum):
    """What is to be decided of a held event. The value is the kind of its kept row."""

    FAILED = "held"
    COLLISION = "collision"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Kept for a person to decide: a lost answer under `on_unknown: hold`, a poisoned payload, or a wrong identity.

    `was_sent`: a request for this very content was made; else it waits for what became of an earlier one.
    """

    reason: str
    is_unknown: bool = False
    was_sent: bool = True
    kind: HeldAs = HeldAs.FAILED
    status: int | None = None
    excerpt: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Open:
    """Unsettled when the run ended: never sent, sent without an answer, or refused and not yet judged."""

    reason: str


Settled = Delivered | AlreadyDelivered | Changed | Invalid | Rejected | Held
"""STATE may pass these."""

Outcome = Settled | Open


class Account(NamedTuple):
    """How an outcome is accounted for. `name` is its count in the receipt."""

    name: str
    is_recorded: bool = False
    """The ledger's transactions count it, too."""
    is_kept: bool = False
    """The record is kept, to be sent again."""
    is_refused: bool = False
    """It counts for `max_reject_percent`; a held one only where no answer to it was lost."""


ACCOUNTS: Mapping[type[Outcome], Account] = {
    Delivered: Account("delivered", is_recorded=True),
    AlreadyDelivered: Account("already_delivered"),
    Changed: Account("changed"),
    Invalid: Account("invalid", is_recorded=True, is_kept=True, is_refused=True),
    Rejected: Account("rejected", is_recorded=True, is_kept=True, is_refused=True),
    Held: Account("held", is_recorded=True, is_kept=True, is_refused=True),
    Open: Account("open"),
}
"""Each outcome once, in the order in which the receipt tells them."""
