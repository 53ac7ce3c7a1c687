"""Settings out of files and environment variables."""

from __future__ import annotations

import codecs
import contextlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.errors import SettingsInvalid
from target_driftrock.settings import from_environment, read_files, variable_doubts
from target_driftrock.settings.streams import EXAMPLE


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("MAX_CONCURRENCY", "8", 8),
        ("MAX_CONCURRENCY", " 8 ", 8),
        ("READ_TIMEOUT", "2.50", Decimal("2.50")),
        ("READ_TIMEOUT", "30", Decimal(30)),
        ("CLIENT_ID", "0123", "0123"),
        ("CLIENT_ID", "true", "true"),
        ("ENVIRONMENT", "sandbox", "sandbox"),
        ("STREAMS", '[{"stream": "leads"}]', [{"stream": "leads"}]),
        ("STREAM_MAP_CONFIG", '{"rate": 0.10}', {"rate": Decimal("0.10")}),
        *(("VALIDATE_RECORDS", text, True) for text in ("true", "TRUE", "1", "yes", "on")),
        *(("VALIDATE_RECORDS", text, False) for text in ("false", "False", "0", "no", "off")),
    ],
)
def test_variable_becomes_what_its_setting_holds_when_it_is_right(variable: str, text: str, value: object) -> None:
    """A number is a number, and text that looks like one stays text; numbers are exact."""
    result = from_environment({f"TARGET_DRIFTROCK_{variable}": text})

    assert result == {variable.lower(): value}
    assert type(result[variable.lower()]) is type(value)


@pytest.mark.parametrize(
    ("variable", "text", "wanted"),
    [
        ("MAX_CONCURRENCY", "CANARY", "a whole number"),
        ("MAX_CONCURRENCY", "1_6", "a whole number"),
        ("MAX_CONCURRENCY", "1.5", "a whole number"),
        ("READ_TIMEOUT", "60s", "a number"),
        ("VALIDATE_RECORDS", "y", "true or false (1 or 0, yes or no, on or off)"),
        ("STREAMS", "leads,CANARY", f"a JSON array, such as [{EXAMPLE}]"),
        ("STREAMS", '{"stream": "CANARY"}', f"a JSON array, such as [{EXAMPLE}]"),
        ("STREAMS", '["\udcff"]', f"a JSON array, such as [{EXAMPLE}]"),
        ("STREAM_MAPS", "[]", "a JSON object"),
        pytest.param("MAX_EVENTS", "\udcff", "a whole number", id="no text"),
        pytest.param("MAX_EVENTS", "9" * 100_000, "a whole number", id="digits"),
        pytest.param("STREAM_MAPS", '{"a":' * 100_000, "a JSON object", id="bottomless"),
        pytest.param("STREAM_MAP_CONFIG", '{"a": 1e9999999999999999999}', "a JSON object", id="exponent"),
    ],
)
def test_variable_is_named_and_its_value_is_not_when_it_is_wrong(variable: str, text: str, wanted: str) -> None:
    """The message says which variable must hold what."""
    with pytest.raises(SettingsInvalid) as raised:
        from_environment({f"TARGET_DRIFTROCK_{variable}": text})

    assert raised.value.faults == (f"TARGET_DRIFTROCK_{variable} must be {wanted}.",)
    assert raised.value.__context__ is None


