"""What the validator finds, and what it tolerates."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.records.validator import RecordValidator, SchemaTooLarge, unsound

CANARY = "canary@example.com"

NUMERIC = {
    "type": ["null", "number"],
    "minimum": Decimal("-1E+8"),
    "maximum": Decimal("1E+8"),
    "exclusiveMinimum": True,
    "exclusiveMaximum": True,
    "multipleOf": Decimal("0.01"),
}
"""How taps of Draft 4's time write a NUMERIC(10, 2)."""


def fault(schema: Any, value: Any) -> str | None:
    """Of a record with one property `v`."""
    return told(RecordValidator({"type": "object", "properties": {"v": schema}}), {"v": value})


def told(validator: RecordValidator, record: dict[str, Any]) -> str | None:
    """What is wrong with a record, in words."""
    found = validator.fault(record)
    return None if found is None else found.text


@pytest.mark.parametrize(
    ("schema", "value", "found"),
    [
        pytest.param({"type": "string"}, "x", None, id="string"),
        pytest.param({"type": "string"}, 1, "/v: type", id="no string"),
        pytest.param({"type": "string"}, None, "/v: type", id="null"),
        pytest.param({"type": ["null", "string"]}, None, None, id="null allowed"),
        pytest.param({"type": ["null", "string"], "enum": ["a"]}, None, None, id="null allowed, and not listed"),
        pytest.param({"type": ["null", "string"], "enum": ["a"]}, "b", "/v: enum", id="null allowed, another value"),
        pytest.param({"type": "string", "enum": ["a"]}, None, "/v: type", id="null neither allowed nor listed"),
        pytest.param({"type": "integer"}, Decimal("1.0"), None, id="1.0 is an integer"),
        pytest.param({"type": "integer"}, Decimal("1E+400"), None, id="a huge integer"),
        pytest.param({"type": "integer"}, Decimal("1.5"), "/v: type", id="no integer"),
        pytest.param({"type": "integer"}, True, "/v: type", id="a boolean is no integer"),
        pytest.param({"type": "number"}, Decimal("0.1"), None, id="decimal"),
        pytest.param(
            {"multipleOf": Decimal("1E-38")}, Decimal("0.12345678901234567890123456789012345678"), None, id="exact"
        ),
        pytest.param({"multipleOf": Decimal("0.01")}, Decimal("19.99"), None, id="a multiple that floats miss"),
        pytest.param({"multipleOf": Decimal("0.01")}, Decimal("19.999"), "/v: multipleOf", id="no multiple"),
        pytest.param({"maximum": 10**30}, 10**30 + 1, "/v: maximum", id="beyond a float"),
        pytest.param(NUMERIC, Decimal("99999999.99"), None, id="Draft 4 numeric"),
        pytest.param(NUMERIC, Decimal(10) ** 8, "/v: exclusiveMaximum", id="Draft 4 exclusive maximum"),
        pytest.param(NUMERIC, Decimal(-10) ** 9, "/v: minimum", id="Draft 4 minimum"),
        pytest.param({"minimum": 0, "exclusiveMinimum": False}, 0, None, id="Draft 4 inclusive minimum"),
        pytest.param({"exclusiveMaximum": 5}, 5, "/v: exclusiveMaximum", id="Draft 6 exclusive maximum"),
        pytest.param({"exclusiveMaximum": True}, 5, None, id="exclusive of nothing"),
        pytest.param({"maxLength": 3}, "José", "/v: maxLength", id="too long"),
        pytest.param({"enum": ["a", "b"]}, "c", "/v: enum", id="none of them"),
        pytest.param({"pattern": "^(?=a)"}, "b", "/v: pattern", id="no match"),
        pytest.param({"type": "array", "items": {"type": "string"}}, ["a", 1], "/v/1: type", id="an item"),
        pytest.param({"items": False}, [1], "/v/0: falseSchema", id="no items"),
        pytest.param({"items": [{"type": "string"}]}, [1], "/v/0: type", id="an item of a tuple"),
        pytest.param(
            {"items": [{}], "additionalItems": False}, [1, 2], "/v: additionalItems", id="too many of a tuple"
        ),
        pytest.param({"items": {"type": "string"}, "prefixItems": [{}]}, [1], None, id="Draft 2020-12 tuple"),
        pytest.param({"contains": {"type": "string"}}, [1], "/v: contains", id="contains"),
        pytest.param({"contains": {"type": "string"}, "minContains": 0}, [1], None, id="Draft 2019-09 contains none"),
        pytest.param({"propertyNames": {"maxLength": 2}}, {"long": 1}, "/v: propertyNames", id="name of a property"),
        pytest.param({"allOf": [{"type": "string"}, {"maxLength": 1}]}, "ab", "/v: maxLength", id="allOf"),
        pytest.param({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1, "/v: anyOf", id="anyOf"),
        pytest.param({"oneOf": [{"format": "date"}, {"format": "date-time"}]}, "x", None, id="oneOf that overlaps"),
        pytest.param({"oneOf": [{"type": "string"}, {"type": "null"}]}, 1, "/v: anyOf", id="oneOf that fits nowhere"),
        pytest.param({"$ref": "#/properties/v/x", "x": {"type": "string"}}, 1, "/v: type", id="reference"),
        pytest.param(False, 1, "/v: falseSchema", id="nothing allowed"),
    ],
)
def test_a_value_is_judged_when_its_schema_says_something_of_it(schema: Any, value: Any, found: str | None) -> None:
    """By every draft's keywords, with exact numbers."""
    assert fault(schema, value) == found


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"format": "date-time"}, id="format"),
        pytest.param({"format": "of our own"}, id="unknown format"),
        pytest.param({"type": "any"}, id="unknown type"),
        pytest.param({"type": ["null", "date"]}, id="unknown type among known ones"),
        pytest.param({"type": None}, id="type null"),
        pytest.param({"required": True}, id="Draft 3 required"),
        pytest.param({"maxLength": "3"}, id="limit as a text"),
        pytest.param({"multipleOf": 0}, id="multiple of nothing"),
        pytest.param({"enum": "x"}, id="enum of no list"),
        pytest.param({"pattern": "("}, id="broken pattern"),
        pytest.param({"properties": [], "additionalProperties": False}, id="properties a list"),
        pytest.param({"patternProperties": {"(": {}}, "additionalProperties": False}, id="broken pattern of a name"),
        pytest.param({"items": "string"}, id="items a text"),
        pytest.param({"items": [None]}, id="item null"),
        pytest.param({"items": []}, id="items of no item"),
        pytest.param({"anyOf": []}, id="any of nothing"),
        pytest.param({"anyOf": {"type": "integer"}}, id="anyOf of no list"),
        pytest.param({"not": {"format": "date"}}, id="not"),
        pytest.param({"if": True, "then": {"type": "integer"}}, id="if"),
        pytest.param({"$ref": "https://example.com/schema.json"}, id="remote reference"),
        pytest.param({"$ref": "other.json#/definitions/v"}, id="reference to another file"),
        pytest.param({"$ref": "#/definitions/missing"}, id="dangling reference"),
        pytest.param({"$ref": "#anchor"}, id="anchor"),
        pytest.param({"$ref": "#/properties/v"}, id="reference to itself"),
        pytest.param({"$schema": "https://example.com/own", "$id": "::", "id": 5}, id="odd ids"),
        pytest.param({"inclusion": "automatic", "sql-datatype": "text"}, id="unknown keywords"),
        pytest.param("string", id="a text"),
        pytest.param(None, id="null"),
        pytest.param(True, id="true"),
    ],
)
@pytest.mark.parametrize("value", ["x", {"a": 1}, ["x"]], ids=["text", "object", "array"])
def test_a_record_passes_when_its_schema_is_odd(schema: Any, value: Any) -> None:
    """A keyword that no draft understands stops neither the run nor a record."""
    assert fault(schema, value) is None


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        pytest.param({"type": "jane@x"}, ["type"], id="type"),
        pytest.param({"type": ["null", "date"]}, ["type"], id="one of several types"),
        pytest.param({"pattern": "("}, ["pattern"], id="pattern"),
        pytest.param({"pattern": "(", "type": 3}, ["type", "pattern"], id="both"),
        pytest.param({"type": "string", "pattern": "^a"}, [], id="neither"),
        pytest.param({"type": "any"}, [], id="Draft 3"),
        pytest.param({"required": True}, [], id="Draft 3 required"),
        pytest.param("string", [], id="a text"),
    ],
)
def test_it_is_known_what_is_not_judged_when_a_schema_is_odd(schema: Any, found: list[str]) -> None:
    """By property and keyword: else a slip in a SCHEMA would pass for a rule."""
    assert list(unsound({"properties": {"v": schema, "w": {"type": "string"}}})) == [("v", each) for each in found]
    assert list(unsound({"properties": [schema]})) == []


