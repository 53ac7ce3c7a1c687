"""What is durable of all runs, what a loss of power takes of it, and each run's hold on it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from target_driftrock.errors import LedgerUnavailable
from target_driftrock.events.event import Capture, Event
from target_driftrock.events.identity import KnownWay, Way
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
    Answered,
    Arrived,
    Change,
    Concluded,
    Counts,
    Forgotten,
    Intent,
    Known,
    Lost,
    Standing,
)
from target_driftrock.ledger.likeness import TO_DECIDE
from tests.contract.memory import MemoryLedger
from tests.simulation.kept import KeptRows, Row
from tests.simulation.likeness import is_same_person
from tests.simulation.scenario import Piece
from tests.simulation.trace import Trace

COUNTERS = ("delivered", "invalid", "rejected", "held", "unknown")
RELEASING = (Delivered, AlreadyDelivered)


@dataclass(kw_only=True)
class _Disk:
    """All that was committed. Contents are told by their bodies."""

    memory: MemoryLedger = field(default_factory=MemoryLedger)
    kept: KeptRows = field(default_factory=KeptRows)
    concluded: dict[str, int] = field(default_factory=dict)
    """Parts, by label, that have an outcome for good, each with the number of the commit that says so first."""
    lost: Counter[bytes] = field(default_factory=Counter)
    """How often an answer to each content was counted as lost."""


@dataclass(kw_only=True)
class Told:
    """What was told at some time, by label or content: a loss of power does not take that back."""

    sent: set[str] = field(default_factory=set)
    """Parts of which a request was meant to be made."""
    kept: set[str] = field(default_factory=set)
    """Parts that were refused or held: a row kept them, whatever was tried later."""
    changed: set[str] = field(default_factory=set)
    """Parts that were not sent, since they were changes."""
    conflicts: set[bytes] = field(default_factory=set)
    """Contents that a 409 settled: as changes, or as what had arrived."""
    refused: set[bytes] = field(default_factory=set)
    """Contents that were rejected, or held for what they are: they defend nothing any more."""
    replayed: set[bytes] = field(default_factory=set)
    """Contents that were sent again from kept rows, by a person's will."""
    gone: set[bytes] = field(default_factory=set)
    """Contents of which something was lost with the power."""


