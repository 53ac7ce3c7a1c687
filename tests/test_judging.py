"""What a mapping refuses, and what it does not: whole runs beside a sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from target_driftrock.errors import ExitCode
from tests.judging import ADA, AT, EMAIL, FLAT, ID, MAILED, ids, leads, reasons, row
from tests.stage import LEADS, Stage, state

pytestmark = pytest.mark.usefixtures("nothing_left")


# A lead is not refused for a column that nobody sends.

WRONG = [
    pytest.param({"type": "array", "items": {"type": "string"}}, ["vip", None], "/odd/1: type", id="a-null-in-a-list"),
    pytest.param({"type": "string", "format": "date-time"}, 20260301, "/odd: type", id="a-date-as-a-number"),
    pytest.param({"type": ["null", "number"]}, "12,50", "/odd: type", id="a-number-as-a-text"),
    pytest.param({"type": "boolean"}, 1, "/odd: type", id="a-boolean-as-a-number"),
    pytest.param({"type": "integer"}, 1.5, "/odd: type", id="an-integer-with-a-fraction"),
    pytest.param({"type": "string"}, None, "/odd: type", id="a-null-where-none-may-be"),
    pytest.param({"enum": ["new", "won"]}, "lost", "/odd: enum", id="another-choice"),
    pytest.param({"type": "string", "maxLength": 3}, "long", "/odd: maxLength", id="a-text-that-is-too-long"),
    pytest.param({"type": "object"}, "{}", "/odd: type", id="an-object-as-a-text"),
    pytest.param(
        {"type": "object", "required": ["a"], "properties": {"a": {}}}, {}, "/odd/a: required", id="less-than-it-wants"
    ),
    pytest.param({"type": "number", "maximum": 9, "exclusiveMaximum": True}, 9, "/odd: exclusiveMaximum", id="draft-4"),
    pytest.param({"anyOf": [{"type": "null"}, {"type": "string"}]}, 7, "/odd: anyOf", id="none-of-the-branches"),
]


@pytest.mark.parametrize(("listed", "value", "fault"), WRONG)
def test_a_lead_is_delivered_when_a_column_that_nobody_sends_is_wrong(
    listed: Any, value: Any, fault: str, stage: Stage
) -> None:
    """Another column's fault is no reason to lose a customer."""
    done = stage.run(leads(odd=listed), row(id=1, email=ADA, odd=value), state(at=1), streams=[dict(MAILED)])

    assert done.code == ExitCode.RESOLVED, fault
    assert done.fields == [{"email": ADA}]
    assert done.states == [b'{"at": 1}']
    assert not stage.kept()


@pytest.mark.parametrize(("listed", "value", "fault"), WRONG)
def test_a_lead_is_refused_when_a_column_that_is_sent_is_wrong(
    listed: Any, value: Any, fault: str, stage: Stage
) -> None:
    """The SCHEMA says what it is, and it is something else: the rule is told, and never the value."""
    streams = [{**MAILED, "fields": {"email": "{email}", "odd": "{odd}"}}]

    done = stage.run(leads(odd=listed), row(id=1, email=ADA, odd=value), row(id=2, email=ADA), streams=streams)

    assert not {"1"}.intersection(ids(done))
    assert f"schema: {fault}" in reasons(stage)


@pytest.mark.parametrize(
    "mapping",
    [
        pytest.param({"event_id": "{id}-{odd}"}, id="event_id"),
        pytest.param({"event_name": "Lead {odd}"}, id="event_name"),
        pytest.param({"source_id": "{odd}"}, id="source_id"),
        pytest.param({"person_id": "{odd}"}, id="person_id"),
        pytest.param({"created_at": "{odd}"}, id="created_at"),
        pytest.param({"metadata": {"odd": "x {odd}"}}, id="metadata"),
        pytest.param({"fields": {"deep": "{odd.inner}"}}, id="a-path-into-it"),
        pytest.param({"fields": "*"}, id="everything"),
    ],
)
def test_a_lead_is_refused_when_an_attribute_takes_what_is_wrong(mapping: dict[str, Any], stage: Stage) -> None:
    """Whichever attribute it is."""
    listed = {"type": "object", "properties": {"inner": {"type": "string"}}}

    stage.run(leads(odd=listed), row(id=1, email=ADA, odd="2026"), streams=[{**MAILED, **mapping}])

    assert reasons(stage) == ["schema: /odd: type"]


