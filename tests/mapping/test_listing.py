"""Names against a SCHEMA: the table of what is a typo, and what may be right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_driftrock.mapping.listing import is_listed, unlisted
from target_driftrock.naming import shown

NAME = {"properties": {"name": {"type": "string"}}}
PHONES = {"type": ["null", "array"], "items": {"type": "object", "properties": {"number": {}}}}


def _of(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"contact": schema, "phones": PHONES, "utm.source": {}, "Id": {}}}


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        pytest.param("Id", _of({}), id="listed"),
        pytest.param("utm.source", _of({}), id="listed with a dot in its name"),
        pytest.param("contact.name", _of({"type": "object", **NAME}), id="listed below"),
        pytest.param("contact.name", _of({"type": ["null", "object"], **NAME}), id="nullable"),
        pytest.param("contact.name", _of({"anyOf": [{"type": "null"}, NAME]}), id="in an anyOf"),
        pytest.param(
            "contact.name", _of({"oneOf": [{"type": "null"}, {"allOf": [NAME]}]}), id="in an allOf of a oneOf"
        ),
        pytest.param("phones.0.number", _of({}), id="in a list"),
        pytest.param("contact.1.name", _of({"items": [{}, NAME]}), id="in a list by place"),
        pytest.param("contact.1.name", _of({"prefixItems": [{}, NAME]}), id="in a list by prefixItems"),
        pytest.param("contact.2.what", _of({"items": [{}, NAME]}), id="past a list by place"),
        pytest.param("contact.0.what", _of({"type": "array"}), id="a list of anything"),
        pytest.param("contact.0.what", _of({"type": "array", "items": True}), id="a list of true"),
        pytest.param("contact.what", _of({}), id="the empty schema"),
        pytest.param("what.ever", {"properties": {"what": True}}, id="the schema true"),
        pytest.param("contact.what.ever", _of({"type": "object"}), id="an object of anything"),
        pytest.param("contact.what", _of({"type": "object", "properties": {}}), id="an object that lists none"),
        pytest.param("contact.what", _of({**NAME, "additionalProperties": True}), id="additionalProperties: true"),
        pytest.param("contact.what", _of({**NAME, "additionalProperties": {}}), id="additionalProperties: a schema"),
        pytest.param("contact.what", _of({**NAME, "patternProperties": {"^w": {}}}), id="patternProperties"),
        pytest.param("contact.what", _of({"anyOf": [NAME, {"type": "object"}]}), id="one choice is any object"),
        pytest.param("contact.what", _of({"$ref": "#/definitions/contact"}), id="a reference is not followed"),
        pytest.param("what", {}, id="no properties at all"),
    ],
)
def test_takes_name_when_schema_lists_it_or_says_more(name: str, schema: dict[str, Any]) -> None:
    """A name is right where the SCHEMA lists it, or says that there may be others."""
    assert unlisted(name, schema) is None


@pytest.mark.parametrize(
    ("name", "schema", "fault"),
    [
        pytest.param("Idd", _of({}), "the nearest is Id", id="a typo"),
        pytest.param("ID", _of({}), "the nearest is Id", id="another case"),
        pytest.param(" Id ", _of({}), "the nearest is Id", id="spaces in the braces"),
        pytest.param("utm.sorce", _of({}), "the nearest is utm.source", id="a typo in a name with a dot"),
        pytest.param("contct.name", _of(NAME), "the nearest is contact.name", id="a typo at the start of a path"),
        pytest.param("contact.nam", _of(NAME), "the nearest is contact.name", id="a typo at the end of a path"),
        pytest.param("phones.0.numer", _of({}), "the nearest is phones.0.number", id="a typo below a list"),
        pytest.param("phones.number", _of({}), "as in phones.0.number", id="an index is wanting"),
        pytest.param(
            "contact.email",
            {"properties": {"contact_email": {}, "contact_name": {}, "email": {}}},
            "the nearest is contact_email",
            id="a path that the tap flattened",
        ),
        pytest.param(
            "contact.email",
            {"properties": {"contact__email": {}, "contact": {"type": "object", **NAME}}},
            "the nearest is contact__email",
            id="a path beside one that is none",
        ),
        pytest.param(
            "contact.email",
            {"properties": {"contact-email": {}, "contact": {"type": "string"}}},
            "contact has no properties; the nearest is contact-email",
            id="a path through a text, flattened beside it",
        ),
        pytest.param("contact_name", _of(NAME), "the nearest is contact.name", id="a column that is a path"),
        pytest.param("phones_0_number", _of({}), "the nearest is phones.0.number", id="a column that is in a list"),
        pytest.param("phones.2.numer", _of({}), "the nearest is phones.2.number", id="a place that was named"),
        pytest.param(
            "customer.email",
            {"properties": {"customer_name": {}, "email": {}}},
            "the nearest is email",
            id="a path of which the end is there",
        ),
        pytest.param(
            "contact.email",
            {"properties": {"contact": {"type": "object", **NAME}, "email": {}}},
            "lists contact.name",
            id="no path that does not exist",
        ),
        pytest.param(
            "Id", {"properties": {"\ufeffId": {}}}, r"'\ufeffId', which begins with a byte order mark", id="unseen"
        ),
        pytest.param("a\nb", {"properties": {"x\u200b": {}}}, r"which lists 'x\u200b'", id="unseen in a list"),
        pytest.param("contact.x", _of({"type": "string"}), "contact has no properties", id="a path through a text"),
        pytest.param("contact.0", _of({"type": "string"}), "contact has no properties", id="an index into a text"),
        pytest.param("contact.0", _of(NAME), "lists contact.name", id="an index into an object"),
        pytest.param(
            "contact.what",
            _of({**NAME, "additionalProperties": False}),
            "which lists contact.name",
            id="additionalProperties: false",
        ),
        pytest.param("contact.what", _of(NAME), "lists contact.name", id="additionalProperties left out"),
        pytest.param("contact.what", _of({**NAME, "anyOf": [{"required": []}]}), "lists", id="choices that list none"),
        pytest.param("contact.what", _of({"anyOf": [{"type": "null"}, NAME]}), "lists", id="null is no open choice"),
        pytest.param("contact.what", _of({"allOf": [{"type": "object"}, NAME]}), "lists", id="all hold together"),
        pytest.param("contact.what", _of({**NAME, "patternProperties": {}}), "lists", id="no pattern at all"),
        pytest.param("zzz", _of({}), "which lists Id, contact, phones, utm.source", id="nothing is near"),
        pytest.param(
            "zzz",
            {"properties": {f"column_{letter}": {} for letter in "abcdefghijk"}},
            "column_h and 3 more",
            id="many columns",
        ),
    ],
)
def test_tells_nearest_when_schema_does_not_list_name(name: str, schema: dict[str, Any], fault: str) -> None:
    """A name that is not listed is told, with the nearest one or with what there is."""
    told = unlisted(name, schema)

    assert told is not None
    assert told.startswith(f"{shown(name)} is not listed in the SCHEMA")
    assert fault in told


LEAVES = st.sampled_from([{}, {"type": "string"}, {"type": "object"}, {"type": "array"}])
PARTS = st.sampled_from(["contact", "email", "contact_email", "phones", "contact.email", "0", "Id", "name"])


def _nodes(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.dictionaries(PARTS, below, min_size=1, max_size=3).map(lambda listed: {"properties": listed})
    lists = below.map(lambda items: {"type": "array", "items": items})
    return objects | lists | st.lists(below, min_size=1, max_size=2).map(lambda parts: {"anyOf": parts})


@given(st.lists(PARTS, min_size=1, max_size=4).map(".".join), st.recursive(LEAVES, _nodes, max_leaves=10))
def test_the_nearest_exists_when_one_is_told(name: str, schema: dict[str, Any]) -> None:
    """Who writes it instead is told of no other."""
    told = unlisted(name, schema)

    if told is not None and "the nearest is " in told:
        found = told.partition("the nearest is ")[2].partition(":")[0].partition(",")[0]
        assert is_listed(found, schema)


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        pytest.param("Id", _of({}), id="listed"),
        pytest.param("contact.name", _of(NAME), id="listed below"),
        pytest.param("phones.0", _of({}), id="a place in a list"),
    ],
)
def test_a_name_is_listed_when_the_schema_has_it_by_name(name: str, schema: dict[str, Any]) -> None:
    """Then whoever writes it means that property."""
    assert is_listed(name, schema)


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        pytest.param("what", _of({}), id="unlisted"),
        pytest.param("what", {}, id="of a SCHEMA that takes any name"),
        pytest.param("contact.what", _of({**NAME, "additionalProperties": True}), id="of one that may have more"),
    ],
)
def test_a_name_is_not_listed_when_the_schema_only_lets_it_be(name: str, schema: dict[str, Any]) -> None:
    """A SCHEMA that may have more than it lists does not list that."""
    assert not is_listed(name, schema)
