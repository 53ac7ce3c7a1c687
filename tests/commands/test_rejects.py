"""What was refused or held is read back as a Singer stream, sent again, or erased."""

from __future__ import annotations

import io
import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.console import Console
from singer_sdk.sinks import RecordSink
from singer_sdk.target_base import Target

from target_driftrock.commands import erasure
from target_driftrock.commands.rejects import marked, table, write_answers, write_stream
from target_driftrock.errors import LedgerUnavailable, SettingsInvalid
from target_driftrock.events.event import Event
from target_driftrock.events.outcome import Held, HeldAs, Invalid
from target_driftrock.ledger import tables
from target_driftrock.ledger.database import this_process
from target_driftrock.ledger.digests import Digests
from target_driftrock.ledger.erasing import DELIVERIES_PAGE, Erased, Sought, erase
from target_driftrock.ledger.interface import Concluded, Forgotten, Intent, Lost
from target_driftrock.ledger.reading import HELD as TO_DECIDE
from target_driftrock.ledger.reading import KEYS_PAGE, Defender, KeptRow, Selection, Why, reading
from target_driftrock.singer.decoding import decode
from target_driftrock.singer.messages import Record, Schema
from tests.commands.ledgers import (
    PLACES,
    collided,
    delivered,
    invalid,
    lead,
    rejected,
    server,
    write,
    writing,
)
from tests.contract.places import SERVER
from tests.ledger.rows import rows as rows_of
from tests.program import written
from tests.stage import Stage, captured, record, schema, staged

KEY = "0f" * 16
LATER = "ab" * 16
HELD = Held(reason="its answer was lost", is_unknown=True)

Place = Callable[[Path], AbstractContextManager[str]]
over_both = pytest.mark.parametrize("place", PLACES)


# The line that says which row it is.

WHY = Why(kind="rejected", reason="status 422", status=422, answer=b'{"errors": ["no \\\\ such: ada@example.com"]}')
WHY_MARK = (
    b'"driftrock_reason":{"kind":"rejected","reason":"status 422","status":422,'
    b'"answer":"{\\"errors\\": [\\"no \\\\\\\\ such: ada@example.com\\"]}"}'
)
OTHER_WHY = Why(kind="invalid", reason='schema: "}]', status=None, answer=b"")
KNOWN = Defender(event_id='leads:"1"\\', is_delivered=True, at=0.0, run=7)
KNOWN_MARK = (
    b'"driftrock_known":[{"event_id":"leads:\\"1\\"\\\\","standing":"delivered","at":"1970-01-01T00:00:00Z","run":7}]'
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            b'{"type":"RECORD","stream":"leads","record":{"n":1.10,"m":12345678901234567890.1e400}}',
            b'{"type":"RECORD","stream":"leads","record":{"n":1.10,"m":12345678901234567890.1e400},"driftrock_row":"KEY",WHY}',
            id="numbers stay as they are written",
        ),
        pytest.param(
            b'{"type": "RECORD", "record": {"a" : "\\u00e9"},  "time_extracted": "2026-01-31"}',
            b'{"type":"RECORD","record":{"a" : "\\u00e9"},"time_extracted":"2026-01-31","driftrock_row":"KEY",WHY}',
            id="texts and spaces of the record stay",
        ),
        pytest.param(
            b'{"driftrock_row":"LATER","type":"RECORD","record":{"driftrock_row":"mine"}}',
            b'{"driftrock_row":"KEY","type":"RECORD","record":{"driftrock_row":"mine"},WHY}',
            id="an earlier row's key goes",
        ),
        pytest.param(
            b'{"type":"RECORD","driftrock_reason":{"kind":"held"},"record":{"driftrock_reason":"mine"}}',
            b'{"type":"RECORD",WHY,"record":{"driftrock_reason":"mine"},"driftrock_row":"KEY"}',
            id="an earlier reason goes",
        ),
        pytest.param(
            b'{"type":"RECORD","record":{"n":NaN}}',
            b'{"type":"RECORD","record":{"n":NaN},"driftrock_row":"KEY",WHY}',
            id="what is not quite JSON",
        ),
        pytest.param(
            b'{"type":"RECORD","record":{"n":NaN},"driftrock_row":"KEY"}',
            b'{"type":"RECORD","record":{"n":NaN},"driftrock_row":"KEY",WHY}',
            id="what is not quite JSON, again",
        ),
    ],
)
def test_a_line_tells_its_row_and_why_it_waits_when_it_is_printed(line: bytes, expected: bytes) -> None:
    """Beside the record, which stays byte for byte."""
    for sign, stands_for in ((b"KEY", KEY.encode()), (b"LATER", LATER.encode()), (b"WHY", WHY_MARK)):
        line, expected = line.replace(sign, stands_for), expected.replace(sign, stands_for)

    assert marked(line, KEY, why=WHY) == expected


COLLIDED = {
    "JSON": b'{"type":"RECORD","stream":"leads","record":{"id":1}}',
    "what is not quite JSON": b'{"type":"RECORD","stream":"leads","record":{"id":NaN}}',
    "members that look like ours": b'{"type":"RECORD","stream":"a","record":{"n":NaN,"driftrock_known":[{"run":1}]}}',
}


