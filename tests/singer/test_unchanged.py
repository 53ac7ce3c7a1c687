"""What of a mapped record is as the tap wrote it, held against what the SDK's own maps make."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.mapper import CustomStreamMap, PluginMapper, StreamMap

from target_driftrock.records.as_read import AsRead
from target_driftrock.records.validator import RecordValidator
from target_driftrock.singer.unchanged import as_read, rules

TEXT, NUMBER, LIST = {"type": ["null", "string"]}, {"type": ["null", "number"]}, {"type": "array"}
CONTACT = {"type": "object", "properties": {"phone": TEXT, "home": {"type": "object", "properties": {"city": TEXT}}}}
LISTED: Mapping[str, Any] = {"id": NUMBER, "email": TEXT, "contact": CONTACT, "tags": LIST, "any": {}}
RECORD = {
    "id": 1,
    "email": "a@example.org",
    "contact": {"phone": "030", "home": {"city": "Ulm"}},
    "tags": ["x"],
    "any": True,
}


def maps(
    stream_maps: Mapping[str, Any],
    stream: str = "leads",
    *,
    listed: Mapping[str, Any] = LISTED,
    keys: tuple[str, ...] = (),
    **config: Any,
) -> list[tuple[StreamMap, AsRead]]:
    """Each of the SDK's maps of a stream, with what was found out about it."""
    schema: dict[str, Any] = {"type": "object", "properties": dict(listed)}
    given = json.loads(json.dumps(stream_maps))
    mapper = PluginMapper({"stream_maps": given, **config}, logging.getLogger(__name__))
    mapper.register_raw_stream_schema(stream, json.loads(json.dumps(schema)), list(keys))
    return [
        (stream_map, as_read(stream_map, changes, schema))
        for stream_map, changes in zip(mapper.stream_maps[stream], rules(stream_maps, stream), strict=True)
    ]


def flattening(depth: int = 3, **config: Any) -> dict[str, Any]:
    """Settings that flatten."""
    return {"flattening_enabled": True, "flattening_max_depth": depth, **config}


def judged(validator: RecordValidator | None, names: tuple[str, ...] = tuple(LISTED)) -> set[str]:
    """The tap's properties that a validator of `NOWHERE` judges: it finds fault with any value of each."""
    if validator is None:
        return set()
    return {name for name in names if validator.fault({name: 7}) is not None}


NOWHERE: Mapping[str, Any] = {name: {"type": "boolean"} for name in LISTED}
"""The same properties, of a type that no value has."""


# Which properties are the tap's.


@pytest.mark.parametrize(
    ("changes", "mapped", "expected"),
    [
        pytest.param(None, ("id", "email"), {"id", "email"}, id="no map"),
        pytest.param({}, ("id", "email"), {"id", "email"}, id="an empty map"),
        pytest.param({"__alias__": "people"}, ("email",), {"email"}, id="an alias"),
        pytest.param({"__filter__": "id > 1"}, ("email",), {"email"}, id="a filter"),
        pytest.param({"email": "email.lower()"}, ("id", "email"), {"id"}, id="a property made anew"),
        pytest.param({"mail": "email"}, ("id", "mail"), {"id"}, id="one beside"),
        pytest.param({"email": None}, ("id", "email"), {"id"}, id="one taken away"),
        pytest.param({"email": "__NULL__"}, ("id", "email"), {"id"}, id="one taken away in words"),
        pytest.param({"mail": "email", "email": None}, ("id", "mail"), {"id"}, id="one renamed"),
        pytest.param({"id": "id", "__else__": None}, ("id", "email", "tags"), set(), id="all others taken away"),
        pytest.param({}, ("id", "_sdc_extracted_at"), {"id"}, id="a loader's column"),
        pytest.param({}, (), set(), id="nothing"),
    ],
)
def test_a_property_is_judged_when_it_is_as_the_tap_wrote_it(
    changes: dict[str, Any] | None, mapped: tuple[str, ...], expected: set[str]
) -> None:
    """What a map makes, or takes away, is for the map to judge."""
    ((_, read),) = maps({} if changes is None else {"leads": changes}, listed=NOWHERE)

    assert judged(read.validator(mapped)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, set(LISTED), id="no changes"),
        pytest.param({"email": "'x'", "made": "1"}, set(LISTED) - {"email"}, id="one made anew"),
        pytest.param({"tags": None, "any": None}, {"id", "email", "contact"}, id="two taken away"),
        pytest.param({"id": "id", "__else__": None}, set(), id="all others taken away"),
        pytest.param({"id": "id", "__else__": "__NULL__"}, set(), id="all others taken away in words"),
    ],
)
def test_all_that_is_left_of_the_tap_s_is_judged_when_everything_is_sent(
    changes: dict[str, Any], expected: set[str]
) -> None:
    """And nothing else: what is taken away is not sent."""
    ((_, read),) = maps({"leads": changes}, listed=NOWHERE)

    assert judged(read.validator_of_all()) == expected


