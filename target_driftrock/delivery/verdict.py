"""What an answer means, as a table: RFC 9110 where Driftrock is silent. Decides; does not sleep or count."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, assert_never

from target_driftrock.events.answer import NoAnswer

if TYPE_CHECKING:
    from target_driftrock.events.answer import Answer, Reply


class Step(enum.Enum):
    """What follows for the event that got this reply."""

    DELIVER = "the API took it"
    REFUSE = "the API refuses this event"
    REFUSE_SETUP = "refused, and perhaps the capture is set up wrongly"
    RENEW_TOKEN = "the token is not accepted"  # noqa: S105 - a sentence, not a token
    RETRY = "the server failed: tried again"
    THROTTLE = "too many requests: tried again, and everyone slows down"
    RETRY_NOT_SENT = "surely not sent: tried again"
    RETRY_UNKNOWN = "the answer is lost: what became of it is unknown"
    SETTLE_RIVAL = "other content of the same event had arrived"
    NOT_THE_API = "what answers is not this API"


STATUS_STEPS = {
    401: Step.RENEW_TOKEN,
    403: Step.REFUSE_SETUP,
    404: Step.REFUSE_SETUP,
    405: Step.REFUSE_SETUP,
    408: Step.RETRY,  # RFC 9110 15.5.9: the server gave up waiting, it did not judge
    425: Step.RETRY,  # RFC 8470 5.2: not refused, only too early
    429: Step.THROTTLE,  # RFC 6585 4
}
CONFLICT = 409
"""RFC 9110 15.5.10: an event with this id has arrived."""
HUNDREDS = {
    2: Step.DELIVER,
    3: Step.REFUSE_SETUP,  # no redirect is followed: a moved API is a setting to mend
    4: Step.REFUSE,
    5: Step.RETRY,
}


class Rival(enum.Enum):
    """What became of other contents under the same `event_id`."""

    NONE = "none was accepted"
    PERHAPS = "one may have been accepted"
    DELIVERED = "one was delivered"


def judge(reply: Reply, *, was_unknown: bool, rival: Rival = Rival.NONE) -> Step:
    """What follows from a reply. `was_unknown`: an earlier request for this event lost its answer."""
    match reply:
        case NoAnswer.NOT_SENT:
            return Step.RETRY_NOT_SENT
        case NoAnswer.LOST:
            return Step.RETRY_UNKNOWN
        case _:
            return _judge_answer(reply, was_unknown=was_unknown, rival=rival)


def _judge_answer(answer: Answer, *, was_unknown: bool, rival: Rival) -> Step:
    if answer.status == CONFLICT:
        return _judge_conflict(was_unknown=was_unknown, rival=rival)
    step = STATUS_STEPS.get(answer.status) or HUNDREDS.get(answer.status // 100, Step.RETRY)
    if step is Step.DELIVER and answer.is_html:
        return Step.NOT_THE_API  # a login page or a proxy's greeting, with status 200
    return step


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


def is_poisoned(*, failures: int, witnesses: int, failed_witnesses: int) -> bool:
    """Whether an event fails by itself while others do well.

    `failures` counts its 408, 425, 5xx and lost answers; `witnesses` the other events that got their first
    answer since its second try, `failed_witnesses` those of them whose answer was a 5xx or was lost. A
    brown-out fails the witnesses too, and must hold nothing.
    """
    return (
        failures >= POISON_TRIES and witnesses >= POISON_WITNESSES and failed_witnesses * POISON_WITNESSES < witnesses
    )
