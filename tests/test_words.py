"""Mistakes of a newcomer, and what is said of them: the exit code, and words from which to go on."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pytest

from target_driftrock.commands.check import findings, gravest
from target_driftrock.commands.preview import Preview
from target_driftrock.errors import ExitCode, SettingsInvalid
from tests.program import written
from tests.stage import LEADS, Stage, record, schema

PERSON = "ada@example.com"
LEAD = (schema(), record(1, email=PERSON))
FORGED = "a\nERROR all is lost"


def mapped(**attributes: Any) -> list[dict[str, Any]]:
    """The mapping of leads, but for what is given."""
    return [{**LEADS, **attributes}]


def of(**values: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A SCHEMA of an integer `id` and of texts, and a record of these."""
    properties = {"id": {"type": "integer"}, **{name: {"type": ["null", "string"]} for name in values}}
    return schema(properties=properties), record(1, **values)


class Mistake(NamedTuple):
    """What a tap says under which settings, what that ends with, and what is said."""

    messages: tuple[dict[str, Any], ...]
    settings: dict[str, Any]
    code: ExitCode
    told: str


MISTAKES: Mapping[str, Mistake] = {
    "a column of Excel's CSV begins with a byte order mark": Mistake(
        of(**{"\ufeffEmail": PERSON}),
        {"streams": mapped(fields={"email": "{Email}"})},
        ExitCode.SETTINGS,
        r"'\ufeffEmail', which begins with a byte order mark (U+FEFF): have the tap leave that out, or write",
    ),
    "a template is written as in dbt": Mistake(
        LEAD,
        {"streams": mapped(fields={"email": "{{ email }}"})},
        ExitCode.SETTINGS,
        "fields.email, stream leads: {{ email }} is not how a template names a property: write {email}.",
    ),
    "a template is written as in a shell": Mistake(
        LEAD,
        {"streams": mapped(event_id="lead:$id")},
        ExitCode.SETTINGS,
        "the same for every record, since $id is not how a template names a property: write {id}.",
    ),
    "the tap flattens what the template takes for a path": Mistake(
        of(contact_email=PERSON, contact_name="Ada"),
        {"streams": mapped(fields={"email": "{contact.email}"})},
        ExitCode.SETTINGS,
        "contact.email is not listed in the SCHEMA; the nearest is contact_email.",
    ),
    "a name in a stream map is misspelt": Mistake(
        (schema(properties={"id": {"type": "integer"}, "amount": {"type": "number"}}), record(1, amount=5)),
        {"stream_maps": {"leads": {"v": "float(amont)"}}},
        ExitCode.SETTINGS,
        "stream_maps.leads.v, stream leads: amont is not listed in the SCHEMA; the nearest is amount.",
    ),
    "a filter is written as in SQL": Mistake(
        LEAD,
        {"stream_maps": {"leads": {"__filter__": "id > 0 AND email"}}},
        ExitCode.SETTINGS,
        "stream_maps.leads.__filter__: the expression has a syntax error: an expression is written as in Python",
    ),
    "a text in a stream map has no quotes of its own": Mistake(
        LEAD,
        {"stream_maps": {"leads": {"source": "website"}}},
        ExitCode.SETTINGS,
        "source, stream leads: website is not listed in the SCHEMA; a text stands in quotes of its own, \"'website'\".",
    ),
    "streams is an object": Mistake(
        LEAD,
        {"streams": {"leads": {"event_type": "lead", "fields": "*"}}},
        ExitCode.SETTINGS,
        'It must be an array, of which each item names its stream: [{"stream": "leads", ',
    ),
    "two columns would have one name once they are flattened": Mistake(
        (schema(properties={"a__b": {}, "a": {"type": "object", "properties": {"b": {}}}}),),
        {"flattening_enabled": True, "flattening_max_depth": 1},
        ExitCode.SETTINGS,
        "flattening_enabled: stream leads cannot be flattened: two of its properties would be called a__b; choose",
    ),
    "the tap was filtered, and its SCHEMA is gone": Mistake(
        (record(1, "orders\n"),),
        {},
        ExitCode.INPUT,
        r"Line 1: a RECORD of stream 'orders\n' came before any SCHEMA of it. Mend the tap, then run again.",
    ),
    "the stream's name is in another case": Mistake(
        (schema("Leads"),),
        {},
        ExitCode.SETTINGS,
        "streams: no mapping names the stream Leads; the nearest is leads: upper and lower case count. Map it, or set",
    ),
}

