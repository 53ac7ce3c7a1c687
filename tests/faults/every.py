"""All rows, in the order of the table."""

from __future__ import annotations

from tests.faults import answers, captures, identities, inputs, ledgers, poison, servers, signals, together
from tests.faults.table import Row

ROWS: list[Row] = [
    *(*signals.ROWS, *answers.ROWS, *poison.ROWS, *captures.ROWS, *inputs.ROWS, *identities.ROWS),
    *(*ledgers.ROWS, *servers.ROWS, *together.ROWS),
]
SHORT = (
    *("kill", "kill-send", "kill-answer", "kill-state", "sigterm", "silent", "reset-after", "down-for-good"),
    *("capture-deleted", "malformed", "refresh", "disk-full", "two"),
    *("sigterm-twice", "stdout-closed", "spam-first", "replay-killed"),
    *("collide-kill", "collide-mended"),
)
"""Names of the rows of the short form."""
SHORT_TIMES = 3
