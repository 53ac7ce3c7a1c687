"""The canary run: values and secrets through every way to fail, and none of them seen anywhere."""

from __future__ import annotations

import ast
import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

from tests.canaries.cases import CREDENTIALS, MAPPING, QUICKLY, STATE, Case, Run, cases
from tests.canaries.unsaid import UNSAID
from tests.canaries.values import PERSONAL, SECRETS, found
from tests.canaries.watched import Watched, watched
from tests.program import ROOT
from tests.sandbox.wire import Wire
from tests.stage import Stage, wired
from tests.test_no_personal_data import echoing

EVERYTHING = {**PERSONAL, **SECRETS, "older": "CANARY-person@example.com", "oldest": "CANARY-secret"}
KNOWN_BY_VALUE = {"kept", "schemas", "unknown"}
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
    seen = Seen()
    (tmp_path / "warm").mkdir()
    with watched(tmp_path / "warm") as program:
        for number, case in enumerate(cases()):
            _play(case, program, tmp_path / str(number), seen)

    elsewhere = sorted(file for file in program.written if not _is_ours(file, tmp_path))
    unsaid = sorted({name for name, file, lines in _places() if program.lines[file].isdisjoint(lines)} - {*UNSAID})
    assert (seen.values, seen.odd, program.started, elsewhere, unsaid) == ([], [], [], [], [])


def test_a_place_is_in_the_code_when_it_is_excepted() -> None:
    """Else a later one of the same words would be, too."""
    assert {*UNSAID} <= {name for name, _, _ in _places()}


def _play(case: Case, program: Watched, folder: Path, seen: Seen) -> None:
    (folder / "tmp").mkdir(parents=True)
    with ExitStack() as stack:
        if case.manners is None:
            wire = stack.enter_context(wired(**case.faults))
        else:
            wire = Wire(stack.enter_context(echoing(case.manners)))
        stage = Stage(wire=wire, folder=folder)
        for run in case.runs:
            _run(case, run, program, stage, seen)
    seen.odd.extend(f"{case.name}: {file.name}" for file in (folder / "tmp").iterdir())
    _look_at_ledger(case, folder / "ledger" / "ledger.sqlite3", seen)


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


def _look_at_ledger(case: Case, file: Path, seen: Seen) -> None:
    if not file.exists():
        return
    with closing(sqlite3.connect(file)) as ledger:
        tables = [name for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in sorted({*tables} - KNOWN_BY_VALUE):
            rows = ledger.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - the ledger's own names
            for cell in (cell for row in rows for cell in row):
                seen.look(f"{case.name}, {table}", cell if isinstance(cell, bytes) else str(cell).encode())


def _is_ours(file: str, folder: Path) -> bool:
    """Whether the run was meant to write there, or we were. No name at all is `preview`'s database of digests."""
    is_ledger = Path(file).parent.name == "ledger"
    return (
        is_ledger
        or file in {"", "/dev/null"}
        or file.startswith(("file:coverage", f"{folder}/warm", "tmp/", "settings.json"))
    )


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
