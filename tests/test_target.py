"""The target over a sandbox: stream maps, SCHEMA changes, what a run ends with, and what it leaves alone."""

from __future__ import annotations

import gc
import hashlib
import io
import re
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from singer_sdk.exceptions import RecordsWithoutSchemaException

from target_driftrock import target as target_module
from target_driftrock.errors import ExitCode, RejectsAboveLimit, SettingsInvalid
from target_driftrock.events.event import Part
from target_driftrock.events.outcome import Outcome
from target_driftrock.records import door
from target_driftrock.records.tally import Tally
from target_driftrock.records.validator import RecordValidator
from target_driftrock.singer.checkpoint import Checkpoint
from target_driftrock.sinks import DriftrockSink
from target_driftrock.target import TargetDriftrock
from tests.program import written
from tests.stage import LEADS, Stage, captured, logged, record, schema, staged, state
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("nothing_left")

ADA = "ada@example.com"
CONTACT = {
    "id": {"type": "integer"},
    "email": {"type": ["null", "string"]},
    "contact": {"type": "object", "properties": {"phone": {"type": "object", "properties": {"home": {}}}}},
}


def sent(events: list[Any]) -> list[tuple[str, str, Any]]:
    """What tells events apart, and what they carry, in the order of their ids."""
    return sorted((event["event_name"], event["event_id"], event["fields"]) for event in events)


# Stream maps and flattening, which run before the mapping.


def test_the_mapping_sees_the_new_name_when_a_stream_map_renames_a_stream(stage: Stage) -> None:
    """A mapping is for the stream as it comes out of its map; its ids are made of the tap's own name."""
    done = stage.run(
        schema("raw_leads"), record(1, "raw_leads", email=ADA), stream_maps={"raw_leads": {"__alias__": "leads"}}
    )

    assert done.code == ExitCode.RESOLVED
    assert sent(done.events) == [("leads", "raw_leads:1", {"id": 1, "email": ADA})]


def test_a_digest_arrives_when_a_stream_map_hashes_a_property(stage: Stage) -> None:
    """The address itself does not leave, and a null stays none."""
    maps = {"leads": {"email": "sha256(email) if email else None"}}

    done = stage.run(schema(), record(1, email=ADA), record(2, email=None), stream_maps=maps)

    digest = hashlib.sha256(ADA.encode()).hexdigest()
    assert done.fields == [{"id": 1, "email": digest}, {"id": 2}]


def test_a_record_is_filtered_when_a_stream_map_keeps_it_out(stage: Stage) -> None:
    """It is counted as filtered, and STATE passes it."""
    done = stage.run(
        schema(), record(1), record(2), record(3), state(at=3), stream_maps={"leads": {"__filter__": "id != 2"}}
    )

    assert [fields["id"] for fields in done.fields] == [1, 3]
    assert done.states == [b'{"at": 3}']
    assert "3 read = 2 mapped + 0 invalid + 1 filtered" in done.log


def test_several_events_come_of_a_record_when_stream_maps_split_its_stream(stage: Stage) -> None:
    """Each copy has a mapping of its own, and STATE passes the record when all are settled."""
    maps = {"leads": {}, "consents": {"__source__": "leads", "email": "__NULL__"}}
    streams = [dict(LEADS), {**LEADS, "stream": "consents", "event_type": "action"}]

    done = stage.run(schema(), record(1, email=ADA), state(at=1), stream_maps=maps, streams=streams)

    assert done.code == ExitCode.RESOLVED
    assert {(event["event_type"], event["event_name"]) for event in done.events} == {
        ("lead", "leads"),
        ("action", "consents"),
    }
    assert done.states == [b'{"at": 1}']
    assert "Records: 1 read = 1 mapped" in done.log
    assert "Events: 2 made = 2 delivered" in done.log


