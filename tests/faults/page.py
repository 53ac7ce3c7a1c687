"""`docs/faults.md`: the table, and where it was played."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.page import commit
from tests.faults.crowd import EACH, OTHERS, PERSONS, STREAMS
from tests.faults.summary import Summary
from tests.faults.trial import SLOTS

HEAD = ("fault", "trials", "it happened", "lost", "twice", "not counted", "unknown", "kept", "order", "exit", "s")


def page(summaries: Sequence[Summary], *, folder: Path, seconds: float) -> str:
    """The whole page. `seconds` is how long all of it took."""
    broken = sum(bool(one.broken) for one in summaries)
    lines = [
        "# Faults, and what came of them",
        "",
        "`make acceptance` wrote this page. Each row is a fault, played through the installed command against the",
        "sandbox in a process of its own; what is counted here is what the sandbox received, not what the target says.",
        "What is promised, and what is not, stands in [promises](promises.md).",
        "",
        f"- commit `{commit(folder)}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {seconds / 60:.0f} minutes",
        f"- {machine()}",
        _input(summaries),
        f"- {len(summaries) - broken} of {len(summaries)} rows kept every promise",
        "",
        *_table(summaries),
        "",
        *_legend(),
        "",
        *_broken(summaries),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _input(summaries: Sequence[Summary]) -> str:
    first, most = summaries[0], max(one.most_records for one in summaries)
    more = f" (where the fault lasts, up to {most:,}, more of which have one)" if most > first.most_records else ""
    return (
        f"- a trial has {first.most_records} records in {len(STREAMS)} streams: {PERSONS} persons have {EACH} events "
        f"and more each, {OTHERS} have one{more}; `max_concurrency` is {SLOTS}"
    )


def _table(summaries: Sequence[Summary]) -> Iterator[str]:
    yield _row(HEAD)
    yield _row(["---"] * len(HEAD))
    for one in summaries:
        yield _row(
            [
                one.fault,
                str(one.trials) if one.repeats < 2 else f"{one.trials} ({one.repeats} repeats)",
                one.evidence,
                str(one.lost),
                _figure(one, one.twice, one.most_twice),
                str(one.uncounted),
                _figure(one, one.unknown, one.most_unknown),
                _figure(one, one.kept, one.most_kept),
                "kept" if not one.out_of_order else f"{one.out_of_order} persons not",
                one.ends,
                f"{one.seconds:.0f}",
            ]
        )


def _figure(one: Summary, total: int, most: int) -> str:
    """The sum of all trials, and the worst of several."""
    return f"{total}" if one.trials < 2 or not total else f"{total} (most in one trial {most})"


def _legend() -> Iterator[str]:
    yield "- *trials*: how often it was played, each time with a new ledger; *repeats*: each time with other chance"
    yield "- *lost*: records that neither reached the sandbox nor are kept in the ledger, when the last run had ended"
    yield "- *twice*: how often too many an event was accepted"
    yield "- *not counted*: of those, what no ledger counted as unknown"
    yield "- *unknown*: requests that the ledger counts as perhaps received, repeats or not"
    yield "- *kept*: records that the ledger holds as invalid, rejected or held"
    yield "- *order*: whether each person's events were first accepted in the order read"
    yield "- *exit*: the codes of a trial's runs, one after the other; a run that `kill -9` ended has -9"


def _broken(summaries: Sequence[Summary]) -> Iterator[str]:
    broken = [f"- {one.row.fault}: {each}" for one in summaries for each in one.broken]
    if broken:
        yield from ["## Promises broken", "", *broken]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    """Where it was played."""
    return (
        f"{platform.system()} {platform.release()} on {platform.machine()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )
