"""Values as JSON writes them."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.mapping.writing import write


def _nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param({"a": [1, None, True]}, b'{"a":[1,null,true]}', id="nulls inside stay"),
        pytest.param(Decimal("1.10"), b"1.10", id="a decimal keeps its digits"),
        pytest.param(10**25, b"1" + b"0" * 25, id="a large integer"),
        pytest.param("Zoë", '"Zoë"'.encode(), id="UTF-8"),
        pytest.param(dt.datetime(2026, 1, 31, tzinfo=dt.UTC), b'"2026-01-31T00:00:00Z"', id="a datetime"),
        pytest.param(dt.date(2026, 1, 31), b'"2026-01-31"', id="a date"),
    ],
)
def test_writes_json_when_value_has_a_form(value: Any, written: bytes) -> None:
    """JSON is compact, exact and UTF-8."""
    assert write(value) == written


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(float("nan"), id="NaN"),
        pytest.param({"a": [float("inf")]}, id="infinity inside"),
        pytest.param({"a": Decimal("NaN")}, id="a decimal NaN inside"),
        pytest.param("\ud800", id="a lone surrogate"),
        pytest.param({"\udfff": 1}, id="a lone surrogate in a name"),
        pytest.param({1: 2}, id="a name that is no text"),
        pytest.param([object()], id="an object of Python's"),
        pytest.param(b"bytes", id="bytes"),
        pytest.param(10**5000, id="an integer beyond Python's printing"),
        pytest.param(_nested(100_000), id="nesting without end"),
    ],
)
def test_writes_nothing_when_json_has_no_form(value: Any) -> None:
    """What JSON cannot say is not written, and nothing is raised."""
    assert write(value) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=80, deadline=None)
@given(value=JSON)
def test_reads_the_same_when_written(value: Any) -> None:
    """What is written reads as what it was, or is not written: where the standard library refuses it too."""
    written = write(value)

    try:
        expected = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        assert written is None
    else:
        assert written is not None
        assert json.loads(written) == json.loads(expected)