@pytest.mark.parametrize("line", COLLIDED.values(), ids=COLLIDED)
def test_a_line_tells_what_it_collides_with_when_that_is_known(line: bytes) -> None:
    """Beside the record; a target reads the same record, and the row."""
    told = marked(line, KEY, why=WHY, known=[KNOWN])

    message = decode(told + b"\n", 1)
    assert told == line[:-1] + b',"driftrock_row":"' + KEY.encode() + b'",' + WHY_MARK + b"," + KNOWN_MARK + b"}"
    assert message == replace(decode(line + b"\n", 1), raw=told, kept_row=KEY)  # type: ignore[arg-type] # a Record


@pytest.mark.parametrize("line", COLLIDED.values(), ids=COLLIDED)
@pytest.mark.parametrize("known", [None, [], [KNOWN], [KNOWN, KNOWN]], ids=["a row", "nothing known", "one", "two"])
@pytest.mark.parametrize("why", [WHY, OTHER_WHY], ids=["an answer", "no answer"])
def test_a_line_is_marked_once_when_it_was_marked_before(line: bytes, known: list[Defender] | None, why: Why) -> None:
    """What is kept of a row that was sent again is its line with our marks in it, which may be out of date."""
    for earlier in (WHY, OTHER_WHY):
        before = marked(line, LATER, why=earlier, known=[KNOWN, KNOWN, replace(KNOWN, is_delivered=False)])

        assert marked(before, KEY, why=why, known=known) == marked(line, KEY, why=why, known=known)


@given(
    st.dictionaries(
        st.text(),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=2),
        max_size=4,
    )
)
def test_a_record_is_the_same_when_it_is_sent_again(values: dict[str, Any]) -> None:
    """Whatever is in it, a replay reads what the first run read, and the row's key beside it."""
    line = json.dumps({"type": "RECORD", "stream": "leads", "record": values}).encode()

    first, again = decode(line + b"\n", 1), decode(marked(line, KEY, why=WHY) + b"\n", 1)

    assert isinstance(first, Record)
    assert isinstance(again, Record)
    assert (again.record, again.fault, again.kept_row) == (first.record, first.fault, KEY)


def test_a_schema_is_repeated_when_it_is_another_one() -> None:
    """Each record comes after the SCHEMA that it was read under, and no SCHEMA twice in a row for a stream."""
    rows = [
        KeptRow(key=KEY, stream=stream, record=b'{"record":%d}' % number, schema=line, why=WHY)
        for number, (stream, line) in enumerate(
            [("a", b"a1"), ("b", b"b1"), ("a", b"a1"), ("a", b"a2"), ("b", b"b1"), ("a", b"a1")]
        )
    ]
    lines: list[bytes] = []

    write_stream(rows, lines.append)

    order = [line.split(b',"driftrock')[0].removeprefix(b'{"record":') for line in lines]
    assert b" ".join(line.strip() for line in order) == b"a1 0 b1 1 2 a2 3 4 a1 5"


def test_the_answers_are_a_line_each_when_they_are_asked_for() -> None:
    """What moves a terminal's cursor stands as its number; a program reads the answer exactly."""
    answer = 'né\x1b[2J\x9b\u202e\U000e0001"\n'
    row = KeptRow(key=KEY, stream="leads", record=b"{}", schema=b"{}", why=replace(WHY, answer=answer.encode()))
    lines: list[bytes] = []

    write_answers([row, replace(row, why=OTHER_WHY)], lines.append)

    first, second = lines
    assert first[-1:] == second[-1:] == b"\n"
    assert first[:-1].decode().isprintable()
    assert "né".encode() in first
    assert [json.loads(each) for each in lines] == [
        {"stream": "leads", "kind": "rejected", "reason": "status 422", "status": 422, "answer": answer},
        {"stream": "leads", "kind": "invalid", "reason": 'schema: "}]', "status": None, "answer": ""},
    ]


# Reading beside a run.


@over_both
def test_every_row_comes_once_when_there_are_more_than_a_page(place: Place, tmp_path: Path) -> None:
    """In the order in which they were read first, over as many pages as it takes."""
    count = 2 * KEYS_PAGE + 1
    with place(tmp_path) as location:
        write(location, [rejected(lead(number)) for number in range(count)])

        with reading(location) as ledger:
            found = [json.loads(row.record)["record"]["id"] for row in ledger.kept(Selection())]

    assert found == list(range(count))


@over_both
def test_rows_come_and_go_without_harm_when_a_run_writes_meanwhile(place: Place, tmp_path: Path) -> None:
    """What is kept from the beginning on is not given, so that a replay ends; what has gone is passed over."""
    with place(tmp_path) as location:
        write(location, [rejected(lead(number)) for number in range(200)])
        with reading(location) as ledger:
            rows = ledger.kept(Selection())
            first = next(rows)
            with writing(location) as run:
                run.commit([Forgotten(row.key) for row in list(ledger.kept(Selection()))[100:]])
                run.commit([rejected(lead(number)) for number in range(1000, 1010)])

            rest = [json.loads(row.record)["record"]["id"] for row in rows]

    assert json.loads(first.record)["record"]["id"] == 0
    assert rest == list(range(1, 100))


