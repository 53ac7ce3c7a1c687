"""What is said of a run when it ends: what a person should decide or mend, and in the last line how it ended."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from target_driftrock.errors import PRECEDENCE, Defect, ExitCode, RunStopped, faults, scarcity
from target_driftrock.events.outcome import HeldAs
from target_driftrock.redaction import Withheld
from target_driftrock.wording import counted

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator, Sequence

    from target_driftrock.records.tally import Tally

log = logging.getLogger(__name__)


def causes_of(*stages: Callable[[], None]) -> list[RunStopped]:
    """What ended each stage, if anything did. What is no cause is a defect of ours, and told with its traceback."""
    causes: list[RunStopped] = []
    for stage in stages:
        try:
            stage()
        except RunStopped as cause:
            causes.append(cause)
        except Exception as error:
            if (lacking := scarcity(error)) is not None:
                causes.append(lacking)
                continue
            log.critical("A defect of target-driftrock ends this run.", exc_info=Withheld(error))
            causes.append(Defect(_DEFECT))
    return causes


def gravest(causes: Sequence[RunStopped]) -> RunStopped:
    """Which of these a run is said to have ended by."""
    return min(causes, key=lambda cause: PRECEDENCE.index(cause.exit_code))


def exit_code(causes: Sequence[RunStopped], *, received: signal.Signals | None) -> int:
    """What a run ends with that had these causes, or that a signal ended."""
    if received is not None:
        return 128 + received
    return gravest(causes).exit_code if causes else ExitCode.RESOLVED


def doubts(tally: Tally) -> Iterator[str]:
    """What a person should decide, or mend, a sentence each with what to type."""
    for stream, count in tally.only_deletions():
        yield _DELETIONS.format(stream=stream, count=count)
    for mapping, count in sorted(tally.changes_unsaid.items()):
        yield _CHANGED.format(events=counted(count, "event"), mapping=mapping)
    for (mapping, kind), count in sorted(tally.to_decide.items(), key=str):
        text = _COLLIDES if kind is HeldAs.COLLISION else _UNDECIDED
        yield text.format(events=counted(count, "event"), mapping=mapping)


def say_end(
    code: int, causes: Sequence[RunStopped], *, received: signal.Signals | None, otherwise: str, waiting: str
) -> None:
    """Say how the run ended, in the last line of the log.

    `otherwise` is what `settled` says, where nothing stopped it; `waiting` is what `rows_waiting` says.
    """
    if received is not None:
        log.info("Stopped by %s (exit %d). %s%s", received.name, code, _GO_ON, waiting)
    elif causes:
        *others, last = faults(gravest(causes))
        for fault in others:
            log.error("%s", fault)
        log.error("%s (exit %d)%s", last, code, waiting)
    else:
        log.info("%s%s", otherwise, waiting)


def settled(*, read: int, refused: int, held: int, are_rows_waiting: bool) -> str:
    """What is said of a run that nothing stopped: what of the records that it read is not delivered, if anything."""
    left = [f"{counted(count, 'event')} {what}" for count, what in ((refused, _REFUSED), (held, _HELD)) if count]
    if left:
        return f"All is settled but {' and '.join(left)}, as told above (exit 0)."
    if not read:
        return "No record came: if some should have, see the tap's log (exit 0)."
    return f"All{' that was read' if are_rows_waiting else ''} is resolved (exit 0)."


def rows_waiting(count: int, since: float | None, *, filtered: int) -> str:
    """How many kept rows wait, and since when; how many of them were read again in vain. Nothing if none waits."""
    if since is None:
        return ""
    day = time.strftime("%Y-%m-%d", time.gmtime(since))
    rows = f"{count} kept row{' waits' if count == 1 else 's wait'}"
    again = f", {filtered} of them read again and filtered" if filtered else ""
    return f" {rows}, the oldest since {day}{again}: see `target-driftrock rejects`."


_DEFECT = "A defect of target-driftrock: please report the lines above, which hold no data."
_DELETIONS = (
    "All {count} records of stream {stream} say that their row was deleted (_sdc_deleted_at), and were filtered: if "
    "these are to be sent, name _sdc_deleted_at in a `when` or a template of its mapping."
)
_CHANGED = (
    "{events} of {mapping} changed after delivery, and not sent, since on_changed is not set: if that is right, set "
    "on_changed: skip; to send each change, set on_changed: send."
)
_COLLIDES = (
    "{events} of {mapping} held: another person's event was sent under the same event_id. See `target-driftrock "
    "rejects --held`. Mend event_id, then send them again with `target-driftrock rejects | target-driftrock`; where it "
    "is the same person with a new address, run `target-driftrock rejects --changed`."
)
_UNDECIDED = (
    "{events} of {mapping} held: other content was sent under the same event_id, and nothing says whether it is a "
    "change or another event. If each event_id is surely its own, set on_changed: skip or send; if not, mend event_id. "
    "Then send them again with `target-driftrock rejects | target-driftrock`."
)
_REFUSED, _HELD = "refused", "held for your decision"
MISNAMED = (
    "%s left as before, since the record that bears its `driftrock_row` is another one, or was changed by hand. If it "
    "is the same lead, and is delivered, erase the row with `target-driftrock rejects --delete --row KEY`, its "
    "`driftrock_row` for KEY; if it is another lead, take `driftrock_row` out of its line."
)
NEXT_RUN = "the next run goes on from the last STATE"
_GO_ON = f"What was in flight is settled or counted as open; {NEXT_RUN}."
