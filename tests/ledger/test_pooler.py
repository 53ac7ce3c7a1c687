"""A pooler that lends sessions for a transaction breaks every lock: it is found out before anything is set there."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from target_driftrock.errors import LedgerUnavailable, SettingsInvalid
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.inspection import doubts
from target_driftrock.ledger.postgres import is_shared
from target_driftrock.ledger.reading import reading
from tests.contract.places import SERVER, new_schema, opened
from tests.delivery.examples import API
from tests.waiting import until

SETUP = """\
[databases]
* = host=127.0.0.1 port=5432 user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = any
pool_mode = {mode}
server_round_robin = {in_turn}
default_pool_size = {sessions}
query_wait_timeout = 1
unix_socket_dir =
"""
_ROOT_BECOMES = "user = nobody\n"
"""It does not serve as root, and cannot become another where it is none."""
_MISSING = "no pgbouncer on this machine"


@pytest.mark.parametrize(
    ("ours", "theirs", "shared"),
    [
        pytest.param([1, 1, 1], [2, 2], False, id="a session each"),
        pytest.param([1, 1, 2], [1, 1], True, id="ours was given away"),
        pytest.param([1, 1, 1], [2, 1], True, id="ours was lent"),
        pytest.param([1, 2, 1], [3, 3], True, id="ours was changed"),
    ],
)
def test_sessions_are_shared_when_a_process_serves_two_of_them(
    ours: list[int],
    theirs: list[int],
    shared: bool,  # noqa: FBT001
) -> None:
    """A session of its own keeps its process, and nobody else has it."""
    assert is_shared(ours, theirs) is shared


@contextmanager
def pooler(mode: str, directory: Path, *, in_turn: bool = False, sessions: int = 20) -> Iterator[str]:
    """The URL of one with so many sessions. It lends the one that came back last, or each `in_turn`."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/bin")
    if program is None:
        if os.environ.get("TARGET_DRIFTROCK_TEST_REQUIRE_PGBOUNCER") == "1":
            pytest.fail(_MISSING)
        pytest.skip(_MISSING)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    setup = directory / "pgbouncer.ini"
    text = SETUP.format(port=port, mode=mode, in_turn=int(in_turn), sessions=sessions)
    setup.write_text(text if os.geteuid() else text + _ROOT_BECOMES)
    process = subprocess.Popen([program, "--quiet", str(setup)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: _answers(port))
        yield SERVER.replace(":5432", f":{port}")
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _run(location: str) -> None:
    open_ledger(location, api=API, wait=0, is_stopped=lambda: False)


def _read(location: str) -> None:
    with reading(location):
        pass


LOOKS: dict[str, Callable[[str], object]] = {"run": _run, "check": doubts, "read": _read}


def others(location: str, count: int) -> list[dict[str, str]]:
    """What so many other clients of a pool find set, all of whom have a session at the same time."""
    names = ("search_path", "statement_timeout", "lock_timeout", "client_encoding")
    with ExitStack() as stack:
        clients = [stack.enter_context(psycopg.connect(location, autocommit=True)) for _ in range(count)]
        if count > 1:
            for client in clients:
                client.execute("BEGIN")
        return [{name: _setting(client, name) for name in names} for client in clients]


def _setting(client: psycopg.Connection, name: str) -> str:
    found = client.execute("SELECT current_setting(%s)", [name], prepare=False).fetchone()
    assert found is not None
    return str(found[0])


@pytest.mark.postgres
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("in_turn", [False, True], ids=["last-first", "in-turn"])
def test_a_pooler_is_refused_when_it_lends_sessions_for_a_transaction(
    tmp_path: Path,
    look: Callable[[str], object],
    in_turn: bool,  # noqa: FBT001
) -> None:
    """Nobody waits; the way out is named; and the pool's other clients find what was set there before."""
    with new_schema() as direct, pooler("transaction", tmp_path, in_turn=in_turn) as through:
        before = others(through, 2)

        with pytest.raises(SettingsInvalid) as refused:
            look(direct.replace(SERVER, through))

        assert "pooler" in str(refused.value)
        assert "the server's own port" in str(refused.value)
        assert others(through, 3) == [before[0]] * 3


@pytest.mark.postgres
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_pooler_is_refused_when_it_lends_sessions_for_a_statement(
    tmp_path: Path, look: Callable[[str], object]
) -> None:
    """In the same words: it takes no transaction at all."""
    with new_schema() as direct, pooler("statement", tmp_path) as through:
        before = others(through, 1)

        with pytest.raises(SettingsInvalid) as refused:
            look(direct.replace(SERVER, through))

        assert "pooler" in str(refused.value)
        assert "the server's own port" in str(refused.value)
        assert others(through, 1) == before


@pytest.mark.postgres
def test_a_pooler_serves_a_run_when_it_is_in_session_mode(tmp_path: Path) -> None:
    """It is as good as the server itself, and takes back what was set."""
    with new_schema() as direct, pooler("session", tmp_path) as through:
        before = others(through, 1)
        location = direct.replace(SERVER, through)

        assert doubts(location) == []
        with opened(location) as ledger:
            assert ledger.is_new
        assert others(through, 3) == before * 3


@pytest.mark.postgres
def test_a_pooler_is_waited_for_when_it_has_no_session_free(tmp_path: Path) -> None:
    """What it is cannot be told by one session alone."""
    with new_schema() as direct, pooler("session", tmp_path, sessions=1) as through:
        with pytest.raises(LedgerUnavailable, match="pooler has no session free"):
            _run(direct.replace(SERVER, through))
        assert others(through, 1) == others(SERVER, 1)
