"""A deletion is not a lead: whole runs beside a sandbox."""

from __future__ import annotations

import io
from typing import Any

import pytest

from target_driftrock.commands.preview import Preview
from target_driftrock.errors import ExitCode
from tests.judging import ADA, AT, DELETED, EMAIL, MAILED, ids, leads, row, warnings
from tests.program import written
from tests.stage import LEADS, Stage, state

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.mark.parametrize(
    ("listed", "values"),
    [
        pytest.param({DELETED: EMAIL}, {DELETED: AT}, id="listed"),
        pytest.param({}, {DELETED: AT}, id="not-listed"),
        pytest.param({"_SDC_DELETED_AT": EMAIL}, {"_SDC_DELETED_AT": AT}, id="in-capitals"),
        pytest.param({DELETED: EMAIL}, {DELETED: None, "_SDC_DELETED_AT": AT}, id="in-one-of-two-spellings"),
        pytest.param({DELETED: {"type": "string"}}, {DELETED: 1772323200}, id="of-another-type"),
        pytest.param({DELETED: EMAIL}, {DELETED: AT, "email": 7}, id="with-another-fault"),
        pytest.param({DELETED: EMAIL}, {DELETED: AT, "id": None}, id="without-its-key"),
    ],
)
def test_a_record_is_filtered_when_it_says_that_its_row_was_deleted(
    listed: dict[str, Any], values: dict[str, Any], stage: Stage
) -> None:
    """Log-based taps send deleted rows, mostly empty: nobody is a new customer by being deleted."""
    done = stage.run(
        leads(listed),
        row(id=1, email=ADA),
        row(**{"id": 2, "email": None, **values}),
        state(at=2),
        streams=[dict(LEADS)],
    )

    assert done.code == ExitCode.RESOLVED
    assert ids(done) == ["1"]
    assert done.states == [b'{"at": 2}']
    assert not stage.kept()
    assert "2 read = 1 mapped + 0 invalid + 1 filtered (of them 1 deletion) + 0 unmapped" in done.log
    assert not [line for line in warnings(done) if "deleted" in line]


@pytest.mark.parametrize("blank", [None, "", "  ", "\t"], ids=["null", "empty", "blank", "a-tab"])
def test_a_record_is_a_lead_when_its_deletion_is_blank(blank: str | None, stage: Stage) -> None:
    """Most rows have the column, and are there."""
    done = stage.run(leads({DELETED: EMAIL}), row(id=1, email=ADA, **{DELETED: blank}))

    assert done.fields == [{"id": 1, "email": ADA}]
    assert "0 filtered + 0" in done.log


@pytest.mark.parametrize(
    "mapping",
    [
        pytest.param({"when": {DELETED: AT}}, id="in-its-condition"),
        pytest.param({"event_name": f"Deleted at {{{DELETED}}}"}, id="in-a-template"),
        pytest.param({"fields": {"gone": f"{{{DELETED}}}"}}, id="in-a-field"),
        pytest.param({"created_at": f"{{{DELETED}}}"}, id="as-its-time"),
    ],
)
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not-listed"])
def test_a_deletion_is_sent_when_its_mapping_asks_for_it(
    mapping: dict[str, Any], stage: Stage, *, listed: bool
) -> None:
    """Whoever names it wants to know of deletions."""
    done = stage.run(
        leads({DELETED: EMAIL} if listed else {}),
        row(id=1, email=ADA, **{DELETED: AT}),
        streams=[{**MAILED, **mapping}],
    )

    assert ids(done) == ["1"]
    assert "deletion" not in done.log


def test_deletions_and_leads_are_told_apart_when_conditions_ask(stage: Stage) -> None:
    """Those that are there are leads, and the others an event of their own."""
    streams = [
        {**MAILED, "when": {DELETED: None}},
        {**MAILED, "event_type": "action", "event_name": "Deleted", "fields": {"at": f"{{{DELETED}}}"}},
    ]

    done = stage.run(leads(), row(id=1, email=ADA), row(id=2, **{DELETED: AT}), streams=streams)

    assert sorted((event["event_type"], event["fields"].get("at")) for event in done.events) == [
        ("action", AT),
        ("lead", None),
    ]