@pytest.mark.parametrize(
    ("record", "found"),
    [
        pytest.param({}, "/id: required", id="missing"),
        pytest.param({"id": 1, "contact": {"email": 5}}, "/contact/email: type", id="deep in a nullable object"),
        pytest.param({"id": 1, "contact": {}}, "/contact/email: required", id="missing in a nullable object"),
        pytest.param({"id": 1, "contact": 5}, "/contact: anyOf", id="neither object nor null"),
        pytest.param({"id": 1, "phones": [{"no/t~": 1}]}, "/phones/0/no~1t~0: type", id="escaped name"),
        pytest.param({"id": 1, "by_email": {CANARY: 5}}, "/by_email/*: type", id="name that is not listed"),
        pytest.param(
            {"id": 1, "closed": {CANARY: 5}}, "/closed/*: additionalProperties", id="name that is not allowed"
        ),
        pytest.param({"id": 1, "a": 1, "b": 1, "c": 1, "d": 1, "e": 1}, "/: maxProperties", id="the whole"),
    ],
)
def test_a_fault_is_told_by_path_and_rule_when_a_record_has_one(record: dict[str, Any], found: str) -> None:
    """As a JSON pointer; names that the SCHEMA does not list may be personal, and are not shown."""
    contact = {"type": "object", "properties": {"email": {"type": "string"}}, "required": ["email"]}
    schema = {
        "required": ["id"],
        "maxProperties": 5,
        "properties": {
            "contact": {"anyOf": [{"type": "null"}, contact]},
            "phones": {"items": {"properties": {"no/t~": {"type": "string"}}}},
            "by_email": {"additionalProperties": {"type": "string"}},
            "closed": {"additionalProperties": False},
        },
    }

    assert told(RecordValidator(schema), record) == found


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        pytest.param("#/definitions/text", "/v: type", id="definitions"),
        pytest.param("#/components/schemas/a~1b%20c", "/v: type", id="anywhere, escaped"),
        pytest.param("#/list/1", "/v: type", id="in a list"),
        pytest.param("#/definitions/chain", "/v: type", id="by way of another"),
        pytest.param("#/definitions/loop", None, id="in a circle"),
        pytest.param("#/list/2", None, id="past the end of a list"),
        pytest.param("#/list/one", None, id="no index of a list"),
    ],
)
def test_a_reference_is_followed_when_it_stays_within_the_schema(reference: str, found: str | None) -> None:
    """Wherever in the SCHEMA it points."""
    text = {"type": "string"}
    schema = {
        "properties": {"v": {"$ref": reference}},
        "definitions": {"text": text, "chain": {"$ref": "#/definitions/text"}, "loop": {"$ref": "#/definitions/loop"}},
        "components": {"schemas": {"a/b c": text}},
        "list": [{}, text],
    }

    assert told(RecordValidator(schema), {"v": 1}) == found


