"""Stream maps: what is wrong with them, keys that no stream met, and the streams that a map makes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from singer_sdk.mapper import PluginMapper, StreamMap

from target_driftrock.errors import SettingsInvalid
from target_driftrock.singer.computing import TooMuch
from target_driftrock.singer.stream_maps import failure, is_taken_away, register, scopes, settings_faults, unmet

PROPERTIES = {"id": {"type": "integer"}, "email": {"type": ["null", "string"]}, "amount": {"type": "number"}}
SCHEMA: dict[str, Any] = {"type": "object", "properties": PROPERTIES}


def registered(rules: Any, *, keys: Sequence[str] = ("id",), schema: Any = None, **config: Any) -> list[StreamMap]:
    """The maps of the stream `leads`; the SDK's."""
    whole = {"stream_maps": {"leads": rules}, **config}
    mapper = PluginMapper({**whole, "stream_maps": dict(whole["stream_maps"])}, logging.getLogger(__name__))
    register(mapper, "leads", schema=schema or SCHEMA, key_properties=keys, config=whole)
    return mapper.stream_maps["leads"]


# Before any stream comes.


@pytest.mark.parametrize(
    "stream_maps",
    [
        {},
        {"leads": {}, "deals": None, "visits": "__NULL__", "__else__": None},
        {"leads": {"__filter__": "id", "__alias__": "people", "__key_properties__": ["id"], "__else__": "__NULL__"}},
        {"copy": {"__source__": "lead*", "email": None, "other": "__NULL__", "__key_properties__": None}},
        {"leads": {"__filter__": None, "v": "whatever_the_schema_has"}},
    ],
)
def test_nothing_is_told_when_stream_maps_may_be_right(stream_maps: dict[str, Any]) -> None:
    """Names are judged when their stream comes."""
    assert settings_faults(stream_maps) == []


@pytest.mark.parametrize(
    ("stream_maps", "told"),
    [
        pytest.param({"leads": "email"}, "stream_maps.leads must be an object", id="a text for rules"),
        pytest.param({"leads": ["email"]}, "stream_maps.leads must be an object", id="an array for rules"),
        pytest.param({"leads": {"v": 3}}, "stream_maps.leads.v: it must be an expression in quotes", id="a number"),
        pytest.param({"leads": {"v": {}}}, "stream_maps.leads.v: it must be an expression in quotes", id="an object"),
        pytest.param({"public": {"leads": {"v": "v"}}}, "as JSON in quotes, and ? for a dot", id="Meltano, in a run"),
        pytest.param({"leads.v": "v"}, "as JSON in quotes, and ? for a dot", id="Meltano, in a command"),
        pytest.param({"leads": {"v": "("}}, "stream_maps.leads.v: the expression has a syntax error", id="no syntax"),
        pytest.param({"leads": {"v": ""}}, "stream_maps.leads.v: the expression is empty", id="empty"),
        pytest.param(
            {"leads": {"__filter__": "a AND b"}}, "stream_maps.leads.__filter__: the expression has a", id="a filter"
        ),
        pytest.param({"leads": {"__filter__": True}}, "stream_maps.leads.__filter__: it must be", id="no filter"),
        pytest.param({"leads": {"__else__": "x"}}, "stream_maps.leads.__else__: it must be null", id="no else"),
        pytest.param({"leads": {"__key_properties__": "id"}}, "__key_properties__: it must be an array", id="one key"),
        pytest.param({"leads": {"__alias__": 3}}, "stream_maps.leads.__alias__: it must be the name", id="no alias"),
        pytest.param({"leads": {"__source__": ""}}, "stream_maps.leads.__source__: it must be the", id="no source"),
        pytest.param({"__else__": {}}, "stream_maps.__else__ must be null", id="else for all"),
        pytest.param({"__filter__": "id"}, "stream_maps.__filter__ is no stream", id="a rule for all"),
        pytest.param({"a\nb": 1}, r"'stream_maps.a\nb' must be an object", id="a line break in a key"),
        pytest.param({"a\nb": {"v": 1}}, r"'stream_maps.a\nb.v': it must be", id="a line break above a property"),
        pytest.param({"leads": {"\ufeffv": 1}}, r"'stream_maps.leads.\ufeffv': it must be", id="an unseen name"),
    ],
)
def test_key_and_property_are_told_when_a_map_is_wrong_for_any_stream(stream_maps: dict[str, Any], told: str) -> None:
    """No SCHEMA is needed to see that."""
    (fault,) = settings_faults(stream_maps)

    assert told in fault
    assert fault.endswith(".")


