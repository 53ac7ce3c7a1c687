"""What an answer means: the tables."""

from __future__ import annotations

import pytest

from target_driftrock.delivery.verdict import Meaning, Rival, Step, Witnesses, is_poisoned, judge
from target_driftrock.events.answer import Answer, Form, NoAnswer, Reply, Unreadable


def page(status: int, *, retry_after: str | None = None) -> Answer:
    """An answer that is a web page."""
    return Answer(status=status, excerpt=b"\n <html>", retry_after=retry_after)


def told(status: int) -> Answer:
    """An answer in JSON."""
    return Answer(status=status, excerpt=b'{"error": "no"}')


NO_VERDICT: dict[str, list[Reply]] = {
    "nothing was done": [
        *(Answer(status=status) for status in (425, 501, 505)),
        told(503),
        Answer(status=503, retry_after="1"),
        page(503, retry_after="1"),
        page(501),
        page(425),
    ],
    "perhaps done": [
        *(Answer(status=status) for status in (500, 502, 503, 509, 520, 521, 522, 523, 525, 526, 527, 529, 530, 561)),
        *(told(status) for status in (500, 502)),
        *(page(status) for status in (500, 502, 503)),
        *(Answer(status=status) for status in (100, 600, 999)),  # no HTTP: nobody has judged
    ],
    "held": [
        NoAnswer.LOST,
        *(Answer(status=status) for status in (408, 504, 524, 598, 599)),
        *(page(status) for status in (408, 504, 524, 598, 599)),
    ],
    "no HTTP": [Unreadable(), Unreadable(status=422)],
    "the set-up": [
        *(Answer(status=status) for status in (402, 407, 421, 423, 426, 431, 440, 444, 451)),
        *(Answer(status=status) for status in (460, 463, 464, 494, 495, 496, 497, 498, 499)),
        *(page(status) for status in (301, 302, 307, 400, 402, 403, 404, 405, 407, 409, 410, 422)),
    ],
    "a page for success": [page(200), page(201), page(204)],
}
"""By what each kind says beside: see `SAYS`."""

SAYS = {  # may have arrived, is held under `on_unknown: hold`, judges the set-up
    "nothing was done": (False, False, False),
    "perhaps done": (True, False, False),
    "held": (True, True, False),
    "no HTTP": (True, True, True),
    "the set-up": (False, False, True),
    "a page for success": (True, False, True),
}

ANSWERS: list[tuple[Reply, Step]] = [
    *((Answer(status=status), Step.DELIVER) for status in (200, 201, 202, 204, 299)),
    (told(200), Step.DELIVER),
    *((Answer(status=status), Step.REFUSE) for status in (400, 406, 409, 410, 413, 415, 418, 422)),
    *((Answer(status=status), Step.REFUSE_SETUP) for status in (301, 302, 303, 304, 307, 308, 403, 404, 405)),
    *((answer(401), Step.RENEW_TOKEN) for answer in (page, told)),
    *((answer(429), Step.THROTTLE) for answer in (page, told)),
    *((reply, Step.RETRY) for replies in NO_VERDICT.values() for reply in replies),
    (NoAnswer.NOT_SENT, Step.RETRY),
]


def name(value: object) -> str:
    """How a row of a table is called."""
    if isinstance(value, Answer):
        form = "" if value.form is Form.OTHER else f" {value.form.name.lower()}"
        return f"{value.status}{form}{' with Retry-After' * (value.retry_after is not None)}"
    return getattr(value, "name", str(value)).lower()


@pytest.mark.parametrize("was_unknown", [False, True], ids=["first", "after a lost answer"])
@pytest.mark.parametrize(("reply", "step"), ANSWERS, ids=name)
def test_a_reply_means_this_step_when_judged(reply: Reply, step: Step, *, was_unknown: bool) -> None:
    """The table of answers, the same for a first request and for the retry of an unknown, but for 409."""
    expected = Step.DELIVER if was_unknown and reply == Answer(status=409) else step

    assert judge(reply, was_unknown=was_unknown).step is expected