class SimulatedLedger:
    """Answers as the ledger in memory does, keeps rows as the durable one does, and sees what it was told."""

    def __init__(self, pieces: Mapping[str, Piece], trace: Trace) -> None:
        self._pieces = pieces
        self._trace = trace
        self._commits: list[tuple[int, Sequence[Change]]] = []
        self._secured = 0
        self._run = 0
        self._disk = _Disk()
        self._contents: dict[tuple[bytes, bytes], bytes] = {}
        self.told = Told()
        self.faults: list[str] = []

    # What outlives a run.

    def begin_run(self) -> None:
        """Another run takes the ledger."""
        self._run += 1

    def cut_power(self, chance: random.Random) -> None:
        """What was committed after the last `secure` is gone; or some of it, the latest first."""
        stays = chance.choice([self._secured, chance.randint(self._secured, len(self._commits))])
        gone = self._commits[stays:]
        self.told.gone.update(content for _, changes in gone for content in map(self._content, changes) if content)
        earlier, self._commits, self._disk = self._commits[:stays], [], _Disk()
        for run, changes in earlier:
            self._write(changes, run=run)
        self._trace.note("power cut", len(gone))

    @property
    def kept(self) -> KeptRows:
        """What is refused or held."""
        return self._disk.kept

    @property
    def lost(self) -> Counter[bytes]:
        """How often an answer to each content was counted as lost."""
        return self._disk.lost

    @property
    def concluded(self) -> Mapping[str, int]:
        """Parts that have an outcome for good."""
        return self._disk.concluded

    def is_secured(self, label: str) -> bool:
        """Whether a part's outcome lies on the disk, and no loss of power takes it back."""
        return self._disk.concluded.get(label, self._secured) < self._secured

    def standing(self, event: Event) -> Standing | None:
        """Where this very content stands."""
        (known,) = self.recall([event])
        return next((each.standing for each in known if each.is_same_content), None)

    # What a run asks.

    def recall(self, events: Sequence[Event]) -> list[Sequence[Known]]:
        """As it is in memory."""
        return self._disk.memory.recall(events)

    def proven(self, captures: Sequence[Capture]) -> list[bool]:
        """As it is in memory."""
        return self._disk.memory.proven(captures)

    def trials(self, captures: Sequence[Capture]) -> list[int | None]:
        """See `Ledger.trials`."""
        return self._disk.memory.trials(captures)

    def leave_trials(self, captures: Sequence[Capture]) -> None:
        """See `Ledger.leave_trials`. Nobody else tries one."""

    def counts(self) -> Counts:
        """Of all runs."""
        return self._disk.memory.counts()

    def secure(self) -> None:
        """All that was committed is safe from now on."""
        self._secured = len(self._commits)

    def commit(self, changes: Sequence[Change]) -> None:
        """Make them durable."""
        for change in changes:
            self._judge_doubt(change)
            self._note(change)
        for row in self._write(changes, run=self._run):
            self._judge(row, changes)

    def _write(self, changes: Sequence[Change], *, run: int) -> list[Row]:
        disk = self._disk
        for change in changes:
            match change:
                case Concluded(part=part):
                    disk.concluded.setdefault(str(part.origin.key), len(self._commits))
                case Lost():
                    disk.lost[self._content(change)] += 1
        self._commits.append((run, changes))
        disk.memory.commit(changes)
        return disk.kept.commit(changes, run=run)

    def _note(self, change: Change) -> None:
        match change:
            case Concluded(part=part, outcome=outcome):
                self._trace.note("concluded", part.origin.key, type(outcome).__name__, _cause(outcome))
                self._note_outcome(change)
            case Arrived():
                self.told.conflicts.add(self._content(change))
                self._trace.note("Arrived", self._content(change))
            case Lost(event):
                self._trace.note("lost", event.origin.key, self._content(change))
            case Intent(event) | Answered(event):
                self.told.sent.add(str(event.origin.key))
                if event.identity is not None:
                    self._contents[event.identity, event.content] = event.body
                if event.origin.kept_row is not None:
                    self.told.replayed.add(event.body)
                self._trace.note(type(change).__name__, event.origin.key)
            case Forgotten(row, is_change):
                self._trace.note("Forgotten", row, is_change)

    def _note_outcome(self, change: Concluded) -> None:
        label, content = str(change.part.origin.key), self._content(change)
        match change.outcome:
            case Rejected() | Held() | Invalid():
                self.told.kept.add(label)
            case Changed():
                self.told.changed.add(label)
        match change.outcome:
            case Rejected() | Held(is_unknown=False):
                self.told.refused.add(content)
            case Changed(cause=ChangeCause.CONFLICT):
                self.told.conflicts.add(content)

    def _content(self, change: Change) -> bytes:
        """Of which content a change tells; none where it is of a capture, a kept row or a refused record."""
        row = getattr(change, "row", None)
        if isinstance(row, tuple):
            return self._contents.get(row, b"")
        part = getattr(change, "event", None) or getattr(change, "part", None)
        return part.body if isinstance(part, Event) else b""

    def _judge_doubt(self, change: Change) -> None:
        """Only what was meant to be sent can have lost its answer, or have arrived."""
        match change:
            case Arrived(row=row) | Lost(row=row) if row is not None:
                is_known = row in self._contents
            case Lost(event) if event.identity is not None:
                is_known = (event.identity, event.content) in self._contents
            case _:
                return
        if not is_known:
            self.faults.append(f"{type(change).__name__}, of what was never meant to be sent.")

    # What may be let go.

    def _judge(self, row: Row, changes: Sequence[Change]) -> None:
        """A kept row goes with what it kept, with a later content of the same person, or by a person's word."""
        if not any(self._settles(change, row) for change in changes):
            self.faults.append(f"The row of {row['record'].decode()} went, and nothing of it was settled.")

    def _settles(self, change: Change, row: Row) -> bool:
        kept = self._pieces[row["record"].decode()]
        match change:
            case Forgotten(key, is_change):
                return key == row["key"].hex() and (not is_change or row["kind"] in TO_DECIDE)
            case Arrived():
                return self._content(change) == kept.body
            case Concluded(part=Event() as part, outcome=outcome):
                settled = self._pieces[str(part.origin.key)]
                was_no_event = kept.is_refused_by_us or not kept.has_identity
                is_same = settled.body == kept.body or (was_no_event and settled.record == kept.record)
                if is_same and isinstance(outcome, RELEASING):
                    return True
                if settled.body == kept.body and isinstance(outcome, Changed):
                    return outcome.is_said and row["kind"] in TO_DECIDE
                is_later = part.origin.kept_row is None and (row["run"], row["position"]) < (
                    self._run,
                    part.origin.position,
                )
                return (
                    isinstance(outcome, Delivered)
                    and is_later
                    and settled.serial == kept.serial
                    and is_same_person(settled.who, kept.who) is True
                )
            case _:
                return False