def test_levels_are_names_when_flattening_is_enabled(stage: Stage) -> None:
    """As many levels as asked for; the mapping sees what came of it."""
    streams = [{**LEADS, "fields": {"home": "{contact.phone.home}"}}]
    row = record(1, contact={"phone": {"home": "030"}})
    flat = {"flattening_enabled": True, "flattening_max_depth": 2, "flattening_separator": "."}

    done = stage.run(schema(properties=CONTACT), row, streams=streams, **flat)

    assert done.code == ExitCode.RESOLVED
    assert done.fields == [{"home": "030"}]


@pytest.mark.parametrize("literal", ['""', '"  "', '"\\u200b"', "null"], ids=["empty", "a-space", "zero-width", "null"])
@pytest.mark.parametrize(
    "listed", [{"format": "date-time"}, {"format": "date"}, {}], ids=["a-time", "a-date", "a-text"]
)
def test_a_blank_is_left_out_when_everything_is_sent(listed: dict[str, Any], literal: str, stage: Stage) -> None:
    """File taps write an empty cell as an empty text, also where a date should be."""
    line = f'{{"type": "RECORD", "stream": "leads", "record": {{"id": 1, "value": {literal}}}}}\n'
    properties = {"id": {"type": "integer"}, "value": {"type": ["string", "null"], **listed}}

    done = stage.run(schema(properties=properties), line.encode())

    assert done.code == ExitCode.RESOLVED
    assert done.fields == [{"id": 1}]


def test_a_record_is_kept_as_it_was_read_when_a_stream_map_changed_it(stage: Stage) -> None:
    """What is sent again after mending has to go through the map again."""
    maps = {"leads": {"email": "sha256(email) if id == 1 else int(email)"}}

    stage.run(schema(), record(1, email=ADA), record(2, email=ADA), stream_maps=maps)

    assert [row for _, _, row in stage.kept()] == [written([record(2, email=ADA)]).strip()]


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        pytest.param({"email": "("}, "stream_maps.leads.email: the expression has a syntax error", id="no-expression"),
        pytest.param({"__filter__": "("}, "stream_maps.leads.__filter__: the expression has a", id="no-filter"),
        pytest.param(7, "stream_maps.leads must be an object", id="no-rules"),
    ],
)
def test_no_run_begins_when_stream_maps_make_no_sense(rules: Any, told: str, stage: Stage) -> None:
    """A fault of the settings, whatever the streams."""
    with pytest.raises(SettingsInvalid, match=re.escape(told)):
        stage.target(stream_maps={"leads": rules})


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        pytest.param({"__key_properties__": ["absent"]}, "the map has no key property absent", id="an-unlisted-key"),
        pytest.param(
            {"email": "absent"}, "stream_maps.leads.email, stream leads: absent is not", id="an-unlisted-name"
        ),
    ],
)
def test_nothing_is_sent_when_stream_maps_do_not_go_with_the_schema(rules: Any, told: str, stage: Stage) -> None:
    """It is told before the first record, not of each."""
    done = stage.run(schema(), record(1, email=ADA), stream_maps={"leads": rules})

    assert done.code == ExitCode.SETTINGS
    assert not done.events
    assert told in done.log
    assert ADA not in done.log


# Streams and their SCHEMA.


def test_the_mapping_follows_when_the_schema_changes_in_the_middle(stage: Stage) -> None:
    """Records before the change are sent by the old one, those after it by the new one."""
    wider = {"id": {"type": "string"}, "email": {"type": "string"}, "phone": {"type": "string"}}

    done = stage.run(
        schema(),
        record(1, email=ADA),
        schema(properties=wider, keys=["email"]),
        {"type": "RECORD", "stream": "leads", "record": {"id": "b", "email": "bob@example.com", "phone": "030"}},
        record(3, email="eve@example.com", phone="031"),
    )

    assert sent(done.events) == [
        ("leads", "leads:1", {"id": 1, "email": ADA}),
        ("leads", "leads:bob@example.com", {"id": "b", "email": "bob@example.com", "phone": "030"}),
    ]
    assert [reason for _, reason, _ in stage.kept()] == ["schema: /id: type"]


