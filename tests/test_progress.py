"""A long run shows that it lives, and an outage is told of while it lasts."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field, replace

import pytest

from target_driftrock.delivery.pending import Outlook
from target_driftrock.progress import Figures, Input, Line, Pace, Pulse, outage, span, told
from tests.stage import Stage, record, schema, state

WALL = 1_800_000_000.0
"""Unix time when the clock shows 0: 2027-01-15T08:00:00Z."""
WELL = Outlook(waited=0.0, left=900.0, next_try=0.0, reason=None)
DOWN = Outlook(waited=0.0, left=900.0, next_try=12.0, reason="status 503")


def figures(
    read: int = 0,
    *,
    delivered: int = 0,
    opened: int = 0,
    oldest: int | None = None,
    place: tuple[int, int] | None = None,
) -> Figures:
    """How far a run is, all of whose records are mapped, `opened` of them not settled."""
    return Figures(read=Input(read, place), delivered=delivered, newest=read, open=opened, oldest=oldest)


@dataclass(kw_only=True)
class Beating:
    """A pulse under a clock that a test moves."""

    line: Line | None = None
    now: float = 0.0
    figures: Figures = field(default_factory=figures)
    outlook: Outlook | None = WELL
    looked: int = 0

    def __post_init__(self) -> None:
        self.pulse = Pulse(
            look=self._look, look_ahead=lambda: self.outlook, line=self.line, wall=lambda: WALL + self.now
        )

    def beat(self, until: float) -> None:
        """Let time pass to then, a tenth of a second at a time."""
        while self.now < until:
            self.now = round(self.now + 0.1, 1)
            self.pulse.beat(self.now)

    def down(self, until: float, *, since: float) -> None:
        """Let it pass in an outage that began then."""
        while self.now < until:
            self.outlook = replace(DOWN, waited=self.now - since, left=900 - (self.now - since))
            self.beat(self.now + 1)

    def _look(self) -> Figures:
        self.looked += 1
        return self.figures


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What stands in the log."""
    return [f"{entry.levelname} {entry.getMessage()}" for entry in caplog.records]


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


# The figures.


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (99.4, "99 s"), (100, "2 min"), (5_999, "100 min"), (6_000, "2 h"), (360_000, "100 h")],
)
def test_a_time_has_the_unit_that_fits_it_when_it_is_told(seconds: float, text: str) -> None:
    """No unit is used for less than a hundred of the next smaller one."""
    assert span(seconds) == text


def test_the_pace_is_that_of_the_last_minute_when_it_changes() -> None:
    """Neither of the start, nor of a moment."""
    pace = Pace()
    for second in range(121):
        pace.note(float(second), figures(delivered=10 * min(second, 60) + 20 * max(second - 60, 0)))

    assert pace.rate == 20.0


def test_the_oldest_is_as_old_as_its_reading_when_later_ones_are_settled() -> None:
    """To a second; and where all are settled, none has an age."""
    pace = Pace()
    ages = []
    for second, oldest in enumerate([1, 1, 1, 25, 25, None]):
        pace.note(float(second), figures((second + 1) * 10, oldest=oldest))
        ages.append(pace.age)

    assert ages == [0, 1, 2, 1, 2, None]


def test_the_time_left_follows_from_the_bytes_when_the_input_is_a_file() -> None:
    """Of what is read, those of records that are not settled are still to be done."""
    pace = Pace()
    for second in range(61):
        pace.note(float(second), figures(second * 10, opened=second * 5, oldest=1, place=(second * 100, 10_000)))

    assert pace.left == pytest.approx((10_000 - 3_000) / 50)


