"""`when`: equality that keeps types."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from target_driftrock.mapping.condition import condition


@pytest.mark.parametrize(
    ("wanted", "value", "fits"),
    [
        pytest.param("Won", "Won", True, id="a text"),
        pytest.param("Won", "won", False, id="a text in another case"),
        pytest.param(True, True, True, id="a boolean"),
        pytest.param(True, 1, False, id="true is not 1"),
        pytest.param(1, True, False, id="1 is not true"),
        pytest.param(False, 0, False, id="false is not 0"),
        pytest.param(True, "true", False, id="true is no text"),
        pytest.param(1, "1", False, id="1 is no text"),
        pytest.param("1", 1, False, id="a text is not 1"),
        pytest.param(1, Decimal("1.0"), True, id="1.0 is 1"),
        pytest.param(1, 1.0, True, id="the float 1.0 is 1"),
        pytest.param(0.1, Decimal("0.1"), True, id="0.1 in binary and decimal"),
        pytest.param(0.1, Decimal("0.10"), True, id="0.10 is 0.1"),
        pytest.param(2**70, 2**70, True, id="a large integer"),
        pytest.param(None, None, True, id="null"),
        pytest.param(None, "", False, id="empty is not null"),
        pytest.param(None, False, False, id="false is not null"),
        pytest.param(0, float("nan"), False, id="NaN"),
        pytest.param(0, Decimal("sNaN"), False, id="a signalling NaN"),
        pytest.param("x", ["x"], False, id="a list"),
        pytest.param("x", {"x": 1}, False, id="an object"),
    ],
)
def test_compares_types_when_property_has_a_value(wanted: Any, value: Any, *, fits: bool) -> None:
    """A property fits if its value and its type are those of the setting."""
    assert condition({"stage": (wanted,)})({"stage": value}) is fits


@pytest.mark.parametrize(
    ("record", "fits"),
    [
        pytest.param({"stage": "Won", "contact": {"consent": True}}, True, id="all fit"),
        pytest.param({"stage": "Lost", "contact": {"consent": True}}, True, id="another of the values"),
        pytest.param({"stage": "Open", "contact": {"consent": True}}, False, id="one does not"),
        pytest.param({"stage": "Won", "contact": {"consent": False}}, False, id="the other does not"),
        pytest.param({"stage": "Won"}, False, id="one is missing"),
        pytest.param({"stage": "Won", "contact": {}, "contact.consent": True}, True, id="exactly that name"),
    ],
)
def test_wants_all_when_several_are_named(record: dict[str, Any], *, fits: bool) -> None:
    """Every named property must be one of its values; paths are followed as in templates."""
    assert condition({"stage": ("Won", "Lost"), "contact.consent": (True,)})(record) is fits


def test_fits_all_when_nothing_is_named() -> None:
    """Without `when` every record fits."""
    assert condition({})({"any": "thing"})


def test_equals_null_when_property_is_missing() -> None:
    """Null stands for a property that is not there, too."""
    assert condition({"deleted_at": (None,)})({})