@pytest.mark.postgres
def test_no_transaction_stays_open_when_rows_are_read_slowly(tmp_path: Path) -> None:
    """Between two rows the server sees a session at rest: nobody waits for the reader."""
    with server(tmp_path) as location:
        write(location, [rejected(lead(1)), rejected(lead(2))])
        with reading(location) as ledger, psycopg.connect(SERVER) as connection:
            next(ledger.kept(Selection()))
            states = connection.execute(
                "SELECT state FROM pg_stat_activity WHERE application_name = %s", [this_process()[:63]]
            ).fetchall()

    assert states == [("idle",)]


SELECTIONS = {
    "all": (Selection(), {1, 2, 3, 4, 5, 6}),
    "stream": (Selection(stream="deals"), {3}),
    "a part of the reason": (Selection(reason="Status 4"), {1, 3}),
    "a sign that SQL knows": (Selection(reason="%"), set()),
    "held": (Selection(kinds=TO_DECIDE), {4, 5, 6}),
    "of an event": (Selection(event="leads:5"), {5}),
    "since long ago": (Selection(since=1.0), {1, 2, 3, 4, 5, 6}),
    "since tomorrow": (Selection(since=time.time() + 86_400), set()),
    "several": (Selection(stream="leads", reason="422"), {1}),
}


@over_both
@pytest.mark.parametrize(("selection", "expected"), SELECTIONS.values(), ids=SELECTIONS)
def test_only_what_is_meant_comes_when_it_is_selected(
    place: Place, tmp_path: Path, selection: Selection, expected: set[int]
) -> None:
    """The stream of messages and the table agree on it."""
    with place(tmp_path) as location:
        write(
            location,
            [
                rejected(lead(1)),
                Concluded(part=invalid(2), outcome=Invalid(reason="schema: /email type")),
                rejected(lead(3, "deals"), status=400),
                Concluded(part=lead(4), outcome=HELD),
                collided(lead(5)),
                collided(lead(6), HeldAs.UNDECIDED),
            ],
        )
        with reading(location) as ledger:
            rows = {json.loads(row.record)["record"]["id"] for row in ledger.kept(selection)}
            groups = ledger.groups(selection)

    assert rows == expected
    assert sum(group.count for group in groups) == len(expected)


def printed(place: str) -> tuple[list[list[str]], str]:
    """The cells of the table, and all of it as text."""
    with reading(place) as ledger:
        shown = table(ledger.groups(Selection()))
    out = io.StringIO()
    Console(width=300, file=out).print(shown)
    text = out.getvalue()
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if "│" in line], text


def test_the_table_counts_rows_when_they_wait_for_the_same(tmp_path: Path) -> None:
    """By stream, mapping, kind, reason and status; nothing of a record is in it, and no markup is made of a name."""
    place = str(tmp_path / "ledger")
    write(place, [*(rejected(lead(number, "[b]x", email="ada@example.com")) for number in (1, 2)), rejected(lead(3))])

    cells, text = printed(place)

    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert cells == [
        ["[b]x", "streams[0] (leads)", "rejected", "status 422", "422", "2", today, today],
        ["leads", "streams[0] (leads)", "rejected", "status 422", "422", "1", today, today],
    ]
    assert "3 rows wait" in text


@over_both
def test_the_table_tells_of_what_rows_collide_with_when_they_do(place: Place, tmp_path: Path) -> None:
    """Since when the latest of it is known, and by which run; no id of an event is in it."""
    one, other = lead(1, email="ada@example.com"), lead(1, email="bob@example.com")
    with place(tmp_path) as location:
        write(location, [delivered(lead(2)), collided(lead(2, n=1), HeldAs.UNDECIDED)])
        write(location, [delivered(one), collided(other), rejected(lead(3))])

        cells, text = printed(location)

    today = time.strftime("%Y-%m-%d", time.gmtime())
    start = ["leads", "streams[0] (leads)"]
    undecided = "other content under a known event_id: set on_changed, or mend event_id"
    assert cells == [
        [*start, "collision", "its event_id is another's", "", "1", today, today, today, "2"],
        [*start, "rejected", "status 422", "422", "1", today, today, "", ""],
        [*start, "undecided", undecided, "", "1", today, today, today, "1"],
    ]
    assert "leads:" not in text


def defended(location: str) -> dict[int, list[Defender] | None]:
    """What each kept row collides with, by the record's number; times are left out."""
    with reading(location) as ledger:
        return {
            json.loads(row.record)["record"]["n"]: None
            if row.known is None
            else [replace(each, at=0.0) for each in row.known]
            for row in ledger.kept(Selection())
        }


