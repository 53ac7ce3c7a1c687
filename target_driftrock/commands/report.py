"""`report`: the receipts of the latest runs, and the ids of the events whose answer was lost. Nothing is sent."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.table import Table
from rich.text import Text

from target_driftrock.commands.keeping import for_ledger
from target_driftrock.commands.terminal import console, write
from target_driftrock.events.outcome import ACCOUNTS
from target_driftrock.given import config_option
from target_driftrock.naming import escaped, visible_json
from target_driftrock.wording import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_driftrock.given import Given
    from target_driftrock.ledger.reading import Run, UnknownEvent

_RUNS_SHOWN = 10
_COUNTS = {
    "delivered": "delivered",
    "already_delivered": "already",
    "changed": "changed",
    "invalid": "invalid",
    "rejected": "rejected",
    "held": "held",
    "open": "open",
    "answers_lost": "answers lost",
}
"""What is counted, and the head of its column."""
_OUTCOMES = tuple(account.name for account in ACCOUNTS.values())
_CSV_KEYS = ("type", "name", "capture", "day")
_FORMULA = re.compile(r"((?:^|[;,])\s*)([=+\-@\uff1d\uff0b\uff0d\uff20])")
_STACKS = ((0, 3, None), (1, 2, None), (4, 5, 6), (7, 8, 9), (10, 11, None))
"""Which cells of a row stand below each other on a narrow terminal; ten digits and more each fit into 80 columns."""
_STACKS_OF_FIGURES = 3
_SHORT_HEADS = ("run", "started", "ended", "exit", *_COUNTS.values())


def _month(_: click.Context, __: click.Parameter, text: str | None) -> tuple[float, float] | None:
    try:
        return None if text is None else month(text)
    except ValueError:
        raise click.BadParameter("it must be a month, such as 2026-01.") from None


@click.command()
@config_option
@click.option("--last", type=click.IntRange(1), metavar="N", help="So many runs; ten, if no month is named.")
@click.option("--month", "between", metavar="YYYY-MM", callback=_month, help="The runs that began in a month (UTC).")
@click.option("--json", "is_json", is_flag=True, help="A line of JSON each.")
@click.option(
    "--csv",
    "is_csv",
    is_flag=True,
    help="Instead, the sums of these runs for a spreadsheet: by type, name, capture and day.",
)
@click.option(
    "--unknown",
    is_flag=True,
    help="Instead, the ids of the events whose answer was lost in these runs, with capture and time.",
)
@click.pass_obj
def report(
    given: Given, *, last: int | None, between: tuple[float, float] | None, is_json: bool, is_csv: bool, unknown: bool
) -> None:
    """Print the receipts of the latest runs. Nothing is sent."""
    from target_driftrock.ledger.reading import reading

    if is_csv and (is_json or unknown):
        raise click.UsageError("--csv goes with neither --json nor --unknown: choose one.")
    settings = for_ledger(given.said())
    with reading(settings.keeping.ledger) as ledger:
        runs = ledger.runs(last=last or (None if between else _RUNS_SHOWN), between=between)
        events = ledger.unknown([run.id for run in runs]) if unknown else ()
    if unknown:
        lines = unknown_json(events) if is_json else unknown_lines(events)
    elif is_csv:
        lines = csv_lines(runs)
    elif is_json:
        lines = run_lines(runs)
    else:
        terminal = console()
        terminal.print(run_table(runs, width=terminal.width))
        return
    for line in lines:
        write(line)


def month(text: str) -> tuple[float, float]:
    """The Unix times at which a month in UTC (`2026-01`) begins and ends.

    Raises:
        ValueError: It is none.
    """
    begin = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    end = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
    return begin.timestamp(), end.timestamp()


def run_table(runs: Sequence[Run], *, width: int) -> Table:
    """The runs for people, the latest one last, with their sums; stacked where their counts take more columns."""
    sums: Counter[str] = Counter()
    rows = []
    for run in runs:
        counts = _counts(run)
        sums.update({name: count for name, count in counts.items() if count is not None})
        figures = ["?" if count is None else str(count) for count in counts.values()]
        rows.append([str(run.id), _moment(run.started_at), _moment(run.ended_at), _ending(run), *figures])
    heads = ["run", "started", "ended", "exit code", *_COUNTS.values()]
    totals = ["all", "", "", "", *(str(sums[name]) for name in _COUNTS)]
    if _width(heads, totals, *rows) > width:
        return _table(_stacked(_SHORT_HEADS), _stacked(totals), list(map(_stacked, rows)), figures=_STACKS_OF_FIGURES)
    return _table(heads, totals, rows, figures=len(_COUNTS))


def _table(heads: Sequence[str], totals: Sequence[str], rows: Sequence[Sequence[str]], *, figures: int) -> Table:
    """The last columns are `figures`. The sums are shown where there is more than one row."""
    shown = Table(show_footer=len(rows) > 1, show_lines="\n" in heads[0])
    for number, (head, total) in enumerate(zip(heads, totals, strict=True), figures - len(heads)):
        shown.add_column(head, total, justify="left" if number < 0 else "right", overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    return shown


def _stacked(cells: Sequence[str]) -> list[str]:
    return ["\n".join(" " if index is None else cells[index] for index in stack) for stack in _STACKS]


def _width(*rows: Sequence[str]) -> int:
    """Columns of a table of these rows, lines and spaces included."""
    return sum(max(map(len, column)) + 3 for column in zip(*rows, strict=True)) + 1


def run_lines(runs: Sequence[Run]) -> Iterator[bytes]:
    """The runs as JSON, a line each."""
    for run in runs:
        yield _line(
            {
                "run": run.id,
                "started": _moment(run.started_at),
                "ended": _moment(run.ended_at) or None,
                "status": _status(run),
                "exit_code": run.exit_code,
                **_counts(run),
                "receipt": None if run.receipt is None else msgspec.Raw(run.receipt.encode()),
            }
        )


def csv_lines(runs: Sequence[Run]) -> Iterator[bytes]:
    """The sums of the runs as CSV, the heads first: a line for each type, name, capture and day.

    The name is that of the mapping, its template where it comes of a record. A run without a receipt has no lines.
    """
    sums: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for run in runs:
        receipt = {} if run.receipt is None else msgspec.json.decode(run.receipt)
        for line in receipt.get("events_by_line", ()):
            told = {"type": "", "name": "", **line, "capture": _capture(line)}
            sums[tuple(told[name] for name in _CSV_KEYS)].update({name: line[name] for name in _OUTCOMES})
    yield _csv((*_CSV_KEYS, *_OUTCOMES))
    for key, counts in sorted(sums.items()):
        yield _csv((*map(_cell, key), *(str(counts[name]) for name in _OUTCOMES)))


def _capture(line: Mapping[str, str]) -> str:
    """The capture without its mapping: two of these may send to one."""
    return line["capture"].removeprefix(f"{line['mapping']} ").removeprefix("source_id ")


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula (OWASP, CSV injection): an apostrophe stands before its sign.

    Also where a spreadsheet parts it at a semicolon or a comma.
    """
    return _FORMULA.sub(r"\1'\2", escaped(text))


