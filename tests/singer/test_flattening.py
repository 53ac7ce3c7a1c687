"""Flattening: SCHEMAs that the SDK cannot flatten by itself, and those that nobody can."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.helpers._flattening import FlatteningOptions, flatten_schema

from target_driftrock.singer.flattening import flattening_fault, typed

OPTIONS = FlatteningOptions(enabled=True, max_level=2)
PERSON = {"type": "object", "properties": {"email": {"type": "string"}}}


def flat(**properties: Any) -> dict[str, Any]:
    """The types of the properties that flattening makes of these, by their names."""
    made = flatten_schema(typed({"properties": properties}), max_level=OPTIONS.max_level)
    return {name: node["type"] for name, node in made["properties"].items()}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        pytest.param({"type": "integer"}, {"a": "integer"}, id="a type"),
        pytest.param({"enum": ["open", "won"]}, {"a": ["string"]}, id="choices"),
        pytest.param({"enum": ["open", None, 1, 1.5, True]}, None, id="choices of many types"),
        pytest.param({"const": 3}, {"a": ["integer"]}, id="one choice"),
        pytest.param({"anyOf": [{"type": "null"}, {"type": "string"}]}, {"a": ["null", "string"]}, id="null first"),
        pytest.param({"anyOf": [{"type": ["string", "null"]}, {}]}, {"a": ["string", "null"]}, id="types in a list"),
        pytest.param({"oneOf": [{"enum": ["a"]}, {"$ref": "#/x"}]}, {"a": ["string"]}, id="a reference among them"),
        pytest.param({"$ref": "#/definitions/x"}, {"a": ["null", "string"]}, id="a reference"),
        pytest.param({}, {"a": ["null", "string"]}, id="nothing"),
        pytest.param(True, {"a": ["null", "string"]}, id="true"),
        pytest.param({"type": None}, {"a": ["null", "string"]}, id="no type"),
        pytest.param(PERSON, {"a__email": "string"}, id="an object"),
        pytest.param({"properties": {"email": {"enum": ["x"]}}}, {"a__email": ["string"]}, id="an object by its look"),
        pytest.param({"anyOf": [{"type": "null"}, PERSON]}, {"a__email": "string"}, id="an object or null"),
        pytest.param({"allOf": [PERSON, {"description": "x"}]}, {"a__email": "string"}, id="an object of parts"),
        pytest.param({"oneOf": [{"type": "array"}, {"type": "null"}]}, {"a": ["string", "null"]}, id="an array, null"),
    ],
)
def test_a_property_is_flattened_when_its_type_must_be_guessed(node: Any, expected: dict[str, Any] | None) -> None:
    """The SDK fails on one without a type, or leaves it out without a word."""
    found = flat(a=node)

    assert found == expected if expected else found["a"] == ["string", "null", "integer", "number", "boolean"]
    assert flattening_fault(typed({"properties": {"a": node}}), OPTIONS) is None


def test_the_rest_of_the_schema_stays_when_properties_get_their_types() -> None:
    """What it says of required ones, say; and the tap's own is not touched."""
    given = {"required": ["a"], "properties": {"a": {"enum": ["x"], "description": "y"}}}
    before = json.dumps(given)

    assert typed(given) == {
        "required": ["a"],
        "properties": {"a": {"enum": ["x"], "description": "y", "type": ["string"]}},
    }
    assert json.dumps(given) == before


def test_the_name_is_told_when_two_properties_would_share_it() -> None:
    """The values of one would be lost."""
    schema = {"properties": {"a": {"type": "object", "properties": {"b\n": {}}}, "a__b\n": {"type": "string"}}}

    fault = flattening_fault(typed(schema), OPTIONS)

    assert fault == r"two of its properties would be called 'a__b\n'; choose another flattening_separator"
    within = flattening_fault(typed({"properties": {"x": {"properties": schema["properties"]}}}), OPTIONS)
    assert within == "two properties within x would have one name; choose another flattening_separator"


def test_the_property_is_told_when_it_cannot_be_flattened() -> None:
    """The kind of error, and none of its text."""
    fault = flattening_fault({"properties": {"id": {"type": "integer"}, "a\n": {"enum": ["x"]}}}, OPTIONS)

    assert fault == r"its property 'a\n' (TypeError); take it out of the SCHEMA, or give it a type"


_LEAVES: st.SearchStrategy[Any] = st.sampled_from(
    [True, None, 1, "string", ["null", "object"], [], {}, "object", ["array"]]
)
_KEYWORDS = st.sampled_from(["type", "properties", "enum", "const", "anyOf", "oneOf", "allOf", "items", "$ref"])
_NODES = st.recursive(
    _LEAVES,
    lambda below: (
        st.dictionaries(_KEYWORDS, below | st.lists(below, max_size=2), max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "a__b"]), below, max_size=2).map(lambda each: {"properties": each})
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "a__b"]), _NODES, max_size=3))
def test_only_a_name_twice_cannot_be_flattened_when_the_schema_is_anything(properties: dict[str, Any]) -> None:
    """Whatever a tap says of a property, its values can be sent."""
    fault = flattening_fault(typed({"properties": properties}), OPTIONS)

    assert fault is None or "choose another flattening_separator" in fault
