"""A run and `check` say the same of a place, in the same words, and what no waiting mends ends a run at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from target_driftrock.errors import LedgerUnavailable, RunStopped, SettingsInvalid
from target_driftrock.ledger.durable import DurableLedger, open_ledger
from target_driftrock.ledger.exclusive import exclusive
from target_driftrock.ledger.inspection import doubts
from target_driftrock.ledger.interface import Intent, Standing
from target_driftrock.ledger.location import parse_location
from tests.contract.places import SERVER, opened, role
from tests.contract.recalling import standings
from tests.delivery.examples import API, event
from tests.faults.cluster import Cluster, cluster
from tests.faults.trial import NotPlayed
from tests.ledger.rows import alter
from tests.ledger.test_causes import said
from tests.ledger.test_lock import on_look
from tests.lying import wherever
from tests.program import ROOT, finished
from tests.stage import logged
from tests.waiting import until

LONG = 600.0
"""Seconds for which a run would wait, if waiting helped."""


def run(location: str) -> list[str]:
    """What a run warns of before it begins."""
    with logged() as lines:
        ledger = open_ledger(location, api=API, wait=LONG, is_stopped=lambda: False)
    assert ledger is not None
    ledger.close()
    return [line.removeprefix("WARNING ") for line in lines if line.startswith("WARNING ")]


def check(location: str) -> list[str]:
    """What `check` warns of."""
    return wherever(doubts(location))


def begin(location: str) -> None:
    """A run that waits for nothing."""
    open_ledger(location, api=API, wait=0, is_stopped=lambda: False)


def fault_of_both(location: str) -> str:
    """What both say must be mended."""
    return said(location, SettingsInvalid, by=[run, doubts])


# PostgreSQL.


def _inside(location: str, *statements: str) -> None:
    """A superuser says this in the database of a role."""
    name = location.removeprefix("postgresql://").partition("@")[0]
    with psycopg.connect(SERVER, dbname=name, autocommit=True) as inside:
        for statement in statements:
            inside.execute(sql.SQL(statement).format(name=sql.Identifier(name)))


READ_ONLY = {
    "the role": "ALTER ROLE {name} SET default_transaction_read_only = on",
    "the database": "ALTER DATABASE {name} SET default_transaction_read_only = on",
}
LACKING = {
    "all but to read": "GRANT SELECT ON ALL TABLES IN SCHEMA leads TO {name}",
    "to delete": "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA leads TO {name}",
    "the sequence": "GRANT ALL ON ALL TABLES IN SCHEMA leads TO {name}",
}


@pytest.mark.postgres
@pytest.mark.parametrize("statement", READ_ONLY.values(), ids=READ_ONLY)
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "known"])
def test_a_role_is_a_setting_to_mend_when_it_may_only_read(statement: str, is_new: bool) -> None:  # noqa: FBT001
    """Whether there is a ledger or not."""
    with role("GRANT CREATE ON DATABASE {name} TO {name}") as location:
        if not is_new:
            run(location)
        _inside(location, statement)

        assert "default_transaction_read_only" in fault_of_both(location)


@pytest.mark.postgres
@pytest.mark.parametrize("statement", LACKING.values(), ids=LACKING)
def test_a_right_is_a_setting_to_mend_when_a_run_would_need_it_later(statement: str) -> None:
    """Not in the middle of a run, which then has sent something."""
    with role() as location:
        name = location.removeprefix("postgresql://").partition("@")[0]
        run(location.replace(f"{name}@", "postgres@"))
        _inside(location, "GRANT USAGE ON SCHEMA leads TO {name}", statement)

        assert "may not use the tables in the schema leads" in fault_of_both(location)


@pytest.mark.postgres
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "known"])
def test_one_connection_is_enough_when_a_role_may_have_no_more(is_new: bool) -> None:  # noqa: FBT001
    """`check` needs no more of them than a run."""
    limits = ["GRANT CREATE ON DATABASE {name} TO {name}", "ALTER ROLE {name} CONNECTION LIMIT 1"]
    with role(*limits) as location:
        if not is_new:
            run(location)
            _await_no_session(location)

        assert doubts(location, may_make=is_new) == []
        _await_no_session(location)
        with opened(location) as ledger:
            assert ledger.is_new is is_new


def _await_no_session(location: str) -> None:
    """The server ends one a moment after its client has gone."""
    name = location.removeprefix("postgresql://").partition("@")[0]
    question = "SELECT FROM pg_stat_activity WHERE usename = %s"
    with psycopg.connect(SERVER, autocommit=True) as outside:
        until(lambda: outside.execute(question, [name]).fetchone() is None)


@contextmanager
def own_server() -> Iterator[Cluster]:
    """One that may be stopped."""
    try:
        with cluster() as own:
            yield own
    except NotPlayed as missing:
        pytest.skip(str(missing))


@pytest.mark.postgres
def test_a_server_is_waited_for_when_it_is_in_recovery() -> None:
    """A standby may become the primary: no setting is wrong, and `check` says the same."""
    with own_server() as own:
        own.demote()
        assert "the server is read-only, perhaps a standby" in said(own.url, LedgerUnavailable, by=[begin, doubts])

        ledger = open_ledger(own.url, api=API, wait=LONG, is_stopped=on_look(3, own.promote))

        assert ledger is not None
        ledger.close()
        own.demote()
        assert "the server is read-only, perhaps a standby" in said(own.url, LedgerUnavailable, by=[begin, doubts])


@pytest.mark.postgres
def test_a_run_goes_on_when_its_server_is_back_before_it_has_begun() -> None:
    """Once it has begun, it ends: another run may have the lock by then."""
    with own_server() as own:
        own.stop("immediate")
        ledger = open_ledger(own.url, api=API, wait=LONG, is_stopped=on_look(3, own.start))
        assert ledger is not None
        with closing(ledger):
            ledger.commit([Intent(event(1))])
            own.stop("immediate")
            own.start()

            for _ in range(2):
                with pytest.raises(LedgerUnavailable, match=r"connection was lost|ended the session|has crashed"):
                    ledger.commit([Intent(event(2))])

        with opened(own.url) as following:
            assert standings(following, event(1), event(2)) == [Standing.INTENDED, None]


@pytest.mark.postgres
def test_a_run_ends_when_its_server_hangs() -> None:
    """Its machine answers all the same, so that no connection is lost: as where a disk hangs."""
    with own_server() as own:
        hold = exclusive(parse_location(own.url), advice="")
        session: Any = hold.connection.connection.driver_connection
        with closing(DurableLedger(hold, api=API)) as ledger:
            session.patience, process = 0.2, session.info.backend_pid
            os.kill(process, signal.SIGSTOP)
            try:
                for _ in range(2):
                    with pytest.raises(LedgerUnavailable, match=r"no answer in time from 127\.0\.0\.1"):
                        ledger.commit([Intent(event(1))])
            finally:
                os.kill(process, signal.SIGCONT)


NO_LEDGER = {
    "another program's table": ["DROP TABLE facts", "CREATE TABLE facts (other TEXT)"],
    "no version": ["DELETE FROM facts WHERE name = 'version'"],
    "an odd version": ["UPDATE facts SET value = 'x' WHERE name = 'version'"],
    "no salt": ["DELETE FROM facts WHERE name = 'salt'"],
    "a table less": ["DROP TABLE unknown"],
    "another table": ["DROP TABLE unknown", "CREATE TABLE unknown (other TEXT)"],
}


@pytest.mark.parametrize("statements", NO_LEDGER.values(), ids=NO_LEDGER)
def test_a_ledger_is_a_setting_to_mend_when_it_is_not_whole(location: str, statements: list[str]) -> None:
    """Both say it before anything is sent, and no waiting mends it."""
    run(location)
    alter(location, *map(sa.text, statements))

    assert fault_of_both(location).startswith("ledger: ")


# SQLite.


def _damage(ledger: Path) -> None:
    """What a failing disk leaves, behind the first page."""
    file = ledger / "ledger.sqlite3"
    file.write_bytes(file.read_bytes()[:4_096] + b"\xa5" * (file.stat().st_size - 4_096))


def _make_a_directory(ledger: Path) -> None:
    (ledger / "ledger.sqlite3").unlink()
    (ledger / "ledger.sqlite3").mkdir()


WRONG = {
    "damaged": (_damage, "SQLITE_CORRUPT: the file is damaged"),
    "a directory": (_make_a_directory, "must be a file"),
}


@pytest.mark.parametrize(("spoil", "words"), WRONG.values(), ids=WRONG)
def test_a_file_is_a_setting_to_mend_when_it_is_no_sound_ledger(tmp_path: Path, spoil: Any, words: str) -> None:
    """It is left as it is."""
    run(str(tmp_path))
    spoil(tmp_path)

    assert words in fault_of_both(str(tmp_path))


def test_a_path_is_a_setting_to_mend_when_a_file_stands_in_it(tmp_path: Path) -> None:
    """Not the last part alone."""
    (tmp_path / "file").touch()

    assert f"must be a directory, and {tmp_path}/file is a file" in fault_of_both(str(tmp_path / "file" / "a" / "b"))


def test_a_path_is_a_setting_to_mend_when_it_is_a_link_to_nothing(tmp_path: Path) -> None:
    """Such as to a disk that is not mounted."""
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "ledger")

    assert "a link to nothing" in fault_of_both(str(tmp_path / "link"))
    assert "a link to nothing" in fault_of_both(str(tmp_path / "link" / "further" / "down"))


# As other users, and on other mounts: in a process of its own.

AS_USER = """
import os, sys
from tests.ledger.test_verdicts import tell
os.umask(0o022)
os.setgroups([])
os.setgid(2000)
os.setuid(1234)
tell(sys.argv[1])
"""
"""As a container is started with a group of the volume."""
FULL = """
import subprocess, sys
from pathlib import Path
from tests.ledger.test_verdicts import begin, tell
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", sys.argv[2]], check=True)
try:
    Path(sys.argv[2], "filling").write_bytes(b"x" * 100_000)
