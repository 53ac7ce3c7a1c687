"""What is known of an event on its way, and of all of them together."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_driftrock.delivery import life
from target_driftrock.delivery.verdict import NOBODY_YET, Rival, Witnesses
from target_driftrock.ledger.interface import PERHAPS_ACCEPTED, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_driftrock.delivery.life import State
    from target_driftrock.events.answer import Reply
    from target_driftrock.events.event import Event
    from target_driftrock.ledger.interface import Known


LATENCY_STEP = 1.1
SHORTEST_LATENCY = 1e-5
_SUMS = ("decided", "first_requests", "retries", "unknown", "was_judged_late")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryConfig:
    """What the settings say of delivery. Durations are seconds."""

    api: str
    max_concurrency: int
    max_outage: float
    holds_unknown: bool = False
    bears_refusals: bool = False
    """A proven capture that refuses a hundred in a row stops nothing."""
    most_per_second: float | None = None
    """Requests."""
    trial_rest: float | None = None
    """In a job: so often captures on trial that have nothing to send are left to its other tasks."""

    @property
    def intents_ahead(self) -> int:
        """Intents committed before there is a slot, so that no slot waits for a commit.

        None of them where an intent without an answer would hold an event that was never sent.
        """
        return 0 if self.holds_unknown else self.max_concurrency


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How long nothing has had a verdict, and what follows. Durations are seconds."""

    waited: float
    """For so long something has waited since the latest verdict on anything."""
    left: float | None
    """Until that ends the run; None while nothing waits, or the run ends anyway."""
    next_try: float | None
    """Until a request; 0 where one is under way, or about to be, and None where it waits for a token."""
    reason: str | None
    """Why there is none, as the latest reply says; None where no reply has come since."""


@dataclass(slots=True, kw_only=True)
class Statistics:
    """What delivery has counted. Only its own thread writes; others may read at any time."""

    decided: int = 0
    """Parts that had a first request, or were settled without one."""
    first_requests: int = 0
    retries: int = 0
    unknown: int = 0
    """Requests that may have arrived, and got no verdict: those of a run that was killed included."""
    was_judged_late: bool = False
    """Captures that accepted nothing have refused events: the run goes on, and ends with exit 6."""
    began_at: float = 0.0
    """The loop's time of the first request, and of the latest answer."""
    latest_answer_at: float = 0.0
    latencies: Counter[int] = field(default_factory=Counter)
    """How many answers took how long, on a scale of powers of `LATENCY_STEP`."""

    def note_latency(self, seconds: float) -> None:
        """An answer came so long after its request."""
        self.latencies[round(math.log(max(seconds, SHORTEST_LATENCY), LATENCY_STEP))] += 1

    def percentile(self, percent: float) -> float:
        """Seconds within which so many percent of the answers came, to 5 %; 0 where there were none."""
        wanted = self.latencies.total() * percent / 100
        for step, count in sorted(self.latencies.items()):
            wanted -= count
            if wanted <= 0:
                return float(LATENCY_STEP**step)
        return 0.0

    def as_json(self) -> Mapping[str, Any]:
        """What is told of it to another process, which can `absorb` it."""
        sums = {name: getattr(self, name) for name in _SUMS}
        return {**sums, "latencies": list(self.latencies.items()), "seconds": self.seconds}

    def absorb(self, told: Mapping[str, Any]) -> None:
        """Add what was counted in another process. Several were at it at once, each by a clock of its own."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + told[name])
        for step, count in told["latencies"]:
            self.latencies[step] += count
        self.latest_answer_at = max(self.latest_answer_at, self.began_at + told["seconds"])

    @property
    def seconds(self) -> float:
        """From the first request to the latest answer; 0 before there is one."""
        return max(0.0, self.latest_answer_at - self.began_at)


@dataclass(slots=True, eq=False, kw_only=True)
class PendingEvent:
    """One event on its way: where it is, and what is remembered of it."""

    event: Event
    state: State = life.PERSON
    """Read it; only `move` may change it."""
    known: Sequence[Known] | None = None
    """What the ledger held of it and of its other contents; None as long as it was not asked."""
    is_change: bool = False
    """Other content of it was delivered, and the settings say that changes are sent."""
    tries: int = 0
    failures: int = 0
    """Replies without a verdict, but for a 429 and where nothing was sent."""
    failing_since: float = 0.0
    """The loop's time of the first of them, and who had a reply before."""
    witnesses: Witnesses = NOBODY_YET
    reply: Reply | None = None
    """The latest."""
    was_unknown: bool = False
    """An earlier request for it, of this run or of one before, may have arrived, and got no verdict."""
    was_superseded: bool = False
    """While it was unjudged, a request for the same event was begun."""

    def move(self, state: State) -> None:
        """It is in this state from now on: one of the next ones in the table of `life`, which tests hold it to."""
        self.state = state

    @property
    def rivals(self) -> list[Known]:
        """Its other contents under the same `event_id`, which the API may know."""
        return [each for each in self.known or () if not (each.is_same_content or each.is_former)]

    def rival(self) -> Rival:
        """What became of them."""
        if not self.known:
            return Rival.NONE
        standings = {each.standing for each in self.rivals}
        if Standing.DELIVERED in standings:
            return Rival.DELIVERED
        return Rival.NONE if standings.isdisjoint(PERHAPS_ACCEPTED) else Rival.PERHAPS

    def why_open(self) -> str:
        """Why it has no outcome, for the accounts."""
        if self.state is life.UNJUDGED:
            return "refused by a capture that has accepted nothing"
        if self.state is life.IN_FLIGHT or self.was_unknown:
            return "sent without an answer"
        return "to be tried again" if self.tries else "never sent"