def test_a_tree_is_judged_to_its_leaves_when_its_schema_refers_to_itself() -> None:
    """A schema of a tree is ordinary."""
    schema = {"properties": {"name": {"type": "string"}, "children": {"items": {"$ref": "#"}}}}
    validator = RecordValidator(schema)

    assert validator.fault({"name": "a", "children": [{"name": "b", "children": []}]}) is None
    assert (
        told(validator, {"name": "a", "children": [{"children": [{"name": 1}]}]}) == "/children/0/children/0/name: type"
    )


def nested(name: str, levels: int, innermost: Any) -> Any:
    """So many objects within each other, each the only member of the next."""
    for _ in range(levels):
        innermost = {name: innermost}
    return innermost


def doubling(keyword: str, levels: int) -> dict[str, Any]:
    """The properties `v`, of a schema that refers to the next one twice, and so on."""
    chain: dict[str, Any] = {
        f"d{level}": {keyword: [{"$ref": f"#/definitions/d{level + 1}"}] * 2} for level in range(levels)
    }
    chain[f"d{levels}"] = {"type": "string"}
    return {"properties": {"v": {"$ref": "#/definitions/d0"}}, "definitions": chain}


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(doubling("allOf", 40), id="all"),
        pytest.param(doubling("anyOf", 40), id="any"),
        pytest.param({**doubling("oneOf", 40), "allOf": [{"$ref": "#/definitions/d0"}]}, id="at the root"),
        pytest.param({"properties": {"v": nested("items", 101, {})}}, id="deep"),
        pytest.param(
            {
                "properties": {"v": {"$ref": "#/definitions/0"}},
                "definitions": {str(each): {"$ref": f"#/definitions/{each + 1}"} for each in range(2000)},
            },
            id="a long chain",
        ),
    ],
)
@pytest.mark.parametrize("names", [None, ["v"]], ids=["all", "some"])
def test_a_schema_is_refused_when_to_judge_by_it_would_take_for_ever(
    schema: dict[str, Any], names: list[str] | None
) -> None:
    """Forty lines of references can stand for billions of rules."""
    with pytest.raises(SchemaTooLarge):
        RecordValidator(schema, names=names)


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_a_schema_is_judged_by_when_it_refers_to_its_parts_a_thousand_times(keyword: str) -> None:
    """What a person or a program writes in earnest is far below the bound."""
    validator = RecordValidator(doubling(keyword, 10))

    assert [validator.fault({"v": value}) is None for value in ("x", 1)] == [True, False]


