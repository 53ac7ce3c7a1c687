"""Rates by ledger and latency; a full refresh over what was delivered; tokens that live two seconds.

`python -m benchmarks.rates` writes docs/measurements/rates.md; a number behind it scales the counts.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from benchmarks import page
from benchmarks.job import Took, run, sandbox, write_leads
from target_driftrock.events.event import Capture, Endpoint, Event, Origin
from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.interface import Concluded

LATENCIES = (0.0, 0.02, 0.1)
SERVER = "postgresql+psycopg://postgres@127.0.0.1/postgres"
SCHEMA = "target_driftrock_rates"
SECONDS = 20
FILL_GROUP = 5_000
CONCURRENCY = 16
CEILING = 1_500
"""Events a second that a run without latency is taken to reach, for its size."""


def main(scale: float) -> None:
    """Measure all, and write the page."""
    folder = Path(tempfile.mkdtemp(prefix="target-driftrock-bench-"))
    try:
        parts = [_rates(folder, scale), _refresh(folder, scale), _tokens(folder, scale)]
    finally:
        shutil.rmtree(folder)
        _drop_schema()
    command = "python -m benchmarks.rates" + ("" if scale == 1 else f" {scale:g}")
    sys.stdout.write(f"{page.write('rates', title='Rates', command=command, parts=parts)}\n")


def _rates(folder: Path, scale: float) -> str:
    rows = []
    for latency in LATENCIES:
        events = round(min(CEILING, CONCURRENCY / latency if latency else CEILING) * SECONDS * scale)
        source = folder / "leads.singer"
        write_leads(source, events)
        with sandbox("--latency", str(latency)) as api:
            for name, ledger in _ledgers(folder, latency):
                _drop_schema()
                took = run(api.url, source, ledger=ledger, max_concurrency=CONCURRENCY)
                rows.append([f"{latency * 1000:.0f} ms", name, events, *_figures(took, events)])
                api.reset()
    head = ["latency", "ledger", "events", "events/s", "CPU ms/event", "peak MiB", "commits/event", "ms/commit", "exit"]
    return f"## By ledger and latency\n\n{CONCURRENCY} connections, one run each.\n\n" + page.table(head, rows)


def _ledgers(folder: Path, latency: float) -> list[tuple[str, str]]:
    return [
        ("memory", "memory"),
        ("SQLite", str(folder / f"ledger-{latency}")),
        ("PostgreSQL", f"postgresql://postgres@127.0.0.1/postgres?schema={SCHEMA}"),
    ]


def _drop_schema() -> None:
    with sa.create_engine(SERVER).begin() as connection:
        connection.execute(sa.schema.DropSchema(SCHEMA, cascade=True, if_exists=True))


def _figures(took: Took, events: int) -> list[str]:
    return [
        f"{took.rate:.0f}",
        f"{took.processor_seconds * 1000 / events:.2f}",
        f"{took.peak_mib:.0f}",
        f"{took.commits / events:.2f}",
        f"{took.commit_seconds * 1000 / max(1, took.commits):.2f}",
        str(took.exit_code),
    ]


def _refresh(folder: Path, scale: float) -> str:
    """The same input once more: nothing is sent, and so many events are looked up a second."""
    events = round(100_000 * scale)
    source = folder / "refresh.singer"
    write_leads(source, events)
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
    event = Event(
        origin=origin,
        mapping="older",
        capture=Capture(endpoint=Endpoint.WEBHOOK, source_id="older"),
        event_type="lead",
        event_name="older",
        event_id=event_id,
        body=event_id.encode(),
    )
    return Concluded(part=event, outcome=Delivered())


def _tokens(folder: Path, scale: float) -> str:
    """Tokens that live two seconds are renewed at half of their life: one request a second is due."""
    events = round(9_600 * scale)
    source = folder / "tokens.singer"
    write_leads(source, events)
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
