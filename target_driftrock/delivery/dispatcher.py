"""Admit, record the intent, send, judge, settle, stop.

An event passes these stations, each a queue of its own:

    lanes      its person's, and its identity's, earlier events come first
    captures   a capture that has proven nothing gets one request at a time
    recall     the ledger says whether it was sent before
    intent     committed before the first byte of the request
    slot       the limiter has a free one
    request    a task: token, POST, verdict, and the commit of what follows

A slot is given back when what became of its request is committed, so that a kill can have sent at most as
many events without their outcome as there are slots. Everything here runs on one event loop, and nothing
else creates tasks.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_driftrock.delivery.backoff import Backoff
from target_driftrock.delivery.captures import Captures, Ruling
from target_driftrock.delivery.lanes import Lanes
from target_driftrock.delivery.limiter import Limiter
from target_driftrock.delivery.verdict import Admission, Step, admit, is_poisoned, judge
from target_driftrock.errors import (
    ApiOutage,
    CaptureRefused,
    LedgerUnavailable,
    NotTheApi,
    RejectsAboveLimit,
    RunStopped,
    TokenRejected,
)
from target_driftrock.events.answer import Answer, Fault
from target_driftrock.events.event import Event, Refusal
from target_driftrock.events.identity import identity
from target_driftrock.events.outcome import AlreadyDelivered, Changed, Delivered, Held, Invalid, Open, Rejected
from target_driftrock.ledger.interface import Answered, Concluded, Intent, Lost, Proven, Withdrawn
from target_driftrock.retry import Patience, full_jitter, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable, Iterable, Sequence

    from target_driftrock.auth import Tokens
    from target_driftrock.delivery.transport import Transport
    from target_driftrock.events.answer import Reply
    from target_driftrock.events.event import Capture, Part
    from target_driftrock.events.outcome import Outcome, Settled
    from target_driftrock.ledger.interface import Change
    from target_driftrock.ledger.journal import Journal

log = logging.getLogger(__name__)

BACKOFF_CAP = 60.0
BACKOFF_CAP_AMONG_VERDICTS = 5.0
"""Seconds: while other events get verdicts the API is well, and a long sleep only delays one event."""
RECALL_GROUP = 500
TOKENS_REMEMBERED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the settings say of delivery. Durations are seconds."""

    api: str
    max_concurrency: int
    max_outage: float
    holds_unknown: bool = False

    @property
    def intents_ahead(self) -> int:
        """Intents committed before there is a slot, so that no slot waits for a commit.

        None of them where an intent without an answer would hold an event that was never sent.
        """
        return 0 if self.holds_unknown else self.max_concurrency


@dataclass(slots=True, kw_only=True)
class Progress:
    """What the dispatcher has counted. Only its own thread writes; others may read at any time."""

    decided: int = 0
    """Parts that had a first request, or were settled without one."""
    first_requests: int = 0
    retries: int = 0
    unknown: int = 0
    """Requests whose answer was lost."""
    was_judged_late: bool = False
    """Captures that accepted nothing have refused events: the run goes on, and ends with exit 6."""
    began_at: float = 0.0
    """The loop's time of the first request, and of the latest answer."""
    latest_answer_at: float = 0.0

    @property
    def seconds(self) -> float:
        """From the first request to the latest answer; 0 before there is one."""
        return max(0.0, self.latest_answer_at - self.began_at)


@dataclass(slots=True, eq=False, kw_only=True)
class _Delivery:
    """One event on its way."""

    event: Event
    tries: int = 0
    failures: int = 0
    was_unknown: bool = False
    is_unauthorized: bool = False
    has_intent: bool = False
    """An intent is committed, or about to be, and no request has begun under it."""
    is_flying: bool = False
    """A request has begun, and no reply came."""
    is_unjudged: bool = False
    reply: Reply | None = None
    witnesses_at_second_try: tuple[int, int] = (0, 0)


