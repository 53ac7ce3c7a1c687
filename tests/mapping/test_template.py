"""Templates: what they give for a record, and what is none."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.mapping.template import Template, TemplateInvalid
from target_driftrock.mapping.values import is_blank
from target_driftrock.mapping.writing import UNWRITABLE

RECORD: dict[str, Any] = {
    "id": 42,
    "yes": True,
    "price": Decimal("1.10"),
    "rate": 0.5,
    "big": 12345678901234567890,
    "name": "Zoë",
    "nothing": None,
    "empty": "",
    "object": {"b": [1, None], "a": Decimal("2.50")},
    "list": ["x"],
    "day": dt.date(2026, 1, 31),
    "braces": "{id}",
    "First Name": "Ada",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("{id}", 42, id="a number stays a number"),
        pytest.param("{yes}", True, id="a boolean stays a boolean"),
        pytest.param("{object}", RECORD["object"], id="an object stays an object"),
        pytest.param("{nothing}", None, id="null"),
        pytest.param("{missing}", None, id="a missing property is null"),
        pytest.param("{First Name}", "Ada", id="a name with a space"),
        pytest.param("lead", "lead", id="text is itself"),
        pytest.param("", "", id="empty text is itself"),
        pytest.param("{{id}}", "{id}", id="doubled braces are braces"),
        pytest.param("{{{id}}}", "{42}", id="a name in braces that are braces"),
        pytest.param("No. {id}", "No. 42", id="an integer in a text"),
        pytest.param("{name}/{id}", "Zoë/42", id="two names"),
        pytest.param("{yes}!", "true!", id="a boolean in a text is JSON's"),
        pytest.param("{price} EUR", "1.10 EUR", id="a decimal keeps its digits"),
        pytest.param("x{rate}", "x0.5", id="a float in a text"),
        pytest.param("x{big}", "x12345678901234567890", id="twenty digits stay"),
        pytest.param("x{object}", 'x{"b":[1,null],"a":2.50}', id="an object is compact JSON"),
        pytest.param("x{list}", 'x["x"]', id="a list is compact JSON"),
        pytest.param("x{day}", "x2026-01-31", id="a date has no quotes"),
        pytest.param("x{braces}", "x{id}", id="braces in a value are no template"),
        pytest.param("x{empty}", "x", id="an empty text is not null"),
        pytest.param("{empty}", "", id="an empty text alone is itself"),
        pytest.param("x{nothing}", None, id="a null makes the text null"),
        pytest.param("{id}{missing}", None, id="a missing property makes the text null"),
    ],
)
def test_gives_value_when_read(text: str, value: Any) -> None:
    """A lone name gives the value, typed; anything else builds a text, or null."""
    made = Template.parse(text).reader()(RECORD)

    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{id!r}", "conversion", id="conversion"),
        pytest.param("{id:x}", "format", id="format spec"),
        pytest.param("{First Name:x}", "its name", id="a name with a colon"),
        pytest.param("{id:}", "format", id="an empty format spec"),
        pytest.param("{id:{name}}", "braces do not match", id="a name in a format spec"),
        pytest.param("{:x}", "format", id="a format spec alone"),
        pytest.param("{}", "names no property", id="empty braces"),
        pytest.param("{id", "braces do not match", id="an open brace"),
        pytest.param("id}", "braces do not match", id="a closing brace"),
        pytest.param("{id}}", "braces do not match", id="one brace too many"),
        pytest.param("{a{b}}", "braces do not match", id="braces in braces"),
    ],
)
def test_is_invalid_when_text_is_no_template(text: str, words: str) -> None:
    """What a template cannot say is told in words, without a cause that would say it in Python's."""
    with pytest.raises(TemplateInvalid, match=words) as invalid:
        Template.parse(text)

    assert invalid.value.__cause__ is None