def test_the_stream_is_named_when_its_schema_would_take_for_ever(stage: Stage) -> None:
    """Forty references that each lead on twice are a billion rules; what came before is delivered."""
    chain: dict[str, Any] = {
        f"d{level}": {"allOf": [{"$ref": f"#/definitions/d{level + 1}"}] * 2} for level in range(40)
    }
    endless = schema("deals", properties={"id": {"$ref": "#/definitions/d0"}})
    endless["schema"]["definitions"] = chain
    streams = [LEADS, {**LEADS, "stream": "deals"}]

    done = stage.run(schema(), record(1), state(at=1), endless, record(2, "deals"), state(at=2), streams=streams)

    assert done.code == ExitCode.INPUT
    assert "The SCHEMA of stream deals refers to its own parts so often" in done.log
    assert (done.states, [event["fields"]["id"] for event in done.events]) == ([b'{"at": 1}'], [1])


@pytest.mark.parametrize("level", ["trace", "VERBOSE", "10", " ", "info", "odd"])
def test_a_run_goes_on_when_a_log_level_is_none_of_the_sdk_s(level: str, stage: Stage) -> None:
    """It is read in one place, and the SDK, which would fail, is not asked for it."""
    ended = stage.finished(stage.config(), given=written([schema(), record(1)]), LOGLEVEL=level)

    assert ended.code == ExitCode.RESOLVED
    assert ended.err.count("LOGLEVEL is not a log level") == (level == "odd")


def test_none_of_its_records_is_sent_when_a_changed_schema_takes_away_a_name(stage: Stage) -> None:
    """The run stops at the SCHEMA, with all before it delivered."""
    streams = [{**LEADS, "fields": {"email": "{email}"}}]

    done = stage.run(
        schema(),
        record(1, email=ADA),
        state(at=1),
        schema(properties={"id": {"type": "integer"}, "mail": {"type": "string"}}),
        record(2, mail=ADA),
        state(at=2),
        streams=streams,
    )

    assert done.code == ExitCode.SETTINGS
    assert done.fields == [{"email": ADA}]
    assert done.states == [b'{"at": 1}']
    assert "email is not listed in the SCHEMA" in done.log


def test_nothing_of_a_stream_is_sent_when_no_mapping_names_it(stage: Stage) -> None:
    """A table posted by accident cannot be called back: the run stops at its SCHEMA."""
    done = stage.run(schema(), record(1), schema("salaries"), record(2, "salaries"), record(3))

    assert done.code == ExitCode.SETTINGS
    assert [fields["id"] for fields in done.fields] == [1]
    assert "salaries" in done.log


def test_records_are_passed_over_when_their_stream_is_skipped(stage: Stage) -> None:
    """Whatever they hold: they are filtered, and STATE passes them."""
    streams = [dict(LEADS), {"stream": "audit_*", "skip": True}]
    bad = b'{"type": "RECORD", "stream": "audit_log", "record": {"id": "no number"}}\n'

    done = stage.run(schema(), schema("audit_log", keys=None), bad, record(1), bad, state(at=1), streams=streams)

    assert done.code == ExitCode.RESOLVED
    assert [fields["id"] for fields in done.fields] == [1]
    assert done.states == [b'{"at": 1}']
    assert "3 read = 1 mapped + 0 invalid + 2 filtered" in done.log


def test_the_sdk_s_own_exception_is_raised_when_a_record_comes_before_its_schema(stage: Stage) -> None:
    """For whoever drives the target by the SDK's own methods, as its tests do."""
    lines = io.StringIO(written([record(1)]).decode())

    with pytest.raises(RecordsWithoutSchemaException, match="Line 1: a RECORD of stream leads came before any SCHEMA"):
        stage.target().process_lines(lines)


