"""The ways in which a run can fail, or go well, each with values that nobody may see."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from target_driftrock.sandbox.faults import Row, table
from tests.canaries.planting import PLANT
from tests.canaries.values import PERSONAL, SECRETS
from tests.program import Message, written
from tests.settings.configurations import configurations
from tests.stage import LEADS, record, schema, state
from tests.test_no_personal_data import Manners, answers, bad_lines, bad_records

CREDENTIALS = {name: SECRETS[name] for name in ("client_id", "client_secret")}
QUICKLY = {"max_outage_seconds": 0.5, "read_timeout": 0.3}
MAPPING = {**LEADS, "person_id": "{person}", "fields": "*"}
SCHEMA = schema(properties={"id": {"type": "integer"}, "few": {"enum": ["a", None]}, **{name: {} for name in PERSONAL}})
STATE = state(bookmark=PERSONAL["email"])


def person(number: int, **others: Any) -> Mapping[str, Any]:
    """A record with every value."""
    return record(number, **{**PERSONAL, **others})


TAP: tuple[Message, ...] = (SCHEMA, *(person(number) for number in (1, 2, 3)), person(4, few=PERSONAL["name"]), STATE)
"""Three that can be sent, and one that breaks its SCHEMA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the program. What it `prints` on purpose is not looked at; all else is."""

    command: tuple[str, ...] = ()
    lines: bytes = written(TAP)
    settings: Mapping[str, Any] | None = field(default_factory=dict)
    """None where there is no file of settings."""
    environ: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
    prints: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Runs one after the other, with one ledger and one API: the sandbox with these faults, or one that repeats all."""

    name: str
    runs: tuple[Run, ...] = (Run(),)
    faults: Mapping[str, Any] = field(default_factory=dict)
    manners: Manners | None = None
    ledger: Callable[[], AbstractContextManager[str]] | None = None
    """Where it lies, if not in a directory."""


def cases() -> Iterator[Case]:
    """All of them, with the ledger in a directory and values as values."""
    yield Case(name="all is well")
    yield from _faults()
    yield from _settings()
    yield from _filters()
    yield from _inputs()
    yield from _answers()
    yield from _logs()
    yield from _defects()
    yield from _commands()
    yield from _surroundings()


NEEDS: Mapping[str, Mapping[str, Any]] = {
    "slow_seconds": {"slow_share": 1},
    "retry_after": {"rate_limit": 1},
    "retry_after_seconds": {"rate_limit": 1, "retry_after": "seconds"},
    "error_status": {"error_share": 1},
    "error_retry_after": {"error_share": 1},
    "html_status": {"html": True},
    "gateway_status": {"gateway_share": 1},
    "refuse_status": {"refuse_sources": ["capture-1"]},
    "poison_mode": {"poison_marker": "canary"},
}
"""What a fault needs beside it. One that is not here is played alone."""


def _faults() -> Iterator[Case]:
    for row in table():
        for value in _values_of(row):
            yield Case(
                name=f"fault {row.name}={value}",
                faults={**NEEDS.get(row.name, {}), row.name: value},
            )


def _values_of(row: Row) -> list[Any]:
    known: Mapping[str, list[Any]] = {
        "seconds": [0.1],
        "share": [1.0],
        "number": [1],
        "true|false": [True],
        "status": [row.default],
        "name,name": [["capture-1"]],
        "text": ["canary"],
    }
    return known.get(row.takes) or row.takes.split("|")


_JUDGE = """
import json, os
from target_driftrock import redaction
from target_driftrock.cli import run
redaction.install(())
for number, row in enumerate(json.loads(os.environ.pop("ROWS"))):
    with open(f"tmp/{number}.json", "w") as file:
        json.dump(row["config"], file)
    before = dict(os.environ)
    os.environ |= row["environment"]
    code = run([f"--config=tmp/{number}.json"] if row["config"] is not None else ["--config=ENV"])
    os.environ.clear()
    os.environ.update(before)
    os.remove(f"tmp/{number}.json")
    if code != 2:
        print("A wrong setting was taken:", row["name"])
"""
"""All rows in one process."""


