"""What a right configuration becomes, and what is asked of others on the way."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.errors import SettingsInvalid
from target_driftrock.settings import (
    TABLE,
    Api,
    ApiKey,
    ClientCredentials,
    Comparison,
    Environment,
    Keeping,
    NewLedger,
    OnChanged,
    Pace,
    Patience,
    Settings,
    StreamMapping,
    parse,
    sdk_config,
    secret_values,
)

LEAD = {"stream": "leads", "event_type": "lead", "source_id": "capture-1", "fields": "*"}
SANDBOX: dict[str, object] = {"environment": "sandbox", "ledger": "ledger", "streams": [LEAD]}


def parsed(**changes: object) -> Settings:
    """The settings of a small sandbox configuration with changes."""
    return parse(SANDBOX | changes, template_faults=lambda _: [])


def parsed_mapping(**changes: object) -> StreamMapping:
    """The one mapping of a configuration, its attributes changed."""
    return parsed(streams=[LEAD | changes]).mappings[0]


def faults_of(config: dict[str, object]) -> tuple[str, ...]:
    """What is told of a configuration."""
    try:
        parse(config, template_faults=lambda _: [])
    except SettingsInvalid as invalid:
        return invalid.faults
    return ()


def test_defaults_hold_when_nothing_else_is_given() -> None:
    """What a setting's table says of its default is what holds."""
    result = parsed()

    assert result == Settings(
        api=Api(environment=Environment.SANDBOX, url="http://127.0.0.1:8377"),
        credentials=ClientCredentials(client_id="sandbox", client_secret="sandbox"),
        pace=Pace(max_concurrency=16, max_events=None),
        patience=Patience(read_timeout=60.0, max_outage=900.0),
        keeping=Keeping(ledger="ledger"),
        mappings=(StreamMapping(index=0, stream="leads", event_type="lead", source_id="capture-1", fields="*"),),
        batch_size_rows=100,
    )


def test_every_number_reaches_its_group_when_given() -> None:
    """A setting ends in the attribute that its row names, durations as floats."""
    result = parsed(
        max_concurrency=8,
        max_events=10,
        read_timeout=Decimal("2.5"),
        max_outage_seconds=0,
        batch_size_rows=7,
    )

    assert result.pace == Pace(max_concurrency=8, max_events=10)
    assert result.patience == Patience(read_timeout=2.5, max_outage=0.0)
    assert isinstance(result.patience.read_timeout, float)
    assert result.batch_size_rows == 7


@pytest.mark.parametrize(
    ("text", "number"),
    [("100", 100.0), ("2.5", 2.5), (".5", 0.5), ("5.", 5.0), (" 7 ", 7.0), ("1e1", 10.0), ("+3", 3.0)],
)
def test_a_number_is_read_when_it_comes_as_its_text(text: str, number: float) -> None:
    """So Meltano writes into its file what a variable said."""
    result = parsed(max_reject_percent=text, read_timeout=text)

    assert (result.keeping.max_reject_percent, result.patience.read_timeout) == (number, number)


@pytest.mark.parametrize(
    "text", ["2,5", "5 %", "nan", "inf", "1_0", "١٢", "0x10", "five", "1 2", "-", ".", "101", "1e3"]
)
def test_a_text_is_refused_when_it_is_no_number_or_not_within_the_bounds(text: str) -> None:
    """As a number would be, without a word of quotes: they are not what is wrong."""
    with pytest.raises(SettingsInvalid, match=r"^max_reject_percent must be a number from 0 to 100\.$"):
        parsed(max_reject_percent=text)


def test_credentials_are_the_given_ones_when_the_environment_is_the_sandbox() -> None:
    """The sandbox needs no credentials, and takes those that are given."""
    assert parsed(api_key="key-1").credentials == ApiKey(key="key-1")
    assert parsed(client_id="id-1", client_secret="secret-1").credentials == ClientCredentials(
        client_id="id-1", client_secret="secret-1"
    )


@pytest.mark.parametrize(
    ("url", "name"),
    [
        pytest.param("https://api-staging.driftrock.com/", "staging", id="the environment's own"),
        pytest.param("https://api-staging.driftrock.com:443/v9", "staging", id="the same origin"),
        pytest.param("https://example.com/", "https://example.com:443", id="another origin"),
    ],
)
def test_api_is_known_by_its_origin_when_the_url_is_another(url: str, name: str) -> None:
    """An event's identity does not change with the way that the same API's URL is written."""
    api = parsed(environment="staging", api_key="key-1", api_url=url).api

    assert api.name == name
    assert not api.url.endswith("/")


