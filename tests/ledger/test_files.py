"""What SQLite's files let others see, and what a run does when they fail."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from target_driftrock.errors import LedgerUnavailable
from target_driftrock.events.identity import Who
from target_driftrock.events.outcome import Delivered, Invalid, Rejected
from target_driftrock.ledger import tables
from target_driftrock.ledger.durable import DurableLedger
from target_driftrock.ledger.interface import Concluded, Forgotten, Intent, Lost, Standing
from tests.contract.places import opened
from tests.contract.recalling import standings
from tests.delivery.examples import event, invalid_part, origin
from tests.ledger.rows import kept, rows
from tests.program import ROOT, interpreted

CANARY = "canary.person@example.com"
FRAME_HEAD = 24
"""Bytes before each page that is written ahead: SQLite's file format, section 4.1."""


def mode(path: Path) -> int:
    """Its permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def holding(directory: Path, text: str) -> list[str]:
    """The files in which that stands."""
    return sorted(path.name for path in directory.iterdir() if text.encode() in path.read_bytes())


# Who may read.


def test_nobody_else_may_read_when_a_ledger_is_made(tmp_path: Path) -> None:
    """The directory and every file in it, those that SQLite adds too, whatever the umask."""
    directory = tmp_path / "to" / "ledger"
    before = os.umask(0)
    try:
        with opened(str(directory)) as ledger:
            ledger.commit([Concluded(part=event(1), outcome=Rejected(status=400))])
            files = {path.name: mode(path) for path in directory.iterdir()}
    finally:
        os.umask(before)

    assert mode(directory) == 0o700
    assert files == dict.fromkeys(("ledger.sqlite3", "ledger.sqlite3-shm", "ledger.sqlite3-wal", "lock"), 0o600)


def test_nobody_else_may_read_when_a_ledger_was_copied_here(tmp_path: Path) -> None:
    """A restored file may be open to all."""
    with opened(str(tmp_path)):
        pass
    (tmp_path / "ledger.sqlite3").chmod(0o644)

    with opened(str(tmp_path)):
        assert mode(tmp_path / "ledger.sqlite3") == 0o600
        assert mode(tmp_path / "ledger.sqlite3-wal") == 0o600


# What may be read.


def test_nobody_is_named_when_events_are_delivered_or_open(tmp_path: Path) -> None:
    """Who was delivered is known by digests alone, of the event, its content, its record, and whom it is about."""
    someone = event(
        1,
        event_id=f"id {CANARY}",
        person=CANARY,
        who=Who(person=CANARY, email=CANARY, phone=CANARY),
        source=CANARY,
        body=f'{{"email": "{CANARY}"}}'.encode(),
        former=[event(1, event_id=CANARY)],
        read=origin(1, record=CANARY.encode(), key=CANARY),
    )
    with opened(str(tmp_path)) as ledger:
        ledger.commit([Intent(someone)])
        ledger.commit([Concluded(part=someone, outcome=Delivered())])
        assert standings(ledger, someone) == [Standing.DELIVERED]
        assert holding(tmp_path, CANARY) == []
    assert holding(tmp_path, CANARY) == []


def test_no_two_events_can_be_linked_when_they_are_about_one_person(tmp_path: Path) -> None:
    """Nor when they have the same content, or came of one record: each digest is made over its own event."""
    who = Who(person="ada", email="ada@example.com", phone="555123456")
    parts = [event(1, event_id=f"id {number}", who=who, content_of=b"as ever") for number in range(3)]
    with opened(str(tmp_path)) as ledger:
        ledger.commit([Concluded(part=part, outcome=Delivered()) for part in parts])

    digests = [
        row[name]
        for row in rows(str(tmp_path), tables.deliveries)
        for name in ("identity", "content", "person", "email", "phone", "record")
    ]
    assert len(set(digests)) == len(digests) == 3 * 6


def test_nothing_can_be_linked_when_two_ledgers_know_one_event(tmp_path: Path) -> None:
    """Each has a salt of its own."""
    digests: list[bytes] = []
    for name in ("one", "another"):
        with opened(str(tmp_path / name)) as ledger:
            ledger.commit([Concluded(part=event(1, person="ada"), outcome=Delivered())])
        (row,) = rows(str(tmp_path / name), tables.deliveries)
        digests += [row[name] for name in ("identity", "content", "event", "person", "record")]

    assert len(set(digests)) == 2 * 5


def test_the_id_of_a_lost_answer_is_all_that_is_named_when_an_answer_is_lost(tmp_path: Path) -> None:
    """It is there to be laid beside Driftrock's own figures."""
    with opened(str(tmp_path)) as ledger:
        ledger.commit([Lost(event(1, event_id="order-4711", person=CANARY, body=CANARY.encode()))])
    assert holding(tmp_path, CANARY) == []
    assert holding(tmp_path, "order-4711") == ["ledger.sqlite3"]


