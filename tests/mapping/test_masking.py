"""Names that may be values: which ones, and what is told in their place."""

from __future__ import annotations

from typing import Any

import pytest

from target_driftrock.mapping.masking import Mask

ADDRESS = "a column whose name looks like an e-mail address"
DIGITS = "a column whose name holds six digits or more"
LONG = "a column whose name is long"
ANOTHER = "another column"


def mask(*names: str, said: tuple[str, ...] = (), keys: tuple[str, ...] = ()) -> Mask:
    """Over a SCHEMA of these properties."""
    return Mask(said=frozenset(said)).over({"properties": {name: {} for name in names}}, keys)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param("kanari@example.com", ADDRESS, id="an address"),
        pytest.param("kanari\uff20example.com", ADDRESS, id="an address in full width"),
        pytest.param("+44 7700 900123", DIGITS, id="a telephone number"),
        pytest.param("12 3 45-6", DIGITS, id="six digits"),
        pytest.param("\u0661\u0662\u0663\u0664\u0665\u0666", DIGITS, id="digits of another script"),
        pytest.param("a" * 61, LONG, id="a sentence"),
    ],
)
def test_no_name_of_a_schema_is_told_when_one_looks_like_a_value(name: str, told: str) -> None:
    """Where one cell of a row became a name, all did."""
    found = mask("Kanari", name)

    assert [found.column(name), found.column("Kanari")] == [told, ANOTHER]
    assert found.doubt("leads") is not None


@pytest.mark.parametrize(
    "name", ["email", "First Name", "address_line_2", "12345", "a" * 60, "a\nb", "_sdc_received_at"]
)
def test_names_are_told_as_they_are_when_they_are_ordinary(name: str) -> None:
    """Quoted where something in them is not seen, and nothing else."""
    found = mask(name, "id")

    assert found.column(name) == (r"'a\nb'" if name == "a\nb" else name)
    assert found.doubt("leads") is None


def test_a_name_is_told_when_the_settings_name_it() -> None:
    """Whoever writes the settings knows it; a name that looks like a value raises no doubt then."""
    named = mask("kanari@example.com", "id", said=("kanari@example.com",))
    beside = mask("kanari@example.com", "id", "note", said=("id",))

    assert [named.column(name) for name in ("kanari@example.com", "id")] == ["kanari@example.com", "id"]
    assert [beside.column(name) for name in ("kanari@example.com", "id", "note")] == [ADDRESS, "id", ANOTHER]


def test_what_loaders_add_is_told_when_names_are_masked() -> None:
    """It is no cell of the sheet; unless it looks like one."""
    found = mask("kanari@example.com", "_sdc_source_lineno")

    assert found.column("_sdc_source_lineno") == "_sdc_source_lineno"
    assert found.column("_sdc_kanari@example.com") == ADDRESS


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"properties": {"contact": {"properties": {"k@example.com": {}}}}}, id="nested"),
        pytest.param({"properties": {"a": {"items": {"anyOf": [{"properties": {"k@b.de": {}}}]}}}}, id="in a list"),
        pytest.param({"required": ["k@example.com"], "properties": {}}, id="required"),
        pytest.param({"definitions": {"one": {"properties": {"k@example.com": {}}}}}, id="referred to"),
        pytest.param({"patternProperties": {"^a": {"required": ["k@b.de"]}}}, id="below a pattern"),
    ],
)
def test_names_are_masked_when_one_that_looks_like_a_value_stands_anywhere(schema: dict[str, Any]) -> None:
    """Every place from which a name could be told counts."""
    assert Mask().over(schema, ()).column("name") == ANOTHER


def test_names_are_masked_when_a_key_property_looks_like_a_value() -> None:
    """It need not be listed."""
    assert mask("name", keys=("k@example.com",)).column("name") == ANOTHER


def test_nothing_is_masked_when_what_looks_like_a_value_is_no_name() -> None:
    """Values of `enum`, keywords of no draft and descriptions are never told anyway."""
    schema = {"x-owner": "k@example.com", "properties": {"a": {"enum": ["k@b.de"], "x-k@b.de": 1, "title": "k@b.de"}}}

    assert Mask().over(schema, ()).column("a") == "a"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("leads", "leads"),
        ("crm-Leads 2", "crm-Leads 2"),
        ("events_20260301", "events_20260301"),
        ("events_2026-03", "events_2026-03"),
        ("kanari@example.com.csv", "(whose name looks like an e-mail address)"),
        ("calls-447700900123", "(whose name holds six digits or more)"),
        ("calls_20260301_447700", "(whose name holds six digits or more)"),
        ("a" * 61, "(whose name is long)"),
    ],
)
def test_a_stream_s_name_is_masked_when_it_alone_looks_like_a_value(name: str, told: str) -> None:
    """The day of a table that is one of many tells nothing of a person."""
    assert Mask().stream(name) == told
    assert Mask(said=frozenset({name})).stream(name) == name


def test_a_path_is_told_as_it_is_when_each_name_on_it_is_ordinary() -> None:
    """It grows long, and has many digits in it, by its levels alone; so does what flattening makes of it."""
    path = "contact_1234.address_2345.lines.0." + "a" * 50

    assert Mask().over({"properties": {"contact_1234": {}}}, ()).column(path) == path


def test_a_key_is_hidden_when_it_is_of_another_schema() -> None:
    """The ledger remembers of which key properties ids were made, and these may be gone."""
    found = mask("email", "id", said=("id",))

    assert found.hides_any(["id", "k@example.com"])
    assert not found.hides_any(["id", "email", "other"])
    assert mask("email", "k@example.com").hides_any(["other"])
