"""Conditions that nothing meets, and mappings that nothing reaches: whole runs beside a sandbox."""

from __future__ import annotations

import io
from typing import Any

import pytest

from target_driftrock.commands.check import Level, findings
from target_driftrock.commands.preview import Preview
from target_driftrock.errors import ExitCode
from tests.judging import ADA, AT, DELETED, EMAIL, FLAT, MAILED, ids, leads, row, warnings
from tests.program import written
from tests.stage import Stage

pytestmark = pytest.mark.usefixtures("nothing_left")


# A condition that nothing can meet.


@pytest.mark.parametrize(
    ("listed", "wanted"),
    [
        pytest.param({"type": ["null", "integer"]}, True, id="true-of-an-integer"),
        pytest.param({"type": "boolean"}, "true", id="a-text-of-a-boolean"),
        pytest.param({"type": "string"}, 1, id="a-number-of-a-text"),
        pytest.param({"enum": ["Won", "Lost"]}, "won", id="a-choice-in-another-case"),
        pytest.param({"const": 1}, 2, id="another-than-the-only-one"),
        pytest.param({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "1", id="no-branch-of-it"),
        pytest.param({"type": ["string", "null"]}, [True, 1], id="none-of-two"),
    ],
)
@pytest.mark.parametrize("skip", [True, False], ids=["skip", "send"])
def test_a_run_ends_before_anything_is_sent_when_no_value_can_meet_a_condition(
    listed: Any, wanted: Any, stage: Stage, *, skip: bool
) -> None:
    """Everything would be kept out, or nothing, for ever and in silence; the property is named."""
    mapping = {"stream": "leads", "skip": True} if skip else MAILED
    streams = [{**mapping, "when": {"consent": wanted}}, dict(MAILED)]

    done = stage.run(leads(consent=listed), row(id=1, email=ADA, consent=1), streams=streams)

    assert done.code == ExitCode.SETTINGS
    assert not done.events
    assert "streams[0] (leads): when.consent" in done.log


@pytest.mark.parametrize(
    ("listed", "wanted", "value"),
    [
        pytest.param({"type": "integer"}, [True, 1], 1, id="one-of-two"),
        pytest.param({"type": ["null", "string"]}, [True, None, "yes"], "yes", id="the-last-of-three"),
        pytest.param({"type": "integer"}, 1.0, 1, id="one-number-in-two-spellings"),
        pytest.param({"type": ["integer", "null"]}, None, None, id="null"),
        pytest.param({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "1", "1", id="one-of-the-branches"),
        pytest.param({}, True, True, id="no-type"),
        pytest.param({"type": "any"}, 1, 1, id="no-type-of-json"),
    ],
)
def test_a_condition_is_right_when_one_value_of_several_can_come(
    listed: Any, wanted: Any, value: Any, stage: Stage
) -> None:
    """One mapping may serve streams that spell it differently."""
    done = stage.run(
        leads(consent=listed), row(id=1, email=ADA, consent=value), streams=[{**MAILED, "when": {"consent": wanted}}]
    )

    assert done.code == ExitCode.RESOLVED
    assert ids(done) == ["1"]


@pytest.mark.parametrize("listed", [{"type": "null"}, {"type": ["null"]}, {"anyOf": [{"type": "null"}]}])
def test_it_is_a_warning_when_the_tap_knows_no_type_but_null(listed: Any, stage: Stage) -> None:
    """It may never have seen a value; the run goes on, and check and preview say it."""
    streams = [{**MAILED, "when": {"consent": True}}]
    messages = written([leads(consent=listed), row(id=1, email=ADA)])
    preview = Preview(stage.target(streams=streams), write=lambda _: None)

    preview.read(io.BytesIO(messages))
    done = stage.run(messages, streams=streams)

    assert done.code == ExitCode.RESOLVED
    assert "1 filtered" in done.log
    assert [line for line in preview.summary() if line.startswith("warning: ") and "when.consent" in line]


@pytest.mark.parametrize(
    ("rules", "config"),
    [
        pytest.param({"consent": "consent == 1"}, {}, id="made-by-a-map"),
        pytest.param({"made": "'x'", "consent": "bool(consent)"}, {}, id="made-by-a-map-in-another-way"),
        pytest.param({"email": "email"}, {**FLAT, "any": {}}, id="guessed-by-flattening"),
    ],
)
def test_a_condition_is_not_judged_when_the_sdk_guessed_the_type(
    rules: dict[str, str], config: dict[str, Any], stage: Stage
) -> None:
    """What the tap says of it is not what comes, or the tap says nothing of it."""
    listed = config.pop("any", {"type": "integer"})

    done = stage.run(
        leads(consent=listed),
        row(id=1, email=ADA, consent=True if listed == {} else 1),
        streams=[{**MAILED, "when": {"consent": True}}],
        stream_maps={"leads": rules},
        **config,
    )

    assert ids(done) == ["1"]


# What took nothing.


@pytest.mark.parametrize(("count", "is_told"), [(99, False), (100, True), (101, True)])
@pytest.mark.parametrize("skip", [True, False], ids=["skip", "send"])
def test_a_condition_is_told_when_it_kept_out_a_hundred_records(
    count: int, stage: Stage, *, is_told: bool, skip: bool
) -> None:
    """It is right by the SCHEMA, and still nothing met it: a spelling, mostly. Fewer may be chance."""
    mapping = {"stream": "leads", "skip": True} if skip else MAILED
    streams = [{**mapping, "when": {"stage": "Closed won"}}, {"stream": "leads", "skip": True}]
    rows = [row(id=number, email=ADA, stage="Closed Won") for number in range(count)]

    done = stage.run(leads(stage={"type": "string"}), *rows, streams=streams)

    assert done.code == ExitCode.RESOLVED
    told = warnings(done)
    assert [f"streams[0] (leads): its `when` kept out all {count} records" in line for line in told] == [True] * is_told


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        pytest.param(["won"] * 150, [], id="all-taken-by-the-first"),
        pytest.param(["won", *["new"] * 150], ["streams[1]"], id="one-taken-by-the-first"),
        pytest.param(["won"] * 60 + ["new"] * 60, [], id="too-few-left-for-the-second"),
        pytest.param(["lost"] * 60 + ["new"] * 60, ["streams[0]"], id="some-taken-by-the-second"),
        pytest.param(["new"] * 150, ["streams[0]", "streams[1]"], id="none-taken"),
    ],
)
def test_each_condition_is_judged_by_what_reached_it_when_there_are_several(
    stages: list[str], told: list[str], stage: Stage
) -> None:
    """What an earlier mapping took was never its own to take."""
    streams = [
        {**MAILED, "when": {"stage": "won"}},
        {**MAILED, "when": {"stage": "lost"}},
        {"stream": "leads", "skip": True},
    ]

    done = stage.run(
        leads(stage={"type": "string"}),
        *(row(id=number, email=ADA, stage=each) for number, each in enumerate(stages)),
        streams=streams,
    )

    assert [line.split()[1] for line in warnings(done)] == told


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([leads(stage=EMAIL, more=EMAIL)], id="the-schema-changes"),
        pytest.param([leads(stage=EMAIL)], id="the-schema-is-repeated"),
        pytest.param([], id="it-is-one-schema"),
    ],
)
def test_records_are_counted_on_when_another_schema_comes(messages: list[dict[str, Any]], stage: Stage) -> None:
    """Sixty before it and sixty after are a hundred and twenty."""
    rows = [row(id=number, stage="new") for number in range(120)]

    done = stage.run(
        leads(stage=EMAIL), *rows[:60], *messages, *rows[60:], streams=[{**MAILED, "when": {"stage": "won"}}]
    )

    (told,) = warnings(done)
    assert "all 120 records of stream leads" in told


