"""The smallest story that still breaks a promise: for reading, and for keeping as a test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, TypeVar

from tests.simulation.scenario import Scenario, Weather
from tests.simulation.world import tell

Changed = TypeVar("Changed", Scenario, Weather)

PLAIN = Scenario(lines=())


def smallest(failing: Scenario, *, seed: int) -> Scenario:
    """Take away whatever can be taken away while some promise stays broken; the scenario itself if none is."""
    while True:
        smaller = next((one for one in _smaller(failing) if tell(one, seed=seed).faults), None)
        if smaller is None:
            return failing
        failing = smaller


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    half = len(scenario.lines) // 2
    if half:
        yield replace(scenario, lines=scenario.lines[:half])
        yield replace(scenario, lines=scenario.lines[:-1])
    for name in ("mishaps", "episodes"):
        items = getattr(scenario, name)
        for index in range(len(items)):
            yield _with(scenario, name, items[:index] + items[index + 1 :])
    for name in ("refusals", "poisoned", "closed"):
        items = getattr(scenario, name)
        for key in items:
            yield _with(scenario, name, {other: value for other, value in items.items() if other != key})
    for each in fields(Weather):
        if getattr(scenario.weather, each.name) != each.default:
            yield replace(scenario, weather=_with(scenario.weather, each.name, each.default))
    for name in ("token_lifetime", "commit_seconds", "silence", "disorder", "says_conflict", "holds_unknown"):
        plain = getattr(PLAIN, name)
        if getattr(scenario, name) != plain:
            yield _with(scenario, name, plain)


def _with(one: Changed, name: str, value: object) -> Changed:
    changes: dict[str, Any] = {name: value}
    return replace(one, **changes)
