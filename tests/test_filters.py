"""Whole runs of messy records: what filters make of them, and what is said of those that they cannot read."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from target_driftrock.commands.preview import Preview
from target_driftrock.errors import ExitCode
from target_driftrock.ledger.reading import reading
from tests.judging import ADA, EMAIL, MAILED, leads, reasons, row
from tests.program import written
from tests.stage import Stage

pytestmark = pytest.mark.usefixtures("nothing_left")

PHONED = {**MAILED, "fields": {"email": "{email}", "phone": "{phone | phone: GB | else}"}}
AMOUNTS = {**MAILED, "fields": {"email": "{email}", "value": "{amount | number: comma}"}}
PASSED_OVER = "Passed over: 2 of streams[0] (leads): phone cannot be read by the filter phone, as else allows."


def test_a_wrong_number_does_not_cost_the_lead_when_else_follows(stage: Stage) -> None:
    """It is delivered without it, and both log and kept receipt say how often, where and by what."""
    phones = ["07700 900471", "none", "ext. 7", None]
    rows = [row(id=number, email=ADA, phone=phone) for number, phone in enumerate(phones)]

    done = stage.run(leads(phone=EMAIL), *rows, streams=[PHONED])

    assert done.code == ExitCode.RESOLVED
    assert [fields.get("phone") for fields in done.fields] == ["+447700900471", None, None, None]
    assert PASSED_OVER in done.log
    (receipt,) = _receipts(stage)
    assert receipt["unread"] == [
        {"mapping": "streams[0] (leads)", "property": "phone", "filter": "phone", "count": 2},
    ]


def test_preview_says_what_else_lets_pass_when_it_shows_the_events(stage: Stage) -> None:
    """Before anything is sent, and without a value."""
    messages = [leads(phone=EMAIL), *(row(id=number, email=ADA, phone="CANARY") for number in (1, 2))]
    preview = Preview(stage.target(streams=[PHONED]), write=lambda _: None)

    preview.read(io.BytesIO(written(messages)))

    summary = list(preview.summary())
    assert preview.exit_code == ExitCode.RESOLVED
    assert PASSED_OVER in summary
    assert "CANARY" not in "\n".join(summary)


def test_the_row_is_kept_when_a_filter_cannot_read_it(stage: Stage) -> None:
    """With the filter and the property as the reason, and without the value in the log."""
    rows = [row(id=number, email=ADA, amount=amount) for number, amount in enumerate(["1,50", "CANARY", "1.50"])]

    done = stage.run(leads(amount=EMAIL), *rows, streams=[AMOUNTS], max_reject_percent=100)

    assert [fields["value"] for fields in done.fields] == [pytest.approx(1.5)]
    assert reasons(stage) == ["fields.value cannot be read by the filter number (property amount)"] * 2
    assert "CANARY" not in done.log


@pytest.mark.parametrize("listed", [{"type": "number"}, {"type": "integer", "maximum": 1}, {"enum": ["x"]}], ids=str)
def test_the_schema_does_not_judge_when_only_a_filter_reads_a_property(listed: dict[str, Any], stage: Stage) -> None:
    """What only filters read, they judge: taps guess the type of a column by its first rows."""
    done = stage.run(leads(amount=listed), row(id=1, email=ADA, amount="1.234,50 €"), streams=[AMOUNTS])

    assert done.code == ExitCode.RESOLVED
    assert [str(fields["value"]) for fields in done.fields] == ["1234.50"]


def test_the_schema_does_not_judge_when_a_condition_reads_by_a_filter(stage: Stage) -> None:
    """Nor does it say that no record can be as wanted."""
    streams = [{**MAILED, "when": {"consent | boolean": True}}]
    rows = [row(id=number, email=ADA, consent=said) for number, said in enumerate(["ja", "nein", "perhaps"])]

    done = stage.run(leads(consent={"type": "boolean"}), *rows, streams=streams, max_reject_percent=100)

    assert [event["event_id"] for event in done.events] == ["leads:0"]
    assert reasons(stage) == ["when cannot be read by the filter boolean (property consent)"]
    assert "1 mapped + 1 invalid + 1 filtered" in done.log


def test_what_is_dropped_is_counted_when_else_stands_in_a_condition(stage: Stage) -> None:
    """Nobody is dropped in silence."""
    streams = [{**MAILED, "when": {"consent | boolean | else": True}}]

    done = stage.run(leads(consent=EMAIL), row(id=1, email=ADA, consent="CANARY"), streams=streams)

    assert done.events == []
    assert "Passed over: 1 of streams[0] (leads): consent cannot be read by the filter boolean" in done.log


def test_nothing_is_counted_when_another_mapping_takes_what_a_condition_could_not_read(stage: Stage) -> None:
    """A column of several forms has a mapping for each: what one cannot read, the next one does."""
    days = ["day | date: %d.%m.%Y", "day | date: %Y-%m-%d"]
    streams = [{**MAILED, "when": {f"{day} | else": {"not": [None]}}, "created_at": f"{{{day}}}"} for day in days]

    done = stage.run(leads(day=EMAIL), row(id=1, email=ADA, day="2026-01-31"), streams=streams)

    assert [event["created_at"] for event in done.events] == ["2026-01-31T00:00:00.000Z"]
    assert "Passed over" not in done.log


def test_a_stream_map_s_result_passes_filters_when_both_are_there(stage: Stage) -> None:
    """The map first: filters stand in the mapping, which comes behind it."""
    maps = {"leads": {"both": "email + ' '"}}
    streams = [{**MAILED, "fields": {"email": "{both | trim | upper}"}}]

    done = stage.run(leads(), row(id=1, email=ADA), streams=streams, stream_maps=maps)

    assert done.fields == [{"email": ADA.upper()}]


def test_everything_is_asked_for_when_filters_are_told_to_a_run_by_the_environment(stage: Stage) -> None:
    """Tables included: a mapping is the same in a file, in a variable and in meltano.yml."""
    streams = [
        {
            **MAILED,
            "event_name": "{stage | lookup: stages}",
            "tables": {"stages": {"a.b": "Dotted", "yes": "Quoted", "*": "Other"}},
        }
    ]
    messages = [
        leads(stage=EMAIL),
        *(row(id=number, email=ADA, stage=name) for number, name in enumerate(["a.b", "yes", ""])),
    ]
    config = stage.config(streams=[])

    ended = stage.finished(
        config,
        "--config=ENV",
        given=written(messages),
        TARGET_DRIFTROCK_STREAMS=json.dumps(streams),
        TARGET_DRIFTROCK_MAX_REJECT_PERCENT="100",
    )

    assert ended.code == ExitCode.RESOLVED
    assert [event["event_name"] for event in stage.accepted()] == ["Dotted", "Quoted"]


def _receipts(stage: Stage) -> list[Any]:
    with reading(str(stage.folder / "ledger")) as ledger:
        return [json.loads(run.receipt) for run in ledger.runs(last=1) if run.receipt is not None]