def test_an_unlisted_property_is_judged_when_everything_is_sent() -> None:
    """A SCHEMA that is closed, or says what others must be, says it of what is sent, too."""
    ((_, read),) = maps({"leads": {"other": None}})
    schema = {**read.schema, "additionalProperties": {"type": "string"}}
    closed = AsRead(schema=schema, made=read.made).validator_of_all()

    assert closed is not None
    faults = [closed.fault({name: 7}) for name in ("more", "other", "_sdc_more")]
    assert [fault and fault.text for fault in faults] == ["/*: type", None, None]


@pytest.mark.parametrize(
    ("changes", "flat", "expected"),
    [
        pytest.param({}, False, set(), id="nothing"),
        pytest.param({"email": "email.lower()", "made": "1"}, False, {"email", "made"}, id="what a map makes"),
        pytest.param({"id": "id", "email": "email", "__else__": None}, False, {"id", "email"}, id="all others away"),
        pytest.param({}, True, {"tags", "any"}, id="what flattening guesses"),
        pytest.param({"contact": "contact"}, True, {"contact__phone", "contact__home__city", "tags", "any"}, id="both"),
    ],
)
def test_the_mapped_schema_is_not_believed_when_it_is_a_guess(
    changes: dict[str, Any], expected: set[str], *, flat: bool
) -> None:
    """Of what a map makes, and of what has no type, the SDK writes something that the tap never said."""
    ((stream_map, read),) = maps({"leads": changes}, **(flattening() if flat else {}))

    assert read.changed(stream_map.transformed_schema) == expected


# Flattening.


@pytest.mark.parametrize(
    ("config", "flat"),
    [
        pytest.param({}, None, id="not at all"),
        pytest.param(flattening(0), None, id="to no depth"),
        pytest.param({**flattening(), "flattening_enabled": False}, None, id="turned off"),
        pytest.param(
            flattening(), {"contact__phone": "contact", "contact__home__city": "contact"}, id="to every depth"
        ),
        pytest.param(flattening(1), {"contact__phone": "contact", "contact__home": "contact"}, id="one level"),
        pytest.param(
            flattening(flattening_separator="."),
            {"contact.phone": "contact", "contact.home.city": "contact"},
            id="by a dot",
        ),
        pytest.param(
            flattening(flattening_separator="_"),
            {"contact_phone": "contact", "contact_home_city": "contact"},
            id="by an underscore",
        ),
        pytest.param(
            flattening(flattening_max_key_length=10), {"con__pho": "contact", "con__hom__cit": "contact"}, id="short"
        ),
    ],
)
def test_a_level_leads_to_its_property_when_flattening_is_enabled(
    config: dict[str, Any], flat: dict[str, str] | None
) -> None:
    """By every name that the SDK makes of it."""
    ((stream_map, read),) = maps({}, listed={"id": NUMBER, "contact": CONTACT}, **config)

    assert read.flat == (None if flat is None else {"id": "id", **flat})
    assert set(stream_map.transformed_schema["properties"]) == {"id", *(flat or {"contact": ""})}


