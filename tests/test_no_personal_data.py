"""Values that must never be seen, driven through every way in which a run can fail, at the level DEBUG."""

from __future__ import annotations

import base64
import json
import signal
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

import pytest

from target_driftrock.settings.table import TABLE
from tests.program import Ended, written
from tests.sandbox.wire import Wire
from tests.stage import LEADS, Stage, record, schema, staged, state
from tests.warm import Warm, warmed

pytestmark = pytest.mark.usefixtures("nothing_left")

CANARY = "CANARY"
PERSON = "CANARY-person@example.com"
SECRET = "CANARY-secret"
KEY = "CANARY-key"
TOKEN = "CANARY-token"
BASIC = base64.b64encode(f"an-id:{SECRET}".encode()).decode()
UNSEEN = (CANARY, BASIC, BASIC.rstrip("="))

CREDENTIALS = {"client_id": "an-id", "client_secret": SECRET}
QUICKLY = {"max_outage_seconds": 0.5, "read_timeout": 0.3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How a server answers. It says back whatever it was told, in header and body alike."""

    token_status: int = 200
    token: Mapping[str, Any] = field(default_factory=lambda: {"access_token": TOKEN})
    status: int = 201
    before: bytes = b""
    """What its answers to events begin with."""


class Finished(Protocol):
    """Do the whole of a run."""

    def __call__(self, lines: bytes, *options: str, before: str = ..., **environ: str) -> Ended:
        """Give exit code, standard output and standard error."""


class Echo(BaseHTTPRequestHandler):
    """A server that repeats what it hears."""

    def __init__(self, manners: Manners, *connection: Any) -> None:
        self._manners = manners
        super().__init__(*connection)

    def do_POST(self) -> None:
        """Answer a token request or an event."""
        heard = self.rfile.read(int(self.headers["Content-Length"])) + self.headers["Authorization"].encode()
        if self.path != "/oauth2/token":
            self._answer(self._manners.status, self._manners.before + heard)
        elif self._manners.token_status == 200:
            self._answer(200, json.dumps(self._manners.token).encode())
        else:
            self._answer(self._manners.token_status, heard)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status, f"{CANARY} {SECRET}")
        for name, value in {"Retry-After": CANARY, "Location": f"/{PERSON}", "Set-Cookie": f"a={TOKEN}"}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def echoing(manners: Manners) -> Iterator[str]:
    """The address of a server with these manners."""
    with HTTPServer(("127.0.0.1", 0), partial(Echo, manners)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """What becomes the program, again and again."""
    with warmed(tmp_path_factory.mktemp("warm")) as warm:
        yield warm


@pytest.fixture
def finished(warm: Warm, tmp_path: Path) -> Finished:
    """Runs of the program at the level DEBUG."""

    def finish(lines: bytes, *options: str, before: str = "", **environ: str) -> Ended:
        everything = {"HOME": "/nonexistent", "LOGLEVEL": "DEBUG", **environ}
        return warm.run(*options, lines=lines, folder=tmp_path, environ=everything, before=before)

    return finish


def assert_unseen(out: str, err: str, *, states: tuple[str, ...] = ()) -> None:
    """Nothing but STATE is on standard output, and no canary on standard error, however it is written."""
    assert not set(out.splitlines()) - set(states)
    assert not [line for line in err.splitlines() for each in UNSEEN if each in line]


LINE = b'{"type": "RECORD", "stream": "leads", "record": {"id": 1, "email": "CANARY-person@example.com"'
PROPERTIES = {
    "id": {"type": "integer"},
    "email": {"type": ["string", "null"]},
    "at": {},
    "few": {"enum": ["a", None]},
    "short": {"type": "string", "maxLength": 3},
    "like": {"type": "string", "pattern": "^a$"},
    "below": {"type": "object", "additionalProperties": {"type": "integer"}},
}
SCHEMA = schema(properties=PROPERTIES)
PEOPLE = [SCHEMA, *(record(number, email=PERSON) for number in range(1, 4))]
STATE = state(bookmark=PERSON)


def bad_lines() -> Iterator[Any]:
    """Inputs that end a run, and what is said of them."""
    lead = b'{"type": "RECORD", "stream": "leads", "record": '
    for name, line, said in (
        ("malformed", LINE + b"]}\n", "is not JSON"),
        ("cut-off", LINE, "ends inside line 2"),
        ("no-object", b'"CANARY"\n', "no JSON object"),
        ("another-type", b'{"type": "CANARY"}\n', "`type` is none of"),
        ("no-stream", b'{"type": "RECORD", "record": {"email": "CANARY"}}\n', "is no RECORD message"),
        ("a-record-that-is-none", lead + b'"CANARY"}\n', "is no RECORD message"),
        ("a-schema-that-is-none", b'{"type": "SCHEMA", "stream": "leads", "schema": "CANARY"}\n', "no SCHEMA message"),
        ("a-state-that-is-none", b'{"type": "STATE", "value": "CANARY"}\n', "must be an object"),
        ("another-encoding", lead + b'{"email": "CANARY\xff"}}\n', "is not UTF-8"),
        ("too-deep", lead + b'{"a": ' + b'["CANARY",' * 5000 + b"1" + b"]" * 5000 + b"}}\n", "nested too deeply"),
        ("a-batch", b'{"type": "BATCH", "stream": "leads", "manifest": ["CANARY"]}\n', "BATCH"),
        ("no-schema", b'{"type": "RECORD", "stream": "s", "record": {"a": "CANARY"}}\n', "before any SCHEMA"),
    ):
        yield pytest.param(line, said, id=name)


@pytest.mark.parametrize(("line", "said"), list(bad_lines()))
def test_nothing_personal_is_printed_when_a_line_is_bad(
    line: bytes, said: str, stage: Stage, finished: Finished
) -> None:
    """The run says which line, and what is wrong with it."""
    code, out, err = finished(written([SCHEMA, line]), stage.config())

    assert code == 5
    assert said in err
    assert_unseen(out, err)


def bad_records() -> Iterator[Any]:
    """Records that cannot be sent, settings beside, and the rule that is told."""
    lead = '{"type": "RECORD", "stream": "leads", "record": {"id": 1, "email": "CANARY", "more": %s}}\n'
    broken = {"leads": {"made": "int(email)"}}
    for name, message, settings, said in (
        ("against-a-type", record(1, email=[PERSON]), {}, "schema: /email: type"),
        ("against-a-choice", record(1, few=PERSON), {}, "schema: /few: enum"),
        ("against-a-length", record(1, short=PERSON), {}, "schema: /short: maxLength"),
        ("against-a-pattern", record(1, like=PERSON), {}, "schema: /like: pattern"),
        ("under-an-unlisted-name", record(1, below={PERSON: PERSON}), {}, "schema: /below/*: type"),
        ("not-a-number", (lead % "NaN").encode(), {}, "NaN or Infinity"),
        ("half-a-character", (lead % '"CANARY\\ud800"').encode(), {}, "a lone surrogate"),
        ("out-of-range", (lead % "1e9999999999999999999").encode(), {}, "a number out of range"),
        ("a-failing-stream-map", record(1, email=PERSON), {"stream_maps": broken}, "stream map of made: ValueError"),
        ("no-key", {"type": "RECORD", "stream": "leads", "record": {"email": PERSON}}, {}, "key property id"),
        ("no-event-id", record(1, email=None, at=PERSON), {"streams": [{**LEADS, "event_id": "{email}"}]}, "event_id"),
        ("no-time", record(1, at=PERSON), {"streams": [{**LEADS, "created_at": "{at}"}]}, "created_at"),
        ("no-event-type", record(1, at=PERSON), {"streams": [{**LEADS, "event_type": "{at}"}]}, "event_type"),
        ("no-object", record(1, at=PERSON), {"streams": [{**LEADS, "metadata": "{at}"}]}, "metadata"),
    ):
        yield pytest.param(message, settings, said, id=name)


@pytest.mark.parametrize(("message", "settings", "said"), list(bad_records()))
def test_nothing_personal_is_printed_when_a_record_is_invalid(
    message: dict[str, Any] | bytes, settings: dict[str, Any], said: str, stage: Stage, finished: Finished
) -> None:
    """The receipt says which rule it breaks; STATE, whose bytes are the tap's, passes it."""
    given = json.dumps(STATE["value"])

    code, out, err = finished(written([SCHEMA, message, STATE]), stage.config(**settings))

    assert code == 6
    assert out == given + "\n"
    assert "1 invalid" in err
    assert said in err
    assert_unseen(out, err, states=(given,))


SIGNED = {**LEADS, "event_name": "Signed up", "fields": {"email": "{email}", "few": "{few}"}}
NAMELESS = {**LEADS, "fields": {"at": "{at}"}}


@pytest.mark.parametrize(
    ("before", "after", "message", "code", "said"),
    [
        pytest.param(SIGNED, SIGNED, record(1, email=f"other-{PERSON}"), 6, "another person's", id="a-collision"),
        pytest.param(SIGNED, SIGNED, record(1, email=PERSON, few="a"), 0, "changed after delivery", id="a-change"),
        pytest.param(NAMELESS, NAMELESS, record(1, at=SECRET), 6, "set on_changed", id="an-undecided-one"),
        pytest.param(
            {**LEADS, "event_id": "{email}"},
            {**LEADS, "event_id": "{id}:{email}"},
            record(1, email=PERSON),
            2,
            "formerly",
            id="a-mended-id",
        ),
        pytest.param(
            SIGNED, {**SIGNED, "event_name": "{email}"}, record(1, email=PERSON), 2, "formerly", id="a-name-that-is-one"
        ),
    ],
)
def test_nothing_personal_is_printed_when_an_identity_is_in_doubt(
    before: dict[str, Any],
    after: dict[str, Any],
    message: dict[str, Any],
    *,
    code: int,
    said: str,
    stage: Stage,
    finished: Finished,
) -> None:
    """Who is taken for whom is told by mappings and counts; the rows themselves are for `rejects` alone."""
    finished(written([SCHEMA, record(1, email=PERSON, at=PERSON)]), stage.config(streams=[before]))

    ended, out, err = finished(written([SCHEMA, message]), stage.config(streams=[after]))

    assert ended == code
    assert said in err
    assert_unseen(out, err)


def answers() -> Iterator[Any]:
    """How a server that repeats all it hears ends a run, and what is said of it."""
    for status, code, said in (
        (400, 6, "status 400"),
        (401, 4, "status 401"),
        (402, 4, "status 402"),
        (403, 3, "status 403"),
        (404, 3, "status 404"),
        (302, 3, "status 302"),
        (409, 6, "status 409"),
        (422, 6, "status 422"),
        (429, 4, "status 429"),
        (500, 4, "status 500"),
        (503, 4, "status 503"),
    ):
        yield pytest.param(Manners(status=status), code, said, id=str(status))
    yield pytest.param(Manners(status=200, before=b"<p>"), 3, "a web page", id="a-web-page")
    for status, code, said in ((400, 4, "status 400"), (401, 4, "status 401"), (500, 4, "status 500")):
        yield pytest.param(Manners(token_status=status), code, said, id=f"token-{status}")
    yield pytest.param(Manners(token={CANARY: SECRET}), 4, "without an access token", id="no-token")
    for name, token, said in (
        ("odd-token", {"access_token": f"{SECRET}\r\nX: y"}, "no header can carry"),
        ("odd-type", {"access_token": TOKEN, "token_type": SECRET}, "token_type"),
    ):
        yield pytest.param(Manners(token=token), 3, said, id=name)


@pytest.mark.parametrize(("manners", "code", "said"), list(answers()))
def test_nothing_personal_is_printed_when_the_api_repeats_what_it_was_told(
    manners: Manners, code: int, said: str, tmp_path: Path, finished: Finished
) -> None:
    """Bodies, headers and reasons of answers are nobody's business: statuses are told."""
    with echoing(manners) as url:
        stage = Stage(wire=Wire(url), folder=tmp_path)
        ended, out, err = finished(written(PEOPLE), stage.config(**CREDENTIALS, **QUICKLY))

    assert ended == code
    assert said in err
    assert_unseen(out, err)


def test_nothing_secret_is_printed_when_an_api_key_is_refused(tmp_path: Path, finished: Finished) -> None:
    """The key is named by its setting."""
    with echoing(Manners(status=401)) as url:
        stage = Stage(wire=Wire(url), folder=tmp_path)
        code, out, err = finished(written(PEOPLE), stage.config(api_key=KEY, **QUICKLY))

    assert code == 3
    assert "api_key" in err
    assert_unseen(out, err)


@pytest.mark.parametrize(
    ("faults", "settings", "code"),
    [
        pytest.param({"down": True}, {}, 4, id="an-outage"),
        pytest.param({"token_down": True}, {}, 4, id="no-token"),
        pytest.param({"closed": True}, {}, 4, id="connections-are-reset"),
        pytest.param({"reset_before_share": 1}, {}, 4, id="events-are-reset"),
        pytest.param(
            {"reset_after_share": 1},
            {"on_unknown": "hold", "max_outage_seconds": 30},
            0,
            id="answers-are-lost-and-held",
        ),
        pytest.param({"silent_share": 1}, {"on_unknown": "hold", "max_outage_seconds": 30}, 0, id="silence-and-held"),
        pytest.param({"silent_share": 1}, {}, 4, id="silence"),
        pytest.param({"html": True}, {}, 3, id="a-web-page"),
    ],
)
def test_nothing_personal_is_printed_when_the_api_is_not_well(
    faults: dict[str, Any], settings: dict[str, Any], code: int, tmp_path: Path, finished: Finished
) -> None:
    """Faults are told by their kind, and events by their number."""
    with staged(tmp_path, **faults) as stage:
        ended, out, err = finished(written(PEOPLE), stage.config(**{**CREDENTIALS, **QUICKLY, **settings}))

    assert ended == code
    assert "Records: 3 read" in err
    assert_unseen(out, err)


def test_nothing_personal_is_printed_when_a_signal_ends_a_run(tmp_path: Path) -> None:
    """What was in flight is counted."""
    with (
        staged(tmp_path, latency=30) as stage,
        stage.started(stage.config(api_key="sandbox"), LOGLEVEL="DEBUG") as running,
    ):
        running.feed([*PEOPLE, *PEOPLE[1:] * 40])
        running.until(lambda: stage.wire.counts()["requests"] > 0)
        running.tell(signal.SIGTERM)
        running.tell(signal.SIGINT)
        code, out, err = running.ended()

    assert code in {128 + signal.SIGTERM, 128 + signal.SIGINT}
    assert_unseen(out, err)


def test_nothing_personal_is_printed_when_nobody_reads_state(stage: Stage) -> None:
    """A closed standard output ends the run without a traceback."""
    with stage.started(stage.config(), is_read=False, LOGLEVEL="DEBUG") as running:
        assert running.process.stdout is not None
        running.process.stdout.close()
        running.pour([written([*PEOPLE, STATE])])
        code, _, err = running.ended()

    assert code == 141
    assert_unseen("", err)


def defects() -> Iterator[Any]:
    """Places where an exception with a value in its text is raised."""
    for place in (
        "target_driftrock.mapping.stream.CompiledStream.choose",
        "target_driftrock.records.validator.RecordValidator.fault",
        "target_driftrock.records.tally.Tally.enter",
        "target_driftrock.records.tally.Tally.settle",
        "target_driftrock.delivery.dispatcher.Dispatcher.submit",
        "target_driftrock.delivery.dispatcher.Dispatcher._step",
        "target_driftrock.delivery.transport.HttpTransport.post",
        "target_driftrock.auth.DriftrockAuthenticator._request",
        "target_driftrock.ledger.durable.DurableLedger.recall",
        "target_driftrock.ledger.durable.DurableLedger.commit",
        "target_driftrock.singer.checkpoint.Checkpoint.take",
    ):
        yield pytest.param(place, id=place.rsplit(".", 2)[1] + place.rsplit(".", 1)[1].replace("_", "-"))


DEFECT = """
import importlib, os
*module, owner, name = os.environ["PLACE"].split(".")
def fail(*arguments, **named):
    local = os.environ["VALUE"]
    raise ValueError(f"{local} {arguments!r} {named!r}") from KeyError(local)
setattr(getattr(importlib.import_module(".".join(module)), owner), name, fail)
"""


@pytest.mark.parametrize("place", list(defects()))
def test_nothing_personal_is_printed_when_we_have_a_defect(place: str, stage: Stage, finished: Finished) -> None:
    """The traceback has places, and no texts."""
    lines = written([*PEOPLE, STATE])

    code, out, err = finished(
        lines, stage.config(**CREDENTIALS, **QUICKLY), before=DEFECT, PLACE=place, VALUE=f"{PERSON} {SECRET}"
    )

    assert code == 70
    assert "ValueError" in err
    assert_unseen(out, err)


@pytest.mark.parametrize("command", [(), ("check",), ("preview",)], ids=["a-run", "check", "preview"])
@pytest.mark.parametrize("given", ["file", "environment", "command-line", "not-json", "argument"])
def test_nothing_secret_is_printed_when_a_setting_is_wrong(
    given: str, command: tuple[str, ...], stage: Stage, finished: Finished
) -> None:
    """Every setting is wrong at once, wherever it is said; the message names settings."""
    odd = {row.name: [SECRET] for row in TABLE}
    file = stage.folder / "config.json"
    file.write_text(f'{{"api_key": "{SECRET}"' if given == "not-json" else json.dumps(odd))
    variables = {f"TARGET_DRIFTROCK_{row.name.upper()}": f" {SECRET}\n" for row in TABLE}
    options = {
        "file": [f"--config={file}"],
        "environment": ["--config=ENV"],
        "command-line": [f'--config={{"api_key": "{SECRET}"}}'],
        "not-json": [f"--config={file}"],
        "argument": [SECRET],
    }[given]

    code, out, err = finished(written(PEOPLE), *command, *options, **(variables if given == "environment" else {}))

    assert code == 2
    assert_unseen("" if command == ("check",) else out, err + out)


@pytest.mark.parametrize(
    ("settings", "environ", "code"),
    [
        pytest.param({}, {"HTTPS_PROXY": f"ftp://u:{SECRET}@127.0.0.1"}, 2, id="a-proxy-of-another-kind"),
        pytest.param({}, {"HTTPS_PROXY": f"http://u:{SECRET}@127.0.0.1:1"}, 4, id="a-proxy-that-is-not-there"),
        pytest.param({}, {"SSL_CERT_FILE": f"/{SECRET}"}, 2, id="certificates-that-are-not-there"),
        pytest.param({"ledger": f"postgresql://u:{SECRET}@127.0.0.1:1/d"}, {}, 4, id="no-server-for-the-ledger"),
        pytest.param({"ledger": f"mysql://u:{SECRET}@127.0.0.1/d"}, {}, 2, id="another-database"),
        pytest.param({"ledger": f"postgresql://u:{SECRET}@[/d"}, {}, 2, id="an-odd-url"),
        pytest.param({"ledger": f"postgresql://u:{SECRET}@127.0.0.1:x/d"}, {}, 2, id="an-odd-port"),
        pytest.param({"ledger": f"postgresql://127.0.0.1:1/d?password={SECRET}&x={SECRET}"}, {}, 2, id="an-odd-option"),
    ],
)
def test_nothing_secret_is_printed_when_the_surroundings_are_wrong(
    settings: dict[str, Any], environ: dict[str, str], code: int, tmp_path: Path, finished: Finished
) -> None:
    """Proxies, certificates and databases are named by their variable or setting."""
    with staged(tmp_path) as stage:
        everything = stage.settings(**{**CREDENTIALS, **QUICKLY, **settings})
        if environ:
            everything |= {"environment": "production", "api_url": "https://driftrock.invalid"}
        file = tmp_path / "config.json"
        file.write_text(json.dumps(everything))
        ended, out, err = finished(written(PEOPLE), f"--config={file}", **environ)

    assert ended == code
    assert_unseen(out, err)


def test_nothing_personal_is_printed_when_the_ledger_refuses_a_row(stage: Stage, finished: Finished) -> None:
    """SQLAlchemy's errors repeat the statement with its row: here the database's code is told."""
    finished(written(PEOPLE), stage.config())
    with closing(sqlite3.connect(stage.folder / "ledger" / "ledger.sqlite3")) as ledger:
        ledger.execute("CREATE TRIGGER full BEFORE INSERT ON kept BEGIN SELECT raise(ABORT, 'CANARY'); END")

    code, out, err = finished(written([SCHEMA, record(9, email=[PERSON])]), stage.config())

    assert code == 4
    assert "SQLITE_CONSTRAINT" in err
    assert_unseen(out, err)


def test_nothing_is_written_elsewhere_when_a_run_delivers_and_refuses(tmp_path: Path, finished: Finished) -> None:
    """The ledger's directory is all that a run writes to, and of what was delivered it knows no value."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with staged(tmp_path) as stage:
        code, out, err = finished(written([*PEOPLE, record(9, few=4)]), stage.config(), TMPDIR=str(temporary))

    assert code == 0
    assert_unseen(out, err)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "tmp", "ledger"}
    assert not list(temporary.iterdir())
    ledger = list((tmp_path / "ledger").iterdir())
    assert ledger
    assert not [path.name for path in ledger if CANARY.encode() in path.read_bytes()]
    assert {path.stat().st_mode & 0o777 for path in ledger} == {0o600}


@pytest.mark.parametrize("options", [("report",), ("report", "--json"), ("trace", "leads:1"), ("trace", "leads:2")])
def test_nothing_personal_is_printed_when_a_run_is_looked_up(
    options: tuple[str, ...], tmp_path: Path, finished: Finished
) -> None:
    """Receipts and traces tell counts, rules and ids; records are for `rejects` alone."""
    with staged(tmp_path, refuse_share=0.5) as stage:
        finished(written([*PEOPLE, record(9, few=PERSON)]), stage.config(**CREDENTIALS))

        code, out, err = finished(b"", *options, stage.config(**CREDENTIALS))

    assert code == 0
    assert out
    assert_unseen("", err + out)


ROW = ("CANARY Kanari", PERSON, "+44 7700 900123 CANARY", "CANARY street")
"""The first row of a sheet without a header row, which a tap has taken for names."""
NAMED_BY_ROW = {name: {"type": ["string", "null"]} for name in ROW}
BY_FIELDS = {**LEADS, "event_id": None, "fields": {"email": "{email}"}}
BY_ALL = {**LEADS, "event_id": None}
BY_ONE = {**BY_ALL, "event_name": "{id}"}
"""It names a column, which is there: so the header row is."""


def sheets() -> Iterator[Any]:
    """SCHEMAs whose names are values, a record, settings beside, and what is said of them."""
    plain, odd = dict.fromkeys(ROW, "a"), dict.fromkeys(ROW, 1)
    below = {"contact": {"type": "object", "properties": NAMED_BY_ROW}}
    one = {"type": "object", "properties": {"CANARY": {"type": "string"}}}
    for name, message, values, settings, said in (
        ("missing", schema(properties=NAMED_BY_ROW, keys=()), {}, {"streams": [BY_FIELDS]}, "header row missing?"),
        (
            "missing-below",
            schema(properties=below, keys=()),
            {},
            {"streams": [{**BY_FIELDS, "fields": {"email": "{contact.email}"}}]},
            "header row missing?",
        ),
        ("sent-all", schema(properties=NAMED_BY_ROW, keys=()), plain, {"streams": [BY_ALL]}, "header row missing?"),
        (
            "sent-all-by-a-key",
            schema(properties=NAMED_BY_ROW | {"id": {}}),
            plain,
            {"streams": [LEADS]},
            "header row missing?",
        ),
        (
            "of-another-type",
            schema(properties=NAMED_BY_ROW | {"id": {}}),
            odd,
            {"streams": [BY_ONE]},
            "schema: /*: type",
        ),
        (
            "of-another-type-below",
            schema(properties=below | {"id": {}}, keys=()),
            {"contact": odd},
            {"streams": [BY_ONE]},
            "schema: /*/*: type",
        ),
        (
            "required",
            {**schema(keys=()), "schema": {"properties": {"id": {}}, "required": [PERSON]}},
            {"a": 1},
            {"streams": [BY_ONE]},
            "schema: /*: required",
        ),
        (
            "no-key",
            schema(properties=NAMED_BY_ROW | {"id": {}}, keys=ROW[:2]),
            {},
            {"streams": [{**LEADS, "event_name": "{id}"}]},
            "key properties another column, a column",
        ),
        ("a-key-that-is-missing", schema(properties=NAMED_BY_ROW, keys=[f"other-{PERSON}"]), {}, {}, "header row"),
        ("a-position", schema(properties=NAMED_BY_ROW | {"CANARY row": {}}, keys=["CANARY row"]), {}, {}, "on top"),
        (
            "a-stream-map",
            schema(properties=NAMED_BY_ROW, keys=()),
            {},
            {"stream_maps": {"leads": {"made": "CANARY_street + record['CANARY stret']".replace("CANARY", "canary")}}},
            "header row missing?",
        ),
        (
            "a-stream-map-s-key",
            schema(properties=NAMED_BY_ROW, keys=[PERSON]),
            {},
            {"stream_maps": {"leads": {"made": "'a'", "__else__": None}}},
            "the map has no key property a column whose name",
        ),
        (
            "flattening",
            schema(properties={PERSON: one, f"{PERSON}__CANARY": {"type": "string"}}, keys=()),
            {},
            {"flattening_enabled": True, "flattening_max_depth": 2},
            "cannot be flattened",
        ),
    ):
        yield pytest.param([message, record(1, **values)], settings, said, id=name)


@pytest.mark.parametrize("command", [(), ("check",), ("preview",)], ids=["a-run", "check", "preview"])
@pytest.mark.parametrize(("messages", "settings", "said"), list(sheets()))
def test_nothing_personal_is_printed_when_values_became_the_names_of_columns(
    messages: list[Any],
    settings: dict[str, Any],
    said: str,
    *,
    command: tuple[str, ...],
    stage: Stage,
    finished: Finished,
) -> None:
    """Neither by what is printed, nor by what is kept to be printed later."""
    code, out, err = finished(written(messages), *command, stage.config(**settings), *_input_of(command))

    told = _told(command, out=out, err=err)
    is_of_records = said.startswith(("schema", "key properties"))  # which `check` does not judge
    assert (said in told) == bool(code) == (command != ("check",) or not is_of_records)
    assert_unseen("", told)
    if not command:
        assert_unseen(out, "".join(_receipts_and_reasons(stage)))
        for options in (("report", "--json"), ("rejects", "--table")):
            assert_unseen("", "".join(finished(b"", *options, stage.config())[1:]))


def _input_of(command: tuple[str, ...]) -> list[str]:
    return ["--input=/dev/stdin"] if command == ("check",) else []


def _told(command: tuple[str, ...], *, out: str, err: str) -> str:
    """What is printed that is to be free of values: of a preview's lines, what is wrong with them."""
    if command != ("preview",):
        return out + err
    lines = map(json.loads, out.splitlines())
    return err + "".join(line.get("error", "") + line.get("invalid", "") for line in lines)


def _receipts_and_reasons(stage: Stage) -> Iterator[str]:
    with closing(sqlite3.connect(stage.folder / "ledger" / "ledger.sqlite3")) as ledger:
        for query in ("SELECT receipt FROM runs", "SELECT mapping FROM kept", "SELECT reason FROM kept"):
            yield from (str(value) for (value,) in ledger.execute(query))


def test_nothing_personal_is_printed_when_a_key_of_values_is_mended(stage: Stage, finished: Finished) -> None:
    """How its identities were made cannot be told then."""
    message = schema(properties=NAMED_BY_ROW | {"id": {}}, keys=[PERSON])
    row = record(1, **{PERSON: "1"})
    by_key = {**LEADS, "fields": {"id": "{id}"}}
    finished(written([message, row]), stage.config(streams=[by_key]))

    code, out, err = finished(written([message, row]), stage.config(streams=[{**by_key, "event_id": "{id}"}]))

    assert code == 2
    assert "`formerly: {event_id as it was; not told here" in err
    assert_unseen(out, err)


@pytest.mark.parametrize("command", [(), ("check",), ("preview",)], ids=["a-run", "check", "preview"])
@pytest.mark.parametrize(
    ("streams", "values"),
    [
        pytest.param([{**LEADS, "stream": "other"}], {}, id="unmapped"),
        pytest.param([{**LEADS, "stream": "*"}], {"email": 1}, id="invalid"),
        pytest.param([{**LEADS, "stream": "*", "fields": {"a": "{a}"}}], {}, id="missing"),
        pytest.param([{**LEADS, "stream": "*"}], {"_sdc_deleted_at": "2026-01-01"}, id="deletions"),
    ],
)
def test_nothing_personal_is_printed_when_a_stream_is_called_as_a_person(
    streams: list[dict[str, Any]], values: dict[str, Any], command: tuple[str, ...], stage: Stage, finished: Finished
) -> None:
    """A file's name may have an address in it, and a tap may take it for the stream's."""
    messages = written([schema(PERSON), record(1, PERSON, **values)])

    _, out, err = finished(messages, *command, stage.config(streams=streams), *_input_of(command))

    told = _told(command, out=out, err=err)
    assert "(whose name looks like an e-mail address)" in told or values
    assert_unseen("", told)
    if not command:
        assert_unseen("", "".join(_receipts_and_reasons(stage)))
        for options in (("report", "--json"), ("rejects", "--table"), ("trace", f"{PERSON}:1")):
            assert_unseen("", "".join(finished(b"", *options, stage.config())[1:]))


def test_a_stream_is_told_by_its_name_when_the_settings_name_it(stage: Stage, finished: Finished) -> None:
    """Whoever wrote them knows it."""
    named = "calls 447700900123"
    config = stage.config(streams=[{**LEADS, "stream": named}])
    code, _, err = finished(written([schema(named), record(1, named, email=1)]), config)
    _, table, _ = finished(b"", "rejects", "--table", config)
    _, receipt, _ = finished(b"", "report", "--json", config)

    assert code == 6
    assert f"stream {named}:" in err
    assert named in table
    assert named in receipt
