"""What records become under mappings that are right."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from rich.pretty import pretty_repr

from target_driftrock.events.answer import Answer
from target_driftrock.events.event import Endpoint, InvalidPart, Misfit
from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger.interface import Concluded, Intent
from target_driftrock.mapping.attribute import NO_IDENTIFIER, NO_TIME
from target_driftrock.mapping.stream import CompiledMapping
from target_driftrock.mapping.values import is_nothing
from target_driftrock.mapping.writing import Wrong
from tests.mapping.examples import ORIGIN, body, compiled, event, lead_mapping, part, reason

RECORD: dict[str, Any] = {
    "id": 42,
    "email": "ada@example.com",
    "phone": None,
    "amount": Decimal("1.10"),
    "at": "2026-02-01T00:30:00+01:00",
    "person": 7,
    "partner": "P1",
    "tags": ["a", None],
    "event_name": "a column",
    "created_at": "2001-01-01",
    "person_id": "a column",
}


def test_sends_all_in_the_api_s_order_when_all_is_mapped() -> None:
    """An event is the attributes that were asked for, in the API's order, exact to the digit."""
    made = event(
        RECORD,
        event_type="conversion",
        event_name="Stage: {email}",
        source_id="capture-{id}",
        fields={"email": "{email}", "value": "{amount}", "tags": "{tags}", "source": "CRM", "score": 3},
        event_id="{id}:{email}",
        person_id="{person}",
        ga_client_id="GA.{id}",
        created_at="{at}",
        metadata={"tags": "{tags}", "phone": "{phone}", "test": False},
    )

    assert made.body == (
        b'{"event_type":"conversion","event_name":"Stage: ada@example.com","source_id":"capture-42",'
        b'"fields":{"email":"ada@example.com","value":1.10,"tags":["a",null],"source":"CRM","score":3},'
        b'"event_id":"42:ada@example.com","person_id":"7","ga_client_id":"GA.42",'
        b'"created_at":"2026-01-31T23:30:00.000Z","metadata":{"tags":["a",null],"test":false}}'
    )
    assert made.origin is ORIGIN
    assert (made.mapping, made.event_type, made.day) == ("streams[0] (leads)", "conversion", "2026-01-31")
    assert (made.event_name, made.event_id, made.person_id) == ("Stage: ada@example.com", "42:ada@example.com", "7")
    assert (made.capture.endpoint, made.capture.source_id) == (Endpoint.WEBHOOK, "capture-42")


def test_takes_nothing_from_columns_when_they_bear_an_attribute_s_name() -> None:
    """Only templates take properties: a column called `person_id` is no `person_id`."""
    made = event(RECORD)

    assert (
        made.body == b'{"event_type":"lead","event_name":"leads","source_id":"capture-1","fields":{},'
        b'"event_id":"leads:42"}'
    )
    assert (made.person_id, made.day) == (None, None)


def test_goes_to_the_affiliate_endpoint_when_an_affiliate_is_named() -> None:
    """An `affiliate_id` makes an affiliate event, of a capture of its own."""
    made = event(RECORD, affiliate_id="{partner}")

    assert made.capture.endpoint is Endpoint.AFFILIATE
    assert made.capture.affiliate_id == "P1"
    assert json.loads(made.body)["affiliate_id"] == "P1"


def test_names_capture_by_template_when_it_comes_out_of_the_record() -> None:
    """What a capture is called, and what is printed of it, is what the settings say."""
    made = event(RECORD, source_id="{email}", affiliate_id="{partner}")

    assert made.capture.label == "streams[0] (leads) source_id {email} affiliate_id {partner}"
    assert "ada@example.com" not in repr(made)


@pytest.mark.parametrize("show", [repr, pretty_repr], ids=["repr", "Rich"])
def test_nothing_of_the_record_is_shown_when_what_it_became_is_printed(show: Callable[[object], str]) -> None:
    """Nor of an answer: a traceback, a log and a debugger print what they are given."""
    origin = structs.replace(ORIGIN, record=b"CANARY", schema=b"CANARY", key="CANARY")
    made = structs.replace(event(RECORD), origin=origin, event_name="CANARY", event_id="CANARY", body=b"CANARY")
    values = [
        origin,
        structs.replace(made, person_id="CANARY"),
        InvalidPart(origin=origin, mapping="streams[0] (leads)", reason="schema: /email type"),
        Answer(status=400, excerpt=b"CANARY"),
    ]

    shown = "".join(show(value) for value in [*values, Concluded(part=made, outcome=Delivered()), Intent(made)])

    assert "streams[0] (leads)" in shown
    assert "CANARY" not in shown