@pytest.mark.parametrize(
    ("listed", "value", "wanted"),
    [
        pytest.param({"type": "boolean"}, "true", True, id="a-boolean-as-a-text"),
        pytest.param({"type": "boolean"}, 1, True, id="a-boolean-as-a-number"),
        pytest.param({"type": "string"}, 7, "7", id="a-text-as-a-number"),
        pytest.param({"enum": ["yes", "no"]}, "YES", "yes", id="another-choice"),
        pytest.param({"type": "array", "items": {"type": "string"}}, ["x", 1], None, id="a-wrong-item"),
    ],
)
def test_a_record_is_refused_when_what_it_is_chosen_by_is_wrong(
    listed: Any, value: Any, wanted: Any, stage: Stage
) -> None:
    """Whether it was to be filtered nobody can tell: it must not be lost in silence."""
    streams = [{**MAILED, "when": {"odd": wanted}}]

    done = stage.run(leads(odd=listed), row(id=1, email=ADA, odd=value), streams=streams)

    assert not done.events
    (reason,) = reasons(stage)
    assert reason.startswith("schema: /odd")


@pytest.mark.parametrize(
    ("mappings", "kept"),
    [
        pytest.param([{"when": {"stage": "won"}}, {"when": {"odd": True}}], 1, id="asked-for-after-it"),
        pytest.param([{"when": {"odd": True}}, {}], 1, id="asked-for-before-it"),
        pytest.param([{"when": {"stage": "new"}}, {"when": {"odd": True}}], 0, id="not-asked-for-any-more"),
        pytest.param([{"when": {"odd": True}}, {"skip": True}], 1, id="asked-for-before-a-skip"),
        pytest.param([{"when": {"stage": "new"}, "skip": True}, {"when": {"odd": True}}], 0, id="skipped-before-it"),
        pytest.param([{}, {"when": {"odd": True}}], 0, id="behind-what-takes-all"),
    ],
)
def test_a_condition_judges_when_a_record_has_come_to_it(
    mappings: list[dict[str, Any]], kept: int, stage: Stage
) -> None:
    """What the mappings before have taken is not asked the questions of those behind them."""
    streams = [{"stream": "leads", **mapping} if mapping.get("skip") else {**MAILED, **mapping} for mapping in mappings]

    stage.run(
        leads(stage={"type": "string"}, odd={"type": "boolean"}),
        row(id=1, email=ADA, stage="new", odd=1),
        streams=streams,
    )

    assert reasons(stage) == ["schema: /odd: type"] * kept


@pytest.mark.parametrize(
    ("listed", "value"),
    [
        pytest.param({"type": "integer"}, "7", id="a-number-as-a-text"),
        pytest.param({"type": "string"}, 7, id="a-text-as-a-number"),
        pytest.param({"type": "string", "pattern": "^L"}, "7", id="against-its-pattern"),
        pytest.param({"type": ["null", "integer"]}, 7.5, id="with-a-fraction"),
    ],
)
def test_the_key_judges_when_the_event_id_is_made_of_it(listed: Any, value: Any, stage: Stage) -> None:
    """A key that is used must be right; one that another event_id takes the place of need not be."""
    message = {**leads(nr=listed), "key_properties": ["nr"]}
    streams = [{**MAILED, "when": {"id": 1}, "event_id": "{id}"}, dict(MAILED)]

    done = stage.run(message, *(row(id=number, email=ADA, nr=value) for number in (1, 2)), streams=streams)

    assert ids(done) == ["1"]
    (reason,) = reasons(stage)
    assert reason.startswith("schema: /nr: ")