@over_both
def test_a_row_tells_what_it_collides_with_when_it_is_to_be_decided(place: Place, tmp_path: Path) -> None:
    """All that was or may have been accepted under its identity, its own content and what was refused left out."""
    contents = [lead(1, n=number, email=f"{number}@example.com") for number in range(5)]
    with place(tmp_path) as location:
        write(location, [delivered(contents[0]), rejected(contents[1])])
        write(location, [Intent(contents[2]), Lost(contents[2]), collided(contents[3]), collided(lead(2, n=9))])
        write(location, [Concluded(part=contents[4], outcome=HELD), delivered(lead(1, source="capture-2", n=8))])
        write(location, [delivered(lead(3, n=7)), collided(lead(3, n=7))])

        known = defended(location)

    one = Defender(event_id="leads:1", is_delivered=True, at=0.0, run=1)
    perhaps = [replace(one, is_delivered=False, run=run) for run in (2, 3)]
    assert known == {1: None, 3: [one, *perhaps], 9: [], 4: None, 7: []}


@pytest.mark.parametrize("leaves", [pytest.param(None, id="nothing"), pytest.param("empty", id="an empty file")])
def test_there_is_no_ledger_when_no_run_has_made_it(tmp_path: Path, leaves: str | None) -> None:
    """That is said, and none is made."""
    place = tmp_path / "ledger"
    if leaves is not None:
        place.mkdir()
        (place / "ledger.sqlite3").touch()

    with pytest.raises(SettingsInvalid, match="there is none in the directory"), reading(str(place)):
        pass

    assert place.exists() is (leaves is not None)


# Whose rows go.


ERASED: dict[str, tuple[Sought, set[int], tuple[int, set[tuple[int, str]]]]] = {
    "person": (erasure.person("p-1"), {1, 6}, (0, {(1, "person"), (10, "person")})),
    "email": (erasure.email("ADA@example.com"), {2, 5}, (1, {(2, "email"), (10, "email"), (11, "person")})),
    "phone": (erasure.phone("020 7946 0018"), {3}, (0, {(3, "phone"), (10, "phone")})),
    "event": (erasure.event("leads:4"), {4}, (1, set())),
    "event of an invalid record": (erasure.event("leads:7"), {7}, (0, set())),
    "nobody": (erasure.person("nobody"), set(), (0, set())),
}
"""What is sought, the kept rows that go, the lost answers that go, and what is forgotten of deliveries."""


def nobodies(location: str) -> set[tuple[int, str]]:
    """The numbers of the leads of which is erased whom they were about, and by which kinds."""
    (salt,) = (row["value"] for row in rows_of(location, tables.facts) if row["name"] == "salt")
    numbers = {Digests(salt).event(f"leads:{number}"): number for number in range(20)}
    return {
        (numbers[row["event"]], kind)
        for row in rows_of(location, tables.deliveries)
        for kind in ("person", "email", "phone")
        if row[kind] == b""
    }


def standings(location: str) -> dict[tuple[bytes, bytes], int]:
    """Where each content stands."""
    return {(row["identity"], row["content"]): row["standing"] for row in rows_of(location, tables.deliveries)}


@over_both
@pytest.mark.parametrize(("sought", "gone", "others"), ERASED.values(), ids=ERASED)
def test_only_the_rows_of_one_go_when_they_are_erased(
    place: Place, tmp_path: Path, sought: Sought, gone: set[int], others: tuple[int, set[tuple[int, str]]]
) -> None:
    """The others stay, and so does what is known of deliveries, but for whom they were about."""
    unknown, forgotten = others
    by_address = lead(5, email="someone@example.com")
    with place(tmp_path) as location:
        write(
            location,
            [
                rejected(lead(1, person="p-1")),
                rejected(lead(2, person="p-2", email="Ada@example.com", friend="p-1")),
                rejected(lead(3, person="p-3", phone="+20 7946 0018".replace("+", "0"))),
                rejected(lead(4, person="p-4")),
                rejected(by_address, excerpt=b"no such box: ada@example.com"),
                Concluded(part=invalid(6, contact="p-1"), outcome=Invalid(reason="schema: /email type")),
                Concluded(part=invalid(7), outcome=Invalid(reason="schema: /email type")),
                *(Lost(event) for event in (lead(4), lead(8))),
                Lost(lead(9, "ada@example.com")),
                delivered(lead(10, person="p-1", email="ada@example.com", phone="+44 20 7946 0018")),
                delivered(lead(11, person="ada@example.com")),
            ],
        )
        before = standings(location)

        erased = erase(location, sought, wait=0)

        with reading(location) as ledger:
            left = {json.loads(row.record)["record"]["id"] for row in ledger.kept(Selection())}
            lost = ledger.unknown([1])
        assert nobodies(location) == forgotten
        assert standings(location) == before
        assert erase(location, sought, wait=0) == Erased(kept=0, unknown=0, forgotten=0)
    assert erased == Erased(kept=len(gone), unknown=unknown, forgotten=len(forgotten))
    assert left == {1, 2, 3, 4, 5, 6, 7} - gone
    assert len(lost) == 3 - unknown


