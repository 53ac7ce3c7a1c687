"""How tests put a value through filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from target_driftrock.mapping.filters.reading import PLAIN, Scene
from target_driftrock.mapping.filters.table import EXAMPLE_TABLES
from target_driftrock.mapping.template import Template
from target_driftrock.mapping.writing import Wrong

TABLES = Scene(tables=EXAMPLE_TABLES)
INVALID = "invalid"


def made(filters: str, value: Any, *, scene: Scene = PLAIN) -> Any:
    """What `{x | filters}` gives for a record whose `x` is the value; INVALID where a filter cannot read it."""
    return filled(f"{{x | {filters}}}", {"x": value}, scene=scene)


def filled(template: str, record: Mapping[str, Any], *, scene: Scene = PLAIN) -> Any:
    """What a template gives for a record."""
    found = Template.parse(template).reader(scene=scene)(record)
    return INVALID if isinstance(found, Wrong) else found
