"""The skin that makes a Singer target of the loop: what the SDK, and whoever drives it, asks for, and no more."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import IO, TYPE_CHECKING, Any, ClassVar, NoReturn

from singer_sdk.target_base import Target

from target_driftrock.mapping.compiler import template_faults
from target_driftrock.records import Records
from target_driftrock.settings import config_jsonschema, from_environment, parse, sdk_config
from target_driftrock.singer.checkpoint import Checkpoint
from target_driftrock.singer.loop import Loop, NoStops
from target_driftrock.singer.reader import Reader
from target_driftrock.singer.streams import Streams
from target_driftrock.sinks import DriftrockSink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_driftrock.signals import Signals
    from target_driftrock.singer.messages import ActivateVersion, Record, Schema, State


class _Metrics(logging.Logger):
    """The SDK's, which says nothing here. Its level would be a variable's text, which `redaction` alone reads."""

    def setLevel(self, level: int | str) -> None:  # noqa: N802 - Python's name
        """Nothing."""


_METRICS = _Metrics("target-driftrock.metrics")


class TargetDriftrock(Target):
    """Sends the records of any Singer tap to Driftrock as events."""

    name = "target-driftrock"
    config_jsonschema: ClassVar[dict[str, Any]] = config_jsonschema()
    default_sink_class = DriftrockSink

    def __init__(
        self,
        *,
        config: Mapping[str, Any] | None = None,
        parse_env_config: bool = False,
        signals: Signals | None = None,
        **_: Any,
    ) -> None:
        given = dict(config or {}) | (from_environment(os.environ) if parse_env_config else {})
        self.settings = parse(given, template_faults=template_faults)
        checkpoint = Checkpoint()
        self.records = Records(self.settings, follower=checkpoint, is_stopped=self._is_stopped, tick=self._tick)
        self._reader = Reader(
            wake_fd=None if signals is None else signals.wake_fd, is_stopped=self.records.is_over, tick=self._tick
        )
        super().__init__(
            config=sdk_config(given), validate_config=False, setup_mapper=False, message_reader=self._reader
        )
        self.max_parallelism = 1
        self.streams = Streams(
            self.config, self.settings.mappings, batch=self.records.batch, open_sink=partial(DriftrockSink, self)
        )
        self.loop = Loop(self.records, self.streams, checkpoint, stops=NoStops() if signals is None else signals)
        self.loop.use(self._reader)

    @property
    def metrics_logger(self) -> logging.Logger:
        """Where the SDK writes figures of its own."""
        return _METRICS

    @metrics_logger.setter
    def metrics_logger(self, _: logging.Logger) -> None:
        """Nothing: see `_Metrics`."""

    def run(self, source: IO[bytes] | None) -> int:
        """Read all of `source` (standard input if None), deliver it, account for it; the exit code."""
        return self.loop.run(self._reader, source)

    def _is_stopped(self) -> bool:
        return self.loop.is_stopped()

    def _tick(self) -> None:
        self.loop.tick()

    # What the SDK asks for.

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Nothing: the table of settings has those of the SDK's settings that do something here."""

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002 - the SDK's signature
        """Nothing: `settings.parse` has judged all, and the SDK's messages show values."""
        return []

    def _setup_signal_handlers(self) -> None:
        """None: the SDK's drain inside the handler, write the newest STATE, and end with 0."""

    # Messages, which are our reader's values, not the SDK's dictionaries.

    def _process_schema_message(self, message: Schema) -> None:  # type: ignore[override]
        self.loop.take_schema(message)

    def _process_record_message(self, message: Record) -> None:  # type: ignore[override]
        """The SDK's own prints values, rewrites dates, and stops at the first invalid record."""
        self.loop.take_record(message)

    def _process_state_message(self, message: State) -> None:  # type: ignore[override]
        self.loop.take_state(message)

    def _process_activate_version_message(self, message: ActivateVersion) -> None:  # type: ignore[override]
        """Events have no versions."""

    def _process_batch_message(self, message_dict: dict[str, Any]) -> NoReturn:
        """Never called: the reader refuses BATCH messages."""
        raise NotImplementedError

    def process_endofpipe(self) -> None:
        """What the SDK's `listen` calls: see `Loop.end`."""
        self.loop.end()
