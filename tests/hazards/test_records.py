"""What the SDK does to lines, schemas and records that costs a lead or a customer's trust; and what is done here."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from target_driftrock.errors import ExitCode
from tests.program import written
from tests.stage import LEADS, Stage, record, schema, state

pytestmark = pytest.mark.usefixtures("nothing_left")

PERSONAL = "canary@example.com"


@pytest.mark.parametrize(
    ("listed", "literal", "sent"),
    [
        pytest.param({"type": "number", "maximum": 9, "exclusiveMaximum": True}, "8.5", Decimal("8.5"), id="draft-4"),
        pytest.param({"type": "integer"}, "1.0", Decimal("1.0"), id="an-integer-with-a-fraction-of-zero"),
        pytest.param({"type": "string", "format": "date-time"}, '"2026-W01-1"', "2026-W01-1", id="an-iso-week"),
        pytest.param(
            {"type": "string", "format": "date-time"},
            '"2026-01-31T10:00:00.123456789Z"',
            "2026-01-31T10:00:00.123456789Z",
            id="nanoseconds",
        ),
        pytest.param(
            {"type": "string", "format": "date-time"}, '"2026-01-31T10:00"', "2026-01-31T10:00", id="a-naive-time"
        ),
        pytest.param({"type": "string", "format": "date-time"}, '""', None, id="an-empty-date"),
        pytest.param(
            {"type": ["integer", "string"], "format": "date-time"}, "1769853600", 1769853600, id="an-epoch-for-a-date"
        ),
        pytest.param({"type": "string", "format": "date"}, '"2026-01-31"', "2026-01-31", id="a-date"),
        pytest.param({"type": "number"}, "1.10", Decimal("1.10"), id="a-zero-at-the-end"),
        pytest.param({"type": "number", "multipleOf": 0.01}, "19.99", Decimal("19.99"), id="a-price"),
        pytest.param({"type": "integer"}, "12345678901234567890", 12345678901234567890, id="twenty-digits"),
        pytest.param({"type": "number"}, "1e2", Decimal("1e2"), id="an-exponent"),
        pytest.param({"type": "string"}, '"Jos\\u00e9 \\ud83d\\ude00"', "José 😀", id="beyond-ascii"),
    ],
)
def test_a_value_arrives_as_the_tap_wrote_it_when_the_sdk_would_change_or_refuse_it(
    listed: Mapping[str, Any], literal: str, sent: Any, stage: Stage
) -> None:
    """Dates stay text, numbers stay exact, and a schema of any draft is read as it was meant. A blank is left out."""
    line = f'{{"type": "RECORD", "stream": "leads", "record": {{"id": 1, "value": {literal}}}}}\n'

    done = stage.run(schema(properties={"id": {"type": "integer"}, "value": listed}), line.encode())

    assert done.code == ExitCode.RESOLVED
    (value,) = (event["fields"].get("value") for event in done.events)
    assert (value, type(value)) == (sent, type(sent))


@pytest.mark.parametrize(
    ("literal", "reason"),
    [
        pytest.param("17", "schema: /email: type", id="against-its-schema"),
        pytest.param("NaN", "NaN or Infinity, which JSON has not", id="not-a-number"),
        pytest.param("-Infinity", "NaN or Infinity, which JSON has not", id="infinity"),
        pytest.param('"\\ud800"', "a lone surrogate, which is no Unicode text", id="half-a-character"),
        pytest.param("1e99999999", "a number out of range", id="a-number-of-a-hundred-megabytes"),
    ],
)
def test_the_others_are_delivered_when_one_record_is_invalid(literal: str, reason: str, stage: Stage) -> None:
    """The record is kept with the rule that it breaks; the run goes on, and STATE passes it."""
    bad = f'{{"type": "RECORD", "stream": "leads", "record": {{"id": 2, "email": {literal}}}}}'.encode()

    done = stage.run(schema(), record(1), bad + b"\n", record(3), state(at=3))

    assert done.code == ExitCode.RESOLVED
    assert [fields["id"] for fields in done.fields] == [1, 3]
    assert done.states == [b'{"at": 3}']
    assert stage.kept() == [("leads", reason, bad)]


def test_the_record_is_invalid_when_a_key_property_is_missing(stage: Stage) -> None:
    """The SDK ends the run at it, and every later run at the same row."""
    missing = {"type": "RECORD", "stream": "leads", "record": {"email": PERSONAL}}

    done = stage.run(schema(), missing, record(2), state(at=2))

    assert done.code == ExitCode.RESOLVED
    assert [fields["id"] for fields in done.fields] == [2]
    assert done.states == [b'{"at": 2}']
    assert [reason for _, reason, _ in stage.kept()] == ["event_id is null (key property id)"]
    assert PERSONAL not in done.log


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        pytest.param("sha256(email)", "AttributeError", id="a-digest-of-a-null"),
        pytest.param("str(int(phone))", "ValueError", id="a-number-that-is-none"),
        pytest.param("record.get('absent')[0]", "TypeError", id="a-property-that-is-absent"),
    ],
)
def test_the_record_is_invalid_when_a_stream_map_fails_on_it(expression: str, kind: str, stage: Stage) -> None:
    """The SDK ends the run with the exception's text, value and all."""
    properties = {"id": {"type": "integer"}, "email": {"type": ["null", "string"]}, "phone": {"type": "string"}}
    maps = {"leads": {"made": f"{expression} if id == 2 else 'fine'"}}
    rows = [record(number, email=None, phone=PERSONAL) for number in (1, 2, 3)]

    done = stage.run(schema(properties=properties), *rows, state(at=3), stream_maps=maps)

    assert done.code == ExitCode.RESOLVED
    assert [fields["id"] for fields in done.fields] == [1, 3]
    assert done.states == [b'{"at": 3}']
    assert [reason for _, reason, _ in stage.kept()] == [f"stream map of made: {kind}"]
    assert PERSONAL not in done.log


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"type": "BATCH", "stream": "leads", "encoding": {}, "manifest": []}', id="a-batch"),
        pytest.param(b'{"type": "RECORD", "stream": "leads", "record": {"id": 2', id="a-broken-line"),
        pytest.param(b'{"type": "RECORD", "record": {"email": "canary@example.com"}}', id="a-line-without-a-stream"),
        pytest.param(b'{"type": "RECORD", "stream": "other", "record": {"id": 2}}', id="a-record-before-its-schema"),
    ],
)
def test_all_before_it_is_delivered_when_a_line_is_not_for_us(line: bytes, stage: Stage) -> None:
    """Nothing of it is processed, nothing of it is printed, and STATE stands at what came before."""
    done = stage.run(schema(), record(1), state(at=1), line + b"\n", record(3), state(at=3))

    assert done.code == ExitCode.INPUT
    assert [fields["id"] for fields in done.fields] == [1]
    assert done.states == [b'{"at": 1}']
    assert "ine 4" in done.log
    assert PERSONAL not in done.log


