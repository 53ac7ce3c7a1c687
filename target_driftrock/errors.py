"""Why a run stops: one tree, by what the operator does next, each branch with its exit code.

    RunStopped
    ├── SettingsInvalid        2   mend the settings
    ├── SetupRefused           3   mend the credentials, or the capture at Driftrock
    │   ├── CredentialsRejected
    │   ├── TokenRejected
    │   ├── CaptureRefused
    │   ├── CaptureSilent
    │   └── NotTheApi
    ├── TryAgainLater          4   run again: nothing is lost
    │   ├── ApiOutage
    │   ├── AskedToWait
    │   ├── AnswersLost
    │   ├── LedgerUnavailable
    │   ├── TasksFailed
    │   ├── RowsLost
    │   ├── NoThread
    │   ├── NoFile
    │   └── Unwritable
    ├── InputInvalid           5   mend the tap
    │   └── SourceFailed
    ├── RejectsAboveLimit      6   mend the mapping or the records
    ├── Defect                70   tell the authors
    └── StateUnread          141   nobody reads STATE any more

A signal ends a run with 128 + its number; it is no error, so it is no exception here.
What becomes of one event is never an exception: see `events.outcome`.

Every message names a setting, a stream, a mapping or a line; none carries a value.
"""

from __future__ import annotations

import enum
import errno
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class ExitCode(enum.IntEnum):
    """What the process ends with. The README explains each to the operator."""

    RESOLVED = 0
    SETTINGS = 2
    SETUP = 3
    TRY_LATER = 4
    INPUT = 5
    REJECTS = 6
    DEFECT = 70
    STATE_UNREAD = 141


ENOUGH_FILES = 48
"""For all that a run opens beside its connections, with room to spare."""

PRECEDENCE = (
    ExitCode.DEFECT,
    ExitCode.STATE_UNREAD,
    ExitCode.SETTINGS,
    ExitCode.SETUP,
    ExitCode.TRY_LATER,
    ExitCode.INPUT,
    ExitCode.REJECTS,
)
"""Which cause a run is said to have ended by, where there are several."""


class RunStopped(Exception):
    """The run ends here; the text says why, and what to do next."""

    exit_code = ExitCode.DEFECT


class SettingsInvalid(RunStopped):
    """One or more settings are wrong. All faults are told at once, a sentence each."""

    exit_code = ExitCode.SETTINGS

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


def faults(stop: RunStopped) -> tuple[str, ...]:
    """Why a run stops, a sentence or more each: several only where settings are wrong."""
    return stop.faults if isinstance(stop, SettingsInvalid) else (str(stop),)


class SetupRefused(RunStopped):
    """Driftrock refuses us as a whole: a person has to look at the credentials or the capture."""

    exit_code = ExitCode.SETUP


class CredentialsRejected(SetupRefused):
    """The token endpoint refused the credentials."""


class TokenRejected(SetupRefused):
    """A fresh token, or the API key, is not accepted for events."""


class CaptureRefused(SetupRefused):
    """A capture answers as if it did not exist or were closed to us."""

    def __init__(self, *, capture: str, reason: str) -> None:
        super().__init__(
            f"The capture of {capture} refuses events ({reason}) as if it did not exist or were closed to these "
            "credentials: check the source_id at Driftrock. What is not settled is sent by the next run."
        )


class CaptureSilent(SetupRefused):
    """A capture gives no verdict on any event, for a reason that is not the events'."""

    def __init__(self, *, capture: str, reason: str) -> None:
        super().__init__(
            f"The capture of {capture} judges no event any more (last: {reason}): ask Driftrock, or whoever runs the "
            "proxy, gateway or firewall in between, what stands in the way. Nothing is rejected; what is not settled "
            "is sent by the next run."
        )


class NotTheApi(SetupRefused):
    """What answers at `api_url` is not this API."""


class TryAgainLater(RunStopped):
    """Something outside is unavailable at present. Nothing is lost: run again."""

    exit_code = ExitCode.TRY_LATER


