"""Values of records and secrets, driven through the ways that a run can fail, at the most talkative level.

Every other test of this folder looks for them too: see `process.Command`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.acceptance.process import CANARY, SCHEMA, Command, leads, record, settings, state
from tests.program import sandbox, written
from tests.sandbox.wire import Wire

pytestmark = pytest.mark.acceptance

MAPPED = {"stream": "leads", "event_type": "lead", "fields": "*"}
NULLABLE = {"id": {"type": "integer"}, "email": {"type": ["string", "null"]}, "name": {"type": ["string", "null"]}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A way for values to come near the log. `told` is a part of what is said instead."""

    told: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[str, Any] = field(default_factory=dict)
    tap: bytes = written(leads([1, 2, 3]))


CASES = {
    "a-type-is-wrong": Case(told="schema: /email: type", tap=written([SCHEMA, record(1, email=[CANARY])])),
    "a-property-is-not-listed": Case(
        told="1 delivered", changes={"streams": [MAPPED]}, tap=written([SCHEMA, record(1, **{CANARY: CANARY})])
    ),
    "a-key-is-missing": Case(
        told="event_id is null (key property id)",
        tap=written([SCHEMA, {"type": "RECORD", "stream": "leads", "record": {"email": CANARY}}]),
        changes={"streams": [MAPPED]},
    ),
    "a-stream-map-fails-on-a-null": Case(
        told="stream map of email: AttributeError",
        changes={"stream_maps": {"leads": {"email": "sha256(email)"}}},
        tap=written([{**SCHEMA, "schema": {"properties": NULLABLE}}, record(1, email=None)]),
    ),
    "a-stream-map-fails-on-a-text": Case(
        told="stream map of phone: ValueError",
        changes={"stream_maps": {"leads": {"phone": "int(name)"}}},
    ),
    "a-stream-map-is-no-expression": Case(
        told="stream_maps.leads.phone: the expression has a syntax error",
        changes={"stream_maps": {"leads": {"phone": f"({CANARY}"}}},
    ),
    "a-stream-map-is-no-rule": Case(told="stream_maps.leads must be", changes={"stream_maps": {"leads": CANARY}}),
    "a-number-is-none": Case(told="NaN", tap=written([SCHEMA, record(1, id=float("nan"))])),
    "a-text-is-none": Case(told="surrogate", tap=written([SCHEMA, record(1, name=f"{CANARY}\ud800")])),
    "a-date-is-none": Case(told="created_at is not a time", changes={"streams": [{**MAPPED, "created_at": "{name}"}]}),
    "an-id-is-another-person-s": Case(
        told="another person's event", tap=written([SCHEMA, record(1), record(1, email=f"{CANARY}@example.org")])
    ),
    "a-lead-has-changed": Case(
        told="changed after delivery", tap=written([SCHEMA, record(1), record(1, name=f"{CANARY} Lovelace")])
    ),
    "nobody-is-named": Case(
        told="set on_changed",
        changes={"streams": [{**MAPPED, "fields": {"name": "{name}"}}]},
        tap=written([SCHEMA, record(1), record(1, name=f"{CANARY} Lovelace")]),
    ),
    "a-cell-of-an-id-is-blank": Case(
        told="event_id is empty",
        changes={"streams": [{**MAPPED, "event_id": "{email}:{name}"}]},
        tap=written([SCHEMA, record(1, name=" ")]),
    ),
    "an-event-type-is-none": Case(told="event_type", changes={"streams": [{**MAPPED, "event_type": "{name}"}]}),
    "the-api-refuses-a-capture-out-of-a-record": Case(
        told="source_id", changes={"streams": [{**MAPPED, "source_id": "{name}"}]}, faults={"refuse_share": 1}
    ),
    "the-connection-is-reset": Case(
        told="exit 4", faults={"reset_before_share": 1}, changes={"max_outage_seconds": 0.2}
    ),
    "the-answer-never-comes": Case(
        told="exit 4", faults={"silent_share": 1}, changes={"max_outage_seconds": 0.2, "read_timeout": 0.2}
    ),
    "a-line-is-no-message": Case(told="no Singer message", tap=written([{"type": CANARY}])),
    "a-line-has-no-stream": Case(told="Line 1", tap=written([{"type": "RECORD", "record": {"email": CANARY}}])),
    "a-line-is-not-utf-8": Case(told="not UTF-8", tap=written([SCHEMA]) + CANARY.encode() + b"\xff\n"),
    "a-schema-is-wrong": Case(told="SCHEMA", tap=written([{**SCHEMA, "schema": {"properties": CANARY}}, record(1)])),
    "a-state-is-none": Case(told="STATE", tap=written([SCHEMA, {"type": "STATE", "value": CANARY}])),
    "settings-are-values": Case(
        told="error", changes={"environment": CANARY, "max_events": CANARY, "source_id": [CANARY]}
    ),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_no_value_is_printed_when_something_goes_wrong(case: Case, command: Command, double: Wire) -> None:
    """Neither on standard output nor on standard error, at level DEBUG; what is printed says what is wrong."""
    double.post("/_sandbox/faults", case.faults)

    ended = command.run("--config", command.config(settings(double.url, **case.changes)), tap=case.tap)

    assert case.told in ended.err


def test_no_secret_is_printed_when_credentials_are_refused(command: Command) -> None:
    """Neither by a run nor by `check`."""
    with sandbox("--client-id", "another", "--client-secret", "another") as wire:
        config = command.config(settings(wire.url))
        run = command.run("--config", config, tap=written(leads([1])))
        check = command.run("check", "--config", config)

    assert (run.code, check.code) == (3, 3)


def test_no_value_is_on_standard_error_when_an_input_is_previewed(command: Command) -> None:
    """Standard output holds the events, which is what it is for; the summary beside it holds none."""
    tap = written([SCHEMA, record(1), record(2, email=7), state(2)]) + CANARY.encode()
    with sandbox() as wire:
        config = command.config(settings(wire.url))
        ended = command.run("preview", "--config", config, tap=tap)

    assert CANARY in ended.out
    assert ended.code == 5


def test_no_value_is_printed_when_settings_stand_on_the_command_line(command: Command) -> None:
    """Settings in the place of a command or of a file are not repeated."""
    text = json.dumps({"client_secret": CANARY})

    assert [command.run(*arguments).code for arguments in ((text,), ("--config", text))] == [2, 2]
