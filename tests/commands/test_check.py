"""`check`: what it finds out before a run, and what it says to do."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from target_driftrock.commands.check import Finding, findings, gravest
from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger import tables
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.interface import Concluded
from target_driftrock.sandbox.access import Keys
from target_driftrock.singer.decoding import decode
from target_driftrock.singer.messages import Record, Schema
from target_driftrock.target import TargetDriftrock
from tests import threads
from tests.commands.inputs import ANOTHER, LATER, LEADS, NOBODY, record, schema, settings, singer
from tests.ledger.rows import alter
from tests.lying import wherever
from tests.sandbox.wire import Wire
from tests.stage import wired


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A sandbox that takes one pair of credentials."""
    keys = Keys(client_id="right", client_secret="right", api_key="right")
    with wired(keys=keys) as wire:
        yield wire


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger's directory is named from there."""
    monkeypatch.chdir(tmp_path)


MANY = 2_000
"""More events than are held against each other at once."""


def none_yet() -> str:
    """What is said where no ledger is in the test's folder."""
    return (
        f"ok: There is no ledger in the directory {Path('ledger').absolute()} yet: the first run makes it. If there "
        "were runs before, the setting names another place than theirs."
    )


def looked_at(
    url: str, *streams: dict[str, Any], source: io.BytesIO | None = None, **others: Any
) -> tuple[list[str], int]:
    """The lines of a check, wherever its ledger lies, and its exit code."""
    credentials = {} if "api_key" in others else {"client_id": "right", "client_secret": "right"}
    config = settings(*streams, api_url=url, **{"ledger": "ledger"} | credentials | others)
    found: list[Finding] = list(findings(lambda: TargetDriftrock(config=config), source, has_input=source is not None))
    lines = [finding.line for finding in found]
    return wherever(lines), gravest(found)