def _cause(outcome: Settled) -> str:
    match outcome:
        case Changed(cause=cause):
            return cause.name
        case Held(kind=kind):
            return kind.name
        case _:
            return ""


class LedgerOfRun:
    """A run's hold on the durable ledger: it can be lost, and a dead process commits nothing.

    `ends` is called with each content of which no request is in doubt any more.
    """

    def __init__(
        self,
        durable: SimulatedLedger,
        *,
        is_cut: Callable[[], bool],
        ends: Callable[[bytes], object],
        fails_at: int | None,
    ) -> None:
        self._durable = durable
        self._is_cut = is_cut
        self._ends = ends
        self._commits = 0
        self._fails_at = fails_at
        self._before = durable.counts()
        durable.begin_run()

    def recall(self, events: Sequence[Event]) -> list[Sequence[Known]]:
        """As it is in the ledger."""
        return self._durable.recall(events)

    def proven(self, captures: Sequence[Capture]) -> list[bool]:
        """As it is in the ledger."""
        return self._durable.proven(captures)

    def trials(self, captures: Sequence[Capture]) -> list[int | None]:
        """See `Ledger.trials`."""
        return self._durable.trials(captures)

    def leave_trials(self, captures: Sequence[Capture]) -> None:
        """See `Ledger.leave_trials`. Nobody else tries one."""

    is_new = False
    misnamed = 0
    cut_off = Counts()
    ways: Mapping[Way, KnownWay] = MappingProxyType({})

    def forget_ways(self, ways: Mapping[Way, Way | None]) -> None:
        """There are none."""

    def rejects_waiting(self) -> tuple[int, float | None]:
        """How many kept rows there are; since when is the same of all."""
        count = len(self._durable.kept.rows)
        return count, 0.0 if count else None

    def finish(self, *, exit_code: int, receipt: str) -> None:
        """The receipt is read where it is made."""
        self._fail_if_lost()

    def prune(self, *, days: int) -> bool:
        """Nothing gets that old."""
        return False

    def close(self) -> None:
        """The ledger outlives the run."""

    def commit(self, changes: Sequence[Change]) -> None:
        """Make them durable, or fail."""
        self._commits += 1
        self._fail_if_lost()
        self._durable.commit(changes)
        for content in _ended(changes):
            self._ends(content)

    def secure(self) -> None:
        """Have the disk keep them, or fail."""
        self._fail_if_lost()
        self._durable.secure()

    def counts(self) -> Counts:
        """Of this run."""
        after = self._durable.counts()
        return Counts(**{name: getattr(after, name) - getattr(self._before, name) for name in COUNTERS})

    def _fail_if_lost(self) -> None:
        if self._is_cut() or (self._fails_at is not None and self._commits >= self._fails_at):
            raise LedgerUnavailable("The ledger is gone.")


def _ended(changes: Sequence[Change]) -> Iterator[bytes]:
    for change in changes:
        match change:
            case Answered(event) | Lost(event, row=None) | Concluded(part=Event() as event):
                yield event.body
