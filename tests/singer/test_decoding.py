"""What one line becomes."""

from __future__ import annotations

import json
import traceback
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.errors import ExitCode, InputInvalid
from target_driftrock.singer.decoding import decode
from target_driftrock.singer.messages import ActivateVersion, Record, Schema, State

CANARY = "canary@example.com"

ADA = b'{"type":"RECORD","stream":"leads","record":{"email":"ada@example.com"}}'


def record(text: str) -> Record:
    """The record whose `v` is this JSON text."""
    message = decode(b'{"type":"RECORD","stream":"leads","record":{"v":%s}}\n' % text.encode(), 1)
    assert isinstance(message, Record)
    return message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param(
            ADA + b"\n",
            Record(line=7, stream="leads", record={"email": "ada@example.com"}, raw=ADA),
            id="record",
        ),
        pytest.param(
            ADA + b"\r\n",
            Record(line=7, stream="leads", record={"email": "ada@example.com"}, raw=ADA),
            id="carriage return",
        ),
        pytest.param(
            b'{"record":{},"version":3,"time_extracted":"odd","more":[1],"stream":"leads","type":"RECORD"}\n',
            Record(
                line=7,
                stream="leads",
                record={},
                raw=b'{"record":{},"version":3,"time_extracted":"odd","more":[1],"stream":"leads","type":"RECORD"}',
            ),
            id="type last, keys that we do not know",
        ),
        pytest.param(
            b'{"type":"SCHEMA","stream":"leads","schema":{"properties":{}},"key_properties":["id"]}\n',
            Schema(
                line=7,
                stream="leads",
                schema={"properties": {}},
                key_properties=("id",),
                raw=b'{"type":"SCHEMA","stream":"leads","schema":{"properties":{}},"key_properties":["id"]}',
            ),
            id="schema",
        ),
        pytest.param(
            b'{"type":"SCHEMA","stream":"leads","schema":{},"key_properties":null,"bookmark_properties":"at"}\n',
            Schema(
                line=7,
                stream="leads",
                schema={},
                raw=b'{"type":"SCHEMA","stream":"leads","schema":{},"key_properties":null,"bookmark_properties":"at"}',
            ),
            id="schema without keys",
        ),
        pytest.param(
            b'{"type":"STATE","value":{"bookmarks": {"leads": 1.10} }}\n',
            State(line=7, value=b'{"bookmarks": {"leads": 1.10} }'),
            id="state, byte for byte",
        ),
        pytest.param(
            b'{"type":"ACTIVATE_VERSION","stream":"leads","version":1}\n',
            ActivateVersion(line=7, stream="leads"),
            id="activate version",
        ),
    ],
)
def test_a_message_is_read_when_its_line_is_good(line: bytes, message: object) -> None:
    """Each type of message becomes a value with its line's number."""
    assert decode(line, 7) == message


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("", id="nothing"),
        pytest.param("ab12", id="too short"),
        pytest.param("ab" * 17, id="too long"),
        pytest.param("AB" * 16, id="in capitals"),
        pytest.param("ab " * 16, id="with spaces"),
        pytest.param("ab" * 16 + "\\n", id="with a line break"),
        pytest.param("canary-person@example.com-1234567", id="a value"),
        pytest.param("١٢" * 16, id="digits of another script"),
    ],
)
@pytest.mark.parametrize("value", ["1", "NaN"], ids=["a good record", "a record with a fault"])
def test_the_line_is_named_when_its_row_is_no_key_of_one(row: str, value: str) -> None:
    """Whoever mended the line by hand learns which, and nothing of it is shown."""
    line = f'{{"type":"RECORD","stream":"leads","record":{{"v":{value}}},"driftrock_row":"{row}"}}\n'

    with pytest.raises(InputInvalid, match=r"^Line 7, a RECORD: its `driftrock_row` ") as refused:
        decode(line.encode(), 7)

    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("1.10", "1.10", id="trailing zero"),
        pytest.param(
            "0.1234567890123456789012345678901234567890", "0.1234567890123456789012345678901234567890", id="long"
        ),
        pytest.param("1e400", "1E+400", id="beyond a float"),
        pytest.param("123456789012345678901234567890", "123456789012345678901234567890", id="big integer"),
    ],
)
def test_a_number_is_exact_when_a_float_would_not_be(text: str, value: str) -> None:
    """No digit of a number is lost."""
    assert str(record(text).record["v"]) == value


