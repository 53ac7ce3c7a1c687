"""The eyes of the canary run: a value is found however it was written, whole or cut off."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from tests.canaries.values import PERSONAL, SECRETS, found

VALUES = {**PERSONAL, **SECRETS}


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(str, id="as-it-is"),
        pytest.param(json.dumps, id="json"),
        pytest.param(lambda value: json.dumps(json.dumps(value)), id="json-in-json"),
        pytest.param(repr, id="repr"),
        pytest.param(ascii, id="ascii"),
        pytest.param(lambda value: value[:20], id="cut-off"),
        pytest.param(quote, id="percent"),
        pytest.param(quote_plus, id="form"),
        pytest.param(lambda value: base64.b64encode(value.encode()).decode(), id="base64"),
        pytest.param(lambda value: base64.b64encode(b"an-id:" + value.encode()).decode(), id="base64-of-a-pair"),
        pytest.param(lambda value: base64.urlsafe_b64encode(b"?" + value.encode()).decode(), id="base64-of-a-url"),
        pytest.param(lambda value: str(value.encode()), id="bytes"),
    ],
)
@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_found_when_it_was_written_in_another_way(name: str, write: Callable[[str], str]) -> None:
    """Within a line, and alone."""
    line = f"2026-03-02 INFO {write(VALUES[name])} and so on"

    assert found(line.encode(), VALUES) == {name}


def test_nothing_is_found_when_nothing_is_there() -> None:
    """The words of our own log are no values."""
    assert found(b"Records: 4 read = 3 mapped + 1 invalid. client_secret, email, canary", VALUES) == set()
