"""Admit, record the intent, send, judge, settle, stop.

The states of an event are in `life`. What moves it on: `Intake` up to its intent (as chores, which ask the ledger), a
task of its own for each request (token, POST, verdict, and the commit of what follows), the backoff.

A slot is given back when what became of its request is committed, so that a kill can have sent at most as
many events without their outcome as there are slots. Everything here runs on one event loop, and nothing
else creates tasks.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from target_driftrock.delivery import life
from target_driftrock.delivery.admission import ANSWER_LOST
from target_driftrock.delivery.backoff import Backoff
from target_driftrock.delivery.captures import Captures, Ruling
from target_driftrock.delivery.intake import Intake
from target_driftrock.delivery.life import LIFE, Stop
from target_driftrock.delivery.limiter import Limiter
from target_driftrock.delivery.pending import Outlook, PendingEvent, Statistics
from target_driftrock.delivery.renewal import Renewal
from target_driftrock.delivery.silence import Silences
from target_driftrock.delivery.verdict import CONFLICT, NOBODY_YET, VERDICTS, Step, Witnesses, is_poisoned, judge
from target_driftrock.errors import (
    AnswersLost,
    ApiOutage,
    AskedToWait,
    CaptureRefused,
    LedgerUnavailable,
    RejectsAboveLimit,
    RunStopped,
)
from target_driftrock.events.answer import Answer, NoAnswer
from target_driftrock.events.event import InvalidPart
from target_driftrock.events.outcome import ChangeCause, Changed, Delivered, Held, Invalid, Open, Rejected
from target_driftrock.ledger.interface import PERHAPS_ACCEPTED, Answered, Arrived, Concluded, Lost, Proven, Withdrawn
from target_driftrock.redaction import Withheld
from target_driftrock.retry import Patience, full_jitter, retry_after
from target_driftrock.settings import OnChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from target_driftrock.auth import Tokens
    from target_driftrock.delivery.pending import DeliveryConfig
    from target_driftrock.delivery.transport import Transport
    from target_driftrock.delivery.verdict import Meaning
    from target_driftrock.events.answer import Reply
    from target_driftrock.events.event import Capture, Part
    from target_driftrock.events.outcome import Outcome, Settled
    from target_driftrock.ledger.interface import Change
    from target_driftrock.ledger.threaded import AsyncLedger

log = logging.getLogger(__name__)

BACKOFF_CAP = 60.0
BACKOFF_CAP_AMONG_VERDICTS = 5.0
"""Seconds: while other events get verdicts the API is well, and a long sleep only delays one event."""

LONGEST_ALONE = 60.0
"""Seconds that one event waits which is asked to for longer than patience lasts, while others get verdicts."""
HELD_UP = 1.0
"""Seconds behind a deadline: this process was stopped, or its container frozen. What came meanwhile is not read yet, so
that time is no outage."""
POISONED = "it fails while others do well"


class Dispatcher:
    """Takes parts in the order read, and reports one outcome for each.

    To be made inside its loop. `report` is called there, after the commit of the outcome, and must not block. `wall`
    is Unix time, `roll` uniform in [0, 1); all other time is the loop's. `pending` makes what follows an event.
    """

    def __init__(
        self,
        *,
        config: DeliveryConfig,
        transport: Transport,
        tokens: Tokens,
        ledger: AsyncLedger,
        wall: Callable[[], float],
        roll: Callable[[], float],
        report: Callable[[Part, Outcome], None],
        pending: type[PendingEvent] = PendingEvent,
    ) -> None:
        self._config = config
        self._transport = transport
        self._tokens = tokens
        self._ledger = ledger
        self._wall = wall
        self._roll = roll
        self._report = report
        self._make_pending = pending
        self._now = asyncio.get_running_loop().time

        self.statistics = Statistics()
        self._captures: Captures[PendingEvent] = Captures()
        self._wake = asyncio.Event()
        self._intake = Intake(
            config=config, ledger=ledger, captures=self._captures, settle=self._settle, wake=self._wake.set
        )
        self._limiter = Limiter(config.max_concurrency, most_per_second=config.most_per_second)
        self._backoff: Backoff[PendingEvent] = Backoff()
        self._renewal = Renewal(roll)
        self._silences = Silences(has_key=not tokens.is_renewable)
        self._patience = Patience(config.max_outage)

        self._invalid_parts: list[InvalidPart] = []
        self._waiting_for_disk: list[Callable[[], object]] = []
        self._unsettled: dict[PendingEvent, None] = {}
        self._unjudged = 0
        self._requests: dict[asyncio.Task[None], PendingEvent] = {}
        self._chores: dict[str, asyncio.Task[None]] = {}
        self._witnesses = NOBODY_YET
        self._failing: set[PendingEvent] = set()
        self._held_since_verdict = 0
        self._latest_verdict = float("-inf")
        self._latest_reply = float("-inf")
        self._latest_reason = "no answer yet"

        self._hurry = asyncio.Event()
        self._failure: BaseException | None = None
        self._is_input_over = False
        self._is_stopping = False
        self._is_reader_waiting = False
        self._are_trials_due = False

    # What the door calls, on the loop.

    def submit(self, parts: Iterable[Part]) -> None:
        """Take parts, in the order read."""
        for part in parts:
            if isinstance(part, InvalidPart):
                self._invalid_parts.append(part)
                continue
            pending = self._make_pending(event=part)
            self._unsettled[pending] = None
            self._intake.arrive(pending)
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

    def secure(self, done: Callable[[], object]) -> None:
        """Call `done` when the disk has all that was reported until now."""
        self._waiting_for_disk.append(done)
        self._wake.set()

    def note_reader_waits(self) -> None:
        """The reader can go on only when something is settled."""
        self._is_reader_waiting = True
        self._wake.set()

    def outlook(self) -> Outlook:
        """How things stand with the API at this moment."""
        now = self._now()
        deadline = None if self._is_stopping else self._patience.deadline()
        next_try = self._next_try(now)
        return Outlook(
            waited=self._patience.spent(now),
            left=None if deadline is None else max(0.0, deadline - now),
            next_try=next_try,
            reason=self._why_no_token() if next_try is None else self._latest_failure(),
        )

    async def run(self, *, grace: float) -> None:
        """Deliver until the input is over and all is settled, or until stopped.

        What is in flight when the run stops gets `grace` seconds to finish. Afterwards every part has had
        its outcome reported, `Open` ones included. Raises what stopped the run, if it stopped by itself; of a run
        that was told to stop, a defect that came to light meanwhile.
        """
        if self._config.trial_rest is not None:
            self._look_at_trials(self._config.trial_rest)
        try:
            while not self._is_through():
                now = self._now()  # once: what is not due by this clock must not be past by the next
                self._step(now)
                await self._rest(now)
        except LedgerUnavailable:
            await self._abandon()
            raise
        except BaseException:
            await self._wind_down(grace)
            raise
        if self._is_stopping:
            await self._wind_down(grace)
            if self._failure is not None and not isinstance(self._failure, RunStopped):
                raise self._failure
        elif self.statistics.was_judged_late:
            raise RejectsAboveLimit(UNPROVEN_AT_END)

    # The loop: choose, then act.

    def _is_through(self) -> bool:
        if self._failure is not None:
            raise self._failure
        if self._is_stopping:
            return True
        return self._is_input_over and not (self._unsettled or self._invalid_parts or self._chores)

    def _step(self, now: float) -> None:
        for pending in self._backoff.wake(now):
            pending.move(life.CAPTURE)
            self._intake.let_go(self._captures.enter_again(pending, pending.event.capture))
        self._keep_patience(now)
        self._start_requests(self._free(now))
        free = self._free(now)  # what is left needs intents, and what has just started needs none
        self._start_chore("invalid", self._settle_invalid, is_due=bool(self._invalid_parts))
        self._start_chore("recall", self._intake.recall, is_due=self._intake.needs_recall)
        self._start_chore("intents", partial(self._intake.intend, free), is_due=self._intake.needs_intents(free))
        self._start_chore("disk", self._secure, is_due=bool(self._waiting_for_disk))
        self._start_chore("judgement", self._judge_unproven, is_due=self._only_refusals_wait())
        self._start_chore("trials", self._leave_idle_trials, is_due=self._are_trials_due)

    async def _rest(self, now: float) -> None:
        deadline = self._next_deadline(now)
        timer = None if deadline is None else asyncio.get_running_loop().call_at(deadline, self._wake.set)
        await self._wake.wait()
        self._wake.clear()
        if timer is not None:
            timer.cancel()
        if deadline is not None and (woken := self._now()) >= deadline + HELD_UP:
            self._patience.begin(woken)

    def _next_deadline(self, now: float) -> float | None:
        moments = [self._backoff.next_wake(), self._patience.deadline()]
        next_start = self._limiter.next_start(now)
        if next_start > now:
            moments.append(next_start)
        return min((moment for moment in moments if moment is not None), default=None)

    def _latest_failure(self) -> str | None:
        return self._latest_reason if self._latest_reply > self._latest_verdict else None

    def _why_no_token(self) -> str:
        return "no token yet" if self._tokens.fault is None else f"no token: {self._tokens.fault}"

    def _next_try(self, now: float) -> float | None:
        """Seconds until a request; 0 where one is under way, or about to be, and None where it waits for a token."""
        states = {pending.state for pending in self._requests.values()}
        if life.IN_FLIGHT in states:
            return 0.0
        is_starting = life.STARTING in states
        next_start = self._limiter.next_start(now)
        if is_starting and next_start <= now:
            return None
        wake = None if is_starting or self._intake.sendable else self._backoff.next_wake()
        return max(now, next_start, now if wake is None else wake) - now

    def _keep_patience(self, now: float) -> None:
        is_something_asked = self._requests or self._backoff.next_wake() is not None
        if len(self._unsettled) > self._unjudged + self._intake.aside and (
            is_something_asked or not self._intake.aside
        ):
            self._patience.wait(now)
        else:
            self._patience.rest(now)
        if self._patience.is_exhausted(now):
            reason = self._why_no_token() if self._next_try(now) is None else self._latest_reason
            raise ApiOutage(seconds=self._config.max_outage, reason=reason)
        if self._held_since_verdict >= self._config.max_concurrency and not self._requests:
            raise AnswersLost(held=self._held_since_verdict)

    def _free(self, now: float) -> int:
        """How many requests may begin. Each may be held in its turn: so many that are end it, until a verdict comes."""
        free = self._limiter.free(now)
        if not self._held_since_verdict:
            return free
        return max(0, min(free, self._config.max_concurrency - self._held_since_verdict - len(self._requests)))

    def _start_requests(self, free: int) -> None:
        for pending in self._intake.take(free, self._requests.values()):
            pending.move(life.STARTING)
            self._limiter.take()
            task = asyncio.create_task(self._attempt(pending))
            self._requests[task] = pending
            task.add_done_callback(self._end_request)

    def _start_chore(self, name: str, work: Callable[[], Coroutine[None, None, None]], *, is_due: bool) -> None:
        """Chores talk to the ledger; there is one of a kind at a time."""
        if not is_due or name in self._chores:
            return
        task = self._chores[name] = asyncio.create_task(work())
        task.add_done_callback(partial(self._end_chore, name))

    def _end_request(self, task: asyncio.Task[None]) -> None:
        del self._requests[task]
        self._limiter.give_back()
        self._note_end(task)

    def _end_chore(self, name: str, task: asyncio.Task[None]) -> None:
        del self._chores[name]
        self._note_end(task)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        self._failure = self._failure or failure  # the first one tells why
        self._wake.set()

    # The request, and what follows.

    async def _attempt(self, pending: PendingEvent) -> None:
        """One request, and the commit of what became of it."""
        token = await self._tokens.token(refused=self._renewal.refused)
        began = await self._turn()
        self._note_try(pending)
        self._renewal.use(token, now=began)
        (reply,) = await self._transport.send([pending.event], token=token)
        self._note_reply(pending, reply, began)
        await self._follow(pending, reply, token, began)

    async def _turn(self) -> float:
        """Until a request may start, now that there is a token: many may have waited for the same one."""
        now = self._now()
        while (start := self._limiter.next_start(now)) > now:
            await asyncio.sleep(start - now)
            now = self._now()
        self._limiter.start(now)
        return now

    def _note_try(self, pending: PendingEvent) -> None:
        pending.move(life.IN_FLIGHT)
        pending.tries += 1
        if pending.tries == 1:
            self.statistics.first_requests += 1
            self.statistics.decided += 1
        else:
            self.statistics.retries += 1
        if not self.statistics.began_at:
            self.statistics.began_at = self._now()

    def _note_reply(self, pending: PendingEvent, reply: Reply, began: float) -> None:
        now = self._now()
        pending.move(life.RECORDING)
        pending.reply = reply
        self._latest_reply = now
        self._latest_reason = self._reason(reply)
        self._limiter.note(reply, began=began, now=now)
        if isinstance(reply, Answer):
            self.statistics.latest_answer_at = now
            self.statistics.note_latency(now - began)

    async def _follow(self, pending: PendingEvent, reply: Reply, token: str, began: float) -> None:
        meaning = judge(reply, was_unknown=pending.was_unknown, rival=pending.rival())
        self._note_witness(pending, reply, meaning)
        if meaning.step in VERDICTS:
            self._renewal.accept(token, began=began)
        match meaning.step:
            case Step.DELIVER:
                await self._deliver(pending)
            case Step.REFUSE | Step.REFUSE_SETUP:
                await self._refuse(pending, reply, meaning.step)
            case Step.SETTLE_RIVAL:
                await self._settle_rivals(pending)
            case Step.RENEW_TOKEN if self._tokens.is_renewable:
                not_before = self._renewal.refuse(token, began=began, now=self._now())
                await self._retry(pending, reply, meaning, not_before)
            case _:
                await self._retry(pending, reply, meaning)

    def _note_witness(self, pending: PendingEvent, reply: Reply, meaning: Meaning) -> None:
        if pending.tries == 1 and reply is not NoAnswer.NOT_SENT:
            witnesses = self._witnesses
            self._witnesses = Witnesses(witnesses.seen + 1, witnesses.failed + meaning.is_failure)
        if meaning.is_failure and not pending.failures:
            pending.failing_since = self._now()
            pending.witnesses = self._witnesses
            self._failing.add(pending)
        pending.failures += meaning.is_failure

    async def _deliver(self, pending: PendingEvent) -> None:
        capture = pending.event.capture
        is_first = not self._captures.is_proven(capture)
        freed, judged = self._captures.accept(capture)
        self._note_verdict(capture)
        self._intake.unmute(capture)
        await self._settle(
            [*((refused, _rejected(refused)) for refused in judged), (pending, Delivered(is_change=pending.is_change))],
            [Proven(capture)] if is_first else [],
        )
        self._intake.let_go(freed)

    async def _settle_rivals(self, pending: PendingEvent) -> None:
        """The API has this `event_id` already: so an earlier content arrived, whose answer was lost."""
        event = pending.event
        self._note_verdict(event.capture)
        arrived = [Arrived(event, each.row) for each in pending.rivals if each.standing in PERHAPS_ACCEPTED]
        outcome: Settled = Changed(cause=ChangeCause.CONFLICT, is_said=event.on_changed is not None)
        if event.on_changed is OnChanged.SEND:
            outcome = _rejected(pending)
        await self._settle([(pending, outcome)], arrived)
        self._intake.let_go(self._captures.depart(event.capture))

    async def _refuse(self, pending: PendingEvent, reply: Reply, step: Step) -> None:
        capture = pending.event.capture
        self._note_verdict(capture)
        judge_by = self._captures.refuse_setup if step is Step.REFUSE_SETUP else self._captures.refuse
        ruling = judge_by(pending, capture)
        if self._captures.is_proven(capture):
            await self._settle([(pending, _rejected(pending))])
            self._raise_if_stopped(ruling, capture, self._reason(reply))
            return
        await self._ledger.commit([Answered(pending.event, was_unknown=pending.was_unknown, is_trial=True)])
        pending.move(life.UNJUDGED)
        self._failing.discard(pending)
        self._unjudged += 1
        self._intake.put_aside(pending)
        self._raise_if_stopped(ruling, capture, self._reason(reply))
        self._intake.let_go(self._captures.depart(capture))

    def _raise_if_stopped(self, ruling: Ruling, capture: Capture, reason: str) -> None:
        if ruling is Ruling.STOP_SETUP:
            raise CaptureRefused(capture=capture.label, reason=reason)
        if ruling is Ruling.STOP_REJECTS and not self._captures.is_proven(capture):
            raise RejectsAboveLimit(_NOTHING_ACCEPTED.format(capture=capture.label, reason=reason))
        if ruling is Ruling.STOP_REJECTS and not self._config.bears_refusals:
            raise RejectsAboveLimit(_ALL_REFUSED.format(capture=capture.label, reason=reason))

    async def _retry(self, pending: PendingEvent, reply: Reply, meaning: Meaning, until: float | None = None) -> None:
        """Try it again, unless it is held: at the moment `until`, or after a random time."""
        pending.was_unknown |= meaning.may_have_arrived
        if meaning.is_held and self._config.holds_unknown:
            self._held_since_verdict += 1
            await self._hold(pending, reply, meaning, ANSWER_LOST)
        elif meaning.is_failure and self._is_poisoned(pending):
            await self._hold(pending, reply, meaning, POISONED)
        else:
            await self._commit([Lost(pending.event) if meaning.may_have_arrived else _answered(pending)])
            self._judge_setup(pending.event.capture, reply, meaning)
            self._sleep(pending, reply, meaning.step, until)

    async def _hold(self, pending: PendingEvent, reply: Reply, meaning: Meaning, reason: str) -> None:
        held = Held(
            reason=reason,
            is_unknown=pending.was_unknown,
            status=reply.status if isinstance(reply, Answer) else None,
            excerpt=reply.excerpt if isinstance(reply, Answer) else b"",
        )
        await self._settle([(pending, held)], [Lost(pending.event)] if meaning.may_have_arrived else [])
        self._intake.let_go(self._captures.depart(pending.event.capture))

    def _is_poisoned(self, pending: PendingEvent) -> bool:
        return is_poisoned(
            failures=pending.failures,
            seconds=self._now() - pending.failing_since,
            is_alone=len(self._failing) == 1,
            since=self._witnesses.since(pending.witnesses),
            in_all=self._witnesses,
        )

    def _judge_setup(self, capture: Capture, reply: Reply, meaning: Meaning) -> None:
        if not meaning.judges_setup or isinstance(reply, NoAnswer):
            self._silences.interrupt(capture)
            return
        is_proven = self._captures.is_proven(capture)
        is_stranger = not self._captures.has_proven
        self._silences.note(capture, reply, now=self._now(), is_proven=is_proven, is_stranger=is_stranger)
        if is_proven and self._silences.is_long(capture):
            self._intake.mute(capture)

    def _sleep(self, pending: PendingEvent, reply: Reply, step: Step, until: float | None) -> None:
        now = self._now()
        is_api_well = now - self._latest_verdict < BACKOFF_CAP_AMONG_VERDICTS
        asked = self._asked(reply, is_for_all=step is Step.THROTTLE or not is_api_well)
        not_before = 0.0 if asked is None else now + asked
        if step is Step.THROTTLE or self._limiter.is_strained:
            self._limiter.pause(not_before)
        if until is None:
            cap = BACKOFF_CAP_AMONG_VERDICTS if is_api_well else BACKOFF_CAP
            until = now + full_jitter(pending.tries + 1, cap=cap, roll=self._roll())
        pending.move(life.BACKING_OFF)
        self._backoff.sleep(pending, until=max(not_before, until), not_before=not_before)
        self._intake.let_go(self._captures.back_off(pending, pending.event.capture))

    def _asked(self, reply: Reply, *, is_for_all: bool) -> float | None:
        """Seconds to wait by `Retry-After`. Raises `AskedToWait` where that is longer than patience lasts, for all."""
        if not isinstance(reply, Answer):
            return None
        asked = retry_after(reply.retry_after, now=self._wall(), date=reply.date)
        if asked is None or asked <= self._config.max_outage:
            return asked
        if is_for_all:
            raise AskedToWait(until=self._wall() + asked, reason=reply.told)
        return min(asked, LONGEST_ALONE)

    # Outcomes.

    async def _settle(self, outcomes: Sequence[tuple[PendingEvent, Settled]], others: Sequence[Change] = ()) -> None:
        """Commit outcomes in one transaction, then report them and let go who waited."""
        await self._commit(
            [
                *others,
                *(_concluded(pending, outcome) for pending, outcome in outcomes),
            ]
        )
        for pending, outcome in outcomes:
            del self._unsettled[pending]
            if pending.failures:
                self._failing.discard(pending)
            self.statistics.decided += pending.tries == 0
            self._report(pending.event, outcome)
            if pending.state is life.UNJUDGED:
                self._unjudged -= 1
            else:
                self._intake.leave_lanes(pending)
            pending.move(life.SETTLED)

    async def _commit(self, changes: Sequence[Change]) -> None:
        await self._ledger.commit(changes)
        self.statistics.unknown += sum(isinstance(change, Lost) for change in changes)

    async def _secure(self) -> None:
        waiting, self._waiting_for_disk = self._waiting_for_disk, []
        await self._ledger.secure()
        for done in waiting:
            done()

    async def _settle_invalid(self) -> None:
        invalid_parts = list(self._invalid_parts)
        outcomes = [(part, Invalid(reason=part.reason)) for part in invalid_parts]
        await self._ledger.commit([Concluded(part=part, outcome=outcome) for part, outcome in outcomes])
        del self._invalid_parts[: len(invalid_parts)]
        for part, outcome in outcomes:
            self.statistics.decided += 1
            self._report(part, outcome)

    def _reason(self, reply: Reply) -> str:
        fault = self._transport.fault if reply is NoAnswer.NOT_SENT else None
        return fault or (str(reply.value) if isinstance(reply, NoAnswer) else reply.told)

    def _note_verdict(self, capture: Capture) -> None:
        now = self._now()
        self._silences.end(capture)
        if now - self._latest_verdict >= BACKOFF_CAP_AMONG_VERDICTS:
            self._backoff.hasten(now + BACKOFF_CAP_AMONG_VERDICTS)
        self._latest_verdict = now
        self._held_since_verdict = 0
        self._patience.verdict(now)

    # Judgement of what unproven captures refused.

    def _only_refusals_wait(self) -> bool:
        """Nothing else keeps the input from ending, or the reader from reading."""
        is_asked, self._is_reader_waiting = self._is_reader_waiting or self._is_input_over, False
        return is_asked and 0 < self._unjudged == len(self._unsettled) - self._intake.aside

    async def _judge_unproven(self) -> None:
        self.statistics.was_judged_late = True
        await self._settle([(pending, _rejected(pending)) for pending in self._captures.judge()])
        await self._leave_trials()

    def _look_at_trials(self, seconds: float) -> None:
        """Now and then, as long as there may be other tasks that wait for them."""
        self._are_trials_due = self._captures.has_trials
        self._wake.set()
        asyncio.get_running_loop().call_later(seconds, self._look_at_trials, seconds)

    async def _leave_idle_trials(self) -> None:
        self._are_trials_due = False
        await self._settle([(pending, _rejected(pending)) for pending in self._captures.judge(of_idle=True)])
        await self._leave_trials()

    async def _leave_trials(self) -> None:
        if self._config.trial_rest is None:
            return
        idle = self._captures.idle_trials()
        self._captures.forget_trials(idle)  # before another event of theirs may come
        if idle:
            await self._ledger.leave_trials(idle)

    # The end of a run that stops.

    async def _wind_down(self, grace: float) -> None:
        """Let finish what is in flight, take back what was not sent, and call the rest open, whatever fails meanwhile.

        What fails here comes behind what stopped the run, so it is noted, and not raised.
        """
        self._is_stopping = True
        try:
            await self._finish_requests(grace)
            await self._commit(self._last_changes())
        except Exception as error:  # whatever it is, the rest has to be told
            defect = None if isinstance(error, RunStopped) else Withheld(error)
            log.warning(
                "The ledger is lost at the very end: the next run takes open events for unknown.", exc_info=defect
            )
            self._failure = self._failure or error
        finally:
            self._leave_open()

    async def _finish_requests(self, grace: float) -> None:
        self._cancel(Stop.WITHDRAW)
        await self._wait_for_requests(grace)
        self._cancel(Stop.LOSE)
        await asyncio.gather(*self._requests, return_exceptions=True)
        await asyncio.gather(*self._chores.values(), return_exceptions=True)

    async def _abandon(self) -> None:
        """Without a ledger nothing can be recorded: leave everything as it is."""
        self._cancel(Stop.WITHDRAW, Stop.LOSE)
        await asyncio.gather(*self._requests, *self._chores.values(), return_exceptions=True)
        self._leave_open()

    def _cancel(self, *at_stop: Stop) -> None:
        """Only those whose state says so: a reply in hand is recorded."""
        for task, pending in self._requests.items():
            if LIFE[pending.state].at_stop in at_stop:
                task.cancel()

    async def _wait_for_requests(self, grace: float) -> None:
        if not self._requests:
            return
        hurry = asyncio.create_task(self._hurry.wait())
        finished = asyncio.create_task(asyncio.wait(list(self._requests)))
        await asyncio.wait({hurry, finished}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (hurry, finished):
            waiting.cancel()
        await asyncio.gather(hurry, finished, return_exceptions=True)

    def _last_changes(self) -> list[Change]:
        changes: list[Change] = []
        for pending in self._unsettled:
            at_stop = LIFE[pending.state].at_stop
            if at_stop is Stop.LOSE:
                changes.append(Lost(pending.event))
            elif at_stop is Stop.WITHDRAW:
                changes.append(Withdrawn(pending.event, was_unknown=pending.was_unknown))
        return changes

    def _leave_open(self) -> None:
        for pending in self._unsettled:
            self._report(pending.event, Open(reason=pending.why_open()))
        for part in self._invalid_parts:
            self._report(part, Open(reason="refused, and not recorded"))


def _concluded(pending: PendingEvent, outcome: Settled) -> Concluded:
    return Concluded(part=pending.event, outcome=outcome, is_superseded=pending.was_superseded)


def _answered(pending: PendingEvent) -> Answered:
    """It has an answer that settles nothing, not even what became of an earlier request without one."""
    return Answered(pending.event, was_unknown=pending.was_unknown)


def _rejected(pending: PendingEvent) -> Rejected:
    answer = pending.reply if isinstance(pending.reply, Answer) else Answer(status=0)
    is_about_another = answer.status == CONFLICT and pending.was_unknown
    return Rejected(status=answer.status, excerpt=answer.excerpt, may_have_arrived=is_about_another)


_NOTHING_ACCEPTED = (
    "The capture of {capture} refused the first ten events it got (last: {reason}) and accepted none: check the "
    "mapping with `target-driftrock preview`. They stay open, and are sent by the next run."
)
_ALL_REFUSED = (
    "The capture of {capture} refused a hundred events in a row (last: {reason}): see `target-driftrock rejects`, mend "
    "the mapping or the capture, and send them again. max_reject_percent: 100 lets a run go on."
)
UNPROVEN_AT_END = "A capture that has never accepted an event refused some: check its mapping and its source_id."
