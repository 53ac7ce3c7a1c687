"""Whether an event is sent, over random histories of identities that are right and wrong: what must hold of all.

The decision is the real one, and so are the ledger in memory and the rules for kept rows. The run around it is a toy:
one event at a time, an API that does as the history says, and a process that may die after any intent.
"""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from target_driftrock.delivery.admission import ANSWER_LOST, Send, admit
from target_driftrock.delivery.pending import PendingEvent
from target_driftrock.delivery.verdict import CONFLICT, Meaning, Step, judge
from target_driftrock.events.answer import Answer, NoAnswer, Reply
from target_driftrock.events.event import Event, Origin
from target_driftrock.events.identity import NOBODY, Who
from target_driftrock.events.outcome import (
    AlreadyDelivered,
    ChangeCause,
    Changed,
    Delivered,
    Held,
    Invalid,
    Rejected,
    Settled,
)
from target_driftrock.ledger.interface import (
    PERHAPS_ACCEPTED,
    Answered,
    Arrived,
    Change,
    Concluded,
    Forgotten,
    Intent,
    Known,
    Likeness,
    Lost,
    Standing,
)
from target_driftrock.ledger.likeness import TO_DECIDE
from target_driftrock.settings import OnChanged
from tests.contract.memory import MemoryLedger
from tests.delivery.examples import event, invalid_part
from tests.simulation.kept import KeptRows, Row
from tests.simulation.likeness import is_same_person

ADA = Who("ada", "ada@example.com", "700000001")
ADA_BY_MAIL = Who(email="ada@example.com")
ADA_BY_PHONE = Who(phone="700000001")
EVE = Who("eve", "eve@example.com", "700000001")
"""She shares a telephone with Ada."""
EVE_BY_MAIL = Who(email="eve@example.com")
PERSONS = (NOBODY, ADA, ADA_BY_MAIL, ADA_BY_PHONE, EVE, EVE_BY_MAIL)
IDS = ("1", "2")
VERSIONS = range(3)
SHEETS = range(4)
REFRESHES = 3
"""What a lost answer held up is settled by one, what that held up by the next."""


class Fate(enum.Enum):
    """What happens to one request."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_SENT = "not sent"
    LOST_BEFORE = "lost on the way there"
    LOST_AFTER = "accepted, and the answer lost"
    DIES_BEFORE = "the process dies after the intent"
    DIES_AFTER = "accepted, and the process dies"


ARRIVING = {Fate.ACCEPTED, Fate.LOST_AFTER, Fate.DIES_AFTER}
DYING = {Fate.DIES_BEFORE, Fate.DIES_AFTER}


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is read. Two of the same `sheet` are one record, mapped in two ways. The API refuses what `is_unwanted`."""

    event_id: str
    who: Who
    version: int
    sheet: int
    is_unwanted: bool = False

    @property
    def body(self) -> bytes:
        """Its content; that of its event is the same under every identity."""
        return f"{self.event_id} {tuple(self.who)} {self.version}".encode()

    @property
    def mended_id(self) -> str:
        """Its event's id once the mapping is mended."""
        return f"{self.event_id}:{self.sheet}"


@dataclass(frozen=True)
class Read:
    """The tap gives a record; what becomes of its requests, in turn."""

    number: int
    fates: tuple[Fate, ...]


@dataclass(frozen=True)
class Replay:
    """A person sends all kept rows again."""

    fates: tuple[Fate, ...]


@dataclass(frozen=True)
class Say:
    """The settings change."""

    on_changed: OnChanged | None = None
    holds_unknown: bool = False


class Mend(enum.Enum):
    """Something is mended, once and for all."""

    SCHEMA = "no record is bad any more"
    IDENTITY = "events have longer ids from now on, and the mapping says how they were made"


Action = Read | Replay | Say | Mend


@dataclass(frozen=True, kw_only=True)
class History:
    """What there is to read, and what happens.

    Records of `bad` sheets break their SCHEMA, until that is mended. `says_conflict`: the API answers 409 to an id that
    it knows.
    """

    records: tuple[Record, ...]
    actions: tuple[Action, ...]
    bad: frozenset[int] = frozenset()
    says_conflict: bool = False