def test_deletions_are_not_counted_when_a_condition_took_nothing(stage: Stage) -> None:
    """They were filtered before anybody asked."""
    rows = [row(id=number, stage="new", **{DELETED: AT if number % 2 else None}) for number in range(198)]

    done = stage.run(leads(stage=EMAIL), *rows, streams=[{**MAILED, "when": {"stage": "won"}}])

    assert not warnings(done)


@pytest.mark.parametrize("count", [0, 1, 120])
def test_a_mapping_is_told_at_any_number_when_nothing_can_reach_it(count: int, stage: Stage) -> None:
    """By a run, by preview and by check: the one before it takes everything."""
    streams = [dict(MAILED), {**MAILED, "when": {"id": 1}, "event_type": "action"}]
    messages = written([leads(), *(row(id=number, email=ADA) for number in range(count))])
    preview = Preview(stage.target(streams=streams), write=lambda _: None)

    preview.read(io.BytesIO(messages))
    done = stage.run(messages, streams=streams)

    said = "streams[1] (leads): no record reaches it, since streams[0] (leads) takes everything before it"
    assert [said in line for line in warnings(done)] == [True]
    assert [said in line for line in preview.summary() if line.startswith("warning: ") and "reaches" in line] == [True]
    assert (done.code, preview.exit_code) == (ExitCode.RESOLVED, ExitCode.RESOLVED)


@pytest.mark.parametrize("has_input", [True, False], ids=["with-an-input", "without"])
def test_check_tells_once_when_nothing_can_reach_a_mapping(stage: Stage, *, has_input: bool) -> None:
    """Before any record is read, and beside all else that it finds."""
    streams = [{**MAILED, "stream": "*"}, dict(MAILED)]
    source = io.BytesIO(written([leads(), row(id=1, email=ADA)]))

    found = list(findings(lambda: stage.target(streams=streams), source if has_input else None, has_input=has_input))

    told = [finding for finding in found if "no record reaches it" in finding.text]
    assert [(finding.level, finding.text.partition(":")[0]) for finding in told] == [
        (Level.WARNING, "streams[1] (leads)")
    ]


def test_preview_and_check_tell_of_a_condition_when_it_kept_out_a_hundred_records(stage: Stage) -> None:
    """As the run over the same input would."""
    streams = [{**MAILED, "when": {"stage": "Closed won"}}]
    messages = written([leads(stage=EMAIL), *(row(id=number, stage="Closed Won") for number in range(100))])
    preview = Preview(stage.target(streams=streams), write=lambda _: None)

    preview.read(io.BytesIO(messages))
    found = findings(lambda: stage.target(streams=streams), io.BytesIO(messages), has_input=True)

    assert [line for line in preview.summary() if "kept out all 100 records" in line]
    assert [finding.level for finding in found if "kept out all 100 records" in finding.text] == [Level.WARNING]
