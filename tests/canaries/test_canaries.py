"""The canary run: values and secrets through every way to fail, and none of them seen anywhere."""

from __future__ import annotations

import ast
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

import psycopg
import pytest

from target_driftrock.ledger import custody
from tests.canaries.cases import CREDENTIALS, MAPPING, QUICKLY, STATE, Case, Run, cases
from tests.canaries.names import names
from tests.canaries.postgres import postgres_cases
from tests.canaries.unsaid import UNSAID
from tests.canaries.values import PERSONAL, SECRETS, found
from tests.canaries.watched import Watched, watched
from tests.contract.places import server
from tests.program import ROOT
from tests.sandbox.wire import Wire
from tests.stage import Stage, wired
from tests.test_no_personal_data import echoing

EVERYTHING = {**PERSONAL, **SECRETS, "older": "CANARY-person@example.com", "oldest": "CANARY-secret"}
KNOWN_BY_VALUE = frozenset({"kept", "schemas", "unknown"})
"""Tables of the ledger that are there to keep what a person has to look at: see docs/ledger.md."""


KEY = 70
"""Characters by which a place is known in `UNSAID`."""
CODES = {0, 1, 2, 3, 4, 5, 6, 70, 143}
"""1 is Python's own, of what is no Exception."""


@dataclass(slots=True)
class Seen:
    """What was found, by where."""

    values: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    def look(self, where: str, data: bytes) -> None:
        """Note which values are there."""
        self.values.extend(f"{where}: {value}" for value in sorted(found(data, EVERYTHING)))


def test_nothing_is_seen_and_everything_is_tried(tmp_path: Path) -> None:
    """No value on either stream, in a receipt, in the ledger's other tables, in a file; no process is started.

    All that can be logged, and all that can be raised with a text made of something, was, but for `UNSAID`.
    """
    seen, unsaid = _play_all(cases(), tmp_path)

    assert (seen, sorted(unsaid - {*UNSAID} - _of_a_server())) == (Seen(), [])


def test_nothing_is_seen_when_values_stand_as_names(tmp_path: Path) -> None:
    """The same, of columns and of streams. How identities are made is kept with the names that they are made of."""
    seen, _ = _play_all(names(), tmp_path, known=KNOWN_BY_VALUE | {"ways"})

    assert seen == Seen()


@pytest.mark.postgres
def test_nothing_is_seen_when_the_ledger_is_in_postgresql(tmp_path: Path) -> None:
    """The same, whatever its server does or says."""
    with server():
        seen, unsaid = _play_all(postgres_cases(), tmp_path)

    assert (seen, sorted(unsaid & _of_a_server() - {*UNSAID})) == (Seen(), [])


LEAKS = {
    "a log": ("a leak , stderr: email", "sys.stderr.write(json.dumps(value))"),
    "output": ("a leak : email", "print(base64.b64encode(value.encode()))"),
    "a file": ("a leak: left", "open('tmp/left', 'w')"),
    "a table": ("a leak, facts: email", "ledger.execute(put, (value,)).connection.commit()"),
}
_LEAK = """
import atexit, base64, json, sqlite3, sys
def leak():
    value, put = {value!r}, "INSERT INTO facts VALUES ('leak', ?)"
    ledger = sqlite3.connect("ledger/ledger.sqlite3")
    {leak}
atexit.register(leak)
"""


@pytest.mark.parametrize(("told", "leak"), LEAKS.values(), ids=LEAKS)
def test_it_is_seen_when_something_leaks(told: str, leak: str, tmp_path: Path) -> None:
    """Else all of the above would prove nothing."""
    before = _LEAK.format(value=PERSONAL["email"], leak=leak)

    seen, _ = _play_all([Case(name="a leak", runs=(Run(before=before),))], tmp_path)

    assert told in {*seen.values, *seen.odd}


def test_a_place_is_in_the_code_when_it_is_excepted() -> None:
    """Else a later one of the same words would be, too."""
    assert {*UNSAID} <= {name for name, _, _ in _places()}


def _play_all(played: Iterable[Case], folder: Path, *, known: frozenset[str] = KNOWN_BY_VALUE) -> tuple[Seen, set[str]]:
    """What was found outside the tables `known`, and the places that no run came by."""
    seen = Seen()
    (folder / "warm").mkdir()
    with watched(folder / "warm") as program:
        for number, case in enumerate(played):
            _play(case, program, folder / str(number), seen, known=known)
    seen.odd.extend(program.started)
    seen.odd.extend(sorted(file for file in program.written if not _is_ours(file, folder)))
    return seen, {name for name, file, lines in _places() if program.lines[file].isdisjoint(lines)}


