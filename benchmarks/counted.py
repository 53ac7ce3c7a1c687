"""A run of the target with its commits counted and timed: `python -m benchmarks.counted LEDGER SETTINGS`.

Over the ledger `memory` it forgets with the process. Any other is the one of its settings.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from target_driftrock import redaction
from target_driftrock.delivery import door
from target_driftrock.given import load_target
from target_driftrock.ledger.durable import DurableLedger, open_ledger
from target_driftrock.settings import read_files
from target_driftrock.signals import Signals
from tests.contract.memory import MemoryLedger


def _main(ledger: str, config: str) -> int:
    redaction.install(())
    kind: Any = MemoryLedger if ledger == "memory" else DurableLedger
    commit, spent = kind.commit, [0, 0.0]

    def counted(self: Any, changes: Any) -> None:
        began = time.perf_counter()
        commit(self, changes)
        spent[0] += 1
        spent[1] += time.perf_counter() - began

    kind.commit = counted
    opened: Any = (lambda _, **__: MemoryLedger()) if ledger == "memory" else open_ledger
    setattr(door, "open_ledger", opened)  # noqa: B010 - on purpose
    with Signals() as signals:
        code = load_target()(config=read_files([config], {}), signals=signals).run(None)
    sys.stderr.write(f"commits {spent[0]}, {spent[1]:.3f} seconds\n")
    return code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2]))
