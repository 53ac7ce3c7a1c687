"""Names in a template as other tools write them, and what is said of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_driftrock.mapping.compiler import MappingFaults, compile_stream, template_faults
from target_driftrock.mapping.habits import habits
from tests.mapping.examples import lead_mapping

LISTED: dict[str, Any] = {
    "id": {},
    "email": {},
    "amount": {},
    "First Name": {},
    "contact": {"properties": {"email": {}}},
}


def told(text: str, **properties: Any) -> str | None:
    """What is said of a template for a field, under a SCHEMA with these properties beside the usual."""
    found = compile_stream(
        [lead_mapping(fields={"email": text})],
        stream="leads",
        schema={"properties": {**LISTED, **properties}},
        key_properties=["id"],
    )
    return " ".join(found.faults) if isinstance(found, MappingFaults) else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{email}", [], id="ours"),
        pytest.param("Lead {First Name}", [], id="ours in a text"),
        pytest.param("{{ email }}", [("{{ email }}", "email")], id="Jinja"),
        pytest.param("{{email}}", [("{{email}}", "email")], id="without spaces"),
        pytest.param("{{ email | lower }}", [("{{ email | lower }}", "email")], id="with a filter"),
        pytest.param("{{ First Name }}", [("{{ First Name }}", "First Name")], id="with a space"),
        pytest.param("$email", [("$email", "email")], id="a shell"),
        pytest.param("by $contact.email.", [("$contact.email", "contact.email")], id="a path"),
        pytest.param("${email}", [("${email}", "email")], id="a shell's braces"),
        pytest.param("{$email}", [("{$email}", "email")], id="a dollar within"),
        pytest.param("{{$email}}", [("{{$email}}", "email")], id="within two"),
        pytest.param("{{ a }} ${b} $c", [("{{ a }}", "a"), ("${b}", "b"), ("$c", "c")], id="several"),
        pytest.param("{{{email}}}", [], id="a brace before the value"),
        pytest.param("$ {amount}", [], id="a dollar sign with a space"),
        pytest.param("US$ 5, {{}}", [], id="no name"),
        pytest.param("{", [], id="no template"),
    ],
)
def test_a_form_is_found_when_another_tool_would_name_a_property_so(text: str, expected: list[tuple[str, str]]) -> None:
    """As it is written, and the name in it."""
    assert list(habits(text)) == expected


@given(st.text(alphabet="{}$ab |."))
def test_nothing_is_raised_when_the_text_is_anything(text: str) -> None:
    """Whether it is a template is told elsewhere."""
    assert all(name and name == name.strip() for _, name in habits(text))


@pytest.mark.parametrize("text", ["{{ email }}", "{{email}}", "$email", "${email}", "{$email}", "by {{ email }}"])
def test_the_right_form_is_told_when_the_name_is_a_listed_property(text: str) -> None:
    """Else the bare name would be sent, for every record."""
    fault = told(text)

    assert fault is not None
    assert fault.count("streams[0] (leads): fields.email, stream leads: ") == 1
    assert "is not how a template names a property: write {email}" in fault


def test_a_dollar_sign_is_told_how_when_it_stands_before_a_value() -> None:
    """Of an amount it may be meant."""
    fault = told("${amount}")

    assert fault is not None
    assert "write {amount}; a dollar sign before it wants a space behind it" in fault
    assert told("$ {amount}") is None


@pytest.mark.parametrize(
    "text", ["{{ name }}", "{{ }}", "$name", "$5", "US$", "{{not one}}", "{{{email}}}", "{email} $", "a{{b}}c"]
)
def test_braces_and_dollars_stay_what_they_are_when_they_hold_no_listed_name(text: str) -> None:
    """A text may have any in it."""
    assert told(text) is None


@pytest.mark.parametrize("text", ["{$email}", "$email is a text", "{{ $email }}"])
def test_a_name_is_right_when_its_dollar_is_part_of_it(text: str) -> None:
    """There are taps whose properties begin with one."""
    assert told(text, **{"$email": {}}) is None


@pytest.mark.parametrize("attribute", ["event_id", "person_id"])
def test_the_right_form_is_told_when_no_schema_is_there_yet(attribute: str) -> None:
    """It would be the same for every record whatever the SCHEMA: that is told at the start."""
    (fault,) = template_faults(lead_mapping(**{attribute: "{{ email }}"}))

    assert fault.endswith("since {{ email }} is not how a template names a property: write {email}.")