def _play(case: Case, program: Watched, folder: Path, seen: Seen, *, known: frozenset[str]) -> None:
    (folder / "tmp").mkdir(parents=True)
    with ExitStack() as stack:
        if case.manners is None:
            wire = stack.enter_context(wired(**case.faults))
        else:
            wire = Wire(stack.enter_context(echoing(case.manners)))
        stage = Stage(wire=wire, folder=folder)
        location = stack.enter_context(case.ledger()) if case.ledger is not None else None
        for run in case.runs:
            told = run if location is None else replace(run, settings={**(run.settings or {}), "ledger": location})
            _run(case, told, program, stage, seen)
        for table, cell in _cells(folder / "ledger" / "ledger.sqlite3", location, known):
            seen.look(f"{case.name}, {table}", cell if isinstance(cell, bytes) else str(cell).encode())
    seen.odd.extend(f"{case.name}: {file.name}" for file in (folder / "tmp").iterdir())


def _run(case: Case, run: Run, program: Watched, stage: Stage, seen: Seen) -> None:
    form = stage.folder / "log.yaml"
    form.write_text("formatter: StructuredFormatter")
    environ = {**run.environ, "TMPDIR": str(stage.folder / "tmp")}
    if environ.get("SINGER_SDK_LOG_CONFIG"):
        environ["SINGER_SDK_LOG_CONFIG"] = str(form)
    ended = program.run(
        *run.command, *_config(run, stage), lines=run.lines, folder=stage.folder, before=run.before, environ=environ
    )
    where = f"{case.name} {' '.join(run.command)}"
    seen.look(f"{where}, stderr", ended.err.encode())
    if not run.prints:
        given = {json.dumps(STATE["value"]), '{"bookmark": "CANARY-person@example.com"}'}
        seen.look(where, "\n".join(line for line in ended.out.splitlines() if line not in given).encode())
    if ended.code not in CODES:
        seen.odd.append(f"{where}: code {ended.code}")


def _config(run: Run, stage: Stage) -> list[str]:
    if run.settings is None:
        return ["--config=ENV"] if any(name.startswith("TARGET_DRIFTROCK_") for name in run.environ) else []
    settings = stage.settings(**{**CREDENTIALS, **QUICKLY, "streams": [MAPPING], **run.settings})
    file = stage.folder / "config.json"
    file.write_text(json.dumps(settings))
    return [f"--config={file}"]


def _cells(file: Path, location: str | None, known: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """All that the ledger keeps, but in the tables `known`."""
    if file.exists():
        with closing(sqlite3.connect(file)) as ledger:
            listed = "SELECT name FROM sqlite_master WHERE type = 'table'"
            yield from _rows(lambda query: ledger.execute(query).fetchall(), listed, known)
    elif location is not None and "schema=" in location:
        url, _, schema = location.partition("?schema=")
        schema = schema.partition("&")[0]
        with psycopg.connect(url, options=f"-csearch_path={schema}") as server:
            listed = f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'"  # noqa: S608 - the test's own name
            yield from _rows(lambda query: server.execute(query).fetchall(), listed, known)


def _rows(ask: Callable[[str], list[tuple[Any, ...]]], listed: str, known: frozenset[str]) -> Iterator[tuple[str, Any]]:
    for table in sorted({name for (name,) in ask(listed)} - known):
        for row in ask(f"SELECT * FROM {table}"):  # noqa: S608 - the ledger's own names
            yield from ((table, cell) for cell in row)


def _is_ours(file: str, folder: Path) -> bool:
    """Whether the run was meant to write there, or we were. No name at all is `preview`'s database of digests."""
    is_ledger = Path(file).parent.name == "ledger"
    return (
        is_ledger
        or file in {"", "/dev/null", custody.DATABASE, custody.LOCK}  # the latter two in a directory that was opened
        or file.startswith(("file:coverage", f"{folder}/warm", "tmp/", "settings.json"))
    )


def _of_a_server() -> set[str]:
    """Places that a ledger in a directory has nothing to do with."""
    modules = {("ledger", f"{name}.py") for name in ("causes", "postgres", "session")}
    return {name for name, file, _ in _places() if file.parts[1:] in modules}


def _places() -> Iterator[tuple[str, Path, range]]:
    """Where the code can log, or raise with a text that is made: as `UNSAID` names it, with its file and its lines."""
    for file in sorted((ROOT / "target_driftrock").rglob("*.py")):
        path = file.relative_to(ROOT)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if _speaks(node):
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                yield f"{path.relative_to('target_driftrock')}: {ast.unparse(node)[:KEY]}", path, lines


def _speaks(node: ast.AST) -> TypeGuard[ast.Call | ast.Raise]:
    if isinstance(node, ast.Call):
        return ast.unparse(node.func).startswith("log.") and ast.unparse(node.func) != "log.isEnabledFor"
    return isinstance(node, ast.Raise) and node.exc is not None and any(map(_is_made, ast.walk(node.exc)))


def _is_made(node: ast.AST) -> bool:
    """Whether a text is built there."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Mod)
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".format")
    )