@over_both
def test_all_of_one_person_is_forgotten_when_there_is_more_than_a_page(place: Place, tmp_path: Path) -> None:
    """By pages of what is known of deliveries, those about others and about nobody between them."""
    count = 2 * DELIVERIES_PAGE + 1
    with place(tmp_path) as location:
        write(location, [delivered(lead(number, email="ada@example.com")) for number in range(count)])
        write(location, [delivered(lead(number, email="bob@example.com")) for number in range(count, count + 9)])
        write(location, [delivered(lead(number)) for number in range(count + 9, count + 18)])

        erased = erase(location, erasure.email("ada@example.com"), wait=0)

        emails = [row["email"] for row in rows_of(location, tables.deliveries)]
    assert erased == Erased(kept=0, unknown=0, forgotten=count)
    assert (emails.count(b""), emails.count(None)) == (count, 9)


def test_an_erased_person_is_another_when_the_record_comes_again(stage: Stage) -> None:
    """The very content is still known; a change of it cannot be told from another person's, and is held."""
    stage.run(schema(), record(1, email="ada@example.com"))
    erase(str(stage.folder / "ledger"), erasure.email("ada@example.com"), wait=0)

    same = stage.run(schema(), record(1, email="ada@example.com"))
    stage.run(schema(), record(1, email="ada@example.com", id=1.0), record(1, email=" ADA@example.com"))

    assert "1 already delivered" in same.log
    assert [reason for _, reason, _ in stage.kept()] == ["its event_id is another's"]


def test_no_file_holds_the_value_when_its_rows_are_erased(tmp_path: Path) -> None:
    """Neither the database nor what lies beside it, after rows of all sizes were kept, and moved by larger ones.

    Nor the digest of whom a delivery was about.
    """
    place = tmp_path / "ledger"
    contents: set[bytes] = set()
    for growth in (1, 3, 7):
        events = [
            lead(number, email=f"{'ada' if number % 2 else 'bob'}@example.com", text="x" * (37 * number * growth % 300))
            for number in range(0, 600, 1 if growth == 1 else 3)
        ]
        contents |= {event.content for event in events if event.who.email == "ada@example.com"}
        write(str(place), [Lost(lead(growth, "ada@example.com")), *map(rejected, replayed(place, events))])
    write(str(place), [rejected(lead(1, email="ada@example.com", text="ada@example.com " * 1000))])
    about = {row["email"] for row in rows_of(str(place), tables.deliveries)} - {None}
    assert any(b"ada@example.com" in file.read_bytes() for file in place.iterdir())

    erased = erase(str(place), erasure.email("ada@example.com"), wait=0)

    gone = about - {row["email"] for row in rows_of(str(place), tables.deliveries)}
    files = {file.name: file.read_bytes() for file in place.iterdir()}
    assert erased == Erased(kept=301, unknown=3, forgotten=len(contents) + 1)
    assert not [name for name, held in files.items() if b"ada@example.com" in held]
    assert len(gone) == 300
    assert not [name for name, held in files.items() for digest in gone if digest in held]
    with reading(str(place)) as ledger:
        assert sum(1 for _ in ledger.kept(Selection())) == 300


def replayed(place: Path, events: list[Event]) -> list[Event]:
    """These events as they are when they are sent again from the rows that are kept of their records, if there are.

    By its digest a record is the same whatever its text, so that a row is written over by a larger one.
    """
    events = [
        structs.replace(event, origin=structs.replace(event.origin, digest=b"record %d" % event.origin.position))
        for event in events
    ]
    if not place.exists():
        return events
    with reading(str(place)) as ledger:
        rows = {json.loads(row.record)["record"]["id"]: row.key for row in ledger.kept(Selection())}
    return [
        structs.replace(event, origin=structs.replace(event.origin, kept_row=rows[event.origin.position]))
        for event in events
    ]