except OSError:
    tell(sys.argv[1], by_run=begin)
"""
READ_ONLY_MOUNT = """
import subprocess, sys
from tests.ledger.test_verdicts import tell
subprocess.run(["mount", "--bind", sys.argv[2], sys.argv[2]], check=True)
subprocess.run(["mount", "-o", "remount,bind,ro", sys.argv[2]], check=True)
tell(sys.argv[1])
"""


ON_OWN_MOUNTS = ("unshare", "--mount")


def tell(location: str, *, by_run: Callable[[str], object] = run) -> None:
    """Print what a run and `check` say."""
    for look in (by_run, check):
        try:
            told = ["used", look(location)]
        except RunStopped as stop:
            told = [type(stop).__name__, str(stop)]
        print(json.dumps(told))  # noqa: T201 - to the test


def told_by_both(code: str, *arguments: str, command: Sequence[str] = ()) -> list[Any]:
    """How it went, and the text, in which they must agree."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another user, or mount")
    if command and subprocess.run([*command, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("this container may not mount")
    done = finished(*arguments, folder=ROOT, command=[*command, sys.executable, "-c", code])
    assert done.code == 0, done.err
    by_run, by_check = map(json.loads, done.out.splitlines())
    assert by_run == by_check
    return list(by_run)


@pytest.fixture
def ledger() -> Iterator[Path]:
    """A directory that other users can reach, with a ledger in it."""
    with tempfile.TemporaryDirectory(prefix="ledger-test-") as folder:
        Path(folder).chmod(0o755)
        run(f"{folder}/ledger")
        yield Path(folder) / "ledger"


def give(ledger: Path, *, owner: int, directory: int, files: int) -> None:
    """It to an owner and the group 2000, with these permissions; its files stay root's."""
    os.chown(ledger, owner, 2000)
    ledger.chmod(directory)
    for file in ledger.iterdir():
        os.chown(file, 0, 2000)
        file.chmod(files)


def test_a_ledger_is_used_when_its_group_may_write(ledger: Path) -> None:
    """As with a volume of Kubernetes that has a fsGroup, without a warning: nobody else can read what is made there."""
    for file in ledger.iterdir():
        file.unlink()
    give(ledger, owner=1000, directory=0o2770, files=0o660)

    assert told_by_both(AS_USER, str(ledger)) == ["used", []]


UNWRITABLE = {
    "the directory": (0, 0o755, 0o666),
    "the files": (1234, 0o700, 0o444),
    "the files, to read": (1234, 0o700, 0o600),
    "the directory, to look into": (1000, 0o700, 0o600),
}


@pytest.mark.parametrize(("owner", "directory", "files"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_a_ledger_is_a_setting_to_mend_when_the_user_cannot_write_it(
    ledger: Path, owner: int, directory: int, files: int
) -> None:
    """Neither makes anything there."""
    give(ledger, owner=owner, directory=directory, files=files)
    before = sorted(ledger.iterdir())

    how, text = told_by_both(AS_USER, str(ledger))

    assert how == "SettingsInvalid"
    assert "cannot be written by this user" in text
    assert sorted(ledger.iterdir()) == before


@pytest.mark.parametrize("name", ["ledger", "ledger/to/be/made"], ids=["known", "new"])
def test_a_ledger_is_a_setting_to_mend_when_its_file_system_is_read_only(ledger: Path, name: str) -> None:
    """Root, too, cannot write there."""
    how, text = told_by_both(READ_ONLY_MOUNT, str(ledger.parent / name), str(ledger.parent), command=ON_OWN_MOUNTS)

    assert how == "SettingsInvalid"
    assert "mounted read-only" in text


@pytest.mark.parametrize("name", ["/proc/ledger", "/proc/sys/net/to/be/made", "/sys/ledger"])
def test_a_ledger_is_a_setting_to_mend_when_the_kernel_makes_all_that_is_there(name: str) -> None:
    """Root may write there, and can make nothing."""
    assert "where nobody can make a directory" in fault_of_both(name)


def test_a_ledger_is_waited_for_when_its_device_is_full(ledger: Path) -> None:
    """Somebody may make room."""
    how, text = told_by_both(FULL, str(ledger.parent / "new"), str(ledger.parent), command=ON_OWN_MOUNTS)

    assert how == "LedgerUnavailable"
    assert "No space left on device" in text