mistakes = pytest.mark.parametrize(
    "mistake", [pytest.param(mistake, id=name.replace(" ", "-")) for name, mistake in MISTAKES.items()]
)


@mistakes
def test_a_newcomer_can_go_on_when_a_mistake_is_made(mistake: Mistake, stage: Stage) -> None:
    """The run ends before anything is sent; its last line says what is wrong, and what is right."""
    code, output = typed(stage, stage.config(**mistake.settings), messages=mistake.messages)

    assert code == mistake.code
    assert mistake.told in output.splitlines()[-1]
    assert PERSON not in output
    assert stage.accepted() == []


@mistakes
@pytest.mark.parametrize("look", ["check", "preview"])
def test_whoever_looks_first_is_told_the_same_when_a_mistake_is_made(mistake: Mistake, look: str, stage: Stage) -> None:
    """Before the first run, by either command."""
    code, lines = (checked if look == "check" else previewed)(stage, mistake)

    assert code == mistake.code
    assert any(line.startswith("error: ") and mistake.told in line for line in lines)


def checked(stage: Stage, mistake: Mistake) -> tuple[int, list[str]]:
    """What `check` ends with, and its lines."""
    source = io.BytesIO(written(mistake.messages))
    found = list(findings(lambda: stage.target(**mistake.settings), source, has_input=True))
    return gravest(found), [finding.line for finding in found]


def previewed(stage: Stage, mistake: Mistake) -> tuple[int, list[str]]:
    """What `preview` ends with, and its lines on standard error."""
    try:
        preview = Preview(stage.target(**mistake.settings), write=lambda _: None)
    except SettingsInvalid as invalid:  # before a line is read
        return invalid.exit_code, [f"error: {fault}" for fault in invalid.faults]
    preview.read(io.BytesIO(written(mistake.messages)))
    return preview.exit_code, list(preview.summary())


@pytest.mark.parametrize("command", [(), ("check",), ("preview",)], ids=["a run", "check", "preview"])
def test_a_newcomer_can_go_on_when_a_variable_is_misspelt(command: tuple[str, ...], stage: Stage) -> None:
    """`MAX_EVENT` sent everything."""
    code, output = typed(stage, *command, "--config=ENV", environ=variables(stage, TARGET_DRIFTROCK_MAX_EVENT="1"))

    told = "TARGET_DRIFTROCK_MAX_EVENT is no setting's variable: did you mean TARGET_DRIFTROCK_MAX_EVENTS?"
    assert f"error: {told}" in output.splitlines()
    assert code == ExitCode.SETTINGS
    assert stage.accepted() == []


@pytest.mark.parametrize(
    ("command", "told"),
    [
        pytest.param((), "WARNING TARGET_DRIFTROCK_PORT is set, and has no effect", id="a run"),
        pytest.param(("check",), "warning: TARGET_DRIFTROCK_PORT is set, and has no effect", id="check"),
    ],
)
def test_a_variable_is_told_of_when_it_is_no_setting_s(command: tuple[str, ...], told: str, stage: Stage) -> None:
    """It stops nothing."""
    code, output = typed(stage, *command, "--config=ENV", environ=variables(stage, TARGET_DRIFTROCK_PORT="80"))

    assert told in output
    assert code == ExitCode.RESOLVED


def variables(stage: Stage, **others: str) -> dict[str, str]:
    """The settings of a stage as environment variables, and others beside."""
    settings = {
        f"TARGET_DRIFTROCK_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in stage.settings().items()
    }
    return settings | others