@pytest.mark.postgres
def test_a_server_writes_its_tables_anew_when_something_is_erased(tmp_path: Path) -> None:
    """All of those in which it stood: what a row was before an update stays there until then."""
    names = ["deliveries", "kept", "runs", "schemas", "unknown"]
    files = "SELECT relfilenode FROM pg_class WHERE oid = ANY(%s::regclass[]) ORDER BY relname"
    with server(tmp_path) as location, psycopg.connect(SERVER, autocommit=True) as connection:
        write(location, [delivered(lead(1, email="ada@example.com"))])
        _, space = location.split("?schema=")
        those = [f"{space}.{name}" for name in names]
        before = connection.execute(files, [those]).fetchall()

        erase(location, erasure.email("ada@example.com"), wait=0)

        after = connection.execute(files, [those]).fetchall()
    assert len(before) == len(after) == len(names)
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_it_is_said_when_somebody_reads_while_rows_are_erased(tmp_path: Path) -> None:
    """Then a file holds their bytes until that ends: another try finds nothing more, and cleans up."""
    place = tmp_path / "ledger"
    write(str(place), [rejected(lead(number, email="ada@example.com")) for number in range(3)])

    with closing(sqlite3.connect(place / "ledger.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM kept").fetchall()
        with pytest.raises(LedgerUnavailable, match="another program reads it"):
            erase(str(place), erasure.email("ada@example.com"), wait=0)

    assert erase(str(place), erasure.email("ada@example.com"), wait=0) == Erased(kept=0, unknown=0)
    assert not [file.name for file in place.iterdir() if b"ada@example.com" in file.read_bytes()]


def test_nothing_is_erased_when_a_run_has_the_ledger(tmp_path: Path) -> None:
    """Erasing waits for its lock as a run does, and says who has it."""
    place = str(tmp_path / "ledger")
    write(place, [rejected(lead(1, email="ada@example.com"))])

    with writing(place), pytest.raises(LedgerUnavailable, match=r"is held by target-driftrock \d+"):
        erase(place, erasure.email("ada@example.com"), wait=0)

    with reading(place) as ledger:
        assert len(list(ledger.kept(Selection()))) == 1


# The command.


def test_a_stream_is_printed_when_nobody_sees_it(stage: Stage) -> None:
    """On a pipe: the SCHEMA as it was read, then each record with its row; and no credentials are needed for it."""
    lines = [schema(), record(1, email="ada@example.com"), record(2, email=5)]
    stage.wire.post("/_sandbox/faults", {"refuse_sources": ["capture-1"]})
    stage.run(*lines)

    code, out, err = stage.finished("rejects", stage.config(environment="production", api_url="http://example.com"))

    printed = [decode(line, number) for number, line in enumerate(out.encode().splitlines(keepends=True), 1)]
    first, *records = printed
    assert (code, err) == (0, "")
    assert isinstance(first, Schema)
    assert first.raw == written(lines[:1]).strip()
    held = [each.record for each in records if isinstance(each, Record)]
    assert sorted(held, key=lambda each: each["id"]) == [
        {"id": 1, "email": "ada@example.com"},
        {"id": 2, "email": 5},
    ]
    assert all(isinstance(each, Record) and each.kept_row for each in records)


def test_the_options_choose_when_they_are_given(stage: Stage) -> None:
    """Each of them; --table shows people what is there, and no record."""
    stage.wire.post("/_sandbox/faults", {"refuse_sources": ["capture-1"]})
    stage.run(schema(), record(1, email="ada@example.com"), record(2, email=5))
    config = stage.config()

    assert stage.finished("rejects", config, "--reason", "schema")[1].count("RECORD") == 1
    assert stage.finished("rejects", config, "--stream", "leads", "--since", "2026-01-31")[1].count("RECORD") == 2
    assert stage.finished("rejects", config, "--since", "2999-01-01")[1] == ""
    assert stage.finished("rejects", config, "--held")[1] == ""
    shown = stage.finished("rejects", config, "--table")[1]
    assert "2 rows wait" in shown
    assert "ada" not in shown


def test_what_the_api_answered_is_told_when_it_is_asked_for(stage: Stage) -> None:
    """The answer of its own words, beside the reason; of the chosen rows alone; and in each printed line."""
    stage.wire.post("/_sandbox/faults", {"refuse_sources": ["capture-1"]})
    stage.run(schema(), record(1, email="ada@example.com"), record(2, email=5))
    config = stage.config()

    code, out, err = stage.finished("rejects", config, "--answers")
    told = {each["kind"]: each for each in map(json.loads, out.splitlines())}
    printed = [json.loads(line) for line in stage.finished("rejects", config)[1].splitlines()]

    assert (code, err) == (0, "")
    assert told["rejected"]["stream"] == "leads"
    assert told["rejected"]["reason"] == f"status {told['rejected']['status']}"
    assert "error_description" in json.loads(told["rejected"]["answer"])
    assert (told["invalid"]["status"], told["invalid"]["answer"]) == (None, "")
    assert stage.finished("rejects", config, "--answers", "--reason", "status")[1].count("\n") == 1
    reasons = [each["driftrock_reason"] for each in printed[1:]]
    assert {reason["kind"]: {"stream": "leads", **reason} for reason in reasons} == told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(["--answers", "--table"], "--answers", id="answers as a table"),
        pytest.param(["--answers", "--changed"], "--changed goes", id="answers and settling"),
        pytest.param(["--answers", "--delete", "--event", "1"], "--delete goes", id="answers and erasing"),
        pytest.param(["--delete"], "--delete goes with one of", id="nobody"),
        pytest.param(
            ["--delete", "--email", "x-ada@example.com", "--event", "1"], "--delete goes with one of", id="two"
        ),
        pytest.param(["--delete", "--email", "x-ada@example.com", "--held"], "--delete goes with one", id="a filter"),
        pytest.param(["--email", "x-ada@example.com"], "go with --delete", id="not said to delete"),
        pytest.param(["--delete", "--email", "x-ada"], "--email cannot be looked for", id="no address"),
        pytest.param(["--delete", "--row", "x-ada"], "--row cannot be looked for", id="no key"),
        pytest.param(["--delete", "--phone", ""], "is empty", id="nothing"),
        pytest.param(["--delete", "--email", "x-ada@example.com", "x-ada"], "an argument too many", id="a stray word"),
        pytest.param(["--since", "x-ada"], "2026-01-31", id="no day"),
    ],
)
def test_nothing_is_done_when_it_is_not_clear_what(stage: Stage, options: list[str], told: str) -> None:
    """Exit 2, a sentence, and no value in it."""
    stage.run(schema(), record(1))

    code, out, err = stage.finished("rejects", stage.config(), *options)

    assert (code, out) == (2, "")
    assert told in err
    assert "x-ada" not in err


