"""A pooler in transaction mode breaks every lock, and is found out before a run relies on it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from target_driftrock.ledger.inspection import doubts
from target_driftrock.ledger.postgres import is_shared
from tests.contract.places import SERVER, new_schema, opened, server

SETUP = """\
[databases]
* = host=127.0.0.1 port=5432 user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = any
pool_mode = {mode}
unix_socket_dir =
user = nobody
"""


@pytest.mark.parametrize(
    ("processes", "shared"),
    [
        pytest.param((1, 2, 1), False, id="a session each"),
        pytest.param((1, 1, 2), True, id="ours was given away"),
        pytest.param((1, 1, 1), True, id="ours was lent"),
        pytest.param((1, 2, 3), True, id="ours was changed"),
    ],
)
def test_sessions_are_shared_when_a_process_serves_two_of_them(processes: tuple[int, int, int], shared: bool) -> None:  # noqa: FBT001
    """Ours, another's, and ours again while the other one is in a transaction."""
    assert is_shared(*processes) is shared


@contextmanager
def _pooler(mode: str, directory: Path) -> Iterator[str]:
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/bin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    setup = directory / "pgbouncer.ini"
    setup.write_text(SETUP.format(port=port, mode=mode))
    process = subprocess.Popen([program, "--quiet", str(setup)], stderr=subprocess.DEVNULL)
    try:
        _await_port(port)
        yield SERVER.replace(":5432", f":{port}")
    finally:
        process.terminate()
        process.wait()


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    pytest.fail("pgbouncer did not start")


@pytest.mark.postgres
def test_a_pooler_is_found_out_when_it_is_in_transaction_mode(tmp_path: Path) -> None:
    """The warning says what to name instead."""
    with server(), _pooler("transaction", tmp_path) as location:
        (warning,) = doubts(location)

    assert "pooler in transaction mode" in warning


@pytest.mark.postgres
def test_a_pooler_serves_a_run_when_it_is_in_session_mode(tmp_path: Path) -> None:
    """It is as good as the server itself."""
    with new_schema() as direct, _pooler("session", tmp_path) as pooler:
        location = direct.replace(SERVER, pooler)

        assert doubts(location) == []
        with opened(location) as ledger:
            assert ledger.is_new