def _settings() -> Iterator[Case]:
    """Wrong in every way, each with one more that is wrong: a secret; and a secret behind each text."""
    rows = [row for row in configurations() if row["faults"]]
    mistyped = [{**row, "config": row["config"] and _with_secrets(row["config"])} for row in rows]
    yield Case(
        name="wrong settings", runs=(Run(before=_JUDGE, environ={"ROWS": json.dumps(mistyped)}, command=("report",)),)
    )


_WRITTEN_WRONG = ("name | date: %Q", "name | number: x", "name | lookup: x", "name, city", "name | nothing", "name'")


def _filters() -> Iterator[Case]:
    """Wrong ones, and right ones that can read none of the values."""
    wrong = {str(number): f"{{{inner}}}" for number, inner in enumerate(_WRITTEN_WRONG)}
    yield Case(name="filters that are none", runs=(Run(settings={"streams": [{**LEADS, "fields": wrong}]}),))
    reading = ("number", "date: %d.%m.%Y", "date: excel", "boolean", "phone: GB", "lookup: none", "json", "json: a.b")
    for filters in reading:
        for name in ("note", "email"):
            fields = {"a": f"{{{name} | {filters} | else}}", "b": f"No. {{{name} | trim | {filters}}}"}
            mapping = {**LEADS, "fields": fields, "tables": {"none": {"x": 1}}}
            yield Case(name=f"{name} by {filters}", runs=(Run(settings={"streams": [mapping]}),))
    asking = {**LEADS, "when": {"note | number": {">": 1}}}
    yield Case(name="a condition that cannot tell", runs=(Run(settings={"streams": [asking]}),))