def test_a_value_is_read_from_the_input_when_it_is_a_dash(stage: Stage) -> None:
    """So that it is in no list of processes; it is not printed either."""
    stage.wire.post("/_sandbox/faults", {"refuse_sources": ["capture-1"]})
    stage.run(schema(), record(1, email="ada@example.com"), record(2, email="bob@example.com"))

    code, out, err = stage.finished("rejects", stage.config(), "--delete", "--email", "-", given=b"ADA@example.com\r\n")

    assert (code, err) == (0, "")
    assert out == (
        "Erased: 1 kept row, 0 ids of events whose answer was lost, 1 note of whom an event was about, "
        "0 texts in SCHEMA lines, reasons and receipts.\n"
    )
    assert [reason for _, reason, _ in stage.kept()] == ["status 422"]


@pytest.mark.parametrize("options", [(), ("--delete", "--event", "1")], ids=["read", "erase"])
def test_it_ends_with_2_when_there_is_no_ledger(stage: Stage, options: tuple[str, ...]) -> None:
    """It is told what makes one, and none is made."""
    code, out, err = stage.finished("rejects", stage.config(), *options)

    assert (code, out) == (2, "")
    assert "there is none in the directory" in err
    assert not (stage.folder / "ledger").exists()


# The loop.


class Everything(RecordSink):
    """Keeps what it gets."""

    got: ClassVar[list[dict[str, Any]]] = []

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Keep it."""
        self.got.append(record)


class AnotherTarget(Target):
    """A target as the SDK makes it, with its own reader and validator."""

    name = "target-another"
    default_sink_class = Everything


def test_another_target_loads_it_when_it_is_an_sdk_target(stage: Stage) -> None:
    """The stream is plain Singer: the SDK's own reader and validator take it."""
    stage.wire.post("/_sandbox/faults", {"refuse_sources": ["capture-1"]})
    stage.run(schema(), *(record(number, email=f"{number}@example.com") for number in range(3)))
    _, out, _ = stage.finished("rejects", stage.config())
    Everything.got.clear()

    with captured():
        AnotherTarget(config={}).listen(io.StringIO(out))

    assert Everything.got == [{"id": number, "email": f"{number}@example.com"} for number in range(3)]


def replay(stage: Stage, **settings: Any) -> tuple[int, str]:
    """`target-driftrock rejects … | target-driftrock …`, both at once; the exit code and the log of the second."""
    config = stage.config(**settings)
    with stage.started("rejects", config, is_read=False) as rejects, stage.started(config, source=rejects) as target:
        ended = target.ended()
        assert rejects.ended().code == 0
    return ended.code, ended.err


COUNT = 500
MAPPED = {
    "stream": "leads",
    "event_type": "lead",
    "source_id": "capture-1",
    "fields": {"id": "{id}", "email": "{email}", "amount": "{amount}"},
}
OTHER = {**MAPPED, "source_id": "capture-2"}
PROPERTIES = {"id": {"type": "integer"}, "email": {"type": "string"}, "amount": {"type": "number"}}


def leads() -> list[dict[str, Any] | bytes]:
    """The leads that are refused, with numbers that a float cannot hold."""
    lines = [
        b'{"type": "RECORD", "stream": "leads", "record": {"id": %d, "email": "%d@example.com", "amount": %d.10}}\n'
        % (number, number, 2**60 + number)
        for number in range(COUNT)
    ]
    return [schema(properties=PROPERTIES), *lines]


MENDED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the capture takes them now": ({"streams": [MAPPED]}, {"streams": [MAPPED]}),
    "the mapping makes other events of them": ({"streams": [MAPPED]}, {"streams": [{**OTHER, "event_id": "{email}"}]}),
    "stream maps change the record": (
        {"streams": [MAPPED], "stream_maps": {"leads": {"email": "email.upper()", "amount": "amount"}}},
        {"streams": [OTHER], "stream_maps": {"leads": {"email": "email.upper()", "amount": "amount"}}},
    ),
    "the mapping made nothing valid of them": (
        {"streams": [{**MAPPED, "when": {"id": 0}}, {**MAPPED, "event_type": "{email}"}]},
        {"streams": [OTHER]},
    ),
}