def test_variable_is_passed_over_when_it_is_empty_or_no_setting() -> None:
    """Meltano's own variables, other programs' and placeholders say nothing."""
    environ = {
        "TARGET_DRIFTROCK_CLIENT_ID": "",
        "TARGET_DRIFTROCK_MAX_EVENTS": "",
        "TARGET_DRIFTROCK_LOGLEVEL": "DEBUG",
        "TARGET_DRIFTROCK__LOAD_SCHEMA": "public",
        "TARGET_DRIFTROCK_TEST_REQUIRE_POSTGRES": "1",
        "CLIENT_ID": "other",
    }

    assert from_environment(environ) == {}
    assert variable_doubts(["ENV"], environ) == []


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("TARGET_DRIFTROCK_MAX_EVENT", "TARGET_DRIFTROCK_MAX_EVENTS"),
        ("TARGET_DRIFTROCK_CLIENTID", "TARGET_DRIFTROCK_CLIENT_ID"),
        ("TARGET_DRIFTROCK_max_events", "TARGET_DRIFTROCK_MAX_EVENTS"),
        ("TARGET_DRIFTROCK_OUTAGE_SECONDS", "TARGET_DRIFTROCK_MAX_OUTAGE_SECONDS"),
    ],
)
def test_variable_is_a_fault_when_it_almost_names_a_setting(variable: str, meant: str) -> None:
    """`MAX_EVENT` would send everything: what was meant is told, and its value is not."""
    environ = {variable: "CANARY"}

    with pytest.raises(SettingsInvalid) as raised:
        from_environment(environ)

    assert raised.value.faults == (f"{variable} is no setting's variable: did you mean {meant}?",)
    assert variable_doubts(["ENV"], environ) == []  # told already


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("TARGET_DRIFTROCK_PORT", "TARGET_DRIFTROCK_PORT is set, and has no effect: target-driftrock --about lists"),
        ("TARGET_DRIFTROCK_HARD_DELETE", "TARGET_DRIFTROCK_HARD_DELETE is set, and has no effect: an event is never"),
        ("TARGET_DRIFTROCK_A\nB", "'TARGET_DRIFTROCK_A\\nB' is set, and has no effect"),
    ],
    ids=["a container's", "the SDK's", "a line break in its name"],
)
def test_variable_is_doubted_when_it_names_no_setting(variable: str, told: str) -> None:
    """It looks like a setting and is none: nobody would notice that it says nothing."""
    environ = {variable: "CANARY"}

    (doubt,) = variable_doubts(["ENV"], environ)

    assert from_environment(environ) == {}
    assert doubt.startswith(told)
    assert "CANARY" not in doubt


def test_variables_count_when_meltano_hands_the_settings_over_in_a_file(tmp_path: Path) -> None:
    """Meltano passes on only what it knows: a variable that it does not know would be lost without a word."""
    (tmp_path / "a.json").write_text("{}")
    paths = [str(tmp_path / "a.json")]
    almost = {"TARGET_DRIFTROCK_MAX_EVENT": "1"}
    another = {"TARGET_DRIFTROCK_PORT": "1"}
    meltano = {"MELTANO_LOADER_NAME": "target-driftrock"}

    assert read_files(paths, almost) == {}
    assert variable_doubts(paths, another) == []
    assert len(variable_doubts(paths, another | meltano)) == 1
    with pytest.raises(SettingsInvalid, match="did you mean TARGET_DRIFTROCK_MAX_EVENTS"):
        read_files(paths, almost | meltano)


def test_variables_are_told_when_only_files_are_read(tmp_path: Path) -> None:
    """A limit that was exported and never read would send everything; what resembles no setting is another's."""
    environ = {
        "TARGET_DRIFTROCK_MAX_EVENTS": "1",
        "TARGET_DRIFTROCK_CLIENT_IDD": "CANARY",
        "TARGET_DRIFTROCK_API_KEY": "",
        "TARGET_DRIFTROCK_PORT": "1",
        "TARGET_DRIFTROCK_LOGLEVEL": "INFO",
        "TARGET_DRIFTROCK__SANDBOX_LEDGER": "x",
    }

    (doubt,) = variable_doubts(["a.json"], environ)

    assert doubt == (
        "TARGET_DRIFTROCK_CLIENT_IDD, TARGET_DRIFTROCK_MAX_EVENTS: set, and not read: "
        "add --config=ENV, which has variables count."
    )
    assert variable_doubts([], environ) == []  # the error says how to have them read


# What Meltano makes of an object.

