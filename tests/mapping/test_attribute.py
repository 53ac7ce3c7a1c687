"""What each attribute takes: the table, by attribute."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.mapping import attribute
from target_driftrock.mapping.compiler import key_template
from target_driftrock.mapping.path import reader
from target_driftrock.mapping.template import Template
from target_driftrock.mapping.writing import Wrong

REQUIRED_TEXTS = ("event_name", "source_id", "affiliate_id", "event_id")
OPTIONAL_TEXTS = ("person_id", "ga_client_id")
BLANKS = ("", " ", "\t\u00a0\u200b")


def _checked(name: str, value: Any) -> Any:
    return attribute.CHECKS[name](reader("value"))({"value": value})


@pytest.mark.parametrize("name", [*REQUIRED_TEXTS, *OPTIONAL_TEXTS])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("a-1", "a-1", id="a text"),
        pytest.param(42, "42", id="an integer"),
        pytest.param(12345678901234567890, "12345678901234567890", id="twenty digits"),
        pytest.param(Decimal("42.0"), "42", id="a decimal by its value"),
        pytest.param(42.0, "42", id="a float by its value"),
        pytest.param(Decimal("1.10"), "1.1", id="a fraction by its value"),
        pytest.param("42.0", "42.0", id="the digits of a text"),
        pytest.param(True, attribute.NO_IDENTIFIER, id="a boolean"),
        pytest.param({"a": 1}, attribute.NO_IDENTIFIER, id="an object"),
        pytest.param(["a"], attribute.NO_IDENTIFIER, id="a list"),
        pytest.param(Decimal("NaN"), Wrong("cannot be written as JSON"), id="NaN"),
    ],
)
def test_is_text_when_identifier_is_given(name: str, value: Any, text: Any) -> None:
    """An identifier is a text, and a number becomes one; nothing else identifies."""
    assert _checked(name, value) == text


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *((name, None, attribute.IS_NULL) for name in (*REQUIRED_TEXTS, "event_type")),
        *((name, blank, attribute.IS_EMPTY) for name in (*REQUIRED_TEXTS, "event_type") for blank in BLANKS),
        *((name, value, None) for name in (*OPTIONAL_TEXTS, "created_at", "metadata") for value in (None, *BLANKS)),
    ],
)
def test_judges_want_when_value_is_null_or_blank(name: str, value: Any, expected: Wrong | None) -> None:
    """Null and blank are wrong where the API requires the attribute, and left out where it does not."""
    assert _checked(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("event_type", "conversion", "conversion", id="an event type"),
        pytest.param("event_type", "Lead", attribute.NO_EVENT_TYPE, id="an event type in another case"),
        pytest.param("event_type", ["lead"], attribute.NO_EVENT_TYPE, id="an event type in a list"),
        pytest.param("created_at", "2019-12-02", "2019-12-02T00:00:00.000Z", id="a time"),
        pytest.param("created_at", "soon", attribute.NO_TIME, id="no time"),
        pytest.param("created_at", True, attribute.NO_TIME, id="a boolean is no time"),
        pytest.param("metadata", {"a": None}, {"a": None}, id="an object as it is"),
        pytest.param("metadata", "a", attribute.NO_OBJECT, id="a text is no object"),
        pytest.param("metadata", [], attribute.NO_OBJECT, id="a list is no object"),
    ],
)
def test_judges_value_when_attribute_has_a_rule(name: str, value: Any, expected: Any) -> None:
    """An attribute with a rule of its own gives the value in the API's form, or the rule."""
    assert _checked(name, value) == expected


