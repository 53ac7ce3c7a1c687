"""Whatever comes, from a tap, from whoever writes settings, or from what answers: it is read, or refused in our words.

`make test` tries a little of each; `make fuzz` goes on for ten minutes with each.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from target_driftrock.client.connection import Connection
from target_driftrock.errors import InputInvalid, RunStopped, SettingsInvalid
from target_driftrock.events.answer import Answer, NoAnswer, Unreadable
from target_driftrock.events.event import InvalidPart, Origin
from target_driftrock.mapping.compiler import template_faults
from target_driftrock.records.stream import RecordStream, record_digest
from target_driftrock.settings import TABLE, parse
from target_driftrock.singer.reader import Reader

SECONDS = float(os.environ.get("TARGET_DRIFTROCK_TEST_FUZZ_SECONDS", "0"))
"""For how long each test goes on; 0 is one round."""
VALUE = "kanarienvogel"
"""Is in every text that was given as a value, and in none that is raised."""
BOUND = 5.0
"""Seconds of the processor that one example may take: on a busy machine it may wait for longer than it works."""

settings.register_profile("short", max_examples=60, deadline=None)
settings.register_profile(
    "long", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
PROFILE = settings.get_profile("long" if SECONDS else "short")


def lasting(test: Callable[..., None]) -> Callable[..., None]:
    """Hypothesis ends by a count: this goes on by the clock."""

    @wraps(test)
    def again() -> None:
        end = time.monotonic() + SECONDS
        test()
        while time.monotonic() < end:
            test()

    del again.__wrapped__  # else pytest looks for what Hypothesis gives
    return again


class Bounded:
    """Fails where what is done in the `with` takes too long, raises what it may not, or tells a value."""

    def __init__(self, *allowed: type[RunStopped]) -> None:
        self._allowed = allowed
        self._began = time.process_time()

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        assert time.process_time() - self._began < BOUND
        if error is None or not isinstance(error, self._allowed):
            return False
        assert VALUE not in str(error)
        return True


def told(text: str) -> str:
    """A value, by which it would be known."""
    return VALUE + text


numbers = st.integers() | st.floats() | st.decimals().map(str) | st.sampled_from([10**400, 1e308, -0.0])
scalars = st.none() | st.booleans() | numbers | st.text().map(told)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=12
)
names = st.sampled_from(["id", "email", "a b", "a.b", "{", "}", "", "_sdc_deleted_at", "É"])
records = st.dictionaries(names, values, max_size=6)

WORDS = ("type", "RECORD", "SCHEMA", "STATE", "stream", "leads", "record", "schema", "properties", "value", "bookmarks")
messages = st.fixed_dictionaries(
    {"type": st.sampled_from(["RECORD", "SCHEMA", "STATE", "BATCH", "ACTIVATE_VERSION"]) | values},
    optional={
        "stream": st.just("leads") | values,
        "record": records | values,
        "schema": st.fixed_dictionaries({"properties": records | values}) | values,
        "key_properties": st.lists(names) | values,
        "value": values,
        "driftrock_row": values,
        "time_extracted": values,
        "version": values,
    },
)
lines = messages.map(lambda message: json.dumps(message).encode()) | st.binary()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Lines, some of them with bytes changed, taken away or put in."""
    data = bytearray(b"\n".join(draw(st.lists(lines, max_size=5))))
    for place in draw(st.lists(st.integers(0, max(0, len(data))), max_size=3)):
        data[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


@lasting
@PROFILE
@given(data=damaged())
def test_an_input_is_read_or_refused_whatever_it_is(data: bytes) -> None:
    """Nothing but `InputInvalid` ends the reading, and it tells no value."""
    with Bounded(InputInvalid):
        Reader().process_lines(io.BytesIO(data), {})


types = st.sampled_from(["string", "integer", "number", "object", "array", "null", "boolean", "nothing"])
rules = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": types | st.lists(types, max_size=3) | values,
            "format": st.sampled_from(["date-time", "email", "uuid", "regex", "x"]) | values,
            "pattern": st.sampled_from(["(", "a+", "(a+)+$", "\\p{L}"]) | values,
            "enum": st.lists(values, max_size=3) | values,
            "const": values,
            "minimum": numbers | values,
            "multipleOf": numbers | values,
            "maxLength": numbers | values,
            "required": st.lists(names) | values,
            "$ref": st.sampled_from(["#", "#/properties/id", "#/nowhere", "http://a.invalid/b"]) | values,
        },
    )
    | values,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(names, inner, max_size=3),
            "items": inner,
            "anyOf": st.lists(inner, max_size=3),
            "not": inner,
            "additionalProperties": inner,
            "dependentSchemas": st.dictionaries(names, inner, max_size=2),
        },
    ),
    max_leaves=8,
)
FILTERED = [
    *("{id | trim}", "{email | number: comma | else}", "{'a b' | default: 0}", "{a.b | lookup: t}", "{id | json: a.0}"),
    *("{email | date: %d.%m.%Y, Europe/Berlin}", "{id | date: excel}", "{email | boolean | else: x}", "{id | nothing}"),
    *("{email | phone: GB}", "{email | sha256}", "{'a", "{id | replace: '', x}", "{id | else}"),
]
pieces = st.sampled_from(
    [*FILTERED, "{id}", "{email}", "{a.b}", "{a b}", "{", "}", "{{", "}}", "x", "{}", "{_sdc_deleted_at}"]
)
templates = st.lists(pieces, max_size=4).map("".join)
attributes = templates | st.none() | values
wanted = (
    values
    | st.lists(scalars, max_size=2)
    | st.dictionaries(st.sampled_from(["not", "<", ">=", "="]), numbers | st.lists(scalars, max_size=2), max_size=2)
)
mappings = st.fixed_dictionaries(
    {"stream": st.just("leads"), "event_type": st.sampled_from(["lead", "conversion", "action"]) | attributes},
    optional={
        "event_name": attributes,
        "event_id": attributes,
        "source_id": st.just("capture-1") | attributes,
        "person_id": attributes,
        "created_at": attributes,
        "fields": st.just("*") | st.dictionaries(names, attributes, max_size=3) | values,
        "metadata": st.dictionaries(names, attributes, max_size=2) | values,
        "when": st.dictionaries(
            names | st.sampled_from(FILTERED).map(lambda piece: piece.strip("{}")), wanted, max_size=2
        )
        | values,
        "tables": st.dictionaries(st.just("t") | names, st.dictionaries(st.just("*") | names, scalars)) | values,
        "formerly": st.none() | st.dictionaries(st.just("event_id"), attributes) | values,
        "on_changed": st.sampled_from(["skip", "send"]) | values,
    },
)
RIGHT: dict[str, Any] = {"environment": "sandbox", "ledger": "ledger"}


