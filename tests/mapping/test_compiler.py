"""All faults of the mappings, told at once; and what is right but worth a word."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from target_driftrock.events.event import Event
from target_driftrock.mapping.compiler import MappingFaults, compile_stream, template_faults
from target_driftrock.mapping.stream import CompiledStream
from target_driftrock.settings import OnChanged, StreamMapping
from tests.mapping.examples import OPEN, ORIGIN, SCHEMA, compiled, faults, lead_mapping

LABEL = "streams[0] (leads)"


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        pytest.param({"event_type": "leed"}, "event_type: it is none of lead, conversion, action", id="another type"),
        pytest.param({"event_name": ""}, "event_name: it is empty", id="an empty name"),
        pytest.param({"source_id": ""}, "source_id: it is empty", id="an empty capture"),
        pytest.param({"created_at": "soon"}, "created_at: it is not a time", id="a text that is no time"),
        pytest.param({"event_id": "id"}, "event_id: it would be the same for every record", id="an id without braces"),
        pytest.param({"person_id": "id"}, "person_id: it would be the same", id="a person without braces"),
        pytest.param({"metadata": "x{id}"}, "metadata: a text is no object", id="a text for metadata"),
        pytest.param(
            {"metadata": {}, "affiliate_id": "a"}, "metadata: affiliate events have none", id="metadata there"
        ),
        pytest.param({"event_name": "{id!r}"}, "event_name: a ':' or '!'", id="a conversion"),
        pytest.param({"fields": {"e-mail": "{email"}}, "fields.e-mail: its braces", id="braces in a field"),
        pytest.param({"metadata": {"x": "{}"}}, "metadata.x: {} names no property", id="braces in metadata"),
    ],
)
def test_tells_fault_without_schema_when_mapping_is_wrong(attributes: dict[str, Any], fault: str) -> None:
    """What is wrong whatever the SCHEMA is told by label and attribute, and is no less wrong with one."""
    mapping = lead_mapping(**attributes)

    (told,) = template_faults(mapping)

    assert told.startswith(f"{LABEL}: {fault}")
    assert told in faults(mapping)


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({}, id="the least"),
        pytest.param({"fields": "*"}, id="every property"),
        pytest.param({"fields": {"n": 1, "none": None, "flag": True, "text": "x"}}, id="constants"),
        pytest.param({"metadata": "{extra}", "created_at": "2026-01-31", "ga_client_id": "GA"}, id="constants more"),
        pytest.param({"skip": True, "source_id": "{", "fields": None}, id="nothing is asked of a skip"),
    ],
)
def test_tells_nothing_when_mapping_is_right(attributes: dict[str, Any]) -> None:
    """A mapping that is right has no faults, with a SCHEMA and without."""
    mapping = lead_mapping(**attributes)

    assert template_faults(mapping) == []
    assert isinstance(compiled(mapping, schema=SCHEMA), CompiledStream)


@pytest.mark.parametrize(
    ("attributes", "where"),
    [
        pytest.param({"event_name": "a {emial}"}, "event_name", id="a text"),
        pytest.param({"fields": {"mail": "{emial}"}}, "fields.mail", id="a field"),
        pytest.param({"metadata": {"mail": "{emial}"}}, "metadata.mail", id="metadata"),
        pytest.param({"when": {"emial": ("x",)}}, "when", id="a condition"),
        pytest.param({"when": {"emial": ("x",)}, "skip": True}, "when", id="a condition to skip"),
    ],
)
def test_tells_nearest_when_schema_does_not_list_a_name(attributes: dict[str, Any], where: str) -> None:
    """A typo is told before any record: where it stands, the stream, and the nearest name."""
    assert faults(lead_mapping(**attributes)) == (
        f"{LABEL}: {where}, stream leads: emial is not listed in the SCHEMA; the nearest is email.",
    )


def test_tells_key_when_schema_does_not_list_it() -> None:
    """A key property that the SCHEMA does not list makes no event_id."""
    (told,) = faults(lead_mapping(), key_properties=("idd",))

    assert told == (
        f"{LABEL}: event_id (the key properties), stream leads: idd is not listed in the SCHEMA; the nearest is id."
    )


def test_tells_all_when_several_are_wrong() -> None:
    """All faults of all mappings that a record can reach are told at once."""
    told = faults(
        lead_mapping(index=0, when={"emial": ("x",)}, event_type="leed", fields={"a": "{b}", "c": "{d"}),
        lead_mapping(index=1, stream="le*", event_name="{idd}"),
    )

    assert [fault.split(", stream leads")[0].split(": ")[:2] for fault in told] == [
        [LABEL, "event_type"],
        [LABEL, "fields.c"],
        [LABEL, "when"],
        [LABEL, "fields.a"],
        ["streams[1] (le*)", "event_name"],
    ]


def test_is_not_judged_when_no_record_can_reach_a_mapping() -> None:
    """A glob behind a mapping that takes every record is for other streams, and for their properties."""
    stream = compiled(lead_mapping(index=0), lead_mapping(index=1, stream="*", event_name="{title}"), schema=SCHEMA)

    assert [mapping.label for mapping in stream.mappings] == [LABEL]


@pytest.mark.parametrize(
    ("pattern", "stream"),
    [("leads", "leads"), ("public-*", "public-leads"), ("*", "any"), ("a[1]", "a[1]"), ("lead?", "leads")],
)
def test_compiles_when_name_or_glob_fits(pattern: str, stream: str) -> None:
    """A mapping is for the stream of exactly its name, and for those that its glob fits."""
    found = compile_stream([lead_mapping(stream=pattern)], stream=stream, schema=OPEN, key_properties=["id"])

    assert isinstance(found, CompiledStream)


@pytest.mark.parametrize(
    ("mappings", "stream", "hint"),
    [
        pytest.param([lead_mapping()], "lead", "; the nearest is leads", id="a typo"),
        pytest.param(
            [lead_mapping()], "Leads", "; the nearest is leads: upper and lower case count", id="another case"
        ),
        pytest.param([lead_mapping()], "audit_log", "", id="another table"),
        pytest.param([], "leads", "", id="no mapping at all"),
    ],
)
def test_is_fault_when_no_mapping_names_the_stream(mappings: list[StreamMapping], stream: str, hint: str) -> None:
    """A table that nobody mapped is never sent."""
    found = compile_stream(mappings, stream=stream, schema=OPEN, key_properties=["id"])

    assert found == MappingFaults(
        (f"streams: no mapping names the stream {stream}{hint}. Map it, or set `skip: true`.",)
    )


def test_is_fault_when_stream_has_neither_key_nor_event_id() -> None:
    """Without an identity a repeat cannot be recognised: somebody has to accept that."""
    (told,) = faults(lead_mapping(), key_properties=())

    assert told.startswith(f"{LABEL}: event_id is missing, and leads has no key properties")


@pytest.mark.parametrize(
    "attributes",
    [{"event_id": "{email}"}, {"has_identity": False}, {"skip": True}],
    ids=["an event_id", "no identity wanted", "skipped"],
)
def test_compiles_when_stream_without_key_needs_none(attributes: dict[str, Any]) -> None:
    """No key is needed where the mapping makes an identity, does without one, or skips."""
    assert compiled(lead_mapping(**attributes), schema=SCHEMA, key_properties=())


@pytest.mark.parametrize(
    ("attributes", "warnings"),
    [
        pytest.param({"created_at": "{at}", "fields": {"Mail": "{email}"}}, [], id="nothing to say"),
        pytest.param({"skip": True}, [], id="nothing is sent"),
        pytest.param(
            {"fields": "*"}, ["created_at is missing, so events of leads are dated on arrival."], id="dated on arrival"
        ),
        pytest.param(
            {"created_at": "{at}", "has_identity": False},
            ["event_id is null, so repeats of an event of leads cannot be recognised."],
            id="no identity",
        ),
        pytest.param(
            {"created_at": "{at}", "fields": {"mail": "email"}},
            ["fields.mail: it is one text for every record; for the property write {email}."],
            id="braces forgotten",
        ),
    ],
)
def test_warns_when_mapping_is_right_and_still_surprises(attributes: dict[str, Any], warnings: list[str]) -> None:
    """What is allowed but not what many expect is said beforehand."""
    assert list(compiled(lead_mapping(**attributes), schema=SCHEMA).warnings) == [
        f"{LABEL}: {warning}" for warning in warnings
    ]


def test_does_not_warn_when_a_property_bears_the_event_type_s_word() -> None:
    """`event_type: lead` is the API's word, whatever the columns are called; nor for what was once."""
    former = {"event_type": "lead", "event_name": "lead"}
    mapping = lead_mapping(created_at="2026-01-31", person_id="{id}", formerly=(former,))

    assert compiled(mapping, schema={"properties": {"id": {}, "lead": {}}}).warnings == ()


