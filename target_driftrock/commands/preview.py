"""`preview`: every event as it would be sent, and everything that is wrong, as a run would make it."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec

from target_driftrock.commands.overview import Overview
from target_driftrock.commands.private import replacing
from target_driftrock.commands.search import Search, marks
from target_driftrock.commands.terminal import console, write
from target_driftrock.errors import PRECEDENCE, ExitCode, InputInvalid, SettingsInvalid
from target_driftrock.events.event import InvalidPart
from target_driftrock.given import config_option, input_option
from target_driftrock.naming import escaped, visible_json
from target_driftrock.receipt import RecordCounts, record_kind, unread_lines
from target_driftrock.singer.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_driftrock.commands.search import Findings, Verdict
    from target_driftrock.events.event import Part
    from target_driftrock.given import Given
    from target_driftrock.singer.messages import Record, Schema
    from target_driftrock.target import TargetDriftrock


@click.command()
@config_option
@input_option
@click.option("--max", "limit", type=click.IntRange(1), metavar="N", help="Stop after so many records.")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Instead, write a page for a browser: what would go where, examples, and what could not be read.",
)
@click.option("--table", "is_table", is_flag=True, help="Instead, print the same as tables.")
@click.option(
    "--show-values", is_flag=True, help="Show values on the page and in the tables, not their shapes: personal data."
)
@click.pass_obj
def preview(given: Given, *, limit: int | None, page: Path | None, is_table: bool, show_values: bool) -> int:
    """Print every event as it would be sent, a line of JSON each, and everything that is wrong, such as two
    persons' events under one event_id. Nothing is sent.

    A summary stands at the end, on standard error.
    """
    if show_values and not (page or is_table):
        raise click.UsageError("--show-values goes with --html or --table: the lines of JSON show values anyway.")
    for doubt in given.variable_doubts():
        click.echo(f"warning: {escaped(doubt)}", err=True)
    with ExitStack() as stack:
        save = None if page is None else stack.enter_context(replacing(page, option="--html"))
        source = stack.enter_context(given.opened())
        target = given.target()
        overview = None
        if page or is_table:
            overview = Overview(target.settings.mappings, target.streams.mask, shows=show_values)
        seen = Preview(target, write=write, overview=overview, limit=limit)
        seen.read(source)
        if overview is not None:
            _tell(seen, overview, save, is_table=is_table)
    sys.stdout.flush()  # before the summary, where both go to one terminal
    for line in seen.summary():
        click.echo(escaped(line), err=True)
    return seen.exit_code


def _tell(seen: Preview, overview: Overview, save: Callable[[str], None] | None, *, is_table: bool) -> None:
    """The page and the tables, as far as they are asked for."""
    if save is not None:
        from target_driftrock.commands.preview_page import page_of

        save(page_of(seen, overview))
    if is_table:
        from target_driftrock.commands.preview_table import tables_of

        terminal = console()
        for table in tables_of(overview):
            terminal.print(table)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that would stop a run."""

    text: str
    exit_code: ExitCode