def test_an_integer_stays_one_when_it_is_big() -> None:
    """Big keys compare equal to themselves, as integers."""
    assert record("123456789012345678901234567890").record["v"] == 123456789012345678901234567890
    assert isinstance(record("1").record["v"], int)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        pytest.param("NaN", "NaN", id="NaN"),
        pytest.param("-Infinity", "Infinity", id="infinity"),
        pytest.param('"\\ud800"', "surrogate", id="surrogate at the end"),
        pytest.param('"\\udc00 text"', "surrogate", id="surrogate in front"),
        pytest.param("1e99999999999999999999", "out of range", id="exponent out of range"),
        pytest.param("1e99999999", "out of range", id="exponent of a hundred megabytes"),
        pytest.param("-1e-99999999", "out of range", id="fraction of a hundred megabytes"),
        pytest.param("0e99999999", "out of range", id="exponent of nothing"),
        pytest.param("0." + "1" * 5000, "out of range", id="fraction out of range"),
        pytest.param("9" * 5000, "out of range", id="integer out of range"),
        pytest.param('[{"deep":NaN}]', "NaN", id="nested"),
    ],
)
def test_a_record_is_faulted_when_one_value_of_it_is_not_json(text: str, rule: str) -> None:
    """One bad value costs its own record, and never the run."""
    message = record(text)

    assert message.fault is not None
    assert rule in message.fault
    assert message.raw.endswith(text.encode() + b"}}")


