"""Key properties that say where a row stood, and names that only look so."""

from __future__ import annotations

import pytest

from target_driftrock.mapping.position import is_position


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("_sdc_source_lineno", id="tap-csv, tap-s3-csv"),
        pytest.param("_smart_source_lineno", id="tap-spreadsheets-anywhere"),
        pytest.param("_sdc_line_number", id="tap-file"),
        pytest.param("__sdc_row", id="tap-google-sheets"),
        pytest.param("_line", id="Fivetran's files"),
        pytest.param("_row", id="Fivetran's sheets"),
        pytest.param("row", id="a sheet's row"),
        pytest.param("Row", id="with a capital"),
        pytest.param("ROW", id="in capitals"),
        pytest.param("row_number", id="a row's number"),
        pytest.param("Row Number", id="as a heading"),
        pytest.param("rowNumber", id="in camels"),
        pytest.param("rownum", id="Oracle's"),
        pytest.param("row_num", id="short"),
        pytest.param("row_no", id="shorter"),
        pytest.param("rowIndex", id="an index of rows"),
        pytest.param("source_row", id="the row of a source"),
        pytest.param("line_number", id="a line's number"),
        pytest.param("LineNumber", id="a line's number in camels"),
        pytest.param("LINE_NO", id="a line's number in capitals"),
        pytest.param("lineno", id="a line's number, short"),
        pytest.param("file_line_number", id="the line of a file"),
        pytest.param("record_number", id="a record's number"),
        pytest.param("recordIndex", id="a record's index"),
        pytest.param("Zeile", id="in German"),
        pytest.param("Zeilennummer", id="in German, a number"),
    ],
)
def test_a_property_is_a_position_when_its_name_ends_so(name: str) -> None:
    """What file and spreadsheet taps emit, and their like."""
    assert is_position(name)


@pytest.mark.parametrize(
    "name",
    [
        *("arrow", "tomorrow", "narrow", "grow", "Borrow", "escrow", "browser", "crowd"),
        *("line", "Line", "order_line", "orderLine", "line_id", "line_item_id", "online", "deadline", "headline"),
        *("row_id", "rowid", "row_uuid", "row_key", "row_name", "lines", "rows", "line_items"),
        *("id", "lead_id", "record_id", "number", "order_number", "invoice_no", "phone_number", "index", "position"),
        *("_sdc_source_file", "_sdc_source_bucket", "_sdc_sequence", "_file", "_id", "", "_", "__"),
    ],
    ids=repr,
)
def test_a_property_is_no_position_when_its_name_only_resembles_one(name: str) -> None:
    """An order's lines, and what a database calls its rows, stay where they are."""
    assert not is_position(name)