Content = tuple[str | None, bytes]
"""Of an event: its id, and its body."""

records = st.builds(
    Record,
    event_id=st.sampled_from(IDS),
    who=st.sampled_from(PERSONS),
    version=st.sampled_from(VERSIONS),
    sheet=st.sampled_from(SHEETS),
    is_unwanted=st.sampled_from([False, False, False, True]),
)
fates = st.lists(st.sampled_from(Fate), min_size=1, max_size=3).map(tuple)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Several records that share few ids and persons, read in any order, while everything may go wrong."""
    found = tuple(draw(st.lists(records, min_size=2, max_size=5)))
    reads = st.builds(Read, number=st.integers(0, len(found) - 1), fates=fates)
    others = st.one_of(
        st.builds(Replay, fates=fates),
        st.builds(Say, on_changed=st.sampled_from([None, *OnChanged]), holds_unknown=st.booleans()),
        st.sampled_from(Mend),
    )
    actions = st.lists(st.one_of(reads, reads, reads, others), max_size=14)
    return History(
        records=found,
        actions=tuple(draw(actions)),
        bad=draw(st.sampled_from([frozenset(), frozenset({0})])),
        says_conflict=draw(st.booleans()),
    )


@dataclass(kw_only=True)
class Api:
    """Takes what it is given, and remembers it."""

    says_conflict: bool
    accepted: Counter[Content] = field(default_factory=Counter)
    """How often each content was accepted."""

    @property
    def ids(self) -> set[str | None]:
        """Those that it knows."""
        return {event_id for event_id, _ in self.accepted}

    def post(self, sent: Event, *, is_unwanted: bool, fate: Fate) -> Reply:
        """What comes back, if anything does."""
        if fate is Fate.NOT_SENT:
            return NoAnswer.NOT_SENT
        if fate in {Fate.LOST_BEFORE, Fate.DIES_BEFORE}:
            return NoAnswer.LOST
        answer = self._judge(sent, is_refused=is_unwanted or fate is Fate.REFUSED)
        return answer if fate in {Fate.ACCEPTED, Fate.REFUSED} else NoAnswer.LOST

    def _judge(self, sent: Event, *, is_refused: bool) -> Answer:
        if self.says_conflict and sent.event_id in self.ids:
            return Answer(status=CONFLICT)
        if is_refused:
            return Answer(status=422)
        self.accepted[_content(sent)] += 1
        return Answer(status=201)


class Play:
    """A history from its beginning to its end, and every promise that did not hold, a sentence each."""

    def __init__(self, history: History) -> None:
        self._records = history.records
        self._bad = history.bad
        self._api = Api(says_conflict=history.says_conflict)
        self._ledger = MemoryLedger()
        self._kept = KeptRows()
        self._on_changed: OnChanged | None = None
        self._holds_unknown = False
        self._mended: set[Mend] = set()
        self._run = 1
        self._position = 0
        self._contents: dict[tuple[bytes, bytes], Content] = {}
        self._lost: Counter[Content] = Counter()
        self._perhaps: dict[str | None, set[bytes]] = defaultdict(set)
        """What may have been accepted under each id: the model's own account."""
        self._delivered: dict[tuple[bytes | None, bytes], Event] = {}
        self._settled_by_api: set[Content] = set()
        self._was_said = False
        self._rows_of_records: set[bytes] = set()
        """Kept rows of records of which no event came: these go with the record, whatever is kept there since."""
        self.verdicts: set[str] = set()
        self.broken: list[str] = []
        for action in history.actions:
            self._do(action)
        self._finish()

    def _do(self, action: Action) -> None:
        match action:
            case Read(number, given):
                self._read(self._records[number], given)
            case Replay(given):
                self._replay(given)
            case Say(on_changed, holds_unknown):
                self._on_changed, self._holds_unknown = on_changed, holds_unknown
                self._was_said |= on_changed is not None
                self._run += 1
            case Mend():
                self._mended.add(action)
                self._run += 1

    # What a run does.

    def _read(self, record: Record, given: Sequence[Fate], *, row: str | None = None) -> None:
        self._position += 1
        if self._is_bad(record):
            part = invalid_part(self._position, who=record.who, read=self._origin(record, row))
            self._commit([Concluded(part=part, outcome=Invalid(reason=part.reason))])
            return
        read = self._event(record, row)
        (known,) = self._ledger.recall([read])
        admission = admit(
            known, on_changed=self._on_changed, holds_unknown=self._holds_unknown, is_replay=row is not None
        )
        self._judge_admission(read, admission.verdict)
        lost: list[Change] = [_lost(read, each) for each in admission.doubtful if each.standing is Standing.INTENDED]
        if isinstance(admission.verdict, Send):
            self._commit(lost)
            pending = PendingEvent(event=read, known=known)
            pending.was_unknown, pending.is_change = admission.verdict.was_unknown, admission.verdict.is_change
            self._send(pending, record, given)
        else:
            self._settle(read, admission.verdict, lost)

    def _is_bad(self, record: Record) -> bool:
        return record.sheet in self._bad and Mend.SCHEMA not in self._mended

    def _send(self, pending: PendingEvent, record: Record, given: Sequence[Fate]) -> None:
        """Until there is a verdict; when the history says no more of it, the run ends with it open."""
        sent = pending.event
        for fate in given:
            self._commit([Intent(sent)])
            self._judge_request(sent)
            was_perhaps = sent.body in self._perhaps[sent.event_id]
            self._perhaps[sent.event_id].add(sent.body)
            reply = self._api.post(sent, is_unwanted=record.is_unwanted, fate=fate)
            if fate in DYING:
                self._run += 1
                return
            meaning = judge(reply, was_unknown=pending.was_unknown, rival=pending.rival())
            is_refused = meaning.step is Step.REFUSE and not _rejected(pending, reply).may_have_arrived
            is_not_there = reply is NoAnswer.NOT_SENT or meaning.step is Step.SETTLE_RIVAL  # of what was sent before it
            if is_refused or (is_not_there and not was_perhaps):
                self._perhaps[sent.event_id].discard(sent.body)
            if self._follow(pending, reply, meaning):
                return
        self._run += 1

    def _follow(self, pending: PendingEvent, reply: Reply, meaning: Meaning) -> bool:
        """Commit what follows from a reply; whether that settles the event."""
        sent = pending.event
        match meaning.step:
            case Step.DELIVER:
                self._settle(sent, Delivered(is_change=pending.is_change))
            case Step.REFUSE:
                self._settle(sent, _rejected(pending, reply))
            case Step.SETTLE_RIVAL:
                self._settle_rivals(pending, reply)
            case Step.RETRY if meaning.is_held and self._holds_unknown:
                self._settle(sent, Held(reason=ANSWER_LOST, is_unknown=True), [Lost(sent)])
            case Step.RETRY if meaning.may_have_arrived:
                pending.was_unknown = True
                self._commit([Lost(sent)])
                return False
            case _:
                self._commit([Answered(sent, was_unknown=pending.was_unknown)])
                return False
        return True

    def _settle_rivals(self, pending: PendingEvent, reply: Reply) -> None:
        sent = pending.event
        rivals = [each for each in pending.rivals if each.standing in PERHAPS_ACCEPTED]
        self._settled_by_api.update([_content(sent), *(self._contents[each.row] for each in rivals)])
        is_sent = self._on_changed is OnChanged.SEND
        changed = Changed(cause=ChangeCause.CONFLICT, is_said=self._on_changed is not None)
        self._settle(
            sent, _rejected(pending, reply) if is_sent else changed, [Arrived(sent, each.row) for each in rivals]
        )

    def _settle(self, settled: Event, outcome: Settled, beside: Sequence[Change] = ()) -> None:
        self.verdicts.add(_name(outcome))
        self._commit([*beside, Concluded(part=settled, outcome=outcome)])
        row = settled.origin.kept_row
        is_change = isinstance(outcome, Changed) and outcome.is_said
        if row is not None and (is_change or isinstance(outcome, Delivered | AlreadyDelivered)):
            self._commit([Forgotten(row, is_change=is_change)])

    def _replay(self, given: Sequence[Fate]) -> None:
        for row in self._kept.rows:
            self._read(self._records[int(row["record"])], given, row=row["key"].hex())

    def _commit(self, changes: Sequence[Change]) -> None:
        for change in changes:
            match change:
                case Intent(sent) if sent.identity is not None:
                    self._contents[sent.identity, sent.content] = _content(sent)
                case Lost(sent, row):
                    self._lost[_content(sent) if row is None else self._contents[row]] += 1
        self._ledger.commit(changes)
        for gone in self._kept.commit(changes, run=self._run):
            self._judge_release(gone, changes)
        self._rows_of_records.update(row["key"] for row in self._kept.rows if row["kind"] == "invalid")
        self._judge_standings(changes)

    def _event(self, record: Record, row: str | None = None) -> Event:
        """What the mapping makes of a record now."""
        is_mended = Mend.IDENTITY in self._mended
        former = event(self._position, event_id=record.event_id, who=record.who, body=record.body)
        return event(
            self._position,
            event_id=record.mended_id if is_mended else record.event_id,
            who=record.who,
            body=record.body,
            former=[former] if is_mended else [],
            on_changed=self._on_changed,
            read=self._origin(record, row),
        )

    def _origin(self, record: Record, row: str | None) -> Origin:
        return Origin(
            position=self._position,
            stream="leads",
            record=str(self._records.index(record)).encode(),
            schema=b"{}",
            key=f"leads:{record.event_id}",
            kept_row=row,
            digest=f"{record.sheet}".encode(),
        )

    # What must hold of each step.

    def _judge_admission(self, read: Event, verdict: object) -> None:
        self.verdicts.add(_name(verdict))
        own, former = self._perhaps[read.event_id], self._perhaps[_former_id(read.event_id)] if read.former else set()
        if read.body in own | former:
            return  # it is this very content that may be there
        earlier = self._told_apart(read, former, is_former=True)
        defending = self._told_apart(read, own, is_former=False) or [
            each for each in earlier if each is not Likeness.OTHER
        ]
        if isinstance(verdict, Send):
            self._judge_sent(read, defending)
        elif not defending:
            self.broken.append(f"Nothing may have been accepted under {read.event_id}, and a good record was not sent.")

    def _judge_sent(self, read: Event, defending: Sequence[Likeness]) -> None:
        """What is another's, or may be and nobody says, is not sent under an identity that something else has."""
        is_settled = any(is_same_person(read.who, each.who) for each in self._records if self._is_settled_by_api(each))
        if Likeness.OTHER in defending and not is_settled:
            self.broken.append(f"Another's content has the id {read.event_id}, and this one was sent.")
        if set(defending) == {Likeness.UNTOLD} and self._on_changed is None and not is_settled:
            self.broken.append(f"Perhaps another's content has the id {read.event_id}, and this one was sent.")

    def _told_apart(self, read: Event, bodies: set[bytes], *, is_former: bool) -> list[Likeness]:
        """How other contents are like this one. So is the same record's, mapped in another way, if it names nobody."""
        found = []
        for other in [each for each in self._records if each.body in bodies and each.body != read.body]:
            is_same = is_same_person(read.who, other.who)
            is_same_sheet = str(other.sheet).encode() == read.origin.digest and (is_same is None or is_former)
            unlike = Likeness.UNTOLD if is_same is None else Likeness.OTHER
            found.append(Likeness.SAME if is_same or is_same_sheet else unlike)
        return found

    def _judge_request(self, sent: Event) -> None:
        """What is delivered is never sent again, whoever collides with it."""
        if self._standing(sent) is Standing.DELIVERED:
            self.broken.append(f"What was delivered under {sent.event_id} is sent again.")

    def _judge_standings(self, changes: Sequence[Change]) -> None:
        """Nothing overwrites a delivered content."""
        for change in changes:
            told = getattr(change, "event", None) or getattr(change, "part", None)
            if isinstance(told, Event) and self._standing(told) is Standing.DELIVERED:
                self._delivered[told.identity, told.content] = told
        for delivered in self._delivered.values():
            if self._standing(delivered) is not Standing.DELIVERED:
                self.broken.append(f"A delivered content of {delivered.event_id} was overwritten.")

    def _standing(self, read: Event) -> Standing | None:
        (known,) = self._ledger.recall([read])
        return next((each.standing for each in known if each.is_same_content and not each.is_former), None)

    def _judge_release(self, gone: Row, changes: Sequence[Change]) -> None:
        """A kept row goes with its record, with a later content of the same person, or as a change that is said."""
        if not any(self._settles(change, gone) for change in changes):
            self.broken.append(f"The row of record {int(gone['record'])} went, and nothing of it was settled.")

    def _settles(self, change: Change, gone: Row) -> bool:
        kept = self._records[int(gone["record"])]
        match change:
            case Forgotten(row, is_change):
                return row == gone["key"].hex() and (not is_change or gone["kind"] in TO_DECIDE)
            case Arrived(_, other):
                return self._contents[other][1] == kept.body
            case Concluded(part=Event() as part, outcome=outcome):
                settled = self._records[int(part.origin.record)]
                is_itself = settled.body == kept.body or (
                    gone["key"] in self._rows_of_records and settled.sheet == kept.sheet
                )
                if isinstance(outcome, Changed):
                    return is_itself and outcome.is_said and gone["kind"] in TO_DECIDE
                is_later = (gone["run"], gone["position"]) < (self._run, part.origin.position)
                is_of_the_same = kept.event_id == settled.event_id and is_same_person(kept.who, settled.who) is True
                is_newer = (
                    isinstance(outcome, Delivered) and part.origin.kept_row is None and is_later and is_of_the_same
                )
                return is_newer or (is_itself and isinstance(outcome, Delivered | AlreadyDelivered))
            case _:
                return False

    # What must hold in the end.

    def _finish(self) -> None:
        """The API is well, and everything is read again and again: in the end nothing moves."""
        self._holds_unknown = False
        for _ in range(REFRESHES):
            self._refresh()
        rows, accepted = self._rows(), self._api.accepted.total()
        self._refresh()
        if self._api.accepted.total() != accepted:
            self.broken.append("One more full refresh sent something that the API had taken, or had refused before.")
        if self._rows() != rows:
            self.broken.append("One more full refresh moved a kept row.")
        self.broken += [*self._lost_for_good(), *self._repeated(), *self._never_taken()]

    def _refresh(self) -> None:
        self._run += 1
        for record in self._records:
            self._read(record, (Fate.ACCEPTED,))

    def _rows(self) -> set[bytes]:
        return {row["key"] for row in self._kept.rows}

    def _lost_for_good(self) -> Iterator[str]:
        """Every record is accepted under its person, or kept in a row, or counted as a change by a rule."""
        for number, record in enumerate(self._records):
            if not (self._is_accepted(record) or self._is_kept(record) or self._is_change(record)):
                yield f"Record {number} was neither accepted nor kept, and is no change."

    def _is_accepted(self, record: Record, *, beside: Record | None = None) -> bool:
        """Under one of the identities of another record, or its own."""
        ids = (record.event_id, record.mended_id) if beside is None else (beside.event_id, beside.mended_id)
        return any(self._api.accepted[event_id, record.body] for event_id in ids)

    def _is_kept(self, record: Record) -> bool:
        kept = [self._records[int(row["record"])] for row in self._kept.rows]
        return any(each.body == record.body or (self._is_bad(record) and each.sheet == record.sheet) for each in kept)

    def _is_change(self, record: Record) -> bool:
        """Somebody's content was accepted who is the same, or it was of the same record, or the settings say so."""
        beside = [each for each in self._records if each.event_id == record.event_id and each.body != record.body]
        if self._is_bad(record):
            return False
        return self._is_settled_by_api(record) or any(self._is_change_of(record, other) for other in beside)

    def _is_settled_by_api(self, record: Record) -> bool:
        """A 409 said that something of the event had arrived: so it, and what it was sent beside, are settled."""
        return any(record.body == body for _, body in self._settled_by_api)

    def _is_change_of(self, record: Record, other: Record) -> bool:
        if not (self._is_settled_by_api(other) or self._is_accepted(other, beside=record)):
            return False
        is_same = is_same_person(record.who, other.who)
        is_same_sheet = other.sheet == record.sheet and (is_same is None or Mend.IDENTITY in self._mended)
        return is_same is True or is_same_sheet or (is_same is None and self._was_said)

    def _repeated(self) -> Iterator[str]:
        """No content of an identity is accepted twice, but where the answer to the first was counted as lost."""
        for (event_id, body), times in self._api.accepted.items():
            former = _former_id(event_id)
            earlier = 0 if former == event_id else self._api.accepted[former, body]
            lost = self._lost[event_id, body] + (0 if former == event_id else self._lost[former, body])
            if times + earlier - 1 > lost:
                yield f"{body!r} was accepted {times + earlier} times, and {lost} answers were counted as lost."

    def _never_taken(self) -> Iterator[str]:
        """What the ledger calls delivered, the API has taken, or it has said so."""
        for delivered in self._delivered.values():
            ids = {delivered.event_id, _former_id(delivered.event_id)}
            if any(self._api.accepted[each, delivered.body] for each in ids):
                continue
            if not any(delivered.body == body for _, body in self._settled_by_api):
                yield f"{delivered.body!r} is delivered by the ledger, and the API never took it."


