"""`check`: what it finds out before a run, and what it says to do."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from target_driftrock.commands.check import Finding, findings, gravest
from target_driftrock.sandbox.access import Keys
from target_driftrock.sandbox.background import in_thread
from target_driftrock.sandbox.server import Sandbox, Setup
from target_driftrock.target import TargetDriftrock
from tests.commands.inputs import LEADS, record, schema, settings, singer
from tests.sandbox.wire import Wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A sandbox that takes one pair of credentials."""
    keys = Keys(client_id="right", client_secret="right", api_key="right")
    with in_thread(Sandbox(Setup(keys=keys))) as url:
        yield Wire(url)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger's directory is named from there."""
    monkeypatch.chdir(tmp_path)


def looked_at(
    url: str, *streams: dict[str, Any], source: io.BytesIO | None = None, **others: Any
) -> tuple[list[str], int]:
    """The lines of a check, and its exit code."""
    credentials = {} if "api_key" in others else {"client_id": "right", "client_secret": "right"}
    config = settings(*streams, api_url=url, **{"ledger": "ledger"} | credentials | others)
    found: list[Finding] = list(findings(lambda: TargetDriftrock(config=config), source, has_input=source is not None))
    return [finding.line for finding in found], gravest(found)


def test_everything_is_ok_when_a_run_would_start(wire: Wire) -> None:
    """One token is asked for; no event is sent, and no ledger is made."""
    lines, code = looked_at(wire.url, source=singer(schema(), record(1)))

    assert lines == [
        "ok: The settings are right: environment sandbox, 1 mapping.",
        "ok: The ledger can be kept where the setting says.",
        "ok: The host answers.",
        "ok: The credentials are right: a token was granted.",
        "ok: Stream leads: its SCHEMA lists everything that its mapping names.",
    ]
    assert code == 0
    assert (wire.counts()["token_requests"], wire.counts()["requests"]) == (1, 0)
    assert not Path("ledger").exists()


@pytest.mark.parametrize(
    ("ledger", "told", "expected"),
    [
        pytest.param("/dev/null", "error: ledger must be a directory, and /dev/null is a file", 2, id="a file"),
        pytest.param(
            "mysql://db.example.com/x", "error: ledger must be a directory, or a URL", 2, id="another database"
        ),
        pytest.param(
            "postgresql://nobody@127.0.0.1:1/x", "error: The ledger in the PostgreSQL schema", 4, id="no server"
        ),
    ],
)
def test_it_says_what_is_wrong_with_the_ledger_when_none_can_be_kept(
    wire: Wire, ledger: str, told: str, expected: int
) -> None:
    """And goes on to the rest. The URL, which may hold a password, is not shown."""
    lines, code = looked_at(wire.url, ledger=ledger)

    assert lines[1].startswith(told)
    assert lines[2] == "ok: The host answers."
    assert code == expected
    assert "nobody" not in "".join(lines)


def test_it_says_how_to_look_at_the_mapping_when_there_is_no_input(wire: Wire) -> None:
    """The mapping is only half judged without a SCHEMA, which is no error."""
    lines, code = looked_at(wire.url)

    assert lines[-1].startswith("warning: The mapping was not held against a SCHEMA")
    assert code == 0


def test_every_fault_is_a_line_when_the_settings_are_wrong(wire: Wire) -> None:
    """Nobody is asked for anything."""
    lines, code = looked_at(wire.url, max_events=0, colour="red")

    assert len(lines) == 2
    assert all(line.startswith("error: ") for line in lines)
    assert (code, wire.counts()["token_requests"]) == (2, 0)


@pytest.mark.parametrize(
    ("others", "level", "told", "expected"),
    [
        pytest.param({"client_secret": "wrong"}, "error", "check that client_id and client_secret", 3, id="refused"),
        pytest.param({"api_key": "wrong"}, "warning", "api_key cannot be checked", 0, id="a key"),
    ],
)
def test_it_says_what_is_known_of_the_credentials_when_they_are_looked_at(
    wire: Wire, others: dict[str, Any], level: str, told: str, expected: int
) -> None:
    """A key shows only with an event, and none is sent."""
    lines, code = looked_at(wire.url, **others)

    assert [line.startswith(f"{level}: ") for line in lines if told in line] == [True]
    assert (code, wire.counts()["requests"]) == (expected, 0)


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        pytest.param({"token_down": True}, "gives no token (status 503)", id="down"),
        pytest.param({"closed": True}, "gives no token (no connection)", id="reset"),
    ],
)
def test_one_try_is_enough_when_the_token_endpoint_has_none(wire: Wire, faults: dict[str, Any], told: str) -> None:
    """A run would wait; a check says so at once."""
    assert wire.post("/_sandbox/faults", faults).status == 200

    lines, code = looked_at(wire.url)

    assert [line for line in lines if told in line]
    assert (code, wire.counts()["token_requests"]) == (3, 1)


