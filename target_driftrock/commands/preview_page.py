"""The page of a preview, for those who own the data and look at it in a browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_driftrock.pages.page import filled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_driftrock.commands.overview import Overview
    from target_driftrock.commands.preview import Preview

_MESSAGES = 100


@dataclass(frozen=True, slots=True)
class Figure:
    """A count at the top. `mood` is `good`, `bad`, or none."""

    name: str
    count: int
    mood: str = ""


def page_of(seen: Preview, overview: Overview) -> str:
    """The whole page, which loads nothing."""
    messages = [*(("error", text) for text in seen.errors()), *(("warning", text) for text in seen.warnings())]
    return filled(
        "preview.html",
        is_well=not seen.exit_code,
        exit_code=seen.exit_code,
        shows=overview.shows,
        messages=messages[:_MESSAGES],
        figures=list(figures(seen, overview)),
        sent=overview.sent,
        where=[bars for bars in overview.where() if bars.bars],
        mappings=list(overview.mappings()),
        cards=overview.cards(),
        refused=overview.refused(),
        not_sent=overview.not_sent(),
        empty_fields=list(overview.empty_fields()),
        empty_columns=list(overview.empty_columns()),
        misfits=list(overview.misfits()),
        passed=list(seen.passed()),
    ).html


def figures(seen: Preview, overview: Overview) -> Iterator[Figure]:
    """What came in, and what comes of it; what need not be told where it is nothing is left out."""
    records, found = seen.records, seen.findings
    held = found.events - overview.sent - found.repeats - found.changed
    yield Figure("records read", records.total)
    yield Figure("events to send", overview.sent, "good")
    yield Figure("records refused", records.invalid, "bad" if records.invalid else "")
    yield Figure("events held", held, "bad" if held else "")
    for figure in (
        Figure("changed, not sent", found.changed),
        Figure("repeats, sent once", found.repeats),
        Figure("records filtered", records.filtered),
        Figure("records not looked at", records.unmapped, "bad"),
    ):
        if figure.count:
            yield figure
