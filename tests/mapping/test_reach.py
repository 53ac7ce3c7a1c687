"""`when` against a SCHEMA: what can never come, what may, and what nobody can tell."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.mapping.compiler import MappingFaults, compile_stream, unreachable
from target_driftrock.mapping.condition import condition
from target_driftrock.mapping.reach import can_meet, is_only_null, nodes, type_names
from target_driftrock.mapping.stream import CompiledStream
from target_driftrock.records.validator import RecordValidator
from target_driftrock.settings import Scalar
from tests.mapping.examples import lead_mapping

INTEGER, NUMBER, TEXT, BOOLEAN = ({"type": kind} for kind in ("integer", "number", "string", "boolean"))
NULLABLE = {"type": ["null", "integer"]}


@pytest.mark.parametrize(
    ("listed", "value", "can"),
    [
        # By type.
        pytest.param(TEXT, "Won", True, id="a text of a text"),
        pytest.param(TEXT, 1, False, id="a number of a text"),
        pytest.param(TEXT, True, False, id="a boolean of a text"),
        pytest.param(BOOLEAN, True, True, id="a boolean of a boolean"),
        pytest.param(BOOLEAN, 1, False, id="1 of a boolean"),
        pytest.param(BOOLEAN, "true", False, id="a text of a boolean"),
        pytest.param(INTEGER, 1, True, id="1 of an integer"),
        pytest.param(INTEGER, True, False, id="true of an integer"),
        pytest.param(INTEGER, "1", False, id="a text of an integer"),
        pytest.param(INTEGER, 1.0, True, id="1.0 of an integer"),
        pytest.param(INTEGER, Decimal("2.0"), True, id="an exact 2.0 of an integer"),
        pytest.param(INTEGER, 1.5, False, id="1.5 of an integer"),
        pytest.param(INTEGER, float("inf"), False, id="infinity of an integer"),
        pytest.param(NUMBER, 1, True, id="1 of a number"),
        pytest.param(NUMBER, Decimal("0.1"), True, id="a fraction of a number"),
        pytest.param(NUMBER, False, False, id="false of a number"),
        pytest.param({"type": "object"}, "x", False, id="a text of an object"),
        pytest.param({"type": "array"}, "x", False, id="a text of a list"),
        # By several types, or none that JSON has.
        pytest.param(NULLABLE, 0, True, id="0 of an integer or null"),
        pytest.param(NULLABLE, False, False, id="false of an integer or null"),
        pytest.param({"type": ["string", "integer"]}, 7, True, id="the second of two types"),
        pytest.param({"type": ["string", "boolean"]}, 7, False, id="neither of two types"),
        pytest.param({"type": "any"}, 7, True, id="a type that no draft knows"),
        pytest.param({"type": ["null", "varchar"]}, 7, True, id="one of two that no draft knows"),
        pytest.param({"type": []}, 7, True, id="an empty list of types"),
        pytest.param({"type": 7}, 7, True, id="a type that is no text"),
        pytest.param({}, 7, True, id="no type"),
        pytest.param(True, 7, True, id="whatever there may be"),
        # Null can always come: taps leave properties out.
        pytest.param(TEXT, None, True, id="null of a text"),
        pytest.param({"enum": ["a"]}, None, True, id="null of a choice"),
        pytest.param({"type": "integer", "minimum": 1}, None, True, id="null of a number"),
        # By enum and const.
        pytest.param({"enum": ["Won", "Lost"]}, "Lost", True, id="one of the choices"),
        pytest.param({"enum": ["Won", "Lost"]}, "won", False, id="a choice in another case"),
        pytest.param({"enum": [1, 0]}, True, False, id="true where 1 can be chosen"),
        pytest.param({"enum": [1, 0]}, Decimal("1.0"), True, id="1.0 where 1 can be chosen"),
        pytest.param({"enum": [True, False]}, 1, False, id="1 where true can be chosen"),
        pytest.param({"enum": [{"a": 1}, [1], "x"]}, "x", True, id="a choice beside an object"),
        pytest.param({"type": "string", "enum": ["a", 1]}, 1, False, id="a choice of another type"),
        pytest.param({"enum": "a"}, "b", True, id="choices that are no list"),
        pytest.param({"const": "lead"}, "lead", True, id="the only value"),
        pytest.param({"const": "lead"}, "sale", False, id="another than the only value"),
        pytest.param({"const": 1}, True, False, id="true where 1 is the only value"),
        pytest.param({"const": None}, "x", False, id="where null is the only value"),
        # By what a node is made of.
        pytest.param({"anyOf": [TEXT, INTEGER]}, 1, True, id="anyOf with such a branch"),
        pytest.param({"anyOf": [TEXT, INTEGER]}, True, False, id="anyOf without"),
        pytest.param({"anyOf": [{"type": "string", "format": "date-time"}, {}]}, 1, True, id="anyOf with any"),
        pytest.param({"oneOf": [TEXT, {"type": "null"}]}, "x", True, id="oneOf with such a branch"),
        pytest.param({"oneOf": [TEXT, {"type": "null"}]}, 1, False, id="oneOf without"),
        pytest.param({"allOf": [{"type": ["string", "integer"]}, INTEGER]}, 1, True, id="allOf that all allow"),
        pytest.param({"allOf": [{"type": ["string", "integer"]}, INTEGER]}, "x", False, id="allOf that one does not"),
        pytest.param({"type": "integer", "anyOf": [TEXT, INTEGER]}, "x", False, id="a type beside anyOf"),
        pytest.param({"anyOf": [{"allOf": [INTEGER]}, {"enum": ["x"]}]}, "x", True, id="branches of other kinds"),
        pytest.param({"anyOf": []}, "x", True, id="no branches"),
        pytest.param({"anyOf": [False, TEXT]}, 1, False, id="a branch that nothing fits"),
        # What says nothing here.
        pytest.param({"$ref": "#/definitions/stage"}, 1, True, id="a reference"),
        pytest.param({"type": "string", "maxLength": 1}, "long", True, id="a length"),
        pytest.param({"type": "integer", "minimum": 5}, 1, True, id="a minimum"),
        pytest.param({"not": TEXT}, "x", True, id="not"),
    ],
)
def test_a_value_can_come_when_the_schema_allows_it(listed: Any, value: Scalar, *, can: bool) -> None:
    """As far as `type`, `enum` and `const` tell, with the same equality by which records are chosen."""
    found = nodes("stage", {"properties": {"stage": listed}})

    assert can_meet([value], found) is can


CONTACT = {"type": "object", "properties": {"consent": BOOLEAN, "deep": {"properties": {"er": TEXT}}}}


@pytest.mark.parametrize(
    ("name", "schema", "value", "can"),
    [
        pytest.param("stage", {}, 1, True, id="no properties"),
        pytest.param("stage", {"properties": {}}, 1, True, id="not listed"),
        pytest.param("stage", {"properties": []}, 1, True, id="properties that are none"),
        pytest.param("stage", {"properties": {"Stage": TEXT}}, 1, True, id="of another case"),
        pytest.param("c.consent", {"properties": {"c": CONTACT}}, True, True, id="at a path"),
        pytest.param("c.consent", {"properties": {"c": CONTACT}}, 1, False, id="at a path, of another type"),
        pytest.param("c.deep.er", {"properties": {"c": CONTACT}}, 1, False, id="at a longer path"),
        pytest.param("c.other", {"properties": {"c": CONTACT}}, 1, True, id="at a path that is not listed"),
        pytest.param("c.consent.x", {"properties": {"c": CONTACT}}, 1, True, id="past the end of a path"),
        pytest.param("c.consent", {"properties": {"c.consent": TEXT}}, 1, False, id="of exactly that name"),
        pytest.param(
            "c.consent", {"properties": {"c.consent": TEXT, "c": CONTACT}}, True, True, id="at a path beside that name"
        ),
        pytest.param("c.consent", {"properties": {"c": {"anyOf": [CONTACT]}}}, 1, True, id="under anyOf"),
        pytest.param(
            "tags.0", {"properties": {"tags": {"type": "array", "items": TEXT}}}, 1, True, id="a place in a list"
        ),
        pytest.param("stage", {"allOf": [{"properties": {"stage": TEXT}}]}, 1, True, id="listed below allOf"),
        pytest.param("stage", {"$ref": "#/definitions/lead"}, 1, True, id="listed behind a reference"),
        pytest.param("stage", {"patternProperties": {"^st": TEXT}}, 1, True, id="listed by a pattern"),
    ],
)
def test_it_is_looked_for_as_in_a_record_when_it_is_named(
    name: str, schema: Mapping[str, Any], value: Scalar, *, can: bool
) -> None:
    """By its exact name or by a path; where the SCHEMA does not list it plainly, anything may come."""
    assert can_meet([value], nodes(name, schema)) is can


@pytest.mark.parametrize(
    ("values", "can"),
    [
        pytest.param((True,), False, id="none of one"),
        pytest.param((True, "1"), False, id="none of two"),
        pytest.param((True, 1), True, id="the last of two"),
        pytest.param((1, True), True, id="the first of two"),
        pytest.param((True, None), True, id="null among them"),
    ],
)
def test_one_value_is_enough_when_several_are_wanted(values: tuple[Scalar, ...], *, can: bool) -> None:
    """A mapping for several streams lists the spellings of each."""
    assert can_meet(values, [INTEGER]) is can


@pytest.mark.parametrize(
    ("found", "only", "names"),
    [
        pytest.param([], False, "", id="nothing"),
        pytest.param([{}], False, "", id="no type"),
        pytest.param([{"type": "null"}], True, "", id="null"),
        pytest.param([{"type": ["null"]}], True, "", id="a list of null"),
        pytest.param([{"anyOf": [{"type": "null"}, {"type": ["null"]}]}], True, "", id="null in each branch"),
        pytest.param([{"anyOf": [{"type": "null"}, {}]}], False, "", id="null or anything"),
        pytest.param([NULLABLE], False, "integer", id="null or a number"),
        pytest.param([{"type": "null"}, TEXT], False, "string", id="null in one place only"),
        pytest.param([{"type": ["string", "null", "boolean"]}], False, "string or boolean", id="several"),
        pytest.param([{"oneOf": [TEXT, INTEGER, TEXT]}], False, "string or integer", id="several branches"),
        pytest.param([{"type": "varchar"}], False, "", id="no type of JSON"),
        pytest.param([{"enum": ["a"]}], False, "", id="choices"),
    ],
)
def test_its_types_are_told_when_a_person_asks(found: list[Mapping[str, Any]], names: str, *, only: bool) -> None:
    """Without null, which every property may be; a type that is null alone is no type."""
    assert is_only_null(found) is only
    assert type_names(found) == names


VALUES: list[Any] = ["a", "b", "1", 1, 0, 1.0, Decimal("1.5"), True, False, None]
KINDS = st.sampled_from(["string", "integer", "number", "boolean", "null", "object", "array", "any", "varchar"])
LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": KINDS | st.lists(KINDS, max_size=3, unique=True),
        "enum": st.lists(st.sampled_from(VALUES), min_size=1, max_size=3),
        "const": st.sampled_from(VALUES),
    },
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda node, word, branches: {**node, word: branches},
        LEAVES,
        st.sampled_from(["anyOf", "oneOf", "allOf"]),
        st.lists(inner | st.booleans(), max_size=3),
    ),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(listed=SCHEMAS, wanted=st.sampled_from(VALUES), value=st.sampled_from(VALUES))
def test_no_value_is_called_impossible_when_a_right_record_meets_it(listed: Any, wanted: Any, value: Any) -> None:
    """Whatever the SCHEMA: a setting that would do its work is never refused."""
    schema = {"properties": {"v": listed}}
    is_met = condition({"v": (wanted,)})({"v": value}) and RecordValidator(schema).fault({"v": value}) is None

    assert can_meet([wanted], nodes("v", schema)) or not is_met


# In a mapping.


def compiled(schema: Mapping[str, Any], *, changed: tuple[str, ...] = (), **attributes: Any) -> Any:
    """One mapping of `leads` against the properties of a SCHEMA."""
    mapping = lead_mapping(**attributes)
    properties = {"properties": {"id": INTEGER, **schema}}
    return compile_stream([mapping], stream="leads", schema=properties, key_properties=["id"], changed=changed)


@pytest.mark.parametrize(
    ("when", "schema", "said"),
    [
        pytest.param({"consent": (True,)}, {"consent": NULLABLE}, "when.consent, stream leads", id="its name"),
        pytest.param({"consent": (True,)}, {"consent": NULLABLE}, "of type integer there", id="its type"),
        pytest.param({"c.consent": (1,)}, {"c": CONTACT}, "when.c.consent, stream leads", id="a path"),
        pytest.param({"stage": ("X",)}, {"stage": {"enum": ["Won"]}}, "never one of these there", id="choices"),
    ],
)
def test_it_is_a_fault_when_no_value_can_meet_a_condition(
    when: dict[str, Any], schema: dict[str, Any], said: str
) -> None:
    """Such a mapping would take nothing for ever, and nobody would be told."""
    found = compiled(schema, when=when)

    assert isinstance(found, MappingFaults)
    (fault,) = found.faults
    assert fault.startswith("streams[0] (leads): when.")
    assert said in fault


def test_it_is_a_fault_when_a_stream_is_never_skipped() -> None:
    """What was to be kept out would be sent."""
    assert isinstance(compiled({"test": NULLABLE}, when={"test": (True,)}, skip=True), MappingFaults)


def test_nothing_is_said_when_a_stream_map_made_the_property() -> None:
    """The SCHEMA has no more than the SDK's guess of it."""
    found = compiled({"consent": TEXT}, when={"consent": (True,)}, changed=("consent",))

    assert isinstance(found, CompiledStream)