def nobody() -> str:
    """An address on this machine at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_it_says_how_to_start_a_sandbox_when_none_runs() -> None:
    """The credentials are said to be unchecked, rather than wrong."""
    lines, code = looked_at(nobody())

    assert lines[2].startswith("error: environment is sandbox, and none is running: start one with ")
    assert lines[3].startswith("warning: The credentials were not checked")
    assert code == 3


def test_it_says_what_to_look_at_when_a_host_cannot_be_reached() -> None:
    """Settings and the machine's own network, in one sentence."""
    lines, code = looked_at(nobody(), environment="staging")

    assert lines[2].startswith("error: The host of the API cannot be reached (no connection): check environment,")
    assert code == 3


@pytest.mark.parametrize(
    ("streams", "source", "told", "expected"),
    [
        pytest.param(
            [{**LEADS, "fields": {"email": "{emial}"}}],
            singer(schema()),
            "error: streams[0] (leads): fields.email, stream leads: emial is not listed in the SCHEMA",
            2,
            id="a name that the schema has not",
        ),
        pytest.param(
            [LEADS], singer(schema("deals")), "error: streams: no mapping names the stream deals", 2, id="no mapping"
        ),
        pytest.param(
            [{**LEADS, "created_at": None}],
            singer(schema()),
            "warning: streams[0] (leads): created_at is missing",
            0,
            id="no created_at",
        ),
        pytest.param(
            [{**LEADS, "event_id": None}],
            singer(schema()),
            "warning: streams[0] (leads): event_id is null",
            0,
            id="no identity",
        ),
        pytest.param([LEADS], singer(), "warning: The input holds no SCHEMA", 0, id="an empty input"),
        pytest.param([LEADS], io.BytesIO(b"{no json\n"), "error: Line 1 is not JSON", 5, id="no input"),
    ],
)
def test_the_mapping_is_held_against_each_schema_when_an_input_is_given(
    wire: Wire, streams: list[dict[str, Any]], source: io.BytesIO, told: str, expected: int
) -> None:
    """Each thing once, however often its SCHEMA comes."""
    doubled = io.BytesIO(source.getvalue() * (1 if expected == 5 else 2))

    lines, code = looked_at(wire.url, *streams, source=doubled)

    assert len([line for line in lines if line.startswith(told)]) == 1, lines
    assert code == expected


def test_a_key_of_stream_maps_is_an_error_when_no_stream_met_it(wire: Wire) -> None:
    """What it filters would be sent."""
    lines, code = looked_at(wire.url, source=singer(schema()), stream_maps={"lead": {"__filter__": "email"}})

    assert lines[-1].startswith("error: stream_maps has the key lead,")
    assert code == 2


def test_every_line_is_a_sentence_when_it_is_printed(wire: Wire) -> None:
    """Whoever reads it is told what to do."""
    source = singer(schema(), schema("deals"), schema("audit"))
    lines, _ = looked_at(wire.url, {**LEADS, "created_at": None}, source=source, stream_maps={"x": {}})

    assert len(lines) == 9
    assert all(line.endswith((".", "?")) for line in lines)


def test_the_exit_code_is_that_of_the_gravest_when_several_things_are_wrong(wire: Wire) -> None:
    """The settings come first: whoever mends them may mend the rest with them."""
    ledger = "postgresql://nobody@127.0.0.1:1/x"

    _, without_mapping = looked_at(wire.url, client_secret="wrong", ledger=ledger)
    _, with_mapping = looked_at(wire.url, client_secret="wrong", ledger=ledger, source=singer(schema("deals")))

    assert (without_mapping, with_mapping) == (3, 2)
