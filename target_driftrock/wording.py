"""Counts, choices and moments, as they stand in sentences and tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime


def counted(count: int, noun: str) -> str:
    """How many of what: `1 row`, `2 rows`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def stopped(sentence: str) -> str:
    """With its full stop, unless it ends as a question does, or has one."""
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."


def either(words: Sequence[str]) -> str:
    """The words as a choice: `lead, conversion or action`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def moment(at: float) -> str:
    """A Unix time to the second, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def day(at: float) -> str:
    """The day of a Unix time, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