def test_the_configuration_is_known_when_a_map_names_what_it_has() -> None:
    """Before any stream comes, and what it has not is told then."""
    stream_maps = {"leads": {"v": "md5(config['salt'])", "w": "config['rate']"}}

    assert settings_faults(stream_maps, config={"salt": "s", "rate": 1}) == []
    assert settings_faults(stream_maps, config={"salt": "s"}) == ["stream_maps.leads.w: stream_map_config has no rate."]


# When a stream comes.


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        pytest.param(
            {"v": "float(amont)"},
            "stream_maps.leads.v, stream leads: amont is not listed in the SCHEMA; the nearest is amount.",
            id="an unknown name",
        ),
        pytest.param({"__filter__": "amont"}, "stream_maps.leads.__filter__, stream leads: amont is", id="a filter"),
        pytest.param({"v": "self"}, "stream_maps.leads.v, stream leads: self is the property's own", id="self"),
        pytest.param({"id": None}, "stream_maps.leads.id, stream leads: a map cannot take a key property", id="a key"),
        pytest.param(
            {"__else__": None, "email": "email"},
            "stream_maps.leads.id, stream leads: the map has no key property id: keep it, or set __key_properties__",
            id="a key left out",
        ),
        pytest.param(
            {"__key_properties__": ["ID"]},
            "stream_maps.leads.__key_properties__, stream leads: the map has no key property ID; the nearest is id: ",
            id="an unknown key",
        ),
        pytest.param(
            {"__filters__": "email"},
            "it is no option of a stream map, and no property of the stream; the nearest is __filter__.",
            id="an unknown option",
        ),
        pytest.param({"__alias__": "my leads"}, "stream_maps.leads.__alias__, stream leads: it is an", id="an alias"),
        pytest.param({"__alias__": "2024"}, "stream_maps.leads.__alias__, stream leads: it is an", id="a number"),
    ],
)
def test_the_map_is_told_when_it_does_not_go_with_the_schema(rules: dict[str, Any], told: str) -> None:
    """Stream, key, property and kind of error: the SDK's own text names none of them."""
    with pytest.raises(SettingsInvalid) as raised:
        registered(rules)

    (fault,) = raised.value.faults
    assert told in fault


@pytest.mark.parametrize(
    "rules",
    [
        {"v": "email.lower() if email else None"},
        {"id": None, "__key_properties__": None},
        {"__else__": None, "email": "email", "id": "id"},
        {"__else__": None, "email": "email", "__key_properties__": []},
        {"__alias__": "__stream_name__ + '_new'"},
        {"__alias__": "public-leads"},
        {"email": "self"},
    ],
)
def test_a_map_is_made_when_it_goes_with_the_schema(rules: dict[str, Any]) -> None:
    """What the SDK takes is taken."""
    assert len(registered(rules)) == 1


def test_a_map_for_another_stream_is_not_judged_when_this_one_comes() -> None:
    """One configuration may serve several taps."""
    mapper = PluginMapper({}, logging.getLogger(__name__))

    register(mapper, "visits", schema=SCHEMA, key_properties=[], config={"stream_maps": {"leads": {"v": "what"}}})

    assert len(mapper.stream_maps["visits"]) == 1


def test_the_kind_alone_is_told_when_the_sdk_refuses_what_we_took() -> None:
    """Its text may hold an expression."""
    with pytest.raises(SettingsInvalid) as raised:
        registered({"email": None}, schema={"required": True, **SCHEMA})

    assert raised.value.faults == (
        "stream_maps: stream leads cannot be mapped by the SDK (TypeError): check what names it there.",
    )
    assert raised.value.__suppress_context__