def test_nothing_is_said_when_a_version_is_activated_before_its_schema_or_after(stage: Stage) -> None:
    """Taps say it around every full table; the SDK warns twice, or ends with a KeyError."""
    activate = {"type": "ACTIVATE_VERSION", "stream": "leads", "version": 1}
    stage.run(schema(), record(1))  # else it would be said that the ledger is new

    done = stage.run(activate, schema(), activate, record(2), activate)

    assert done.code == ExitCode.RESOLVED
    assert [fields["id"] for fields in done.fields] == [1, 2]
    assert "WARNING" not in done.log


def test_the_input_is_read_as_utf_8_when_the_locale_is_another(stage: Stage) -> None:
    """`José` arrives as `José`, past a byte order mark and blank lines, as a container without a locale has it."""
    line = '{"type": "RECORD", "stream": "leads", "record": {"id": 1, "email": "José"}}\n'
    lines = b"\xef\xbb\xbf" + written([schema(), b"\n \r\n", line.encode()])

    ended = stage.finished(stage.config(), given=lines, LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")

    assert ended.code == ExitCode.RESOLVED
    assert [event["fields"]["email"] for event in stage.accepted()] == ["José"]


@pytest.mark.parametrize("metadata", ["_sdc_extracted_at", "_sdc_batched_at", "_sdc_sequence", "_SDC_TABLE_VERSION"])
def test_a_column_of_the_sdk_is_left_out_when_everything_is_sent(metadata: str, stage: Stage) -> None:
    """What a tap's framework adds to a row is nobody's business at Driftrock."""
    properties = {"id": {"type": "integer"}, metadata: {"type": ["integer", "string"]}}

    done = stage.run(schema(properties=properties), record(1, **{metadata: 7}))

    assert done.fields == [{"id": 1}]


@pytest.mark.parametrize("key", ["lead", "Leads", "public-leads"])
def test_it_is_told_when_a_stream_map_met_no_stream(key: str, stage: Stage) -> None:
    """A filter on consent under a mistyped name filters nothing: the SDK says nothing, and delivers every record."""
    done = stage.run(schema(), record(1), stream_maps={key: {"__filter__": "False"}})

    assert done.code == ExitCode.RESOLVED
    assert f"WARNING stream_maps has the key {key}, and no stream of the input is meant by it" in done.log


def test_nothing_is_sent_when_a_template_names_what_the_schema_does_not_list(stage: Stage) -> None:
    """SDK taps leave `additionalProperties` out, which JSON Schema reads as open: a typo would deliver nulls."""
    mapping = {**LEADS, "fields": {"email": "{emial}"}}

    done = stage.run(schema(), record(1, email="ada@example.com"), streams=[mapping])

    assert done.code == ExitCode.SETTINGS
    assert not done.events
    assert "the nearest is email" in done.log
