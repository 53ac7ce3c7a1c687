"""What a value is, whatever its spelling: blanks, numbers, and what stands for a whole content."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.mapping.values import content_digest, is_blank, is_nothing, number
from target_driftrock.mapping.writing import as_identifier

FORTY_DIGITS = "1234567890123456789012345678901234567891"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="a space"),
        pytest.param("\t\r\n", id="a tab and a line break"),
        pytest.param("\u00a0", id="a space that does not break"),
        pytest.param("\u2003\u3000", id="wide spaces"),
        pytest.param("\u200b", id="zero width"),
        pytest.param("\u200c\u200d", id="joiners"),
        pytest.param("\u2060", id="a word joiner"),
        pytest.param("\ufeff", id="a byte order mark"),
        pytest.param(" \u200b\u00a0\ufeff\t", id="all of it"),
    ],
)
def test_a_text_is_blank_when_nothing_in_it_can_be_seen(text: str) -> None:
    """An empty cell is one whatever a spreadsheet has put into it."""
    assert is_blank(text)
    assert is_nothing(text)


@pytest.mark.parametrize("text", ["a", " a", "a ", "\u200ba", "a\u200b", "0", "-", ".", "\u00ad", "é"], ids=ascii)
def test_a_text_is_not_blank_when_something_in_it_can_be_seen(text: str) -> None:
    """White space around a value does not take it away."""
    assert not is_blank(text)
    assert not is_nothing(text)


@pytest.mark.parametrize("value", [0, False, 0.0, Decimal(0), [], {}, "null"], ids=repr)
def test_a_value_is_something_when_it_is_neither_null_nor_a_blank(value: Any) -> None:
    """Zero, false and what is empty are values."""
    assert not is_nothing(value)


def test_a_value_is_nothing_when_it_is_null() -> None:
    """Null is as little as a blank."""
    assert is_nothing(None)


@pytest.mark.parametrize(
    ("spellings", "text"),
    [
        pytest.param(["42", "42.0", "42.00", "4.2e1", "420e-1"], "42", id="a whole number"),
        pytest.param(["100", "1e2", "1E+2", "100.000", "10e1"], "100", id="an exponent"),
        pytest.param(["0", "-0", "0.0", "-0.0", "-0.00", "0e9", "0e-9"], "0", id="zero, and less than it"),
        pytest.param(["-7", "-7.0", "-70e-1"], "-7", id="below zero"),
        pytest.param(["1.1", "1.10", "1.1000", "11e-1"], "1.1", id="a fraction"),
        pytest.param(["0.0000001", "1e-7", "1.0E-7", "0.00000010"], "1E-7", id="a small fraction"),
        pytest.param([FORTY_DIGITS, f"{FORTY_DIGITS}.0", f"{FORTY_DIGITS}0e-1"], FORTY_DIGITS, id="forty digits"),
        pytest.param(
            [f"{FORTY_DIGITS}.5", f"{FORTY_DIGITS}.50"], f"{FORTY_DIGITS}.5", id="forty digits and a fraction"
        ),
        pytest.param([f"0.{FORTY_DIGITS}", f"0.{FORTY_DIGITS}00"], f"0.{FORTY_DIGITS}", id="forty decimals"),
        pytest.param(["1" + "0" * 63, "1e63", "10e62"], "1" + "0" * 63, id="sixty-four digits"),
        pytest.param(["1" + "0" * 64, "1e64", "10e63", "1" + "0" * 64 + ".0"], "1E+64", id="sixty-five digits"),
        pytest.param(["1" + "0" * 5000, "1e5000"], "1E+5000", id="more digits than Python prints"),
        pytest.param(["1e30000000", "10e29999999", "100.0e29999998"], "1E+30000000", id="thirty million of them"),
        pytest.param(["-1e999999999", "-10e999999998"], "-1E+999999999", id="a huge exponent"),
        pytest.param(["1e-999999999", "0.1e-999999998"], "1E-999999999", id="a tiny one"),
    ],
)
def test_one_text_identifies_when_a_number_has_several_spellings(spellings: list[str], text: str) -> None:
    """Integers that went through floats, and taps that write all digits, are about the same thing."""
    numbers = [*map(Decimal, spellings), *_integers(spellings)]

    assert {as_identifier(each) for each in numbers} == {text}
    assert len({content_digest({"a": each}) for each in numbers}) == 1


def _integers(spellings: list[str]) -> list[int]:
    return [int(Decimal(each)) for each in spellings if each.lstrip("-").isdecimal()]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(42.0, "42", id="a float"),
        pytest.param(-0.0, "0", id="a float's zero"),
        pytest.param(0.1, "0.1", id="a float as it is meant"),
        pytest.param(1e22, "1" + "0" * 22, id="a large float"),
        pytest.param(1e300, "1E+300", id="a huge float"),
        pytest.param(1.10, "1.1", id="a float's fraction"),
    ],
)
def test_a_float_identifies_as_its_digits_do_when_a_stream_map_made_it(value: float, text: str) -> None:
    """An expression that divides makes floats; the digits that Python shows are the ones that are meant."""
    assert as_identifier(value) == text
    assert content_digest({"a": value}) == content_digest({"a": Decimal(text)})


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("-Infinity"), float("nan"), float("inf")], ids=repr)
def test_no_error_is_raised_when_a_number_is_not_finite(value: float | Decimal) -> None:
    """It comes back as it is, and whoever writes it finds that JSON has no form for it."""
    assert not number(value).is_finite()  # type: ignore[union-attr] # an int would be


def test_texts_keep_their_digits_when_they_look_like_numbers() -> None:
    """`042` and `42` may be two customers: only numbers have spellings."""
    assert [as_identifier(text) for text in ("42.0", "042", "1e2", " 42")] == ["42.0", "042", "1e2", " 42"]


@given(digits=st.integers(), exponent=st.integers(-80, 80), zeros=st.integers(0, 80))
def test_spellings_agree_when_they_are_one_number(digits: int, exponent: int, zeros: int) -> None:
    """Zeros at the end, moved into the exponent, change nothing; another digit does."""
    value, other = Decimal(f"{digits}e{exponent}"), Decimal(f"{digits}{'0' * zeros}e{exponent - zeros}")

    assert number(value) == number(other) == value
    assert as_identifier(value) == as_identifier(other)
    assert as_identifier(value) != as_identifier(Decimal(f"{digits + 1}e{exponent}"))


@given(value=st.integers())
def test_a_whole_number_is_written_out_when_it_identifies(value: int) -> None:
    """`leads:42`, not `leads:4.2E+1`; nobody's ids have more than 64 digits."""
    assert as_identifier(value) == as_identifier(Decimal(value)) == str(value)


