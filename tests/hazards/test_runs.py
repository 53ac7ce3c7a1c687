"""What the SDK does to a run that costs a lead or a bookmark: stops, STATE, order, batches; and what is done here."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from target_driftrock.errors import ExitCode
from tests.program import written
from tests.stage import LEADS, Stage, record, schema, staged, state

pytestmark = pytest.mark.usefixtures("nothing_left")

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


def bookmarked(count: int) -> Iterator[dict[str, Any]]:
    """A lead's SCHEMA, and records with a STATE after each."""
    yield schema()
    for number in range(1, count + 1):
        yield record(number)
        yield state(at=number)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_nothing_is_lost_and_nothing_sent_twice_when_a_signal_comes_while_sending(
    number: signal.Signals, tmp_path: Path
) -> None:
    """The SDK drops the batch in progress, writes the newest STATE and ends with 0: here the next run sees the rest."""
    with staged(tmp_path, latency=0.1) as stage:
        with stage.started(stage.config(max_concurrency=2)) as running:
            running.feed(bookmarked(200))
            running.until(lambda: len(stage.accepted()) > 5)
            running.tell(number)
            ended = running.ended()
        sent = {event["fields"]["id"] for event in stage.accepted()}
        reached = max((value["at"] for value in ended.states), default=0)
        stage.wire.post("/_sandbox/faults", {"latency": 0.0})
        stage.run(*bookmarked(200))
        arrived = sorted(event["fields"]["id"] for event in stage.accepted())

    assert ended.code == 128 + number
    assert 5 < len(sent) < 200
    assert set(range(1, reached + 1)) <= sent
    assert arrived == list(range(1, 201))


def test_state_is_written_during_the_run_when_the_tap_falls_silent(stage: Stage) -> None:
    """The SDK writes STATE on a full drain, and Meltano drops a farewell: here it comes while the input is open."""
    with stage.started(stage.config()) as running:
        running.feed(bookmarked(3))
        still_runs = running.until(lambda: running.states > 0)
        ended = running.ended()

    assert still_runs
    assert ended.out == '{"at": 3}\n'
    assert ended.code == ExitCode.RESOLVED


def test_state_is_written_byte_for_byte_when_it_holds_floats_and_unknown_keys(stage: Stage) -> None:
    """The SDK reads a float as a Decimal and cannot write it: after the delivery it crashes, at every run."""
    value = b'{ "b":1.10,"a": [1e-7, 12345678901234567890],\t"odd key": {"\\u00e9": null} }'

    done = stage.run(schema(), record(1), b'{"type": "STATE", "value": ' + value + b"}\n")

    assert done.code == ExitCode.RESOLVED
    assert done.states == [value]


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({}, id="all-is-well"),
        pytest.param({"refuse_sources": ("capture-1",)}, id="everything-is-refused"),
        pytest.param({"html": True}, id="a-web-page-answers"),
        pytest.param({"reset_after_share": 0.5}, id="answers-are-lost"),
    ],
)
def test_nothing_but_state_is_on_standard_output_when_a_run_says_much(faults: dict[str, Any], tmp_path: Path) -> None:
    """Meltano takes any JSON object there for the bookmark: progress and receipts go to standard error."""
    messages = list(bookmarked(30))
    given = [json.dumps(message["value"]) for message in messages if message["type"] == "STATE"]

    with staged(tmp_path, **faults) as stage:
        ended = stage.finished(stage.config(), given=written(messages), LOGLEVEL="DEBUG")

    assert set(ended.out.splitlines()) <= set(given)
    assert "Records: 30 read" in ended.err


