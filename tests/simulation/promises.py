"""What must hold at the end of a story, a sentence for each promise that does not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from target_driftrock.events.event import Event
from target_driftrock.ledger.interface import PERHAPS_ACCEPTED, Standing
from target_driftrock.settings import OnChanged
from tests.simulation.api import SimulatedApi
from tests.simulation.ledger import SimulatedLedger
from tests.simulation.likeness import is_same_person
from tests.simulation.scenario import Piece, Scenario


class Promises:
    """Looks at what the API took, at what the ledger says and keeps, and at what was read."""

    def __init__(self, scenario: Scenario, api: SimulatedApi, ledger: SimulatedLedger) -> None:
        self._scenario = scenario
        self._api = api
        self._ledger = ledger
        self._read = {
            label: (piece, part)
            for one in scenario.lines
            for line in one.forms
            for label, piece, part in zip(
                line.labels, line.pieces, line.parts(position=line.number, on_changed=None), strict=True
            )
        }
        self._by_serial: dict[int, list[Piece]] = defaultdict(list)
        for piece, part in self._read.values():
            if isinstance(part, Event) and piece.has_identity:
                self._by_serial[piece.serial].append(piece)
        self._anonymous = {piece.body for piece, _ in self._read.values() if not piece.has_identity}

    def broken(self) -> Iterator[str]:
        """All is read, and nothing is open."""
        yield from self._open_before(len(self._scenario.lines))
        for label, (piece, part) in self._read.items():
            if label not in self._ledger.concluded:
                continue  # it was edited before it was read, or before it had an outcome
            if not isinstance(part, Event):
                yield from self._refused_by_us(label, piece)
            else:
                yield from self._lost(label, piece)
                yield from self._wrong(label, piece, self._ledger.standing(part))
        yield from self._repeated()
        yield from self._mixed_up()
        yield from self._out_of_order()

    def passed_and_gone(self, covered: int) -> Iterator[str]:
        """The power was cut: what STATE had passed is there all the same."""
        for fault in self._open_before(covered):
            yield f"STATE had passed it, and the power took it back: {fault}"

    def kept_needlessly(self) -> Iterator[str]:
        """All that is kept was sent again, and nothing went wrong: why are these left?"""
        for row in self._ledger.kept.rows:
            label = row["record"].decode()
            piece, part = self._read[label]
            if isinstance(part, Event) and not (self._api.still_refuses(piece.body) or self._waits(piece)):
                yield f"Part {label} is kept as {row['kind']}, was sent again, and nothing is wrong with it."

    def has_identity(self, content: bytes) -> bool:
        """Whether a repeat of it can be recognised."""
        return content not in self._anonymous

    # Nothing is lost.

    def _open_before(self, covered: int) -> Iterator[str]:
        """Each record was settled in one form or the other."""
        for line in self._scenario.lines[:covered]:
            if not any(set(form.labels) <= self._ledger.concluded.keys() for form in line.forms):
                yield f"Record {line.number} is open."

    def _refused_by_us(self, label: str, piece: Piece) -> Iterator[str]:
        if not (self._is_kept(label, piece) or self._is_mended(piece)):
            yield f"Part {label} was refused by us, and no row keeps it."

    def _is_mended(self, piece: Piece) -> bool:
        """The same record was accepted, mapped in another way."""
        return any(
            other.record == piece.record and other.body in self._api.acceptances for other, _ in self._read.values()
        )

    def _lost(self, label: str, piece: Piece) -> Iterator[str]:
        """Every record is accepted under its person, or somebody is told of it, or it is a change by a rule."""
        if piece.body in self._api.acceptances or self._is_kept(label, piece) or self._is_in_conflict(piece):
            return
        if not piece.has_identity and self._is_mended(piece):
            return
        if not piece.has_identity or not self._is_change(piece):
            yield f"Part {label} was never accepted, is not kept, and is no change of what was."
        elif set(self._scenario.on_changed) == {OnChanged.SEND} and label not in self._ledger.told.kept:
            yield f"Part {label} is a change, and was neither sent nor kept."

    def _is_kept(self, label: str, piece: Piece) -> bool:
        """By a row of its own, that of the same content, or, where it has no identity, that of the same record."""
        for row in self._ledger.kept.rows:
            kept_as = row["record"].decode()
            kept = self._read[kept_as][0]
            is_same_record = not piece.has_identity and kept.record == piece.record
            if label == kept_as or kept.body == piece.body or is_same_record:
                return True
        return False

    def _is_change(self, piece: Piece) -> bool:
        """What was accepted is the same person's, or the same record, or nobody can tell and the settings say so."""
        is_said = set(self._scenario.on_changed) != {None}
        beside = [(other, is_same_person(piece.who, other.who)) for other in self._accepted_beside(piece)]
        return any(
            is_same or (is_same is None and (is_said or piece.record == other.record)) or self._is_settled_with(piece)
            for other, is_same in beside
        )

    def _is_settled_with(self, piece: Piece) -> bool:
        """The API's own word has made a change of somebody's content, who is this one's person."""
        return any(
            other.body in self._ledger.told.conflicts and is_same_person(piece.who, other.who)
            for other in self._by_serial[piece.serial]
        )

    def _waits(self, piece: Piece) -> bool:
        """Something else is under its identity, or perhaps, and it is not said that it is to be sent beside that."""
        is_sent = self._scenario.on_changed[-1] is OnChanged.SEND
        beside = [*self._accepted_beside(piece), *self._perhaps_beside(piece), *self._told_beside(piece)]
        return any(is_same_person(piece.who, other.who) is False or not is_sent for other in beside)

    def _accepted_beside(self, piece: Piece) -> list[Piece]:
        return [
            other
            for other in self._by_serial[piece.serial]
            if other.body != piece.body and other.body in self._api.acceptances
        ]

    def _told_beside(self, piece: Piece) -> list[Piece]:
        """What a 409 made the ledger take for delivered, where a loss of power took back what had really arrived."""
        return [
            other
            for other, part in self._read.values()
            if isinstance(part, Event) and other.serial == piece.serial and other.body != piece.body
            if self._ledger.standing(part) is Standing.DELIVERED and self._is_in_conflict(other)
        ]

    def _perhaps_beside(self, piece: Piece) -> list[Piece]:
        """What nobody reads any more, and so nobody learns whether it arrived."""
        return [
            other
            for other, part in self._read.values()
            if isinstance(part, Event) and other.serial == piece.serial and other.body != piece.body
            if self._ledger.standing(part) in PERHAPS_ACCEPTED
        ]

    # Nothing is sent twice, or under another's identity.

    def _repeated(self) -> Iterator[str]:
        for content, moments in self._api.acceptances.items():
            accepted, lost = len(moments), self._ledger.lost[content]
            if content in self._ledger.told.gone or not self.has_identity(content):
                continue
            if accepted - 1 > lost:
                yield f"{content!r} was accepted {accepted} times, and {lost} answers were counted as lost."
            is_excused = content in self._ledger.told.replayed or content in self._api.misreported
            if accepted > 1 and self._scenario.holds_unknown and not is_excused:
                yield f"{content!r} was accepted {accepted} times, though unknowns are held."

    def _mixed_up(self) -> Iterator[str]:
        """Two persons under one identity: only where the first was refused afterwards.

        Nor two of whom nobody could tell whether they are the same, and nobody said so.
        """
        for pieces in self._by_serial.values():
            accepted = {piece.body: piece for piece in pieces if piece.body in self._api.acceptances}
            by_moment = sorted(accepted.values(), key=lambda piece: self._api.acceptances[piece.body][0])
            for first, second in combinations(by_moment, 2):
                if self._keeps_apart(first, second) and not self._is_excused(first, second):
                    yield f"{second.body!r} was accepted under the identity of {first.body!r}."

    def _keeps_apart(self, first: Piece, second: Piece) -> bool:
        is_same = is_same_person(first.who, second.who)
        is_unsaid = set(self._scenario.on_changed) == {None}
        return is_same is False or (is_same is None and is_unsaid and not self._is_linked(second))

    def _is_linked(self, piece: Piece) -> bool:
        """Another content, accepted or not, is the same person's, or of the same record.

        Several records may have become this very content: it is linked by any of them.
        """
        contents = self._by_serial[piece.serial]
        return any(
            is_same_person(own.who, other.who) or own.record == other.record
            for own in contents
            if own.body == piece.body
            for other in contents
            if other.body != piece.body
        )

    def _is_excused(self, first: Piece, second: Piece) -> bool:
        """A refusal is the last word on a content, though an earlier request for it may yet arrive."""
        told = self._ledger.told
        is_refused = first.body in told.refused | told.gone or second.body in told.refused
        return is_refused or self._is_settled_with(second)

    # What the ledger says is so.

    def _wrong(self, label: str, piece: Piece, standing: Standing | None) -> Iterator[str]:
        accepted, lost = piece.body in self._api.acceptances, self._ledger.lost[piece.body]
        told = self._ledger.told
        if not piece.has_identity:
            return
        if lost and piece.body not in self._api.posted and not self._died():
            yield f"Part {label} was never sent, and {lost} answers were counted as lost."
        match standing:
            case Standing.DELIVERED if not (accepted or self._is_in_conflict(piece)):
                yield f"Part {label} is delivered by the ledger, and the API never took it."
            case Standing.REFUSED if not self._may_be_refused(piece):
                yield f"Part {label} is refused by the ledger, and the API never refused it."
            case Standing.HELD_UNKNOWN if not lost:
                yield f"Part {label} is held as unknown, and no answer was lost."
            case Standing.ANSWERED | Standing.INTENDED | Standing.UNKNOWN if label not in told.kept | told.changed:
                yield f"Part {label} is open in the end: {standing}."
            case _:
                pass

    def _is_in_conflict(self, piece: Piece) -> bool:
        """By a 409: something of it had arrived, and of several contents the API does not say which.

        A loss of power takes back what was known of others, too.
        """
        told = self._ledger.told
        is_told_so = piece.body in told.conflicts or any(
            other.body in told.gone for other in self._by_serial[piece.serial]
        )
        return self._scenario.says_conflict and is_told_so and bool(self._accepted_beside(piece))

    def _died(self) -> bool:
        """Whether a run could not take back the intents that it had committed ahead."""
        return any(mishap.crash_at_step or mishap.ledger_fails_at for mishap in self._scenario.mishaps)

    def _may_be_refused(self, piece: Piece) -> bool:
        api = self._api
        return piece.body in api.refused or piece.body in api.unauthorized or piece.serial in self._scenario.poisoned

    # Each person's events come in the order read.

    def _out_of_order(self) -> Iterator[str]:
        """First acceptances, person by person, but for events that were not sent at some time."""
        latest: dict[str, tuple[float, str]] = defaultdict(lambda: (float("-inf"), ""))
        met: set[bytes] = set()
        for label, (piece, part) in self._read.items():
            if label not in self._ledger.told.sent:
                continue
            is_repeat = piece.body in met
            met.add(piece.body)
            accepted = self._api.acceptances.get(piece.body)
            person = piece.who.person
            if is_repeat or person is None or not accepted or not isinstance(part, Event):
                continue
            if label not in self._ledger.concluded or not label[-1].isdigit():
                continue  # its record was edited: nobody sends it as it was, and as it is it comes late
            if not self._keeps_order(piece):
                continue
            before, whose = latest[person]
            if accepted[0] < before:
                yield f"Part {label} arrived before {whose} of the same person, which was read earlier."
            latest[person] = (accepted[0], label)

    def _keeps_order(self, piece: Piece) -> bool:
        held_up = self._ledger.told.kept | self._ledger.told.changed
        is_held_up = any(self._read[label][0].body == piece.body for label in held_up)
        return piece.has_identity and not (is_held_up or self._may_be_refused(piece))