def mapped(given: dict[str, Any], schema: dict[str, Any], keys: list[str], record: dict[str, Any]) -> None:
    """What a SCHEMA, a mapping and a record make of each other; the reason of an invalid part tells no value."""
    stream = RecordStream(
        parse({**RIGHT, "streams": [given]}, template_faults=template_faults),
        "leads",
        schema=schema,
        key_properties=keys,
    )
    raw = json.dumps(record, default=str).encode()
    origin = Origin(position=1, stream="leads", record=raw, schema=b"{}", digest=record_digest(record, raw))
    part = stream.part(record, origin)
    if isinstance(part, InvalidPart):
        assert VALUE not in part.reason


LEAD = {"stream": "leads", "event_type": "lead", "source_id": "capture-1", "fields": "*"}


@lasting
@PROFILE
@given(properties=st.dictionaries(names, rules, max_size=4), others=rules, record=records)
def test_a_schema_is_taken_or_refused_whatever_it_is(properties: Any, others: Any, record: dict[str, Any]) -> None:
    """Nothing but `SettingsInvalid` and `InputInvalid` comes of a SCHEMA, or of a record under it."""
    schema = {**(others if isinstance(others, dict) else {}), "properties": properties}
    with Bounded(SettingsInvalid, InputInvalid):
        mapped(LEAD, schema, ["id"], record)


@lasting
@PROFILE
@given(given_mapping=mappings, keys=st.lists(names, max_size=2), record=records)
def test_a_mapping_is_taken_or_refused_whatever_it_is(given_mapping: Any, keys: list[str], record: Any) -> None:
    """Nothing but `SettingsInvalid` and `InputInvalid` comes of a mapping, or of a record under it."""
    schema: dict[str, Any] = {
        "properties": {"id": {}, "email": {}, "a b": {}, "a.b": {}, "a": {"properties": {"b": {}}}}
    }
    with Bounded(SettingsInvalid, InputInvalid):
        mapped(given_mapping, schema, keys, record)


@lasting
@PROFILE
@given(
    config=st.dictionaries(
        st.sampled_from([row.name for row in TABLE]) | st.text(), values | mappings | st.lists(mappings)
    )
)
@example(config={"on_changed": []})
def test_settings_are_taken_or_refused_whatever_they_are(config: dict[str, Any]) -> None:
    """Nothing but `SettingsInvalid` comes of settings, and it tells no value."""
    with Bounded(SettingsInvalid):
        parse({**RIGHT, "streams": [LEAD], **config}, template_faults=template_faults)


HEADS = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 404\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\nConnection: upgrade\r\n",
    b"HTTP/9.9 999 x\r\n",
    b"Content-Length: 4\r\n",
    b"Content-Length: 4, 4\r\n",
    b"Content-Length: -1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Type: text/html; charset=\xff*\"'\r\n",
    b"Content-Type: a; charset*=utf-16''%\r\n",
    b"Content-Type: a; charset=idna\r\n",
    b"Retry-After: 1\r\n",
    b"Date: never\r\n",
    b" folded\r\n",
    b"\r\n",
    b"4\r\nbody\r\n",
    b"0\r\n\r\n",
    b"body",
)
packets = st.lists(st.lists(st.sampled_from(HEADS) | st.binary(max_size=8), max_size=6).map(b"".join), max_size=5)


class Wire(asyncio.Transport):
    """A transport that takes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self._is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take it."""

    def abort(self) -> None:
        """Close."""
        self._is_closed = True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._is_closed

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0


async def replied(received: list[bytes]) -> object:
    """What comes back for a request when these packets come, and then the end."""
    connection = Connection()
    connection.connection_made(Wire())
    reply = connection.request(b"POST", timeout=60)
    for packet in received:
        connection.data_received(packet)
    connection.eof_received()
    connection.connection_lost(None)
    return await reply


@lasting
@PROFILE
@given(received=packets)
@example(received=[b"HTTP/1.1 200 OK\r\nContent-Type: a; charset=idna\r\nContent-Length: 4\r\n\r\nbody"])
def test_an_answer_is_read_whatever_it_is(received: list[bytes]) -> None:
    """A request has a reply, and nothing is raised."""
    with Bounded():
        reply = asyncio.run(replied(received))

    assert isinstance(cast("Any", reply), Answer | Unreadable | NoAnswer)


@pytest.mark.parametrize("text", ["a", ""])
def test_a_value_is_known_by_its_mark(text: str) -> None:
    """Else nothing of the above would be seen."""
    assert VALUE in told(text)