def test_all_is_judged_when_everything_is_sent(stage: Stage) -> None:
    """Each property of the record is one of the event's, listed or not."""
    message = leads(tags={"type": "array", "items": {"type": "string"}}, at={"type": "string"}, required=["at"])
    rows = [
        row(id=1, email=ADA, at=AT, tags=["vip", None]),
        row(id=2, email=ADA, at=7),
        row(id=3, email=ADA),
        row(id=4, email=ADA, at=AT),
    ]

    done = stage.run(message, *rows, streams=[dict(LEADS)])

    assert ids(done) == ["4"]
    assert sorted(reasons(stage)) == ["schema: /at: required", "schema: /at: type", "schema: /tags/1: type"]


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        pytest.param("*", ["schema: /*: additionalProperties"], id="everything-is-sent"),
        pytest.param({"email": "{email}"}, [], id="one-is-named"),
    ],
)
def test_a_closed_schema_judges_when_what_it_does_not_list_is_sent(fields: Any, kept: list[str], stage: Stage) -> None:
    """A column that the tap did not say would come is sent by no mapping but one that sends all."""
    done = stage.run(leads(closed=True), row(id=1, email=ADA, salary=1), streams=[{**LEADS, "fields": fields}])

    assert reasons(stage) == kept
    assert len(done.events) == 1 - len(kept)


@pytest.mark.parametrize(
    "composed",
    [
        pytest.param(lambda listed: {"$ref": "#/definitions/lead", "definitions": {"lead": listed}}, id="a-reference"),
        pytest.param(lambda listed: {"allOf": [listed, {"minProperties": 3}]}, id="all-of"),
        pytest.param(lambda listed: {"anyOf": [listed, {"type": "null"}]}, id="any-of"),
        pytest.param(
            lambda listed: {"allOf": [{"$ref": "#/definitions/lead"}], "definitions": {"lead": listed}},
            id="a-reference-below",
        ),
    ],
)
def test_the_used_properties_alone_are_judged_when_the_schema_is_made_of_parts(composed: Any, stage: Stage) -> None:
    """What a part requires of others is asked of nobody."""
    listed = {
        "type": "object",
        "required": ["id", "tags"],
        "properties": {"id": ID, "email": EMAIL, "tags": {"type": "array"}},
    }
    message = {**leads(), "schema": {"type": "object", **composed(listed)}}
    streams = [{**MAILED, "event_id": "{id}"}]

    done = stage.run(message, row(id=1, email=ADA), row(id=2, email=7, tags=[]), streams=streams, max_reject_percent=99)

    assert ids(done) == ["1"]
    (reason,) = reasons(stage)
    assert reason.startswith("schema: /")


# What only stream maps make, they judge.


@pytest.mark.parametrize(
    ("rules", "sent"),
    [
        pytest.param({"total": "amount * qty"}, {"total": 10}, id="a-product"),
        pytest.param({"total": "amount > 2"}, {"total": True}, id="a-comparison"),
        pytest.param({"total": "[amount, qty]"}, {"total": [2.5, 4]}, id="a-list"),
        pytest.param({"total": "{'amount': amount}"}, {"total": {"amount": 2.5}}, id="an-object"),
        pytest.param({"total": "str(qty)"}, {"total": "4"}, id="a-text"),
        pytest.param({"total": "int(amount)"}, {"total": 2}, id="an-integer"),
        pytest.param({"total": "qty if email else None"}, {"total": 4}, id="one-or-null"),
        pytest.param({"email": "[email]"}, {"email": [ADA]}, id="in-the-place-of-the-tap-s"),
        pytest.param({"email": "qty", "total": "email"}, {"email": 4, "total": ADA}, id="in-each-other-s-place"),
    ],
)
def test_a_map_s_result_is_delivered_when_the_sdk_guesses_another_type(
    rules: dict[str, Any], sent: dict[str, Any], stage: Stage
) -> None:
    """The SDK writes text for whatever it does not know."""
    message = leads(amount={"type": "number"}, qty={"type": "integer"})
    streams = [{**LEADS, "fields": {name: f"{{{name}}}" for name in sent}}]

    done = stage.run(message, row(id=1, email=ADA, amount=2.5, qty=4), streams=streams, stream_maps={"leads": rules})

    assert not stage.kept()
    (fields,) = done.fields
    assert json.loads(json.dumps(fields, default=float)) == sent


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param({"email": "email.lower()"}, id="beside-it"),
        pytest.param({"odd": "str(odd)"}, id="in-its-place"),
        pytest.param({"odd": None}, id="away"),
        pytest.param({"text": "str(odd)", "odd": None}, id="out-of-it"),
        pytest.param({"id": "id", "email": "email", "__else__": None}, id="with-all-others-away"),
    ],
)
def test_what_a_map_reads_is_not_judged_when_it_is_not_sent_as_it_is(rules: dict[str, Any], stage: Stage) -> None:
    """It came wrong, and the map may be there to mend just that."""
    is_beside = "odd" not in rules and "__else__" not in rules
    streams = [dict(MAILED)] if is_beside else [dict(LEADS)]

    done = stage.run(
        leads(odd={"type": "integer"}),
        row(id=1, email=ADA, odd="7 pieces"),
        streams=streams,
        stream_maps={"leads": rules},
    )

    assert ids(done) == ["1"]
    assert not stage.kept()


