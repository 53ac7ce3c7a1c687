"""How templates are written: names, filters, arguments and quotes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.mapping.grammar import Argument, Call, Place, TemplateInvalid, in_quotes, place
from target_driftrock.mapping.template import Template


def bare(*texts: str) -> tuple[Argument, ...]:
    """Arguments without quotes."""
    return tuple(map(Argument, texts))


def quoted(*texts: str) -> tuple[Argument, ...]:
    """Arguments in quotes."""
    return tuple(Argument(text, is_quoted=True) for text in texts)


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        pytest.param("email", Place("email"), id="a name"),
        pytest.param(" email ", Place("email"), id="spaces around it"),
        pytest.param("First Name", Place("First Name"), id="a space within"),
        pytest.param("contact.email", Place("contact.email"), id="a path"),
        pytest.param("\u00a0x", Place("\u00a0x"), id="another space is its own"),
        pytest.param("'email'", Place("email"), id="a name in quotes"),
        pytest.param("'a | b'", Place("a | b"), id="a bar in a name"),
        pytest.param('"a: b, c! {d}"', Place("a: b, c! {d}"), id="all signs in a name"),
        pytest.param("' x '", Place(" x "), id="spaces at its ends"),
        pytest.param('"it\'s"', Place("it's"), id="a quote in a name"),
        pytest.param("'5\" nails'", Place('5" nails'), id="the other quote"),
        pytest.param("email|trim", Place("email", (Call("trim"),)), id="a filter"),
        pytest.param("email | trim | lower", Place("email", (Call("trim"), Call("lower"))), id="two filters"),
        pytest.param("a | number: comma", Place("a", (Call("number", bare("comma")),)), id="an argument"),
        pytest.param("a | number:comma", Place("a", (Call("number", bare("comma")),)), id="no space"),
        pytest.param("a | number : comma", Place("a", (Call("number", bare("comma")),)), id="two spaces"),
        pytest.param("a | date: %H:%M", Place("a", (Call("date", bare("%H:%M")),)), id="a colon in an argument"),
        pytest.param("a | d: %d.%m, Europe/Berlin", Place("a", (Call("d", bare("%d.%m", "Europe/Berlin")),)), id="two"),
        pytest.param("a | f: 'x, y'", Place("a", (Call("f", quoted("x, y")),)), id="a comma in quotes"),
        pytest.param("a | f: '|', ' '", Place("a", (Call("f", quoted("|", " ")),)), id="a bar in quotes"),
        pytest.param("a | f: '}', '{'", Place("a", (Call("f", quoted("}", "{")),)), id="braces in quotes"),
        pytest.param("a | f: ''", Place("a", (Call("f", quoted("")),)), id="an empty text"),
        pytest.param('a | f: "it\'s"', Place("a", (Call("f", quoted("it's")),)), id="a quote in an argument"),
        pytest.param("'a' | f: x", Place("a", (Call("f", bare("x")),)), id="quotes and a filter"),
    ],
)
def test_is_taken_apart_when_it_is_written_so(inner: str, expected: Place) -> None:
    """Between braces, which those in quotes are not."""
    assert place(inner) == expected
    assert Template.parse(f"x {{{inner}}} y").places == (expected,)


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        pytest.param("", "names no property", id="nothing"),
        pytest.param("  ", "names no property", id="spaces"),
        pytest.param("''", "names no property", id="empty quotes"),
        pytest.param("| trim", "names no property", id="a filter alone"),
        pytest.param("a |", "stands the name of a filter", id="no filter"),
        pytest.param("a | | b", "stands the name of a filter", id="no filter between"),
        pytest.param("a | 'trim'", "stands the name of a filter", id="a filter in quotes"),
        pytest.param("a, b", "stands in quotes", id="a comma"),
        pytest.param("a'b' ", "stands in quotes", id="a quote within"),
        pytest.param("'a' b", "stands in quotes", id="more than quotes"),
        pytest.param("a | f:", "an argument is missing", id="no argument"),
        pytest.param("a | f: x,", "an argument is missing", id="no second argument"),
        pytest.param("a | f: x 'y'", "stands as a whole in quotes", id="a part in quotes"),
        pytest.param("a | f: x!", "stands as a whole in quotes", id="an exclamation mark"),
        pytest.param("a | f: 'x' y", "stands as a whole in quotes", id="more than quotes in an argument"),
    ],
)
def test_is_invalid_when_it_is_written_otherwise(inner: str, words: str) -> None:
    """And it is told what to write."""
    with pytest.raises(TemplateInvalid, match=words):
        place(inner)


@pytest.mark.parametrize("text", ["{a'}", "{it's}", "{a | f: 'x}", '{"a}', "{'a | b}'"])
def test_the_quotes_are_told_when_they_are_not_closed(text: str) -> None:
    """A brace within them closes nothing."""
    with pytest.raises(TemplateInvalid, match="a quote that is opened is closed"):
        Template.parse(text)


@settings(max_examples=200, deadline=None)
@given(name=st.text(min_size=1).filter(lambda name: not {"'", '"'} <= set(name)))
def test_a_name_comes_back_when_it_is_written_in_quotes_where_it_must_be(name: str) -> None:
    """Whatever its characters, but for both quotes at once."""
    assert Template.parse(f"{{{in_quotes(name)}}}").names == (name,)


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet="{}a|:,!'\" f"))
def test_a_spelling_stays_when_it_is_spelled_again(text: str) -> None:
    """The same places, whatever spaces it was written with."""
    try:
        template = Template.parse(text)
    except TemplateInvalid:
        return

    again = Template.parse(template.spelled)
    assert again.places == template.places
    assert again.form == template.form
    assert again.spelled == template.spelled
