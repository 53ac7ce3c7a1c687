"""Records on their way into the one batch: what becomes of each, and by which rule it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from target_driftrock.errors import SettingsInvalid
from target_driftrock.events.event import Event, Origin, Part, Refusal
from target_driftrock.sinks import Batch, DriftrockSink
from target_driftrock.target import TargetDriftrock
from tests.delivery.examples import event, origin
from tests.sandbox.wire import ManualClock
from tests.stage import LEADS

PROPERTIES: Mapping[str, Any] = {
    "id": {"type": "integer"},
    "email": {"type": ["string", "null"]},
    "stage": {"type": "string"},
}
SCHEMA = {"type": "object", "properties": PROPERTIES}


def sink(folder: Path, *, stream: str = "leads", keys: tuple[str, ...] = ("id",), **settings: Any) -> DriftrockSink:
    """A sink of a target that has not begun: nothing is opened, and nothing is sent."""
    config = {"environment": "sandbox", "ledger": str(folder / "ledger"), "streams": [dict(LEADS)], **settings}
    return DriftrockSink(TargetDriftrock(config=config), stream, dict(SCHEMA), keys)


def part(sink: DriftrockSink, record: dict[str, Any]) -> Part | None:
    """What a record becomes."""
    return sink.part(record, origin(1))


class TestBatch:
    """The batch that all sinks share."""

    def test_parts_come_out_in_the_order_read_when_they_are_taken(self) -> None:
        """Taken once: what comes afterwards is another batch."""
        batch = Batch(ManualClock())
        for number in (1, 2, 3):
            batch.add(event(number))

        assert len(batch) == 3
        assert batch.since(1) == [event(2), event(3)]
        assert batch.take() == [event(1), event(2), event(3)]
        assert len(batch) == 0
        assert batch.take() == []

    def test_its_age_is_that_of_its_oldest_part_when_there_is_one(self) -> None:
        """Else it has none, however long ago the last one went."""
        clock = ManualClock()
        batch = Batch(clock)
        ages = [batch.age]
        batch.add(event(1))
        clock.seconds += 3
        batch.add(event(2))
        ages.append(batch.age)
        batch.take()
        clock.seconds += 10
        ages.append(batch.age)
        batch.add(event(3))
        clock.seconds += 1
        ages.append(batch.age)

        assert ages == [0, 3, 0, 1]


def test_an_event_comes_of_a_record_when_it_is_right(tmp_path: Path) -> None:
    """It bears its stream's name and key, and its record as it was read."""
    made = part(sink(tmp_path), {"id": 1, "email": "ada@example.com"})

    assert isinstance(made, Event)
    assert (made.event_type, made.event_name, made.event_id) == ("lead", "leads", "leads:1")
    assert made.origin == Origin(position=1, stream="leads", record=b'{"id": 1}', schema=b"{}", key="leads:1")


@pytest.mark.parametrize(
    ("record", "settings", "reason", "key"),
    [
        pytest.param({"id": 1, "email": 7}, {}, "schema: /email: type", "leads:1", id="against-the-schema"),
        pytest.param({"email": None}, {}, "a key property is missing", None, id="without-its-key"),
        pytest.param(
            {"id": "x", "email": 7}, {}, "schema: /id: type", "leads:x", id="against-the-schema-in-several-places"
        ),
        pytest.param(
            {"id": 1, "stage": "x"},
            {"streams": [{**LEADS, "event_type": "{stage}"}]},
            "event_type",
            "leads:1",
            id="without-an-event-type",
        ),
    ],
)
def test_a_refusal_comes_of_a_record_when_a_rule_is_broken(
    record: dict[str, Any], settings: dict[str, Any], reason: str, key: str | None, tmp_path: Path
) -> None:
    """The reason is a rule, and the record's key goes with it, where it has one."""
    made = part(sink(tmp_path, **settings), record)

    assert isinstance(made, Refusal)
    assert made.reason.startswith(reason)
    assert made.origin.key == key


@pytest.mark.parametrize(
    "mapping",
    [
        pytest.param({**LEADS, "when": {"stage": "won"}}, id="when-keeps-it-out"),
        pytest.param({"stream": "leads", "skip": True}, id="its-stream-is-skipped"),
    ],
)
@pytest.mark.parametrize(
    "record", [{"id": 1, "stage": "lost"}, {"stage": "lost"}, {"id": 1, "stage": "lost", "email": 7}]
)
def test_nothing_comes_of_a_record_when_the_mapping_keeps_it_out(
    mapping: dict[str, Any], record: dict[str, Any], tmp_path: Path
) -> None:
    """Whatever else is wrong with it: what is not to be sent need not be right."""
    assert part(sink(tmp_path, streams=[mapping]), record) is None


def test_a_record_is_not_judged_when_validation_is_turned_off(tmp_path: Path) -> None:
    """`validate_records: false` sends what the mapping can make of it."""
    assert isinstance(part(sink(tmp_path, validate_records=False), {"id": 1, "email": 7}), Event)


@pytest.mark.parametrize(
    ("stream", "keys", "fault"),
    [
        pytest.param("other", ("id",), "other", id="no-mapping-names-it"),
        pytest.param("leads", (), "event_id", id="it-has-no-key"),
        pytest.param("leads", ("uid",), "uid is not listed", id="its-key-is-not-listed"),
    ],
)
def test_a_stream_is_a_fault_of_the_settings_when_no_mapping_fits_it(
    stream: str, keys: tuple[str, ...], fault: str, tmp_path: Path
) -> None:
    """Told at its SCHEMA, before any of its records."""
    with pytest.raises(SettingsInvalid, match=fault):
        sink(tmp_path, stream=stream, keys=keys)


def test_all_sinks_fill_one_batch_when_records_come(tmp_path: Path) -> None:
    """`current_size` is what waits, whichever stream it is of."""
    target = TargetDriftrock(
        config={
            "environment": "sandbox",
            "ledger": str(tmp_path / "ledger"),
            "streams": [{**LEADS, "stream": "*"}],
        }
    )
    leads = DriftrockSink(target, "leads", dict(SCHEMA), ["id"])
    sales = DriftrockSink(target, "sales", dict(SCHEMA), ["id"])

    for position, each in enumerate((leads, sales, leads), start=1):
        each.process_record({"id": position}, {"origin": origin(position)})

    assert (leads.current_size, sales.current_size) == (3, 3)
    assert [made.origin.position for made in target.batch.take()] == [1, 2, 3]


def test_what_a_person_should_know_is_told_when_a_mapping_surprises(tmp_path: Path) -> None:
    """Events without a time are dated on arrival."""
    assert any("dated on arrival" in warning for warning in sink(tmp_path).warnings)
