"""The door for records, used from Python and by nothing else of the project."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from target_driftrock.delivery.door import GRACE_SECONDS
from target_driftrock.errors import ExitCode, InputInvalid, LedgerUnavailable, NoThread, NotTheApi, SettingsInvalid
from target_driftrock.ledger.reading import reading
from target_driftrock.records import Records, door
from tests import threads
from tests.program import ROOT
from tests.stage import LEADS, Stage, logged, schema, staged, state
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("nothing_left")

SCHEMA = {"properties": {"id": {"type": "integer"}, "email": {"type": ["string", "null"]}}}
ADA = "ada@example.com"


def put(stage: Stage, *rows: dict[str, Any], **settings: Any) -> Records:
    """A run of these rows, as a task of a scheduler would have it."""
    with Records(stage.settings(**settings)) as records:
        leads = records.stream("leads", schema=SCHEMA, key=["id"])
        for row in rows:
            leads.put(row)
    return records


def test_rows_are_delivered_and_accounted_for_when_they_are_put(stage: Stage) -> None:
    """The receipt's sums close, as after any run."""
    records = put(stage, *({"id": number, "email": ADA} for number in range(1, 251)))

    assert sorted(event["fields"]["id"] for event in stage.accepted()) == list(range(1, 251))
    assert records.receipt is not None
    assert (records.receipt.records.mapped, records.receipt.events.delivered) == (250, 250)
    assert list(records.receipt.disagreements()) == []
    assert records.causes == []


def test_the_readme_s_lines_deliver_when_they_are_run(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """As they stand there."""
    (lines,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)

    exec(lines, {"settings": stage.settings(), "rows": [{"id": 1, "email": ADA}]})  # noqa: S102 - the page's own

    assert [event["fields"] for event in stage.accepted()] == [{"id": 1, "email": ADA}]
    assert "Events: 1 made = 1 delivered" in capsys.readouterr().out


def test_a_row_is_the_same_event_when_it_came_through_the_pipe_before(stage: Stage) -> None:
    """Whatever Python calls its values: what was delivered by one front is not sent again by another."""
    rows = {"id": 1, "email": ADA, "amount": 12.50, "at": "2026-01-31T10:00:00Z", "day": "2026-01-31"}
    message = {"type": "RECORD", "stream": "leads", "record": rows}
    stage.run(schema(properties={name: {} for name in rows}), message, state(at=1))
    python = {**rows, "amount": Decimal("12.50"), "at": datetime(2026, 1, 31, 10, tzinfo=UTC), "day": date(2026, 1, 31)}

    records = put(stage, python)

    assert records.receipt is not None
    assert (records.receipt.events.already_delivered, records.receipt.events.total) == (1, 1)
    assert len(stage.accepted()) == 1


def test_what_is_refused_can_be_sent_again_when_it_was_put(stage: Stage) -> None:
    """It is kept in the form of a tap's messages, so the pipe takes it back once the cause is mended."""
    put(stage, {"id": 1, "email": 7}, {"id": 2, "email": ADA}, max_reject_percent=100)
    ((stream, reason, line),) = stage.kept()

    done = stage.run(schema(), line.replace(b"7", b'"mended@example.com"') + b"\n")

    assert (stream, reason) == ("leads", "schema: /email: type")
    assert done.code == ExitCode.RESOLVED
    assert sorted(fields["id"] for fields in done.fields) == [1, 2]


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), {1, 2}, object()], ids=["nan", "inf", "a-set", "an-object"]
)
def test_all_before_it_is_delivered_when_json_cannot_say_a_row(value: object, stage: Stage) -> None:
    """The error names stream and number, and not the value."""
    with pytest.raises(InputInvalid, match="Record 2, of stream leads, holds what JSON cannot say") as raised:
        put(stage, {"id": 1}, {"id": 2, "email": value}, {"id": 3})

    assert str(value) not in str(raised.value)
    assert [event["fields"]["id"] for event in stage.accepted()] == [1]


def test_the_first_cause_is_raised_when_delivery_stops(tmp_path: Path) -> None:
    """The rows that are open are for the next run, which reads them again."""
    with staged(tmp_path, html=True) as stage, pytest.raises(NotTheApi):
        put(stage, *({"id": number} for number in range(1, 4)))


