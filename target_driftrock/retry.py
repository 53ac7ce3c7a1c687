"""When to try again: `Retry-After`, jitter, and how long an outage is borne. Nothing here waits or reads a clock."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

_LONGEST = 100 * 366 * 86_400.0
"""Seconds in a hundred years."""


def retry_after(value: str | None, *, now: float, date: str | None = None) -> float | None:
    """Seconds that a `Retry-After` header asks for, or None where it asks for nothing that can be read.

    Both forms of RFC 9110 section 10.2.3 are understood, the obsolete forms of its dates too. A date is measured from
    the answer's own `date`, since clocks differ; from `now`, which is Unix time, where it has none. One that has passed
    asks for 0.0. The caller's patience is the limit: what is longer than `_LONGEST` is cut there, so that any clock can
    count it.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST)
    moment = _moment(text)
    if moment is None:
        return None
    said_at = None if date is None else _moment(date)
    return min(max(0.0, moment - (now if said_at is None else said_at)), _LONGEST)


def _moment(text: str) -> float | None:
    """Unix time of an HTTP date."""
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)  # RFC 9110 5.6.7: the asctime form names no zone, and means UTC
        return moment.timestamp()
    except (ValueError, OverflowError):  # the latter of a year beyond all that a machine counts
        return None


def full_jitter(attempt: int, *, base: float = 1.0, cap: float = 60.0, roll: float) -> float:
    """Seconds to wait before the 1-based `attempt`; the first waits for nothing.

    The bound is `base` before the second attempt and doubles up to `cap`; `roll` is uniform in [0, 1).
    """
    if attempt < 2:  # noqa: PLR2004 - the first attempt is no repeat
        return 0.0
    return roll * min(cap, base * 2.0 ** min(attempt - 2, 32))


class Silence:
    """Replies in a row that judge nothing but, by their number, whoever gives them."""

    _STRANGER = 3, 5.0
    _KNOWN = 10, 10.0
    """So many, over at least so many seconds: a firewall that answers for a moment ends no good run."""

    def __init__(self) -> None:
        self.count = 0
        self._since = 0.0

    def note(self, now: float, *, is_known: bool) -> bool:
        """One more: whether that is too many. `is_known`: there were good replies before the first of them."""
        if not self.count:
            self._since = now
        self.count += 1
        most, seconds = self._KNOWN if is_known else self._STRANGER
        return self.count >= most and now - self._since >= seconds

    def end(self) -> None:
        """A good reply came."""
        self.count = 0


class Patience:
    """The outage clock: how long something may wait before a verdict comes on anything.

    It runs only while something waits, stands still while nothing does, and starts anew with each verdict (a 2xx
    or a final 4xx). Moments are monotonic seconds, never going back; telling it twice changes nothing.
    """

    __slots__ = ("_limit", "_since", "_spent")

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._spent = 0.0
        self._since: float | None = None

    def wait(self, now: float) -> None:
        """Something waits for a verdict from now on."""
        if self._since is None:
            self._since = now

    def rest(self, now: float) -> None:
        """Nothing waits any more."""
        if self._since is not None:
            self._spent += now - self._since
        self._since = None

    def verdict(self, now: float) -> None:
        """A verdict came: the API lives. Whether something still waits is not changed by it."""
        self.begin(now)

    def begin(self, now: float) -> None:
        """Nothing is known of the time until now: what waits, waits from here on."""
        self._spent = 0.0
        if self._since is not None:
            self._since = now

    def spent(self, now: float) -> float:
        """Seconds for which something has waited since the latest verdict."""
        return self._spent + (0.0 if self._since is None else now - self._since)

    def deadline(self) -> float | None:
        """The moment at which patience ends if nothing changes, or None while nothing waits."""
        return None if self._since is None else self._since + self._limit - self._spent

    def is_exhausted(self, now: float) -> bool:
        """Whether something waits, and has waited too long."""
        deadline = self.deadline()
        return deadline is not None and now >= deadline