def test_the_order_of_a_person_is_that_of_the_input_when_streams_and_schemas_alternate(tmp_path: Path) -> None:
    """The SDK drains stream by stream and in threads: with a batch of two, conversions overtook their lead."""
    streams = [
        {**LEADS, "person_id": "{email}"},
        {**LEADS, "stream": "sales", "event_type": "conversion", "person_id": "{email}"},
    ]
    wider = {"id": {"type": "integer"}, "email": {"type": "string"}, "serial": {"type": "integer"}}
    messages: list[dict[str, Any]] = []
    for serial in range(60):
        stream = ("leads", "sales", "sales")[serial % 3]
        properties = wider | ({"more": {"type": "string"}} if serial % 7 < 4 else {})
        messages += [
            schema(stream, properties=properties),
            record(serial, stream, email=f"{serial % 2}@example.com", serial=serial),
        ]

    with staged(tmp_path, error_share=0.05) as stage:
        done = stage.run(*messages, streams=streams, batch_size_rows=2)

    serials = [(event["fields"]["email"], event["fields"]["serial"]) for event in done.events]
    for person in ("0@example.com", "1@example.com"):
        own = [serial for email, serial in serials if email == person]
        assert own == sorted(own)
        assert len(own) == 30


def test_everything_is_delivered_when_the_schema_changes_two_hundred_times(stage: Stage) -> None:
    """Each change archives a sink, whose rows the SDK keeps back until a full drain."""
    messages = [
        message
        for number in range(200)
        for message in (
            schema(properties={"id": {"type": "integer"}, f"column_{number}": {"type": "integer"}}),
            record(number, **{f"column_{number}": number}),
            state(at=number),
        )
    ]

    done = stage.run(*messages)

    assert done.code == ExitCode.RESOLVED
    assert sorted(fields["id"] for fields in done.fields) == list(range(200))
    assert done.states[-1] == b'{"at": 199}'


@pytest.mark.parametrize(("rows", "waiting"), [(6, 6), (7, 0), (8, 1)])
def test_a_batch_is_as_large_as_asked_when_the_setting_says_so(rows: int, waiting: int, stage: Stage) -> None:
    """A `max_size` on the sink's class, as templates have it, turns `batch_size_rows` off."""
    target = stage.target(batch_size_rows=7)

    target.process_lines(io.StringIO(written([schema(), *map(record, range(rows))]).decode()))
    in_batch = len(target.records.batch)
    target.process_endofpipe()

    assert in_batch == waiting
    assert len(stage.accepted()) == rows
    assert target.max_parallelism == 1


def test_a_row_is_not_sent_again_when_the_bookmark_is_inclusive(stage: Stage) -> None:
    """SQL taps read the bookmark's row again at each run, and all of them what came past the last STATE."""
    stage.run(schema(), record(1), record(2), state(at=2))

    done = stage.run(schema(), record(2), record(3), state(at=3))

    assert [fields["id"] for fields in done.fields] == [1, 2, 3]
    assert len(done.events) == 3
    assert "2 made = 1 delivered + 1 already delivered" in done.log


def test_the_counts_are_of_outcomes_when_a_run_breaks_off(tmp_path: Path) -> None:
    """The SDK counts what it queued: 25 reported, 2 delivered."""
    with staged(tmp_path, poison_marker="poison") as stage:
        done = stage.run(schema(), record(1), record(2, email="poison"), record(3), max_outage_seconds=1)

    assert done.code == ExitCode.TRY_LATER
    assert [fields["id"] for fields in done.fields] == [1, 3]
    assert "Records: 3 read = 3 mapped" in done.log
    assert "Events: 3 made = 2 delivered" in done.log
    assert "1 open." in done.log


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"no JSON\n", id="the-input-is-bad"),
        pytest.param(b'{"type": "SCHEMA", "stream": "other", "schema": {}}\n', id="a-stream-has-no-mapping"),
    ],
)
def test_all_is_let_go_of_when_a_run_breaks_off(line: bytes, stage: Stage) -> None:
    """The SDK does not clean up after an exception: here threads, sockets and the ledger are free for the next run."""
    broken = stage.run(schema(), record(1), line)
    done = stage.run(schema(), record(1), record(2), max_outage_seconds=1)

    assert broken.code in {ExitCode.INPUT, ExitCode.SETTINGS}
    assert done.code == ExitCode.RESOLVED
    assert [fields["id"] for fields in done.fields] == [1, 2]
