"""Keys of stream maps that no stream met."""

from __future__ import annotations

from typing import Any

import pytest

from target_driftrock.singer.stream_maps import unmet


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