# Whom events name.


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({}, id="no fields"),
        pytest.param({"fields": {"city": "{extra}", "owner_email": "{email}"}}, id="fields that name nobody"),
        pytest.param({"fields": {"consent": "{email}"}}, id="an address under another name"),
        pytest.param({"event_id": "{email}"}, id="an address in the event_id alone"),
    ],
)
def test_warns_when_a_mapping_names_nobody(attributes: dict[str, Any]) -> None:
    """What a changed record would come to, and what to say."""
    (told,) = compiled(lead_mapping(created_at="{at}", **attributes), schema=SCHEMA).warnings

    assert told.startswith(f"{LABEL}: its events name nobody")
    assert "set on_changed: skip or send" in told


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"person_id": "{id}"}, id="a person"),
        pytest.param({"fields": {"E-Mail": "{extra}"}}, id="an address"),
        pytest.param({"fields": {"Mobile": "{extra}"}}, id="a number"),
        pytest.param({"fields": "*"}, id="an address among the columns"),
        pytest.param({"on_changed": OnChanged.SKIP}, id="changes are not sent"),
        pytest.param({"on_changed": OnChanged.SEND}, id="changes are sent"),
        pytest.param({"skip": True}, id="nothing is sent"),
    ],
)
def test_does_not_warn_of_nobody_when_a_change_can_be_told(attributes: dict[str, Any]) -> None:
    """A person to compare, or a word on changes."""
    assert compiled(lead_mapping(created_at="{at}", **attributes), schema=SCHEMA).warnings == ()


