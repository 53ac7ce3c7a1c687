"""A full refresh over what was delivered; tokens that live two seconds.

`python -m benchmarks.refresh` writes docs/measurements/refresh.md; a number behind it scales the counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from benchmarks import inputs, page, track
from benchmarks.contestants import Target, sandbox
from benchmarks.ledger import event, fill, opened
from benchmarks.track import Course


def _measured(folder: Path, scale: float) -> list[str]:
    return [_refresh(folder, scale), _tokens(folder, scale)]


def _refresh(folder: Path, scale: float) -> str:
    """The same input once more: nothing is sent, and so many events are looked up a second."""
    events = round(100_000 * scale)
    source = inputs.write(folder / "refresh.singer", inputs.messages(inputs.leads(events)))
    rows = [_refreshed(folder, source, events, older=older) for older in (0, round(2_000_000 * scale))]
    head = [
        "events",
        "older events in the ledger",
        "sent again",
        "seconds, start-up included",
        "events checked/s",
        "peak MiB",
        "bytes on disk/event",
    ]
    return "## A full refresh\n\nSQLite, everything delivered before.\n\n" + page.table(head, rows)


def _refreshed(folder: Path, source: Path, events: int, *, older: int) -> list[object]:
    place = folder / f"refresh-{older}"
    with opened(str(place), api="another") as ledger:
        fill(ledger, (event(f"older:{serial}", serial, way=None) for serial in range(older)))
    target = Target(place=str(place))
    with sandbox() as url:
        course = Course(url=url, events=events, source=source)
        target.run(course)
        first = _counts(url)["accepted"]
        again = target.run(course)
        sent = _counts(url)["accepted"] - first
    size = sum(file.stat().st_size for file in place.iterdir()) / (events + older)
    speed = f"{events / again.seconds:.0f}"
    return [f"{events:,}", f"{older:,}", sent, f"{again.seconds:.1f}", speed, f"{again.peak_mib:.0f}", f"{size:.0f}"]


def _tokens(folder: Path, scale: float) -> str:
    """Tokens that live two seconds are renewed at half of their life: one request a second is due."""
    events = round(9_600 * scale)
    source = inputs.write(folder / "tokens.singer", inputs.messages(inputs.leads(events)))
    with sandbox("--latency", "0.1", "--token-lifetime", "2") as url:
        took = Target().run(Course(url=url, events=events, source=source))
        counts = _counts(url)
    _, seconds = track.told(took.log) or (0, 0.0)
    told = [counts[name] for name in ("token_requests", "max_concurrent_token_requests", "unauthorized")]
    head = ["seconds", "token requests", "at once", "events answered 401", "exit"]
    table = page.table(head, [[f"{seconds:.1f}", *told, took.exit_code]])
    return "## Tokens that live 2 s\n\n100 ms latency, 16 connections.\n\n" + table


def _counts(url: str) -> dict[str, Any]:
    counted: dict[str, Any] = requests.get(f"{url}/_sandbox/counts", timeout=30).json()
    return counted


if __name__ == "__main__":
    page.main("refresh", "A full refresh, and short-lived tokens", _measured)