def test_source_id_is_filled_in_when_a_mapping_names_none() -> None:
    """The setting at the top stands for every mapping without its own."""
    mappings = parsed(
        source_id="capture-2",
        streams=[LEAD, {"stream": "sales", "event_type": "conversion", "fields": "*"}],
    ).mappings

    assert [mapping.source_id for mapping in mappings] == ["capture-1", "capture-2"]


@pytest.mark.parametrize(
    ("changes", "event_id", "has_identity"),
    [
        pytest.param({}, None, True, id="left out"),
        pytest.param({"event_id": "{id}"}, "{id}", True, id="a template"),
        pytest.param({"event_id": None}, None, False, id="null"),
    ],
)
def test_identity_is_given_up_when_event_id_is_null(
    changes: dict[str, Any], event_id: str | None, *, has_identity: bool
) -> None:
    """Only an outspoken null accepts that repeats cannot be recognised."""
    mapping = parsed_mapping(**changes)

    assert (mapping.event_id, mapping.has_identity) == (event_id, has_identity)


@pytest.mark.parametrize(
    ("top", "own", "expected"),
    [
        pytest.param({}, {}, None, id="nobody says anything"),
        pytest.param({"on_changed": "skip"}, {}, OnChanged.SKIP, id="the setting"),
        pytest.param({}, {"on_changed": "send"}, OnChanged.SEND, id="the mapping"),
        pytest.param({"on_changed": "skip"}, {"on_changed": "send"}, OnChanged.SEND, id="the mapping says otherwise"),
        pytest.param({"on_changed": "send"}, {"on_changed": None}, OnChanged.SEND, id="a null says nothing"),
        pytest.param({"on_changed": None}, {}, None, id="a null at the top neither"),
    ],
)
def test_changes_are_judged_by_the_nearest_word_when_several_are_said(
    top: dict[str, object], own: dict[str, object], expected: OnChanged | None
) -> None:
    """A mapping's own word, else the setting's; where nothing is said, nothing is meant."""
    assert parsed(**top, streams=[LEAD | own]).mappings[0].on_changed is expected


@pytest.mark.parametrize(
    ("changes", "formerly", "is_forgotten"),
    [
        pytest.param({}, (), False, id="left out"),
        pytest.param({"formerly": {"event_id": "{id}"}}, ({"event_id": "{id}"},), False, id="an object"),
        pytest.param(
            {"formerly": [{"event_id": "{id}"}, {"event_name": "x"}]},
            ({"event_id": "{id}"}, {"event_name": "x"}),
            False,
            id="an array",
        ),
        pytest.param({"formerly": None}, (), True, id="null"),
    ],
)
def test_former_identities_are_forgotten_when_formerly_is_null(
    changes: dict[str, Any], formerly: tuple[Any, ...], *, is_forgotten: bool
) -> None:
    """Only an outspoken null accepts that all is sent again."""
    mapping = parsed_mapping(**changes)

    assert (mapping.formerly, mapping.forgets_former) == (formerly, is_forgotten)


@pytest.mark.parametrize(
    ("given_word", "expected"), [(None, NewLedger.ALLOW), ("allow", NewLedger.ALLOW), ("refuse", NewLedger.REFUSE)]
)
def test_a_new_ledger_is_allowed_when_nobody_refuses_it(given_word: str | None, expected: NewLedger) -> None:
    """A first run needs no setting."""
    assert parsed(new_ledger=given_word).keeping.new_ledger is expected


def test_alternatives_keep_their_types_when_a_condition_names_them() -> None:
    """A value and an array of one are the same; true stays true beside 1, and null is a value."""
    when = parsed_mapping(when={"a": True, "b": [True], "c": [1, Decimal("1.5"), None, "1"], "d": None}).when

    assert isinstance(when["c"], tuple)
    assert [type(value) for value in when["c"]] == [int, Decimal, type(None), str]
    assert when["a"] == when["b"] == (True,)
    assert when["d"] == (None,)
    assert isinstance(when["a"], tuple)
    assert when["a"][0] is True


def test_comparisons_keep_their_types_when_a_condition_has_them() -> None:
    """`not` takes one value or several, and bounds stand in their order."""
    when = parsed_mapping(when={"a": {"not": None}, "b": {">=": 1, "<": Decimal("2.5"), "not": [True, "x"]}}).when

    assert when["a"] == Comparison(but=(None,))
    assert when["b"] == Comparison(but=(True, "x"), bounds=((">=", 1), ("<", Decimal("2.5"))))