KEPT = structs.replace(origin(1), record=f"{CANARY} ".encode(), key="leads:1")


@pytest.mark.parametrize("size", [pytest.param(1, id="short"), pytest.param(3_000, id="longer than a page")])
@pytest.mark.parametrize("way", ["sent again", "mended at its source"])
def test_no_byte_of_a_kept_row_stays_when_it_goes(tmp_path: Path, size: int, way: str) -> None:
    """Nothing personal is left in any file once the run has ended."""
    found = structs.replace(KEPT, record=KEPT.record * size)
    with opened(str(tmp_path)) as ledger:
        ledger.commit(
            [Concluded(part=structs.replace(invalid_part(1), origin=found), outcome=Invalid(reason="a rule"))]
        )
    assert holding(tmp_path, CANARY) == ["ledger.sqlite3"]
    (row,) = kept(str(tmp_path)).values()

    with opened(str(tmp_path)) as ledger:
        mended = Concluded(part=structs.replace(event(1), origin=found), outcome=Delivered())
        ledger.commit([Forgotten(row["key"].hex()) if way == "sent again" else mended])

    assert kept(str(tmp_path)) == {}
    assert holding(tmp_path, CANARY) == []


# What fails.


def refused(ledger: DurableLedger) -> str:
    """What a commit says, twice over: it is not tried again."""
    texts = set()
    for _ in range(2):
        with pytest.raises(LedgerUnavailable) as failed:
            ledger.commit(
                [Concluded(part=structs.replace(invalid_part(1), origin=KEPT), outcome=Invalid(reason="a rule"))]
            )
        texts.add(str(failed.value))
    (text,) = texts
    assert CANARY not in text
    assert text.startswith("The ledger in the directory ")
    return text


def test_a_run_stops_when_its_directory_is_deleted(tmp_path: Path) -> None:
    """SQLite itself would go on writing to files that nobody will ever read."""
    directory = tmp_path / "ledger"
    with opened(str(directory)) as ledger:
        ledger.commit([Intent(event(1))])
        shutil.rmtree(directory)

        assert "No such file" in refused(ledger)
    assert not directory.exists()


def test_a_run_stops_when_another_ledger_lies_in_its_place(tmp_path: Path) -> None:
    """A backup that is put back under a running program is not what it writes to."""
    directory, backup = tmp_path / "ledger", tmp_path / "backup"
    with opened(str(directory)):
        pass
    shutil.copytree(directory, backup)
    with opened(str(directory)) as ledger:
        directory.rename(tmp_path / "aside")
        backup.rename(directory)

        assert "another one" in refused(ledger)


def test_a_run_stops_when_another_program_locks_the_database(tmp_path: Path) -> None:
    """After five seconds; what it meant to write is not there afterwards."""
    with opened(str(tmp_path)) as ledger, closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as another:
        another.execute("BEGIN EXCLUSIVE")

        assert "(SQLITE_BUSY)" in refused(ledger)

        another.rollback()
    assert kept(str(tmp_path)) == {}


FULL = """import resource, signal, sys
from tests.ledger.test_files import fill
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
fill(sys.argv[1])
"""


def fill(directory: str) -> None:
    """Keep rows until no more can be kept; then say why."""
    with opened(directory) as ledger:
        try:
            for position in range(1_000):
                ledger.commit([Concluded(part=event(position), outcome=Rejected(status=400, excerpt=b"x" * 2_000))])
        except LedgerUnavailable as full:
            print(full)  # noqa: T201 - to the test
        with pytest.raises(LedgerUnavailable):
            ledger.commit([])


def test_a_run_stops_when_the_disk_is_full(tmp_path: Path) -> None:
    """What was committed before is there, whole."""
    ran = interpreted(FULL, str(tmp_path))

    assert ran.code == 0
    assert "(SQLITE_FULL)" in ran.out or "(SQLITE_IOERR" in ran.out
    with opened(str(tmp_path)) as ledger:
        rejected = rows(str(tmp_path), tables.runs)[0]["rejected"]
        assert 0 < rejected == ledger.rejects_waiting()[0]


def test_the_pages_say_how_much_is_written_ahead_when_a_run_lasts(tmp_path: Path) -> None:
    """A volume that is too small for it ends every run."""
    with opened(str(tmp_path / "ledger")) as ledger, ledger.connection.begin():
        pages = ledger.connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one()
        size = ledger.connection.exec_driver_sql("PRAGMA page_size").scalar_one()

    told = f"{pages * (size + FRAME_HEAD) / 1e6:.0f} MB"
    for page in ("docs/ledger.md", "docs/containers.md"):
        assert told in (ROOT / page).read_text(encoding="utf-8")