def test_a_record_is_judged_at_once_when_a_schema_comes_again_within_itself_on_several_ways() -> None:
    """The work would double with each level of the record; where it comes again, anything is allowed."""
    branch = {"properties": {"a": {"$ref": "#/properties/v"}}}
    validator = RecordValidator({"properties": {"v": {"type": "object", "anyOf": [branch, branch]}}})

    assert validator.fault({"v": nested("a", 60, 1)}) is None
    assert told(validator, {"v": 1}) == "/v: type"


def test_a_record_is_judged_to_its_leaves_when_its_schema_says_what_json_is() -> None:
    """An array and an object that both lead back are no two ways: no value is both."""
    anything = {
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"$ref": "#/properties/v"}},
            {"type": "object", "additionalProperties": {"$ref": "#/properties/v"}},
        ]
    }
    validator = RecordValidator({"properties": {"v": anything}})

    assert validator.fault({"v": [{"a": ["x", {"b": []}]}]}) is None
    assert validator.fault({"v": [{"a": ["x", {"b": [1]}]}]}) is not None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        pytest.param(dt.datetime(2026, 1, 31, tzinfo=dt.UTC), None, id="date and time"),
        pytest.param(dt.date(2026, 1, 31), None, id="date"),
        pytest.param(uuid.UUID(int=1), None, id="uuid"),
        pytest.param({"a"}, "/v: type", id="a set is an array"),
        pytest.param(object(), "/: not JSON", id="an object"),
        pytest.param({"\ud800": 1}, "/: not JSON", id="a name that is no text"),
    ],
)
def test_a_value_is_judged_by_its_json_when_a_stream_map_made_it(value: Any, found: str | None) -> None:
    """What maps return need not be what a tap could send."""
    assert fault({"type": "string"}, value) == found