MELTANO = {"MELTANO_LOADER_NAME": "target-driftrock"}
BY_KEYS = {
    "TARGET_DRIFTROCK_STREAM_MAP_CONFIG": '{"salt": "CANARY"}',
    "TARGET_DRIFTROCK_STREAM_MAP_CONFIG_SALT": "CANARY",
    "TARGET_DRIFTROCK_STREAM_MAPS": '{"a.b": "CANARY", "public?leads.__filter__": "CANARY"}',
    "TARGET_DRIFTROCK_STREAM_MAPS_A_B": "CANARY",
    "TARGET_DRIFTROCK_STREAM_MAPS_PUBLIC_LEADS___FILTER__": "CANARY",
}


def sources(tmp_path: Path) -> list[list[str]]:
    """`--config` of a run and of a command, as Meltano gives them."""
    (tmp_path / "run.json").write_text("{}")
    return [[str(tmp_path / "run.json")], ["ENV"]]


def test_no_variable_is_a_slip_when_meltano_made_it_of_an_object_s_key(tmp_path: Path) -> None:
    """It makes one of each key of an object in meltano.yml, beside that of the setting."""
    for paths in sources(tmp_path):
        read_files(paths, BY_KEYS | MELTANO)

        assert variable_doubts(paths, BY_KEYS | MELTANO) == []


@pytest.mark.parametrize("variable", ["TARGET_DRIFTROCK_STREAM_MAP_CONFIGS", "TARGET_DRIFTROCK_STREAM_MAP_CONFIG_S"])
def test_a_variable_is_a_slip_when_no_key_has_its_name(tmp_path: Path, variable: str) -> None:
    """Beside those that Meltano made."""
    for paths in sources(tmp_path):
        with pytest.raises(SettingsInvalid, match=f"^{variable} is no setting's variable"):
            read_files(paths, BY_KEYS | MELTANO | {variable: "CANARY"})


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        pytest.param(
            "stream_maps", '{"leads": {}, "public.leads": {"__filter__": "CANARY"}}', "public.leads", id="map"
        ),
        pytest.param("stream_maps", '{"public.leads": {}}', "public.leads", id="empty-map"),
        pytest.param("stream_maps", '{"public.leads": null}', "public.leads", id="stream-taken-away"),
        pytest.param("stream_maps", '{"leads.email": null}', "leads.email", id="property-taken-away-by-an-object"),
        pytest.param("stream_maps", '{"leads": {"utm.source": "CANARY"}}', "utm.source", id="property"),
        pytest.param("stream_maps", '{"a.\\nb": null}', r"'a.\nb'", id="a-line-break"),
        pytest.param("stream_map_config", '{"a.b": "CANARY"}', "a.b", id="configuration"),
        pytest.param("stream_map_config", '{"a": {"b": {"c.d": 1}}}', "c.d", id="deep"),
    ],
)
def test_a_key_with_a_dot_is_a_fault_when_meltano_keeps_it_back(tmp_path: Path, name: str, text: str, key: str) -> None:
    """A filter there, or a property taken away, would be gone without a word; a command says it as a run does."""
    environ = {f"TARGET_DRIFTROCK_{name.upper()}": text}

    assert read_files(["ENV"], environ).keys() == {name}  # without Meltano nothing is lost
    for paths in sources(tmp_path):
        with pytest.raises(SettingsInvalid) as raised:
            read_files(paths, environ | MELTANO)

        (fault,) = raised.value.faults
        assert fault.startswith(f"{name} has the key {key}, and Meltano hands on no key with a dot in it: ")
        assert "CANARY" not in fault


@pytest.mark.parametrize(
    "text", ["", "CANARY", "[]", "[" * 100_000, '{"leads": {"email": "a.b"}}', '{"leads": ["a.b", {"c.d": 1}]}']
)
def test_nothing_is_kept_back_when_no_key_has_a_dot(tmp_path: Path, text: str) -> None:
    """What a variable holds otherwise is for others to judge, and in a run for the file."""
    run, _ = sources(tmp_path)

    assert read_files(run, {"TARGET_DRIFTROCK_STREAM_MAPS": text} | MELTANO) == {}


