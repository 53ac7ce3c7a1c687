"""Each exit code of a run, by the installed command."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.acceptance.process import CANARY, SCHEMA, Command, accepted, bookmark, leads, record, settings, state
from tests.program import PROGRAM, sandbox, written
from tests.sandbox.wire import Wire
from tests.waiting import until

pytestmark = pytest.mark.acceptance

FIVE = tuple(leads(range(1, 6)))
TWENTY = tuple(leads(range(1, 21)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A way for a run to end. `delivered` are the leads that arrived, `told` a part of the last line."""

    code: int
    told: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[str, Any] = field(default_factory=dict)
    tap: bytes = written(FIVE)
    delivered: Iterable[int] = ()
    states: Iterable[int] = ()


CASES = {
    "all-is-delivered": Case(code=0, told="All is resolved", delivered=range(1, 6), states=[5]),
    "nothing-comes": Case(code=0, told="No record came: if some should have, see the tap's log", tap=b""),
    "an-unmapped-stream": Case(
        code=2,
        told="no mapping names the stream deals",
        tap=written([*FIVE, {**SCHEMA, "stream": "deals"}]),
        delivered=range(1, 6),
        states=[5],
    ),
    "a-property-that-the-schema-has-not": Case(
        code=2,
        told="nearest is email",
        changes={"streams": [{"stream": "leads", "event_type": "lead", "fields": {"e": "{emial}"}}]},
    ),
    "a-key-that-is-a-place-in-a-file": Case(
        code=2,
        told="event_id is missing",
        tap=written([{**SCHEMA, "key_properties": ["_sdc_source_lineno"]}, *FIVE[1:]]),
    ),
    "a-ledger-that-is-not-there": Case(code=2, told="new_ledger", changes={"new_ledger": "refuse"}),
    "an-api-key-that-is-refused": Case(
        code=3, told="api_key", changes={"api_key": f"{CANARY}-key", "client_id": None, "client_secret": None}
    ),
    "a-closed-capture": Case(
        code=3,
        told="check the source_id",
        faults={"refuse_sources": ["capture-1"], "refuse_status": 403},
    ),
    "a-capture-that-is-not-there": Case(
        code=3,
        told="check the source_id",
        faults={"refuse_sources": ["capture-1"], "refuse_status": 404},
    ),
    "a-web-page-for-an-api": Case(code=3, told="a web page with status 200", faults={"html": True}),
    "an-api-that-is-down": Case(
        code=4, told="max_outage_seconds", faults={"down": True}, changes={"max_outage_seconds": 0.3}
    ),
    "a-token-endpoint-that-is-down": Case(
        code=4, told="max_outage_seconds", faults={"token_down": True}, changes={"max_outage_seconds": 0.3}
    ),
    "a-connection-that-is-always-reset": Case(
        code=4, told="max_outage_seconds", faults={"closed": True}, changes={"max_outage_seconds": 0.3}
    ),
    "a-malformed-line": Case(
        code=5,
        told="Line 8 is not JSON",
        tap=written(FIVE) + f'{{"type": "RECORD", {CANARY}\n'.encode() + written([record(9), state(9)]),
        delivered=range(1, 6),
        states=[5],
    ),
    "an-input-that-is-cut": Case(
        code=5,
        told="ends inside line 8",
        tap=written([*FIVE, record(6)])[:-20],
        delivered=range(1, 6),
        states=[5],
    ),
    "a-record-before-its-schema": Case(
        code=5,
        told="Line 8",
        tap=written([*FIVE, {**record(6), "stream": "deals"}]),
        delivered=range(1, 6),
        states=[5],
    ),
    "a-batch": Case(
        code=5,
        told="Line 8 is a BATCH message",
        tap=written([*FIVE, {"type": "BATCH", "stream": "leads", "manifest": [f"{CANARY}.jsonl"]}]),
        delivered=range(1, 6),
        states=[5],
    ),
    "an-invalid-record": Case(
        code=0,
        told="All is settled but 1 event refused, as told above",
        tap=written([*leads([1, 2]), record(3, email=7), record(4), state(4)]),
        delivered=[1, 2, 4],
        states=[4],
    ),
    "an-id-of-two-people": Case(
        code=0,
        told="All is settled but 1 event held for your decision",
        tap=written([SCHEMA, record(1), record(1, email="another@example.com"), state(1)]),
        delivered=[1],
        states=[1],
    ),
    "few-records-and-all-of-them-invalid": Case(
        code=6,
        told="2 of 2 of stream leads",
        tap=written([SCHEMA, record(1, email=7), record(2, email=7), state(2)]),
        states=[2],
    ),
    "the-same-and-nobody-minds": Case(
        code=0,
        told="All is settled but 2 events refused, as told above",
        tap=written([SCHEMA, record(1, email=7), record(2, email=7), state(2)]),
        changes={"max_reject_percent": 100},
        states=[2],
    ),
    "many-invalid-records": Case(
        code=6,
        told="10 of 20 of stream leads",
        tap=written([SCHEMA, *(record(number, email=7 if number % 2 else "") for number in range(1, 21)), state(20)]),
        delivered=range(2, 21, 2),
        states=[20],
    ),
    "nothing-but-invalid-records": Case(
        code=6,
        told="first 10 records of stream leads are all invalid",
        tap=written([SCHEMA, *(record(number, email=7) for number in range(1, 21))]),
    ),
    "a-capture-that-refuses-all": Case(
        code=6,
        told="refused the first ten events",
        faults={"refuse_sources": ["capture-1"]},
        tap=written(TWENTY),
    ),
    "a-capture-that-refuses-a-few": Case(
        code=6,
        told="refuse",
        faults={"refuse_sources": ["capture-1"]},
        states=[5],
    ),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_the_exit_code_tells_the_cause_when_a_run_ends(case: Case, command: Command, double: Wire) -> None:
    """Code, last line, what arrived and the last STATE fit together, and no value of a record is printed."""
    double.post("/_sandbox/faults", case.faults)

    ended = command.run("--config", command.config(settings(double.url, **case.changes)), tap=case.tap)

    assert ended.code == case.code, ended.err
    assert case.told in ended.last_line
    assert sorted(accepted(double)) == list(case.delivered)
    assert [bookmark(value) for value in ended.states] == list(case.states)


def test_nothing_is_sent_when_a_mended_id_would_send_all_again(command: Command, double: Wire) -> None:
    """The run before knew the leads by another id: it says what to type, and with that the next one goes on."""
    given = settings(double.url)
    mended = {**given["streams"][0], "event_id": "lead-{id}"}
    six = leads(range(1, 7))
    command.deliver(given, FIVE)

    told = command.deliver({**given, "streams": [mended]}, six)
    done = command.deliver({**given, "streams": [{**mended, "formerly": {"event_id": "leads:{id}"}}]}, six)

    assert (told.code, told.out) == (2, "")
    assert 'formerly: {"event_id": "leads:{id}"}' in told.last_line
    assert done.code == 0
    assert sorted(accepted(double)) == list(range(1, 7))


def test_settings_are_all_told_when_they_are_wrong(command: Command) -> None:
    """Each fault is a line of its own, and nothing else is printed."""
    ended = command.deliver({"environment": CANARY, "client_id": CANARY, "sources": CANARY}, FIVE)

    assert (ended.code, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 5
    assert all(line.startswith("error: ") for line in ended.err.splitlines())


def test_it_says_which_settings_to_look_at_when_the_credentials_are_refused(command: Command) -> None:
    """The documented 401 of the token endpoint stops the run at once."""
    with sandbox("--client-id", "another", "--client-secret", "another") as wire:
        ended = command.deliver(settings(wire.url), FIVE)

        assert (ended.code, ended.out) == (3, "")
        assert "check that client_id and client_secret belong together" in ended.last_line
        assert wire.counts()["token_requests"] == 1


def test_a_second_run_waits_and_says_for_whom_when_the_ledger_is_taken(command: Command, double: Wire) -> None:
    """One run per ledger: the second gives up after `max_outage_seconds`, with nothing read."""
    with command.started("--config", command.config(settings(double.url, batch_size_rows=1))) as first:
        first.feed(FIVE)
        until(lambda: len(accepted(double)) == 5)
        ended = command.deliver(settings(double.url, max_outage_seconds=0.3), TWENTY)

        assert (ended.code, ended.out) == (4, "")
        assert str(first.process.pid) in ended.err
        assert first.ended().code == 0
    assert len(accepted(double)) == 5


def test_it_says_how_to_start_a_sandbox_when_none_runs(command: Command) -> None:
    """At once, however long an outage of the API would be waited for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    ended = command.deliver(settings(url), FIVE)

    assert (ended.code, ended.out) == (3, "")
    assert "start one there with `target-driftrock sandbox --port`" in ended.last_line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_it_ends_with_the_signals_own_code_when_one_comes(
    number: signal.Signals, command: Command, double: Wire
) -> None:
    """A tap that goes on for ever is left at a line's end, and what arrived is in STATE."""
    with command.started("--config", command.config(settings(double.url, batch_size_rows=1))) as running:
        running.feed(FIVE)
        until(lambda: len(accepted(double)) == 5)

        running.tell(number)
        ended = running.ended()

    assert ended.code == 128 + number
    assert number.name in ended.last_line
    assert [bookmark(value) for value in ended.states] == [5]


def test_what_is_in_flight_is_settled_when_state_is_unread_after_the_last_line(command: Command) -> None:
    """The delivery stops as for a signal, so that the next run sends nothing twice; Python adds nothing to the log."""
    numbers = range(1, 41)
    with sandbox("--latency", "0.5") as wire:
        given = settings(wire.url, max_concurrency=2)
        unread = command.run("--config", command.config(given), tap=written(leads(numbers)), most=0)
        before = accepted(wire)
        wire.post("/_sandbox/faults", {"latency": 0.0})
        after = command.deliver(given, leads(numbers))

        assert (unread.code, after.code) == (141, 0)
        assert "(exit 141)" in unread.last_line
        assert len(before) < len(numbers)
        assert sorted(accepted(wire)) == list(numbers)


@pytest.mark.parametrize("arguments", [("--about",), ("--version",), ("--help",), ("preview",), ("check",)], ids=str)
def test_it_ends_quietly_when_nobody_reads_what_it_prints(
    arguments: tuple[str, ...], command: Command, double: Wire
) -> None:
    """As with `| head -0`: code 141, and not a line about a broken pipe."""
    config = () if arguments[0].startswith("-") else ("--config", command.config(settings(double.url)))

    done = command.run(*arguments, *config, tap=written(FIVE), most=0)

    assert (done.code, done.err) == (141, "")


def test_it_says_that_the_disk_is_full_when_state_goes_into_a_file(command: Command, double: Wire) -> None:
    """Somebody keeps STATE there, and is told to make room: to run again is all that it takes then."""
    config = command.config(settings(double.url))
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        ended = command.run("--config", config, tap=written(FIVE), out=full)

    assert ended.code == 4
    assert "Standard output cannot be written (No space left on device): make room" in ended.last_line


@pytest.mark.parametrize("arguments", [("--about",), ("--version",), ("--help",), ("preview",), ("check",)], ids=str)
def test_it_says_that_the_disk_is_full_when_what_it_prints_goes_into_a_file(
    arguments: tuple[str, ...], command: Command, double: Wire
) -> None:
    """It is no defect of ours, and no reader that left."""
    config = () if arguments[0].startswith("-") else ("--config", command.config(settings(double.url)))
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        ended = command.run(*arguments, *config, tap=written(FIVE), out=full)

    assert ended.code == 4
    assert ended.last_line.startswith("error: Standard output cannot be written (No space left on device): make room")


NOWHERE = ("/bin/sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$@"', PROGRAM)
"""In a directory that is there no longer."""


@pytest.mark.parametrize("arguments", [(), ("preview",), ("check",), ("report",)], ids=str)
def test_it_works_when_the_working_directory_is_gone(
    arguments: tuple[str, ...], command: Command, double: Wire
) -> None:
    """Whole paths are all that it needs."""
    config = command.config(settings(double.url, ledger=str(command.folder / "ledger")))
    command.run("--config", config, tap=written(FIVE))

    ended = command.run(*arguments, "--config", config, tap=written(FIVE), command=NOWHERE)

    assert ended.code == 0, ended.err


@pytest.mark.parametrize("arguments", [(), ("check",), ("report",)], ids=str)
def test_the_setting_is_named_when_it_is_below_a_working_directory_that_is_gone(
    arguments: tuple[str, ...], command: Command, double: Wire
) -> None:
    """A ledger that is named by its whole path can be found."""
    config = command.config(settings(double.url))

    ended = command.run(*arguments, "--config", config, tap=written(FIVE), command=NOWHERE)

    assert ended.code == 2, ended.err
    assert "ledger is the name of a directory below the working directory, which is gone" in ended.err + ended.out


@pytest.mark.parametrize(
    ("arguments", "files"), [((), 12), ((), 16), (("check",), 5), (("sandbox", "--port", "0"), 10)], ids=str
)
def test_it_says_what_to_raise_when_too_few_files_may_be_open(
    arguments: tuple[str, ...], files: int, command: Command, double: Wire
) -> None:
    """Connections are files, too; the next run has all that this one did not begin."""
    config = () if "sandbox" in arguments else ("--config", command.config(settings(double.url)))
    limited = ("/bin/sh", "-c", f'ulimit -n {files} && exec "$0" "$@"', PROGRAM)

    ended = command.run(*arguments, *config, tap=written(FIVE), command=limited)

    assert (ended.code, accepted(double)) == (4, [])
    assert "raise the limit (ulimit -n)" in ended.err


def test_it_ends_with_141_when_there_is_no_standard_output(command: Command, double: Wire) -> None:
    """As with `>&-`: nobody can ever read STATE, which is no defect of ours."""
    config = command.config(settings(double.url))
    ended = command.run(config, tap=written(FIVE), command=["/bin/sh", "-c", '"$0" --config "$1" >&-', PROGRAM])

    assert ended.code == 141
    assert "(exit 141)" in ended.last_line


def test_json_is_printed_when_about_is_asked_for_in_that_form(command: Command) -> None:
    """All of it, and nothing beside it."""
    ended = command.run("--about", "--format", "json")

    about = json.loads(ended.out)
    assert (ended.code, ended.err) == (0, "")
    assert about["settings"]["properties"]["streams"]["type"] == "array"


def test_the_schema_for_editors_is_printed_when_about_is_asked_for_in_that_form(command: Command) -> None:
    """A document by itself, and nothing beside it."""
    ended = command.run("--about", "--format", "jsonschema")

    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["properties"]["streams"]["items"]["required"] == ["stream"]
