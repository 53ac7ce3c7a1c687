"""A person's values where names are looked for: as those of columns, and of streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.canaries.cases import MAPPING, REFUSING, SCHEMA, STATE, Case, Run, broken
from tests.canaries.values import PERSONAL
from tests.program import written
from tests.stage import LEADS, record, schema

NAMED = {value: {"type": ["string", "null"]} for value in PERSONAL.values()}
SHEET = schema(properties={"id": {"type": "integer"}, **NAMED})
"""What a tap makes of a sheet whose first row is a person's."""
ODD = {name: [name] for name in NAMED}
"""What no such column may hold."""
STREAMS = ("email", "note")
"""Values of which a stream's name tells that it is one."""
LOOKS = tuple(Run(command=command, lines=b"") for command in (("report", "--json"), ("rejects", "--table")))


def names() -> Iterator[Case]:
    """Through all that can go wrong with either."""
    yield from _columns()
    yield from _streams()


def _columns() -> Iterator[Case]:
    one = {**LEADS, "fields": {"id": "{id}"}}
    for name, message, settings in (
        ("all of them", SHEET, {}),
        ("none of them", SHEET, {"streams": [one]}),
        ("one that is missing", SHEET, {"streams": [{**LEADS, "fields": {"a": "{email}"}}]}),
        ("as a key", {**SHEET, "key_properties": [*NAMED]}, {"streams": [one]}),
        ("as a key that is missing", {**SHEET, "key_properties": [f"other {PERSONAL['email']}"]}, {}),
        ("below", schema(properties={"id": {}, "below": SHEET["schema"]}), {"streams": [one]}),
        ("in a stream map", SHEET, {"stream_maps": {"leads": {"made": "nothing_there"}}}),
        ("flat", SHEET, {"flattening_enabled": True, "flattening_max_depth": 2}),
    ):
        rows = (record(1, **dict.fromkeys(NAMED, "a")), record(2, **ODD), record(3, **{PERSONAL["email"]: 1}))
        yield Case(name=f"columns: {name}", runs=_runs(written([message, *rows, STATE]), settings), faults=REFUSING)
    for place in ("mapping.stream:CompiledStream.choose", "records.stream:RecordStream.__init__", "cli:run"):
        run = replace(broken(place), lines=written([SHEET, record(1, **ODD)]))
        yield Case(name=f"columns: defect {place}", runs=(run,))


def _streams() -> Iterator[Case]:
    any_stream = {**MAPPING, "stream": "*"}
    for value in (PERSONAL[name] for name in STREAMS):
        rows = (record(1, value, **PERSONAL), record(2, value, few=value), record(3, value, id=value))
        lines = written([{**SCHEMA, "stream": value}, *rows, STATE])
        for name, settings in (
            ("mapped", {"streams": [any_stream]}),
            ("without what a template names", {"streams": [{**any_stream, "fields": {"a": "{a}"}}]}),
            ("in a stream map", {"streams": [any_stream], "stream_maps": {"*": {"a": "nothing_there"}}}),
        ):
            yield Case(name=f"stream: {value[:8]} {name}", runs=_runs(lines, settings), faults=REFUSING)


def _runs(lines: bytes, settings: Mapping[str, Any]) -> tuple[Run, ...]:
    """`check`, `preview`, a run, and what the ledger knows of it then."""
    looks = (Run(command=("check", "--input=-"), lines=lines), Run(command=("preview",), lines=lines, prints=True))
    return tuple(replace(run, settings=settings) for run in (*looks, Run(lines=lines), *LOOKS))