def test_a_table_wants_quotes_when_a_key_of_it_is_no_text() -> None:
    """YAML makes a boolean of `yes`, and a number of `1`: no value of a record would ever be one."""
    for tables in ({"stages": {True: "CANARY"}}, {"stages": {"a": 1, 1: "CANARY"}}, {1: {"a": "CANARY"}}):
        (fault,) = faults_of({**SANDBOX, "streams": [{**LEAD, "tables": tables}]})
        assert "put it in quotes" in fault
        assert "CANARY" not in fault


def test_templates_are_asked_about_when_their_mapping_is_otherwise_right() -> None:
    """Faults in templates are told with all others; a broken item is not asked about."""
    asked: list[StreamMapping] = []

    def template_faults(mapping: StreamMapping) -> list[str]:
        asked.append(mapping)
        return [f"{mapping.label}: a template is wrong."]

    with pytest.raises(SettingsInvalid) as raised:
        parse(SANDBOX | {"streams": [LEAD, "broken"], "max_events": 0}, template_faults=template_faults)

    assert [mapping.index for mapping in asked] == [0]
    assert len(raised.value.faults) == 3
    assert "streams[0] (leads): a template is wrong." in raised.value.faults


@pytest.mark.parametrize(
    "value",
    [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1e400"), 10**400, float("nan"), True],
    ids=["NaN", "signalling NaN", "infinity", "beyond a float", "beyond a float, whole", "a float's NaN", "true"],
)
def test_number_is_a_fault_when_it_is_no_finite_number(value: object) -> None:
    """Nothing that a clock cannot count becomes a duration."""
    with pytest.raises(SettingsInvalid, match="read_timeout must be a number above 0"):
        parsed(read_timeout=value)


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("127.1", False),
        ("0.0.0.0", False),  # noqa: S104 - nothing is bound
        ("10.0.0.1", False),
        ("[::2]", False),
    ],
)
def test_http_is_refused_when_the_host_is_not_this_machine(host: str, *, is_allowed: bool) -> None:
    """Credentials leave this machine over HTTPS only, whatever a name would resolve to."""
    url = f"http://{host}:8377"

    faults = faults_of(SANDBOX | {"environment": "staging", "api_key": "key-1", "api_url": url})

    assert (not faults) == is_allowed


@pytest.mark.parametrize(
    "url",
    ["http://localhost\\@example.com", "http://localhost@example.com", "http://example.com#@localhost", "//localhost"],
)
def test_url_is_refused_when_its_host_can_be_read_in_two_ways(url: str) -> None:
    """No other library takes another host out of the URL than the one that was judged."""
    with pytest.raises(SettingsInvalid, match="api_url"):
        parsed(api_url=url)


def test_sdk_sees_its_own_settings_alone_when_it_is_given_a_configuration() -> None:
    """Neither credentials nor mappings reach the SDK; nulls are left out, since it would take them at their word."""
    config = SANDBOX | {"client_secret": "secret-1", "stream_maps": {"leads": {}}, "flattening_max_depth": None}

    assert sdk_config(config) == {"batch_size_rows": 100, "validate_records": True, "stream_maps": {"leads": {}}}


def test_secrets_are_found_when_the_rest_of_the_configuration_is_wrong() -> None:
    """They can be kept out of logs before anything is judged."""
    assert secret_values({"client_secret": "secret-1", "api_key": 7, "streams": "?"}) == ("secret-1",)


@pytest.mark.parametrize("name", ["api_key", "client_secret"])
def test_the_sandbox_s_own_key_is_no_secret(name: str) -> None:
    """It is documented, and hiding it would hide the word in every message about the sandbox."""
    assert secret_values({"environment": "sandbox", name: "sandbox"}) == ()
    assert secret_values({"environment": "production", name: "sandbox"}) == ("sandbox",)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=8) | st.just("CANARY"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from([row.name for row in TABLE])
attributes = st.sampled_from([*LEAD, "skip", "when", "event_id", "metadata", "created_at", "on_changed", "formerly"])


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(names, json_values, max_size=6),
    st.lists(st.dictionaries(attributes, json_values, max_size=6), max_size=2),
)
def test_faults_are_all_that_is_raised_when_anything_is_given(
    config: dict[str, object], streams: list[dict[str, object]]
) -> None:
    """Whatever stands in a file without a stream's name, the answer is a list of faults, and none shows a value."""
    items = [{name: value for name, value in item.items() if name != "stream"} for item in streams]

    faults = faults_of({"streams": items} | config)

    assert faults
    assert not [fault for fault in faults if "CANARY" in fault]