class ApiOutage(TryAgainLater):
    """Nothing that waits got a verdict for `max_outage_seconds`."""

    def __init__(self, *, seconds: float, reason: str) -> None:
        super().__init__(
            f"Driftrock gave no verdict on anything for {seconds:g} seconds (last: {reason}). "
            "Nothing is lost: run again later, or raise max_outage_seconds."
        )


class AskedToWait(TryAgainLater):
    """The API, or what stands before it, asks to be left alone for longer than `max_outage_seconds`."""

    def __init__(self, *, until: float, reason: str) -> None:
        """`until` is Unix time."""
        moment = datetime.fromtimestamp(until, UTC).isoformat(sep=" ", timespec="seconds")
        super().__init__(
            f"Driftrock asks to be left alone until {moment} ({reason}, Retry-After), which is longer than "
            "max_outage_seconds. Nothing is lost: run again then."
        )


class AnswersLost(TryAgainLater):
    """As many events as go at once were held, each for a lost answer, and nothing had a verdict meanwhile."""

    def __init__(self, *, held: int) -> None:
        super().__init__(
            f"{held} answers in a row were lost, and on_unknown: hold keeps their events: no more are sent. Run again "
            "when Driftrock answers; `target-driftrock rejects` lists what is held."
        )


class LedgerUnavailable(TryAgainLater):
    """The ledger cannot be written, or another run holds it."""


class TasksFailed(TryAgainLater):
    """A task of a job failed as often as Spark tries, or whoever started the job ended it."""


class RowsLost(TryAgainLater):
    """Spark gave no more rows of a partition, and did not say that it was over."""


class NoThread(TryAgainLater):
    """This machine starts no further thread."""

    def __init__(self) -> None:
        super().__init__(
            "This machine starts no further thread: raise its limit on processes (ulimit -u), or the container's, or "
            "have less run beside this; then run again."
        )


class NoFile(TryAgainLater):
    """This process may open no further file or connection."""

    def __init__(self) -> None:
        super().__init__(
            f"This process may open too few files: raise the limit (ulimit -n), or the container's, to {ENOUGH_FILES} "
            "or more; then run again."
        )


class Unwritable(TryAgainLater):
    """Standard output is read or kept by somebody, and takes nothing more: a full disk, say."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"Standard output cannot be written ({error.strerror}): make room where it goes, then run again. "
            "What did not get there is read again."
        )


class InputInvalid(RunStopped):
    """The input is not Singer; the text names the line by its number, never its content."""

    exit_code = ExitCode.INPUT


class SourceFailed(InputInvalid):
    """What puts the records failed."""

    def __init__(self) -> None:
        super().__init__(
            "What puts the records failed: mend that, and run it again. What was put before it is delivered, or open."
        )


class RejectsAboveLimit(RunStopped):
    """More was refused than a run may pass over in silence."""

    exit_code = ExitCode.REJECTS


class Defect(RunStopped):
    """Our own sums do not close, or our own code failed."""


class StateUnread(RunStopped):
    """Standard output was closed: whoever kept STATE is gone."""

    exit_code = ExitCode.STATE_UNREAD


def unwritten(error: OSError) -> RunStopped:
    """Why standard output took nothing: whether somebody has it at all."""
    if isinstance(error, ConnectionError | TimeoutError) or error.errno == errno.EBADF:
        return StateUnread(_UNREAD)
    return Unwritable(error)


def revived(kind: str, told: Sequence[str]) -> RunStopped:
    """What stopped a run in another process: its class by name, and its faults."""
    stop = _kinds(RunStopped).get(kind, Defect)
    if issubclass(stop, SettingsInvalid):
        return stop(told)
    cause = stop.__new__(stop)
    cause.args = ("\n".join(told),)
    return cause


def _kinds(above: type[RunStopped]) -> dict[str, type[RunStopped]]:
    kinds = {above.__name__: above}
    for each in above.__subclasses__():
        kinds |= _kinds(each)
    return kinds


def scarcity(error: BaseException | None) -> RunStopped | None:
    """What this machine lacks, by an error that no one place can foresee, or one that it led to; else None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
            return NoFile()
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            return Unwritable(error)
        error = error.__cause__ or error.__context__
    return None


_UNREAD = (
    "Nobody reads standard output, and so nobody keeps STATE. The next run reads again what came after the last one."
)