def test_what_a_map_leaves_alone_is_judged_when_it_is_sent(stage: Stage) -> None:
    """By the tap's own SCHEMA, beside what the map makes."""
    maps = {"leads": {"made": "id + 1"}, "copy": {"__source__": "leads", "odd": None}}
    streams = [dict(LEADS), {**LEADS, "stream": "copy"}]

    done = stage.run(leads(odd={"type": "integer"}), row(id=1, email=ADA, odd="x"), streams=streams, stream_maps=maps)

    assert [event["event_name"] for event in done.events] == ["copy"]
    assert reasons(stage) == ["schema: /odd: type"]


# Flattening renames, and judges nothing.

INFO: Mapping[str, Any] = {
    "type": "object",
    "required": ["city"],
    "properties": {"city": {"type": "string"}, "zip": {"type": ["null", "string"]}},
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("message", "values", "sent"),
    [
        pytest.param(leads(info=INFO, required=["info"]), {"info": {"city": "Ulm"}}, "Ulm", id="a-required-object"),
        pytest.param(leads(info=INFO, closed=True), {"info": {"city": "Ulm"}}, "Ulm", id="a-closed-schema"),
        pytest.param(
            leads(info=INFO, required=["id", "info"], closed=True), {"info": {"city": "Ulm"}}, "Ulm", id="both"
        ),
        pytest.param(leads(info={**INFO, "type": ["null", "object"]}), {"info": None}, None, id="a-null"),
        pytest.param(leads(info=INFO), {}, None, id="left-out"),
        pytest.param(leads(info={**INFO, "minProperties": 1}), {"info": {"city": "Ulm"}}, "Ulm", id="by-number"),
    ],
)
def test_a_lead_is_delivered_when_flattening_left_rules_of_what_it_took_apart(
    message: dict[str, Any], values: dict[str, Any], sent: str | None, stage: Stage
) -> None:
    """They were about the record as the tap wrote it, and that is right."""
    done = stage.run(message, row(id=1, **values), streams=[dict(LEADS)], **FLAT)

    assert not stage.kept()
    assert [fields.get("info__city") for fields in done.fields] == [sent]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        pytest.param({"city": "{info__city}"}, "/info/zip: type", id="one-level-is-sent"),
        pytest.param("*", "/info/zip: type", id="everything-is-sent"),
    ],
)
def test_a_lead_is_refused_when_a_flattened_property_was_wrong(fields: Any, fault: str, stage: Stage) -> None:
    """It is judged where it stood, and the path is the tap's."""
    stage.run(
        leads(info=INFO), row(id=1, info={"city": "Ulm", "zip": 89073}), streams=[{**LEADS, "fields": fields}], **FLAT
    )

    assert reasons(stage) == [f"schema: {fault}"]