class Dispatcher:
    """Takes parts in the order read, and reports one outcome for each.

    `report` is called on the loop, after the commit of the outcome, and must not block.
    """

    def __init__(  # noqa: PLR0913 - each is a door to the outside
        self,
        *,
        plan: Plan,
        transport: Transport,
        tokens: Tokens,
        journal: Journal,
        wall: Callable[[], float],
        roll: Callable[[], float],
        report: Callable[[Part, Outcome], None],
    ) -> None:
        self._plan = plan
        self._transport = transport
        self._tokens = tokens
        self._journal = journal
        self._wall = wall
        self._roll = roll
        self._report = report

        self.progress = Progress()
        self._lanes: Lanes[_Delivery] = Lanes()
        self._captures: Captures[_Delivery] = Captures()
        self._limiter = Limiter(plan.max_concurrency)
        self._backoff: Backoff[_Delivery] = Backoff()
        self._patience = Patience(plan.max_outage)

        self._unsettled: dict[_Delivery, None] = {}
        self._unjudged = 0
        self._refusals: list[Refusal] = []
        self._ready: deque[_Delivery] = deque()
        self._unrecalled: deque[_Delivery] = deque()
        self._cleared: deque[_Delivery] = deque()
        self._sendable: deque[_Delivery] = deque()
        self._requests: dict[asyncio.Task[None], _Delivery] = {}
        self._chores: dict[str, asyncio.Task[None]] = {}

        self._refused_token: str | None = None
        self._accepted_tokens: deque[str] = deque(maxlen=TOKENS_REMEMBERED)
        self._token_users: Counter[str] = Counter()
        self._doubted: dict[str, list[_Delivery]] = {}

        self._witnesses = 0
        self._failed_witnesses = 0
        self._latest_verdict = float("-inf")
        self._latest_reason = "no answer yet"

        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._failure: BaseException | None = None
        self._is_input_over = False
        self._is_stopping = False
        self._is_reader_waiting = False

    # What the handoff calls, on the loop.

    def submit(self, parts: Iterable[Part]) -> None:
        """Take parts, in the order read."""
        for part in parts:
            if isinstance(part, Refusal):
                self._refusals.append(part)
                continue
            delivery = _Delivery(event=part)
            self._unsettled[delivery] = None
            if self._lanes.enter(delivery, self._lane_keys(part)):
                self._ready.append(delivery)
        self._wake.set()

    def end_input(self) -> None:
        """Nothing more will be submitted: `run` returns when all is settled."""
        self._is_input_over = True
        self._wake.set()

    def stop(self) -> None:
        """Start nothing more. A second call also gives up what is in flight."""
        if self._is_stopping:
            self._hurry.set()
        self._is_stopping = True
        self._wake.set()

    def note_reader_waits(self) -> None:
        """The reader can go on only when something is settled."""
        self._is_reader_waiting = True
        self._wake.set()

    async def run(self, *, grace: float) -> None:
        """Deliver until the input is over and all is settled, or until stopped.

        What is in flight when the run stops gets `grace` seconds to finish. Afterwards every part has had
        its outcome reported, `Open` ones included. Raises what stopped the run, if it stopped by itself.
        """
        try:
            while not self._is_through():
                self._step()
                await self._rest()
        except LedgerUnavailable:
            await self._abandon()
            raise
        except BaseException:
            await self._wind_down(grace)
            raise
        await self._wind_down(grace)
        if self.progress.was_judged_late and not self._is_stopping:
            raise RejectsAboveLimit(_UNPROVEN_AT_END)

    # The loop: choose, then act.

    def _is_through(self) -> bool:
        if self._failure is not None:
            raise self._failure
        if self._is_stopping:
            return True
        return self._is_input_over and not self._unsettled and not self._refusals and not self._chores

    def _step(self) -> None:
        now = self._now()
        for delivery in self._backoff.wake(now):
            self._let_go(self._captures.enter_again(delivery, delivery.event.capture))
        self._keep_patience(now)
        self._start_chore("refusals", self._settle_refusals, is_due=bool(self._refusals))
        self._start_chore("recall", self._recall, is_due=bool(self._ready or self._unrecalled))
        self._start_chore("intents", self._intend, is_due=bool(self._cleared) and self._intents_wanted(now) > 0)
        self._start_chore("judgement", self._judge_unproven, is_due=self._only_refusals_wait())
        self._start_requests(now)

    async def _rest(self) -> None:
        deadline = self._next_deadline()
        timer = None if deadline is None else asyncio.get_running_loop().call_at(deadline, self._wake.set)
        await self._wake.wait()
        self._wake.clear()
        if timer is not None:
            timer.cancel()

    def _next_deadline(self) -> float | None:
        now = self._now()
        moments = [self._backoff.next_wake(), self._patience.deadline()]
        if self._sendable and now < self._limiter.paused_until:
            moments.append(self._limiter.paused_until)
        return min((moment for moment in moments if moment is not None), default=None)

    def _keep_patience(self, now: float) -> None:
        if len(self._unsettled) > self._unjudged:
            self._patience.wait(now)
        else:
            self._patience.rest(now)
        if self._patience.is_exhausted(now):
            raise ApiOutage(_OUTAGE.format(seconds=self._plan.max_outage, reason=self._latest_reason))

    def _start_requests(self, now: float) -> None:
        free = self._limiter.free(now)
        while free > 0 and self._sendable:
            delivery = self._sendable.popleft()
            self._limiter.take()
            free -= 1
            task = self._spawn(self._attempt(delivery))
            self._requests[task] = delivery
            task.add_done_callback(self._end_request)

    def _start_chore(self, name: str, work: Callable[[], Coroutine[None, None, None]], *, is_due: bool) -> None:
        """Chores talk to the ledger; there is one of a kind at a time."""
        if not is_due or name in self._chores:
            return
        task = self._chores[name] = self._spawn(work())
        task.add_done_callback(lambda _: self._end_chore(name))

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._note_failure)
        return task

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None and self._failure is None:
            self._failure = task.exception()
        self._wake.set()

    def _end_request(self, task: asyncio.Task[None]) -> None:
        del self._requests[task]
        self._limiter.give_back()

    def _end_chore(self, name: str) -> None:
        del self._chores[name]

    # Before the request.

    def _lane_keys(self, event: Event) -> list[Hashable]:
        keys = [event.person, identity(event, api=self._plan.api)]
        return [key for key in keys if key is not None]

    async def _recall(self) -> None:
        """Ask the ledger for captures not met before, and for the events that their captures let pass."""
        arrived = [self._ready.popleft() for _ in range(min(len(self._ready), RECALL_GROUP))]
        await self._learn_captures(arrived)
        for delivery in arrived:
            self._let_go(self._captures.enter(delivery, delivery.event.capture))
        group = [self._unrecalled.popleft() for _ in range(min(len(self._unrecalled), RECALL_GROUP))]
        settled: list[tuple[_Delivery, Settled]] = []
        for delivery, known in zip(group, await self._journal.recall([d.event for d in group]), strict=True):
            self._admit(delivery, admit(known, holds_unknown=self._plan.holds_unknown), settled)
        await self._settle(settled)
        for delivery, _ in settled:
            self._let_go(self._captures.depart(delivery.event.capture))

    def _let_go(self, deliveries: Iterable[_Delivery]) -> None:
        """Their captures let them pass. Those tried before were recalled before."""
        for delivery in deliveries:
            (self._cleared if delivery.tries else self._unrecalled).append(delivery)

    async def _learn_captures(self, arrived: Sequence[_Delivery]) -> None:
        new = [
            capture
            for capture in dict.fromkeys(delivery.event.capture for delivery in arrived)
            if not self._captures.is_known(capture)
        ]
        if not new:
            return
        for capture, is_proven in zip(new, await self._journal.proven(new), strict=True):
            if is_proven:
                self._captures.remember(capture)

    def _admit(self, delivery: _Delivery, admission: Admission, settled: list[tuple[_Delivery, Settled]]) -> None:
        match admission:
            case Admission.SEND:
                self._cleared.append(delivery)
            case Admission.SEND_UNKNOWN:
                delivery.was_unknown = True
                self._cleared.append(delivery)
            case Admission.ALREADY:
                settled.append((delivery, AlreadyDelivered()))
            case Admission.CHANGED:
                settled.append((delivery, Changed()))
            case Admission.HOLD:
                settled.append((delivery, Held(reason=_ANSWER_LOST, is_unknown=True)))

    def _intents_wanted(self, now: float) -> int:
        return self._plan.intents_ahead + self._limiter.free(now) - len(self._sendable)

    async def _intend(self) -> None:
        count = min(len(self._cleared), self._intents_wanted(self._now()))
        group = [self._cleared.popleft() for _ in range(count)]
        for delivery in group:
            delivery.has_intent = True
        await self._journal.commit([Intent(delivery.event) for delivery in group])
        self._sendable.extend(group)

    # The request, and what follows.

    async def _attempt(self, delivery: _Delivery) -> None:
        """One request, and the commit of what became of it."""
        token = await self._tokens.token(refused=self._refused_token)
        self._note_try(delivery)
        self._token_users[token] += 1
        try:
            reply = await self._transport.post(
                delivery.event.capture.endpoint, body=delivery.event.body, token=token
            )
        finally:
            self._token_users[token] -= 1
        self._note_reply(delivery, reply)
        await self._follow(delivery, reply, token)
        await self._resolve_doubt(token)

    def _note_try(self, delivery: _Delivery) -> None:
        delivery.tries += 1
        delivery.has_intent = False
        delivery.is_flying = True
        if delivery.tries == 1:
            self.progress.first_requests += 1
            self.progress.decided += 1
        else:
            self.progress.retries += 1
        if delivery.tries == 2:  # noqa: PLR2004 - the second try
            delivery.witnesses_at_second_try = self._witnesses, self._failed_witnesses
        if not self.progress.began_at:
            self.progress.began_at = self._now()

    def _note_reply(self, delivery: _Delivery, reply: Reply) -> None:
        delivery.is_flying = False
        delivery.reply = reply
        is_server_error = isinstance(reply, Answer) and reply.status >= 500  # noqa: PLR2004 - 5xx
        if isinstance(reply, Answer):
            self._limiter.note_answer(is_server_error=is_server_error)
            self.progress.latest_answer_at = self._now()
        if delivery.tries == 1 and reply is not Fault.NOT_SENT:
            self._witnesses += 1
            self._failed_witnesses += is_server_error or reply is Fault.NO_ANSWER

    async def _follow(self, delivery: _Delivery, reply: Reply, token: str) -> None:
        step = judge(reply, was_unknown=delivery.was_unknown)
        self._latest_reason = _reason(reply)
        if step not in {Step.RENEW_TOKEN, Step.RETRY_NOT_SENT, Step.RETRY_UNKNOWN}:
            self._accept_token(token)
            delivery.is_unauthorized = False
        match step:
            case Step.DELIVER:
                await self._deliver(delivery)
            case Step.REFUSE | Step.REFUSE_SETUP:
                await self._refuse(delivery, reply, step)
            case Step.RENEW_TOKEN:
                await self._renew_token(delivery, token)
            case Step.NOT_THE_API:
                await self._journal.commit([Answered(delivery.event)])
                raise NotTheApi(_NOT_THE_API)
            case Step.RETRY | Step.THROTTLE | Step.RETRY_NOT_SENT | Step.RETRY_UNKNOWN:
                await self._retry(delivery, reply, step)

    async def _deliver(self, delivery: _Delivery) -> None:
        capture = delivery.event.capture
        is_first = not self._captures.is_proven(capture)
        freed, judged = self._captures.accept(capture)
        self._note_verdict()
        await self._settle(
            [(delivery, Delivered()), *((refused, _rejected(refused)) for refused in judged)],
            [Proven(capture)] if is_first else [],
        )
        self._let_go(freed)

    async def _refuse(self, delivery: _Delivery, reply: Reply, step: Step) -> None:
        delivery.reply = reply
        capture = delivery.event.capture
        self._note_verdict()
        if step is Step.REFUSE_SETUP:
            ruling = self._captures.refuse_setup(delivery, capture)
        else:
            ruling = self._captures.refuse(delivery, capture)
        if ruling is Ruling.REJECT:
            await self._settle([(delivery, _rejected(delivery))])
            return
        delivery.is_unjudged = True
        self._unjudged += 1
        await self._journal.commit([Answered(delivery.event)])
        self._raise_if_stopped(ruling, capture)
        self._ready.extend(self._lanes.leave(delivery))
        self._let_go(self._captures.depart(capture))

    def _raise_if_stopped(self, ruling: Ruling, capture: Capture) -> None:
        if ruling is Ruling.STOP_SETUP:
            raise CaptureRefused(_CAPTURE_REFUSED.format(capture=capture.label, reason=self._latest_reason))
        if ruling is Ruling.STOP_REJECTS:
            raise RejectsAboveLimit(_NOTHING_ACCEPTED.format(capture=capture.label, reason=self._latest_reason))

    async def _retry(self, delivery: _Delivery, reply: Reply, step: Step) -> None:
        is_lost = step is Step.RETRY_UNKNOWN
        if is_lost:
            delivery.was_unknown = True
            self.progress.unknown += 1
        if step in {Step.RETRY, Step.RETRY_UNKNOWN}:
            delivery.failures += 1
            if self._is_poisoned(delivery):
                await self._hold(delivery, _POISONED, is_lost=is_lost)
                return
        if is_lost and self._plan.holds_unknown:
            await self._hold(delivery, _ANSWER_LOST, is_lost=is_lost)
            return
        await self._journal.commit([Lost(delivery.event) if is_lost else Answered(delivery.event)])
        self._sleep(delivery, reply, step)

    async def _hold(self, delivery: _Delivery, reason: str, *, is_lost: bool) -> None:
        answer = delivery.reply if isinstance(delivery.reply, Answer) else None
        held = Held(
            reason=reason,
            is_unknown=reason is _ANSWER_LOST,
            status=answer.status if answer else None,
            excerpt=answer.excerpt if answer else b"",
        )
        await self._settle([(delivery, held)], [Lost(delivery.event)] if is_lost else [])
        self._let_go(self._captures.depart(delivery.event.capture))

    def _is_poisoned(self, delivery: _Delivery) -> bool:
        witnesses, failed = delivery.witnesses_at_second_try
        return is_poisoned(
            failures=delivery.failures,
            witnesses=self._witnesses - witnesses,
            failed_witnesses=self._failed_witnesses - failed,
        )

    def _sleep(self, delivery: _Delivery, reply: Reply, step: Step) -> None:
        now = self._now()
        asked = self._wait_asked_for(reply)
        not_before = now + asked if asked is not None else 0.0
        if asked is not None and (step is Step.THROTTLE or self._limiter.is_strained):
            self._limiter.pause(not_before)
        is_api_well = now - self._latest_verdict < BACKOFF_CAP_AMONG_VERDICTS
        cap = BACKOFF_CAP_AMONG_VERDICTS if is_api_well else BACKOFF_CAP
        until = max(not_before, now + full_jitter(delivery.tries + 1, cap=cap, roll=self._roll()))
        self._backoff.sleep(delivery, until=until, not_before=not_before)
        self._let_go(self._captures.back_off(delivery, delivery.event.capture))

    def _wait_asked_for(self, reply: Reply) -> float | None:
        return retry_after(reply.retry_after, now=self._wall()) if isinstance(reply, Answer) else None

    # Tokens that were refused.

    def _accept_token(self, token: str) -> None:
        if token not in self._accepted_tokens:
            self._accepted_tokens.append(token)

    async def _renew_token(self, delivery: _Delivery, token: str) -> None:
        """The first 401 of an event asks for another token; its second may be a verdict on the event."""
        await self._journal.commit([Answered(delivery.event)])
        if delivery.is_unauthorized or not self._tokens.is_renewable:
            self._doubted.setdefault(token, []).append(delivery)
            return
        self._refused_token = token
        delivery.is_unauthorized = True
        self._cleared.appendleft(delivery)

    async def _resolve_doubt(self, token: str) -> None:
        """Others' answers with this token tell whether the token or the event was refused."""
        if token in self._accepted_tokens:
            for delivery in self._doubted.pop(token, []):
                await self._refuse(delivery, delivery.reply or Answer(status=401), Step.REFUSE_SETUP)
        if self._token_users[token]:
            return
        del self._token_users[token]
        if self._doubted.get(token):
            raise TokenRejected(_TOKEN_REJECTED)

    # Outcomes.

    async def _settle(
        self, outcomes: Sequence[tuple[_Delivery, Settled]], others: Sequence[Change] = ()
    ) -> None:
        """Commit outcomes in one transaction, then report them and let go who waited."""
        changes: list[Change] = [
            Concluded(part=delivery.event, outcome=outcome, tries=delivery.tries) for delivery, outcome in outcomes
        ]
        await self._journal.commit([*others, *changes])
        for delivery, outcome in outcomes:
            del self._unsettled[delivery]
            self.progress.decided += delivery.tries == 0
            self._report(delivery.event, outcome)
            if delivery.is_unjudged:  # it left its lanes when it was refused
                self._unjudged -= 1
            else:
                self._ready.extend(self._lanes.leave(delivery))

    async def _settle_refusals(self) -> None:
        refusals, self._refusals = self._refusals, []
        outcomes = [(refusal, Invalid(reason=refusal.reason)) for refusal in refusals]
        await self._journal.commit([Concluded(part=part, outcome=outcome) for part, outcome in outcomes])
        for part, outcome in outcomes:
            self.progress.decided += 1
            self._report(part, outcome)

    def _note_verdict(self) -> None:
        now = self._now()
        if now - self._latest_verdict >= BACKOFF_CAP_AMONG_VERDICTS:
            self._backoff.hasten(now + BACKOFF_CAP_AMONG_VERDICTS)
        self._latest_verdict = now
        self._patience.verdict(now)

    # Judgement of what unproven captures refused.

    def _only_refusals_wait(self) -> bool:
        """Nothing else keeps the input from ending, or the reader from reading."""
        is_asked, self._is_reader_waiting = self._is_reader_waiting or self._is_input_over, False
        return is_asked and 0 < self._unjudged == len(self._unsettled)

    async def _judge_unproven(self) -> None:
        self.progress.was_judged_late = True
        await self._settle([(delivery, _rejected(delivery)) for delivery in self._captures.judge()])

    # The end of a run.

    async def _wind_down(self, grace: float) -> None:
        """Let finish what is in flight, take back what was not sent, and call the rest open."""
        self._is_stopping = True
        self._cancel(lambda delivery: delivery.has_intent)
        await self._wait_for_requests(grace)
        self._cancel(lambda delivery: delivery.is_flying)
        await asyncio.gather(*self._requests, *self._chores.values(), return_exceptions=True)
        try:
            await self._journal.commit(self._last_changes())
        except LedgerUnavailable:
            log.warning("The ledger is lost at the very end: the next run takes open events for unknown.")
        self._leave_open()

    async def _abandon(self) -> None:
        """Without a ledger nothing can be recorded: leave everything as it is."""
        self._is_stopping = True
        self._cancel(lambda _: True)
        await asyncio.gather(*self._requests, return_exceptions=True)
        self._leave_open()

    def _cancel(self, fits: Callable[[_Delivery], bool]) -> None:
        for task, delivery in self._requests.items():
            if fits(delivery):
                task.cancel()

    async def _wait_for_requests(self, grace: float) -> None:
        if not self._requests:
            return
        hurry = asyncio.create_task(self._hurry.wait())
        finished = asyncio.create_task(asyncio.wait(list(self._requests)))
        await asyncio.wait({hurry, finished}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (hurry, finished):
            waiting.cancel()

    def _last_changes(self) -> list[Change]:
        changes: list[Change] = []
        for delivery in self._unsettled:
            if delivery.is_flying:
                self.progress.unknown += 1
                changes.append(Lost(delivery.event))
            elif delivery.has_intent:
                changes.append(Withdrawn(delivery.event))
        return changes

    def _leave_open(self) -> None:
        for delivery in self._unsettled:
            self._report(delivery.event, Open(reason=_why_open(delivery)))
        for refusal in self._refusals:
            self._report(refusal, Open(reason="refused, and not recorded"))
        self._unsettled.clear()
        self._refusals.clear()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _why_open(delivery: _Delivery) -> str:
    if delivery.is_unjudged:
        return "refused by a capture that has accepted nothing"
    if delivery.is_flying or delivery.was_unknown:
        return "sent without an answer"
    return "to be tried again" if delivery.tries else "never sent"


def _rejected(delivery: _Delivery) -> Rejected:
    answer = delivery.reply if isinstance(delivery.reply, Answer) else Answer(status=0)
    return Rejected(status=answer.status, excerpt=answer.excerpt)


def _reason(reply: Reply) -> str:
    return f"status {reply.status}" if isinstance(reply, Answer) else reply.value


_ANSWER_LOST = "its answer was lost"
_POISONED = "it fails while others do well"
_OUTAGE = (
    "Driftrock gave no verdict on anything for {seconds:g} seconds (last: {reason}). "
    "Nothing is lost: run again later, or raise max_outage_seconds."
)
_NOT_THE_API = (
    "What answers events is a web page, not Driftrock's API: check environment, api_url and any proxy in between."
)
_CAPTURE_REFUSED = (
    "The capture of {capture} refuses events ({reason}) as if it did not exist or were closed to these "
    "credentials: check the source_id at Driftrock. What it refused stays open, and is sent by the next run."
)
_NOTHING_ACCEPTED = (
    "The capture of {capture} refused the first ten events it got (last: {reason}) and accepted none: check the "
    "mapping with `target-driftrock preview`. They stay open, and are sent by the next run."
)
_UNPROVEN_AT_END = "A capture that has never accepted an event refused some: check its mapping and its source_id."
_TOKEN_REJECTED = (
    "Driftrock's token endpoint gives a token, but events with it are refused (status 401): check that client_id, "
    "client_secret and environment belong together, and that the credentials may send events."
)
