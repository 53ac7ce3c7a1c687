"""dlt's custom destination, parallel as its documentation says: load workers, and files small enough for all of them.

What dlt does before, extracting and normalising, comes before the first request and is not counted.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import Any

WORKERS = 16
ITEMS_A_FILE = 100
BATCH_SIZE = 10
_SETTINGS = {
    "LOAD__WORKERS": WORKERS,
    "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS": ITEMS_A_FILE,
    "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
}


def main(url: str) -> None:
    """Load the records of standard input."""
    import dlt  # type: ignore[import-not-found]  # where this runs it is there

    from benchmarks import inputs
    from benchmarks.rivals.sdk import TIMEOUT, session

    kept = session()

    @dlt.destination(  # type: ignore[untyped-decorator]  # to mypy, which does not see it
        batch_size=BATCH_SIZE, loader_parallelism_strategy="parallel", max_parallel_load_jobs=WORKERS
    )
    def events(items: list[dict[str, Any]], _table: dict[str, Any]) -> None:
        for item in items:
            kept.post(f"{url}/v2/event", data=inputs.body(item), timeout=TIMEOUT).raise_for_status()

    messages = (json.loads(line) for line in sys.stdin)
    records = (message["record"] for message in messages if message["type"] == "RECORD")
    with tempfile.TemporaryDirectory(prefix="dlt-") as folder:
        pipeline = dlt.pipeline("bench", pipelines_dir=folder, destination=events)
        pipeline.run(dlt.resource(records, name="leads"))


if __name__ == "__main__":
    os.environ.update({name: str(value) for name, value in _SETTINGS.items()})
    main(sys.argv[1])
