"""Rates by ledger and latency; a full refresh over what was delivered; tokens that live two seconds.

`python -m benchmarks.rates` writes docs/measurements/rates.md; a number behind it scales the counts.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import page
from benchmarks.job import Took, run, sandbox, write_leads

LATENCIES = (0.0, 0.02, 0.1)
POSTGRES = "postgresql://postgres@127.0.0.1/postgres?schema=target_driftrock_bench"
SECONDS = 20
CONCURRENCY = 16
CEILING = 1_500
"""Events a second that a run without latency is taken to reach, for its size."""


def main(scale: float) -> None:
    """Measure all, and write the page."""
    folder = Path(tempfile.mkdtemp(prefix="target-driftrock-bench-"))
    try:
        parts = [_rates(folder, scale), _refresh(folder, round(100_000 * scale)), _tokens(folder, scale)]
    finally:
        shutil.rmtree(folder)
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
                took = run(api.url, source, ledger=ledger, max_concurrency=CONCURRENCY)
                rows.append([f"{latency * 1000:.0f} ms", name, events, *_figures(took, events)])
                api.reset()
    head = ["latency", "ledger", "events", "events/s", "CPU ms/event", "peak MiB", "commits/event", "ms/commit", "exit"]
    return f"## By ledger and latency\n\n{CONCURRENCY} connections, one run each.\n\n" + page.table(head, rows)


def _ledgers(folder: Path, latency: float) -> list[tuple[str, str]]:
    return [
        ("memory", "memory"),
        ("SQLite", str(folder / f"ledger-{latency}")),
        ("PostgreSQL", f"{POSTGRES}_{round(time.time())}"),
    ]


def _figures(took: Took, events: int) -> list[str]:
    return [
        f"{took.rate:.0f}",
        f"{took.processor_seconds * 1000 / events:.2f}",
        f"{took.peak_mib:.0f}",
        f"{took.commits / events:.2f}",
        f"{took.commit_seconds * 1000 / max(1, took.commits):.2f}",
        str(took.exit_code),
    ]


def _refresh(folder: Path, events: int) -> str:
    """The same input once more: nothing is sent, and so many events are looked up a second."""
    source, ledger = folder / "refresh.singer", str(folder / "refresh")
    write_leads(source, events)
    with sandbox() as api:
        run(api.url, source, ledger=ledger)
        first = api.counts()["accepted"]
        began = time.monotonic()
        again = run(api.url, source, ledger=ledger)
        seconds = time.monotonic() - began
        sent = api.counts()["accepted"] - first
    size = sum(file.stat().st_size for file in Path(ledger).iterdir()) / events
    row = [f"{events:,}", sent, f"{seconds:.1f}", f"{events / seconds:.0f}", f"{again.peak_mib:.0f}", f"{size:.0f}"]
    head = ["events", "sent again", "seconds, start-up included", "events checked/s", "peak MiB", "bytes on disk/event"]
    return "## A full refresh\n\nSQLite, everything delivered before.\n\n" + page.table(head, [row])


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
