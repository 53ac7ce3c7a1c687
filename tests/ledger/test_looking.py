"""Who only looks at a ledger leaves it as it was: no byte of it is changed, and no file is made beside it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError

from target_driftrock.events.outcome import Delivered, Invalid
from target_driftrock.ledger import tables
from target_driftrock.ledger.hold import holding
from target_driftrock.ledger.inspection import doubts, judge_existence
from target_driftrock.ledger.interface import Concluded
from target_driftrock.ledger.reading import Selection, reading
from target_driftrock.ledger.sqlite import SQLite
from tests.contract.places import opened
from tests.delivery.examples import event, invalid_part

Look = Callable[[Path], object]


def read(folder: Path) -> None:
    """All that the commands ask."""
    with reading(str(folder)) as ledger:
        assert len(ledger.runs()) == 1
        assert len(list(ledger.kept(Selection()))) == 1
        assert ledger.groups(Selection())
        ledger.trace("no such id")


LOOKS: dict[str, Look] = {
    "check": lambda folder: doubts(str(folder)),
    "whether-there-is-one": lambda folder: judge_existence(SQLite(path=folder)),
    "read": read,
}


def fill(folder: str, *, is_killed: bool = False) -> None:
    """One run that keeps a row."""
    with opened(folder) as ledger:
        ledger.commit([Concluded(part=event(1), outcome=Delivered())])
        ledger.commit([Concluded(part=invalid_part(2), outcome=Invalid(reason="a rule"))])
        if is_killed:
            os.kill(os.getpid(), signal.SIGKILL)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """What is in each file, and when it was changed; of SQLite's index, which readers share, that it is there."""
    found = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    return {name: (b"", 0) if name.endswith("-shm") else what for name, what in found.items()}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_nothing_is_changed_when_a_finished_run_s_ledger_is_looked_at(tmp_path: Path, look: Look) -> None:
    """One file and the lock, as the run has left them."""
    fill(str(tmp_path))
    before = contents(tmp_path)
    changed_at = tmp_path.stat().st_mtime_ns

    look(tmp_path)

    assert before.keys() == {"ledger.sqlite3", "lock"}
    assert contents(tmp_path) == before
    assert tmp_path.stat().st_mtime_ns == changed_at


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_nothing_is_changed_when_a_killed_run_s_ledger_is_looked_at(tmp_path: Path, look: Look) -> None:
    """What the kill left beside the database is read, and left for the next run."""
    killed = multiprocessing.get_context("spawn").Process(target=partial(fill, str(tmp_path), is_killed=True))
    killed.start()
    killed.join(60)
    before = contents(tmp_path)

    look(tmp_path)

    assert before.keys() == {"ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm", "lock"}
    assert contents(tmp_path) == before


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_nothing_is_changed_when_another_program_s_ledger_is_looked_at(tmp_path: Path, look: Look) -> None:
    """A database that does not write ahead is not made to."""
    fill(str(tmp_path))
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as another:
        another.execute("PRAGMA journal_mode=TRUNCATE")
    before = contents(tmp_path)

    look(tmp_path)

    assert contents(tmp_path) == before


@pytest.mark.parametrize("look", [LOOKS["whether-there-is-one"], LOOKS["read"]], ids=["whether-there-is-one", "read"])
def test_it_is_looked_at_when_nobody_may_write_there(tmp_path: Path, look: Look) -> None:
    """A directory that was mounted to be read is read."""
    fill(str(tmp_path))
    for path in (tmp_path / "ledger.sqlite3", tmp_path / "lock"):
        path.chmod(0o400)
    tmp_path.chmod(0o500)

    look(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"ledger.sqlite3", "lock"}


def test_a_run_begins_and_ends_when_somebody_looks_all_the_while(tmp_path: Path) -> None:
    """Neither waits for the other, and each sees what was committed."""
    fill(str(tmp_path))

    with reading(str(tmp_path)) as reader:
        assert len(reader.runs()) == 1
        with opened(str(tmp_path)) as ledger:
            ledger.commit([Concluded(part=event(3), outcome=Delivered())])
            assert len(reader.runs()) == 2
        assert reader.runs()[-1].delivered == 1
    with opened(str(tmp_path)) as ledger:
        assert not ledger.is_new
    with reading(str(tmp_path)) as reader:
        assert [run.delivered for run in reader.runs()] == [1, 1, 0]


def test_one_file_is_left_when_a_command_has_changed_the_ledger(tmp_path: Path) -> None:
    """As after a run."""
    fill(str(tmp_path))

    with holding(str(tmp_path), wait=0):
        pass

    assert contents(tmp_path).keys() == {"ledger.sqlite3", "lock"}


class Meanwhile:
    """Counts the runs of a ledger; the first time that it is asked, a run begins and ends before it answers."""

    def __init__(self, folder: Path, *, fails: bool = False) -> None:
        self._folder = folder
        self._fails = fails
        self.found: list[int] = []

    def __call__(self, connection: sa.Connection) -> int:
        """How many there are."""
        self.found.append(connection.execute(sa.select(sa.func.count()).select_from(tables.runs)).scalar_one())
        if len(self.found) == 1:
            fill(str(self._folder))
            if self._fails:
                raise DatabaseError("SELECT", None, sqlite3.DatabaseError("database disk image is malformed"))
        return self.found[-1]


@pytest.mark.parametrize("fails", [False, True], ids=["an answer", "half an answer"])
def test_a_question_is_put_again_when_a_run_wrote_meanwhile(tmp_path: Path, *, fails: bool) -> None:
    """What was read of a file while it changed may be of before and after at once."""
    fill(str(tmp_path))
    question = Meanwhile(tmp_path, fails=fails)

    with SQLite(path=tmp_path).look() as ask:
        assert ask is not None
        assert ask(question) == 2

    assert question.found == [1, 2]


def test_a_question_is_put_once_when_it_fails_and_nobody_wrote(tmp_path: Path) -> None:
    """It is the question's own fault, or the file's."""
    fill(str(tmp_path))
    asked: list[None] = []

    def fail(connection: sa.Connection) -> None:
        asked.append(None)
        connection.execute(sa.text("SELECT * FROM nothing"))

    with SQLite(path=tmp_path).look() as ask:
        assert ask is not None
        with pytest.raises(OperationalError):
            ask(fail)

    assert len(asked) == 1
