"""All rows, in the order of the table."""

from __future__ import annotations

from tests.faults import signals
from tests.faults.table import Row

ROWS: list[Row] = [*signals.ROWS]