class Preview:
    """One input, looked at. `write` takes what is printed, a line of JSON at a time: personal data, all of it.

    With an `overview` that takes it all, and nothing is printed. Nothing is sent, and the ledger is not opened. Reading
    ends after `limit` records.
    """

    def __init__(
        self,
        target: TargetDriftrock,
        *,
        write: Callable[[bytes], object],
        overview: Overview | None = None,
        limit: int | None = None,
    ) -> None:
        self._streams, self._batch = target.streams, target.records.batch
        self._unread = target.records.tally.unread
        self._write = write
        self._overview = overview
        self._limit = limit
        self._search: Search[_Seen] = Search(api=target.settings.api.name, tell=self._tell)
        self._reader = Reader(is_stopped=self._is_enough, tick=self._search.flush)
        self._records: Counter[str] = Counter()
        self._invalid: Counter[tuple[str, str]] = Counter()
        self._warnings: dict[str, None] = {}  # a tap may repeat a SCHEMA as often as it likes
        self._faults: dict[Fault, None] = {}
        self._unmapped: set[str] = set()

    def read(self, source: IO[bytes] | None) -> None:
        """Print what the messages of `source` would become; standard input if None. To be called once.

        Raises:
            LedgerUnavailable: There is no room to hold the events against each other.
        """
        with closing(self._search):
            self._read(source)
            self._search.flush()
        self._warnings.update(dict.fromkeys(self._streams.idle_mappings()))

    def _read(self, source: IO[bytes] | None) -> None:
        try:
            self._reader.process_lines(source, {"SCHEMA": self._take_schema, "RECORD": self._take_record})
        except InputInvalid as invalid:
            self._note_fault(str(invalid), ExitCode.INPUT, line=self._reader.line)
            return
        if not self._is_enough():
            self._warnings.update(dict.fromkeys(self._streams.unmet_stream_maps()))

    @property
    def findings(self) -> Findings:
        """What is wrong with identities, counted."""
        return self._search.findings

    @property
    def records(self) -> RecordCounts:
        """Records by what came of them."""
        return RecordCounts(**self._records)

    def warnings(self) -> Iterator[str]:
        """What a person should know, a sentence each."""
        yield from (*self._warnings, *self.findings.warnings())

    def errors(self) -> Iterator[str]:
        """What would stop a run, or be held by it, a sentence each; what is invalid has its own count."""
        yield from (fault.text for fault in self._faults)
        yield from self.findings.errors()

    @property
    def exit_code(self) -> int:
        """0 where a run would send everything, else the code of the gravest thing."""
        codes = {fault.exit_code for fault in self._faults}
        if self._invalid or any(self._search.findings.errors()):
            codes.add(ExitCode.REJECTS)
        return min(codes, key=PRECEDENCE.index, default=ExitCode.RESOLVED)

    def summary(self) -> Iterator[str]:
        """What was seen, a line each, without a value."""
        found = self.findings
        yield from (f"warning: {warning}" for warning in self.warnings())
        yield from (f"error: {fault.text}" for fault in self._faults)
        for (mapping, reason), count in sorted(self._invalid.items()):
            yield f"error: {count} invalid of {mapping}: {reason}."
        yield from (f"error: {error}" for error in found.errors())
        yield from self.passed()
        yield f"Records: {self.records.total} read = {self.records.told}."
        yield f"Events: {found.events}{_unsent(found)}. Nothing was sent (exit {self.exit_code})."

    def passed(self) -> Iterator[str]:
        """What filters could not read, and `else` let pass, a sentence each."""
        return unread_lines(self._unread.items())

    def _is_enough(self) -> bool:
        return self._limit is not None and self._reader.counts["RECORD"] >= self._limit

    def _take_schema(self, schema: Schema) -> None:
        try:
            warnings = self._streams.take_schema(schema)
        except SettingsInvalid as invalid:
            self._unmapped.add(schema.stream)
            for fault in invalid.faults:
                self._note_fault(fault, ExitCode.SETTINGS, line=schema.line, stream=schema.stream)
            return
        self._unmapped.discard(schema.stream)
        self._warnings.update(dict.fromkeys(warnings))
        if self._overview is not None:
            self._overview.take_schema(schema)

    def _take_record(self, record: Record) -> None:
        if record.stream in self._unmapped:
            self._records["unmapped"] += 1
            return
        passed = self._unread.copy() if self._overview is not None else self._unread
        self._streams.map(record, position=self._reader.counts["RECORD"])
        parts = self._batch.take()
        self._records[record_kind(parts)] += 1
        self._records["deletions"] += not parts and self._streams.filters_deletion(record)
        if self._overview is not None:
            self._overview.take_record(record)
            self._overview.take_passed(record, self._unread - passed)
        for part in parts:
            self._take_part(record, part)

    def _take_part(self, record: Record, part: Part) -> None:
        if isinstance(part, InvalidPart):
            self._invalid[part.mapping, part.reason] += 1
            self._search.take(_Seen(record=record, part=part))
        else:
            self._search.take(_Seen(record=record, part=part), part)

    def _note_fault(self, text: str, exit_code: ExitCode, **where: Any) -> None:
        fault = Fault(text, exit_code)
        if fault not in self._faults:
            self._search.take(_Seen(fault={**where, "error": fault.text}))
        self._faults[fault] = None

    def _tell(self, seen: _Seen, verdict: Verdict | None) -> None:
        if self._overview is None:
            self._write(visible_json(msgspec.json.encode(seen.members() | marks(verdict))) + b"\n")
        elif seen.record is not None and seen.part is not None:
            self._overview.take(seen.record, seen.part, verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A part of a record, or a fault with where it is."""

    record: Record | None = None
    part: Part | None = None
    fault: Mapping[str, Any] = field(default_factory=dict)

    def members(self) -> dict[str, Any]:
        """The line of JSON that shows it."""
        if self.record is None or self.part is None:
            return {**self.fault}
        if isinstance(self.part, InvalidPart):
            where = {"line": self.record.line, "stream": self.record.stream}
            return {**where, "mapping": self.part.mapping, "invalid": self.part.reason}
        return {
            "line": self.record.line,
            "endpoint": self.part.capture.endpoint.value,
            "mapping": self.part.mapping,
            "event": msgspec.Raw(self.part.body),
        }


def _unsent(found: Findings) -> str:
    """How many of the events a run would pass over, as it has sent others under the same `event_id`."""
    counts = [(found.repeats, "repeat" if found.repeats == 1 else "repeats"), (found.changed, "changed")]
    told = " and ".join(f"{count} {name}" for count, name in counts if count)
    return f", of them {told}" if told else ""