def _csv(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def unknown_lines(events: Sequence[UnknownEvent]) -> Iterator[bytes]:
    """The events whose answer was lost, a line of tab-separated text each. Their ids may be personal."""
    for event in events:
        yield f"{escaped(event.event_id)}\t{escaped(event.capture)}\t{_moment(event.at)}\n".encode()


def unknown_json(events: Sequence[UnknownEvent]) -> Iterator[bytes]:
    """The same as JSON, a line each."""
    for event in events:
        yield _line(
            {
                "event_id": event.event_id,
                "capture": event.capture,
                "at": _moment(event.at),
                "answers_lost": event.lost,
                "run": event.run,
            }
        )


def _counts(run: Run) -> dict[str, int | None]:
    """What the receipt says; of a run without one, what its transactions have added up."""
    receipt: Mapping[str, Any] = {} if run.receipt is None else msgspec.json.decode(run.receipt)
    events = receipt.get("events", {})
    recorded = {
        "delivered": run.delivered,
        "invalid": run.invalid,
        "rejected": run.rejected,
        "held": run.held,
        "answers_lost": receipt.get("answers_lost", run.unknown),
    }
    return {name: recorded.get(name, events.get(name)) for name in _COUNTS}


def _status(run: Run) -> str:
    if run.is_running:
        return "running"
    return "cut off" if run.exit_code is None else "ended"  # killed, or without its ledger: nothing tells these apart


def _ending(run: Run) -> str:
    return _status(run) if run.exit_code is None else str(run.exit_code)


def _moment(at: float | None) -> str:
    return "" if at is None else moment(at)


def _line(members: Mapping[str, Any]) -> bytes:
    return visible_json(msgspec.json.encode(members)) + b"\n"
