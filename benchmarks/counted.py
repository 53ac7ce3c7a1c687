"""A run of the target with its commits counted and timed: `python -m benchmarks.counted LEDGER OPTIONS`.

Over the ledger `memory` it forgets with the process. Any other is the one of its settings.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from target_driftrock import cli
from target_driftrock.delivery import door
from target_driftrock.ledger.durable import DurableLedger
from tests.contract.memory import MemoryLedger


def _main(ledger: str, options: list[str]) -> int:
    kind: Any = MemoryLedger if ledger == "memory" else DurableLedger
    commit, took = kind.commit, []

    def counted(self: Any, changes: Any) -> None:
        began = time.perf_counter()
        commit(self, changes)
        took.append(time.perf_counter() - began)

    kind.commit = counted
    if kind is MemoryLedger:
        setattr(door, "open_ledger", lambda _, **__: MemoryLedger())  # noqa: B010 - on purpose
    code = cli.run(options)
    sys.stderr.write(f"commits {len(took)}, {sum(took):.3f} seconds\n")
    return code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2:]))