# The default `event_id`.


@pytest.mark.parametrize(
    ("key_properties", "names", "kept"),
    [
        pytest.param(["_sdc_source_lineno"], "_sdc_source_lineno", "leads:{_sdc_source_lineno}", id="alone"),
        pytest.param(
            ["_sdc_source_lineno", "_sdc_source_file"],
            "_sdc_source_lineno",
            "leads:{_sdc_source_file}:{_sdc_source_lineno}",
            id="beside the file",
        ),
        pytest.param(["__sdc_row"], "__sdc_row", "leads:{__sdc_row}", id="of a sheet"),
        pytest.param(["row", "line_no"], "line_no, row", "leads:{line_no}:{row}", id="several"),
        pytest.param(["id", "Row Number"], "Row Number", "leads:{Row Number}:{id}", id="beside an id"),
    ],
)
def test_is_fault_when_the_key_says_where_a_row_stood(key_properties: list[str], names: str, kept: str) -> None:
    """What to write instead is said, the template that keeps such ids included; and that template is right."""
    (told,) = faults(lead_mapping(), schema=OPEN, key_properties=key_properties)

    assert told.startswith(f"{LABEL}: event_id is missing, and the key of leads says where a row stood ({names}):")
    assert told.endswith(f'event_id: "{kept}".')
    kept_by_hand = compiled(lead_mapping(event_id=kept), key_properties=key_properties)
    assert isinstance(made := kept_by_hand.map(dict.fromkeys(key_properties, 7), ORIGIN), Event)
    assert made.event_id == "leads" + ":7" * len(key_properties)


