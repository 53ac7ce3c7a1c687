"""The shape of a value: what a column holds can be seen, and nobody's value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_driftrock.mapping.shapes import kind, shape, text_shape


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param("ada@example.org", "xxx@xxxxx.xxx", id="an address"),
        pytest.param(" Ada@Example.ORG ", " xxx@xxxxx.xxx ", id="capitals, and spaces beside it"),
        pytest.param("+44 2079", "+99 9999", id="a telephone number"),
        pytest.param("1.234,50 €", "9.999,99 €", id="money"),
        pytest.param("15/01/2026", "99/99/9999", id="a date"),
        pytest.param("2026-01-31T10:00:00Z", "9999-99-99x99:99:99x", id="a time"),
        pytest.param("Zoë Ångström-O'Brien", "xxx xxxxx-x'xxxxx", id="a name"),
        pytest.param("Zoe\u0308", "xxx", id="a mark of its own"),
        pytest.param("李小龍", "xxx", id="another script"),
        pytest.param("٤٢", "99", id="other digits"),
        pytest.param("a\u200bb\u202ec\n\x1b😀", "x·x·x···", id="what cannot be seen, and what is no sign"),
        pytest.param("Bartholomew", "xxxxx", id="no name is known by its length"),
        pytest.param("9" * 30, "9" * 18 + "…", id="a long number"),
        pytest.param("ab " * 100, "xx " * 20 + "…", id="a long text"),
        pytest.param("x" * 1000, "xxxxx…", id="a long word"),
        pytest.param("", "", id="nothing"),
        pytest.param(42, "99", id="a whole number"),
        pytest.param(-1.5, "-9.9", id="a fraction"),
        pytest.param(Decimal("1.10"), "9.99", id="an exact one"),
        pytest.param(True, "true or false", id="true"),
        pytest.param(False, "true or false", id="false"),
        pytest.param(None, "null", id="null"),
        pytest.param({"a": 1}, "object", id="an object"),
        pytest.param([1], "list", id="a list"),
        pytest.param(Decimal("NaN"), "number", id="no number"),
        pytest.param("\ud800", "·", id="half a letter"),
    ],
)
def test_letters_and_digits_are_hidden_when_a_shape_is_told(value: Any, told: str) -> None:
    """Signs and spaces stay, since by them one knows what it is."""
    assert shape(value) == told


@given(st.text())
def test_no_letter_and_no_digit_stays_when_a_text_is_any(text: str) -> None:
    """But for those that stand for them."""
    told = text_shape(text)

    assert {sign for sign in told if sign.isalnum()} <= {"x", "9"}
    assert len(told) <= 61


@pytest.mark.parametrize(
    ("value", "called"),
    [("1", "text"), (1, "number"), (1.5, "number"), (True, "true or false"), ([], "list"), ({}, "object")],
)
def test_a_kind_is_told_when_a_shape_may_be_two_kinds_shape(value: Any, called: str) -> None:
    """A number and its text look alike."""
    assert kind(value) == called