@pytest.mark.parametrize("last", ["LEADS_EVENT_TYPE", "A_SKIP"])
def test_streams_are_an_object_when_meltano_made_variables_of_their_keys(tmp_path: Path, last: str) -> None:
    """Of the setting itself it makes none then: a command would say that it is missing."""
    environ = {f"TARGET_DRIFTROCK_STREAMS_{last}": "CANARY", "TARGET_DRIFTROCK_STREAMS_PUBLIC_LEADS_STREAM": "CANARY"}

    run, command = sources(tmp_path)

    assert read_files(run, environ | MELTANO) == {}  # there the file has them
    assert read_files(command, environ | MELTANO) == {"streams": {}}
    assert variable_doubts(run, environ | MELTANO) == variable_doubts(command, environ | MELTANO) == []


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_only_faults_are_raised_when_variables_hold_any_text(text: str) -> None:
    """Whatever the variables hold, the answer is settings or a list of faults."""
    names = ("MAX_EVENTS", "READ_TIMEOUT", "VALIDATE_RECORDS", "STREAMS", "STREAM_MAPS")

    with contextlib.suppress(SettingsInvalid):
        from_environment({f"TARGET_DRIFTROCK_{name}": text for name in names})


def test_later_file_wins_when_several_are_given(tmp_path: Path) -> None:
    """A file overrides those before it, but for its nulls; the environment overrides all, wherever it is named."""
    (tmp_path / "a.json").write_text('{"max_events": 1, "max_concurrency": 1, "batch_size_rows": 1}')
    (tmp_path / "b.json").write_text('{"max_events": 2, "max_concurrency": 2, "batch_size_rows": null}')
    paths = ["ENV", str(tmp_path / "a.json"), str(tmp_path / "b.json")]

    result = read_files(paths, {"TARGET_DRIFTROCK_MAX_EVENTS": "3"})

    assert result == {"max_events": 3, "max_concurrency": 2, "batch_size_rows": 1}


def test_a_schema_is_no_setting_when_a_file_names_one_for_its_editor(tmp_path: Path) -> None:
    """As JSON files do."""
    file = tmp_path / "settings.json"
    file.write_text('{"$schema": "settings.schema.json", "max_events": 1}')

    assert read_files([str(file)], {}) == {"max_events": 1}


def test_environment_is_left_alone_when_it_is_not_asked_for(tmp_path: Path) -> None:
    """Variables count only with `--config=ENV`."""
    (tmp_path / "a.json").write_text("{}")

    assert read_files([str(tmp_path / "a.json")], {"TARGET_DRIFTROCK_MAX_EVENTS": "3"}) == {}


def test_numbers_are_exact_when_a_file_holds_them(tmp_path: Path) -> None:
    """A constant that becomes part of an event is sent as it was written."""
    (tmp_path / "a.json").write_bytes(codecs.BOM_UTF8 + '{"a": 0.10, "b": 1, "c": "José"}'.encode())

    result = read_files([str(tmp_path / "a.json")], {})

    assert result == {"a": Decimal("0.10"), "b": 1, "c": "José"}
    assert str(result["a"]) == "0.10"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (
            b'{"client_secret":\n "CANARY" "CANARY"}',
            "is not JSON (line 2, column 11): mend it there; YAML is for meltano.yml alone.",
        ),
        (
            b'{"client_secret": "CANARY"',
            "is not JSON (line 1, column 27): mend it there; YAML is for meltano.yml alone.",
        ),
        (b"", "is not JSON (line 1, column 1): mend it there; YAML is for meltano.yml alone."),
        (b'{"a": "CANARY", "b": NaN}', "is not JSON (it has NaN or Infinity in it): mend it there."),
        (b'{"a": "CANARY\\ud800"}', "is not JSON (a text in it has half of a surrogate pair): mend it there."),
        ('{"a": "CANARY"}'.encode("utf-16"), "is not UTF-8: save it in that encoding."),
        (b'["CANARY"]', "must hold a JSON object, from the settings' names to their values."),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is nested more than 100 deep: mend it there."),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "is nested more than 100 deep: mend it there."),
        (b'{"a":' + b"9" * 1_000_000 + b"}", "has a number in it that is out of range: mend it there."),
        (b'{"a":1.' + b"9" * 1_000_000 + b"}", "has a number in it that is out of range: mend it there."),
        (b'{"a":1e99999999}', "has a number in it that is out of range: mend it there."),
        (b'{"a":1e9999999999999999999}', "has a number in it that is out of range: mend it there."),
        (b" " * (64 * 1024 * 1024 + 1), "is longer than 64 MiB: give a file of settings."),
    ],
    ids=[
        *("broken", "cut", "empty", "NaN", "surrogate", "UTF-16", "array", "bottomless", "deep", "digits", "fraction"),
        *("exponent", "exponent beyond all", "long"),
    ],
)
def test_it_is_said_where_a_file_is_wrong_when_it_is(tmp_path: Path, content: bytes, fault: str) -> None:
    """And nothing of its content; the exception that it came from is not carried along."""
    file = tmp_path / "config.json"
    file.write_bytes(content)

    with pytest.raises(SettingsInvalid) as raised:
        read_files([str(file)], {})

    assert raised.value.faults == (f"The file of --config {fault}",)


