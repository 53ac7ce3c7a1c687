"""Expressions of stream maps: what is wrong with one for every record."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.mapper import PluginMapper

from target_driftrock.singer.expressions import Names, faults

NAMES = Names(properties=["id", "email", "amount", "at", "First Name", "contact"], config=["rate"], is_open=False)
RECORD: dict[str, Any] = {
    "id": 1,
    "email": "ada@example.com",
    "amount": 5,
    "at": "2026-01-02T03:04:05",
    "First Name": "Ada",
    "contact": {"email": "x@example.com"},
}
RIGHT = [
    "email",
    "None",
    "'website'",
    "email.lower() if email else None",
    "sha256(email.strip().lower())",
    "md5(config['rate'])",
    "float(amount) * 2 // 3",
    "str(id) + '-' + __stream_name__ + __original_stream_name__",
    "_['First Name']",
    "record['First Name'].upper()",
    "record.get('what')",
    "record['what'] if 'what' in record else None",
    "what if 'what' in _ else 'none'",
    "contact['email']",
    "contact.email",
    "[letter for letter in email if letter not in 'aeiou']",
    "{key: value for key, value in record.items() if value}",
    "','.join([str(one) + other for one in [1, id] for other in email])",
    "json.dumps(record)",
    "datetime.datetime.fromisoformat(at).date()",
    "f'{email}:{id:03}'",
    "[*email, 1]",
    "not email or id is None and amount >= 1",
    "bool(email) and email[0:3]",
]


@pytest.mark.parametrize("text", RIGHT)
def test_nothing_is_told_when_the_sdk_can_evaluate_the_expression(text: str) -> None:
    """All that the SDK's own evaluator knows is known."""
    mapper = PluginMapper(
        {"stream_maps": {"leads": {"made": text}}, "stream_map_config": {"rate": "1"}}, logging.getLogger(__name__)
    )
    mapper.register_raw_stream_schema("leads", {"properties": {name: {} for name in RECORD}}, [])
    made = mapper.stream_maps["leads"][0].transform(RECORD)

    assert made is not None
    assert list(faults(text, NAMES, own="made")) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("float(amont)", "amont is not listed in the SCHEMA; the nearest is amount", id="a typo"),
        pytest.param("ID", "ID is not listed in the SCHEMA; the nearest is id: upper and lower case count", id="case"),
        pytest.param("zzz.lower()", "zzz is not listed in the SCHEMA", id="nothing near"),
        pytest.param(
            "website",
            "website is not listed in the SCHEMA; a text stands in quotes of its own, \"'website'\"",
            id="a text without quotes",
        ),
        pytest.param("record['amont']", "amont is not listed in the SCHEMA; the nearest is amount", id="an item"),
        pytest.param("config['rat']", "stream_map_config has no rat; the nearest is rate", id="a configuration's"),
        pytest.param("[x for x in email if y]", "y is not listed in the SCHEMA", id="in a comprehension"),
        pytest.param("x + str([x for x in email])", "x is not listed in the SCHEMA", id="beside a comprehension"),
        pytest.param("f'{emial}'", "emial is not listed in the SCHEMA; the nearest is email", id="in an f-string"),
        pytest.param("sha_256(email)", "there is no function sha_256; the nearest is sha256", id="a function"),
        pytest.param("lower(email)", "lower is no function: write it behind the text, as in email.lower()", id="SQL's"),
        pytest.param(
            "strip('a')", "strip is no function: write it behind the text, as in value.strip()", id="a method"
        ),
        pytest.param("(lambda x: x)(email)", "only what has a name can be called", id="a call of what has no name"),
        pytest.param("email(1)", "email is no function", id="a property as a function"),
        pytest.param("self.lower()", "self is the property's own value", id="no property of its own"),
        pytest.param("lambda x: x", "stream maps have no Lambda", id="a lambda"),
        pytest.param("email @ id", "stream maps have no MatMult", id="an operator"),
        pytest.param("(id := 1)", "stream maps have no NamedExpr", id="an assignment within"),
        pytest.param("'{}'.format(email)", "stream maps do not give .format: write an f-string", id="format"),
        pytest.param("record._id", "stream maps do not give ._id: write ['_id']", id="an underscore"),
        pytest.param("id > 0 AND email", "the expression has a syntax error", id="SQL"),
        pytest.param("email ==", "the expression has a syntax error", id="cut"),
        pytest.param(" email", "the expression has a syntax error", id="indented"),
        pytest.param("email\0", "the expression has a syntax error", id="a NUL"),
        pytest.param("x = email", "it is a statement and no expression", id="a statement"),
        pytest.param("email\nid", "it is a statement and no expression", id="two"),
        pytest.param("{email}", "braces make a set here", id="a template"),
        pytest.param("{{ email }}", "braces make a set here", id="Jinja"),
        pytest.param("", "the expression is empty", id="nothing"),
    ],
)
def test_the_kind_and_the_name_are_told_when_no_record_could_make_it_right(text: str, told: str) -> None:
    """Of the expression no more is shown than the names in it, which are the user's own."""
    found = list(faults(text, NAMES, own="made"))

    assert len(found) == 1
    assert found[0].startswith(told)


@pytest.mark.parametrize("text", ["website", "record['website']", "self"])
def test_a_name_is_right_when_the_schema_may_have_more(text: str) -> None:
    """Nobody knows what comes."""
    assert list(faults(text, Names(properties=["email"], is_open=True))) == []


def test_nobody_is_warned_when_a_backslash_is_none() -> None:
    """Python would warn of it at every SCHEMA."""
    assert list(faults(r"email.split('\d')", NAMES)) == []


@pytest.mark.parametrize("text", ["_sdc_batched_at", "record['_SDC_DELETED_AT']"])
def test_a_column_that_loaders_add_is_right_when_it_is_not_listed(text: str) -> None:
    """They are read like any other property."""
    assert list(faults(text, NAMES)) == []


def test_its_own_value_is_there_when_the_stream_has_the_property() -> None:
    """`self` is what the map is about to replace."""
    assert list(faults("self.lower()", NAMES, own="email")) == []


@given(st.text(alphabet="ab.()[]'\"{}:=+ \n*,\\") | st.text())
def test_nothing_is_raised_when_the_expression_is_anything(text: str) -> None:
    """Each fault is one line."""
    assert all("\n" not in fault for fault in faults(text, NAMES))
