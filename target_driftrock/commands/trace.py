"""`trace`: what became of the events with one id. The ledger knows ids by their digests alone; nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import click

from target_driftrock.commands.keeping import for_ledger, mask_of
from target_driftrock.commands.terminal import sought
from target_driftrock.given import config_option
from target_driftrock.ledger.interface import Standing
from target_driftrock.mapping.masking import BARE, Mask
from target_driftrock.naming import escaped
from target_driftrock.wording import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_driftrock.given import Given
    from target_driftrock.ledger.reading import TracedEvent, TracedRow

_NOT_KNOWN = 1


@click.command()
@config_option
@click.argument("event_id", metavar="EVENT_ID")
@click.pass_obj
def trace(given: Given, *, event_id: str) -> int:
    """Say whether the event with this id was delivered, when, how often it was tried, and by which run.
    A - reads the id from the input. Ends with 1 if it is not known. Nothing is sent.
    """
    from target_driftrock.ledger.reading import reading

    config = given.said()
    settings = for_ledger(config)
    with reading(settings.keeping.ledger) as ledger:
        events, rows = ledger.trace(sought(event_id))
    for line in lines(events, rows, mask_of(config)):
        click.echo(escaped(line))
    return 0 if events or rows else _NOT_KNOWN


def lines(events: Sequence[TracedEvent], rows: Sequence[TracedRow], mask: Mask = BARE) -> Iterator[str]:
    """What is known, a line for each event and for each row that waits without one. The id is not repeated."""
    yield from map(_event, events)
    yield from (_row(row, mask) for row in rows)
    if not events and not rows:
        yield "Not known: the ledger remembers no event with this id, and no row of it waits."


def _event(event: TracedEvent) -> str:
    waits = "a row of it waits: see `target-driftrock rejects`" if event.is_kept else "no row of it waits"
    tried = "tried once" if event.tries == 1 else f"tried {event.tries} times"
    return f"{_standing(event.standing)}: {moment(event.at)}, by run {event.run}, {tried}; {waits}."


def _row(row: TracedRow, mask: Mask) -> str:
    return (
        f"Kept as {row.kind} ({row.reason}): {moment(row.at)}, by run {row.run}, stream {mask.stream(row.stream)}; "
        "the row waits: see `target-driftrock rejects`."
    )


def _standing(standing: Standing) -> str:
    match standing:
        case Standing.DELIVERED:
            return "Delivered"
        case Standing.REFUSED:
            return "Not delivered, refused or held"
        case Standing.ANSWERED:
            return "Not delivered, to be tried again"
        case Standing.INTENDED:
            return "Unknown, a request was about to begin"
        case Standing.UNKNOWN:
            return "Unknown, the answer was lost"
        case Standing.HELD_UNKNOWN:
            return "Unknown, the answer was lost, held for a person to decide"
        case Standing.CHANGED:
            return "Not sent, as a change of what was delivered"
        case _:
            assert_never(standing)
