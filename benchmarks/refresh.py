"""A full refresh over what was delivered; tokens that live two seconds.

`python -m benchmarks.refresh` writes docs/measurements/refresh.md; a number behind it scales the counts.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import page
from benchmarks.inputs import leads, messages, write
from benchmarks.job import run, sandbox
from target_driftrock.events.event import Capture, Endpoint, Event, Origin
from target_driftrock.events.identity import Who, digest, identity
from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.interface import Concluded

FILL_GROUP = 5_000
_TITLE = "A full refresh, and short-lived tokens"


def main(scale: float) -> None:
    """Measure all, and write the page."""
    folder = Path(tempfile.mkdtemp(prefix="target-driftrock-bench-"))
    try:
        parts = [_refresh(folder, scale), _tokens(folder, scale)]
    finally:
        shutil.rmtree(folder)
    command = "python -m benchmarks.refresh" + ("" if scale == 1 else f" {scale:g}")
    sys.stdout.write(f"{page.write('refresh', title=_TITLE, command=command, parts=parts)}\n")


def _refresh(folder: Path, scale: float) -> str:
    """The same input once more: nothing is sent, and so many events are looked up a second."""
    events = round(100_000 * scale)
    source = folder / "refresh.singer"
    write(source, messages(leads(events)))
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
    ledger = folder / f"refresh-{older}"
    _fill(str(ledger), older)
    with sandbox() as api:
        run(api.url, source, ledger=str(ledger))
        first = api.counts()["accepted"]
        began = time.monotonic()
        again = run(api.url, source, ledger=str(ledger))
        seconds = time.monotonic() - began
        sent = api.counts()["accepted"] - first
    size = sum(file.stat().st_size for file in ledger.iterdir()) / (events + older)
    speed = f"{events / seconds:.0f}"
    return [f"{events:,}", f"{older:,}", sent, f"{seconds:.1f}", speed, f"{again.peak_mib:.0f}", f"{size:.0f}"]


def _fill(location: str, count: int) -> None:
    """A ledger that remembers so many delivered events of earlier runs."""
    ledger = open_ledger(location, api="another", wait=0, is_stopped=lambda: False)
    assert ledger is not None
    for start in range(0, count, FILL_GROUP):
        ledger.commit(
            [_delivered(serial) for serial in range(start, min(count, start + FILL_GROUP))],
        )
    ledger.close()


def _delivered(serial: int) -> Concluded:
    event_id = f"older:{serial}"
    origin = Origin(position=serial + 1, stream="older", record=b"{}", schema=b"{}", key=event_id)
    capture = Capture(endpoint=Endpoint.WEBHOOK, source_id="older")
    body = event_id.encode()
    event = Event(
        origin=origin,
        mapping="older",
        capture=capture,
        event_type="lead",
        event_name="older",
        event_id=event_id,
        body=body,
        identity=identity(capture, event_type="lead", event_name="older", event_id=event_id),
        content=digest(body),
        who=Who(email=f"{serial}@example.com"),
    )
    return Concluded(part=event, outcome=Delivered())


def _tokens(folder: Path, scale: float) -> str:
    """Tokens that live two seconds are renewed at half of their life: one request a second is due."""
    events = round(9_600 * scale)
    source = folder / "tokens.singer"
    write(source, messages(leads(events)))
    with sandbox("--latency", "0.1", "--token-lifetime", "2") as api:
        took = run(api.url, source, ledger=str(folder / "tokens"))
        counts = api.counts()
    row = [
        f"{took.seconds:.1f}",
        counts["token_requests"],
        counts["max_concurrent_token_requests"],
        counts["unauthorized"],
        took.exit_code,
    ]
    head = ["seconds", "token requests", "at once", "events answered 401", "exit"]
    return "## Tokens that live 2 s\n\n100 ms latency, 16 connections.\n\n" + page.table(head, [row])


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