def test_a_row_is_passed_over_when_it_says_that_it_was_deleted(stage: Stage) -> None:
    """A deletion is not a lead, whichever way it comes."""
    records = put(stage, {"id": 1, "_sdc_deleted_at": "2026-01-31"}, {"id": 2})

    assert [event["fields"]["id"] for event in stage.accepted()] == [2]
    assert records.receipt is not None
    assert (records.receipt.records.filtered, records.receipt.records.deletions) == (1, 1)


def test_nothing_is_opened_when_settings_or_stream_are_wrong(stage: Stage) -> None:
    """Settings are judged before anything is touched, a stream before any of its rows."""
    with pytest.raises(SettingsInvalid, match="streams"):
        Records(stage.settings(streams=[{"stream": "leads"}]))
    assert not (stage.folder / "ledger").exists()

    with Records(stage.settings()) as records, pytest.raises(SettingsInvalid, match="other"):
        records.stream("other", schema=SCHEMA)


@pytest.mark.parametrize(
    ("name", "value"),
    [("stream_maps", {"leads": {"email": "sha256(email)"}}), ("flattening_enabled", True), ("max_events", 10)],
)
def test_a_setting_is_refused_when_only_the_pipe_could_obey_it(name: str, value: Any, stage: Stage) -> None:
    """An address that was to be hashed must not be sent as it is."""
    others = {"flattening_max_depth": 1} if name == "flattening_enabled" else {}

    with pytest.raises(SettingsInvalid, match=f"^{name}: "):
        put(stage, {"id": 1}, **{name: value}, **others)

    assert stage.accepted() == []


MENDED = {**LEADS, "event_id": "lead-{id}"}


def test_nothing_is_sent_again_when_a_stream_is_opened_before_the_run_begins(stage: Stage) -> None:
    """A mended identity is judged once there is a ledger, and before anything is sent."""
    put(stage, {"id": 1})
    records = Records(stage.settings(streams=[MENDED]))
    records.stream("leads", schema=SCHEMA, key=["id"])

    with pytest.raises(SettingsInvalid, match="formerly"), records:
        pytest.fail("It begins.")

    assert len(stage.accepted()) == 1
    assert put(stage, {"id": 2}).causes == []


def test_a_row_is_not_taken_when_the_run_has_ended(stage: Stage) -> None:
    """It would be sent by nobody; and a run is not begun twice."""
    with Records(stage.settings()) as records:
        leads = records.stream("leads", schema=SCHEMA, key=["id"])

    with pytest.raises(RuntimeError, match="This run has ended"):
        leads.put({"id": 1})
    with pytest.raises(RuntimeError, match="This run has ended"), records:
        pytest.fail("It begins again.")
    with pytest.raises(RuntimeError, match="This run has ended"):
        records.stream("leads", schema=SCHEMA)


@pytest.mark.parametrize(
    ("failure", "code"),
    [(ZeroDivisionError(ADA), 5), (InputInvalid("Row 7 is odd."), 5), (KeyboardInterrupt(), 130)],
    ids=["an-error", "a-cause-of-ours", "an-interrupt"],
)
def test_a_run_is_not_told_as_resolved_when_its_task_fails(failure: BaseException, code: int, stage: Stage) -> None:
    """The ledger and the log's last line have how it ended; the task's own error comes through, and is not printed."""
    with logged() as lines, pytest.raises(type(failure)), Records(stage.settings()) as records:  # noqa: PT012 - as above
        records.stream("leads", schema=SCHEMA, key=["id"]).put({"id": 1})
        raise failure

    assert f"(exit {code})" in lines[-1]
    assert ADA not in "\n".join(lines)
    with reading(str(stage.folder / "ledger")) as ledger:
        assert [run.exit_code for run in ledger.runs(last=1)] == [code]


