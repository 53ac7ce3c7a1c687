"""What an answer means, as a table: RFC 9110 where Driftrock is silent. Decides; does not sleep or count.

Between us and the API stand gateways, proxies and firewalls, which answer in its place. So an answer is a verdict only
where the API itself speaks, and of this event.
"""

from __future__ import annotations

import enum
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, assert_never

from target_driftrock.events.answer import Form, NoAnswer, Unreadable

if TYPE_CHECKING:
    from target_driftrock.events.answer import Answer, Reply


class Step(enum.Enum):
    """What follows for the event that got this reply."""

    DELIVER = "the API took it"
    REFUSE = "the API refuses this event"
    REFUSE_SETUP = "refused, and perhaps the capture is set up wrongly"
    SETTLE_RIVAL = "other content of the same event had arrived"
    RENEW_TOKEN = "the token is not accepted"  # noqa: S105 - a sentence, not a token
    RETRY = "no verdict on the event: tried again"
    THROTTLE = "too many requests: tried again, and everyone slows down"


VERDICTS = frozenset({Step.DELIVER, Step.REFUSE, Step.REFUSE_SETUP, Step.SETTLE_RIVAL})
"""Said by the API itself, so with a token that it accepts."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reply says of its event, and of others."""

    step: Step
    _: KW_ONLY
    is_failure: bool = False
    """It counts towards an event that fails alone."""
    may_have_arrived: bool = False
    """The event is unknown from here on: a 409 to its repeat says that it had arrived."""
    is_held: bool = False
    """Under `on_unknown: hold` it is not sent again."""
    judges_setup: bool = False
    """It judges no event, but many of them in a row judge the capture, the credentials, or what stands at `api_url`."""


_NOT_DONE = Meaning(Step.RETRY, is_failure=True)
_PERHAPS_DONE = Meaning(Step.RETRY, is_failure=True, may_have_arrived=True)
_LOST = Meaning(Step.RETRY, is_failure=True, may_have_arrived=True, is_held=True)
_UNREADABLE = replace(_LOST, judges_setup=True)
_SETUP = Meaning(Step.RETRY, is_failure=True, judges_setup=True)
_UNAUTHORIZED = Meaning(Step.RENEW_TOKEN, is_failure=True, judges_setup=True)
_THROTTLED = Meaning(Step.THROTTLE)

UNAUTHORIZED = 401
CONFLICT = 409
"""RFC 9110 15.5.10: an event with this id has arrived."""
MISDIRECTED = 421
"""RFC 9110 15.5.20: to be tried again on another connection."""
TOO_MANY = 429
"""RFC 6585 4."""
UNAVAILABLE = 503

_STATUSES = {
    UNAUTHORIZED: _UNAUTHORIZED,
    402: _SETUP,  # a quota or a bill, not this event
    403: Meaning(Step.REFUSE_SETUP),
    404: Meaning(Step.REFUSE_SETUP),
    405: Meaning(Step.REFUSE_SETUP),
    407: _SETUP,  # a proxy's
    408: _LOST,  # RFC 9110 15.5.9: the server gave up waiting, it did not judge
    MISDIRECTED: _SETUP,
    423: _SETUP,
    425: _NOT_DONE,  # RFC 8470 5.2: not refused, only too early
    426: _SETUP,
    TOO_MANY: _THROTTLED,
    431: _SETUP,  # our head with the token in it, or what a proxy added
    440: _SETUP,  # a login that has ended
    444: _SETUP,  # nginx's
    501: _NOT_DONE,
    504: _LOST,  # a gateway that waited for an answer: as if it had been lost on the way to us
    505: _NOT_DONE,
    524: _LOST,
    598: _LOST,
    599: _LOST,
    **dict.fromkeys(range(451, 500), _SETUP),  # above 451 HTTP has none: 460 and 463 are AWS's, 494 to 499 nginx's
}
_HUNDREDS = {
    2: Meaning(Step.DELIVER),
    3: Meaning(Step.REFUSE_SETUP),  # no redirect is followed: a moved API is a setting to mend
    4: Meaning(Step.REFUSE),
}


class Rival(enum.Enum):
    """What became of other contents under the same `event_id`."""

    NONE = "none was accepted"
    PERHAPS = "one may have been accepted"
    DELIVERED = "one was delivered"


def judge(reply: Reply, *, was_unknown: bool, rival: Rival = Rival.NONE) -> Meaning:
    """What a reply says. `was_unknown`: an earlier request for this event may have arrived."""
    match reply:
        case NoAnswer.NOT_SENT:
            return Meaning(Step.RETRY)
        case NoAnswer.LOST:
            return _LOST
        case Unreadable():
            return _UNREADABLE
        case _:
            return _judge_answer(reply, was_unknown=was_unknown, rival=rival)


def _judge_answer(answer: Answer, *, was_unknown: bool, rival: Rival) -> Meaning:
    if answer.status == UNAVAILABLE and (answer.form is Form.JSON or answer.retry_after is not None):
        return _NOT_DONE
    if answer.form is Form.PAGE:
        return _judge_page(answer.status)
    if answer.status == CONFLICT:
        return Meaning(_judge_conflict(was_unknown=was_unknown, rival=rival))
    return _by_status(answer.status)


def _by_status(status: int) -> Meaning:
    return _STATUSES.get(status) or _HUNDREDS.get(status // 100, _PERHAPS_DONE)


def _judge_page(status: int) -> Meaning:
    """A web page is not the API's. One of the moment (429, 5xx) says what its status says."""
    meaning = _by_status(status)
    match meaning.step:
        case Step.DELIVER:
            return replace(_SETUP, may_have_arrived=True)  # a login page, or a proxy's greeting; or the backend's
        case Step.REFUSE | Step.REFUSE_SETUP:
            return _SETUP
        case _:
            return meaning


def _judge_conflict(*, was_unknown: bool, rival: Rival) -> Step:
    """Which request is meant: other content that is surely there says nothing of this one."""
    match rival:
        case Rival.DELIVERED:
            return Step.REFUSE
        case Rival.PERHAPS:
            return Step.SETTLE_RIVAL
        case Rival.NONE:
            return Step.DELIVER if was_unknown else Step.REFUSE
        case _:
            assert_never(rival)


POISON_TRIES = 6
POISON_WITNESSES = 10
POISON_SECONDS = 60.0


class Witnesses(NamedTuple):
    """Events that had their first reply, and how many of them failed with it."""

    seen: int = 0
    failed: int = 0

    @property
    def do_well(self) -> bool:
        """Enough of them to tell, of which fewer than one in ten failed."""
        return self.seen >= POISON_WITNESSES and self.failed * POISON_WITNESSES < self.seen

    def since(self, earlier: Witnesses) -> Witnesses:
        """Those that came after."""
        return Witnesses(self.seen - earlier.seen, self.failed - earlier.failed)


NOBODY_YET = Witnesses()


def is_poisoned(*, failures: int, seconds: float, is_alone: bool, since: Witnesses, in_all: Witnesses) -> bool:
    """Whether an event fails by itself while others do well. A brown-out fails others too, and must hold nothing.

    `failures` counts its replies without a verdict, but for a 429 and where nothing was sent, over so many `seconds`.
    `since` are the witnesses after its first failure. Those of the whole run, `in_all`, tell only of an event that
    `is_alone` in failing: in an outage that comes late, all that is in flight fails, and thousands did well before.
    """
    if failures < POISON_TRIES:
        return False
    return since.do_well or (is_alone and seconds >= POISON_SECONDS and in_all.do_well)
