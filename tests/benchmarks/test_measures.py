"""What a measurement of speed takes down of each run."""

from __future__ import annotations

from pathlib import Path

from benchmarks.contestants import TARGET, WRK
from benchmarks.double import Counts
from benchmarks.measures import Bench, Spot
from benchmarks.track import Ended, Job


def _ended(rate: int, *, log: str = "") -> Ended:
    counts = Counts(accepted=rate, first_request=100.0, last_answer=101.0)
    return Ended(
        exit_code=0, began=99.0, process_seconds=2.0, processor_seconds=1.0, peak_mib=80.0, log=log, counts=counts
    )


def test_a_rate_stands_beside_its_ideal_and_what_it_cost(tmp_path: Path) -> None:
    """Latency, connections, who; median, least and most; the share of connections by latency; µs, and ms a commit."""
    job = Job(folder=tmp_path, scale=1.0, package=None, is_quick=True, is_kept=False)
    bench = Bench(job=job, seconds=1.0, runs=3, everybody=[TARGET, WRK])
    theirs = [_ended(rate) for rate in (780, 790, 785)]
    ours = [_ended(400, log="commits 100, 0.050 seconds\n")]

    bench.note(Spot(16, 0.02), {WRK: theirs, TARGET: ours}, {TARGET: [0.0002]})

    assert bench.rates == [
        [20.0, 16, "wrk", 785.0, 780.0, 790.0, 98.125, None, None],
        [20.0, 16, "target-driftrock", 400.0, 400.0, 400.0, 50.0, 200.0, 0.5],
    ]