def test_has_no_identity_when_the_mapping_says_so() -> None:
    """With `event_id: null` none is sent, and none is known."""
    made = event(RECORD, has_identity=False)

    assert made.event_id is None
    assert "event_id" not in json.loads(made.body)


def test_sends_every_property_when_fields_is_a_star() -> None:
    """`*` is every property but nulls and the SDK's own."""
    sent = body({"id": 1, "a": None, "b": {"c": None}, "_sdc_sequence": 5}, fields="*")

    assert sent["fields"] == {"id": 1, "b": {"c": None}}


def test_sends_the_object_when_metadata_is_one_name() -> None:
    """A template may give the whole `metadata`."""
    assert body({"id": 1, "meta": {"a": None}}, metadata="{meta}")["metadata"] == {"a": None}


def test_writes_dates_as_they_came_when_they_are_fields() -> None:
    """A text that looks like a date is left alone; a date of a stream map is written in ISO 8601."""
    sent = body({"id": 1, "day": "2026-W01-1", "made": dt.date(2026, 1, 31)}, fields={"day": "{day}", "made": "{made}"})

    assert sent["fields"] == {"day": "2026-W01-1", "made": "2026-01-31"}


@pytest.mark.parametrize("blank", ["", " ", "\u00a0\u200b"], ids=["empty", "a space", "all kinds"])
@pytest.mark.parametrize(
    ("attributes", "rule"),
    [
        pytest.param({"event_id": "lead:{cell}"}, "event_id is empty", id="an event_id with a word"),
        pytest.param({"event_id": "{id}:{cell}"}, "event_id is empty", id="an event_id with a number"),
        pytest.param({"event_id": "{cell}:{id}:{email}"}, "event_id is empty", id="an event_id of several"),
        pytest.param({"event_id": "{cell}"}, "event_id is empty", id="an event_id"),
        pytest.param({"source_id": "capture-{cell}"}, "source_id is empty", id="a capture"),
        pytest.param({"affiliate_id": "{cell}-{id}"}, "affiliate_id is empty", id="an affiliate"),
        pytest.param({"event_type": "{cell}"}, "event_type is empty", id="an event type"),
        pytest.param({"event_name": "{cell} {cell}"}, "event_name is empty", id="a name of blanks alone"),
        pytest.param({"event_name": "{cell}"}, "event_name is empty", id="a name"),
    ],
)
def test_refuses_when_a_cell_is_blank_in_what_an_event_needs(attributes: dict[str, Any], rule: str, blank: str) -> None:
    """An empty cell makes no identity that many share."""
    assert reason({**RECORD, "cell": blank}, **attributes) == rule


@pytest.mark.parametrize("blank", ["", " ", "\u00a0\u200b", None], ids=["empty", "a space", "all kinds", "null"])
@pytest.mark.parametrize(
    "attributes",
    [
        {"person_id": "{cell}"},
        {"person_id": "p-{cell}"},
        {"person_id": "{id}:{cell}"},
        {"ga_client_id": "GA.{cell}"},
        {"created_at": "{cell}"},
        {"created_at": "2026-01-{cell}"},
        {"metadata": "{cell}"},
    ],
    ids=str,
)
def test_leaves_out_when_a_cell_is_blank_in_what_an_event_may_have(
    attributes: dict[str, Any], blank: str | None
) -> None:
    """Nobody is `p-`, and all without a number are not one person."""
    sent = body({**RECORD, "cell": blank}, **attributes)

    assert sent == body(RECORD)


def test_leaves_out_what_is_blank_when_fields_are_gathered() -> None:
    """A blank within a text is nothing there, and with nothing else in it the text is left out."""
    fields = {"whole": "{cell}", "name": "{first} {cell}", "none": "{cell} {cell}", "label": "Form {cell}", "in": "{o}"}

    sent = body({"id": 1, "cell": " ", "first": "Ada", "o": {"a": ""}}, fields=fields)

    assert sent["fields"] == {"name": "Ada", "label": "Form", "in": {"a": ""}}


def test_has_a_name_when_a_part_of_it_is_blank() -> None:
    """A label for people, not what tells events apart."""
    assert event({"id": 1, "stage": ""}, event_name="Stage {stage} reached").event_name == "Stage reached"


