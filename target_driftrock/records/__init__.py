"""The door for records: mapping, tally, and the form of kept rows, over delivery.

`Records` is all that a front needs. This package must not know any front: Singer's pipe and its STATE least of all.
"""

from __future__ import annotations

from target_driftrock.records.door import OpenStream, Records

__all__ = ["OpenStream", "Records"]