def _content(sent: Event) -> Content:
    return sent.event_id, sent.body


def _former_id(event_id: str | None) -> str:
    """The id that an event had before its mapping was mended."""
    return str(event_id).partition(":")[0]


def _lost(read: Event, known: Known) -> Lost:
    return Lost(read) if known.is_same_content and not known.is_former else Lost(read, known.row)


def _rejected(pending: PendingEvent, reply: Reply) -> Rejected:
    status = reply.status if isinstance(reply, Answer) else 0
    return Rejected(status=status, may_have_arrived=status == CONFLICT and pending.was_unknown)


def _name(verdict: object) -> str:
    match verdict:
        case Held(kind=kind, is_unknown=is_unknown):
            return "held as unknown" if is_unknown else kind.value
        case Changed(cause=cause):
            return cause.value
        case Send(was_unknown=True):
            return "sent, and unknown"
        case Send(is_change=True):
            return "sent as a change"
        case AlreadyDelivered(as_former=True):
            return "delivered under its former identity"
        case _:
            return type(verdict).__name__


@settings(max_examples=500, deadline=None)
@given(history=histories())
def test_no_promise_is_broken_when_a_history_is_random(history: History) -> None:
    """Nothing lost, nothing twice that was not counted, no delivery undone, no row gone too early; then rest."""
    assert Play(history).broken == []


