"""The second front: rows of a Spark DataFrame, delivered by many tasks with one ledger, and one receipt."""

from __future__ import annotations

from target_driftrock.spark.job import deliver

__all__ = ["deliver"]
