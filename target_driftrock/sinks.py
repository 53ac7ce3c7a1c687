"""The skin that makes a Singer sink of a stream of records: what the SDK asks for, and no more."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from singer_sdk.sinks import BatchSink

from target_driftrock.records.stream import RecordStream

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from target_driftrock.records.as_read import AsRead
    from target_driftrock.target import TargetDriftrock


class DriftrockSink(BatchSink):
    """One stream of the tap, through one stream map, under one SCHEMA: its records become parts in the one batch."""

    MAX_SIZE_DEFAULT = 100

    def __init__(
        self,
        target: TargetDriftrock,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,
        *,
        scope: str | None = None,
        as_read: AsRead | None = None,
        chosen: Counter[str | None] | None = None,
    ) -> None:
        super().__init__(target, stream_name, deepcopy(schema), key_properties)  # it takes properties out of it
        self._records = target.records
        self.stream = RecordStream(
            target.settings,
            stream_name,
            schema=schema,
            key_properties=key_properties or (),
            scope=scope,
            as_read=as_read,
            chosen=chosen,
            unread=target.records.tally.unread,
        )

    def get_validator(self) -> None:
        """None: the SDK's way of validating stops the run at the first invalid record; ours makes an invalid part."""

    @property
    def current_size(self) -> int:
        """Parts in the shared batch, whichever stream they are of."""
        return len(self._records.batch)

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Put into the shared batch what the record becomes.

        `context["origin"]` says where it came from, `context["read"]` what it was before stream maps and flattening.
        """
        part = self.stream.part(record, context["origin"], read=context.get("read"))
        if part is not None:
            self._records.batch.add(part)

    def process_batch(self, context: dict[str, Any]) -> None:  # noqa: ARG002 - the batch is not the SDK's
        """Hand the shared batch over to delivery."""
        self._records.submit()
