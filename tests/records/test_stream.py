"""Records on their way into the one batch: what becomes of each, and by which rule it is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from target_driftrock.errors import SettingsInvalid
from target_driftrock.events.event import Event, InvalidPart, Part
from target_driftrock.events.identity import NOBODY, Who
from target_driftrock.mapping.compiler import template_faults
from target_driftrock.records.batch import Batch
from target_driftrock.records.stream import RecordStream
from target_driftrock.settings import parse
from target_driftrock.singer.decoding import decode
from target_driftrock.singer.messages import Record
from target_driftrock.singer.streams import digest
from target_driftrock.sinks import DriftrockSink
from target_driftrock.target import TargetDriftrock
from tests.delivery.examples import event, origin
from tests.stage import LEADS
from tests.waiting import ManualClock

PROPERTIES: Mapping[str, Any] = {
    "id": {"type": "integer"},
    "email": {"type": ["string", "null"]},
    "stage": {"type": "string"},
}
SCHEMA = {"type": "object", "properties": PROPERTIES}
ADA = "ada@example.com"
NAMELESS = {**LEADS, "fields": {"stage": "{stage}"}}


def opened(
    folder: Path,
    *,
    stream: str = "leads",
    schema: Mapping[str, Any] = SCHEMA,
    keys: Sequence[str] = ("id",),
    scope: str | None = None,
    **settings: Any,
) -> RecordStream:
    """A stream of records: nothing is opened, and nothing is sent."""
    config = {"environment": "sandbox", "ledger": str(folder / "ledger"), "streams": [dict(LEADS)], **settings}
    return RecordStream(
        parse(config, template_faults=template_faults), stream, schema=dict(schema), key_properties=keys, scope=scope
    )


def part(stream: RecordStream, record: dict[str, Any]) -> Part | None:
    """What a record becomes."""
    return stream.part(record, origin(1))


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
    made = part(opened(tmp_path), {"id": 1, "email": "ada@example.com"})

    assert isinstance(made, Event)
    assert (made.event_type, made.event_name, made.event_id) == ("lead", "leads", "leads:1")
    assert made.origin == structs.replace(origin(1), key="leads:1")


@pytest.mark.parametrize(
    ("record", "settings", "reason", "key"),
    [
        pytest.param({"id": 1, "email": 7}, {}, "schema: /email: type", "leads:1", id="against-the-schema"),
        pytest.param({"email": None}, {}, "event_id is null (key property id)", None, id="without-its-key"),
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
    made = part(opened(tmp_path, **settings), record)

    assert isinstance(made, InvalidPart)
    assert made.reason.startswith(reason)
    assert made.origin.key == key


@pytest.mark.parametrize(
    ("record", "settings", "expected"),
    [
        pytest.param({"id": "x", "email": ADA}, {}, Who(email=ADA), id="against-the-schema"),
        pytest.param({"email": ADA}, {}, Who(email=ADA), id="without-its-key"),
        pytest.param({"id": None, "email": ADA}, {}, Who(email=ADA), id="with-a-null-key"),
        pytest.param(
            {"id": 1, "email": ADA, "stage": "x"},
            {"streams": [{**LEADS, "event_type": "{stage}", "person_id": "{id}"}]},
            Who(person="1", email=ADA),
            id="without-an-event-type",
        ),
        pytest.param({"id": "x", "email": ADA}, {"streams": [NAMELESS]}, NOBODY, id="where-the-event-names-nobody"),
        pytest.param({"id": "x", "email": 7}, {}, NOBODY, id="where-the-address-is-none"),
    ],
)
def test_a_refusal_is_about_whom_its_event_would_have_been_when_a_rule_is_broken(
    record: dict[str, Any], settings: dict[str, Any], expected: Who, tmp_path: Path
) -> None:
    """So that its row goes when the same person's record is mended, and stays for another's."""
    made = part(opened(tmp_path, **settings), record)

    assert isinstance(made, InvalidPart)
    assert made.who == expected


@pytest.mark.parametrize(
    ("keys", "record", "key"),
    [
        pytest.param(("stage", "id"), {"id": 1, "stage": "won"}, "leads:1:won", id="in-another-order"),
        pytest.param(("id", "stage", "id"), {"id": 1, "stage": "won"}, "leads:1:won", id="one-of-them-twice"),
        pytest.param(("id", "stage"), {"id": 1, "stage": None}, "leads:1:", id="one-null"),
        pytest.param(("id", "stage"), {"id": 1, "stage": " "}, "leads:1:", id="one-blank"),
        pytest.param(("id",), {"id": Decimal("42.0")}, "leads:42", id="a-whole-number-with-a-fraction"),
    ],
)
def test_a_record_is_known_by_its_key_when_it_is_written_as_the_tap_likes(
    keys: tuple[str, ...], record: dict[str, Any], key: str, tmp_path: Path
) -> None:
    """Its row and its event bear the same key, whatever the order of the key properties."""
    made = part(opened(tmp_path, keys=keys, validate_records=False), record)

    assert isinstance(made, Event)
    assert made.origin.key == made.event_id == key


@pytest.mark.parametrize("blank", [None, "", " \u200b"], ids=["null", "empty", "blank"])
def test_a_record_has_no_key_when_all_of_it_is_blank(blank: str | None, tmp_path: Path) -> None:
    """An invalid one without a key takes no other's place."""
    made = part(opened(tmp_path, keys=("id", "stage"), validate_records=False), {"id": blank, "stage": blank})

    assert isinstance(made, InvalidPart)
    assert made.reason == f"event_id is {'null' if blank is None else 'empty'} (key properties id, stage)"
    assert made.origin.key is None