def _key(stream: str, *parts: Any) -> Any:
    record = {f"k{place}": part for place, part in enumerate(parts)}
    return attribute.key(stream, list(record))(record)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        pytest.param((42,), "leads:42", id="one key"),
        pytest.param((42, "a b/c"), "leads:42:a b/c", id="two keys"),
        pytest.param(("a:b", "50%"), "leads:a%3Ab:50%25", id="only colon and percent are encoded"),
        pytest.param(("", "a"), "leads::a", id="one empty part"),
        pytest.param((" \u200b", "a"), "leads::a", id="one blank part"),
        pytest.param((1, None), "leads:1:", id="one null part"),
        pytest.param((None, 1, ""), "leads::1:", id="one part that is neither"),
        pytest.param((" a ", "b"), "leads: a :b", id="white space around a part"),
        pytest.param((1, True), "leads:1:true", id="a boolean part"),
        pytest.param((0, None), "leads:0:", id="zero is no null"),
        pytest.param((False, None), "leads:false:", id="false is no null"),
        pytest.param((Decimal("42.00"), 42.0), "leads:42:42", id="numbers by their value"),
        pytest.param((Decimal("1e2"),), "leads:100", id="an exponent"),
        pytest.param(("42.00",), "leads:42.00", id="the digits of a text"),
        pytest.param(("",), Wrong("is empty (key property k0)"), id="an empty key"),
        pytest.param(("\u00a0",), Wrong("is empty (key property k0)"), id="a blank key"),
        pytest.param((None,), Wrong("is null (key property k0)"), id="a null key"),
        pytest.param(("", ""), Wrong("is empty (key properties k0, k1)"), id="all parts empty"),
        pytest.param(("", None), Wrong("is empty (key properties k0, k1)"), id="all parts empty or null"),
        pytest.param((None, None), Wrong("is null (key properties k0, k1)"), id="all parts null"),
        pytest.param(([1],), attribute.NO_IDENTIFIER, id="a list"),
        pytest.param((1, {}), attribute.NO_IDENTIFIER, id="an object beside a part"),
        pytest.param(({},), attribute.NO_IDENTIFIER, id="an object"),
        pytest.param((float("nan"),), Wrong("cannot be written as JSON"), id="NaN"),
    ],
)
def test_names_record_when_key_is_given(parts: tuple[Any, ...], text: Any) -> None:
    """A record is named by its stream and key."""
    assert _key("leads", *parts) == text


@pytest.mark.parametrize(
    ("name", "record", "expected"),
    [
        pytest.param("id", {}, Wrong("is null (key property id)"), id="left out"),
        pytest.param("id", {"ID": 1}, Wrong("is null (key property id)"), id="of another case"),
        pytest.param("contact.id", {"contact": {"id": 7}}, "leads:7", id="under a path"),
        pytest.param("contact.id", {"contact": {"id": 7}, "contact.id": 8}, "leads:8", id="of exactly that name"),
        pytest.param("contact.id", {"contact": None}, Wrong("is null (key property contact.id)"), id="an end of it"),
    ],
)
def test_reads_a_key_property_as_any_other_when_it_is_named(name: str, record: dict[str, Any], expected: Any) -> None:
    """By its exact name or by a path; what is left out is null, and the reason names it."""
    assert attribute.key("leads", [name])(record) == expected


def test_encodes_stream_when_a_colon_is_in_its_name() -> None:
    """The stream is a part like any other: `a:b` with key `c` is not `a` with keys `b` and `c`."""
    assert (_key("a:b", "c"), _key("a", "b", "c")) == ("a%3Ab:c", "a:b:c")


KEYS = st.tuples(st.text(alphabet="a:%25A3"), st.text(alphabet="a:%25A3"))


@settings(max_examples=200, deadline=None)
@given(streams=KEYS, left=KEYS, right=KEYS)
def test_differs_when_keys_differ(streams: tuple[str, str], left: tuple[str, str], right: tuple[str, str]) -> None:
    """No two keys share a name, whatever characters are in them."""
    left_name, right_name = (_key(stream, "x", *parts) for stream, parts in zip(streams, (left, right), strict=True))

    assert (left_name == right_name) is ((streams[0], left) == (streams[1], right))


def test_leaves_out_nulls_blanks_and_sdk_columns_when_all_is_sent() -> None:
    """`*` sends every property but nulls, blanks and what the SDK adds; those inside stay."""
    record = {"a": 1, "b": None, "c": {"d": None, "e": ""}, "f": " \u200b", "_sdc_batched_at": "x", "event_id": "y"}

    assert attribute.every_property(record) == {"a": 1, "c": {"d": None, "e": ""}, "event_id": "y"}


def test_leaves_out_nulls_and_blanks_when_fields_are_named() -> None:
    """White space alone is nothing to send; zero, false and what is empty otherwise are values."""
    values: dict[str, Any] = {"a": " ", "b": "", "c": None, "d": 0, "e": False, "f": [], "g": " x "}

    sent = attribute.named({name: reader(name) for name in values})(values)

    assert sent == {"d": 0, "e": False, "f": [], "g": " x "}


@pytest.mark.parametrize(
    ("stream", "part", "expected"),
    [("leads", "a", "leads:a"), ("a:b", "50%", "a%3Ab:50%"), ("a%b", "x", "a%25b:x")],
)
def test_a_template_makes_the_same_id_when_it_stands_for_the_key(stream: str, part: str, expected: str) -> None:
    """What is written to keep the ids of a key, but for a `:` or `%` in a value."""
    template = Template.parse(key_template(stream, ["id"]))

    assert template.reader(identifies=True)({"id": part}) == expected