@pytest.mark.parametrize(("before", "after"), MENDED.values(), ids=MENDED)
def test_each_is_delivered_once_when_its_cause_is_mended(
    stage: Stage, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Five hundred of them, through the pipe, numbers exact, and no row is left."""
    stage.wire.post("/_sandbox/faults", {"refuse_sources": ["capture-1"]})
    first = proving(stage, **before)
    assert len(stage.kept()) == COUNT, first
    stage.wire.post("/_sandbox/faults", {"refuse_sources": []})
    stage.wire.post("/_sandbox/reset")

    code, log = replay(stage, **after)

    sent = sorted(int(event["fields"]["id"]) for event in stage.accepted())
    amounts = {event["fields"]["id"]: event["fields"]["amount"] for event in stage.accepted()}
    assert code == 0, log
    assert sent == list(range(COUNT))
    assert amounts == {number: Decimal(f"{2**60 + number}.10") for number in range(COUNT)}
    assert stage.kept() == []
    assert "All is resolved (exit 0).\n" in log
    assert replay(stage, **after)[0] == 0
    assert len(stage.accepted()) == COUNT


def proving(stage: Stage, **settings: Any) -> str:
    """A run in which all leads are refused by a capture that has accepted something before; its log."""
    proof = {**MAPPED, "stream": "proof"}
    stage.wire.post("/_sandbox/faults", {"refuse_sources": []})
    stage.run(schema("proof", properties=PROPERTIES), record(0, "proof", email="a", amount=1), streams=[proof])
    stage.wire.post("/_sandbox/faults", {"refuse_sources": ["capture-1"]})
    messages = leads()
    done = stage.run(*messages, max_reject_percent=100, **settings)
    return done.log


def keys(stage: Stage) -> dict[str, str]:
    """The reason of each kept row, by its key."""
    with reading(str(stage.folder / "ledger")) as ledger:
        return {
            row.key: group.reason
            for group in ledger.groups(Selection())
            for row in ledger.kept(Selection(reason=group.reason))
        }


def test_a_row_keeps_its_key_when_it_is_refused_again(stage: Stage) -> None:
    """As often as it is sent: the same rows, with the new reason, though its mapping makes another event of it."""
    proving(stage, streams=[MAPPED])
    before = keys(stage)
    stage.wire.post("/_sandbox/faults", {"refuse_sources": ["capture-1", "capture-2"], "refuse_status": 400})
    stage.run(
        schema("proof", properties=PROPERTIES),
        record(0, "proof", email="a", amount=1),
        streams=[{**OTHER, "source_id": "capture-3", "stream": "proof"}],
    )

    once = replay(stage, streams=[MAPPED], max_reject_percent=100)
    after = keys(stage)
    twice = replay(stage, streams=[{**MAPPED, "event_id": "{email}"}], max_reject_percent=100)

    assert (once[0], twice[0]) == (0, 0)
    assert set(before.values()) == {"status 422"}
    assert after == dict.fromkeys(before, "status 400")
    assert keys(stage) == after
    assert f"{COUNT} kept rows wait, the oldest since" in twice[1].splitlines()[-1]


def test_a_row_stays_when_it_is_filtered_now(stage: Stage) -> None:
    """Nothing came of it, so nothing is settled: the last line says how many there were."""
    proving(stage, streams=[MAPPED])
    before = keys(stage)
    stage.wire.post("/_sandbox/faults", {"refuse_sources": []})

    code, log = replay(stage, streams=[{**MAPPED, "when": {"id": list(range(10))}}, {"stream": "*", "skip": True}])

    assert code == 0
    assert len(stage.kept()) == COUNT - 10
    assert keys(stage).items() <= before.items()
    assert f"{COUNT - 10} kept rows wait" in log.splitlines()[-1]
    assert f"{COUNT - 10} of them read again and filtered" in log.splitlines()[-1]


def test_a_held_event_is_sent_when_its_row_is_replayed(tmp_path: Path) -> None:
    """Its answer was lost, and a person has decided; read from the tap it would be held again."""
    with staged(tmp_path, silent_share=1.0) as stage:
        held: dict[str, Any] = {"on_unknown": "hold", "read_timeout": 0.2}
        stage.run(schema(), record(1), **held)
        assert [reason for _, reason, _ in stage.kept()] == ["its answer was lost"]
        stage.wire.post("/_sandbox/faults", {"silent_share": 0.0})
        stage.run(schema(), record(1), **held)
        assert len(stage.kept()) == 1

        code, log = replay(stage, **held)

        assert code == 0, log
        assert stage.kept() == []
        assert stage.wire.counts()["repeats"] == 1


@pytest.mark.postgres
def test_rows_go_when_they_are_replayed_from_a_server(stage: Stage) -> None:
    """Reader and run share a PostgreSQL ledger, and neither hinders the other."""
    with server(stage.folder) as location:
        stage.wire.post("/_sandbox/faults", {"refuse_sources": ["capture-1"]})
        stage.run(*leads()[:9], ledger=location, streams=[MAPPED])
        stage.wire.post("/_sandbox/faults", {"refuse_sources": []})

        code, log = replay(stage, ledger=location, streams=[MAPPED])

        assert code == 0, log
        assert len(stage.accepted()) == 8
        with reading(location) as ledger:
            assert ledger.groups(Selection()) == []