@pytest.mark.parametrize(
    ("reply", "kind"), [(reply, kind) for kind, replies in NO_VERDICT.items() for reply in replies], ids=name
)
def test_a_reply_says_what_may_have_been_done_when_it_is_no_verdict(reply: Reply, kind: str) -> None:
    """Each counts towards an event that fails alone."""
    meaning = judge(reply, was_unknown=False)

    assert meaning.is_failure
    assert (meaning.may_have_arrived, meaning.is_held, meaning.judges_setup) == SAYS[kind]


def test_a_401_judges_the_set_up_and_no_event() -> None:
    """Whoever says it, and whatever the event."""
    for answer in (page(401), told(401), Answer(status=401)):
        meaning = judge(answer, was_unknown=False)
        assert meaning.is_failure
        assert meaning.judges_setup
        assert not meaning.may_have_arrived


@pytest.mark.parametrize("reply", [NoAnswer.NOT_SENT, Answer(status=429)], ids=name)
def test_an_event_has_not_failed_when_nothing_was_sent_or_too_much(reply: Reply) -> None:
    """Neither says anything of it."""
    meaning = judge(reply, was_unknown=False)

    assert meaning == Meaning(meaning.step)


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
    assert judge(Answer(status=409), was_unknown=was_unknown, rival=rival).step is step


@pytest.mark.parametrize("rival", Rival, ids=name)
@pytest.mark.parametrize(("reply", "step"), [row for row in ANSWERS if row[0] != Answer(status=409)], ids=name)
def test_a_reply_means_the_same_when_other_content_is_known(reply: Reply, step: Step, rival: Rival) -> None:
    """All but 409: nothing else speaks of an event that was there before."""
    assert judge(reply, was_unknown=False, rival=rival).step is step


WELL, ILL = Witnesses(1_000, 3), Witnesses(1_000, 500)


@pytest.mark.parametrize(
    ("failures", "since", "expected"),
    [
        pytest.param(6, Witnesses(10, 0), True, id="sixth failure, ten do well"),
        pytest.param(5, Witnesses(10, 0), False, id="fifth failure"),
        pytest.param(6, Witnesses(9, 0), False, id="nine others"),
        pytest.param(6, Witnesses(), False, id="alone"),
        pytest.param(6, Witnesses(10, 1), False, id="one in ten fails too"),
        pytest.param(6, Witnesses(11, 1), True, id="one in eleven fails"),
        pytest.param(6, Witnesses(100, 9), True, id="nine in a hundred fail"),
        pytest.param(6, Witnesses(100, 10), False, id="ten in a hundred fail"),
        pytest.param(60, ILL, False, id="a brown-out"),
        pytest.param(7, Witnesses(20, 1), True, id="a later failure"),
    ],
)
@pytest.mark.parametrize("in_all", [WELL, ILL], ids=["well in all", "ill in all"])
def test_a_payload_is_called_poisoned_when_it_fails_alone(
    failures: int, since: Witnesses, in_all: Witnesses, *, expected: bool
) -> None:
    """Six failures, ten witnesses, and fewer than one in ten of those failed: nothing less holds an event at once."""
    for is_alone, seconds in ((False, 600.0), (True, 59.0)):
        assert (
            is_poisoned(failures=failures, seconds=seconds, is_alone=is_alone, since=since, in_all=in_all) is expected
        )


@pytest.mark.parametrize(
    ("failures", "seconds", "is_alone", "in_all", "expected"),
    [
        pytest.param(6, 60.0, True, WELL, True, id="a minute, and all others did well before"),
        pytest.param(5, 60.0, True, WELL, False, id="five failures"),
        pytest.param(6, 59.0, True, WELL, False, id="less than a minute"),
        pytest.param(6, 60.0, False, WELL, False, id="another one fails as well"),
        pytest.param(6, 60.0, True, ILL, False, id="half of the others failed"),
        pytest.param(6, 60.0, True, Witnesses(11, 1), True, id="ten others"),
        pytest.param(6, 60.0, True, Witnesses(10, 1), False, id="nine others"),
    ],
)
def test_a_payload_is_called_poisoned_when_it_alone_is_left_and_fails_for_a_minute(
    failures: int, seconds: float, in_all: Witnesses, *, is_alone: bool, expected: bool
) -> None:
    """Of a small pipeline all others are through before its second try: the whole run tells. It counts itself."""
    since = Witnesses(3, 0)

    assert is_poisoned(failures=failures, seconds=seconds, is_alone=is_alone, since=since, in_all=in_all) is expected