def test_a_lead_is_delivered_when_a_flattened_property_that_nobody_sends_was_wrong(stage: Stage) -> None:
    """As where nothing is flattened."""
    done = stage.run(leads(info=INFO), row(id=1, email=ADA, info={"zip": 89073}), streams=[dict(MAILED)], **FLAT)

    assert ids(done) == ["1"]


# What loaders add.


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        pytest.param(True, "_sdc_extracted_at", id="listed"),
        pytest.param(False, "_sdc_extracted_at", id="not-listed"),
        pytest.param(True, "_SDC_EXTRACTED_AT", id="in-capitals"),
        pytest.param(False, "_SDC_BATCHED_AT", id="in-capitals-and-not-listed"),
        pytest.param(True, "_sdc_lsn", id="of-another-name"),
    ],
)
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_a_loader_s_column_is_neither_judged_nor_sent_when_it_comes(
    name: str, stage: Stage, *, listed: bool, closed: bool
) -> None:
    """It describes the row: a closed SCHEMA does not refuse it, its type is no matter, and `"*"` leaves it out."""
    message = leads(closed=closed, required=[name], **({name: {"type": "boolean"}} if listed else {}))

    done = stage.run(message, row(id=1, email=ADA, **{name: AT}), row(id=2, email=ADA), streams=[dict(LEADS)])

    assert done.fields == [{"id": 1, "email": ADA}, {"id": 2, "email": ADA}]
    assert not stage.kept()


@pytest.mark.parametrize("name", ["_sdc_extracted_at", "_SDC_EXTRACTED_AT", "_sdc_received_at", "_sdc_committed_at"])
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not-listed"])
def test_a_loader_s_column_is_read_when_a_template_names_it(name: str, stage: Stage, *, listed: bool) -> None:
    """It is when the row was written; the SDK takes some of them out of the very SCHEMA that it hands over."""
    message = leads(closed=True, **({name: EMAIL} if listed else {}))
    streams = [{**MAILED, "created_at": f"{{{name}}}", "metadata": {"seen": f"at {{{name}}}"}}]

    done = stage.run(message, row(id=1, email=ADA, **{name: AT}), streams=streams)

    assert done.code == ExitCode.RESOLVED
    assert [event["created_at"] for event in done.events] == ["2026-03-01T08:00:00.000Z"]
    assert [event["metadata"] for event in done.events] == [{"seen": f"at {AT}"}]


@pytest.mark.parametrize("name", ["_sdc_sequence", "_SDC_SEQUENCE", "_sdc_table_version", "_sdc_level_0_id"])
@pytest.mark.parametrize("listed", [{"type": "string"}, None], ids=["of-another-type", "not-listed"])
def test_a_loader_s_column_chooses_when_a_condition_names_it(name: str, listed: Any, stage: Stage) -> None:
    """Whatever the SCHEMA says of it, or does not."""
    message = leads({} if listed is None else {name: listed})
    wanted: Any = "7" if listed else 7

    done = stage.run(
        message,
        row(id=1, email=ADA, **{name: wanted}),
        row(id=2, email=ADA, **{name: 8}),
        row(id=3, email=ADA),
        streams=[{**MAILED, "when": {name: wanted}}],
    )

    assert ids(done) == ["1"]
    assert not stage.kept()


def test_a_loader_s_columns_stay_out_when_maps_and_flattening_are_on(stage: Stage) -> None:
    """Also what a map makes under such a name."""
    maps = {"leads": {"_sdc_made": "id", "kept": "str(_sdc_sequence)"}}
    message = leads(_sdc_sequence={"type": "integer"}, _SDC_META={"type": "object", "properties": {"a": EMAIL}})

    done = stage.run(
        message,
        row(id=1, _sdc_sequence=7, _SDC_META={"a": "b"}),
        streams=[dict(LEADS)],
        stream_maps=maps,
        **FLAT,
    )

    assert done.fields == [{"id": 1, "kept": "7"}]


# Left out is null, in stream maps too.


