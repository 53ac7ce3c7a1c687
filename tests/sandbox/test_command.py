"""The command, as its own process."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from target_driftrock.sandbox import faults
from target_driftrock.sandbox.background import in_thread
from target_driftrock.sandbox.server import Sandbox
from tests.program import Ended, finished, serving
from tests.sandbox.wire import LEAD, Wire
from tests.waiting import until

COMMAND = (sys.executable, "-c", "from target_driftrock.sandbox.command import sandbox; sandbox()")

running_sandbox = partial(serving, command=COMMAND)


def ended(*options: str) -> Ended:
    """The command, run to its end."""
    return finished(*options, folder=Path(), command=COMMAND)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_when_a_signal_comes_and_requests_hang(number: signal.Signals) -> None:
    """A hanging request keeps nothing alive; stdout stays empty, and a malformed request is logged without content."""
    with running_sandbox("--silent-share", "1") as (running, wire), wire.hang():
        until(lambda: wire.counts()["requests"] == 1)
        wire.raw(b"POST /v2/event HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nada@example.com\r\n")

        running.tell(number)
        done = running.ended(seconds=5)

    assert (done.code, done.out) == (128 + number, "")
    assert done.err.splitlines()[1:] == ["A request failed: BadHttpMessage."]


def test_options_choose_faults_when_it_starts() -> None:
    """An option spells each fault as the command line can."""
    with running_sandbox("--down", "--slow-share", ".5", "--refuse-sources", "a,b", "--retry-after", "date") as (
        _,
        wire,
    ):
        told = wire.get("/_sandbox/faults")

    assert (told["down"], told["slow_share"], told["refuse_sources"]) == (True, 0.5, ["a", "b"])
    assert told["retry_after"] == "date"


def test_options_restrict_who_may_send_when_it_starts() -> None:
    """Named credentials and a named key are the only ones."""
    with running_sandbox("--client-id", "x", "--client-secret", "y", "--api-key", "z") as (_, wire):
        assert wire.token().status == 401
        assert wire.event(LEAD, authorization="Bearer z").status == 201


def test_it_says_what_to_do_when_its_port_is_taken() -> None:
    """One sentence, exit 2."""
    with running_sandbox() as (_, wire):
        port = urlsplit(wire.url).port
        run = ended("--port", str(port))

    assert run.code == 2
    assert run.out == ""
    assert run.err == (
        f"Error: Port {port} of 127.0.0.1 is taken: end what listens there, or choose another with --port.\n"
    )


def test_a_thread_raises_when_its_port_is_taken(wire: Wire) -> None:
    """A sandbox within a process fails where it is started."""
    with pytest.raises(OSError, match="in use"), in_thread(Sandbox(), port=wire.address[1]):
        pass


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(("--host", "0.0.0.0"), "loopback", id="every address"),  # noqa: S104
        pytest.param(("--host", "example.com"), "loopback", id="another machine"),
        pytest.param(("--error-share", "2"), "error_share", id="a share above all"),
        pytest.param(("--latency", "long"), "--latency", id="no number"),
        pytest.param(("--client-id", "x"), "--client-secret", id="half a pair"),
        pytest.param(("--record", f"{os.devnull}/x"), "--record", id="no place for the record"),
    ],
)
def test_it_refuses_to_start_when_an_option_is_wrong(options: tuple[str, ...], told: str) -> None:
    """Exit 2, and the message names the option."""
    run = ended(*options)

    assert (run.code, run.out) == (2, "")
    assert told in run.err


def test_help_explains_every_fault_when_it_is_asked_for() -> None:
    """Each fault is an option with its sentence."""
    text = " ".join(ended("--help").out.split())

    assert [row.name for row in faults.table() if f"--{row.name.replace('_', '-')} " not in text] == []
    assert [row.name for row in faults.table() if row.sentence.split(",")[0] not in text] == []