# What stands for a content.


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, id="another order"),
        pytest.param({"o": {"a": 1, "b": 2}}, {"o": {"b": 2, "a": 1}}, id="another order inside"),
        pytest.param({"l": [{"a": 1, "b": 2}]}, {"l": [{"b": 2, "a": 1}]}, id="another order in a list"),
        pytest.param({"a": 1, "b": None}, {"a": 1}, id="a null"),
        pytest.param({"a": 1, "b": ""}, {"a": 1, "b": None}, id="a blank"),
        pytest.param({"a": 1, "b": " \u200b"}, {"a": 1}, id="a blank that is not empty"),
        pytest.param({"o": {"a": 1, "b": None, "c": " "}}, {"o": {"a": 1}}, id="nulls and blanks inside"),
        pytest.param({"l": [1, " "]}, {"l": [1, None]}, id="a blank in a list"),
        pytest.param({"a": Decimal("1.10")}, {"a": Decimal("1.1")}, id="a zero at the end"),
        pytest.param({"a": Decimal("42.0")}, {"a": 42}, id="a whole number with a fraction"),
        pytest.param({"a": 1.5}, {"a": Decimal("1.50")}, id="a float and a decimal"),
        pytest.param({"o": {"l": [Decimal("1.0")]}}, {"o": {"l": [1]}}, id="numbers inside"),
        pytest.param({"a": Decimal("-0.0")}, {"a": 0}, id="zero"),
        pytest.param({"a": dt.date(2026, 1, 31)}, {"a": "2026-01-31"}, id="a date of a stream map"),
    ],
)
def test_contents_are_the_same_when_names_and_values_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Bytes differ with the tap's mood; names and values do not."""
    assert content_digest(one) == content_digest(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"a": 1}, {"a": 2}, id="another value"),
        pytest.param({"a": 1}, {"b": 1}, id="another name"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, id="one more"),
        pytest.param({"a": 1}, {"a": "1"}, id="a text"),
        pytest.param({"a": 1}, {"a": True}, id="a boolean"),
        pytest.param({"a": 0}, {"a": False}, id="a boolean that is false"),
        pytest.param({"a": 0}, {}, id="zero is no null"),
        pytest.param({"a": False}, {}, id="false is no null"),
        pytest.param({"a": "x "}, {"a": "x"}, id="a space at the end"),
        pytest.param({"a": "X"}, {"a": "x"}, id="another case"),
        pytest.param({"l": [1, 2]}, {"l": [2, 1]}, id="another order of a list"),
        pytest.param({"l": [1, None]}, {"l": [1]}, id="a null in a list has its place"),
        pytest.param({"o": {"a": 1}}, {"a": 1}, id="another level"),
        pytest.param({"o": {"a": {"b": 1}}}, {"o": {"a": {"b": 2}}}, id="another value far inside"),
        pytest.param({"a": Decimal("1.10")}, {"a": "1.10"}, id="digits of a text"),
        pytest.param({"a": Decimal("1e64")}, {"a": Decimal("1e65")}, id="another exponent"),
    ],
)
def test_contents_differ_when_a_name_or_a_value_does(one: dict[str, Any], other: dict[str, Any]) -> None:
    """What a person would call other content is."""
    assert content_digest(one) != content_digest(other)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("\ud800", id="a lone surrogate"),
        pytest.param([{"b": "\udfff"}], id="a lone surrogate inside"),
        pytest.param({"\ud800": 1}, id="a lone surrogate in a name"),
        pytest.param(object(), id="an object of Python's"),
    ],
)
def test_nothing_stands_for_a_content_when_it_cannot_be_written(value: Any) -> None:
    """It is told, and nothing is raised."""
    assert content_digest({"a": value}) is None


