"""What an answer means: the tables."""

from __future__ import annotations

import pytest

from target_driftrock.delivery.verdict import Rival, Step, is_poisoned, judge
from target_driftrock.events.answer import Answer, NoAnswer, Reply


def html(status: int) -> Answer:
    """An answer that is a web page."""
    return Answer(status=status, is_html=True)


ANSWERS: list[tuple[Reply, Step]] = [
    *((Answer(status=status), Step.DELIVER) for status in (200, 201, 202, 204, 299)),
    *((html(status), Step.NOT_THE_API) for status in (200, 201, 204)),
    *((Answer(status=status), Step.REFUSE) for status in (400, 402, 406, 409, 410, 413, 415, 418, 422, 451, 499)),
    *((Answer(status=status), Step.REFUSE_SETUP) for status in (301, 302, 303, 304, 307, 308, 403, 404, 405)),
    (Answer(status=401), Step.RENEW_TOKEN),
    *((Answer(status=status), Step.RETRY) for status in (408, 425, 500, 501, 502, 503, 504, 521, 599)),
    (Answer(status=429), Step.THROTTLE),
    *((Answer(status=status), Step.RETRY) for status in (100, 600, 999)),  # no HTTP: nobody has judged
    *((html(status), Step.RETRY) for status in (500, 503)),
    (html(400), Step.REFUSE),
    (html(403), Step.REFUSE_SETUP),
    (NoAnswer.NOT_SENT, Step.RETRY_NOT_SENT),
    (NoAnswer.LOST, Step.RETRY_UNKNOWN),
]


def name(value: object) -> str:
    """How a row of a table is called."""
    if isinstance(value, Answer):
        return f"{value.status}{' html' * value.is_html}"
    return getattr(value, "name", str(value)).lower()


@pytest.mark.parametrize("was_unknown", [False, True], ids=["first", "after a lost answer"])
@pytest.mark.parametrize(("reply", "step"), ANSWERS, ids=name)
def test_a_reply_means_this_step_when_judged(reply: Reply, step: Step, *, was_unknown: bool) -> None:
    """The table of answers, the same for a first request and for the retry of an unknown, but for 409."""
    expected = Step.DELIVER if was_unknown and reply == Answer(status=409) else step

    assert judge(reply, was_unknown=was_unknown) is expected


CONFLICTS: list[tuple[Rival, bool, Step]] = [  # other content, an own lost answer, what follows
    (Rival.NONE, False, Step.REFUSE),
    (Rival.NONE, True, Step.DELIVER),
    (Rival.PERHAPS, False, Step.SETTLE_RIVAL),
    (Rival.PERHAPS, True, Step.SETTLE_RIVAL),
    (Rival.DELIVERED, False, Step.REFUSE),
    (Rival.DELIVERED, True, Step.REFUSE),
]


@pytest.mark.parametrize(("rival", "was_unknown", "step"), CONFLICTS, ids=name)
def test_a_409_is_about_another_request_when_other_content_may_be_there(
    rival: Rival, step: Step, *, was_unknown: bool
) -> None:
    """Never delivered on its account alone: only where no other content can have caused it."""
    assert judge(Answer(status=409), was_unknown=was_unknown, rival=rival) is step


@pytest.mark.parametrize("rival", Rival, ids=name)
@pytest.mark.parametrize(("reply", "step"), [row for row in ANSWERS if row[0] != Answer(status=409)], ids=name)
def test_a_reply_means_the_same_when_other_content_is_known(reply: Reply, step: Step, rival: Rival) -> None:
    """All but 409: nothing else speaks of an event that was there before."""
    assert judge(reply, was_unknown=False, rival=rival) is step


@pytest.mark.parametrize(
    ("failures", "witnesses", "failed", "expected"),
    [
        pytest.param(6, 10, 0, True, id="sixth failure, ten do well"),
        pytest.param(5, 10, 0, False, id="fifth failure"),
        pytest.param(6, 9, 0, False, id="nine others"),
        pytest.param(6, 0, 0, False, id="alone"),
        pytest.param(6, 10, 1, False, id="one in ten fails too"),
        pytest.param(6, 11, 1, True, id="one in eleven fails"),
        pytest.param(6, 100, 9, True, id="nine in a hundred fail"),
        pytest.param(6, 100, 10, False, id="ten in a hundred fail"),
        pytest.param(60, 1_000, 500, False, id="a brown-out"),
        pytest.param(7, 20, 1, True, id="a later failure"),
    ],
)
def test_a_payload_is_called_poisoned_when_it_fails_alone(
    failures: int, witnesses: int, failed: int, *, expected: bool
) -> None:
    """Six failures, ten witnesses, and fewer than one in ten of those failed: nothing less holds an event."""
    assert is_poisoned(failures=failures, witnesses=witnesses, failed_witnesses=failed) is expected
