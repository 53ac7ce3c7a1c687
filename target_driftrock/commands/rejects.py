"""`rejects`: what was refused or held, as a Singer stream to send again, or as a table for people; and why.

Nothing is sent.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.table import Table
from rich.text import Text

from target_driftrock import naming
from target_driftrock.commands.forms import NOT_FOUND
from target_driftrock.commands.keeping import for_ledger, mask_of
from target_driftrock.commands.terminal import console, is_terminal, sought, write
from target_driftrock.given import config_option
from target_driftrock.mapping.masking import BARE, Mask
from target_driftrock.wording import counted, day, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from target_driftrock.given import Given
    from target_driftrock.ledger.reading import Defender, KeptGroup, KeptRow, Selection, Why

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ROW = "driftrock_row"
_REASON = "driftrock_reason"
_KNOWN = "driftrock_known"
_MEMBER = rb"""{("[a-z_]+":("([^"\\]|\\.)*"|\d+|null),?)*}"""
_MARKS = re.compile(
    rb"""(,"driftrock_row":"[0-9a-f]*")?(,"driftrock_reason":%b)?(,"driftrock_known":\[(%b,?)*\])?}\Z"""
    % (_MEMBER, _MEMBER)
)
"""What `marked` put at the end of a line, and the end."""
_COLUMNS = ("stream", "mapping", "kind", "reason", "status", "rows", "first seen", "last seen")
_COLUMNS_OF_KNOWN = ("known since", "by run")
_FIGURES = frozenset({"status", "rows", "by run"})
_ONE_SOUGHT = "--person, --email, --phone, --event and --row"
_WITH_CHANGED = "--stream, --reason, --since and --event"
_OR_INPUT = "A - reads it from the input."


def _midnight(_: click.Context, __: click.Parameter, day: str | None) -> float | None:
    try:
        return None if day is None else datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise click.BadParameter("it must be a day, such as 2026-01-31.") from None


@click.command()
@config_option
@click.option("--stream", metavar="NAME", help="Only of this stream.")
@click.option("--reason", metavar="TEXT", help="Only with this in the reason, such as `status 422`.")
@click.option(
    "--since", metavar="DATE", callback=_midnight, help="Only refused or held on that day (UTC) or later: 2026-01-31."
)
@click.option("--held", is_flag=True, help="Only held, collisions and undecided ones: for a person to decide.")
@click.option("--table", "is_table", is_flag=True, help="The table for people, which is what a terminal gets anyway.")
@click.option(
    "--answers", is_flag=True, help="Instead, what the API answered, a line of JSON for each row: personal data."
)
@click.option(
    "--changed",
    is_flag=True,
    help=(
        "Settle collisions and undecided ones: they are changes of what was delivered under their event_id. With "
        f"{_WITH_CHANGED}: whatever these say."
    ),
)
@click.option(
    "--delete",
    is_flag=True,
    help=f"Erase what one of the next five options says. Ends with 1 where nothing is found. {NOT_FOUND}",
)
@click.option("--person", metavar="VALUE", help=f"With --delete: the rows of this person_id. {_OR_INPUT}")
@click.option(
    "--email", metavar="VALUE", help=f"With --delete: the rows with this address anywhere in them. {_OR_INPUT}"
)
@click.option(
    "--phone",
    metavar="VALUE",
    help=f"With --delete: the rows with this telephone number, by its last nine digits. {_OR_INPUT}",
)
@click.option(
    "--event",
    metavar="VALUE",
    help=(
        "With --delete: the rows of this event_id, and the id of a lost answer; with --changed: only these. "
        f"{_OR_INPUT}"
    ),
)
@click.option("--row", metavar="KEY", help=f"With --delete: this one row, by the {_ROW} of its line. {_OR_INPUT}")
@click.pass_obj
def rejects(
    given: Given,
    /,
    *,
    stream: str | None,
    reason: str | None,
    since: float | None,
    held: bool,
    is_table: bool,
    answers: bool,
    changed: bool,
    delete: bool,
    **values: str | None,
) -> int:
    """Print what was refused or held as a tap's messages, to send it again once the cause is mended:
    target-driftrock rejects --config FILE | target-driftrock --config FILE. On a terminal: a table.

    With --changed it settles, with --delete it erases. Nothing is sent.
    """
    from target_driftrock.commands import changes, erasure
    from target_driftrock.ledger.reading import HELD, Selection

    selection = Selection(stream=stream, reason=reason, since=since, kinds=HELD if held else frozenset())
    named = {name: value for name, value in values.items() if value is not None}
    if changed:
        if held or is_table or answers or delete or named.keys() - {"event"}:
            raise click.UsageError(f"--changed goes with {_WITH_CHANGED}, and with nothing else.")
        event = sought(named["event"]) if named else None
        changes.settle_changes(given.said(), replace(selection, event=event))
    elif delete:
        if selection != Selection() or is_table or answers or len(named) != 1:
            raise click.UsageError(f"--delete goes with one of {_ONE_SOUGHT}, and with nothing else.")
        [(kind, value)] = named.items()
        return erasure.erase_rows(given.said(), kind, sought(value))
    elif named:
        raise click.UsageError(f"{_ONE_SOUGHT} go with --delete, and --event with --changed too.")
    elif is_table and answers:
        raise click.UsageError("--answers goes with the options that choose rows, and not with --table.")
    else:
        _print(given.said(), selection, is_table=is_table, is_answers=answers)
    return 0


def _print(config: Mapping[str, Any], selection: Selection, *, is_table: bool, is_answers: bool) -> None:
    from target_driftrock.ledger.reading import reading

    with reading(for_ledger(config).keeping.ledger) as ledger:
        if is_answers:
            write_answers(ledger.kept(selection), write)
        elif is_table or is_terminal():
            console().print(table(ledger.groups(selection), mask_of(config)))
        else:
            write_stream(ledger.kept(selection), write)


def write_stream(rows: Iterable[KeptRow], write: Callable[[bytes], object]) -> None:
    """The rows as Singer messages, a line each: personal data. A stream's SCHEMA precedes its records."""
    schemas: dict[str, bytes] = {}
    for row in rows:
        if schemas.get(row.stream) != row.schema:
            schemas[row.stream] = row.schema
            write(row.schema + b"\n")
        write(marked(row.record, row.key, why=row.why, known=row.known) + b"\n")


def write_answers(rows: Iterable[KeptRow], write: Callable[[bytes], object]) -> None:
    """Why each row waits, a line of JSON each, with what the API answered: personal data."""
    for row in rows:
        write(naming.visible_json(msgspec.json.encode({"stream": row.stream} | _reason(row.why))) + b"\n")


def marked(line: bytes, key: str, *, why: Why, known: Sequence[Defender] | None = None) -> bytes:
    """A RECORD line that says beside `record` which kept row it is, why it waits, and what it collides with.

    The rest of it stays, byte for byte by member. One that was marked before is marked anew.
    """
    marks: dict[str, Any] = {_ROW: key, _REASON: _reason(why)}
    marks |= {} if known is None else {_KNOWN: list(map(_defender, known))}
    try:
        members = _MEMBERS.decode(line)
    except (msgspec.DecodeError, RecursionError):  # NaN, say: kept as it was read, and to be read by the same rules
        return _MARKS.sub(b"", line) + b"," + msgspec.json.encode(marks).removeprefix(b"{")
    members.pop(_KNOWN, None)
    return msgspec.json.encode(members | marks)


def _reason(why: Why) -> dict[str, Any]:
    return {
        "kind": why.kind,
        "reason": why.reason,
        "status": why.status,
        "answer": why.answer.decode(errors="replace"),
    }


def _defender(known: Defender) -> dict[str, Any]:
    return {
        "event_id": known.event_id,
        "standing": "delivered" if known.is_delivered else "perhaps delivered",
        "at": moment(known.at),
        "run": known.run,
    }


def table(groups: Sequence[KeptGroup], mask: Mask = BARE) -> Table:
    """How many rows wait for what, for people. Nothing personal is in it.

    Where some collide with what is known, it says since when that is, and by which run; the latest of it.
    """
    total = sum(group.count for group in groups)
    shown = Table(caption=f"{counted(total, 'row')} {'waits' if total == 1 else 'wait'} in the ledger.")
    more = _COLUMNS_OF_KNOWN if any(group.known_at is not None for group in groups) else ()
    for name in (*_COLUMNS, *more):
        shown.add_column(name, justify="right" if name in _FIGURES else "left", overflow="fold")
    for group in groups:
        words = (
            mask.stream(group.stream),
            group.mapping,
            group.kind,
            group.reason,
            _figure(group.status),
            str(group.count),
        )
        known = (_day(group.known_at), _figure(group.known_run)) if more else ()
        shown.add_row(*map(Text, map(naming.escaped, (*words, _day(group.first_at), _day(group.at), *known))))
    return shown


def _figure(number: int | None) -> str:
    return "" if number is None else str(number)


def _day(at: float | None) -> str:
    return "" if at is None else day(at)