def test_a_stream_is_taken_away_when_its_map_is_null() -> None:
    """Nothing is left of it that would want a mapping; its SCHEMA does not matter."""
    twice = {"properties": {"a": {"type": "object", "properties": {"b": {}}}, "a__b": {}}}

    assert all(map(is_taken_away, registered(None)))
    flattened = registered("__NULL__", schema=twice, flattening_enabled=True, flattening_max_depth=1)
    assert all(map(is_taken_away, flattened))
    assert not any(map(is_taken_away, registered({})))


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        pytest.param({"v": "email.lower()"}, "stream map of v: AttributeDoesNotExist", id="a null"),
        pytest.param({"v": "int(note)"}, "stream map of v: ValueError", id="a text"),
        pytest.param({"First\nName": "1 / 0"}, r"stream map of 'First\nName': ZeroDivisionError", id="a line break"),
        pytest.param({"__filter__": "email > 1"}, "stream map of __filter__: TypeError", id="a filter"),
    ],
)
def test_property_and_kind_are_told_when_a_map_fails_on_one_record(rules: dict[str, Any], told: str) -> None:
    """Never a value, which the exception's own text has."""
    (stream_map,) = registered(rules, schema={"properties": {**PROPERTIES, "note": {}}})

    with pytest.raises(Exception, match=r".") as raised:
        stream_map.transform({"id": 1, "email": None, "amount": 1, "note": "CANARY"})

    assert failure(raised.value) == told


@pytest.mark.parametrize(
    "expression",
    [
        "10**3999999",
        "id**3999999",
        "(9**4000)**id",
        "9**4000 * 9**4000",
        "'%999999999d' % id",
        "'%*d' % (999999999, id)",
        "f'{id:>999999999}'",
        "f'{id:>{id**8}}'",
        "email.ljust(999999999)",
        "email.center(999999999)",
        "email.zfill(999999999)",
        "email.expandtabs(tabsize=999999999)",
        "id.to_bytes(999999999, 'big')",
        "''.join(['x' * 99999] * 9999)",
        "('x' * 99999).replace('x', 'y' * 99999)",
    ],
)
def test_a_record_is_given_up_at_once_when_a_map_would_compute_for_ever(expression: str) -> None:
    """What it would make is of no use to anybody, and the memory would not hold it."""
    (made,) = registered({"v": expression})

    with pytest.raises(TooMuch) as raised:
        made.transform({"id": 17, "email": "ada@example.com", "amount": Decimal(1)})

    assert failure(raised.value) == "stream map of v: TooMuch"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2**10 * id", 17408),
        ("1**3999999", 1),
        ("amount**2", Decimal("2.25")),
        ("id % 5", 2),
        ("'%5d%%' % id", "   17%"),
        ("f'{id:>5}'", "   17"),
        ("email.ljust(16, '.')", "ada@example.com."),
        ("'-'.join([email, 'b'])", "ada@example.com-b"),
        ("email.replace('a', 'bb', 1)", "bbda@example.com"),
        ("id.bit_length()", 5),
        ("email.split('@')[1]", "example.com"),
        ("datetime.datetime(2026, 1, 31).isoformat()", "2026-01-31T00:00:00"),
        ("'x' * 1000", "x" * 1000),
    ],
)
def test_an_expression_gives_what_python_gives_when_it_is_an_ordinary_one(expression: str, value: object) -> None:
    """The bounds are far from what anybody writes in earnest."""
    (made,) = registered({"v": expression})

    record = made.transform({"id": 17, "email": "ada@example.com", "amount": Decimal("1.5")})

    assert record is not None
    assert record["v"] == value


def test_the_kind_alone_is_told_when_no_expression_failed() -> None:
    """It is somebody's error all the same."""
    assert failure(ValueError("CANARY")) == "stream map: ValueError"


# Keys that no stream met.


