"""The last row: all faults at once, while runs are killed and stopped at random."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from signal import SIGKILL, SIGTERM, Signals

from tests.faults.crowd import crowd
from tests.faults.finding import Finding
from tests.faults.table import Row, Stage
from tests.faults.trial import SLOTS, Trial
from tests.program import Running

SECONDS = 300.0
PER_SECOND = 150
FAULTS = (
    *("--latency", "0.02", "--error-share", "0.01", "--slow-share", "0.01", "--slow-seconds", "1"),
    *("--reset-before-share", "0.005", "--reset-after-share", "0.005", "--silent-share", "0.005"),
    *("--refuse-share", "0.01", "--token-lifetime", "2", "--rate-limit", str(PER_SECOND), "--retry-after", "seconds"),
)
INTERRUPTIONS = [(SIGKILL, "kill -9"), (SIGTERM, "SIGTERM")]
REFUSED = 422
NO_FAULTS = {
    **dict.fromkeys(("error_share", "slow_share", "reset_before_share", "reset_after_share", "silent_share"), 0.0),
    "rate_limit": 0,
}


def _all_at_once(stage: Stage) -> Iterator[Finding]:
    chance = random.Random(stage.seed)  # noqa: S311 - repeatable on purpose
    entries = crowd(others=round(stage.seconds * PER_SECOND))
    began, happened, kinds = time.monotonic(), Counter[str](), cycle(INTERRUPTIONS)
    with stage.trial(*FAULTS, entries=entries, read_timeout=4, max_reject_percent=100) as trial:
        while time.monotonic() < began + stage.seconds:
            _interrupted(trial, happened, chance, kind=next(kinds))
        happened["seconds"] = int(time.monotonic() - began)
        is_more = trial.bookmark < len(entries)
        codes = [_right(code) for code in trial.codes]
        trial.fault(**NO_FAULTS)
        trial.deliver(trial.rest())
        unanswered = trial.count(outcome="accepted_silent") + trial.count(outcome="accepted_reset")
        most = happened["kill -9"] * SLOTS + unanswered
        refused = len({each.serial for each in trial.arrivals() if each.status == REFUSED})
        yield trial.finding(
            {**happened, **_seen(trial)},
            codes=[*codes, 0],
            holds={"there was something to send all along": is_more},
            most_twice=most,
            most_kept=refused,
        )


def _interrupted(trial: Trial, happened: Counter[str], chance: random.Random, *, kind: tuple[Signals, str]) -> None:
    """A run from the latest STATE that is killed or stopped after some arrivals; its tokens are revoked before."""
    goal = trial.arrived() + chance.randrange(10, 1500)
    number, name = kind
    with trial.run(trial.rest()) as run:
        if _reached(run, trial, (trial.arrived() + goal) // 2):
            trial.wire.post("/_sandbox/revoke")
            happened["revocations"] += 1
        if _reached(run, trial, goal):
            happened[name] += run.tell(number)
        trial.end(run)


def _reached(run: Running, trial: Trial, goal: int) -> bool:
    return run.until(lambda: trial.arrived() >= goal)


def _right(code: int) -> int:
    """The same code if it is one of those that may be; else one that no run ends with."""
    return code if code in {0, -SIGKILL, 128 + SIGTERM} else -1


def _seen(trial: Trial) -> Counter[str]:
    return Counter(
        {
            "503": trial.count(status=503),
            "429": trial.count(status=429),
            "422": trial.count(status=REFUSED),
            "401": trial.count(status=401),
            "resets": trial.count(outcome="reset"),
            "accepted, connection reset": trial.count(outcome="accepted_reset"),
            "accepted, not answered": trial.count(outcome="accepted_silent"),
            "token requests": trial.wire.counts()["token_requests"],
        }
    )


ROWS = [
    Row(
        name="together",
        fault="503, slow, 429, resets, lost answers, refusals, tokens of 2 s and revocations at once for five minutes, "
        "while runs are killed and stopped",
        play=_all_at_once,
        is_random=True,
        seconds=SECONDS,
        short=30.0,
    )
]