@pytest.mark.parametrize("value", [float("nan"), Decimal("Infinity"), b"x", ["\ud800"]], ids=repr)
def test_is_wrong_when_value_in_text_has_no_json(value: Any) -> None:
    """What JSON cannot write is no part of a text, and no exception."""
    assert Template.parse("x{value}").reader()({"value": value}) is UNWRITABLE


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        pytest.param("{Ada} {blank}", "Ada", id="the second is blank"),
        pytest.param("{blank} {King}", "King", id="the first is blank"),
        pytest.param("{blank} {blank}", "", id="both are"),
        pytest.param("{Ada} {blank} {King}", "Ada King", id="the one in the middle"),
        pytest.param("{blank} {blank} {King}", "King", id="the first two"),
        pytest.param("{Ada} {blank} {blank}", "Ada", id="the last two"),
        pytest.param("{blank} {Ada} {blank}", "Ada", id="the outer two"),
        pytest.param("{Ada}{blank}", "Ada", id="without a space between"),
        pytest.param("{Ada}  {blank}  {King}", "Ada  King", id="two spaces between"),
        pytest.param("Name: {blank}", "Name:", id="behind a word"),
        pytest.param("{blank} signed up", "signed up", id="before a word"),
        pytest.param("Form {blank} of {Ada}", "Form of Ada", id="between words"),
        pytest.param("{King}, {blank}", "King,", id="behind a comma"),
        pytest.param("{blank}, {Ada}", ", Ada", id="before a comma"),
        pytest.param("{Ada} ({blank})", "Ada ()", id="in brackets"),
        pytest.param("{Ada}/{blank}/{King}", "Ada//King", id="between slashes"),
        pytest.param("{{{blank}}} {Ada}", "{} Ada", id="in braces that are braces"),
        pytest.param("{blank}{nothing}", None, id="beside a null"),
        pytest.param("{Ada} {zero}", "Ada 0", id="zero is no blank"),
        pytest.param("{padded} {blank}", "Ada", id="the space of a value goes with it"),
    ],
)
@pytest.mark.parametrize("blank", ["", " ", "\u00a0\u200b\t"], ids=["empty", "a space", "all kinds"])
def test_a_blank_is_nothing_when_it_stands_in_a_text(text: str, filled: str | None, blank: str) -> None:
    """With the space beside it, so that a label for people reads well; punctuation stays as it was written."""
    record = {"Ada": "Ada", "King": "King", "blank": blank, "nothing": None, "zero": 0, "padded": " Ada "}

    assert Template.parse(text).reader()(record) == filled


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        pytest.param("lead:{blank}", "", id="behind a word"),
        pytest.param("{id}:{blank}", "", id="beside a value"),
        pytest.param("{blank}:{id}", "", id="before a value"),
        pytest.param("{blank}{blank}", "", id="nothing but blanks"),
        pytest.param("{id}:{nothing}", None, id="a null"),
        pytest.param("{blank}:{nothing}", None, id="a null behind it"),
        pytest.param("{nothing}:{blank}", None, id="a null before it"),
        pytest.param("{id}:{id}", "42:42", id="no blank at all"),
        pytest.param("{id}: {zero}", "42: 0", id="zero is no blank"),
    ],
)
@pytest.mark.parametrize("blank", ["", " ", "\u00a0\u200b\t"], ids=["empty", "a space", "all kinds"])
def test_the_whole_text_is_blank_when_a_blank_stands_in_what_identifies(
    text: str, filled: str | None, blank: str
) -> None:
    """`lead:` would be one identity for all who have no number."""
    record = {"id": Decimal("42.00"), "blank": blank, "nothing": None, "zero": Decimal("0.0")}

    assert Template.parse(text).reader(identifies=True, has_blanks=False)(record) == filled


@pytest.mark.parametrize(
    ("identifies", "filled"),
    [pytest.param(True, "x42/1.1/100", id="it identifies"), pytest.param(False, "x42.00/1.10/1E+2", id="it does not")],
)
def test_numbers_have_one_spelling_when_the_text_identifies(filled: str, *, identifies: bool) -> None:
    """In `fields` a text keeps the digits that the tap wrote."""
    record = {"a": Decimal("42.00"), "b": Decimal("1.10"), "c": Decimal("1E+2")}

    assert Template.parse("x{a}/{b}/{c}").reader(identifies=identifies)(record) == filled


NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), record=st.dictionaries(NAMES, st.text() | st.integers(), min_size=1))
def test_agrees_with_str_format_when_names_are_simple(data: st.DataObject, record: dict[str, Any]) -> None:
    """For simple names, texts and integers, a text is what `str.format` makes of it, where none is blank."""
    record = {found: "x" if isinstance(value, str) and is_blank(value) else value for found, value in record.items()}
    name = st.sampled_from(sorted(record)).map(lambda found: f"{{{found}}}")
    literal = st.text().map(lambda text: text.replace("{", "{{").replace("}", "}}"))
    text = "x" + "".join(data.draw(st.lists(name | literal)))

    assert Template.parse(text).reader()(record) == text.format(**record)


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet="{}a.!:[] "))
def test_parses_or_tells_when_text_is_anything(text: str) -> None:
    """Any text is a template or is told to be none; nothing else is raised."""
    try:
        template = Template.parse(text)
    except TemplateInvalid:
        return

    assert template.text == text
    assert all(template.names)


@settings(max_examples=100, deadline=None)
@given(
    text=st.text(alphabet="{}ab \t:"),
    record=st.fixed_dictionaries({"a": st.text(alphabet=" \u200bx"), "b": st.text(alphabet=" \u200bx")}),
)
def test_only_space_goes_when_blanks_stand_anywhere(text: str, record: dict[str, str]) -> None:
    """Whatever the template: what can be seen of a filled text is what can be seen without its blanks."""
    try:
        template = Template.parse(text)
    except TemplateInvalid:
        return

    seen = {name: "" if is_blank(value) else value for name, value in record.items()}
    filled, expected = (template.reader()(each) for each in (record, seen))

    if not template.is_one_name and set(template.names) <= set(record):
        assert "".join(filled.split()) == "".join(template.form.format(*map(seen.get, template.names)).split())
        assert expected.split() == filled.split()
