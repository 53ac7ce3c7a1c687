"""Names and paths in a record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.mapping.path import reader

RECORD: dict[str, Any] = {
    "utm.source": "exact",
    "utm": {"source": "path", "medium": "mail"},
    "phones": [{"number": "+44 1"}, {"number": "+44 2"}],
    "contact": {"name.first": "Ada", "0": "zero", "tags": ["a", None]},
    "email": "ada@example.com",
    "nothing": None,
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("email", "ada@example.com", id="a property"),
        pytest.param("utm.source", "exact", id="a property of that name wins over a path"),
        pytest.param("utm.medium", "mail", id="a path"),
        pytest.param("contact.name.first", "Ada", id="a property of that name wins within an object"),
        pytest.param("contact.0", "zero", id="digits may be a property"),
        pytest.param("phones.1.number", "+44 2", id="an index"),
        pytest.param("phones.2.number", None, id="an index past the end"),
        pytest.param("phones.-1.number", None, id="no index counts from the end"),
        pytest.param("phones.number", None, id="a list has no properties"),
        pytest.param("phones.\u0661.number", None, id="only plain digits are an index"),
        pytest.param("contact.tags.1", None, id="a null in a list"),
        pytest.param("contact.tags.0", "a", id="an item in a list"),
        pytest.param("email.domain", None, id="a path through a text"),
        pytest.param("nothing.at.all", None, id="a path through a null"),
        pytest.param("missing.at.all", None, id="a path through nothing"),
        pytest.param("utm.", None, id="a dot at the end"),
    ],
)
def test_finds_value_when_name_is_read(name: str, value: Any) -> None:
    """A name finds a property of that name first, then follows its dots; what is not there is null."""
    assert reader(name)(RECORD) == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "0", "a.0"]), inner),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(name=st.text(alphabet="a0.", max_size=6), record=st.dictionaries(st.sampled_from(["a", "0", "a.0"]), JSON))
def test_never_raises_when_record_is_anything(name: str, record: dict[str, Any]) -> None:
    """Any name may be looked up in any record; a property of exactly that name is what is found."""
    found = reader(name)(record)

    assert name not in record or found == record[name]