def test_nothing_stands_for_a_content_when_it_is_nested_without_end() -> None:
    """Nesting too deep to follow is no content, and no crash."""
    nested: Any = 1
    for _ in range(100_000):
        nested = [nested]

    assert content_digest({"a": nested}) is None


NUMBERS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)
CONTENTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=5)


def _spelled_otherwise(value: Any) -> Any:
    """The same names and values, in another order and with other digits, and with nulls and blanks between."""
    match value:
        case bool() | None | str():
            return value
        case int():
            return Decimal(f"{value}.00")
        case Decimal():
            sign, digits, exponent = value.as_tuple()
            return Decimal((sign, (*digits, 0, 0), exponent - 2)) if isinstance(exponent, int) else value
        case list():
            return list(map(_spelled_otherwise, value))
        case _:
            turned = {name: _spelled_otherwise(item) for name, item in reversed(value.items())}
            return {"nothing at all": None, **turned, "blank throughout": "\u200b"}


@settings(max_examples=150, deadline=None)
@given(content=CONTENTS)
def test_spelling_does_not_matter_when_contents_are_compared(content: dict[str, Any]) -> None:
    """Whatever order and digits a tap chooses, and whether it leaves nulls out."""
    assert content_digest(_spelled_otherwise(content)) == content_digest(content)


def _meant(value: Any) -> Any:
    """What the rules say of a value, written another way: comparable, whatever its spelling."""
    match value:
        case bool():
            return bool, value
        case str():
            return None if is_blank(value) else value
        case list():
            return [_meant(item) for item in value]
        case dict():
            return {name: _meant(item) for name, item in value.items() if _meant(item) is not None}
        case _:
            return value


@settings(max_examples=150, deadline=None)
@given(one=CONTENTS, other=CONTENTS)
def test_digests_agree_with_the_rules_when_any_two_contents_are_compared(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Two contents share a digest if, and only if, they are the same by names and values."""
    assert (content_digest(one) == content_digest(other)) is (_meant(one) == _meant(other))


@settings(max_examples=80, deadline=None)
@given(content=st.dictionaries(st.text(max_size=3), st.booleans() | st.integers() | st.text(min_size=1) | st.none()))
def test_it_is_the_same_content_when_it_comes_back_through_json(content: dict[str, Any]) -> None:
    """What was kept and is sent again is what it was."""
    assert content_digest(json.loads(json.dumps(content))) == content_digest(content)