@pytest.mark.parametrize(
    ("rules", "values", "sent"),
    [
        pytest.param({"email": "email.lower() if email else None"}, {}, {"id": 1}, id="its-own-value"),
        pytest.param({"email": "self or 'none'"}, {}, {"id": 1, "email": "none"}, id="itself"),
        pytest.param({"name": "first or last"}, {"last": "L"}, {"id": 1, "last": "L", "name": "L"}, id="one-of-two"),
        pytest.param({"name": "record['first']"}, {}, {"id": 1}, id="out-of-the-record"),
        pytest.param({"name": "_['first'] or 'x'"}, {}, {"id": 1, "name": "x"}, id="out-of-the-record-in-short"),
        pytest.param(
            {"name": "email or first", "email": None},
            {"first": "F"},
            {"id": 1, "first": "F", "name": "F"},
            id="one-that-goes",
        ),
        pytest.param({"first": None, "name": "first is None"}, {}, {"id": 1, "name": True}, id="one-that-goes-first"),
        pytest.param({"__filter__": "email is None"}, {}, {"id": 1}, id="in-a-filter"),
        pytest.param({"__filter__": "not first or first != 'T'"}, {}, {"id": 1}, id="in-a-longer-filter"),
        pytest.param(
            {"id": "id", "name": "first or 'x'", "__else__": None},
            {},
            {"id": 1, "name": "x"},
            id="with-all-others-away",
        ),
        pytest.param({"name": "first"}, {"first": None}, {"id": 1}, id="null-as-ever"),
    ],
)
def test_a_listed_property_is_null_for_a_map_when_the_record_leaves_it_out(
    rules: dict[str, Any], values: dict[str, Any], sent: dict[str, Any], stage: Stage
) -> None:
    """Taps need not write nulls, and an expression that thinks of null has thought of that."""
    done = stage.run(
        leads(first=EMAIL, last=EMAIL), row(id=1, **values), streams=[dict(LEADS)], stream_maps={"leads": rules}
    )

    assert not stage.kept()
    assert done.fields == [sent]


def test_a_filter_keeps_out_what_it_should_when_a_property_is_left_out(stage: Stage) -> None:
    """It is asked, and it answers; the record is not invalid."""
    done = stage.run(
        leads(consent={"type": "boolean"}),
        row(id=1, consent=True),
        row(id=2, consent=False),
        row(id=3),
        streams=[dict(LEADS)],
        stream_maps={"leads": {"__filter__": "consent"}},
    )

    assert ids(done) == ["1"]
    assert "3 read = 1 mapped + 0 invalid + 2 filtered" in done.log


# Key properties, where the id is made of them.


@pytest.mark.parametrize(
    ("keys", "values"),
    [
        pytest.param(["nr"], {}, id="missing"),
        pytest.param(["ID"], {}, id="of-another-case"),
        pytest.param(["nr"], {"nr": None}, id="null"),
        pytest.param(["nr"], {"nr": ""}, id="blank"),
        pytest.param(["nr"], {"nr": {"a": 1}}, id="an-object"),
        pytest.param(["nr", "shop"], {"shop": [1]}, id="one-of-two-a-list"),
        pytest.param(["contact.nr"], {}, id="at-a-path"),
    ],
)
def test_a_lead_is_delivered_when_a_key_that_nobody_needs_is_wrong(
    keys: list[str], values: dict[str, Any], stage: Stage
) -> None:
    """Its event_id is made of something else."""
    message = {**leads(nr={}, shop={}, contact={"type": "object"}), "key_properties": keys}

    done = stage.run(message, row(id=1, email=ADA, **values), streams=[{**MAILED, "event_id": "{id}"}])

    assert done.code == ExitCode.RESOLVED
    assert ids(done) == ["1"]


