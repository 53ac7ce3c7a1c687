"""A signal ends the program from its first moments on, also where the kernel does not see to that."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.program import PROGRAM, ROOT, Running, finished, interpreted, started
from tests.stage import Stage
from tests.waiting import until

AS_PID_1 = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
"""As the first process of a container is: what it does not take itself, the kernel keeps from it."""
PROMPTLY = 2.0
"""Seconds, on a machine that is busy."""
NUMBERS = [pytest.param(number, id=number.name) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]

INTERRUPTED = """
    import os, signal, sys
    from importlib.abc import MetaPathFinder
    from target_driftrock import start

    _, module, name = sys.argv

    class Interrupting(MetaPathFinder):
        def find_spec(self, name_, path, target=None):
            if name_ == module:
                os.kill(os.getpid(), signal.Signals[name])

    sys.meta_path.insert(0, Interrupting())
    sys.argv = ["target-driftrock", "--about"]
    start.main()
"""
"""A signal comes while a module is imported."""


@pytest.fixture
def as_pid_1() -> tuple[str, ...]:
    """How a command is started so that it is the first process of a namespace."""
    reason = _missing()
    if reason is None:
        return AS_PID_1
    if os.environ.get("TARGET_DRIFTROCK_TEST_REQUIRE_UNSHARE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _missing() -> str | None:
    if shutil.which("unshare") is None:
        return "no unshare on this machine, which makes a process the first one of a namespace"
    tried = subprocess.run([*AS_PID_1, "true"], check=False, capture_output=True)
    return "unshare makes no namespace here, which takes root's rights" if tried.returncode else None


@pytest.mark.parametrize("module", ["click", "singer_sdk"])
@pytest.mark.parametrize("number", NUMBERS)
def test_it_ends_when_a_signal_comes_while_the_first_process_starts(
    module: str, number: signal.Signals, as_pid_1: tuple[str, ...]
) -> None:
    """The imports take the best part of a second, and an orchestrator does not ask whether they are done."""
    code = [sys.executable, "-c", textwrap.dedent(INTERRUPTED)]

    done = finished(module, number.name, folder=ROOT, command=[*as_pid_1, *code])

    assert (done.code, done.out, done.err) == (128 + number, "", "")


@pytest.mark.parametrize("number", NUMBERS)
def test_it_dies_of_the_signal_when_one_comes_while_it_starts(number: signal.Signals) -> None:
    """As every other program does, without a traceback: a shell calls it 128 and the number."""
    done = interpreted(INTERRUPTED, "singer_sdk", number.name)

    assert (done.code, done.out, done.err) == (-number, "", "")


def test_ctrl_c_stays_ignored_when_it_was_at_the_start() -> None:
    """As under `nohup`, or in the background of a script."""
    done = interpreted("""
        import signal, sys
        from target_driftrock import start
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.argv = ["target-driftrock", "--help"]
        try:
            start.main()
        finally:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    """)

    assert (done.code, done.err) == (0, "")


@contextmanager
def silent() -> Iterator[str]:
    """A host that takes a connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


WAITING = {
    "a run": (),
    "preview": ("preview",),
    "check": ("check",),
    "trace": ("trace", "-"),
    "rejects": ("rejects", "--delete", "--email", "-"),
    "sandbox": ("sandbox", "--port", "0"),
}


@pytest.mark.parametrize("arguments", WAITING.values(), ids=WAITING)
def test_it_ends_promptly_when_a_signal_comes_to_the_first_process(
    arguments: tuple[str, ...], as_pid_1: tuple[str, ...], stage: Stage
) -> None:
    """Whatever it waits for: a tap, a host, a person, or what a start takes its time for."""
    stage.run()  # which makes the ledger
    with silent() as url:
        options = () if "sandbox" in arguments else (stage.config(api_url=url, client_id="id", client_secret="secret"),)
        for seconds in (0.0, 1.5):
            with started(*arguments, *options, folder=stage.folder, command=[*as_pid_1, PROGRAM]) as running:
                pid = _inner(running)
                running.lasts(seconds)
                begun = time.monotonic()
                os.kill(pid, signal.SIGTERM)
                code = running.process.wait(20)

                assert code == 128 + signal.SIGTERM, running.log
                assert time.monotonic() - begun < PROMPTLY


@pytest.mark.parametrize("arguments", [("report",), ("rejects", "--table"), ("check",)], ids=" ".join)
def test_it_ends_promptly_when_a_signal_comes_while_somebody_has_the_ledger(
    arguments: tuple[str, ...], as_pid_1: tuple[str, ...], stage: Stage
) -> None:
    """SQLite waits five seconds for a lock, and Python runs no handler in that time."""
    stage.run()  # which makes the ledger
    with (
        closing(sqlite3.connect(stage.folder / "ledger" / "ledger.sqlite3", isolation_level=None)) as other,
        started(*arguments, stage.config(), folder=stage.folder, command=[*as_pid_1, PROGRAM]) as running,
    ):
        for statement in ("PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE"):
            other.execute(statement)
        pid = _inner(running)
        assert running.lasts(1.0), running.log
        begun = time.monotonic()
        os.kill(pid, signal.SIGTERM)

        assert running.process.wait(20) == 128 + signal.SIGTERM, running.log
        assert time.monotonic() - begun < PROMPTLY


def _inner(running: Running) -> int:
    """The process that is the first one, once it takes signals."""
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
    found: list[int] = []

    def takes_signals() -> bool:
        found[:] = map(int, children.read_text().split())
        return bool(found) and _takes(found[0], signal.SIGTERM)

    until(takes_signals)
    return found[0]


def _takes(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    [caught] = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(caught >> (number - 1) & 1)
