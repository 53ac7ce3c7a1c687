"""The smallest story that still breaks a promise: for reading, and for keeping as a test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, TypeVar

from tests.simulation.scenario import Line, Scenario, Weather
from tests.simulation.world import tell

Changed = TypeVar("Changed", Scenario, Weather)

PLAIN = Scenario(lines=())
PLAINER = (
    *("token_lifetime", "commit_seconds", "silence", "disorder"),
    *("says_conflict", "holds_unknown", "on_changed", "is_refreshed"),
)


def smallest(failing: Scenario, *, seed: int) -> Scenario:
    """Take away whatever can be taken away while some promise stays broken; the scenario itself if none is."""
    while True:
        still_failing = next((one for one in smaller(failing) if tell(one, seed=seed).faults), None)
        if still_failing is None:
            return failing
        failing = still_failing


def smaller(scenario: Scenario) -> Iterator[Scenario]:
    """The same story without one thing or another: it holds every promise that the whole one holds."""
    for lines in _fewer(scenario.lines):
        yield replace(scenario, lines=lines)
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
    for name in PLAINER:
        plain = getattr(PLAIN, name)
        if getattr(scenario, name) != plain:
            yield _with(scenario, name, plain)


def _fewer(lines: tuple[Line, ...]) -> Iterator[tuple[Line, ...]]:
    """Half of them, all but the last, and all with one that nothing comes of, or that nobody edits."""
    half = len(lines) // 2
    if half:
        yield _with_last_state(lines[:half])
        yield _with_last_state(lines[:-1])
    for index, line in enumerate(lines):
        if line.pieces:
            yield (*lines[:index], replace(line, pieces=(), edited=()), *lines[index + 1 :])
        if line.edited:
            yield (*lines[:index], replace(line, edited=()), *lines[index + 1 :])


def _with_last_state(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """As every scenario has it: without a STATE at the end none could cover all."""
    *others, last = lines
    return (*others, replace(last, has_state=True))


def _with(one: Changed, name: str, value: object) -> Changed:
    changes: dict[str, Any] = {name: value}
    return replace(one, **changes)
