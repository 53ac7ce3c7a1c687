"""What an event passes before its request: its lanes, its capture, the ledger's memory, the intent.

Each station is a queue. Nothing here is a task: the dispatcher runs `recall` and `intend` as its chores.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from target_driftrock.delivery import life
from target_driftrock.delivery.admission import Admission, Send, admit
from target_driftrock.delivery.lanes import Lanes
from target_driftrock.ledger.interface import Intent, Lost, Standing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Sequence

    from target_driftrock.delivery.captures import Captures
    from target_driftrock.delivery.pending import DeliveryConfig, PendingEvent
    from target_driftrock.events.event import Capture, Event
    from target_driftrock.events.outcome import Settled
    from target_driftrock.ledger.interface import Change
    from target_driftrock.ledger.threaded import AsyncLedger

    Settle = Callable[[Sequence[tuple[PendingEvent, Settled]], Sequence[Change]], Awaitable[None]]

RECALL_GROUP = 500
FORESEEN_GROUP = 100
"""Few: an event whose turn comes meanwhile waits for their look-up."""
ASIDE_SECONDS = 0.1
"""For so long what another task of a job has in hand is not asked for again."""
TRIAL_SECONDS = 1.0
"""So long where another task tries the capture."""


class Intake:
    """The stations before the request. `settle` takes what needs none, with its outcome, and changes beside.

    `wake` is called where there is something to do again after a time.
    """

    def __init__(
        self,
        *,
        config: DeliveryConfig,
        ledger: AsyncLedger,
        captures: Captures[PendingEvent],
        settle: Settle,
        wake: Callable[[], None],
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._captures = captures
        self._settle = settle
        self._wake = wake
        self._lanes: Lanes[PendingEvent] = Lanes()
        self._unjudged: dict[tuple[bytes, bytes], PendingEvent] = {}
        self._ready: deque[PendingEvent] = deque()
        self._foreseeable: deque[PendingEvent] = deque()
        """The look-ahead: of those that waited for their person alone when they came."""
        self._unrecalled: deque[PendingEvent] = deque()
        self._cleared: deque[PendingEvent] = deque()
        self._mute: dict[Capture, _Mute] = {}
        self.aside = 0
        """How many wait for what another task of a job has in hand: that is no outage."""
        self.sendable: deque[PendingEvent] = deque()
        """Those that wait for a slot."""

    def arrive(self, pending: PendingEvent) -> None:
        """An event was read. Its person's, and its identity's, earlier events come first."""
        same = pending.event.identity
        is_alone = same is None or not self._lanes.holds(same)
        keys: list[Hashable | None] = [pending.event.person, same]
        if self._lanes.enter(pending, [key for key in keys if key is not None]):
            self._have_ready(pending)
        elif is_alone:  # only its person holds it up, so what the ledger knows of it will not change until its turn
            self._foreseeable.append(pending)

    def leave_lanes(self, pending: PendingEvent) -> None:
        """An event no longer holds up those behind it."""
        for freed in self._lanes.leave(pending):
            self._have_ready(freed)

    def put_aside(self, pending: PendingEvent) -> None:
        """A refusal that waits for its capture's first acceptance holds nobody up, not even the same content."""
        same = _content(pending)
        if same is not None:
            self._unjudged[same] = pending
        self.leave_lanes(pending)

    def let_go(self, pending_events: Iterable[PendingEvent]) -> None:
        """Their captures let them pass. Those tried before were recalled before, and go before all others.

        Behind thousands that wait for their first request, a retry would keep STATE where it is.
        """
        for pending in pending_events:
            if pending.tries:
                self.send_again(pending)
            else:
                pending.move(life.MEMORY)
                self._unrecalled.append(pending)

    def send_again(self, pending: PendingEvent) -> None:
        """At once, before all others."""
        pending.move(life.INTENT)
        mute = self._mute_of(pending)
        if mute is not None and mute.turn is pending:  # it is back, and waits with the others
            mute.turn = None
        self._queue_of(pending).appendleft(pending)

    def mute(self, capture: Capture) -> None:
        """From now on one request at a time goes to this capture, until it accepts an event."""
        if capture in self._mute:
            return
        self._mute[capture] = _Mute()
        for pending in _take(self._cleared, len(self._cleared)):
            self._queue_of(pending).append(pending)

    def unmute(self, capture: Capture) -> None:
        """It has accepted an event."""
        mute = self._mute.pop(capture, None) if self._mute else None
        if mute is not None:
            self._cleared.extendleft(reversed(mute.waiting))

    def take(self, free: int, under_way: Iterable[PendingEvent]) -> list[PendingEvent]:
        """Whose requests begin now, as far as so many slots go."""
        if not self._mute:
            return _take(self.sendable, free)
        busy = {pending.event.capture for pending in under_way}
        taken: list[PendingEvent] = []
        for pending in _take(self.sendable, len(self.sendable)):
            capture = pending.event.capture
            if len(taken) == free or (capture in self._mute and capture in busy):
                self.sendable.append(pending)
            else:
                taken.append(pending)
                busy.add(capture)
        self._release(busy)
        return taken

    def _release(self, busy: set[Capture]) -> None:
        """The next of each mute capture that nothing is under way to gets its intent."""
        busy |= {pending.event.capture for pending in self.sendable}
        for capture, mute in self._mute.items():
            if capture not in busy and mute.waiting and (mute.turn is None or mute.turn.state not in _TO_BEGIN):
                mute.turn = mute.waiting.popleft()
                self._cleared.appendleft(mute.turn)

    @property
    def needs_recall(self) -> bool:
        """Whether `recall` has something to do."""
        return bool(self._ready or self._unrecalled or self._foreseeable)

    def needs_intents(self, free: int) -> bool:
        """Whether `intend` has something to do, with so many slots free.

        Those ahead are made up for when half of them are gone: a commit for each would be one more an event.
        """
        wanted = self._intents_wanted(free)
        is_short = len(self.sendable) < free or 2 * wanted >= self._config.intents_ahead
        return bool(self._cleared) and wanted > 0 and is_short

    async def recall(self) -> None:
        """Ask the ledger for captures not met before, and for the events that their captures let pass.

        It is asked ahead for those that wait for their person: what follows an answer must not wait for it.
        """
        arrived = _take(self._ready, RECALL_GROUP)
        await self._learn_captures([pending.event for pending in arrived])
        tried_elsewhere = [pending for pending in arrived if not self._captures.is_known(pending.event.capture)]
        if tried_elsewhere:
            self._later(self._ready, tried_elsewhere, TRIAL_SECONDS)
        for pending in arrived:
            if self._captures.is_known(pending.event.capture):
                self.let_go(self._captures.enter(pending, pending.event.capture))
        group = _take(self._unrecalled, RECALL_GROUP)
        await self._admit_all([pending for pending in group if pending.known is not None])
        rest = [pending for pending in group if pending.known is None]
        foreseen = _take(self._foreseeable, FORESEEN_GROUP)
        asked = [*rest, *(pending for pending in foreseen if pending.state is life.PERSON)]
        if asked:
            found = await self._ledger.recall([pending.event for pending in asked])
            for pending, known in zip(asked, found, strict=True):
                pending.known = known
        await self._admit_all(rest)

    async def _admit_all(self, group: Sequence[PendingEvent]) -> None:
        settled: list[tuple[PendingEvent, Settled]] = []
        lost: list[Lost] = []
        for pending in group:
            admission = admit(
                pending.known or (),
                on_changed=pending.event.on_changed,
                holds_unknown=self._config.holds_unknown,
                is_replay=pending.event.origin.kept_row is not None,
            )
            lost += _lost(pending.event, admission)
            if isinstance(admission.verdict, Send):
                self._clear(pending, admission.verdict)
            else:
                settled.append((pending, admission.verdict))
        await self._settle(settled, lost)
        for pending, _ in settled:
            self.let_go(self._captures.depart(pending.event.capture))

    async def intend(self, free: int) -> None:
        """Commit intents for the slots that are free, and for some more ahead of them."""
        group = _take(self._cleared, self._intents_wanted(free))
        for pending in group:
            self._supersede(pending)
        intents = [Intent(pending.event) for pending in group]
        await self._ledger.commit(intents)
        if any(intent.is_refused for intent in intents):
            refused = [pending for pending, intent in zip(group, intents, strict=True) if intent.is_refused]
            group = [pending for pending, intent in zip(group, intents, strict=True) if not intent.is_refused]
            self._recall_again(refused)
        for pending in group:
            pending.move(life.SLOT)
        self.sendable.extend(group)

    def _recall_again(self, refused: Sequence[PendingEvent]) -> None:
        """Another task of this job was faster: what it made of the event decides what becomes of it here."""
        for pending in refused:
            pending.known = None
            pending.move(life.MEMORY)
        self._later(self._unrecalled, refused, ASIDE_SECONDS)

    def _later(self, queue: deque[PendingEvent], group: Sequence[PendingEvent], seconds: float) -> None:
        """In front, after a short time."""
        self.aside += len(group)

        def put_back() -> None:
            self.aside -= len(group)
            queue.extendleft(reversed(group))
            self._wake()

        asyncio.get_running_loop().call_later(seconds, put_back)

    def _have_ready(self, pending: PendingEvent) -> None:
        pending.move(life.CAPTURE)
        self._ready.append(pending)

    def _supersede(self, pending: PendingEvent) -> None:
        """From now on the ledger holds what becomes of this request, whatever is judged of an earlier one."""
        if not self._unjudged:
            return
        same = _content(pending)
        earlier = None if same is None else self._unjudged.pop(same, None)
        if earlier is not None:
            earlier.was_superseded = True

    async def _learn_captures(self, events: Sequence[Event]) -> None:
        """Ask for those not met before. Unknown stay those that another task of this job tries at present."""
        captures = dict.fromkeys(event.capture for event in events)
        new = [capture for capture in captures if not self._captures.is_known(capture)]
        if not new:
            return
        for capture, is_proven in zip(new, await self._ledger.proven(new), strict=True):
            if is_proven:
                self._captures.remember(capture)
        await self._begin_trials([capture for capture in new if not self._captures.is_known(capture)])

    async def _begin_trials(self, captures: Sequence[Capture]) -> None:
        if not captures:
            return
        trials = dict(zip(captures, await self._ledger.trials(captures), strict=True))
        for capture, refusals in trials.items():
            if refusals is not None:
                self._captures.begin_trial(capture, refusals=refusals)

    def _clear(self, pending: PendingEvent, send: Send) -> None:
        pending.was_unknown = send.was_unknown
        pending.is_change = send.is_change
        pending.move(life.INTENT)
        queue = self._queue_of(pending)
        if self._captures.is_in_doubt(pending.event.capture):
            queue.appendleft(pending)  # one at a time: behind thousands it would be judged at the very end
        else:
            queue.append(pending)

    def _queue_of(self, pending: PendingEvent) -> deque[PendingEvent]:
        mute = self._mute_of(pending)
        return self._cleared if mute is None else mute.waiting

    def _mute_of(self, pending: PendingEvent) -> _Mute | None:
        return self._mute.get(pending.event.capture) if self._mute else None

    def _intents_wanted(self, free: int) -> int:
        return self._config.intents_ahead + free - len(self.sendable)


_TO_BEGIN = {life.INTENT, life.SLOT}


@dataclass(slots=True, eq=False)
class _Mute:
    """A capture that gives no verdicts: who waits for an intent, and whom it got last."""

    waiting: deque[PendingEvent] = field(default_factory=deque)
    turn: PendingEvent | None = None


def _content(pending: PendingEvent) -> tuple[bytes, bytes] | None:
    """What a later request must share with an earlier one to take its place."""
    event = pending.event
    return None if event.identity is None else (event.identity, event.content)


def _lost(event: Event, admission: Admission) -> Iterator[Lost]:
    """Requests that a run meant to send, and could not count any more."""
    for each in admission.doubtful:
        if each.standing is Standing.INTENDED:
            yield Lost(event) if each.is_same_content and not each.is_former else Lost(event, each.row)


def _take(queue: deque[PendingEvent], most: int) -> list[PendingEvent]:
    return [queue.popleft() for _ in range(min(len(queue), most))]