# Identity, and content.

IDENTITY = {
    "event_type": "{type}",
    "event_name": "{name}",
    "source_id": "{source}",
    "affiliate_id": "{affiliate}",
    "event_id": "{id}",
}
CONTENT = {
    "person_id": "{person}",
    "ga_client_id": "{ga}",
    "created_at": "{at}",
    "fields": {"email": "{email}", "amount": "{amount}", "text": "{amount} EUR"},
}
WHOLE: dict[str, Any] = {
    "type": "lead",
    "name": "Signed up",
    "source": "capture-1",
    "affiliate": "P1",
    "id": 42,
    "person": 7,
    "ga": "GA.1",
    "at": "2026-01-31",
    "email": "ada@example.com",
    "amount": Decimal("1.10"),
}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"person": 8}, id="a person"),
        pytest.param({"ga": "GA.2"}, id="an id of Google's"),
        pytest.param({"at": "2026-02-01"}, id="a time"),
        pytest.param({"email": "bob@example.com"}, id="a field"),
        pytest.param({"email": None}, id="a field that is gone"),
        pytest.param({"amount": Decimal("1.2")}, id="a number"),
        pytest.param({"person": ""}, id="a person that is gone"),
    ],
)
def test_it_is_the_same_event_with_other_content_when_what_it_says_changes(change: dict[str, Any]) -> None:
    """Who it is about is content, too."""
    before, after = (event({**WHOLE, **each}, **IDENTITY, **CONTENT) for each in ({}, change))

    assert before.identity == after.identity
    assert before.content != after.content


@pytest.mark.parametrize(
    "change",
    [{"type": "action"}, {"name": "Left"}, {"source": "capture-2"}, {"affiliate": "P2"}, {"id": 43}],
    ids=str,
)
def test_it_is_another_event_with_the_same_content_when_its_identity_changes(change: dict[str, Any]) -> None:
    """The identity's attributes are no content: under a mended one the same content is known."""
    before, after = (event({**WHOLE, **each}, **IDENTITY, **CONTENT) for each in ({}, change))

    assert before.identity != after.identity
    assert before.content == after.content


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"id": Decimal("42.0")}, id="an id of another spelling"),
        pytest.param({"id": 42.0}, id="an id that is a float"),
        pytest.param({"id": "42"}, id="an id that is a text"),
        pytest.param({"person": Decimal("7.00")}, id="a person of another spelling"),
        pytest.param({"ga": "GA.1", "misfit": 1}, id="a property that nothing takes"),
        pytest.param({"at": "2026-01-31T00:00:00Z"}, id="the same moment"),
    ],
)
def test_it_is_the_same_event_and_content_when_only_a_spelling_changes(change: dict[str, Any]) -> None:
    """Integers that go through floats are sent once."""
    before, after = (event({**WHOLE, **each}, **IDENTITY, **CONTENT) for each in ({}, change))

    assert (before.identity, before.content) == (after.identity, after.content)


def test_the_number_of_a_field_has_one_content_when_it_is_spelled_otherwise_and_a_text_has_not() -> None:
    """Texts in `fields` keep their digits, and what is sent is what counts."""
    numbers, texts = {"amount": "{amount}"}, {"text": "{amount} EUR"}

    spellings = ({**WHOLE, "amount": Decimal(each)} for each in ("1.10", "1.1"))
    one, other = ([event(each, fields=fields) for fields in (numbers, texts)] for each in spellings)

    assert one[0].content == other[0].content
    assert one[0].body != other[0].body
    assert one[1].content != other[1].content


def test_the_order_of_columns_is_no_content_when_all_of_them_are_sent() -> None:
    """Taps that read a row into a set order it anew each time."""
    one, other = (event(dict(each), fields="*") for each in (WHOLE.items(), reversed(WHOLE.items())))

    assert one.content == other.content
    assert one.body != other.body


@pytest.mark.parametrize("attributes", [{}, {"event_id": "{id}"}], ids=["by the key", "by a template"])
def test_it_is_told_how_its_identity_was_made_when_it_has_one(attributes: dict[str, Any]) -> None:
    """Templates and names, and nothing of the record."""
    made = event({"id": 42424242}, event_name="Signed up", **attributes)

    assert made.way is not None
    assert made.way.scope == "leads"
    assert "Signed up" in made.way.templates
    assert "42424242" not in made.way.templates


