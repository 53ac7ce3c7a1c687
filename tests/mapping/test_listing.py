"""Names against a SCHEMA: the table of what is a typo, and what may be right."""

from __future__ import annotations

from typing import Any

import pytest

from target_driftrock.mapping.listing import nearest, unlisted

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
    assert told.startswith(f"{name} is not listed in the SCHEMA")
    assert fault in told


def test_finds_nothing_when_no_name_is_near() -> None:
    """A name unlike all others has no nearest one."""
    assert nearest("zzz", ["email"]) is None
