"""The ledger that goes with its process: what it leaves, and what it takes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger.interface import Concluded, Standing
from target_driftrock.ledger.scratch import scratch_ledger
from tests.delivery.examples import API, event
from tests.program import interpreted


def test_it_remembers_what_was_committed_when_its_cache_is_long_full() -> None:
    """What does not fit into memory is in the file."""
    events = [event(number) for number in range(2_000)]

    with closing(scratch_ledger(api=API, cache_kib=16)) as ledger:
        ledger.commit([Concluded(part=each, outcome=Delivered()) for each in events])
        known = ledger.recall(events)

    assert [[each.standing for each in contents] for contents in known] == [[Standing.DELIVERED]] * 2_000


def test_nobody_finds_its_file_when_it_is_in_use(tmp_path: Path) -> None:
    """It has no name from the beginning, so that nothing is left even where the process is killed."""
    script = """
        import os, signal
        from target_driftrock.events.outcome import Delivered
        from target_driftrock.ledger.interface import Concluded
        from target_driftrock.ledger.scratch import scratch_ledger
        from tests.delivery.examples import API, event

        ledger = scratch_ledger(api=API, cache_kib=16)
        ledger.commit([Concluded(part=event(number), outcome=Delivered()) for number in range(2_000)])
        for descriptor in os.listdir("/proc/self/fd"):
            if os.path.islink(f"/proc/self/fd/{descriptor}"):
                print(os.readlink(f"/proc/self/fd/{descriptor}"), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """

    killed = interpreted(script, TMPDIR=str(tmp_path), SQLITE_TMPDIR="")

    opened = [line for line in killed.out.splitlines() if line.startswith(str(tmp_path))]
    assert len(opened) == 1
    assert opened[0].endswith("(deleted)")
    assert list(tmp_path.iterdir()) == []