@pytest.mark.parametrize(
    "attributes",
    [{"event_id": "{email}"}, {"has_identity": False}, {"skip": True}],
    ids=["an event_id", "no identity wanted", "skipped"],
)
def test_compiles_when_a_key_of_positions_is_not_needed(attributes: dict[str, Any]) -> None:
    """A file's lines are no fault of a mapping that makes no ids of them."""
    assert compiled(lead_mapping(**attributes), key_properties=("_sdc_source_lineno",))


def _default_id(record: dict[str, Any], *key_properties: str, **named: Any) -> str | None:
    made = compiled(lead_mapping(stream="*"), key_properties=key_properties, **named).map(record, ORIGIN)
    assert isinstance(made, Event)
    return made.event_id


@pytest.mark.parametrize(
    "key_properties", [("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a"), ("c", "c", "a", "b", "b")], ids=":".join
)
def test_key_properties_stand_by_name_when_a_tap_orders_them_as_it_likes(key_properties: tuple[str, ...]) -> None:
    """Some taps build the list from a set, whose order is another in each run; each counts once."""
    record = {"c": 3, "a": Decimal("1.0"), "b": "x"}

    assert _default_id(record, *key_properties) == "leads:1:x:3"


@pytest.mark.parametrize(
    ("stream", "scope", "expected"),
    [
        pytest.param("leads", None, "leads:7", id="the stream"),
        pytest.param("leads", "raw_leads", "raw_leads:7", id="the tap's own name under an alias"),
        pytest.param("leads", "copy", "copy:7", id="a stream map's key"),
        pytest.param("leads", "public-leads", "public-leads:7", id="a name with a dash"),
        pytest.param("leads", "a:b", "a%3Ab:7", id="a name with a colon"),
    ],
)
def test_an_id_begins_with_where_its_record_comes_from_when_streams_share_a_name(
    stream: str, scope: str | None, expected: str
) -> None:
    """Two shards under one alias count their leads each from 1."""
    assert _default_id({"id": 7}, "id", stream=stream, scope=scope) == expected


def test_the_event_s_name_is_the_mapping_s_stream_when_its_id_begins_with_another() -> None:
    """People know the stream by its alias."""
    made = compiled(lead_mapping(), scope="raw_leads").map({"id": 7}, ORIGIN)

    assert isinstance(made, Event)
    assert (made.event_name, made.event_id) == ("leads", "raw_leads:7")


# What `formerly` says.


@pytest.mark.parametrize(
    ("former", "fault"),
    [
        pytest.param({"event_id": "id"}, "formerly.event_id: it would be the same for every record", id="no braces"),
        pytest.param({"event_id": "{id"}, "formerly.event_id: its braces do not match", id="no template"),
        pytest.param({"event_type": "leed"}, "formerly.event_type: it is none of lead", id="another type"),
        pytest.param({"event_name": "{id!r}"}, "formerly.event_name: a ':' or '!'", id="a conversion"),
    ],
)
def test_tells_fault_when_a_former_attribute_is_wrong(former: dict[str, str], fault: str) -> None:
    """It is judged as the attribute itself."""
    mapping = lead_mapping(event_id="L-{id}", formerly=(former,))

    (told,) = template_faults(mapping)

    assert told.startswith(f"{LABEL}: {fault}")
    assert told in faults(mapping)


def test_tells_nearest_when_a_former_attribute_names_what_is_not_listed() -> None:
    """An identity that cannot be made any more knows nothing again."""
    told = faults(lead_mapping(event_id="L-{id}", formerly=({"event_id": "{emial}"},)))

    assert told == (
        f"{LABEL}: formerly.event_id, stream leads: emial is not listed in the SCHEMA; the nearest is email.",
    )
