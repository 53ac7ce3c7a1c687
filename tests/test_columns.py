"""`_sdc_*`: what loaders and taps add to a record, in any case, and the one by which a deletion is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from target_driftrock.events.columns import deletion, is_added

AT = "2026-03-01T00:00:00Z"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        pytest.param("_sdc_extracted_at", True, id="of the SDK"),
        pytest.param("_sdc_lsn", True, id="of a log-based tap"),
        pytest.param("_sdc_source_lineno", True, id="of a file tap"),
        pytest.param("_SDC_BATCHED_AT", True, id="as a warehouse writes it"),
        pytest.param("_Sdc_Sequence", True, id="in mixed case"),
        pytest.param("_sdc_", True, id="the prefix alone"),
        pytest.param("_sdc", False, id="less than the prefix"),
        pytest.param("sdc_extracted_at", False, id="without its first underscore"),
        pytest.param("__sdc_row", False, id="with one more"),
        pytest.param(" _sdc_x", False, id="after a space"),
        pytest.param("_sdcard", False, id="another word"),
        pytest.param("_smart_source_lineno", False, id="of another loader"),
        pytest.param("email", False, id="a property"),
        pytest.param("", False, id="no name"),
    ],
)
def test_a_column_is_added_when_its_name_begins_so(name: str, *, is_one: bool) -> None:
    """By the prefix that the SDK reserves, in any case: warehouses fold names."""
    assert is_added(name) is is_one


@pytest.mark.parametrize(
    ("record", "name"),
    [
        pytest.param({"id": 1, "_sdc_deleted_at": AT}, "_sdc_deleted_at", id="a time"),
        pytest.param({"_SDC_DELETED_AT": AT, "id": 1}, "_SDC_DELETED_AT", id="in capitals"),
        pytest.param({"_Sdc_Deleted_At": AT}, "_Sdc_Deleted_At", id="in mixed case"),
        pytest.param({"_sdc_deleted_at": Decimal("1772323200.5")}, "_sdc_deleted_at", id="seconds"),
        pytest.param({"_sdc_deleted_at": True}, "_sdc_deleted_at", id="true"),
        pytest.param({"_sdc_deleted_at": "deleted"}, "_sdc_deleted_at", id="a word"),
        pytest.param({"_sdc_deleted_at": {"at": AT}}, "_sdc_deleted_at", id="an object"),
        pytest.param({"_sdc_deleted_at": None}, None, id="null"),
        pytest.param({"_sdc_deleted_at": ""}, None, id="empty"),
        pytest.param({"_sdc_deleted_at": " \t"}, None, id="blank"),
        pytest.param({"_sdc_deleted_at": "\u00a0"}, None, id="a space that does not break"),
        pytest.param({"_sdc_deleted_at": None, "_SDC_DELETED_AT": AT}, "_SDC_DELETED_AT", id="one of two spellings"),
        pytest.param({"_SDC_DELETED_AT": AT, "_sdc_deleted_at": ""}, "_SDC_DELETED_AT", id="the first of two"),
        pytest.param({"_sdc_extracted_at": AT, "_sdc_sequence": 1}, None, id="other columns of a loader"),
        pytest.param({"_sdc_deleted_at_ms": 1}, None, id="a longer name"),
        pytest.param({"sdc_deleted_at": AT, "deleted_at": AT, "__sdc_deleted_at": AT}, None, id="other names"),
        pytest.param({"contact": {"_sdc_deleted_at": AT}}, None, id="below another property"),
        pytest.param({}, None, id="an empty record"),
    ],
)
def test_a_record_says_that_its_row_was_deleted_when_the_column_holds_something(
    record: dict[str, Any], name: str | None
) -> None:
    """The name is as the record spells it: a mapping that asks for another spelling asks for another property."""
    assert deletion(record) == name
