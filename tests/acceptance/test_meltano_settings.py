"""Every setting through the real Meltano: what it hands on is what was said, by variable and by meltano.yml."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from target_driftrock.settings import TABLE, Settings, from_environment, parse, sdk_config
from target_driftrock.settings.sources import PREFIX, read_files
from tests.acceptance import meltano
from tests.sandbox.wire import Wire

pytestmark = [pytest.mark.acceptance, pytest.mark.meltano]
installed = pytest.mark.usefixtures("meltano_installed")

PLUGIN = "target-driftrock"
EVERY: Mapping[str, Any] = {
    "client_id": "id-1",
    "client_secret": "s3cret, with a comma: and a colon",
    "api_key": "key-1",
    "environment": "staging",
    "api_url": "https://api.example.com/base",
    "ledger": "postgresql://ada:pass%40word@db.example.com/leads?schema=crm&sslmode=require",
    "new_ledger": "refuse",
    "source_id": "0042",
    "streams": [
        {"stream": "public.leads", "event_type": "lead", "when": {"rank": [1, "2"]}, "fields": {"e.mail": "{a.b}"}},
        {
            "stream": "*",
            "skip": True,
            "when": {"n.m | number: comma": {">=": 1.5, "not": [None, "1"]}},
            "tables": {"a.b": {"yes": "x", "1.5": True, "*": None}},
        },
    ],
    "max_concurrency": 8,
    "max_events": 1_000_000,
    "max_events_per_second": 50,
    "read_timeout": 2.5,
    "max_outage_seconds": 0.25,
    "on_unknown": "hold",
    "on_changed": "send",
    "max_reject_percent": 100,
    "ledger_retention_days": 400,
    "batch_size_rows": 7,
    "validate_records": False,
    "stream_maps": {"leads": {"email": "email.lower() if email else None"}, "__else__": "__NULL__"},
    "stream_map_config": {"salt": "1.10", "rank": 3},
    "flattening_enabled": True,
    "flattening_max_depth": 2,
    "flattening_max_key_length": 60,
    "flattening_separator": "-",
}
"""None of them is its default."""

STUB = """#!{python}
import json, os, sys
from pathlib import Path
config = Path(sys.argv[-1].removeprefix("--config=")).read_text(encoding="utf-8")
told = {{"config": json.loads(config), "variables": dict(os.environ)}}
Path({file!r}).write_text(json.dumps(told), encoding="utf-8")
"""
"""In the target's place: it writes down what it is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the target is told: a run by a file, a command by variables."""

    by_file: Mapping[str, Any]
    by_variables: Mapping[str, Any]


def as_text(value: object) -> str:
    """A value as a person writes it into a variable."""
    return value if isinstance(value, str) else json.dumps(value)


def by_variable(project: meltano.Project) -> Mapping[str, str]:
    """Each setting by its variable."""
    return {f"{PREFIX}{name.upper()}": as_text(value) for name, value in EVERY.items()}


def by_yaml(project: meltano.Project) -> Mapping[str, str]:
    """Each setting in meltano.yml: an object as JSON in quotes, as docs/meltano.md says."""
    configure(project, {name: json.dumps(value) if isinstance(value, dict) else value for name, value in EVERY.items()})
    return {}


def configure(project: meltano.Project, config: Mapping[str, Any]) -> None:
    """Write the target's configuration into meltano.yml."""
    file = project.root / "meltano.yml"
    described = yaml.safe_load(file.read_text())
    (loader,) = [each for each in described["plugins"]["loaders"] if each["name"] == PLUGIN]
    loader["config"] = dict(config)
    file.write_text(yaml.safe_dump(described, sort_keys=False))


def told(project: meltano.Project, variables: Mapping[str, str]) -> Told:
    """What Meltano tells the target."""
    file, config = project.root / "told.json", project.root / "config.json"
    (project.root / PLUGIN).write_text(STUB.format(python=sys.executable, file=str(file)))
    project.run("invoke", PLUGIN, where=project.root, **variables)
    found = json.loads(file.read_text())
    config.write_text(json.dumps(found["config"]))
    return Told(by_file=read_files([str(config)], {}), by_variables=from_environment(found["variables"]))


def meant(given: Mapping[str, Any]) -> tuple[Settings, Mapping[str, Any]]:
    """What it means. An API key stands for itself, and not beside other credentials."""
    others = {name: value for name, value in given.items() if name != "api_key"}
    return parse(others, template_faults=lambda _: ()), sdk_config(others)


def test_every_setting_is_tried_when_there_is_a_new_one() -> None:
    """Each with a value that is not its default."""
    assert EVERY.keys() == {row.name for row in TABLE}
    assert [row.name for row in TABLE if row.default == EVERY[row.name]] == []


@installed
@pytest.mark.parametrize("say", [by_variable, by_yaml])
def test_every_setting_arrives_when_meltano_hands_it_on(
    tmp_path: Path, say: Callable[[meltano.Project], Mapping[str, str]]
) -> None:
    """A run and a command get what was said, whichever way Meltano writes it."""
    project = meltano.project(tmp_path / "project", Wire("http://127.0.0.1:1"))

    found = told(project, say(project))

    for given in (found.by_file, found.by_variables):
        assert given["api_key"] == EVERY["api_key"]
        assert meant(given) == meant(EVERY)


@installed
def test_no_setting_is_a_fault_when_meltano_hands_on_its_defaults(tmp_path: Path) -> None:
    """What meltano.yml declares as a default means what holds where nothing is said."""
    project = meltano.project(tmp_path / "project", Wire("http://127.0.0.1:1"))
    names = ("client_id", "client_secret", "environment", "ledger", "source_id", "streams")
    needed = {name: EVERY[name] for name in names}

    found = told(project, {f"{PREFIX}{name.upper()}": as_text(value) for name, value in needed.items()})

    assert meant(found.by_file) == meant(found.by_variables) == meant(needed)


DOLLARS = {
    "$PLACE": "Ulm",
    "${PLACE}": "Ulm",
    "${place}": "Bonn",
    "a $PLACE, b": "a Ulm, b",
    r"\$PLACE": "$PLACE",
    r"\${PLACE}": "${PLACE}",
    r"\${place}": "${place}",
    "[$ABSENT]": "[]",
    "[${absent}]": "[]",
    "$5": "$5",
    "$ {amount}": "$ {amount}",
    "$place": "$place",
    "{place}": "{place}",
    r"\$5": r"\$5",
    r"\$place": r"\$place",
}
"""What is written into meltano.yml, and what arrives."""


@installed
def test_a_dollar_sign_arrives_as_the_page_says_when_meltano_reads_it(tmp_path: Path) -> None:
    """Which are expanded, and which a backslash keeps: in a run as in a command."""
    project = meltano.project(tmp_path / "project", Wire("http://127.0.0.1:1"))
    fields = {str(number): written for number, written in enumerate(DOLLARS)}
    configure(project, {"streams": [{"stream": "leads", "fields": fields}]})

    found = told(project, {"PLACE": "Ulm", "place": "Bonn"})

    for given in (found.by_file, found.by_variables):
        assert dict(zip(DOLLARS, given["streams"][0]["fields"].values(), strict=True)) == DOLLARS
