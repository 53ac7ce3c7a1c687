"""What an answer means, and what the ledger's memory means for sending: the tables."""

from __future__ import annotations

import pytest

from target_driftrock.delivery.verdict import Admission, Step, admit, is_poisoned, judge
from target_driftrock.events.answer import Answer, Fault, Reply
from target_driftrock.ledger.interface import Known, Standing


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
    (Fault.NOT_SENT, Step.RETRY_NOT_SENT),
    (Fault.NO_ANSWER, Step.RETRY_UNKNOWN),
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


def known(standing: Standing, *, same_payload: bool = True) -> Known:
    """What the ledger holds."""
    return Known(standing=standing, same_payload=same_payload)


ADMISSIONS: list[tuple[Known | None, Admission, Admission]] = [  # held, under retry, under hold
    (None, Admission.SEND, Admission.SEND),
    (known(Standing.DELIVERED), Admission.ALREADY, Admission.ALREADY),
    (known(Standing.DELIVERED, same_payload=False), Admission.CHANGED, Admission.CHANGED),
    (known(Standing.REFUSED), Admission.SEND, Admission.SEND),
    (known(Standing.REFUSED, same_payload=False), Admission.SEND, Admission.SEND),
    (known(Standing.ANSWERED), Admission.SEND, Admission.SEND),
    (known(Standing.ANSWERED, same_payload=False), Admission.SEND, Admission.SEND),
    (known(Standing.UNKNOWN), Admission.SEND_UNKNOWN, Admission.HOLD),
    (known(Standing.UNKNOWN, same_payload=False), Admission.SEND_UNKNOWN, Admission.HOLD),
    (known(Standing.HELD_UNKNOWN), Admission.HOLD, Admission.HOLD),
    (known(Standing.HELD_UNKNOWN, same_payload=False), Admission.HOLD, Admission.HOLD),
]


@pytest.mark.parametrize(
    ("held", "under_retry", "under_hold"),
    ADMISSIONS,
    ids=lambda value: f"{value.standing.name} {value.same_payload}" if isinstance(value, Known) else name(value),
)
def test_an_event_is_admitted_by_the_table_when_the_ledger_holds(
    held: Known | None, under_retry: Admission, under_hold: Admission
) -> None:
    """What the ledger decides of an event that comes again, under both settings of `on_unknown`."""
    assert admit(held, holds_unknown=False, is_replay=False) is under_retry
    assert admit(held, holds_unknown=True, is_replay=False) is under_hold


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