@pytest.mark.parametrize(
    ("stream_maps", "streams", "keys"),
    [
        pytest.param({}, ["leads"], [], id="no maps"),
        pytest.param({"leads": {"a": "b"}}, ["leads"], [], id="by name"),
        pytest.param({"lead": {"a": "b"}}, ["leads"], ["lead"], id="by a wrong name"),
        pytest.param({"Leads": {"a": "b"}}, ["leads"], ["Leads"], id="by another case"),
        pytest.param({"public-*": {"a": "b"}}, ["public-leads"], [], id="by a glob"),
        pytest.param({"private-*": {"a": "b"}}, ["public-leads"], ["private-*"], id="by a wrong glob"),
        pytest.param({"copy": {"__source__": "leads"}}, ["leads"], [], id="by its source"),
        pytest.param({"leads": {"__source__": "deals"}}, ["leads"], ["leads"], id="by a wrong source"),
        pytest.param({"leads": None, "deals": "__NULL__"}, ["leads"], ["deals"], id="taken out"),
        pytest.param({"__else__": None}, [], [], id="everything else"),
        pytest.param({"a": {}, "b": {}, "c": {}}, ["b"], ["a", "c"], id="several"),
        pytest.param({"a": {}}, [], ["a"], id="no streams"),
    ],
)
def test_a_key_is_told_when_no_stream_met_it(stream_maps: dict[str, Any], streams: list[str], keys: list[str]) -> None:
    """By the rule by which the SDK applies it: by its source if it names one, by name or glob."""
    told = unmet(stream_maps, streams)

    assert len(told) == len(keys)
    assert all(f"the key {key}," in sentence for key, sentence in zip(keys, told, strict=True))


def test_the_nearest_stream_is_told_when_a_key_met_none() -> None:
    """It was probably meant; and it stays on its line."""
    assert "is meant by it (the nearest is Leads: upper and lower case count)," in unmet({"leads": {}}, ["Leads"])[0]
    assert r"the key 'a\nb'," in unmet({"a\nb": {}}, [])[0]


@pytest.mark.parametrize(
    ("stream_maps", "expected"),
    [
        pytest.param({}, ["leads"], id="no maps"),
        pytest.param({"leads": {"email": "email"}}, ["leads"], id="its own map"),
        pytest.param({"leads": {"__alias__": "people"}}, ["leads"], id="an alias"),
        pytest.param({"le*": {"__alias__": "people"}}, ["leads"], id="an alias by a glob"),
        pytest.param({"leads": None}, ["leads"], id="taken out"),
        pytest.param({"__else__": None}, ["leads"], id="everything else"),
        pytest.param({"deals": {"__alias__": "leads"}}, ["leads"], id="another's alias"),
        pytest.param({"copy": {"__source__": "leads"}}, ["leads", "copy"], id="a copy"),
        pytest.param({"copy": {"__source__": "leads"}, "leads": {}}, ["leads", "copy"], id="a copy before its own"),
        pytest.param(
            {"b": {"__source__": "leads"}, "leads": {"__alias__": "x"}, "a": {"__source__": "leads"}},
            ["leads", "b", "a"],
            id="two copies beside an alias",
        ),
        pytest.param({"copy": {"__source__": "deals"}}, ["leads"], id="another's copy"),
        pytest.param({"copy": {"__source__": "le*"}}, ["leads", "copy.leads"], id="a copy by a glob"),
    ],
)
def test_streams_are_told_apart_by_where_they_come_from_when_maps_make_several(
    stream_maps: dict[str, Any], expected: list[str]
) -> None:
    """One for each map that the SDK applies, in its order: else a record's ids would begin with another map's key."""
    found = scopes(stream_maps, "leads")

    assert found == expected
    mapper = PluginMapper({"stream_maps": stream_maps}, logging.getLogger(__name__))
    mapper.register_raw_stream_schema("leads", {"properties": {"email": {"type": "string"}}}, [])
    assert len(mapper.stream_maps["leads"]) == len(found)
    made = [each.stream_alias for each in mapper.stream_maps["leads"]][1:]
    assert [scope.split(".")[0] for scope in found[1:]] == made
