"""What an event passes before its request: its lanes, its capture, the ledger's memory, the intent.

Each station is a queue. Nothing here is a task: the dispatcher runs `recall` and `intend` as its chores.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from target_driftrock.delivery import life
from target_driftrock.delivery.admission import Admission, Send, admit
from target_driftrock.delivery.lanes import Lanes
from target_driftrock.ledger.interface import Intent, Lost, Standing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Sequence

    from target_driftrock.delivery.captures import Captures
    from target_driftrock.delivery.passage import Passage, Plan
    from target_driftrock.events.event import Event
    from target_driftrock.events.outcome import Settled
    from target_driftrock.ledger.interface import Change
    from target_driftrock.ledger.journal import Journal

    Settle = Callable[[Sequence[tuple[Passage, Settled]], Sequence[Change]], Awaitable[None]]

RECALL_GROUP = 500
FORESEEN_GROUP = 100
"""Few: an event whose turn comes meanwhile waits for their look-up."""


class Intake:
    """The stations before the request. `settle` takes what needs none, with its outcome, and changes beside."""

    def __init__(self, *, plan: Plan, journal: Journal, captures: Captures[Passage], settle: Settle) -> None:
        self._plan = plan
        self._journal = journal
        self._captures = captures
        self._settle = settle
        self._lanes: Lanes[Passage] = Lanes()
        self._unjudged: dict[tuple[bytes, bytes], Passage] = {}
        self._ready: deque[Passage] = deque()
        self._foreseeable: deque[Passage] = deque()
        """The look-ahead: of those that waited for their person alone when they came."""
        self._unrecalled: deque[Passage] = deque()
        self._cleared: deque[Passage] = deque()
        self.sendable: deque[Passage] = deque()
        """Those that wait for a slot."""

    def arrive(self, passage: Passage) -> None:
        """An event was read. Its person's, and its identity's, earlier events come first."""
        same = passage.event.identity
        is_alone = same is None or not self._lanes.holds(same)
        keys: list[Hashable | None] = [passage.event.person, same]
        if self._lanes.enter(passage, [key for key in keys if key is not None]):
            self._have_ready(passage)
        elif is_alone:  # only its person holds it up, so what the ledger knows of it will not change until its turn
            self._foreseeable.append(passage)

    def leave_lanes(self, passage: Passage) -> None:
        """An event no longer holds up those behind it."""
        for freed in self._lanes.leave(passage):
            self._have_ready(freed)

    def put_aside(self, passage: Passage) -> None:
        """A refusal that waits for its capture's first acceptance holds nobody up, not even the same content."""
        same = _content(passage)
        if same is not None:
            self._unjudged[same] = passage
        self.leave_lanes(passage)

    def let_go(self, passages: Iterable[Passage]) -> None:
        """Their captures let them pass. Those tried before were recalled before, and go before all others.

        Behind thousands that wait for their first request, a retry would keep STATE where it is.
        """
        for passage in passages:
            if passage.tries:
                self.send_again(passage)
            else:
                passage.move(life.MEMORY)
                self._unrecalled.append(passage)

    def send_again(self, passage: Passage) -> None:
        """At once, before all others."""
        passage.move(life.INTENT)
        self._cleared.appendleft(passage)

    @property
    def needs_recall(self) -> bool:
        """Whether `recall` has something to do."""
        return bool(self._ready or self._unrecalled or self._foreseeable)

    def needs_intents(self, free: int) -> bool:
        """Whether `intend` has something to do, with so many slots free.

        Those ahead are made up for when half of them are gone: a commit for each would be one more an event.
        """
        wanted = self._intents_wanted(free)
        is_short = len(self.sendable) < free or 2 * wanted >= self._plan.intents_ahead
        return bool(self._cleared) and wanted > 0 and is_short

    async def recall(self) -> None:
        """Ask the ledger for captures not met before, and for the events that their captures let pass.

        It is asked ahead for those that wait for their person: what follows an answer must not wait for it.
        """
        arrived = _take(self._ready, RECALL_GROUP)
        await self._learn_captures([passage.event for passage in arrived])
        for passage in arrived:
            self.let_go(self._captures.enter(passage, passage.event.capture))
        group = _take(self._unrecalled, RECALL_GROUP)
        await self._admit_all([passage for passage in group if passage.known is not None])
        rest = [passage for passage in group if passage.known is None]
        foreseen = _take(self._foreseeable, FORESEEN_GROUP)
        asked = [*rest, *(passage for passage in foreseen if passage.state is life.PERSON)]
        if asked:
            found = await self._journal.recall([passage.event for passage in asked])
            for passage, known in zip(asked, found, strict=True):
                passage.known = known
        await self._admit_all(rest)

    async def _admit_all(self, group: Sequence[Passage]) -> None:
        settled: list[tuple[Passage, Settled]] = []
        lost: list[Lost] = []
        for passage in group:
            admission = admit(
                passage.known or (),
                on_changed=passage.event.on_changed,
                holds_unknown=self._plan.holds_unknown,
                is_replay=passage.event.origin.row is not None,
            )
            lost += _lost(passage.event, admission)
            if isinstance(admission.verdict, Send):
                self._clear(passage, admission.verdict)
            else:
                settled.append((passage, admission.verdict))
        await self._settle(settled, lost)
        for passage, _ in settled:
            self.let_go(self._captures.depart(passage.event.capture))

    async def intend(self, free: int) -> None:
        """Commit intents for the slots that are free, and for some more ahead of them."""
        group = _take(self._cleared, self._intents_wanted(free))
        for passage in group:
            self._supersede(passage)
        await self._journal.commit([Intent(passage.event) for passage in group])
        for passage in group:
            passage.move(life.SLOT)
        self.sendable.extend(group)

    def _have_ready(self, passage: Passage) -> None:
        passage.move(life.CAPTURE)
        self._ready.append(passage)

    def _supersede(self, passage: Passage) -> None:
        """From now on the ledger holds what becomes of this request, whatever is judged of an earlier one."""
        if not self._unjudged:
            return
        same = _content(passage)
        earlier = None if same is None else self._unjudged.pop(same, None)
        if earlier is not None:
            earlier.was_superseded = True

    async def _learn_captures(self, events: Sequence[Event]) -> None:
        captures = dict.fromkeys(event.capture for event in events)
        new = [capture for capture in captures if not self._captures.is_known(capture)]
        if not new:
            return
        for capture, is_proven in zip(new, await self._journal.proven(new), strict=True):
            if is_proven:
                self._captures.remember(capture)

    def _clear(self, passage: Passage, send: Send) -> None:
        passage.was_unknown = send.was_unknown
        passage.is_change = send.is_change
        passage.move(life.INTENT)
        self._cleared.append(passage)

    def _intents_wanted(self, free: int) -> int:
        return self._plan.intents_ahead + free - len(self.sendable)


def _content(passage: Passage) -> tuple[bytes, bytes] | None:
    """What a later request must share with an earlier one to take its place."""
    event = passage.event
    return None if event.identity is None else (event.identity, event.content)


def _lost(event: Event, admission: Admission) -> Iterator[Lost]:
    """Requests that a run meant to send, and could not count any more."""
    for each in admission.doubtful:
        if each.standing is Standing.INTENDED:
            yield Lost(event) if each.is_same_content and not each.is_former else Lost(event, each.row)


def _take(queue: deque[Passage], most: int) -> list[Passage]:
    return [queue.popleft() for _ in range(min(len(queue), most))]
