"""The accounts of a run, and the proof that they close."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from target_driftrock.receipt import VERSION, EventCounts, Line, Receipt, RecordCounts

RECEIPT = Receipt(
    records=RecordCounts(mapped=7, invalid=2, filtered=3, unmapped=1),
    records_read=13,
    events=EventCounts(delivered=2, already_delivered=1, changed=1, invalid=2, rejected=1, held=1, open=1),
    events_submitted=9,
    events_recorded=EventCounts(delivered=2, invalid=2, rejected=1, held=1),
    records_by_stream={"leads": RecordCounts(mapped=7, invalid=2, filtered=3)},
    events_by_line={
        Line("leads", "streams[0] (leads)", "capture-1", "2026-01-31", "lead", "Signed up"): EventCounts(delivered=2)
    },
    refusals={("streams[0] (leads)", "status 422"): 1, ("stream leads", "schema: /email: type"): 2},
    held={("streams[0] (leads)", "an answer was lost"): 1},
    changes={("streams[0] (leads)", "the same person"): 1},
    changes_sent={"streams[0] (leads)": 1, "streams[1] (sales)": 0},
    retries=4,
    unknown=1,
    unknown_recorded=1,
    latencies={"p50": 20.4, "p95": 99.6},
    token_requests=2,
    seconds=0.5,
)


def test_nothing_disagrees_when_both_sums_close() -> None:
    """Every record is somewhere, every event has one outcome, and the ledger counted the same."""
    assert not list(RECEIPT.disagreements())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"records_read": 14}, "14 records were read, and 13 are accounted for.", id="a-record-too-few"),
        pytest.param({"records_read": 12}, "12 records were read, and 13 are accounted for.", id="a-record-too-many"),
        pytest.param({"events_submitted": 10}, "10 events were made, and 9 have an outcome.", id="an-event-too-few"),
        *(
            pytest.param(
                {"events_recorded": dataclasses.replace(RECEIPT.events_recorded or EventCounts(), **{name: 7})},
                f"{count} events are {name}, and the ledger recorded 7.",
                id=f"{name}-otherwise-in-the-ledger",
            )
            for name, count in (("delivered", 2), ("invalid", 2), ("rejected", 1), ("held", 1))
        ),
        pytest.param({"unknown_recorded": 2}, "1 answers were lost, and the ledger recorded 2.", id="a-lost-answer"),
    ],
)
def test_the_sum_is_told_when_it_does_not_close(change: dict[str, Any], told: str) -> None:
    """Each disagreement is a sentence of its own."""
    assert list(dataclasses.replace(RECEIPT, **change).disagreements()) == [told]


def test_nothing_is_compared_when_the_ledger_is_lost() -> None:
    """A ledger that cannot be asked is another fault, told as such."""
    lost = dataclasses.replace(RECEIPT, events_recorded=None, unknown_recorded=None)

    assert not list(lost.disagreements())


def test_both_sums_stand_there_when_a_person_reads_it() -> None:
    """Whoever adds up gets what was read, and what was made."""
    assert list(RECEIPT.lines()) == [
        "Records: 13 read = 7 mapped + 2 invalid + 3 filtered + 1 unmapped.",
        "Events: 9 made = 2 delivered + 1 already delivered + 1 changed + 2 invalid + 1 rejected + 1 held + 1 open.",
        "Refused: 2 of stream leads: schema: /email: type.",
        "Refused: 1 of streams[0] (leads): status 422.",
        "Held: 1 of streams[0] (leads): an answer was lost.",
        "Changed, not sent: 1 of streams[0] (leads): the same person.",
        "Changes that were sent: 1 of the delivered of streams[0] (leads).",
        "4 events a second over 0.5 seconds, 4 retries, 1 answers lost, 2 token requests.",
        "Answers came after: p50 20 ms, p95 100 ms.",
    ]


@pytest.mark.parametrize(
    ("deletions", "told"),
    [
        pytest.param(0, "3 filtered + 1 unmapped", id="none"),
        pytest.param(1, "3 filtered (of them 1 deletion) + 1 unmapped", id="one"),
        pytest.param(3, "3 filtered (of them 3 deletions) + 1 unmapped", id="all-of-them"),
    ],
)
def test_deletions_are_told_when_records_were_filtered_for_that(deletions: int, told: str) -> None:
    """They are among the filtered, so the sum is the same without them."""
    receipt = dataclasses.replace(RECEIPT, records=dataclasses.replace(RECEIPT.records, deletions=deletions))

    assert next(receipt.lines()) == f"Records: 13 read = 7 mapped + 2 invalid + {told}."
    assert json.loads(receipt.as_json())["records"]["deletions"] == deletions
    assert not list(receipt.disagreements())


def test_no_rate_is_told_when_nothing_was_sent() -> None:
    """A run over an empty input divides by nothing."""
    empty = Receipt(
        records=RecordCounts(), records_read=0, events=EventCounts(), events_submitted=0, events_recorded=None
    )

    assert not list(empty.disagreements())
    assert list(empty.lines())[-1] == "Nothing was sent, 0 retries, 0 answers lost, 0 token requests."


def test_every_count_is_in_it_when_it_is_kept() -> None:
    """The JSON has the sums, and each stream, mapping, capture and day."""
    kept = json.loads(RECEIPT.as_json())

    assert kept["records"] == {"read": 13, "mapped": 7, "invalid": 2, "filtered": 3, "unmapped": 1, "deletions": 0}
    assert kept["events"] == {"made": 9, **dataclasses.asdict(RECEIPT.events)}
    assert kept["records_by_stream"] == {"leads": dataclasses.asdict(RECEIPT.records_by_stream["leads"])}
    assert kept["events_by_line"] == [
        {
            "stream": "leads",
            "mapping": "streams[0] (leads)",
            "capture": "capture-1",
            "day": "2026-01-31",
            "type": "lead",
            "name": "Signed up",
            **dataclasses.asdict(EventCounts(delivered=2)),
        }
    ]
    assert kept["refusals"] == [
        {"mapping": "stream leads", "reason": "schema: /email: type", "count": 2},
        {"mapping": "streams[0] (leads)", "reason": "status 422", "count": 1},
    ]
    assert kept["held"] == [{"mapping": "streams[0] (leads)", "reason": "an answer was lost", "count": 1}]
    assert kept["changes"] == [{"mapping": "streams[0] (leads)", "cause": "the same person", "count": 1}]
    assert kept["changes_sent"] == {"streams[0] (leads)": 1}
    assert kept["version"] == 1
    assert kept["latencies_ms"] == {"p50": 20.4, "p95": 99.6}
    assert (kept["retries"], kept["answers_lost"], kept["token_requests"], kept["seconds"]) == (4, 1, 2, 0.5)


def test_events_without_identity_are_told_when_there_are_some() -> None:
    """What is promised of repeats does not hold for them, so the receipt says how many, and of which mapping."""
    receipt = dataclasses.replace(RECEIPT, without_identity={"streams[1] (visits)": 12})

    assert "Without event_id: 12 of streams[1] (visits); a repeat of them cannot be recognised." in list(
        receipt.lines()
    )
    assert json.loads(receipt.as_json())["without_identity"] == {"streams[1] (visits)": 12}


PAGE = Path(__file__).parents[1] / "docs/receipt.md"


def _members(value: Any, path: str = "") -> Iterator[str]:
    """Every member that holds no others, by its path; `[]` stands for all of a list."""
    match value:
        case dict():
            for name, member in value.items():
                yield from _members(member, f"{path}.{name}".removeprefix("."))
        case list():
            for member in value:
                yield from _members(member, f"{path}[]")
        case _:
            yield path


def test_a_member_is_on_the_page_when_the_json_has_it() -> None:
    """And no other one; of what is kept by name or by outcome, a `*` stands for all."""
    whole = dataclasses.replace(RECEIPT, without_identity={"streams[1] (visits)": 12})
    members = {member.replace("[]", "/") for member in _members(json.loads(whole.as_json()))}
    rows = [line.split("|")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    listed = {name.replace("[]", "/") for row in rows for name in re.findall(r"`([^`]+)`", row)} - {"events_by_line/"}

    assert [member for member in members if not any(fnmatchcase(member, name) for name in listed)] == []
    assert [name for name in listed if not any(fnmatchcase(member, name) for member in members)] == []
    assert f"| `version` | {VERSION} |" in PAGE.read_text(encoding="utf-8")
