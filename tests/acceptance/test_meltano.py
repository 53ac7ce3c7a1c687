"""The two jobs of meltano.yml through the real Meltano: what arrives, and which bookmark is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import yaml
from psycopg import sql

from hub.definition import DEFINITION
from tests.acceptance import leads, meltano
from tests.acceptance.meltano import COMMAND, PATIENCE, SANDBOX
from tests.contract import places
from tests.program import written
from tests.sandbox.wire import Wire
from tests.stage import LEADS, record, state, wired
from tests.waiting import until

pytestmark = [pytest.mark.acceptance, pytest.mark.meltano, pytest.mark.usefixtures("meltano_installed")]


@pytest.fixture
def database() -> Iterator[str]:
    """The name of an empty database, which ends with the test."""
    name = f"driftrock_test_{uuid4().hex}"
    with places.server() as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield name
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


# As they stand.


@pytest.mark.postgres
def test_both_jobs_arrive_when_nothing_is_changed(tmp_path: Path, wire: Wire, database: str) -> None:
    """The jobs of meltano.yml deliver the demo's file, and the demo's tables, to what the mapping says."""
    project = meltano.project(tmp_path / "project", wire, TAP_POSTGRES_DATABASE=database)
    with psycopg.connect(places.SERVER, dbname=database, autocommit=True) as connection:
        connection.execute((project.root / "demo/crm.sql").read_bytes())

    project.run("run", "file-to-sandbox", "postgres-to-sandbox")

    arrived = project.accepted()
    assert {event["event_id"] for event in arrived} == {
        *("leads:101", "leads:102", "leads:103", "partner_leads:P-0042"),
        *("crm-leads:101", "crm-leads:102", "crm-leads:103", "crm-partner_leads:P-0042"),
        *("opp-7:Closed Won", "opp-8:Closed Lost"),
    }
    assert all(event["fields"]["email"].endswith("@example.com") for event in arrived)


def test_a_command_reads_the_plugin_s_settings_when_meltano_starts_it(tmp_path: Path, wire: Wire) -> None:
    """`check` as a command of the sandbox's plugin sees its settings, not those of the plugin that it comes of."""
    project = meltano.project(tmp_path / "project", wire)

    log = project.run("invoke", f"{SANDBOX}:check", TARGET_DRIFTROCK_ENVIRONMENT="production")

    assert "ok: The settings are right: environment sandbox, 4 mappings." in log
    assert "ok: The credentials are right" in log
    assert project.accepted() == []


def test_nothing_is_sent_when_meltano_previews_a_file(tmp_path: Path, wire: Wire) -> None:
    """`preview` as a command shows what the file would become."""
    project = meltano.project(tmp_path / "project", wire)

    log = project.run("invoke", f"{SANDBOX}:preview", "--input", str(project.root / "demo/leads.singer"))

    shown = [json.loads(line)["event"]["event_id"] for line in log.splitlines() if line.startswith("{")]
    assert shown == [
        "leads:101",
        "leads:102",
        "leads:103",
        "opp-7:Closed Won",
        "opp-8:Closed Lost",
        "partner_leads:P-0042",
    ]
    assert project.accepted() == []


def test_the_plugin_can_be_used_when_it_was_added_by_its_definition(tmp_path: Path, wire: Wire) -> None:
    """In a project that has nothing: what is set afterwards is what a user has to say, and no more."""
    project = meltano.Project(root=tmp_path, wire=wire)
    file = project.root / "meltano.yml"
    file.write_text("default_environment: dev\nenvironments: [{name: dev}]\n")
    project.run("add", "target-driftrock", "--plugin-type", "loader", "--from-ref", str(DEFINITION), "--no-install")
    described = yaml.safe_load(file.read_text())
    (plugin,) = described["plugins"]["loaders"]
    plugin |= {"executable": str(COMMAND), "config": {"streams": [LEADS]}}
    file.write_text(yaml.safe_dump(described))

    log = project.run(
        "invoke",
        "target-driftrock:check",
        TARGET_DRIFTROCK_ENVIRONMENT="sandbox",
        TARGET_DRIFTROCK_API_URL=wire.url,
        TARGET_DRIFTROCK_LEDGER=str(tmp_path / "ledger"),
    )

    assert "ok: The settings are right: environment sandbox, 1 mapping." in log
    assert "ok: The credentials are right" in log