@pytest.mark.parametrize(
    ("seconds", "place"),
    [
        pytest.param(60, None, id="a pipe"),
        pytest.param(5, (500, 10_000), id="too soon"),
        pytest.param(60, (0, 0), id="0"),
    ],
)
def test_no_time_is_left_when_nothing_tells_it(seconds: int, place: tuple[int, int] | None) -> None:
    """Rather none than a wrong one."""
    pace = Pace()
    for second in range(seconds + 1):
        pace.note(float(second), figures(second * 10, place=place and (place[0] * second // seconds, place[1])))

    assert pace.left is None


def test_all_figures_fit_eighty_columns_when_they_are_large() -> None:
    """Read, delivered, the pace, since when the oldest is open, and what is left."""
    pace = Pace()
    for second in range(61):
        pace.note(
            float(second), figures(10**7 + second, oldest=1, delivered=2500 * second, place=(second * 100, 10**6))
        )

    text = told(figures(12_345_678, delivered=12_345_678), pace)

    assert text == "12345678 read, 12345678 delivered, 2500 a second, oldest open for 60 s, 3 h left"
    assert len(text) <= 80


# In a log.


def test_a_line_is_logged_every_half_minute_when_there_is_no_terminal(caplog: pytest.LogCaptureFixture) -> None:
    """With the same figures, and no control characters; and once a second is looked at all."""
    beating = Beating(figures=figures(100, delivered=90, opened=10, oldest=91))
    beating.beat(95)

    so_far = "INFO So far: 100 read, 90 delivered, 0 a second, oldest open for"
    assert said(caplog) == [f"{so_far} 30 s.", f"{so_far} 60 s.", f"{so_far} 90 s."]
    assert all(line.isprintable() for line in said(caplog))
    assert beating.looked == 95


# On a terminal.


class Terminal(io.StringIO):
    """What a person sees: a carriage return leads back to the start of the line."""

    def isatty(self) -> bool:
        """It is one."""
        return True

    @property
    def lines(self) -> list[str]:
        """What stands in each line."""
        return [self._seen(line) for line in self.getvalue().split("\n")]

    def _seen(self, line: str) -> str:
        seen = ""
        for piece in line.split("\r"):
            seen = piece + seen[len(piece) :]
        return seen.rstrip()


@contextmanager
def root_handler(terminal: Terminal) -> Iterator[logging.Handler]:
    """What `redaction.install` sets up."""
    handler = logging.StreamHandler(terminal)
    logging.getLogger().addHandler(handler)
    try:
        yield handler
    finally:
        logging.getLogger().removeHandler(handler)


def test_one_line_moves_when_there_is_a_terminal(caplog: pytest.LogCaptureFixture) -> None:
    """It is never longer than the terminal is wide, leaves nothing of what it said before, and is not logged."""
    terminal = Terminal()
    beating = Beating(line=Line(terminal, columns=lambda: 40), figures=figures(1000, delivered=900, opened=1, oldest=3))
    beating.beat(5)
    first = terminal.lines
    beating.figures = figures(1100, delivered=960)
    beating.beat(125)

    assert first == ["1000 read, 900 delivered, 0 a second, o"]
    assert terminal.lines == ["1100 read, 960 delivered, 0 a second"]
    assert "\x1b" not in terminal.getvalue()
    assert said(caplog) == []


def test_a_logged_line_stands_alone_when_the_line_moves() -> None:
    """It is taken away before anybody logs, comes back with the next second, and goes at the end."""
    terminal = Terminal()
    with root_handler(terminal) as handler:
        beating = Beating(line=Line(terminal, columns=lambda: 80), figures=figures(1000, delivered=900))
        beating.beat(2)
        logging.getLogger("test").warning("Short.")
        beating.beat(4)
        between = terminal.lines
        beating.pulse.end()
        beating.pulse.end()

        assert handler.filters == []
    assert between == ["Short.", "1000 read, 900 delivered, 0 a second"]
    assert terminal.lines == ["Short.", ""]


def test_a_run_goes_on_when_its_terminal_is_gone() -> None:
    """Whoever closes the window sees no line; that is all."""
    terminal = Terminal()
    beating = Beating(line=Line(terminal, columns=lambda: 80))
    terminal.close()

    beating.beat(2)
    beating.pulse.end()


def test_a_run_shows_its_figures_when_standard_error_is_a_terminal(stage: Stage) -> None:
    """While it lasts; afterwards nothing of them is left, and the log has none."""
    terminal = Terminal()

    with redirect_stderr(terminal):
        done = stage.run(schema(), *(record(number) for number in range(20)), state(at=20))

    assert "\r20 read, " in terminal.getvalue()
    assert terminal.lines == [""]
    assert "So far" not in done.log


def test_a_run_shows_nothing_of_itself_when_standard_error_is_a_pipe(stage: Stage) -> None:
    """As through Meltano, and in a file."""
    pipe = io.StringIO()

    with redirect_stderr(pipe):
        stage.run(schema(), record(1))

    assert "\r" not in pipe.getvalue()


# An outage.


def test_an_outage_is_told_of_when_nothing_has_a_verdict_for_five_seconds(caplog: pytest.LogCaptureFixture) -> None:
    """Since when, why, when the next try is, and how long the run will wait."""
    beating = Beating()
    beating.down(4, since=0)
    assert said(caplog) == []
    beating.down(7, since=0)

    (warning,) = said(caplog)
    assert warning.startswith("WARNING Driftrock has given no verdict on anything since 2027-01-15T08:00:0")
    assert "(status 503). The next try is in 12 s; after 15 min more without one the run ends" in warning


def test_an_outage_is_told_of_every_minute_when_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    """And once when it is over; the next one at once again."""
    beating = Beating()
    beating.down(200, since=0)
    assert [line.split()[0] for line in said(caplog) if "So far" not in line] == ["WARNING"] * 4
    caplog.clear()
    beating.outlook = replace(DOWN, waited=0.5)
    beating.beat(202)
    beating.outlook = WELL
    beating.beat(205)
    assert said(caplog) == ["INFO Driftrock gives verdicts again, after 3 min."]
    caplog.clear()

    beating.down(212, since=204)

    assert [line.split()[0] for line in said(caplog) if "So far" not in line] == ["WARNING"]


NO_OUTAGE = {
    "answers are slow": replace(DOWN, waited=20.0, next_try=0.0, reason=None),
    "requests are few": replace(DOWN, waited=200.0, next_try=100.0, reason=None),
    "nothing waits": replace(DOWN, waited=200.0, left=None),
    "one has just failed": replace(DOWN, waited=4.0),
    "nothing is known": None,
}


@pytest.mark.parametrize("outlook", NO_OUTAGE.values(), ids=NO_OUTAGE)
def test_no_outage_is_told_of_when_there_is_none(outlook: Outlook | None, caplog: pytest.LogCaptureFixture) -> None:
    """A warning that is wrong teaches to overlook the others."""
    Beating(outlook=outlook).beat(10)

    assert said(caplog) == []


def test_an_outage_is_told_of_when_no_answer_comes_at_all(caplog: pytest.LogCaptureFixture) -> None:
    """Though nothing has failed yet."""
    Beating(outlook=replace(DOWN, waited=31.0, next_try=0.0, reason=None)).beat(10)

    (warning,) = said(caplog)
    assert "(no answer). A try is under way;" in warning


@pytest.mark.parametrize(
    ("next_try", "words"),
    [(None, "A token is being asked for;"), (0.0, "A try is under way;"), (300.0, "The next try is in 5 min;")],
)
def test_the_next_try_is_told_when_there_is_an_outage(next_try: float | None, words: str) -> None:
    """As far as it is known."""
    assert words in outage(replace(DOWN, next_try=next_try), since=WALL)


# A run.


class Mending(logging.Handler):
    """Lets the API be well again as soon as an outage is told of."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(logging.WARNING)
        self._stage = stage

    def emit(self, _: logging.LogRecord) -> None:
        """Mend it."""
        self._stage.wire.post("/_sandbox/faults", {"down": False})


def test_a_run_tells_of_an_outage_and_of_its_end_when_the_api_fails_for_a_while(stage: Stage) -> None:
    """While it lasts, and in the log alone."""
    stage.wire.post("/_sandbox/faults", {"down": True})
    logger, mending = logging.getLogger("target_driftrock.progress"), Mending(stage)
    logger.addHandler(mending)
    try:
        done = stage.run(schema(), *(record(number) for number in range(20)), state(at=20))
    finally:
        logger.removeHandler(mending)

    said = [line for line in done.log.splitlines() if "verdict" in line]
    assert done.code == 0
    assert [line.split()[0] for line in said] == ["WARNING", "INFO"]
    assert "(status 503)" in said[0]
    assert said[1].startswith("INFO Driftrock gives verdicts again, after ")
    assert done.states == [b'{"at": 20}']


@pytest.mark.parametrize(
    ("count", "times"), [pytest.param(9, 1, id="more is there"), pytest.param(2, 0, id="all is read")]
)
def test_it_is_said_when_max_events_ended_the_reading(stage: Stage, count: int, times: int) -> None:
    """In the last lines, so that nobody takes such a run for a whole one."""
    done = stage.run(schema(), *(record(number) for number in range(count)), state(at=1), max_events=5)

    last = done.log.splitlines()[-2:]
    ended = "INFO Reading ended after 5 events, as max_events says; the next run goes on from the last STATE."
    assert last.count(ended) == times
    assert last[-1].startswith("INFO All is resolved (exit 0).")
