"""A target with a BatchSink whose batches go out over sixteen threads and one session that keeps its connections."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from singer_sdk import typing as th
from singer_sdk.sinks import BatchSink
from singer_sdk.target_base import Target

from benchmarks import inputs
from benchmarks.rivals.one_by_one import HEADERS, TIMEOUT

THREADS = 16


class ThreadsSink(BatchSink):
    """A thread pool for each stream."""

    max_size = 1_000

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._url = f"{self.config['url']}/v2/event"
        self._threads = ThreadPoolExecutor(THREADS)
        self._session = requests.Session()
        self._session.headers.update(HEADERS)
        self._session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=THREADS))

    def process_batch(self, context: dict[str, Any]) -> None:
        """Post all of a batch, and wait for all."""
        for _ in self._threads.map(self._post, context["records"]):
            pass

    def _post(self, record: dict[str, Any]) -> None:
        self._session.post(self._url, data=inputs.body(record), timeout=TIMEOUT).raise_for_status()


class TargetThreads(Target):
    """The target around it."""

    name = "target-threads"
    config_jsonschema = th.PropertiesList(th.Property("url", th.StringType, required=True)).to_dict()
    default_sink_class = ThreadsSink


if __name__ == "__main__":
    TargetThreads(config={"url": sys.argv[1]}).listen(sys.stdin)