def test_its_ids_begin_with_its_own_name_when_streams_share_another(tmp_path: Path) -> None:
    """What the mapping calls it is the event's name; two shards' leads are two."""
    made = part(opened(tmp_path, scope="eu"), {"id": 1, "email": ADA})

    assert isinstance(made, Event)
    assert (made.event_name, made.event_id, made.origin.key) == ("leads", "eu:1", "eu:1")


# The record as read.


def read(line: str) -> Record:
    """A record that a tap wrote in these words."""
    message = decode(f'{{"type": "RECORD", "stream": "leads", "record": {line}}}\n'.encode(), 1)
    assert isinstance(message, Record)
    return message


@pytest.mark.parametrize(
    "other",
    [
        pytest.param('{"amount": 1.10, "email": "a", "id": 1}', id="another-order"),
        pytest.param('{"id":1,"email":"a","amount":1.10}', id="other-spaces"),
        pytest.param('{"id": 1, "email": "\\u0061", "amount": 1.10}', id="another-escape"),
        pytest.param('{"id": 1, "email": "a", "amount": 1.10, "_sdc_extracted_at": "now"}', id="what-a-loader-adds"),
    ],
)
def test_it_is_the_same_record_when_only_its_spelling_differs(other: str) -> None:
    """What a mapping makes of it has changed, and it has not: a change that needs no person to compare."""
    assert digest(read(other)) == digest(read('{"id": 1, "email": "a", "amount": 1.10}'))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param('{"id": 2, "email": "a"}', id="another-value"),
        pytest.param('{"id": 1, "email": "a", "phone": "1"}', id="one-more"),
        pytest.param('{"id": 1, "mail": "a"}', id="another-name"),
        pytest.param('{"id": "1", "email": "a"}', id="another-type"),
    ],
)
def test_it_is_another_record_when_a_value_differs(other: str) -> None:
    """Whether or not a mapping takes it."""
    assert digest(read(other)) != digest(read('{"id": 1, "email": "a"}'))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("NaN", "Infinity", id="not-a-number"),
        pytest.param('"\\ud800a"', '"\\ud800b"', id="half-a-character"),
        pytest.param("1" * 5000, "2" * 5000, id="too-long"),
    ],
)
def test_a_record_can_be_told_from_others_when_not_all_of_it_can_be_read(one: str, other: str) -> None:
    """It is kept as it is, and two of them are two rows; read again, each is its own."""
    digests = {digest(read(f'{{"id": 1, "odd": {odd}}}')) for odd in (one, other, one)}

    assert len(digests) == 2


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
    assert part(opened(tmp_path, streams=[mapping]), record) is None


def test_a_record_is_not_judged_when_validation_is_turned_off(tmp_path: Path) -> None:
    """`validate_records: false` sends what the mapping can make of it."""
    assert isinstance(part(opened(tmp_path, validate_records=False), {"id": 1, "email": 7}), Event)


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
        opened(tmp_path, stream=stream, keys=keys)


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
    assert [made.origin.position for made in target.records.batch.take()] == [1, 2, 3]


def test_what_a_person_should_know_is_told_when_a_mapping_surprises(tmp_path: Path) -> None:
    """Events without a time are dated on arrival."""
    assert any("dated on arrival" in warning for warning in opened(tmp_path).warnings)


@pytest.mark.parametrize(("validates", "count"), [(True, 1), (False, 0)], ids=["validated", "not validated"])
def test_it_is_said_what_is_not_judged_when_a_schema_is_odd(tmp_path: Path, validates: bool, count: int) -> None:  # noqa: FBT001
    """By stream and property, and never by what stands there, where a value may have slipped in."""
    odd = {**SCHEMA, "properties": {**PROPERTIES, "email": {"type": ADA}}}

    warnings = opened(tmp_path, schema=odd, validate_records=validates).warnings

    told = [each for each in warnings if "stream leads has a `type` for email that no draft" in each]
    assert len(told) == count
    assert ADA not in "".join(warnings)