def test_it_has_neither_identity_nor_way_when_the_mapping_wants_none() -> None:
    """What cannot be recognised cannot be mended."""
    made = event(RECORD, has_identity=False)

    assert (made.identity, made.way, made.former) == (None, None, ())


@pytest.mark.parametrize(("stage", "is_another"), [("won", True), ("stage", False)], ids=["another", "its own"])
def test_it_has_a_former_identity_when_that_is_another_one(stage: str, is_another: bool) -> None:  # noqa: FBT001
    """One that says the same for this record is no other event: its ledger must not be asked twice."""
    made = event({"id": 7, "email": stage}, event_name="{email}", formerly=({"event_name": "stage"},))

    assert len(made.former) == is_another


@pytest.mark.parametrize(
    ("attributes", "rule"),
    [
        pytest.param({"event_type": "{phone}"}, "event_type is null", id="no type"),
        pytest.param({"event_type": "{email}"}, "event_type is none of lead, conversion, action", id="another type"),
        pytest.param({"event_name": "x{phone}"}, "event_name is null", id="no name"),
        pytest.param({"source_id": "{phone}"}, "source_id is null", id="no capture"),
        pytest.param({"source_id": "{empty}"}, "source_id is empty", id="an empty capture"),
        pytest.param({"affiliate_id": "{phone}"}, "affiliate_id is null", id="no affiliate"),
        pytest.param({"event_id": "{phone}"}, "event_id is null", id="no id"),
        pytest.param({"event_id": "{tags}"}, "event_id is neither text nor a number", id="a list for an id"),
        pytest.param({"person_id": "{yes}"}, "person_id is neither text nor a number", id="a boolean for an id"),
        pytest.param({"person_id": "x{nan}"}, "person_id cannot be written as JSON", id="NaN in a text"),
        pytest.param({"created_at": "{email}"}, f"created_at {NO_TIME.rule}", id="no time"),
        pytest.param({"metadata": "{email}"}, "metadata is not an object", id="no object"),
        pytest.param({"fields": {"a": "{nan}"}}, "fields cannot be written as JSON", id="NaN"),
        pytest.param({"fields": {"a": "x{nan}"}}, "fields cannot be written as JSON", id="NaN in a field's text"),
        pytest.param({"fields": {"a": "{surrogate}"}}, "fields cannot be written as JSON", id="a lone surrogate"),
        pytest.param({"fields": "*"}, "fields cannot be written as JSON", id="all of it"),
        pytest.param({"event_id": "{surrogate}"}, "event_id cannot be written as JSON", id="a lone surrogate in an id"),
        pytest.param({"metadata": {"a": "{nan}"}}, "metadata cannot be written as JSON", id="NaN in metadata"),
    ],
)
def test_refuses_by_rule_when_an_attribute_is_wrong(attributes: dict[str, Any], rule: str) -> None:
    """A record that cannot be sent is refused by a rule without a value."""
    odd = {"yes": True, "empty": "", "nan": float("nan"), "surrogate": "a\ud800"}

    assert reason({**RECORD, **odd}, **attributes) == rule


MISFITS = {
    "one property": ({"created_at": "{odd}"}, Misfit(of="odd", rule=NO_TIME.rule, value="15/01/2026")),
    "in a path": ({"created_at": "{below.0}"}, Misfit(of="below.0", rule=NO_TIME.rule, value="soon")),
    "of another type": ({"person_id": "{yes}"}, Misfit(of="yes", rule=NO_IDENTIFIER.rule, value=True)),
    "null": ({"event_name": "{none}"}, Misfit(of="none", rule="is null", value=None)),
    "two properties": ({"event_name": "{odd} {none}"}, None),
    "the key": ({"event_id": None}, None),
    "what cannot be written": ({"fields": {"a": "{nan}"}}, None),
}


@pytest.mark.parametrize(("attributes", "misfit"), MISFITS.values(), ids=MISFITS)
def test_the_value_is_told_apart_when_one_property_s_cannot_be_read(
    attributes: dict[str, Any], misfit: Misfit | None
) -> None:
    """By the property's name and the rule, for whoever counts what a column holds; it is never printed."""
    odd = {"odd": "15/01/2026", "below": ["soon"], "yes": True, "none": None, "nan": float("nan")}
    record = {**RECORD, **odd} if attributes.get("event_id", "") is not None else odd

    refused = part(record, **attributes)

    assert isinstance(refused, InvalidPart)
    assert refused.misfit == misfit
    assert "15/01" not in repr(refused)