def test_nothing_of_a_property_is_the_tap_s_when_a_map_made_it_before_flattening() -> None:
    """Maps run first, so the levels are those of what the map made."""
    ((stream_map, read),) = maps({"leads": {"contact": "contact"}}, **flattening())

    assert "contact__phone" in stream_map.transformed_schema["properties"]
    assert read.validator(["contact__phone", "contact"]) is None


def test_no_level_is_looked_for_when_a_property_cannot_be_flattened() -> None:
    """The whole SCHEMA cannot be, either, and that is told where it is flattened."""
    ((stream_map, _),) = maps({}, **flattening())
    schema = {"properties": {"id": NUMBER, "stage": {"enum": ["open"]}, "odd": 7, "email": TEXT}}

    assert as_read(stream_map, {}, schema).flat == {"id": "id", "email": "email"}


# What is left out.


@pytest.mark.parametrize(
    ("stream_maps", "nulls"),
    [
        pytest.param({}, [set()], id="no map"),
        pytest.param({"leads": None}, [set()], id="taken away"),
        pytest.param({"leads": {}}, [set(LISTED)], id="an empty map"),
        pytest.param({"leads": {"made": "1", "email": None}}, [set(LISTED)], id="one made and one taken away"),
        pytest.param({"leads": {"id": "id", "__else__": None}}, [set(LISTED)], id="all others taken away"),
        pytest.param({"copy": {"__source__": "leads"}}, [set(), set(LISTED)], id="a copy"),
    ],
)
def test_what_the_schema_lists_is_null_for_a_map_when_a_record_leaves_it_out(
    stream_maps: dict[str, Any], nulls: list[set[str]]
) -> None:
    """All that the tap lists and no more, whatever the map itself makes or takes away."""
    assert [set(read.nulls) for _, read in maps(stream_maps)] == nulls


@pytest.mark.parametrize("properties", [None, [], "x", 7], ids=["null", "a-list", "a-text", "a-number"])
def test_nothing_is_listed_when_the_properties_are_none(properties: Any) -> None:
    """Nothing is raised: whether such a SCHEMA is one is for others to say."""
    ((stream_map, _),) = maps({"leads": {}})

    read = as_read(stream_map, {}, {"properties": properties})

    assert not read.nulls
    assert not read.changed({"properties": properties})


# In the SDK's order.


@pytest.mark.parametrize(
    ("stream_maps", "expected"),
    [
        pytest.param({}, [{}], id="no maps"),
        pytest.param({"deals": {"a": "1"}}, [{}], id="another stream's"),
        pytest.param({"leads": {"a": "1"}}, [{"a": "1"}], id="its own"),
        pytest.param({"le*": {"a": "1"}}, [{"a": "1"}], id="by a glob"),
        pytest.param({"le*": {"a": "1"}, "leads": {"b": "1"}}, [{"b": "1"}], id="the last of two"),
        pytest.param({"leads": {"b": "1"}, "*": {"a": "1"}}, [{"a": "1"}], id="a glob after its name"),
        pytest.param({"leads": {"a": "1"}, "*": None}, [{}], id="taken away after all"),
        pytest.param({"__else__": None}, [{}], id="everything else taken away"),
        pytest.param(
            {"b": {"__source__": "leads", "b": "1"}, "leads": {"a": "1"}, "c": {"__source__": "l*", "c": "1"}},
            [{"a": "1"}, {"__source__": "leads", "b": "1"}, {"__source__": "l*", "c": "1"}],
            id="copies around its own",
        ),
        pytest.param(
            {"leads": {"__source__": "leads", "a": "1"}}, [{}, {"__source__": "leads", "a": "1"}], id="a copy of itself"
        ),
        pytest.param({"leads": {"__source__": "deals"}}, [{}], id="another's copy under its name"),
    ],
)
def test_rules_stand_in_the_sdk_s_order_when_there_are_several_maps(
    stream_maps: dict[str, Any], expected: list[dict[str, Any]]
) -> None:
    """The stream's own first, which the last that means it makes; then each other one."""
    assert rules(stream_maps, "leads") == expected


