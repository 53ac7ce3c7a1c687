"""Whether an event is sent, by what the ledger knows of it: the rules for an identity that may be wrong.

Pure. An identity is right where all contents that bear it are about one event of one person. Real data breaks that: an
empty cell in an `event_id`, a key that is too short, ids that begin anew. So no content keeps another one back unless
it is surely a change of it; what may be another person's lead is held, for a person to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_driftrock.events.outcome import AlreadyDelivered, ChangeCause, Changed, Held, HeldAs
from target_driftrock.ledger.interface import DEFENDING, PERHAPS_ACCEPTED, Likeness, Standing
from target_driftrock.settings import OnChanged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_driftrock.ledger.interface import Known

ANSWER_LOST = "its answer was lost"
EARLIER_LOST = "the answer to an earlier content of it was lost"
COLLISION = "its event_id is another's"
UNDECIDED = "other content under a known event_id: set on_changed, or mend event_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """It is sent, as read now."""

    was_unknown: bool = False
    """An earlier request for this very content lost its answer."""
    is_change: bool = False
    """Other content was delivered, and the settings say that changes are sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What becomes of an event before anything is sent."""

    verdict: Send | AlreadyDelivered | Changed | Held
    doubtful: tuple[Known, ...] = ()
    """What may have been accepted, and made this a repeat: its answer is counted as lost, once."""


_UNKNOWN_YET = Admission(verdict=Send())
"""Nothing is known: the common case."""


def admit(known: Sequence[Known], *, on_changed: OnChanged | None, holds_unknown: bool, is_replay: bool) -> Admission:
    """The ledger's table. `holds_unknown` is `on_unknown: hold`.

    A replay comes from the kept rows, by the will of a person.
    """
    if not known or any(each.is_in_hand for each in known):  # of the latter its intent is refused, and it comes again
        return _UNKNOWN_YET
    hold = _Hold(holds_unknown=holds_unknown, is_replay=is_replay)
    same = [each for each in known if each.is_same_content]
    settled = _by_same_content(same, on_changed, hold)
    if settled is not None:
        return settled
    own = [each for each in known if not each.is_former]
    defending = [each for each in own if not each.is_same_content and each.standing in DEFENDING]
    if defending:
        is_related = any(each.standing is Standing.CHANGED and each.who is Likeness.SAME for each in own)
        if not is_related and any(each.who is Likeness.OTHER for each in defending):
            return Admission(verdict=Held(reason=COLLISION, kind=HeldAs.COLLISION))
        return _as_change(defending, on_changed, hold, is_related=is_related)
    return _by_former([each for each in known if each.is_former and not each.is_same_content], on_changed, hold)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hold:
    """What becomes of an event that may have been accepted."""

    holds_unknown: bool
    is_replay: bool

    def admit(self, doubtful: Iterable[Known], *, is_own: bool) -> Admission:
        doubts = tuple(doubtful)
        is_held = any(each.standing is Standing.HELD_UNKNOWN for each in doubts if is_own)
        if not self.is_replay and (is_held or self.holds_unknown):
            reason = ANSWER_LOST if is_own else EARLIER_LOST
            return Admission(verdict=Held(reason=reason, is_unknown=True, was_sent=is_own), doubtful=doubts)
        return Admission(verdict=Send(was_unknown=is_own), doubtful=doubts)


def _by_same_content(same: Sequence[Known], on_changed: OnChanged | None, hold: _Hold) -> Admission | None:
    """What is decided by this very content, under the event's identity or its former one."""
    for each in same:
        if each.standing is Standing.DELIVERED:
            return Admission(verdict=AlreadyDelivered(as_former=each.is_former))
    doubtful = [each for each in same if each.standing in PERHAPS_ACCEPTED]
    if doubtful:
        return hold.admit(doubtful, is_own=True)
    if any(each.standing is Standing.CHANGED and not each.is_former for each in same):
        if on_changed is OnChanged.SEND:
            return Admission(verdict=Send(is_change=True))
        return Admission(verdict=Changed(cause=ChangeCause.SETTLED, is_said=True))
    return None


def _by_former(former: Sequence[Known], on_changed: OnChanged | None, hold: _Hold) -> Admission:
    """What other contents say that are held under the identity that the event had before its mapping was mended.

    Another person's is another event: that the old identity did not tell them apart was what was wrong with it.
    """
    defending = [each for each in former if each.standing in DEFENDING and not _is_of_another(each)]
    if not defending:
        return Admission(verdict=Send())
    return _as_change(defending, on_changed, hold)


def _as_change(
    others: Sequence[Known], on_changed: OnChanged | None, hold: _Hold, *, is_related: bool = False
) -> Admission:
    """It is a change where it is the same person's or the same record, or where the settings say so."""
    same = [each for each in others if is_related or each.who is Likeness.SAME or each.is_same_record]
    if not same and on_changed is None:
        return Admission(verdict=Held(reason=UNDECIDED, kind=HeldAs.UNDECIDED))
    of = same or others
    if not any(each.standing is Standing.DELIVERED for each in of):
        return hold.admit(of, is_own=False)
    if on_changed is OnChanged.SEND:
        return Admission(verdict=Send(is_change=True))
    cause = _cause(same, is_related=is_related)
    return Admission(verdict=Changed(cause=cause, is_said=on_changed is not None))


def _is_of_another(known: Known) -> bool:
    return known.who is Likeness.OTHER and not known.is_same_record


def _cause(same: Sequence[Known], *, is_related: bool) -> ChangeCause:
    if is_related or any(each.who is Likeness.SAME for each in same):
        return ChangeCause.SAME_PERSON
    return ChangeCause.SAME_RECORD if same else ChangeCause.SAID