def test_every_file_is_told_when_several_cannot_be_read(tmp_path: Path) -> None:
    """All that is wrong is said at once, also of the environment."""
    with pytest.raises(SettingsInvalid) as raised:
        read_files([str(tmp_path / "missing.json"), str(tmp_path), "ENV"], {"TARGET_DRIFTROCK_MAX_EVENTS": "x"})

    assert raised.value.faults == (
        "File 1 of --config cannot be read: No such file or directory.",
        "File 2 of --config cannot be read: Is a directory.",
        "TARGET_DRIFTROCK_MAX_EVENTS must be a whole number.",
    )


@pytest.mark.parametrize("given", ['{"client_secret": "CANARY"}', '["CANARY"]', ' "CANARY"'])
def test_settings_are_not_printed_when_they_stand_in_place_of_a_file(given: str) -> None:
    """A configuration pasted behind `--config` is no file name that could be shown."""
    with pytest.raises(SettingsInvalid) as raised:
        read_files([given], {})

    assert raised.value.faults == ("--config takes the name of a file, or ENV: it was given the settings themselves.",)


def test_option_is_asked_for_when_there_is_none() -> None:
    """Without any source, the message says how to give one, not what is missing in it."""
    with pytest.raises(SettingsInvalid, match="give --config FILE, or --config=ENV"):
        read_files([], {})


LEVELS = {
    "debug": ({"root": {"level": "DEBUG"}}, {}, 1),
    "info": ({"root": {"level": "INFO"}}, {}, 0),
    "a variable": ({"root": {"level": "INFO"}}, {"MELTANO_CLI_LOG_LEVEL": "Debug"}, 1),
    "both": ({"root": {"level": "DEBUG"}}, {"MELTANO_CLI_LOG_LEVEL": "debug"}, 1),
    "another form": (["root"], {}, 0),
}


@pytest.mark.parametrize(("configuration", "variables", "times"), LEVELS.values(), ids=LEVELS)
def test_it_is_a_doubt_when_meltano_logs_every_record(
    tmp_path: Path, configuration: Any, variables: dict[str, str], times: int
) -> None:
    """It tells its plugins so in the file by which they are to set up their own logs."""
    file = tmp_path / "logging.json"
    file.write_text(json.dumps(configuration))
    environ = MELTANO | variables | {"SINGER_SDK_LOG_CONFIG": str(file)}

    doubts = variable_doubts(["config.json"], environ)

    assert [doubt.startswith("Meltano's log level is debug") for doubt in doubts] == [True] * times


@pytest.mark.parametrize("environ", [{}, MELTANO, MELTANO | {"SINGER_SDK_LOG_CONFIG": "/nonexistent"}])
def test_nothing_is_said_of_meltano_s_log_when_it_tells_nothing(environ: dict[str, str]) -> None:
    """Nor where its variable stands without it."""
    assert variable_doubts(["config.json"], environ) == []
    assert variable_doubts(["config.json"], {"MELTANO_CLI_LOG_LEVEL": "debug"}) == []