def typed(
    stage: Stage,
    *options: str,
    messages: Iterable[Mapping[str, Any]] = LEAD,
    environ: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """What the program ends with, and all that it prints, standard error last."""
    ended = stage.finished(*options, given=written(messages), **environ or {})
    return ended.code, ended.out + ended.err


# What is no mistake.


def test_the_lead_arrives_when_a_property_has_choices_and_no_type(stage: Stage) -> None:
    """The SDK cannot flatten such a SCHEMA, and the run was blamed on stream maps, of which there were none."""
    properties = {"id": {"type": "integer"}, "stage": {"enum": ["open", "won"]}, "c": {"anyOf": [{"type": "null"}, {}]}}

    done = stage.run(
        schema(properties=properties),
        record(1, stage="won", c="x"),
        flattening_enabled=True,
        flattening_max_depth=2,
    )

    assert done.fields == [{"id": 1, "stage": "won", "c": "x"}]
    assert "stream_maps" not in done.log


@pytest.mark.parametrize("maps", [{"visits": None}, {"v*": "__NULL__"}, {"leads": {}, "__else__": None}])
def test_a_stream_is_filtered_when_a_map_takes_it_away(maps: dict[str, Any], stage: Stage) -> None:
    """Nobody has to map it in `streams`, and whatever its records hold, they are filtered."""
    odd = b'{"type": "RECORD", "stream": "visits", "record": {"id": NaN}}\n'

    done = stage.run(schema("visits"), schema(), record(1, "visits"), odd, record(1, email=PERSON), stream_maps=maps)

    assert done.code == ExitCode.RESOLVED
    assert [fields["email"] for fields in done.fields] == [PERSON]
    assert stage.kept() == []
    assert "Records: 3 read = 1 mapped + 0 invalid + 2 filtered + 0 unmapped." in done.log


def test_a_copy_stays_when_its_stream_is_taken_away(stage: Stage) -> None:
    """The map that takes the stream away takes no more than that."""
    maps = {"visits": None, "leads": {"__source__": "visits"}}

    done = stage.run(schema("visits"), record(1, "visits", email=PERSON), stream_maps=maps)

    assert [event["event_id"] for event in done.events] == ["leads:1"]


def test_the_record_is_invalid_by_property_and_kind_when_a_map_fails_on_it(stage: Stage) -> None:
    """No value is in the reason, and no expression."""
    maps = {"leads": {"email": "email.lower()"}}

    done = stage.run(schema(), record(1, email=None), record(2, email="ADA@example.com"), stream_maps=maps)

    assert [fields["email"] for fields in done.fields] == [PERSON]
    assert [reason for _, reason, _ in stage.kept()] == ["stream map of email: AttributeDoesNotExist"]


def test_no_name_begins_a_line_when_it_holds_a_line_break(stage: Stage) -> None:
    """Of a stream, of a property, of a mapping and of a field: each is shown as what it is."""
    listed = {"id": {"type": "integer"}, FORGED: {"type": "string"}}
    streams = [{**LEADS, "stream": "*", "fields": {FORGED: f"{{{FORGED}}}"}}]

    done = stage.run(schema(FORGED, properties=listed), record(1, FORGED, **{FORGED: 3}), streams=streams)

    assert r"stream 'a\nERROR all is lost'" in done.log
    assert r"schema: /'a\nERROR all is lost': type" in done.log
    assert not any(line.startswith("ERROR all") for line in done.log.splitlines())


def test_several_faults_are_a_line_each_when_a_schema_shows_them(stage: Stage) -> None:
    """The last one has the exit code."""
    done = stage.run(schema(), streams=mapped(fields={"a": "{mail}", "b": "{phone}"}))

    errors = [line for line in done.log.splitlines() if line.startswith("ERROR ")]
    assert [line.partition(" is not listed")[0].rpartition(" ")[2] for line in errors] == ["mail", "phone"]
    assert errors[-1].endswith("(exit 2)")


def test_a_new_ledger_is_no_warning_when_it_is_the_first_run(stage: Stage) -> None:
    """One sentence says what follows of it."""
    done = stage.run(*LEAD)

    assert "INFO The ledger is new: it knows of no delivery, so whatever comes is sent." in done.log
    assert "WARNING" not in done.log