def _with_secrets(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """What names a place on purpose stays: it is shown."""
    changed = {
        name: f"{value}{SECRETS['password']}"
        if isinstance(value, str) and name not in {"ledger", "environment"}
        else value
        for name, value in config.items()
    }
    return {**changed, "max_concurrency": SECRETS["token"]}


def _inputs() -> Iterator[Case]:
    for given in bad_lines():
        yield Case(name=f"line: {given.id}", runs=(Run(lines=written([*TAP, given.values[0]])),))
    for given in bad_records():
        message, settings, _ = given.values
        lines = written([SCHEMA, person(1), message, STATE])
        yield Case(name=f"record: {given.id}", runs=(Run(lines=lines, settings=settings),))
    twice = written([SCHEMA, person(1), person(1, email=PERSONAL["name"], person=None), STATE])
    yield Case(name="a collision", runs=(Run(lines=twice),))
    for name, line in (
        ("no key of a kept row", {**person(5), "driftrock_row": PERSONAL["name"]}),
        ("a number that is none", {"type": "STATE", "value": {PERSONAL["name"]: float("nan")}}),
        ("no properties", {**SCHEMA, "schema": {"properties": PERSONAL["name"]}}),
    ):
        yield Case(name=f"line: {name}", runs=(Run(lines=written([*TAP, line])),))
    changed = written([SCHEMA, person(1), person(1, city="elsewhere"), STATE])
    yield Case(name="a change", runs=(Run(lines=changed),))
    renamed = Run(settings={"streams": [{**MAPPING, "event_id": "{email}"}]})
    yield Case(name="a mended id", runs=(Run(), renamed))
    deleted = written([SCHEMA, person(1, _sdc_deleted_at=PERSONAL["name"])])
    yield Case(name="deletions alone", runs=(Run(lines=deleted),))
    yield Case(
        name="ten invalid ones", runs=(Run(lines=written([SCHEMA, *(person(each, few=4) for each in range(12))])),)
    )
    yield Case(name="too long a line", runs=(Run(lines=written(TAP) + PERSONAL["note"].encode() * 6000),))


def _answers() -> Iterator[Case]:
    for given in answers():
        patient = Run(settings={"max_outage_seconds": 9} if given.id == "a-web-page" else {})
        yield Case(name=f"answer: {given.id}", manners=given.values[0], runs=(patient,))
    later = {"token_down": True, "error_retry_after": "seconds", "retry_after_seconds": 100}
    yield Case(name="no token for long", faults=later)
    for status in (400, 403, 409, 422):
        many = written([SCHEMA, *(person(number) for number in range(12)), STATE])
        yield Case(name=f"twelve answers {status}", runs=(Run(lines=many),), manners=Manners(status=status))


REFUSING = {"refuse_share": 0.5}
LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", PERSONAL["name"])


def _logs() -> Iterator[Case]:
    """Every level in every form: a run in part of which events are refused, and one that has a defect."""
    for level in LEVELS:
        for form in ("", "structured"):
            environ = {"TARGET_DRIFTROCK_LOGLEVEL": level, "SINGER_SDK_LOG_CONFIG": form}
            runs = (Run(environ=environ), broken("records.tally:Tally.settle", **environ))
            yield Case(name=f"log {level} {form}", runs=runs, faults=REFUSING)


def _defects() -> Iterator[Case]:
    for place in (
        "mapping.stream:CompiledStream.choose",
        "records.validator:RecordValidator.fault",
        "delivery.transport:HttpTransport.post",
        "auth:DriftrockAuthenticator._request",
        "ledger.durable:DurableLedger.recall",
        "ledger.durable:DurableLedger.commit",
        "cli:run",
    ):
        yield Case(name=f"defect {place}", runs=(broken(place),))


def broken(place: str, **environ: str) -> Run:
    """A run whose function at `place` raises a text with all values."""
    value = "".join((*PERSONAL.values(), *SECRETS.values()))
    return Run(before=PLANT, environ={**environ, "PLACE": place, "TIMES": "1", "VALUE": value})


ERASING = ("rejects", "--delete", "--email", PERSONAL["email"])
COMMANDS = (
    Run(),
    Run(command=("check",), prints=True),
    Run(command=("preview",), prints=True),
    Run(command=("preview", "--table")),
    Run(command=("preview", "--html=/dev/null")),
    *(
        Run(command=command, lines=b"", prints=command in {("rejects",), ERASING})
        for command in (
            ("report",),
            ("report", "--json"),
            ("report", "--csv"),
            ("rejects",),
            ("rejects", "--table"),
            ("trace", "leads:1"),
            ERASING,
            ("rejects", "--changed", "--delete"),
            ("rejects", "--email", PERSONAL["email"]),
            ("rejects", "--delete"),
            ("rejects", "--delete", "--phone", "12"),
            (PERSONAL["email"],),
            ("--input", f"/nowhere/{SECRETS['token']}"),
        )
    ),
)
"""Each, after a run. What `rejects` and `preview` print are records."""


def _commands() -> Iterator[Case]:
    yield Case(name="commands", runs=COMMANDS, faults=REFUSING)


ILL: Mapping[str, Any] = {"error_share": 0.6, "latency": 0.05}
_KILLED = """
import os
from target_driftrock.records.door import Records
Records.conclude = lambda *_, **__: os._exit(4)
"""
_LOUD = """
import target_driftrock.delivery.door as delivery, target_driftrock.progress as progress
import target_driftrock.records.door as records
progress.BEAT_SECONDS = progress.LOG_SECONDS = progress.OUTAGE_SECONDS = 0.0
delivery.WAIT_SECONDS = records.WAIT_SECONDS = 0.02
"""
"""All that is told once in a while is told at once."""
_TOLD = """
import os, signal, threading
from target_driftrock.delivery.dispatcher import Dispatcher
was = Dispatcher._note_try
def note(*given):
    was(*given)
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGTERM)
Dispatcher._note_try = note
"""
"""Twice, while the first request is in flight."""
_HOOKS = f"""
import gc, threading, warnings
from target_driftrock.records.door import Records
value, was = {PERSONAL["email"]!r}, Records.conclude
warnings.simplefilter("always")
def fail():
    raise GeneratorExit(value)
class Odd:
    def __del__(self):
        fail()
def conclude(*given, **named):"""
_HOOK = "Records.conclude = conclude"
"""Beside the work, each in a way that Python itself would print."""


def _surroundings() -> Iterator[Case]:
    password = quote(SECRETS["password"], safe="")
    for name, settings, environ in (
        ("a proxy of another kind", {}, {"HTTPS_PROXY": f"ftp://u:{password}@127.0.0.1"}),
        ("no proxy there", {}, {"HTTPS_PROXY": f"http://u:{password}@127.0.0.1:1", "NO_PROXY": "a*b"}),
        ("no certificates", {}, {"SSL_CERT_FILE": f"/{SECRETS['token']}"}),
        ("no server", {"ledger": f"postgresql://u:{password}@127.0.0.1:1/d", "max_outage_seconds": 5}, {}),
        ("another database", {"ledger": f"mysql://u:{password}@127.0.0.1/d"}, {}),
        ("an odd option", {"ledger": f"postgresql://127.0.0.1:1/d?password={password}&x={password}"}, {}),
        ("our own option", {"ledger": f"postgresql://127.0.0.1:1/d?password={password}&application_name=a"}, {}),
        ("an option twice", {"ledger": f"postgresql://127.0.0.1:1/d?password={password}&password={password}"}, {}),
        ("our own setting", {"ledger": f"postgresql://u:{password}@127.0.0.1:1/d?options=-capplication_name%3Da"}, {}),
    ):
        elsewhere = {"environment": "production", "api_url": "https://driftrock.invalid"} if environ else {}
        yield Case(name=name, runs=(Run(settings={**settings, **elsewhere}, environ=environ),))
    wrong: tuple[tuple[str, dict[str, Any]], ...] = (
        ("a file above", {"ledger": "/dev/null/ledger"}),
        ("a folder for a file", {"ledger": "odd"}),
        ("the kernel's own files", {"ledger": "/proc/ledger"}),
        ("two that are not listed", {"streams": [{**MAPPING, "event_id": "{nothing}", "created_at": "{nowhere}"}]}),
        ("a mapping without records", {"streams": [MAPPING, {**MAPPING, "stream": "nobody"}]}),
    )
    for name, given in wrong:
        before = "import os; os.makedirs('odd/ledger.sqlite3', exist_ok=True)"
        yield Case(name=name, runs=(Run(settings=given, before=before),))
    by_key = {"client_id": None, "client_secret": None, "api_key": SECRETS["api_key"]}
    no_api = {"environment": "production", "api_url": "https://driftrock.invalid"}
    proxy = {"HTTPS_PROXY": f"http://u:{password}@127.0.0.1:1"}
    yield Case(name="no connection for events", runs=(Run(settings={**by_key, **no_api}, environ=proxy),))
    refused = Run(settings={**by_key, **no_api, "new_ledger": "refuse"})
    another = Run(settings={**by_key, **no_api, "max_outage_seconds": 1})
    yield Case(name="another API than before", runs=(Run(), refused, another))
    yield Case(name="a run that was killed", runs=(Run(before=_KILLED), Run()))
    yield Case(name="an outage that ends", runs=(Run(before=_LOUD, settings={"max_outage_seconds": 9}),), faults=ILL)
    slow = {"slow_share": 1, "slow_seconds": 20}
    yield Case(name="a signal", runs=(Run(before=_TOLD, settings={"read_timeout": 30}),), faults=slow)
    for what in ("warnings.warn(value)", "threading.Thread(target=fail).start()", "Odd()", "fail()"):
        yield Case(
            name=f"hook: {what}", runs=(Run(before=f"{_HOOKS}\n    {what}\n    return was(*given, **named)\n{_HOOK}"),)
        )
    yield Case(name="max_events", runs=(Run(settings={"max_events": 1, "batch_size_rows": 1}),))
    for name, text in (("without JSON", SECRETS["token"]), ("without an object", json.dumps([SECRETS["token"]]))):
        before = f"import pathlib; pathlib.Path('settings.json').write_text({text!r})"
        yield Case(
            name=f"a file {name}", runs=(Run(settings=None, before=before, command=("--config=settings.json",)),)
        )
    yield Case(name="a file not there", runs=(Run(settings=None, command=("--config=settings.json",)),))
    for name, text in (
        ("no JSON", f'{{"api_key": "{SECRETS["api_key"]}"'),
        ("no object", json.dumps([SECRETS["api_key"]])),
    ):
        yield Case(name=f"settings: {name}", runs=(Run(settings=None, command=("--config", text)),))