def test_a_deletion_in_capitals_is_filtered_when_a_condition_asks_for_another_spelling(stage: Stage) -> None:
    """Else the condition would find null, and take the deleted row for one that is there."""
    done = stage.run(leads(), row(id=1, email=ADA, _SDC_DELETED_AT=AT), streams=[{**MAILED, "when": {DELETED: None}}])

    assert not done.events
    assert "1 filtered (of them 1 deletion)" in done.log


@pytest.mark.parametrize(
    ("maps", "streams", "names"),
    [
        pytest.param({"leads": {"email": "email.lower()"}}, [LEADS], [], id="a-map-that-would-fail-on-it"),
        pytest.param({"leads": {DELETED: None}}, [LEADS], [], id="a-map-that-takes-the-column-away"),
        pytest.param({"leads": {"__alias__": "people"}}, [{**LEADS, "stream": "people"}], [], id="another-name"),
        pytest.param(
            {"leads": {}, "gone": {"__source__": "leads"}},
            [LEADS, {**LEADS, "stream": "gone", "fields": {"at": f"{{{DELETED}}}"}}],
            ["gone"],
            id="a-copy-that-asks-for-it",
        ),
        pytest.param(
            {"copy": {"__source__": "leads"}},
            [{**LEADS, "fields": {"at": f"{{{DELETED}}}"}}, {**LEADS, "stream": "copy"}],
            ["leads"],
            id="a-copy-that-does-not",
        ),
    ],
)
def test_a_deletion_goes_where_it_is_asked_for_when_stream_maps_are_on(
    maps: dict[str, Any], streams: list[Any], names: list[str], stage: Stage
) -> None:
    """It is filtered before the maps, for each stream that they make by itself."""
    done = stage.run(
        leads({DELETED: EMAIL}), row(id=1, email=None, **{DELETED: AT}), streams=list(streams), stream_maps=maps
    )

    assert done.code == ExitCode.RESOLVED
    assert [event["event_name"] for event in done.events] == names
    assert not stage.kept()


@pytest.mark.parametrize(
    ("count", "others", "is_told"),
    [
        pytest.param(1, 0, True, id="one-and-no-other"),
        pytest.param(3, 0, True, id="three-and-no-other"),
        pytest.param(3, 1, False, id="three-beside-a-lead"),
        pytest.param(0, 3, False, id="none"),
    ],
)
def test_it_is_told_when_all_records_of_a_stream_were_deletions(
    count: int, others: int, stage: Stage, *, is_told: bool
) -> None:
    """A tap that says so of every row means something else by it."""
    rows = [row(id=number, **{DELETED: AT}) for number in range(count)]
    there = [row(id=100 + number, email=ADA) for number in range(others)]

    done = stage.run(leads(), *rows, *there, streams=[dict(MAILED)])

    assert done.code == ExitCode.RESOLVED
    told = [line for line in warnings(done) if "their row was deleted" in line]
    assert [f"All {count} records of stream leads" in line and DELETED in line for line in told] == [True] * is_told


def test_nothing_is_told_of_deletions_when_their_stream_is_skipped(stage: Stage) -> None:
    """It was not to be sent anyway."""
    done = stage.run(leads(), row(id=1, **{DELETED: AT}), streams=[{"stream": "leads", "skip": True}])

    assert not [line for line in warnings(done) if "deleted" in line]


def test_deletions_are_counted_when_an_input_is_previewed(stage: Stage) -> None:
    """In the same words as by a run."""
    preview = Preview(stage.target(), write=lambda _: None)

    preview.read(io.BytesIO(written([leads(), row(id=1, email=ADA), row(id=2, **{DELETED: AT})])))

    assert "Records: 2 read = 1 mapped + 0 invalid + 1 filtered (of them 1 deletion) + 0 unmapped." in list(
        preview.summary()
    )
    assert preview.exit_code == ExitCode.RESOLVED