# PostgreSQL, twice.

ROWS = """
INSERT INTO crm.leads VALUES
    (1, 'Zoë 日本 🎈', NULL, 1.10, 12345678901234567890, 0.1000, true, '2026-01-02 03:04:05.123456+02',
     '2026-01-02 03:04:05.5', '2026-01-02', '{"utm": {"campaign": "spring"}, "score": 1.10, "none": null}',
     ARRAY['a', 'b,c', '"'], '2026-02-01 00:00:00+00'),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-02-02 00:00:00+00'),
    (3, '', E'a\\tb\\n', -0.01, -99999999999999999999, 12345678901234567890.0123456789, false,
     '1999-12-31 23:59:59.999999-08', '0001-01-01 00:00:00', '9999-12-31', '[]', '{}', '2026-02-03 12:00:00.000001+00');
"""
NEW_ROWS = """
INSERT INTO crm.leads (id, name, extra, created_at) VALUES
    (4, 'Ada', '{"n": 9007199254740993}', '2026-02-04 00:00:00+00'),
    (5, 'Grace', '"text"', '2026-02-05 00:00:00+00');
"""


@pytest.mark.postgres
def test_only_new_rows_arrive_when_the_job_runs_again(tmp_path: Path, wire: Wire, database: str) -> None:
    """Each row of a table arrives with each of its columns as the table has it, and a second run sends what is new."""
    project = meltano.project(tmp_path / "project", wire, streams=[leads.MAPPING], TAP_POSTGRES_DATABASE=database)
    with psycopg.connect(places.SERVER, dbname=database, autocommit=True) as connection:
        connection.execute(leads.CREATE)
        connection.execute(ROWS)
        project.run("run", "postgres-to-sandbox")
        first = project.accepted()
        connection.execute(NEW_ROWS)
        log = project.run("run", "postgres-to-sandbox")
        second = project.accepted()[len(first) :]
        rows = {row["id"]: row for row in leads.rows(connection)}

    assert [event["event_id"] for event in first] == ["crm-leads:1", "crm-leads:2", "crm-leads:3"]
    assert {event["event_id"] for event in second} == {"crm-leads:4", "crm-leads:5"}  # of two persons: in any order
    assert len(second) == 2
    assert "+ 1 already delivered +" in log  # the row at the bookmark, which the tap reads again
    for event in first + second:
        assert leads.as_in_the_table(event["fields"]) == rows[event["fields"]["id"]]
        assert event["created_at"] == leads.utc(rows[event["fields"]["id"]]["created_at"])
    assert project.bookmarks("tap-postgres")["crm-leads"]["replication_key_value"] == "2026-02-05T00:00:00.000000+00:00"


# A Singer file.

SCHEMA = {
    "type": "SCHEMA",
    "stream": "leads",
    "key_properties": ["id"],
    "schema": {"properties": {"id": {"type": "integer"}, "amount": {"type": "number"}, "name": {"type": "string"}}},
}
EVERY_PROPERTY = [LEADS]


def test_a_file_arrives_as_it_is_when_the_job_is_started_in_another_folder(tmp_path: Path, wire: Wire) -> None:
    """Paths hold wherever Meltano is started, numbers keep their digits, and the bookmark is the file's last STATE."""
    project = meltano.project(tmp_path / "project", wire, streams=EVERY_PROPERTY)
    record = (
        '{"type": "RECORD", "stream": "leads", "record": {"id": 12345678901234567890, "amount": 1.10, "name": "Zoë"}}'
    )
    state = '{"type": "STATE", "value": {"bookmarks": {"leads": {"at": "a", "odd": 1.5}}}}'
    (project.root / "demo/leads.singer").write_text("\n".join([json.dumps(SCHEMA), record, state]), encoding="utf-8")
    below = project.root / "demo"

    log = project.run("run", "file-to-sandbox", where=below)

    assert [event["fields"] for event in project.accepted()] == [
        {"id": 12345678901234567890, "amount": Decimal("1.10"), "name": "Zoë"}
    ]
    assert project.bookmarks("tap-singer-file") == {"leads": {"at": "a", "odd": 1.5}}
    assert f"dev:tap-singer-file-to-{SANDBOX}" in log  # a state id of its own: no trial moves the real bookmark


