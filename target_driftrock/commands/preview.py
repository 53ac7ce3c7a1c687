"""`preview`: every event as it would be sent, and everything that is wrong, as a run would make it."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec

from target_driftrock.commands.search import Search, marks
from target_driftrock.commands.terminal import write
from target_driftrock.errors import PRECEDENCE, ExitCode, InputInvalid, SettingsInvalid
from target_driftrock.events.event import InvalidPart
from target_driftrock.given import config_option, input_option
from target_driftrock.naming import escaped, visible_json
from target_driftrock.receipt import RecordCounts, record_kind, unread_lines
from target_driftrock.singer.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_driftrock.commands.search import Findings, Verdict
    from target_driftrock.events.event import Part
    from target_driftrock.given import Given
    from target_driftrock.singer.messages import Record, Schema
    from target_driftrock.target import TargetDriftrock


@click.command()
@config_option
@input_option
@click.option("--max", "limit", type=click.IntRange(1), metavar="N", help="Stop after so many records.")
@click.pass_obj
def preview(given: Given, *, limit: int | None) -> int:
    """Print every event as it would be sent, a line of JSON each, and everything that is wrong, such as two
    persons' events under one event_id. Nothing is sent.

    A summary stands at the end, on standard error.
    """
    for doubt in given.variable_doubts():
        click.echo(f"warning: {escaped(doubt)}", err=True)
    with given.opened() as source:
        seen = Preview(given.target(), write=write, limit=limit)
        seen.read(source)
    sys.stdout.flush()  # before the summary, where both go to one terminal
    for line in seen.summary():
        click.echo(escaped(line), err=True)
    return seen.exit_code


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that would stop a run."""

    text: str
    exit_code: ExitCode


class Preview:
    """One input, looked at. `write` takes what is printed, a line of JSON at a time: personal data, all of it.

    Nothing is sent, and the ledger is not opened. Reading ends after `limit` records.
    """

    def __init__(self, target: TargetDriftrock, *, write: Callable[[bytes], object], limit: int | None = None) -> None:
        self._streams, self._batch = target.streams, target.records.batch
        self._unread = target.records.tally.unread
        self._write = write
        self._limit = limit
        self._search = Search(api=target.settings.api.name, tell=self._print_line)
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
    def exit_code(self) -> int:
        """0 where a run would send everything, else the code of the gravest thing."""
        codes = {fault.exit_code for fault in self._faults}
        if self._invalid or any(self._search.findings.errors()):
            codes.add(ExitCode.REJECTS)
        return min(codes, key=PRECEDENCE.index, default=ExitCode.RESOLVED)

    def summary(self) -> Iterator[str]:
        """What was seen, a line each, without a value."""
        found = self._search.findings
        yield from (f"warning: {warning}" for warning in (*self._warnings, *found.warnings()))
        yield from (f"error: {fault.text}" for fault in self._faults)
        for (mapping, reason), count in sorted(self._invalid.items()):
            yield f"error: {count} invalid of {mapping}: {reason}."
        yield from (f"error: {error}" for error in found.errors())
        yield from unread_lines(self._unread.items())
        records = RecordCounts(**self._records)
        yield f"Records: {records.total} read = {records.told}."
        yield f"Events: {found.events}{_unsent(found)}. Nothing was sent (exit {self.exit_code})."

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

    def _take_record(self, record: Record) -> None:
        if record.stream in self._unmapped:
            self._records["unmapped"] += 1
            return
        self._streams.map(record, position=self._reader.counts["RECORD"])
        parts = self._batch.take()
        self._records[record_kind(parts)] += 1
        self._records["deletions"] += not parts and self._streams.filters_deletion(record)
        for part in parts:
            self._take_part(record, part)

    def _take_part(self, record: Record, part: Part) -> None:
        if isinstance(part, InvalidPart):
            self._invalid[part.mapping, part.reason] += 1
            self._search.take(
                {"line": record.line, "stream": record.stream, "mapping": part.mapping, "invalid": part.reason}
            )
            return
        members = {
            "line": record.line,
            "endpoint": part.capture.endpoint.value,
            "mapping": part.mapping,
            "event": msgspec.Raw(part.body),
        }
        self._search.take(members, part)

    def _note_fault(self, text: str, exit_code: ExitCode, **where: Any) -> None:
        fault = Fault(text, exit_code)
        if fault not in self._faults:
            self._search.take({**where, "error": fault.text})
        self._faults[fault] = None

    def _print_line(self, members: dict[str, Any], verdict: Verdict | None) -> None:
        self._write(visible_json(msgspec.json.encode(members | marks(verdict))) + b"\n")


def _unsent(found: Findings) -> str:
    """How many of the events a run would pass over, as it has sent others under the same `event_id`."""
    counts = [(found.repeats, "repeat" if found.repeats == 1 else "repeats"), (found.changed, "changed")]
    told = " and ".join(f"{count} {name}" for count, name in counts if count)
    return f", of them {told}" if told else ""
