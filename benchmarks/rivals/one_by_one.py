"""A target as the SDK's cookiecutter makes it: a RecordSink that posts each record and waits for the answer."""

from __future__ import annotations

import sys
from typing import Any

import requests
from singer_sdk import typing as th
from singer_sdk.sinks import RecordSink
from singer_sdk.target_base import Target

from benchmarks import inputs

HEADERS = {"Authorization": "Bearer double", "Content-Type": "application/json"}
TIMEOUT = 60


class OneByOneSink(RecordSink):
    """A request a record."""

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:  # noqa: ARG002 - the SDK's
        """Post it."""
        url = f"{self.config['url']}/v2/event"
        requests.post(url, data=inputs.body(record), headers=HEADERS, timeout=TIMEOUT).raise_for_status()


class TargetOneByOne(Target):
    """The target that the template makes."""

    name = "target-one-by-one"
    config_jsonschema = th.PropertiesList(th.Property("url", th.StringType, required=True)).to_dict()
    default_sink_class = OneByOneSink


if __name__ == "__main__":
    TargetOneByOne(config={"url": sys.argv[1]}).listen(sys.stdin)