def test_numbers_stay_numbers_when_a_stream_map_made_a_date_beside_them() -> None:
    """One such value changes nothing for the others."""
    validator = RecordValidator({"properties": {"at": {"type": "string"}, "v": {"type": "number"}}})

    assert validator.fault({"at": dt.date(2026, 1, 31), "v": Decimal("1.10")}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("type", "properties", "items", "additionalProperties", "patternProperties", "anyOf", "oneOf"),
                    *("allOf", "not", "$ref", "$id", "id", "pattern", "enum", "required", "maximum", "contains"),
                    *("exclusiveMaximum", "minimum", "multipleOf", "definitions", "uniqueItems", "const", "(", "a"),
                ]
            ),
            inner | st.sampled_from(["string", "object", "#", "#/properties/a", "#/items/0", "("]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(schema=st.dictionaries(st.text(max_size=2) | st.sampled_from(["type", "properties", "items"]), JSON, max_size=3))
def test_every_schema_compiles_when_it_is_json(schema: dict[str, Any]) -> None:
    """No SCHEMA, however odd, stops a run: what cannot be understood is not checked."""
    found = told(RecordValidator(schema), {"a": [{"a": 1}], "type": "x"})

    assert found is None or found.startswith("/")


# Some properties alone.

WHOLE: dict[str, Any] = {
    "type": "object",
    "required": ["a", "b", "_sdc_x"],
    "properties": {"a": {"type": "string"}, "b": {"type": "string"}, "_sdc_x": {"type": "string"}},
    "additionalProperties": False,
    "maxProperties": 2,
    "propertyNames": {"maxLength": 6},
}
RIGHT: dict[str, Any] = {"a": "x", "b": "y"}


@pytest.mark.parametrize(
    ("record", "named", "but", "whole"),
    [
        pytest.param(RIGHT, None, None, None, id="right"),
        pytest.param({**RIGHT, "_sdc_x": 7}, None, None, None, id="a loader's column is wrong"),
        pytest.param({**RIGHT, "_SDC_Y": 7}, None, None, None, id="a loader's column is not listed"),
        pytest.param({"a": 1, "b": "y"}, "/a: type", "/a: type", "/a: type", id="the first is wrong"),
        pytest.param({"a": "x", "b": 1}, None, None, "/b: type", id="the other is wrong"),
        pytest.param({"b": "y"}, "/a: required", "/a: required", "/a: required", id="the first is left out"),
        pytest.param({"a": "x"}, None, None, "/b: required", id="the other is left out"),
        pytest.param({**RIGHT, "c": 1}, None, "/*: additionalProperties", "/: maxProperties", id="one is not listed"),
        pytest.param({**RIGHT, "b": 1, "_sdc_x": 7}, None, None, "/b: type", id="two of those that do not count"),
    ],
)
def test_the_named_properties_are_judged_when_some_are(
    record: dict[str, Any], named: str | None, but: str | None, whole: str | None
) -> None:
    """By what the SCHEMA says of each, and that it must be there; without names all are, but some."""
    found = [RecordValidator(WHOLE, names=["a"]), RecordValidator(WHOLE, but=["b"]), RecordValidator(WHOLE)]

    assert [told(validator, record) for validator in found] == [named, but, whole]


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"$ref": "#/definitions/x", "definitions": {"x": WHOLE}}, id="a reference"),
        pytest.param(
            {"$ref": "#/definitions/y", "definitions": {"x": WHOLE, "y": {"$ref": "#/definitions/x"}}}, id="two"
        ),
        pytest.param({"allOf": [WHOLE]}, id="allOf"),
        pytest.param({"anyOf": [WHOLE]}, id="anyOf"),
        pytest.param({"oneOf": [{"allOf": [WHOLE]}]}, id="oneOf of allOf"),
        pytest.param({"allOf": [{"$ref": "#/definitions/x"}], "definitions": {"x": WHOLE}}, id="allOf of a reference"),
    ],
)
def test_the_named_properties_are_judged_when_they_are_listed_elsewhere(schema: dict[str, Any]) -> None:
    """What a part of the SCHEMA requires of others is asked of nobody."""
    validator = RecordValidator(schema, names=["a"])

    assert [validator.fault(record) for record in ({"a": "x"}, {"a": "x", "b": 1})] == [None, None]
    assert [validator.fault(record) is None for record in ({"a": 1}, {"b": "y"})] == [False, False]


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"$ref": "#"}, id="itself"),
        pytest.param({"allOf": [{"$ref": "#"}]}, id="itself below"),
        pytest.param(
            {
                "$ref": "#/definitions/a",
                "definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}},
            },
            id="each other",
        ),
        pytest.param({"$ref": "https://example.com/x"}, id="elsewhere"),
        pytest.param({"$ref": "#/definitions/none"}, id="nowhere"),
        pytest.param({"$ref": "#/definitions/x", "definitions": {"x": True}}, id="anything"),
        pytest.param({"required": "a", "allOf": 7, "anyOf": [True, 7]}, id="no words of a schema"),
    ],
)
def test_nothing_is_found_when_a_schema_refers_to_nothing(schema: dict[str, Any]) -> None:
    """A reference that comes back to itself, or leads nowhere, says nothing, and ends."""
    assert [told(RecordValidator(schema, names=["a"]), {"a": 1}), told(RecordValidator(schema), {"a": 1})] == [
        None,
        None,
    ]


def test_a_tree_is_judged_to_its_leaves_when_its_root_is_narrowed() -> None:
    """What is below a named property is judged by the whole SCHEMA, as it was written."""
    tree = {"required": ["id"], "properties": {"id": {"type": "integer"}, "child": {"$ref": "#"}}}
    validator = RecordValidator(tree, names=["child"])

    assert [told(validator, {"child": child}) for child in ({"id": 1}, {"id": "x"}, {})] == [
        None,
        "/child/id: type",
        "/child/id: required",
    ]


@pytest.mark.parametrize(
    ("record", "path", "rule", "value"),
    [
        pytest.param({"a": {"b": ["x"]}}, "/a/b/0", "type", "x", id="nested"),
        pytest.param({"few": "c"}, "/few", "enum", "c", id="none of the listed"),
        pytest.param({"a": {}, "few": "a", "must": None}, "/must", "type", None, id="null"),
        pytest.param({}, "/must", "required", None, id="not there, so there is no value"),
    ],
)
def test_the_value_is_found_when_it_breaks_a_rule(record: dict[str, Any], path: str, rule: str, value: Any) -> None:
    """For whoever counts what a column holds. It is never printed."""
    listed: dict[str, Any] = {
        "a": {"properties": {"b": {"items": {"type": "integer"}}}},
        "few": {"enum": ["a", "b"]},
        "must": {"type": "string"},
    }
    required = {"required": ["must"]} if not record else {}

    found = RecordValidator({"properties": listed, **required}).fault(record)

    assert found is not None
    assert (found.path, found.rule, found.value) == (path, rule, value)
    assert repr(found) == f"Fault(path={path!r}, rule={rule!r})"