def test_everything_is_ok_when_a_run_would_start(wire: Wire) -> None:
    """One token is asked for; no event is sent, and no ledger is made."""
    lines, code = looked_at(wire.url, source=singer(schema(), record(1)))

    assert lines == [
        "ok: The settings are right: environment sandbox, 1 mapping.",
        none_yet(),
        "ok: The host answers.",
        "ok: The credentials are right: a token was granted.",
        "ok: No event was sent, so no capture was tried: the first events of a run do that.",
        "ok: Stream leads: its SCHEMA lists everything that its mapping names.",
        "ok: Each event_id in the input stands for one event.",
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
        pytest.param({"closed": True}, "gives no token (answer lost)", id="reset"),
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

    assert lines[2].startswith("error: environment is sandbox, and none answers at api_url: start one there with ")
    assert lines[3].startswith("warning: The credentials were not checked")
    assert code == 3


def test_it_says_what_to_look_at_when_a_host_cannot_be_reached() -> None:
    """Settings and the machine's own network, in one sentence."""
    lines, code = looked_at(nobody(), environment="staging")

    assert lines[2].startswith("error: The host of the API cannot be reached (connection refused): check environment,")
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


def test_a_key_of_stream_maps_is_a_warning_when_no_stream_met_it(wire: Wire) -> None:
    """It may be for another tap; if it is not, what it filters would be sent, so the nearest stream is named."""
    lines, code = looked_at(wire.url, source=singer(schema()), stream_maps={"lead": {"__filter__": "email"}})

    told = "warning: stream_maps has the key lead, and no stream of the input is meant by it (the nearest is leads),"
    assert lines[-1].startswith(told)
    assert code == 0


def test_a_stream_is_well_when_stream_maps_take_it_away(wire: Wire) -> None:
    """Nobody has to map it."""
    source = singer(schema("visits"), schema(), record(1, "visits"))

    lines, code = looked_at(wire.url, source=source, stream_maps={"visits": None})

    assert "ok: Stream visits: stream_maps takes it away." in lines
    assert code == 0


def test_a_variable_is_a_warning_when_it_names_no_setting(wire: Wire) -> None:
    """It is told before all else."""
    config = settings(api_url=wire.url, ledger="ledger", client_id="right", client_secret="right")
    doubt = "TARGET_DRIFTROCK_PORT is set, and has no effect."

    found = list(findings(lambda: TargetDriftrock(config=config), None, has_input=False, variables=[doubt]))

    assert found[0].line == f"warning: {doubt}"
    assert gravest(found) == 0


def test_every_line_is_a_sentence_when_it_is_printed(wire: Wire) -> None:
    """Whoever reads it is told what to do."""
    source = singer(schema(), schema("deals"), schema("audit"))
    lines, _ = looked_at(wire.url, {**LEADS, "created_at": None}, source=source, stream_maps={"x": {}})

    assert len(lines) == 10
    assert all(line.endswith((".", "?")) for line in lines)


def test_the_exit_code_is_that_of_the_gravest_when_several_things_are_wrong(wire: Wire) -> None:
    """The settings come first: whoever mends them may mend the rest with them."""
    ledger = "postgresql://nobody@127.0.0.1:1/x"

    _, without_mapping = looked_at(wire.url, client_secret="wrong", ledger=ledger)
    _, with_mapping = looked_at(wire.url, client_secret="wrong", ledger=ledger, source=singer(schema("deals")))

    assert (without_mapping, with_mapping) == (3, 2)


# Identities.


@pytest.mark.parametrize(
    ("mapping", "second", "told", "expected"),
    [
        pytest.param(
            LEADS,
            record(1, email=ANOTHER),
            "error: 1 event of streams[0] (leads) under the event_id of another person's event",
            6,
            id="another person's",
        ),
        pytest.param(
            NOBODY,
            record(1, email=ANOTHER),
            "error: 1 event of streams[0] (leads) with other content under an event_id that came before",
            6,
            id="perhaps another's",
        ),
        pytest.param(
            LEADS,
            record(1, at=LATER),
            "warning: 1 event of streams[0] (leads) changed, both contents in this input: is the key too short?",
            0,
            id="the same person's",
        ),
        pytest.param(LEADS, record(1), "ok: Each event_id in the input stands for one event.", 0, id="a repeat"),
        pytest.param(LEADS, record(1, email=7), "ok: Each event_id in the input", 0, id="an invalid record"),
    ],
)
def test_the_events_are_held_against_each_other_when_an_input_is_given(
    wire: Wire, mapping: dict[str, Any], second: dict[str, Any], told: str, expected: int
) -> None:
    """One finding for all of a mapping, and no value in it."""
    lines, code = looked_at(wire.url, mapping, source=singer(schema(), record(1), second))

    assert lines[-1].startswith(told)
    assert "@" not in "".join(lines)
    assert (code, wire.counts()["requests"]) == (expected, 0)


def test_it_is_a_warning_when_records_of_the_input_would_be_refused(wire: Wire) -> None:
    """How many, and where it is said why; what is invalid stands under no event_id, so the rest is still said of."""
    lines, code = looked_at(
        wire.url, dict(LEADS), source=singer(schema(), record(1), record(2, email=7), record(3, email=8))
    )

    told = "warning: Of 3 records in the input, 2 would be refused as invalid: `target-driftrock preview --input` says"
    assert [line for line in lines if line.startswith("warning: Of")] == [f"{told} which rules they break."]
    assert code == 0


def test_records_are_passed_over_when_their_schema_has_a_fault() -> None:
    """The fault is told, and what the records would have become is nobody's guess."""
    lines, code = looked_at(nobody(), source=singer(schema("deals"), record(1, "deals"), record(1, "deals", at=LATER)))

    assert lines[-1].startswith("error: streams: no mapping names the stream deals")
    assert code == 2


def test_nothing_is_said_of_all_events_when_not_all_were_read(wire: Wire) -> None:
    """What comes behind a line that cannot be read may stand under the same ids."""
    lines, code = looked_at(wire.url, source=singer(schema(), *map(record, range(MANY)), b"no JSON\n"))

    assert any(line.startswith(f"error: Line {MANY + 2} is not JSON") for line in lines)
    assert not any("Each event_id in the input" in line for line in lines)
    assert code == 5


def test_it_is_an_error_when_a_record_comes_before_its_schema(wire: Wire) -> None:
    """A run would end there."""
    lines, code = looked_at(wire.url, source=singer(schema(), record(1, "deals")))

    assert [line for line in lines if line.startswith("error: ")] == [
        "error: Line 2: a RECORD of stream deals came before any SCHEMA of it. Mend the tap, then run again."
    ]
    assert code == 5


def delivered(api_url: str, *streams: Mapping[str, Any], source: io.BytesIO) -> None:
    """Have the ledger remember all events of an input as delivered."""
    target = TargetDriftrock(config=settings(*streams, api_url=api_url, ledger="ledger", api_key="right"))
    for number, line in enumerate(source, 1):
        match decode(line, number):
            case Schema() as message:
                target.streams.take_schema(message)
            case Record() as message:
                target.streams.map(message, position=number)
    ledger = open_ledger("ledger", api=target.settings.api.name, wait=0, is_stopped=lambda: False)
    assert ledger is not None
    with closing(ledger):
        ledger.commit([Concluded(part=part, outcome=Delivered()) for part in target.records.batch.take()])
        ledger.finish(exit_code=0, receipt="{}")


MENDED = {**LEADS, "event_id": "lead-{id}"}


def test_it_is_an_error_when_a_mended_identity_would_send_everything_again(wire: Wire) -> None:
    """What a run would say, once, and before it is begun."""
    delivered(wire.url, LEADS, source=singer(schema(), record(1), record(2)))

    lines, code = looked_at(wire.url, MENDED, source=singer(schema(), record(1), schema()))

    told = [line for line in lines if line.startswith("error: ")]
    assert len(told) == 1
    assert told[0].startswith("error: streams[0] (leads): event_id made other identities before, so 2 events of stream")
    assert 'Add `formerly: {"event_id": "leads:{id}"}`' in told[0]
    assert code == 2


@pytest.mark.parametrize(
    ("before", "now"),
    [
        pytest.param("the same", {**MENDED, "formerly": {"event_id": "leads:{id}"}}, id="it says how they were made"),
        pytest.param("the same", {**MENDED, "formerly": None}, id="all may be sent again"),
        pytest.param("the same", LEADS, id="nothing was mended"),
        pytest.param("http://127.0.0.1:1", MENDED, id="they were delivered to another API"),
    ],
)
def test_nothing_is_said_of_identities_when_nothing_would_be_sent_again_unasked(
    wire: Wire, before: str, now: dict[str, Any]
) -> None:
    """As in a run."""
    delivered(wire.url if before == "the same" else before, LEADS, source=singer(schema(), record(1)))

    lines, code = looked_at(wire.url, now, source=singer(schema(), record(1)))

    assert (code, [line for line in lines if "event_id" in line and not line.startswith("ok: ")]) == (0, [])


def test_it_is_an_error_when_there_is_no_ledger_and_none_may_be_made(wire: Wire) -> None:
    """A mistyped place is found before the run that would end by it; still none is made."""
    lines, code = looked_at(wire.url, new_ledger="refuse")

    assert lines[1].startswith("error: ledger: there is none in the directory ")
    assert "set new_ledger: allow" in lines[1]
    assert code == 2
    assert not Path("ledger").exists()


def test_all_is_well_when_there_is_a_ledger_and_none_may_be_made(wire: Wire) -> None:
    """That is what the setting is for."""
    delivered(wire.url, LEADS, source=singer(schema(), record(1)))

    lines, code = looked_at(wire.url, new_ledger="refuse")

    assert lines[1].startswith("ok: There is a ledger in the directory ")
    assert code == 0


def test_it_says_when_the_last_run_was_when_there_is_a_ledger(wire: Wire) -> None:
    """By this, and by what it knows, a person tells the right one from another. None of it is changed."""
    delivered(wire.url, LEADS, source=singer(schema(), record(1), record(2)))
    alter("ledger", tables.runs.update().values(started_at=86_400.0))
    before = {file: file.read_bytes() for file in Path("ledger").iterdir()}

    lines, _ = looked_at(wire.url)

    assert lines[1] == (
        f"ok: There is a ledger in the directory {Path('ledger').absolute()}. Its last run began at "
        f"1970-01-02T00:00:00Z; delivered to {wire.url}, as far as it knows: 2."
    )
    assert {file: file.read_bytes() for file in Path("ledger").iterdir()} == before


def test_it_says_so_when_a_ledger_has_had_no_run(wire: Wire) -> None:
    """What is there was made, and that is all."""
    delivered(wire.url, LEADS, source=singer(schema(), record(1)))
    alter("ledger", tables.runs.delete())

    lines, _ = looked_at(wire.url)

    assert ". It has had no run yet; delivered to " in lines[1]


@pytest.mark.parametrize(
    ("others", "level", "expected"),
    [
        pytest.param({}, "warning", 0, id="allowed"),
        pytest.param({"new_ledger": "refuse"}, "error", 2, id="refused"),
    ],
)
def test_it_is_told_when_a_ledger_knows_other_apis_alone(
    wire: Wire, others: dict[str, Any], level: str, expected: int
) -> None:
    """As a run would, which sends everything again or ends by it."""
    delivered("http://127.0.0.1:1", LEADS, source=singer(schema(), record(1)))

    lines, code = looked_at(wire.url, **others)

    assert f"delivered to {wire.url}, as far as it knows: 0." in lines[1]
    assert lines[2].startswith(f"{level}: ")
    assert f"no delivery to {wire.url}, but of 1 to http://127.0.0.1:1" in lines[2]
    assert (code, wire.counts()["requests"]) == (expected, 0)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "SSL_CERT_FILE"])
def test_the_mapping_is_held_against_each_schema_when_the_network_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """What is wrong with a proxy is told beside the rest, which needs none."""
    monkeypatch.setenv(variable, "socks5://canary.example.com")

    lines, code = looked_at(
        "https://api.example.com", environment="production", api_key="key", source=singer(schema(), record(1))
    )

    assert [line for line in lines if line.startswith("error: ")] == [line for line in lines if variable in line]
    assert len([line for line in lines if variable in line]) == 1
    assert "ok: Stream leads: its SCHEMA lists everything that its mapping names." in lines
    assert "canary" not in "".join(lines)
    assert code == 2


def test_it_is_to_be_tried_again_when_no_thread_is_left_to_look_for_the_host(wire: Wire) -> None:
    """The rest is looked at all the same."""
    with threads.none_left():
        lines, code = looked_at(wire.url, source=singer(schema(), record(1)))

    (error,) = [line for line in lines if line.startswith("error: ")]
    assert "ulimit -u" in error
    assert code == 4