def test_a_faulted_record_is_safe_to_look_at_when_its_bad_values_are_gone() -> None:
    """What could not be read is None, what could is exact, so that filters and keys still work."""
    message = record('"x","id":7,"amount":1.10,"bad":NaN,"text":"\\ud800","list":["\\ud800",1],"\\udfff":2')

    assert message.record == {
        "v": "x",
        "id": 7,
        "amount": Decimal("1.10"),
        "bad": None,
        "text": None,
        "list": [None, 1],
    }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param(b"not json, canary@example.com\n", "Line 7 is not JSON", id="no JSON"),
        pytest.param(b'{"type":"RECORD","canary@example.com":\n', "Line 7 is not JSON", id="broken"),
        pytest.param(b'{"type":"RECORD","canary@example.com":"\t"}\n', "Line 7 is not JSON", id="control character"),
        pytest.param(b'"canary@example.com"\n', "no JSON object", id="a string"),
        pytest.param(b'["canary@example.com"]\n', "no JSON object", id="an array"),
        pytest.param(b'{"stream":"canary@example.com"}\n', "`type` is none of RECORD", id="no type"),
        pytest.param(b'{"type":"canary@example.com"}\n', "`type` is none of RECORD", id="unknown type"),
        pytest.param(b'{"type":["canary@example.com"]}\n', "`type` is none of RECORD", id="type of a wrong type"),
        pytest.param(b'{"type":"RECORD","record":{"v":"canary@example.com"}}\n', "`stream`", id="record, no stream"),
        pytest.param(b'{"type":"RECORD","stream":"a","records":"canary@example.com"}\n', "`record`", id="no record"),
        pytest.param(
            b'{"type":"RECORD","stream":"a","record":["canary@example.com"]}\n', "$.record", id="record a list"
        ),
        pytest.param(b'{"type":"RECORD","stream":"a","record":null}\n', "$.record", id="record null"),
        pytest.param(b'{"type":"RECORD","stream":7,"record":{"v":NaN}}\n', "$.stream", id="faulted, and no stream"),
        pytest.param(b'{"type":"SCHEMA","stream":"a"}\n', "`schema`", id="no schema"),
        pytest.param(b'{"type":"SCHEMA","schema":{}}\n', "`stream`", id="schema, no stream"),
        pytest.param(
            b'{"type":"SCHEMA","stream":"a","schema":{"properties":[]}}\n', "`properties`", id="properties a list"
        ),
        pytest.param(b'{"type":"SCHEMA","stream":"a","schema":{"enum":[NaN]}}\n', "NaN", id="NaN in a schema"),
        pytest.param(
            b'{"type":"SCHEMA","stream":"a","schema":{},"key_properties":"id"}\n', "key_properties", id="keys"
        ),
        pytest.param(b'{"type":"STATE"}\n', "`value`", id="no value"),
        pytest.param(b'{"type":"STATE","value":null}\n', "`value` must be an object", id="state null"),
        pytest.param(
            b'{"type":"STATE","value":"canary@example.com"}\n', "`value` must be an object", id="state a text"
        ),
        pytest.param(b'{"type":"STATE","value":{"canary@example.com":NaN}}\n', "NaN", id="NaN in a state"),
        pytest.param(b'{"type":"STATE","value":{"at":"\\ud800"}}\n', "surrogate", id="surrogate in a state"),
        pytest.param(b'{"type":"ACTIVATE_VERSION","version":1}\n', "`stream`", id="version of no stream"),
        pytest.param(
            b'{"type":"BATCH","stream":"a","manifest":["canary@example.com"]}\n', "`batch_config`", id="batch"
        ),
        pytest.param(
            b'{"type":"RECORD","stream":"a","record":{"v":"\xff canary@example.com"}}\n', "UTF-8", id="not UTF-8"
        ),
        pytest.param(b'{"type":"STATE","value":{"v":"\xff canary@example.com"}}\n', "UTF-8", id="state not UTF-8"),
        pytest.param(b'{"type":"RECORD","stream":"a","record":{},"x":"\xff"}\n', "UTF-8", id="a skipped key not UTF-8"),
        pytest.param(
            b'{"type":"RECORD","stream":"a","record":{"v":"\xed\xa0\x80"}}\n', "UTF-8", id="surrogate in bytes"
        ),
        pytest.param(
            b'{"type":"STATE","value":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}\n", "nested", id="bottomless state"
        ),
        pytest.param(
            b'{"type":"SCHEMA","stream":"a","schema":%s1%s}\n' % (b'{"items":' * 101, b"}" * 101),
            "deep",
            id="deep schema",
        ),
        pytest.param(b'{"type":"RECORD","stream":"a","record":{"v":"canary@examp', "ends inside line 7", id="cut"),
        pytest.param(
            b'{"type":"RECORD","stream":"a","record":{"v":"Jos\xc3', "ends inside line 7", id="cut in a letter"
        ),
    ],
)
def test_a_line_is_refused_by_its_number_when_it_is_no_message(line: bytes, told: str) -> None:
    """The error names the line and what is missing; neither it nor its traceback holds the line's content."""
    with pytest.raises(InputInvalid) as caught:
        decode(line, 7)

    assert told in str(caught.value)
    assert "ine 7" in str(caught.value)
    assert caught.value.exit_code is ExitCode.INPUT
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_repr_shows_no_content_when_a_message_is_printed() -> None:
    """A message in a log or a traceback names its line and stream alone."""
    lines = (
        b'{"type":"RECORD","stream":"leads","record":{"email":"canary@example.com","v":NaN}}\n',
        b'{"type":"SCHEMA","stream":"leads","schema":{"default":"canary@example.com"}}\n',
        b'{"type":"STATE","value":{"email":"canary@example.com"}}\n',
    )

    printed = repr([decode(line, 7) for line in lines])

    assert CANARY not in printed
    assert "line=7" in printed
    assert "stream='leads'" in printed


def test_a_last_line_is_a_message_when_only_its_newline_is_missing() -> None:
    """A tap that does not end its last line loses nothing."""
    assert decode(ADA, 7) == decode(ADA + b"\n", 7)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None)
@given(value=st.dictionaries(st.text(st.characters(codec="utf-8")), VALUES, max_size=4), ascii_only=st.booleans())
def test_a_record_comes_out_as_it_went_in_when_it_is_json(value: dict[str, Any], ascii_only: bool) -> None:  # noqa: FBT001
    """Whatever JSON can say is read back as it was."""
    text = json.dumps({"type": "RECORD", "stream": "leads", "record": value}, ensure_ascii=ascii_only)

    message = decode(text.encode() + b"\n", 1)

    assert isinstance(message, Record)
    assert message.record == value
    assert message.fault is None


@settings(max_examples=100, deadline=None)
@given(line=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_nothing_but_our_own_error_is_raised_when_the_input_is_noise(line: bytes) -> None:
    """No input ends a run with a traceback."""
    with pytest.raises(InputInvalid):
        decode(line, 1)
