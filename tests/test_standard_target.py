"""The SDK's own tests of a target, which assert next to nothing of what was written: held here to what arrived."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from singer_sdk.testing import target_tests
from singer_sdk.testing.config import SuiteConfig
from singer_sdk.testing.runners import TargetTestRunner
from singer_sdk.testing.suites import target_tests as suite

from target_driftrock.target import TargetDriftrock
from tests.stage import Stage

LEAD = {"event_type": "lead", "source_id": "capture-1"}
STREAMS = [
    # These streams have no key: what tells their events apart, or that nothing does.
    {"stream": "test_no_pk", "event_id": "{id}", "fields": "*", **LEAD},
    {"stream": "example_stream", "event_id": "{email}", "fields": "*", **LEAD},
    {"stream": "test_object_schema_*", "event_id": None, "fields": "*", **LEAD},
    {"stream": "test_record_missing_required_property", "event_id": None, "fields": "*", **LEAD},
    {"stream": "*", "fields": "*", **LEAD},
]

LEFT_OUT = target_tests.TargetRecordMissingKeyProperty
"""It wants the run to stop. Here the record is refused, and the run goes on."""
STANDARD: list[type[Any]] = [
    *(each for each in suite.tests if each is not LEFT_OUT),
    target_tests.TargetRecordMissingRequiredProperty,  # the SDK has it, and leaves it out of its suite
]

Sent = tuple[str, str | None, dict[str, Any]]


def keyed(stream: str, *rows: dict[str, Any], key: str = "id", shown_as: str | None = None) -> list[Sent]:
    """The events of rows, each with the default event_id."""
    return [(stream, f"{shown_as or stream}:{row[key]}", row) for row in rows]


TEXTS = {
    1: "simple string 2837",
    2: "απλή συμβολοσειρά",
    3: "简单的字串",
    4: "chaîne simple",
    5: 'quoted "string"',
    6: 'various " \\ / \n escape sequences',
    7: "m",
    8: "ā",
    9: "ƙ",
    10: "Double quoting: \\u0000 \\u0041 \\u0001",
    11: "Control Characters in string: \x00 A \x01",
}
OBJECTS = {
    1: ("simple", TEXTS[1]),
    2: ("greek", TEXTS[2]),
    3: ("chinese", TEXTS[3]),
    4: ("french", TEXTS[4]),
    5: ("quoted string", TEXTS[5]),
    6: ("escape sequences", TEXTS[6]),
    7: ("unicode", "m"),
    8: ("unicode", "ā"),
    9: ("unicode", "ƙ"),
    10: ("Double quoting", " \\u0000 \\u0041 \\u0001"),
    11: ("Control Characters in string", "\x00 A \x01"),
}
ARRAYS = {
    1: ["simple string", TEXTS[2], TEXTS[3]],
    2: [TEXTS[4], TEXTS[5]],
    3: [TEXTS[6]],
    4: ["m", "ā", "ƙ"],
    5: ["aaa", TEXTS[10]],
    6: ["bbb", TEXTS[11]],
}

EXPECTED: Mapping[str, list[Sent]] = {
    "array_data": keyed(
        "test_array_data",
        {"id": 1, "fruits": ["apple", "orange", "pear"]},
        {"id": 2, "fruits": ["banana", "apple"]},
        {"id": 3, "fruits": ["pear"]},
        {"id": 4, "fruits": ["orange", "banana", "apple", "pear"]},
    ),
    "camelcase": keyed(
        "TestCamelcase",
        {"Id": "1", "clientName": "Gitter Windows Desktop App"},
        {"Id": "2", "clientName": "Gitter iOS App"},
        key="Id",
    ),
    "camelcase_complex_schema": [],  # it has no records
    "cli_prints": [],  # it reads no input
    # The same event again with other fields is a change, which is counted and not sent.
    "duplicate_records": keyed("test_duplicate_records", {"id": 1, "metric": 1}, {"id": 2, "metric": 2}),
    "encoded_string_data": [
        *keyed("test_strings", *({"id": id_, "info": text} for id_, text in TEXTS.items())),
        *keyed(
            "test_strings_in_objects",
            *({"id": id_, "info": {"name": name, "value": value}} for id_, (name, value) in OBJECTS.items()),
        ),
        *keyed("test_strings_in_arrays", *({"id": id_, "strings": texts} for id_, texts in ARRAYS.items())),
    ],
    "invalid_schema": [],
    "no_primary_keys": [
        ("test_no_pk", "1", {"id": 1, "metric": 11}),
        ("test_no_pk", "2", {"id": 2, "metric": 22}),
        ("test_no_pk", "3", {"id": 3, "metric": 33}),
    ],
    "optional_attributes": keyed(
        "test_optional_attributes",
        {"id": 1, "optional": "This is optional"},
        {"id": 2},
        {"id": 3, "optional": "Also optional"},
        {"id": 4},
    ),
    "pk_updates": [
        ("example_stream", "alice@example.com", {"id": 1, "name": "Alice", "email": "alice@example.com"}),
        ("example_stream", "bob@example.com", {"id": 2, "name": "Bob", "email": "bob@example.com"}),
    ],
    "record_before_schema": [],
    "record_missing_fields": keyed("record_missing_fields", {"id": 1, "optional": "now you see me"}, {"id": 2}),
    "record_missing_required_property": [],
    "schema_no_properties": [
        ("test_object_schema_no_properties", None, {"object_store": {"id": 1, "metric": 1}}),
        ("test_object_schema_no_properties", None, {"object_store": {"id": 2, "metric": 2}}),
        ("test_object_schema_with_properties", None, {"object_store": {"id": 1, "metric": 187}}),
        ("test_object_schema_with_properties", None, {"object_store": {"id": 2, "metric": 203}}),
    ],
    "schema_updates": keyed(
        "test_schema_updates",
        {"id": 1, "a1": 101, "a2": "string1"},
        {"id": 2, "a1": 102, "a2": "string2", "a3": True},
        {
            "id": 3,
            "a1": 103,
            "a2": "string3",
            "a3": False,
            "a4": {"id": 1, "value": 1},
            "a5": ["banana", "apple"],
        },
        {
            "id": 4,
            "a1": 104,
            "a2": "string4",
            "a3": True,
            "a4": {"id": 2, "value": 22},
            "a5": ["orange", "pear"],
        },
        {
            "id": 5,
            "a1": 105,
            "a2": "string5",
            "a3": False,
            "a4": {"id": 3, "value": 33},
            "a5": ["apple"],
            "a6": 985,
        },
        {
            "id": 6,
            "a1": 106,
            "a2": "string6",
            "a3": True,
            "a4": {"id": 4, "value": 444},
            "a5": ["banana", "orange"],
            "a6": 341,
        },
    ),
    "special_chars_in_attributes": keyed(
        "test:SpecialChars!in?attributes",
        {"_id": "a2e98886", "d": {"env": "prod", "agent:type": "desktop", "agent:os:version": "10.13.1"}},
        key="_id",
        shown_as="test%3ASpecialChars!in?attributes",
    ),
}
"""By the SDK's name of a test: event_name, event_id and fields of everything that must have arrived."""

