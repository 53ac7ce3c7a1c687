"""Keys of stream maps that no stream met, and the streams that a map makes."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from singer_sdk.mapper import PluginMapper

from target_driftrock.singer.stream_maps import scopes, unmet


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
