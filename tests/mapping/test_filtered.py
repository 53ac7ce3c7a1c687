"""Mappings with filters: what becomes of records, and what is wrong with a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from target_driftrock.events.event import Event, InvalidPart
from target_driftrock.mapping.compiler import template_faults
from target_driftrock.mapping.filters.reading import Unread
from target_driftrock.settings import Comparison
from tests.mapping.examples import ORIGIN, SCHEMA, body, compiled, event, faults, lead_mapping, part, reason

LABEL = "streams[0] (leads)"
STAGES: Mapping[str, Any] = {"stages": {"won": "Closed", "lost": None}}


@pytest.mark.parametrize(
    ("attributes", "record", "expected"),
    [
        pytest.param(
            {"event_name": "{first | trim} {last | trim}"}, {"first": " Ada ", "last": "King"}, "Ada King", id="texts"
        ),
        pytest.param(
            {"event_name": "{first | trim} {last | trim}"}, {"first": " Ada ", "last": " "}, "Ada", id="a blank"
        ),
        pytest.param({"event_name": "Stage: {s | lookup: stages}"}, {"s": "won"}, "Stage: Closed", id="a table"),
        pytest.param(
            {"created_at": "{d | date: %d.%m.%Y, Europe/Berlin}"},
            {"d": "05.03.2026"},
            "2026-03-04T23:00:00.000Z",
            id="a day",
        ),
        pytest.param({"created_at": "{d | date: excel}"}, {"d": 46037}, "2026-01-15T00:00:00.000Z", id="a serial"),
        pytest.param(
            {"created_at": "{d | date: epoch}"}, {"d": 1773230400123}, "2026-03-11T12:00:00.123Z", id="an epoch"
        ),
        pytest.param({"created_at": "{d | date: '%d %b %Y'}"}, {"d": ""}, None, id="no day"),
        pytest.param({"person_id": "{p | number}"}, {"p": "1,042.00"}, "1042", id="a person by number"),
        pytest.param({"event_id": "L-{n | number}"}, {"n": "0042"}, "L-42", id="an id by number"),
        pytest.param(
            {"event_id": "{e | lower}:{d | date: %d/%m/%Y}"}, {"e": "A", "d": "5/3/2026"}, "a:2026-03-05", id="an id"
        ),
        pytest.param({"metadata": "{m | json}"}, {"m": '{"a": 1}'}, {"a": 1}, id="metadata of a text"),
        pytest.param({"ga_client_id": "{g | trim | else}"}, {"g": {}}, None, id="what cannot be read is left out"),
    ],
)
def test_an_attribute_is_what_its_filters_give_when_it_has_some(
    attributes: dict[str, Any], record: dict[str, Any], expected: Any
) -> None:
    """In every attribute, and in longer texts."""
    (name,) = attributes

    assert body({"id": 1, **record}, tables=STAGES, **attributes).get(name) == expected


def test_a_day_stays_in_a_field_when_its_zone_is_ahead_of_utc() -> None:
    """The evening before is not the birthday."""
    template = "{d | date: %d.%m.%Y, Europe/Berlin}"

    sent = body({"id": 1, "d": "05.03.1980"}, created_at=template, fields={"born": template})

    assert (sent["fields"]["born"], sent["created_at"]) == ("1980-03-05", "1980-03-04T23:00:00.000Z")


def test_a_field_is_left_out_when_nothing_is_left_of_it() -> None:
    """Null passes, and a blank result is null."""
    fields = {"a": "{a | trim}", "b": "{b | number}", "c": "{c | lookup: stages}", "d": "{d | default: x}", "e": "{e}"}

    assert body({"id": 1, "a": " ", "c": "lost", "e": " "}, fields=fields, tables=STAGES)["fields"] == {"d": "x"}


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        pytest.param(
            {"fields": {"phone": "{x | phone: GB}"}},
            "fields.phone cannot be read by the filter phone (property x)",
            id="a field",
        ),
        pytest.param(
            {"fields": {"n": "No. {x | number}"}},
            "fields.n cannot be read by the filter number (property x)",
            id="a field's text",
        ),
        pytest.param(
            {"metadata": {"b": "{x | trim | boolean}"}},
            "metadata.b cannot be read by the filter boolean (property x)",
            id="metadata",
        ),
        pytest.param(
            {"event_id": "{x | number}"}, "event_id cannot be read by the filter number (property x)", id="an id"
        ),
        pytest.param(
            {"event_id": "a:{x | number}"},
            "event_id cannot be read by the filter number (property x)",
            id="an id's text",
        ),
        pytest.param(
            {"person_id": "{x | number}"}, "person_id cannot be read by the filter number (property x)", id="a person"
        ),
        pytest.param(
            {"event_name": "{x | lookup: stages}"},
            "event_name cannot be read by the filter lookup (property x)",
            id="a name",
        ),
        pytest.param(
            {"created_at": "{x | date: %d.%m.%Y}"},
            "created_at cannot be read by the filter date (property x)",
            id="a time",
        ),
        pytest.param(
            {"event_type": "{x | lookup: stages}"},
            "event_type cannot be read by the filter lookup (property x)",
            id="a type",
        ),
        pytest.param(
            {"when": {"x | number": (1,)}}, "when cannot be read by the filter number (property x)", id="a condition"
        ),
        pytest.param(
            {"when": {"x": Comparison(bounds=((">", 1),))}},
            "when is no number, and > asks for one (property x)",
            id="a bound",
        ),
        pytest.param(
            {"when": {"x | number": (1,)}, "skip": True},
            "when cannot be read by the filter number (property x)",
            id="a skip",
        ),
    ],
)
def test_the_record_is_invalid_when_a_filter_cannot_read_it(attributes: dict[str, Any], told: str) -> None:
    """The reason names where, the filter and the property, and no value."""
    assert reason({"id": 1, "x": "CANARY"}, tables=STAGES, **attributes) == told


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        pytest.param({"event_name": "{x | trim}"}, "event_name is null", id="blank in what is required"),
        pytest.param({"event_id": "a:{x | trim}"}, "event_id is empty", id="blank in an id's text"),
        pytest.param({"event_id": "a:{y | lookup: stages}"}, "event_id is null", id="null in an id's text"),
    ],
)
def test_the_record_is_invalid_when_nothing_is_left_of_what_is_required(attributes: dict[str, Any], told: str) -> None:
    """As without filters."""
    assert reason({"id": 1, "x": " ", "y": "lost"}, tables=STAGES, **attributes) == told


def test_whom_it_is_about_is_told_when_another_field_cannot_be_read() -> None:
    """The kept row bears it, so that it goes when the person is erased, or is delivered later."""
    fields = {"email": "{email | trim | lower}", "n": "{n | number}"}

    made = part({"id": 1, "email": " ADA@example.com", "n": "x"}, fields=fields)

    assert isinstance(made, InvalidPart)
    assert made.who.email == "ada@example.com"


def test_one_person_is_one_when_filters_write_the_number_otherwise() -> None:
    """Who is read of what is sent: the last nine digits are the same in every form."""
    record = {"id": 1, "Phone": "07700 900471", "Mail": "ADA@example.com "}

    plain = event(record, fields={"phone": "{Phone}", "email": "{Mail}"})
    tidy = event(record, fields={"phone": "{Phone | phone: GB}", "email": "{Mail | trim | lower}"})

    assert plain.who == tidy.who


# What `else` lets pass.


def test_what_else_lets_pass_is_noted_by_property_and_filter() -> None:
    """Of each value, with the filter that could not read it."""
    mapping = lead_mapping(
        fields={"a": "{a | trim | phone: GB | else}", "b": "{b | number | else: odd}", "c": "{c | number | else}"},
        when={"d | boolean | else": (None, True)},
    )
    stream = compiled(mapping)

    stream.map({"id": 1, "a": "none", "b": "1,5", "c": "1", "d": "perhaps"}, ORIGIN)

    assert list(dict.fromkeys(stream.unread)) == [
        Unread(LABEL, "d", "boolean"),
        Unread(LABEL, "a", "phone"),
        Unread(LABEL, "b", "number"),
    ]


# Conditions.

ABOVE = Comparison(bounds=((">", 100),))


@pytest.mark.parametrize(
    ("when", "record", "fits"),
    [
        pytest.param({"stage | lower": ("won", "lost")}, {"stage": "WON"}, True, id="a filter"),
        pytest.param({"stage | lower": ("won",)}, {"stage": "open"}, False, id="another value"),
        pytest.param({"stage | trim": (None,)}, {"stage": " "}, True, id="a blank result is null"),
        pytest.param({"'a | b' | trim": ("x",)}, {"a | b": " x"}, True, id="a name in quotes"),
        pytest.param({"'a | b'": ("x",)}, {"a | b": "x"}, True, id="a name in quotes without a filter"),
        pytest.param({"consent | boolean": (True,)}, {"consent": "ja"}, True, id="yes"),
        pytest.param({"n | number": (5,)}, {"n": "5.00"}, True, id="a number"),
        pytest.param({"a": Comparison(but=("x",))}, {"a": "y"}, True, id="not"),
        pytest.param({"a": Comparison(but=("x", "y"))}, {"a": "y"}, False, id="not, and it is"),
        pytest.param({"a": Comparison(but=("x",))}, {}, True, id="not fits null"),
        pytest.param({"a": Comparison(but=(None,))}, {}, False, id="not null"),
        pytest.param({"a": Comparison(but=(True,))}, {"a": 1}, True, id="not keeps types"),
        pytest.param({"a": ABOVE}, {"a": 101}, True, id="above"),
        pytest.param({"a": ABOVE}, {"a": 100}, False, id="not above"),
        pytest.param({"a": ABOVE}, {"a": Decimal("100.01")}, True, id="a fraction above"),
        pytest.param({"a": ABOVE}, {}, False, id="null is not above"),
        pytest.param({"a": ABOVE}, {"a": " "}, False, id="a blank is not above"),
        pytest.param({"a | number": ABOVE}, {"a": "1,000"}, True, id="above, by a filter"),
        pytest.param({"a": Comparison(bounds=((">=", 1), ("<", 5)))}, {"a": 1}, True, id="between"),
        pytest.param({"a": Comparison(bounds=((">=", 1), ("<", 5)))}, {"a": 5}, False, id="not between"),
        pytest.param({"a": Comparison(bounds=(("<=", Decimal("0.1")),))}, {"a": 0.1}, True, id="0.1 in binary"),
        pytest.param({"a": Comparison(but=(3,), bounds=((">", 1),))}, {"a": 3}, False, id="above, and not 3"),
        pytest.param({"a": Comparison(but=(3,), bounds=((">", 1),))}, {"a": 2}, True, id="above, and another"),
        pytest.param({"a | number": (1,), "b": ("x",)}, {"a": "?", "b": "y"}, False, id="out by another property"),
    ],
)
def test_a_record_fits_when_its_value_is_as_wanted(when: dict[str, Any], record: dict[str, Any], *, fits: bool) -> None:
    """With filters, and beside equality; what another property keeps out is out, readable or not."""
    made = part({"id": 1, **record}, when=when)

    assert isinstance(made, Event) if fits else made is None


@pytest.mark.parametrize(
    ("bounds", "value"),
    [
        (((">", 1),), "2"),
        (((">", 1),), True),
        (((">", 1),), []),
        ((("<", 1), (">", 0)), float("nan")),
        (((">", 1),), {}),
    ],
    ids=str,
)
def test_the_record_is_invalid_when_what_is_compared_is_no_number(bounds: Any, value: Any) -> None:
    """Nobody is dropped in silence."""
    assert reason({"id": 1, "x": value}, when={"x": Comparison(bounds=bounds)}).startswith("when is no number, and")


def test_the_record_is_invalid_by_the_mapping_that_cannot_tell() -> None:
    """A later mapping does not take what an earlier one might have."""
    stream = compiled(
        lead_mapping(index=0, when={"kind": ("b",)}),
        lead_mapping(index=1, when={"n | number": ABOVE}),
        lead_mapping(index=2),
    )

    made = [stream.map({"id": 1, "n": n}, ORIGIN) for n in ("CANARY", "101", "7")]

    assert [type(each) for each in made] == [InvalidPart, Event, Event]
    assert [each and each.mapping for each in made] == [f"streams[{place}] (leads)" for place in (1, 1, 2)]


# What is wrong with a mapping.


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        pytest.param(
            {"event_name": "{id | lookup: stages}", "tables": STAGES, "formerly": ({"tables": {"stage": {"1": "x"}}},)},
            "formerly.event_name: the filter lookup knows no table stages: did you mean stage?",
            id="a former table",
        ),
        pytest.param(
            {"when": {"email | boolean": ("yes", 1)}}, "when.email | boolean: no record can meet it", id="no boolean"
        ),
        pytest.param(
            {"when": {"email | lower": ("Won",)}}, "when.email | lower: no record can meet it", id="a capital"
        ),
        pytest.param(
            {"when": {"email | number": ("5",)}}, "when.email | number: no record can meet it", id="no number"
        ),
        pytest.param(
            {"when": {"email | trim | phone: GB": ("07700 900471",)}},
            "when.email | trim | phone: GB: no record",
            id="no E.164",
        ),
        pytest.param(
            {"when": {"email | trim": ABOVE}}, "when.email | trim: <, <=, > and >= are for numbers", id="a text above"
        ),
        pytest.param(
            {"when": {"email | boolean": Comparison(but=(0,))}}, "when.email | boolean: `not` keeps out no", id="not 0"
        ),
        pytest.param(
            {"fields": {"a": "{email | lowr}"}}, "fields.a: lowr is no filter: did you mean lower?", id="a filter"
        ),
        pytest.param(
            {"when": {"email | lowr": ("x",)}},
            "when.email | lowr: lowr is no filter: did you mean lower?",
            id="in when",
        ),
        pytest.param(
            {"when": {"email | lowr": ("x",)}, "skip": True},
            "when.email | lowr: lowr is no filter",
            id="in when of a skip",
        ),
        pytest.param({"when": {"a, b": ("x",)}}, "when.a, b: a name that holds one of", id="a name in when"),
        pytest.param(
            {"fields": {"a": "{email | lookup: stage}"}, "tables": STAGES},
            "fields.a: the filter lookup knows no table stage: did you mean stages?",
            id="a table",
        ),
        pytest.param(
            {"fields": {"a": "{email | lookup: stages}"}}, "fields.a: the filter lookup needs the table", id="no table"
        ),
        pytest.param(
            {"event_id": "{id | number | else}"}, "event_id: else would give one identity", id="else in an id"
        ),
        pytest.param(
            {"event_id": "{id | default: x}"}, "event_id: default would give one identity", id="default in an id"
        ),
        pytest.param(
            {"person_id": "p-{id | number | else: x}"}, "person_id: else would give one", id="else in a person"
        ),
        pytest.param({"person_id": "{id | default: 0}"}, "person_id: default would give one", id="default in a person"),
        pytest.param(
            {"event_id": "x-{id}", "formerly": ({"event_id": "{id | default: x}"},)},
            "formerly.event_id: default would give one identity",
            id="default in a former id",
        ),
        pytest.param(
            {"fields": {"E-Mail": "{email | default: canary@example.com}"}},
            "fields.E-Mail: default would make one person",
            id="a person",
        ),
        pytest.param(
            {"fields": {"phone": "{email | phone: GB | else: '07700 900000'}"}},
            "fields.phone: else would make one person",
            id="a number",
        ),
        pytest.param(
            {"event_name": "{email | date: %d}"}, "event_name: the filter date needs a day", id="a form of a date"
        ),
        pytest.param(
            {"event_name": "{email | phone: UK}"},
            "event_name: the filter phone knows no country gb: did you mean GB?",
            id="a country",
        ),
    ],
)
def test_it_is_told_when_a_filter_is_not_written_as_it_must_be(attributes: dict[str, Any], fault: str) -> None:
    """With a SCHEMA and without, and no value."""
    mapping = lead_mapping(**attributes)

    (told,) = template_faults(mapping)

    assert told.startswith(f"{LABEL}: {fault}")
    assert told in faults(mapping)
    assert "canary" not in told


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"fields": {"phone": "{email | phone: GB | else: none}"}}, id="a text that is nobody's number"),
        pytest.param({"fields": {"email": "{email | default: unknown}"}}, id="a text that is nobody's address"),
        pytest.param({"event_name": "{email | default: x}", "ga_client_id": "{id | trim | else}"}, id="elsewhere"),
        pytest.param({"when": {"id | number | else": (None,)}}, id="in a condition"),
        pytest.param({"when": {"id | number | else: odd": ("odd",)}}, id="what else gives"),
        pytest.param({"when": {"id | default: none": ("none", 7)}}, id="what default gives, and any other value"),
        pytest.param({"when": {"id | lower": ("a", "B")}}, id="one that can be met"),
        pytest.param({"when": {"id | json": (7,), "email | json: a": (True,)}}, id="what JSON may hold"),
        pytest.param({"when": {"id | boolean": Comparison(but=(False,))}}, id="not false"),
    ],
)
def test_nothing_is_told_when_a_substitute_is_nobody_s(attributes: dict[str, Any]) -> None:
    """Where it gives no identity."""
    assert template_faults(lead_mapping(**attributes)) == []


def test_the_nearest_name_is_told_when_a_filtered_one_is_not_listed() -> None:
    """In a template and in a condition; in quotes where it must be written so."""
    schema: dict[str, Any] = {"properties": {"id": {}, "Name ": {}, "stage": {}}}

    told = faults(lead_mapping(fields={"a": "{Name | trim}"}, when={"stag | lower": ("x",)}), schema=schema)

    in_when, in_field = told
    assert in_when == f"{LABEL}: when, stream leads: stag is not listed in the SCHEMA; the nearest is stage."
    assert in_field.endswith("""have the tap leave that out, or write "'Name '" in double quotes.""")


# The SCHEMA.


@pytest.mark.parametrize(
    ("when", "fault"),
    [
        pytest.param({"id | trim": ("x",)}, None, id="a filter reads it"),
        pytest.param(
            {"email": ABOVE}, "<, <=, > and >= are for numbers, and the property is of type string", id="a text"
        ),
        pytest.param({"id": ABOVE}, None, id="a number"),
        pytest.param({"extra": ABOVE}, None, id="anything"),
        pytest.param(
            {"id": Comparison(but=("1",))},
            "`not` keeps out no record, since the property is of type integer",
            id="not of a type",
        ),
        pytest.param({"id": Comparison(but=(1,))}, None, id="not"),
        pytest.param({"id": Comparison(but=(None,))}, None, id="not null"),
    ],
)
def test_it_is_told_when_no_record_can_be_as_wanted(when: dict[str, Any], fault: str | None) -> None:
    """By the SCHEMA, which knows only what no filter reads."""
    mapping = lead_mapping(when=when)

    if fault is None:
        assert compiled(mapping, schema=SCHEMA).mappings
    else:
        (told,) = faults(mapping)
        assert fault in told


def test_only_what_no_filter_reads_is_judged_by_the_schema() -> None:
    """A filter judges what it reads; a property that a template takes as it is, too, is judged by both."""
    mapping = lead_mapping(
        when={"a | trim": ("x",), "b": ("x",)},
        fields={"c": "{c | number}", "d": "{d}", "e": "{e | trim} {e}", "f": "{f.g | trim}"},
    )

    (made,) = compiled(mapping).mappings

    assert made.takes == {"b", "d", "e", "id"}
    assert made.asks == {"b"}
    assert made.reads == {"a", "b", "c", "d", "e", "f", "id"}