@settings(max_examples=300, deadline=None)
@given(
    pair=st.lists(records, min_size=2, max_size=2, unique_by=lambda record: record.body),
    given_fates=fates,
    says_conflict=st.booleans(),
)
def test_neither_of_two_colliding_records_is_lost_when_either_is_read_first(
    pair: list[Record],
    given_fates: tuple[Fate, ...],
    says_conflict: bool,  # noqa: FBT001 - drawn
) -> None:
    """Whoever comes first, and whatever becomes of him."""
    for first, second in permutations(pair):
        actions = (Read(0, given_fates), Read(1, (Fate.ACCEPTED,)))
        history = History(records=(first, second), actions=actions, says_conflict=says_conflict)

        assert Play(history).broken == []


@pytest.mark.parametrize(
    "verdict",
    [
        "Delivered",
        "AlreadyDelivered",
        "delivered under its former identity",
        "sent, and unknown",
        "sent as a change",
        "held as unknown",
        "collision",
        "undecided",
        *(cause.value for cause in ChangeCause),
        "Rejected",
    ],
)
def test_histories_come_to_every_verdict_when_there_are_enough_of_them(verdict: str) -> None:
    """A model in which nothing happens proves nothing."""
    found = find(
        histories(),
        lambda history: verdict in Play(history).verdicts,
        settings=settings(max_examples=5_000, phases=[Phase.generate], database=None, deadline=None),
    )

    assert found.records