STREAMS = ("leads", "leads-eu", "deals")
SOURCES = st.sampled_from([*STREAMS, "leads*", "*-eu", "*", "nobody"])


def _numbered(stream_maps: list[tuple[str, str, str]]) -> dict[str, Any]:
    """Stream maps of these keys and kinds; each makes a property that bears its place."""
    made: dict[str, Any] = {}
    for place, (key, kind, source) in enumerate(stream_maps):
        change = {f"m{place}": "1"}
        made[key] = {
            "rules": change,
            "empty": {},
            "null": None,
            "null in words": "__NULL__",
            "alias": {**change, "__alias__": "other"},
            "copy": {**change, "__source__": source},
            "else": {**change, "__else__": None},
        }[kind]
    return made


CONFIGURATIONS = st.lists(
    st.tuples(
        SOURCES | st.sampled_from(["copy", "another"]),
        st.sampled_from(["rules", "empty", "null", "null in words", "alias", "copy", "else"]),
        SOURCES,
    ),
    max_size=5,
).map(_numbered)


@settings(max_examples=300, deadline=None)
@given(stream_maps=CONFIGURATIONS, takes_others_away=st.booleans(), stream=st.sampled_from(STREAMS))
def test_each_map_has_its_own_rules_when_there_are_many(
    stream_maps: dict[str, Any], stream: str, *, takes_others_away: bool
) -> None:
    """Whatever keys, globs, copies and aliases there are: as many as the SDK makes, and in its order."""
    given = {**stream_maps, **({"__else__": None} if takes_others_away else {})}
    mapper = PluginMapper({"stream_maps": json.loads(json.dumps(given))}, logging.getLogger(__name__))
    mapper.register_raw_stream_schema(stream, {"properties": {"id": NUMBER}}, [])

    found = rules(given, stream)

    assert len(found) == len(mapper.stream_maps[stream])
    for stream_map, changes in zip(mapper.stream_maps[stream], found, strict=True):
        made = {name for name in stream_map.transformed_schema["properties"] if name.startswith("m")}
        assert made == {name for name in changes if name.startswith("m")}
        assert isinstance(stream_map, CustomStreamMap) or not changes


# What is called unchanged is.


CHANGES: list[dict[str, Any]] = [
    {},
    {"email": "email.upper()"},
    {"mail": "email", "email": None},
    {"contact": None},
    {"contact": "contact['home']"},
    {"tags": "tags[0]", "flag": "'x'"},
    {"id": "id", "__else__": None},
    {"__filter__": "id == 1", "any": "not any"},
]


@pytest.mark.parametrize("config", [{}, flattening(), flattening(1), flattening(flattening_separator=".")])
@pytest.mark.parametrize("changes", CHANGES)
def test_a_value_is_the_tap_s_when_its_property_is_called_so(changes: dict[str, Any], config: dict[str, Any]) -> None:
    """Whatever maps and flattening do: it stands in the record as read, as it is or as the JSON of it."""
    ((stream_map, read),) = maps({"leads": changes}, **config)
    mapped = stream_map.transform(dict(RECORD))
    untyped = replace(read, schema={"properties": NOWHERE})

    assert mapped
    for name, value in mapped.items():
        for source in judged(untyped.validator([name])):
            found = list(below(RECORD[source]))
            assert value in found or json.loads(value) in found


def below(value: Any) -> Iterator[Any]:
    """A value and each that it holds."""
    yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from below(each)