def test_the_ledger_is_free_again_when_a_second_interrupt_ends_the_wait(tmp_path: Path) -> None:
    """What is in flight is given up then, and counted as unknown."""
    with staged(tmp_path, silent_share=1) as stage:
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt), Records(stage.settings(), tick=interrupt) as records:  # noqa: PT012
            records.stream("leads", schema=SCHEMA, key=["id"]).put({"id": 1})
            records.submit()
            until(lambda: records.delivery.statistics.first_requests == 1)
            raise KeyboardInterrupt
        with Records(stage.settings(max_outage_seconds=1)):
            pass

    assert time.monotonic() - began < GRACE_SECONDS


def interrupt() -> None:
    """As a person does who has waited long enough."""
    raise KeyboardInterrupt


def test_what_was_put_is_open_when_the_ledger_cannot_be_had(stage: Stage) -> None:
    """The sums close all the same, and the exit code is the ledger's."""
    with Records(stage.settings()):
        late = Records(stage.settings(max_outage_seconds=0.5))
        leads = late.stream("leads", schema=SCHEMA, key=["id"])
        leads.put({"id": 1})
        with pytest.raises(LedgerUnavailable):
            late.submit()
        assert late.conclude([LedgerUnavailable("It is held.")], read=1, was_read=True) == ExitCode.TRY_LATER

    assert late.receipt is not None
    assert (late.receipt.events.open, list(late.receipt.disagreements())) == (1, [])


def test_the_ledger_is_free_again_when_no_thread_is_left(stage: Stage) -> None:
    """What could not begin holds nothing."""
    with threads.none_left(), pytest.raises(NoThread):
        put(stage, {"id": 1})

    assert put(stage, {"id": 1}).causes == []


def test_the_ledger_is_free_again_when_a_task_fails_on_its_own(stage: Stage) -> None:
    """Its own error comes through, what was put is settled, and nothing is left running."""
    with pytest.raises(ZeroDivisionError), Records(stage.settings()) as records:  # noqa: PT012 - the with is the matter
        records.stream("leads", schema=SCHEMA, key=["id"]).put({"id": 1})
        1 / 0  # noqa: B018

    assert put(stage, {"id": 1}, {"id": 2}).causes == []
    assert sorted(event["fields"]["id"] for event in stage.accepted()) == [1, 2]


def test_only_one_has_the_ledger_when_two_tasks_want_it(stage: Stage) -> None:
    """The other says who has it."""
    with Records(stage.settings()), pytest.raises(LedgerUnavailable, match="held by"):
        put(stage, max_outage_seconds=1)


def test_a_row_waits_when_too_much_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded in a task of any length: `put` returns once there is room."""
    monkeypatch.setattr(door, "OPEN_BYTES", 50_000)
    weights = []
    with staged(tmp_path, latency=0.02) as stage, Records(stage.settings()) as records:
        leads = records.stream("leads", schema=SCHEMA, key=["id"])
        for number in range(1, 41):
            leads.put({"id": number, "email": "e" * 10_000})
            weights.append(records.tally.open_bytes)

    assert max(weights) < 50_000


def test_a_run_says_how_it_ended_when_it_was_used_from_python(stage: Stage) -> None:
    """The log's last lines are those of every run."""
    with logged() as lines:
        put(stage, {"id": 1})

    assert lines[-1] == "INFO All is resolved (exit 0)."


def test_no_name_is_told_when_values_became_the_names_of_columns(stage: Stage) -> None:
    """A task that reads a sheet has no other log than what is raised."""
    properties: dict[str, Any] = {"Kanari": {}, "kanari@example.com": {}}
    settings = stage.settings(streams=[{**LEADS, "fields": {"email": "{email}"}}])

    with Records(settings) as records, pytest.raises(SettingsInvalid) as raised:
        records.stream("leads", schema={"properties": properties}, key=["Kanari"])

    assert "is the header row missing?" in str(raised.value)
    assert "anari" not in str(raised.value)


def test_a_stream_is_refused_when_its_schema_holds_itself(stage: Stage) -> None:
    """JSON could not say it, and whoever looked for all its names would never end."""
    whole: dict[str, Any] = {}
    whole["properties"] = {"below": whole}

    with Records(stage.settings()) as records, pytest.raises(RecursionError):
        records.stream("leads", schema=whole, key=["below"])
