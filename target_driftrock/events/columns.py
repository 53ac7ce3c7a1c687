"""The columns that loaders and taps add to a record: `_sdc_*`, in any case. They describe the row, not the person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PREFIX = "_sdc_"
_DELETED = "_sdc_deleted_at"


def is_added(name: str) -> bool:
    """Whether a property of this name was added by a loader or a tap."""
    return name[:1] == "_" and name[: len(_PREFIX)].lower() == _PREFIX


def without_added(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record without what loaders and taps added to it."""
    return {name: value for name, value in record.items() if name[:1] != "_" or not is_added(name)}


def deletion(record: Mapping[str, Any]) -> str | None:
    """The property by which a record says that its row was deleted where it came from: log-based taps send such."""
    for name in record:
        if name[:1] == "_" and name.lower() == _DELETED and not _is_nothing(record[name]):
            return name
    return None


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