def test_it_is_a_warning_when_the_schema_knows_no_type_but_null() -> None:
    """A tap that has seen no value yet: the next one may be right."""
    found = compiled({"consent": {"type": ["null"]}}, when={"consent": (True,)})

    assert isinstance(found, CompiledStream)
    assert any("when.consent" in warning and "is null, and no more" in warning for warning in found.warnings)


def test_nothing_is_warned_of_when_null_is_what_a_condition_wants() -> None:
    """It comes, and it is met."""
    found = compiled({"consent": {"type": ["null"]}}, when={"consent": (None, True)})

    assert isinstance(found, CompiledStream)
    assert not any("when.consent" in warning for warning in found.warnings)


# Mappings that nothing reaches.


@pytest.mark.parametrize(
    ("before", "after", "is_told"),
    [
        pytest.param("leads", "leads", True, id="the same name"),
        pytest.param("*", "leads", True, id="everything"),
        pytest.param("*", "crm-*", True, id="everything before a glob"),
        pytest.param("crm-*", "crm-leads", True, id="a glob"),
        pytest.param("crm-*", "crm-leads-*", True, id="a wider glob"),
        pytest.param("crm-*", "crm-*", True, id="the same glob"),
        pytest.param("crm-*", "crm-", True, id="nothing for the star"),
        pytest.param("*leads*", "crm-leads", True, id="in the middle"),
        pytest.param("lead?", "leads", True, id="one character"),
        pytest.param("**", "a[bc]", True, id="everything before a choice of letters"),
        pytest.param("lead[s]", "leads", True, id="a choice of letters"),
        pytest.param("leads", "*", False, id="one name before everything"),
        pytest.param("crm-leads", "crm-*", False, id="one name before a glob"),
        pytest.param("crm-leads-*", "crm-*", False, id="a narrower glob"),
        pytest.param("crm-?", "crm-*", False, id="one character before any number"),
        pytest.param("crm-?*", "crm-*", False, id="one at least before any number"),
        pytest.param("lead[!s]", "lead?", False, id="all but one letter before any letter"),
        pytest.param("????", "[ab]", False, id="four characters before one of two"),
        pytest.param("deals", "leads", False, id="another name"),
        pytest.param("Leads", "leads", False, id="another case"),
    ],
)
def test_a_mapping_is_told_when_one_before_it_takes_everything(before: str, after: str, *, is_told: bool) -> None:
    """Whatever the records: each stream that it could mean goes to the other one."""
    mappings = [lead_mapping(index=0, stream=before), lead_mapping(index=1, stream=after)]

    told = unreachable(mappings)

    assert [f"streams[1] ({after}): no record reaches it" in each for each in told] == [True] * is_told
    assert all(f"streams[0] ({before}) takes everything" in each for each in told)


def test_no_mapping_is_told_when_the_one_before_it_has_a_condition() -> None:
    """What that one leaves goes on to the next; the first that takes all is named, and each behind it is told."""
    mappings = [
        lead_mapping(index=0, when={"stage": ("Won",)}),
        lead_mapping(index=1),
        lead_mapping(index=2, when={"stage": ("Lost",)}),
        lead_mapping(index=3, stream="*", skip=True),
        lead_mapping(index=4, stream="deals"),
    ]

    told = unreachable(mappings)

    assert [each.partition(":")[0] for each in told] == ["streams[2] (leads)", "streams[4] (deals)"]
    assert ["streams[1] (leads)" in told[0], "streams[3] (*)" in told[1]] == [True, True]