def test_a_wrong_value_is_the_property_s_when_the_rule_names_one() -> None:
    """Where an attribute is made of several, and one of them breaks a rule of its own."""
    mapping = CompiledMapping(
        label="m",
        capture_label="c",
        fits=lambda _: True,
        attributes=(("fields", lambda _: Wrong("is no number", name="amount")),),
    )

    refused = mapping.part({"amount": "1,50"}, ORIGIN)

    assert isinstance(refused, InvalidPart)
    assert refused.misfit == Misfit(of="amount", rule="is no number", value="1,50")


def test_refuses_when_a_key_property_is_missing() -> None:
    """Without its key a record has no identity, and is refused; the rest of the stream goes on."""
    assert part({"email": "ada@example.com"}) == InvalidPart(
        origin=ORIGIN, mapping="streams[0] (leads)", reason="event_id is null (key property id)"
    )


def test_takes_first_mapping_when_several_fit() -> None:
    """The first mapping whose `when` fits takes the record; the others do not see it."""
    stream = compiled(
        lead_mapping(index=0, when={"stage": ("Won",)}, event_type="conversion"),
        lead_mapping(index=1, when={"stage": ("Won", "Open")}),
    )

    won, opened = (stream.map({"id": 1, "stage": stage}, ORIGIN) for stage in ("Won", "Open"))

    assert won is not None
    assert opened is not None
    assert (won.mapping, opened.mapping) == ("streams[0] (leads)", "streams[1] (leads)")


@pytest.mark.parametrize("stage", ["Spam", "Open"])
def test_filters_when_no_mapping_fits_or_one_skips(stage: str) -> None:
    """A record that only `when` keeps out, or that a mapping skips, is nothing to send."""
    stream = compiled(
        lead_mapping(index=0, when={"stage": ("Spam",)}, skip=True), lead_mapping(index=1, when={"stage": ("Won",)})
    )

    assert stream.map({"id": 1, "stage": stage}, ORIGIN) is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(alphabet=st.characters(exclude_categories=[]))
    | st.just("2026-01-31"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "0", "b.c"]), inner),
    max_leaves=6,
)
ANY = compiled(
    lead_mapping(
        index=0,
        when={"b": (True, "x", 1)},
        event_type="{b}",
        affiliate_id="{a}",
        event_id="{a.0}-{b}",
        fields={"a": "{a}", "text": "{a}{b}"},
    ),
    lead_mapping(
        index=1,
        event_name="{b}",
        source_id="{a}",
        person_id="{a.0}",
        created_at="{b.c}",
        metadata="{0}",
        fields="*",
    ),
    key_properties=("a", "0"),
)


@settings(max_examples=200, deadline=None)
@given(record=st.dictionaries(st.sampled_from(["a", "b", "0", "b.c", "a.0"]), JSON))
def test_answers_when_record_is_anything(record: dict[str, Any]) -> None:
    """Any record becomes an event whose body is JSON and says what the event says, or is refused by a rule."""
    made = ANY.map(record, ORIGIN)

    assert made is not None
    if isinstance(made, InvalidPart):
        assert made.reason.split(" ")[0] in {
            name for name, _ in ANY.mappings[0].attributes + ANY.mappings[1].attributes
        }
        return
    sent = json.loads(made.body, parse_constant=pytest.fail)
    assert (sent["event_id"], sent["event_name"], sent["source_id"]) == (
        made.event_id,
        made.event_name,
        made.capture.source_id,
    )
    assert (sent.get("person_id"), sent.get("created_at", "")[:10]) == (made.person_id, made.day or "")


PLAIN = st.recursive(
    st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner | st.none()) | st.dictionaries(st.text(), inner | st.none()),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None)
@given(values=st.dictionaries(st.from_regex(r"[a-z]{1,4}", fullmatch=True), PLAIN | st.none()))
def test_sends_what_was_asked_when_fields_are_plain(values: dict[str, Any]) -> None:
    """Fields are the properties that templates name, typed and whole, but for nulls and blanks."""
    sent = body({**values, "id": 1}, fields={f"the {name}": f"{{{name}}}" for name in values if name != "id"})

    expected = {f"the {name}": value for name, value in values.items() if not is_nothing(value) and name != "id"}
    assert sent["fields"] == expected
