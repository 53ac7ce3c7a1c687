"""Targets made with the SDK, whose sinks post with requests: `python -m benchmarks.rivals.sdk SINK URL`."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from singer_sdk import typing as th
from singer_sdk.sinks import BatchSink, RecordSink, Sink
from singer_sdk.target_base import Target

from benchmarks import inputs

HEADERS = {"Authorization": "Bearer double", "Content-Type": "application/json"}
TIMEOUT = 60
THREADS = 16


def session() -> requests.Session:
    """One that keeps a connection for each of so many threads."""
    kept = requests.Session()
    kept.headers.update(HEADERS)
    kept.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=THREADS))
    return kept


class OneByOneSink(RecordSink):
    """As the SDK's cookiecutter makes it: each record is posted, and its answer waited for."""

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:  # noqa: ARG002 - the SDK's
        """Post it."""
        url = f"{self.config['url']}/v2/event"
        requests.post(url, data=inputs.body(record), headers=HEADERS, timeout=TIMEOUT).raise_for_status()


class ThreadsSink(BatchSink):
    """Batches go out over sixteen threads and one session that keeps its connections."""

    max_size = 1_000

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._threads = ThreadPoolExecutor(THREADS)
        self._session = session()

    def process_batch(self, context: dict[str, Any]) -> None:
        """Post all of a batch, and wait for all."""
        for _ in self._threads.map(self._post, context["records"]):
            pass

    def _post(self, record: dict[str, Any]) -> None:
        url = f"{self.config['url']}/v2/event"
        self._session.post(url, data=inputs.body(record), timeout=TIMEOUT).raise_for_status()


class TargetOfSDK(Target):
    """The target that the template makes."""

    name = "target-of-sdk"
    config_jsonschema = th.PropertiesList(th.Property("url", th.StringType, required=True)).to_dict()


SINKS: dict[str, type[Sink]] = {"one-by-one": OneByOneSink, "threads": ThreadsSink}

if __name__ == "__main__":
    TargetOfSDK.default_sink_class = SINKS[sys.argv[1]]
    TargetOfSDK(config={"url": sys.argv[2]}).listen(sys.stdin)