@pytest.mark.parametrize(
    ("keys", "values", "reason"),
    [
        pytest.param(["nr"], {}, "event_id is null (key property nr)", id="missing"),
        pytest.param(["nr"], {"NR": 7}, "event_id is null (key property nr)", id="of-another-case"),
        pytest.param(["nr"], {"nr": " "}, "event_id is empty (key property nr)", id="blank"),
        pytest.param(["shop", "nr"], {}, "event_id is null (key properties nr, shop)", id="two-missing"),
        pytest.param(["shop", "nr"], {"nr": ""}, "event_id is empty (key properties nr, shop)", id="two-blank"),
        pytest.param(["contact.nr"], {"contact": {}}, "event_id is null (key property contact.nr)", id="at-a-path"),
    ],
)
def test_the_key_properties_are_named_when_an_id_cannot_be_made_of_them(
    keys: list[str], values: dict[str, Any], reason: str, stage: Stage
) -> None:
    """So that one knows what the tap left out."""
    message = {**leads(nr={}, shop={}, contact={"type": "object", "properties": {"nr": {}}}), "key_properties": keys}

    done = stage.run(message, row(id=1, email=ADA, **values), streams=[dict(MAILED)])

    assert not done.events
    assert reasons(stage) == [reason]
    assert reason in done.log


@pytest.mark.parametrize(
    ("keys", "values", "event_id"),
    [
        pytest.param(["contact.nr"], {"contact": {"nr": 7}}, "leads:7", id="at-a-path"),
        pytest.param(["contact.nr"], {"contact.nr": 8}, "leads:8", id="of-exactly-that-name"),
        pytest.param(["nr", "shop"], {"nr": 7}, "leads:7:", id="one-of-two"),
        pytest.param(["shop", "nr"], {"shop": "S"}, "leads::S", id="the-other-of-two"),
    ],
)
def test_an_id_is_made_when_the_key_is_there(
    keys: list[str], values: dict[str, Any], event_id: str, stage: Stage
) -> None:
    """By a path, as every name; of several, one is enough."""
    message = {**leads(nr={}, shop={}, contact={"type": "object", "properties": {"nr": {}}}), "key_properties": keys}

    done = stage.run(message, row(id=1, email=ADA, **values), streams=[dict(MAILED)])

    assert [event["event_id"] for event in done.events] == [event_id]


# Numbers that are no time.


@pytest.mark.parametrize(
    "value",
    [46083.38, 20260302, 2026, 20514, 0, -1, 1, 946_684_799, 4_133_980_800, 99_999_999_999, 1.7e15, 20260302101500],
)
def test_a_record_is_refused_when_its_number_is_no_time(value: float, stage: Stage) -> None:
    """A spreadsheet's day, a year, a date as a number: the reason says what is a time."""
    streams = [{**MAILED, "created_at": "{at}"}]

    stage.run(leads(at={"type": "number"}), row(id=1, email=ADA, at=value), streams=streams)

    (reason,) = reasons(stage)
    assert reason.startswith("created_at is not a time: ")
    for form in ("a date", "2026-01-31T10:00:00Z", "seconds or milliseconds since 1970", "2000 to 2100"):
        assert form in reason


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        pytest.param(1773230400, "2026-03-11T12:00:00.000Z", id="seconds"),
        pytest.param(1773230400.5, "2026-03-11T12:00:00.500Z", id="seconds-with-a-fraction"),
        pytest.param(1773230400123, "2026-03-11T12:00:00.123Z", id="milliseconds"),
        pytest.param("1773230400123", "2026-03-11T12:00:00.123Z", id="milliseconds-as-a-text"),
        pytest.param(946684800, "2000-01-01T00:00:00.000Z", id="the-first-second-of-2000"),
        pytest.param(4133980799999, "2100-12-31T23:59:59.999Z", id="the-last-millisecond-of-2100"),
        pytest.param("1999-12-31", "1999-12-31T00:00:00.000Z", id="an-earlier-date-as-a-text"),
    ],
)
def test_a_time_is_sent_when_it_can_be_meant_as_one(value: Any, sent: str, stage: Stage) -> None:
    """By number in this century, and by text in every one."""
    done = stage.run(leads(at={}), row(id=1, email=ADA, at=value), streams=[{**MAILED, "created_at": "{at}"}])

    assert [event["created_at"] for event in done.events] == [sent]
