"""That a long run lives: how far it is, and what it waits for while the API gives no verdict. Nothing of a record.

Called once a second with a clock's time; between two seconds a call does nothing.
"""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TextIO

from target_driftrock.wording import moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_driftrock.delivery.pending import Outlook

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
LOG_SECONDS = 30.0
WINDOW_SECONDS = 60.0
"""What the pace is measured over."""
SETTLED_SECONDS = 10.0
"""A pace measured over less says nothing of what is left."""
OUTAGE_SECONDS = 5.0
"""For so long nothing has a verdict, and some reply was none, until that is told: a few tries may fail in a moment."""
SILENCE_SECONDS = 30.0
"""The same where no reply came at all: a slow answer is no outage."""
OUTAGE_AGAIN_SECONDS = 60.0
_FEW = 100
"""From there on seconds are told as minutes, and minutes as hours."""


class Input(NamedTuple):
    """What was read: records; and where the input is a file, its bytes, and how many it has."""

    records: int = 0
    place: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How far a run is. Records are numbered from 1; those that no mapping takes are read, and have no number."""

    read: Input
    delivered: int
    """Events."""
    newest: int
    """The number of the last record."""
    open: int
    """Records of which something is not settled."""
    oldest: int | None
    """The number of the first of these."""

    @property
    def done(self) -> float | None:
        """Bytes of the file whose records are settled, if these are as long as the others."""
        if self.read.place is None or not self.read.records:
            return None
        return self.read.place[0] * (1 - self.open / self.read.records)


class Pace:
    """How fast it went lately, since when what is open is, and how long the rest will take."""

    def __init__(self) -> None:
        self._beats: deque[tuple[float, int, float]] = deque()
        self._opened: deque[tuple[float, int]] = deque()
        self._figures: Figures | None = None

    def note(self, now: float, figures: Figures) -> None:
        """So it stands now."""
        self._figures = figures
        self._beats.append((now, figures.delivered, figures.done or 0.0))
        while self._beats[0][0] < now - WINDOW_SECONDS:
            self._beats.popleft()
        self._opened.append((now, figures.newest))
        oldest = math.inf if figures.oldest is None else figures.oldest
        while self._opened and self._opened[0][1] < oldest:
            self._opened.popleft()

    @property
    def rate(self) -> float:
        """Events delivered a second."""
        seconds = self._seconds
        return (self._beats[-1][1] - self._beats[0][1]) / seconds if seconds else 0.0

    @property
    def age(self) -> float | None:
        """For how long the oldest is open, to a second; None where nothing is."""
        return self._beats[-1][0] - self._opened[0][0] if self._opened else None

    @property
    def left(self) -> float | None:
        """Seconds until a file is done, as far as can be told."""
        place = None if self._figures is None else self._figures.read.place
        done = self._beats[-1][2] - self._beats[0][2] if self._beats else 0.0
        if place is None or done <= 0 or self._seconds < SETTLED_SECONDS:
            return None
        return (place[1] - self._beats[-1][2]) * self._seconds / done

    @property
    def _seconds(self) -> float:
        return self._beats[-1][0] - self._beats[0][0] if self._beats else 0.0


def told(figures: Figures, pace: Pace) -> str:
    """How far a run is, in words that fit one line of a terminal."""
    parts = [f"{figures.read.records} read", f"{figures.delivered} delivered", f"{pace.rate:.0f} a second"]
    if pace.age is not None:
        parts.append(f"oldest open for {span(pace.age)}")
    if pace.left is not None:
        parts.append(f"{span(pace.left)} left")
    return ", ".join(parts)


def span(seconds: float) -> str:
    """So much time, in the unit that fits it."""
    if seconds < _FEW:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < _FEW * 60 else f"{seconds / 3600:.0f} h"


class OutageWatch:
    """Tells of an outage soon after it began, then once a minute, and when it is over. `wall` is Unix time."""

    def __init__(self, *, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._waited = 0.0
        self._told_at: float | None = None

    def note(self, now: float, outlook: Outlook) -> None:
        """So it stands now."""
        waited, self._waited = self._waited, outlook.waited
        if outlook.waited < waited and self._told_at is not None:
            self._told_at = None
            log.info("Driftrock gives verdicts again, after %s.", span(waited))
        if not _is_outage(outlook):
            return
        if self._told_at is None or now >= self._told_at + OUTAGE_AGAIN_SECONDS:
            self._told_at = now
            log.warning("%s", outage(outlook, since=self._wall() - outlook.waited))


def _is_outage(outlook: Outlook) -> bool:
    if outlook.left is None:
        return False
    if outlook.reason is None:
        return outlook.next_try == 0 and outlook.waited >= SILENCE_SECONDS
    return outlook.waited >= OUTAGE_SECONDS


def outage(outlook: Outlook, *, since: float) -> str:
    """How an outage stands, in words. `since` is Unix time."""
    begin = moment(since)
    reason, left = outlook.reason or "no answer", span(outlook.left or 0.0)
    return (
        f"Driftrock has given no verdict on anything since {begin} ({reason}). {_next(outlook.next_try)}; after {left} "
        "more without one the run ends, as max_outage_seconds says. Nothing is lost."
    )


def _next(seconds: float | None) -> str:
    if seconds is None:
        return "A token is being asked for"
    return f"The next try is in {span(seconds)}" if seconds >= 1 else "A try is under way"


class Line:
    """One line of a terminal that is written over and over. No escape sequence: any terminal can do it."""

    def __init__(self, terminal: TextIO, *, columns: Callable[[], int]) -> None:
        self._terminal = terminal
        self._columns = columns
        self._length = 0

    def show(self, text: str) -> None:
        """Write it in place of what stood there."""
        width = self._columns() - 1
        self._write(text[:width].ljust(min(self._length, width)))
        self._length = min(len(text), width)

    def clear(self) -> None:
        """Leave nothing of it, for whoever writes there next. Safe from any thread."""
        if self._length:
            self._write(" " * min(self._length, self._columns() - 1))
            self._length = 0

    def begin(self) -> None:
        """From now on whoever logs finds nothing of it."""
        for handler in logging.getLogger().handlers:
            handler.addFilter(self._make_room)

    def end(self) -> None:
        """Leave the terminal as it was. May be called twice."""
        self.clear()
        for handler in logging.getLogger().handlers:
            handler.removeFilter(self._make_room)

    def _make_room(self, _: logging.LogRecord) -> bool:
        self.clear()
        return True

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody looks there any more
            self._terminal.write(f"\r{text}\r")
            self._terminal.flush()


def terminal_line() -> Line | None:
    """The line of standard error, where that is a terminal whose reader wants to be told such things."""
    terminal = sys.stderr
    if terminal is None or not terminal.isatty() or not log.isEnabledFor(logging.INFO):
        return None
    return Line(terminal, columns=lambda: _columns(terminal))


def _columns(terminal: TextIO) -> int:
    try:
        return os.get_terminal_size(terminal.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


class Pulse:
    """Shows how far a run is, on a terminal in one line that moves, else in the log, which also tells of outages."""

    def __init__(
        self,
        *,
        look: Callable[[], Figures],
        look_ahead: Callable[[], Outlook | None],
        line: Line | None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._look = look
        self._look_ahead = look_ahead
        self._line = line
        self._pace = Pace()
        self._outage = OutageWatch(wall=wall)
        self._due = -math.inf
        self._log_due: float | None = None
        if line is not None:
            line.begin()

    def beat(self, now: float) -> None:
        """Look, and show, if a second is over. `now` is monotonic."""
        if now < self._due:
            return
        self._due = now + BEAT_SECONDS
        figures = self._look()
        self._pace.note(now, figures)
        self._show(now, figures)
        outlook = self._look_ahead()
        if outlook is not None:
            self._outage.note(now, outlook)

    def make_room(self) -> None:
        """Somebody is about to write to the terminal."""
        if self._line is not None:
            self._line.clear()

    def end(self) -> None:
        """Leave the terminal as it was. May be called twice."""
        if self._line is not None:
            self._line.end()

    def _show(self, now: float, figures: Figures) -> None:
        if self._line is not None:
            self._line.show(told(figures, self._pace))
            return
        if self._log_due is None:
            self._log_due = now + LOG_SECONDS
        elif now >= self._log_due:
            self._log_due = now + LOG_SECONDS
            log.info("So far: %s.", told(figures, self._pace))