def test_what_ended_a_run_is_raised_when_the_sdk_s_own_listen_drives_it(stage: Stage) -> None:
    """Its receipt says 6, so the process must not end with 0."""
    target = stage.target()
    target.process_lines(io.StringIO(written([schema(), record(1, email=7)]).decode()))

    with pytest.raises(RejectsAboveLimit):
        target.process_endofpipe()


def test_nothing_is_sent_again_when_the_sdk_s_own_listen_drives_a_mended_mapping(stage: Stage) -> None:
    """It takes the ledger late: the identities are judged then, and before anything is sent."""
    stage.run(schema(), record(1))
    target = stage.target(streams=[{**LEADS, "event_id": "lead-{id}"}])
    target.process_lines(io.StringIO(written([schema(), record(1)]).decode()))

    with pytest.raises(SettingsInvalid, match="formerly"):
        target.process_endofpipe()

    assert len(stage.accepted()) == 1


def test_no_part_is_left_over_when_a_defect_of_ours_breaks_off_a_record(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came of it before belongs to a record that nobody has counted: it is not sent, and STATE is written."""
    maps = {"leads": {}, "copies": {"__source__": "leads"}}
    streams = [dict(LEADS), {**LEADS, "stream": "copies"}]
    mapped = DriftrockSink.process_record

    def failing(sink: DriftrockSink, row: dict[str, Any], context: dict[str, Any]) -> None:
        if sink.stream.name == "copies" and row["id"] == 2:
            raise ValueError
        mapped(sink, row, context)

    monkeypatch.setattr(DriftrockSink, "process_record", failing)
    done = stage.run(schema(), record(1), state(at=1), record(2), stream_maps=maps, streams=streams)

    assert done.code == ExitCode.DEFECT
    assert len(done.events) == 2
    assert done.states == [b'{"at": 1}']
    assert "accounts do not close" not in done.log


def test_memory_does_not_grow_when_the_schema_changes_a_thousand_times(stage: Stage) -> None:
    """Each change makes a sink, and a validator for its first record; the SDK keeps every sink until a full drain."""
    target = stage.target(streams=[{**LEADS, "when": {"id": 0}}])
    lines = written(
        message
        for number in range(1000)
        for message in (schema(properties={"id": {"type": "integer"}, f"c{number}": {}}), record(1))
    )

    target.process_lines(io.StringIO(lines.decode()))

    gc.collect()
    alive = [each for each in gc.get_objects() if isinstance(each, DriftrockSink | RecordValidator)]
    assert sum(isinstance(each, DriftrockSink) for each in alive) == 1
    assert sum(isinstance(each, RecordValidator) for each in alive) == 1


# How a run ends.


def test_they_are_kept_and_passed_when_the_first_ten_records_of_a_stream_are_invalid(stage: Stage) -> None:
    """The run stops before it turns down a whole table; nothing after the tenth is read."""
    rows = [record(number, email=7) for number in range(1, 15)]

    done = stage.run(schema(), *rows[:10], state(at=10), *rows[10:], state(at=14))

    assert done.code == ExitCode.REJECTS
    assert len(stage.kept()) == 10
    assert "Records: 10 read = 0 mapped + 10 invalid" in done.log
    assert "first 10 records of stream leads are all invalid" in done.log


@pytest.mark.parametrize(
    ("bad_count", "percent", "code"),
    [
        pytest.param(9, 5, ExitCode.RESOLVED, id="nine-are-too-few-to-judge"),
        pytest.param(10, 5, ExitCode.REJECTS, id="ten-are-over-the-limit"),
        pytest.param(10, 50, ExitCode.RESOLVED, id="ten-are-under-a-higher-limit"),
        pytest.param(10, 100, ExitCode.RESOLVED, id="the-limit-is-off"),
    ],
)
def test_the_share_is_judged_when_the_input_ends(bad_count: int, percent: int, code: int, stage: Stage) -> None:
    """STATE passes what is kept, whatever the exit code."""
    rows = [record(number) for number in range(1, 51)] + [record(100 + n, email=7) for n in range(bad_count)]

    done = stage.run(schema(), *rows, state(at=1), max_reject_percent=percent)

    assert done.code == code
    assert len(done.events) == 50
    assert done.states == [b'{"at": 1}']
    assert len(stage.kept()) == bad_count


def test_the_gravest_cause_is_the_exit_code_when_there_are_several(tmp_path: Path) -> None:
    """Credentials before the input, the input before rejects: by what a person has to do first."""
    rows = [record(number) for number in range(1, 12)] + [record(100 + n, email=7) for n in range(11)]
    with staged(tmp_path / "refused") as stage:
        over_and_bad = stage.run(schema(), *rows, b"no JSON\n")
    with staged(tmp_path / "closed", html=True) as stage:
        closed_and_bad = stage.run(schema(), *rows, b"no JSON\n")

    assert over_and_bad.code == ExitCode.INPUT
    assert closed_and_bad.code == ExitCode.SETUP
    assert over_and_bad.log.splitlines()[-1].startswith("ERROR Line 24 ")
    assert "(exit 3)" in closed_and_bad.log.splitlines()[-1]


def test_the_run_is_a_defect_when_the_ledger_s_sums_are_others(stage: Stage) -> None:
    """A disagreement that is told by nobody is a lead that is lost by nobody."""
    stage.run(schema(), record(1))
    with closing(sqlite3.connect(stage.folder / "ledger" / "ledger.sqlite3")) as ledger:
        ledger.execute(
            "CREATE TRIGGER wrong AFTER UPDATE OF delivered ON runs "
            "BEGIN UPDATE runs SET delivered = new.delivered + 1 WHERE id = new.id; END"
        )

    done = stage.run(schema(), record(2), state(at=2))

    assert done.code == ExitCode.DEFECT
    assert "The accounts do not close: 1 events are delivered, and the ledger recorded 2." in done.log


def test_nothing_is_under_way_any_more_when_a_defect_of_ours_ends_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery that used the ledger while it is closed would take the process with it, receipt and all."""
    with staged(tmp_path, latency=5) as stage:

        class Failing(Tally):
            def settle(self, outcomes: Iterable[tuple[Part, Outcome]]) -> None:
                if list(outcomes):
                    until(lambda: stage.wire.counts()["max_concurrent_token_requests"] == 1)
                    raise ValueError

        monkeypatch.setattr(door, "Tally", Failing)
        done = stage.run(schema(), record(1), record(2, email=7))
        running = {thread.name for thread in threading.enumerate()}

    assert done.code == ExitCode.DEFECT
    assert "delivery" not in running
    until(lambda: threading.active_count() == 1)  # the token's request ends with its server, a moment later


def test_reading_ends_when_max_events_are_reached(stage: Stage) -> None:
    """What was delivered before does not count; the record that reaches them is the last thing that is read."""
    messages = [schema()]
    for number in range(1, 31):
        messages += [record(number), state(at=number)]
    stage.run(*messages[:7])

    done = stage.run(*messages, max_events=5, batch_size_rows=1)

    assert done.code == ExitCode.RESOLVED
    assert sorted(fields["id"] for fields in done.fields) == list(range(1, 9))
    assert done.states[-1] == b'{"at": 7}'


def test_a_run_ends_well_when_there_is_nothing_to_do(stage: Stage) -> None:
    """A tap without news is no error, and its STATE is kept."""
    empty = stage.run()
    done = stage.run(schema(), state(at=0))

    assert (empty.code, empty.states) == (ExitCode.RESOLVED, [])
    assert (done.code, done.states) == (ExitCode.RESOLVED, [b'{"at": 0}'])


def test_reading_waits_when_what_is_open_weighs_too_much(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of ten thousand bytes, of which fifty thousand bytes may be open: each with its body is twice that."""
    monkeypatch.setattr(door, "OPEN_BYTES", 50_000)
    weights = []

    class Weighed(Tally):
        def enter(
            self, stream: str, parts: Sequence[Part], *, kept_row: str | None = None, is_deletion: bool = False
        ) -> None:
            super().enter(stream, parts, kept_row=kept_row, is_deletion=is_deletion)
            weights.append(self.open_bytes)

    monkeypatch.setattr(door, "Tally", Weighed)

    done = stage.run(schema(), *(record(number, note="n" * 10_000) for number in range(1, 41)))

    assert done.code == ExitCode.RESOLVED
    assert len(done.events) == 40
    assert 50_000 <= max(weights) < 50_000 + 25_000


@pytest.mark.parametrize("rate", [7, 40])
def test_no_more_than_the_ceiling_are_sent_in_a_second(rate: int, stage: Stage) -> None:
    """By the clock of a real loop: what is not due when it is looked at must not be forgotten a moment later."""
    began = time.monotonic()

    done = stage.run(
        schema(),
        *(record(number) for number in range(1, 2 * rate + 1)),
        max_events_per_second=rate,
        max_outage_seconds=8,
    )

    assert done.code == ExitCode.RESOLVED
    assert len(done.events) == 2 * rate
    assert time.monotonic() - began > (2 * rate - 2) / rate


def test_one_refusal_holds_up_nobody_when_its_capture_has_accepted_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is open at first, so STATE stands still before it, and the window behind it fills: then it is judged."""
    monkeypatch.setattr(target_module, "Checkpoint", partial(Checkpoint, max_span=100))
    mappings = [{**LEADS, "source_id": "closed", "when": {"id": 1}}, dict(LEADS)]

    with staged(tmp_path, refuse_sources=("closed",)) as stage:
        done = stage.run(schema(), *(record(number) for number in range(1, 1_001)), state(at=1_000), streams=mappings)
        kept = stage.kept()

    assert done.code == ExitCode.REJECTS
    assert len(done.events) == 999
    assert len(kept) == 1
    assert done.states[-1] == b'{"at": 1000}'


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "SSL_CERT_FILE"])
def test_no_ledger_is_made_when_the_network_cannot_be_used(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """What the environment says of it is a setting to mend, and told before anything is touched."""
    monkeypatch.setenv(variable, "socks5://canary.example.com")

    done = stage.run(schema(), record(1), environment="production", api_url="https://api.example.com", api_key="key")

    assert done.code == 2
    assert variable in done.log.splitlines()[-1]
    assert "canary" not in done.log
    assert not (stage.folder / "ledger").exists()


def test_the_sandbox_is_asked_for_when_none_runs(tmp_path: Path) -> None:
    """The message says which command starts one; nothing is read, and no ledger is made."""
    config = {
        "environment": "sandbox",
        "api_url": "http://127.0.0.1:1",
        "ledger": str(tmp_path / "ledger"),
        "streams": [dict(LEADS)],
    }
    with captured(), logged() as lines:
        code = TargetDriftrock(config=config).run(io.BytesIO(written([schema(), record(1)])))

    assert code == ExitCode.SETUP
    assert "target-driftrock sandbox" in lines[-1]
    assert not (tmp_path / "ledger").exists()


def test_variables_are_read_when_the_sdk_s_runner_asks_for_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By our own rules: a number is one, and JSON is read."""
    monkeypatch.setenv("TARGET_DRIFTROCK_ENVIRONMENT", "sandbox")
    monkeypatch.setenv("TARGET_DRIFTROCK_BATCH_SIZE_ROWS", "7")
    monkeypatch.setenv("TARGET_DRIFTROCK_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setenv("TARGET_DRIFTROCK_STREAMS", '[{"stream": "leads", "skip": true}]')

    target = TargetDriftrock(parse_env_config=True)

    assert target.settings.batch_size_rows == 7
    assert target.settings.mappings[0].skip