STATES: Mapping[str, Any] = {
    "array_data": {"test_array_data": 4},
    "duplicate_records": {"test_duplicate_records": 2},
    "encoded_string_data": {"test_strings": 11, "test_strings_in_objects": 11, "test_strings_in_arrays": 6},
    "no_primary_keys": {"test_no_pk": 3},
    "optional_attributes": {"test_optional_attributes": 4},
    "record_missing_fields": {},
    "schema_updates": {"test_schema_updates": 6},
}
"""The STATE that must have been written, by the names of those tests whose input has one."""


def in_order(sent: Iterable[Sent]) -> list[Sent]:
    """Events of different persons may arrive in any order."""
    return sorted(sent, key=lambda each: json.dumps(each, sort_keys=True))


@contextmanager
def running(settings: dict[str, Any]) -> Iterator[TargetTestRunner]:
    """What the SDK's tests run the target by. It leaves its input open."""
    runner = TargetTestRunner(TargetDriftrock, config=settings, parse_env_config=False)
    yield runner
    if runner.target_input is not None:
        runner.target_input.close()


def test_every_standard_test_is_here_when_the_sdk_has_more_of_them() -> None:
    """A test that a newer SDK adds has to be judged here before it counts."""
    assert {each.name for each in STANDARD} == set(EXPECTED)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("standard", [pytest.param(each, id=each.name) for each in STANDARD])
def test_exactly_what_was_read_arrives_when_a_standard_test_runs(standard: type[Any], stage: Stage) -> None:
    """The SDK's own test passes, and the API got these events with these fields, and no others."""
    with running(stage.settings(streams=STREAMS, max_reject_percent=100)) as runner:  # one test refuses all on purpose
        standard().run(SuiteConfig(), None, runner)

    events = stage.accepted()
    sent = [(event["event_name"], event.get("event_id"), event["fields"]) for event in events]
    assert in_order(sent) == in_order(EXPECTED[standard.name])
    assert all(event.keys() <= {*LEAD, "event_name", "event_id", "fields"} for event in events)
    assert runner.state_messages == ([STATES[standard.name]] if standard.name in STATES else [])