def test_a_setting_reaches_the_target_when_it_is_a_variable(tmp_path: Path, wire: Wire) -> None:
    """A setting that meltano.yml declares is set by its environment variable, for a run."""
    project = meltano.project(tmp_path / "project", wire, streams=EVERY_PROPERTY)
    (project.root / "demo/leads.singer").write_bytes(written([SCHEMA, *map(record, range(1, 100))]))

    project.run("run", "file-to-sandbox", TARGET_DRIFTROCK__SANDBOX_MAX_EVENTS="3")

    assert [event["fields"]["id"] for event in project.accepted()] == [1, 2, 3]


# Signals.

LAST = 1_500


@pytest.mark.parametrize("told", ["the target alone", "meltano alone", "the group"])
def test_the_bookmark_passes_nothing_undelivered_when_a_run_is_told_to_end(tmp_path: Path, told: str) -> None:
    """Whom SIGTERM reaches in the middle of a run, Meltano keeps no later bookmark, and the next run sends the rest."""
    with wired(latency=0.02) as wire:
        project = meltano.project(
            tmp_path / "project",
            wire,
            streams=EVERY_PROPERTY,
            TAP_SINGER_FILE_PATH=str(tmp_path / "pipe"),
            TARGET_DRIFTROCK__SANDBOX_MAX_CONCURRENCY="1",
        )
        with _tap_that_never_ends(tmp_path / "pipe"), _ended(project.start("run", "file-to-sandbox")) as run:
            until(lambda: "Incremental state has been updated" in project.log, seconds=PATIENCE)
            target = int((project.root / "target-driftrock.pid").read_text())
            _tell(told, meltano_pid=run.pid, target_pid=target)
            run.wait(PATIENCE)
        delivered = {event["fields"]["id"] for event in project.accepted()}
        bookmark = project.bookmarks("tap-singer-file")["leads"]["id"]
        project.wire.post("/_sandbox/faults", {"latency": 0.0})
        (tmp_path / "all.singer").write_bytes(written([SCHEMA, *map(record, range(1, LAST + 1))]))
        project.run("run", "file-to-sandbox", TAP_SINGER_FILE_PATH=str(tmp_path / "all.singer"))
        times = Counter(event["fields"]["id"] for event in project.accepted())

    assert run.returncode != 0
    assert 0 < bookmark < LAST
    assert delivered >= set(range(1, bookmark + 1))
    assert times.keys() == set(range(1, LAST + 1))
    assert times.total() <= LAST + 1  # one was in flight, and its answer may be lost with the process


@contextmanager
def _tap_that_never_ends(pipe: Path) -> Iterator[None]:
    """Writes records to a named pipe, a STATE after each, and keeps it open."""
    os.mkfifo(pipe)
    is_over = threading.Event()

    def write() -> None:
        with suppress(BrokenPipeError), pipe.open("wb") as tap:
            tap.write(written([SCHEMA]))
            for number in range(1, LAST + 1):
                tap.write(written([record(number), state(bookmarks={"leads": {"id": number}})]))
            tap.flush()
            is_over.wait()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield
    finally:
        is_over.set()
        writer.join(PATIENCE)


@contextmanager
def _ended(run: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A run whose whole group is gone afterwards, whatever it made of a signal."""
    try:
        yield run
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait(PATIENCE)


def _tell(told: str, *, meltano_pid: int, target_pid: int) -> None:
    if told == "the group":
        os.killpg(meltano_pid, signal.SIGTERM)
    else:
        os.kill(target_pid if told == "the target alone" else meltano_pid, signal.SIGTERM)
