"""Templates: what they give for a record, and what is none."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.mapping.template import Template, TemplateInvalid
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
        pytest.param("{First Name:x}", "stream map", id="a name with a colon"),
        pytest.param("{id:}", "format", id="an empty format spec"),
        pytest.param("{id:{name}}", "format", id="a name in a format spec"),
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


NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), record=st.dictionaries(NAMES, st.text() | st.integers(), min_size=1))
def test_agrees_with_str_format_when_names_are_simple(data: st.DataObject, record: dict[str, Any]) -> None:
    """For simple names, texts and integers, a text is what `str.format` makes of it."""
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
