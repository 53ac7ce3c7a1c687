"""What lingers of a person in the ledger once it was erased: nothing, or what is said to be out of reach."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from psycopg import sql

from target_driftrock.commands import erasure
from target_driftrock.errors import LedgerUnavailable
from target_driftrock.events.event import Event
from target_driftrock.events.outcome import Invalid
from target_driftrock.ledger import tables
from target_driftrock.ledger.erasing import Erased, Sought, erase
from target_driftrock.ledger.interface import Concluded, Intent, Lost
from target_driftrock.ledger.reading import Selection, reading
from tests.commands.forms import EMAIL, EMAILS, PHONE, PHONES, line
from tests.commands.ledgers import PLACES, delivered, invalid, lead, rejected, server, write
from tests.contract.places import SERVER
from tests.ledger.rows import rows
from tests.stage import Stage, record, schema

Place = Callable[[Path], AbstractContextManager[str]]
over_both = pytest.mark.parametrize("place", PLACES)


# The forms of a value.

SEARCHES = {"email": erasure.email(EMAIL), "phone": erasure.phone(PHONE)}
OTHERS = {
    "person as a text": (erasure.person("42"), line(contact="42"), True),
    "person as a number": (erasure.person("42"), line(contact={"id": 42}), True),
    "person as a fraction": (erasure.person("42"), line(contact=42.0), True),
    "person in the first of a doubled key": (erasure.person("42"), b'{"id":"42","id":7}', True),
    "person in another form of Unicode": (erasure.person("Zoë"), line(id="Zoe\u0308"), True),
    "person with a zero before it": (erasure.person("42"), line(contact="042"), False),
    "a part of a text is nobody": (erasure.person("42"), line(contact="42a"), False),
    "event as a text": (erasure.event("e-1"), line(id="e-1"), True),
    "event escaped": (erasure.event("e-1"), b'{"id":"e\\u002d1"}', True),
    "a short number": (erasure.phone("123 4567"), line(phone="123-4567"), True),
    "a short number as a fraction": (erasure.phone("123 4567"), line(phone="1234567.0"), True),
    "a short number behind another prefix": (erasure.phone("123 4567"), line(phone="030 1234567"), False),
    "a short number before more digits": (erasure.phone("123 4567"), line(phone="123 4567 8"), False),
    "short numbers in a row": (erasure.phone("123 4567"), line(a=[123, 4567]), False),
    "a number sought with a zero in brackets": (
        erasure.phone("+32 (0)2 123 45 67"),
        line(phone="+32 2 123 45 67"),
        True,
    ),
    "a zero in brackets that was not sought": (
        erasure.phone("+32 2 123 45 67"),
        line(phone="+32 (0)2 123 45 67"),
        True,
    ),
    "an address with letters of its own": (
        erasure.email("zoe\u0308@example.com"),
        line(email="ZOË@example.com"),
        True,
    ),
}
FORMS = {
    **{f"email {name}": (SEARCHES["email"], *form) for name, form in EMAILS.items()},
    **{f"phone {name}": (SEARCHES["phone"], *form) for name, form in PHONES.items()},
    **OTHERS,
}


@pytest.mark.parametrize(("sought", "given", "expected"), FORMS.values(), ids=FORMS)
def test_a_record_is_found_when_the_value_stands_in_it(sought: Sought, given: bytes, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """In whatever form; and not what only looks like it, nor what is said to be out of reach."""
    assert sought.is_in_record(given) is expected


@pytest.mark.parametrize(
    ("search", "value"),
    [
        pytest.param(erasure.email, "example.com", id="no address"),
        pytest.param(erasure.email, "@example.com", id="no local part"),
        pytest.param(erasure.email, "a b@example.com", id="a space"),
        pytest.param(erasure.phone, "12345", id="few digits"),
        pytest.param(erasure.phone, "+++", id="no digits"),
    ],
)
def test_a_value_is_not_looked_for_when_it_would_fit_too_much(search: Callable[[str], Sought], value: str) -> None:
    """Erasing is for good, so a slip of the finger must not empty the ledger; the fault does not repeat it."""
    with pytest.raises(erasure.NotSearchable) as fault:
        search(value)

    assert value not in str(fault.value)


SEARCHED = [*SEARCHES.values(), erasure.person("42"), erasure.event("e-1")]
ODD = {
    "nested without end": b"[" * 1_000_000 + b'"' + EMAIL.encode() + b'"',
    "names nested without end": b'{"a":' * 300_000,
    "backslashes": b"\\" * 1_000_000,
    "half an escape": b'"\\ud835\\udc"\\u',
    "escapes of nothing": b"%" * 500_000 + b"&#" + b"9" * 100_000 + b";&#x110000;&#xd800;",
    "an endless number": b"9" * 1_000_000 + b"e99",
    "an exponent without end": b'{"p":1e999999999}',
    "escaped quotes": b'"' + b'\\"' * 500_000,
    "an open text": b'"' + b"a" * 1_000_000,
    "marks without end": "a\u0301\u0316".encode() * 300_000,
    "no UTF-8": bytes(range(256)) * 1000,
    "an address without end": b"ada.l@example.com" + b"-a" * 500_000,
    "addresses without end": b"ada.l@example.com-" * 50_000,
    "nearly a number": b"7 7 0 0 9 0 0 4 7 " * 50_000,
    "nothing": b"",
}


@pytest.mark.parametrize("given", ODD.values(), ids=ODD)
def test_a_search_ends_when_a_line_is_odd(given: bytes) -> None:
    """It fails on no bytes, however deep or damaged, and a megabyte takes seconds at most."""
    begun = time.process_time()

    for sought in SEARCHED:
        sought.is_in_record(given)
        sought.blanked(given)

    assert time.process_time() - begun < 20


@given(st.binary() | st.text('\\u0aD83d%&#x64;"e9.,+{}[]').map(str.encode))
def test_a_search_never_fails(given: bytes) -> None:
    """Whatever the bytes."""
    for sought in SEARCHED:
        sought.is_in_record(given)
        sought.blanked(given)


# What is left in the ledger.


def texts(location: str) -> bytes:
    """All that lies in the ledger: in a directory its files, byte for byte; in PostgreSQL its tables and statistics."""
    if not location.startswith("postgresql:"):
        return b"\n".join(file.read_bytes() for file in Path(location).iterdir())
    cells = [cell for table in tables.metadata.sorted_tables for row in rows(location, table) for cell in row.values()]
    _, space = location.split("?schema=")
    with psycopg.connect(SERVER) as connection:
        known = connection.execute(
            "SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats WHERE schemaname = %s", [space]
        ).fetchall()
    cells += [bytes.fromhex(cell.removeprefix("\\x")) if cell.startswith("\\x") else cell for cell in _members(known)]
    return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)


def _members(known: list[Any]) -> Iterator[str]:
    """The values in PostgreSQL's arrays, as texts."""
    for row in known:
        for cell in row:
            yield from (each.strip('"').replace("\\\\", "\\") for each in (cell or "").strip("{}").split(","))


def analyze(location: str) -> None:
    """Have PostgreSQL look at its tables, as it does by itself once a minute."""
    if location.startswith("postgresql:"):
        _, space = location.split("?schema=")
        with psycopg.connect(SERVER, autocommit=True) as connection:
            for table in tables.metadata.sorted_tables:
                connection.execute(f"ANALYZE {space}.{table.name}")


TRACES = (
    b"ada.l@example.com",
    b"ada.l%40example.com",
    b"ada.l%2540example.com",
    b"ada.l\\u0040example.com",
    b"7700900471",
    b"7700 900471",
    b"900471",
    b"900-471",
)


def traces(location: str) -> list[bytes]:
    """The spellings of the two that stand anywhere in it, in capitals or not."""
    held = texts(location).lower()
    return [each for each in TRACES if each in held]


def about(number: int, read: bytes, **values: Any) -> Event:
    """A lead whose record is this very line."""
    event = lead(number, **values)
    return structs.replace(event, origin=structs.replace(event.origin, record=read, digest=b"%16d" % number))


def erase_both(location: str) -> tuple[Erased, Erased]:
    """What went by the address, and by the number."""
    return erase(location, SEARCHES["email"], wait=0), erase(location, SEARCHES["phone"], wait=0)


@over_both
def test_nothing_is_left_when_a_person_is_erased(place: Place, tmp_path: Path) -> None:
    """Of no form in which a kept row had it; the rows of others stay, and so does what is known of deliveries."""
    found = [form for forms in (EMAILS, PHONES) for form, is_found in forms.values() if is_found]
    with place(tmp_path) as location:
        write(
            location,
            [
                *(rejected(about(number, form)) for number, form in enumerate(found)),
                rejected(lead(500, email="bob@example.com"), excerpt=f"not {EMAIL}".encode()),
                Lost(lead(501, EMAIL)),
                Lost(lead(502, "07700 900471")),
                delivered(lead(503, email=EMAIL, phone=PHONE)),
                rejected(lead(504, email="eve@example.com")),
            ],
        )
        analyze(location)
        assert traces(location)

        by_email, by_phone = erase_both(location)

        left = traces(location)
        kept = rows(location, tables.kept)
        standing = rows(location, tables.deliveries)
    assert left == []
    assert by_email.kept + by_phone.kept == len(found) + 1
    assert by_email.unknown + by_phone.unknown == 2
    assert [json.loads(row["record"])["record"]["id"] for row in kept] == [504]
    assert len(standing) == len(found) + 5
    assert [(row["email"], row["phone"]) for row in standing if row["standing"] == 1] == [(b"", b"")]


@over_both
def test_one_row_goes_when_it_is_erased_by_its_key(place: Place, tmp_path: Path) -> None:
    """And nothing else, also of the same event."""
    with place(tmp_path) as location:
        write(location, [rejected(lead(1, email="ada@example.com")), rejected(lead(1, email="eve@example.com"))])
        gone, left = rows(location, tables.kept)

        erased = erase(location, erasure.row(gone["key"].hex()), wait=0)

        assert erased == Erased(kept=1)
        assert rows(location, tables.kept) == [left]


def refused(number: int, reason: str, names: str, **values: Any) -> Concluded:
    """An invalid lead under a SCHEMA that lists a property of this name, and knows it in other places."""
    part = invalid(number, **values)
    listed = {"id": {"type": "integer"}, names: {"type": "string", "examples": [names, 447700900471]}}
    lines = json.dumps({**schema(properties=listed), "note": "kept"}).encode()
    return Concluded(
        part=structs.replace(part, origin=structs.replace(part.origin, schema=lines)), outcome=Invalid(reason=reason)
    )


@over_both
def test_nothing_is_left_when_a_schema_a_reason_and_a_receipt_hold_it(place: Place, tmp_path: Path) -> None:
    """A property may be named after a person. What others need of these lines stays."""
    reason = f"schema: /{EMAIL} required"
    receipt = json.dumps({"refusals": [{"mapping": "leads", "reason": reason, "count": 2}], "seconds": 1.5})
    with place(tmp_path) as location:
        changes = [refused(1, reason, EMAIL, **{EMAIL: 1}), refused(2, reason, EMAIL, email="bob@example.com")]
        write(location, changes, receipt=receipt)
        write(location, [refused(3, "schema: /07700900471 type", "07700900471", phone=PHONE)])
        write(location, [], receipt='{"events": {"made": 447700}}')
        analyze(location)

        by_email, by_phone = erase_both(location)

        left = traces(location)
        (other,) = rows(location, tables.kept)
        (line_,) = (row for row in rows(location, tables.schemas))
        receipts = {row["id"]: json.loads(row["receipt"]) for row in rows(location, tables.runs)}
        with reading(location) as ledger:
            printed = [row.schema for row in ledger.kept(Selection())]
    assert left == []
    assert (by_email, by_phone) == (Erased(kept=1, texts=3), Erased(kept=1, texts=2))
    assert json.loads(other["record"])["record"]["email"] == "bob@example.com"
    assert (other["reason"], other["schema"]) == ("erased", line_["digest"])
    assert printed == [line_["line"]]
    assert json.loads(printed[0])["schema"]["properties"]["id"] == {"type": "integer"}
    assert receipts[1] == {"refusals": [{"mapping": "leads", "reason": "erased", "count": 2}], "seconds": 1.5}
    assert receipts[3] == {"events": {"made": 447700}}


@over_both
def test_a_schema_goes_when_no_kept_row_needs_it(place: Place, tmp_path: Path) -> None:
    """It may name a person; the ones that rows need stay, byte for byte."""
    with place(tmp_path) as location:
        write(location, [rejected(lead(1, "deals", email=EMAIL)), rejected(lead(2, email="bob@example.com"))])
        (needed,) = (row["schema"] for row in rows(location, tables.kept) if row["stream"] == "leads")
        before = {row["digest"]: row["line"] for row in rows(location, tables.schemas)}

        erase(location, SEARCHES["email"], wait=0)

        after = {row["digest"]: row["line"] for row in rows(location, tables.schemas)}
    assert len(before) == 2
    assert after == {needed: before[needed]}


@over_both
def test_one_row_hinders_nobody_when_it_is_nested_without_end(place: Place, tmp_path: Path) -> None:
    """Rows of older ledgers may be; where the value stands at the bottom of one, it goes as well."""
    deep = b'{"record":{"a":' + b"[" * 100_000 + b'"%b"' + b"]" * 100_000 + b"}}"
    with place(tmp_path) as location:
        write(
            location,
            [
                rejected(about(1, deep % b"bob@example.com")),
                rejected(about(2, deep % EMAIL.encode())),
                rejected(lead(3, email=EMAIL)),
            ],
        )

        erased = erase(location, SEARCHES["email"], wait=0)

        (left,) = rows(location, tables.kept)
    assert erased == Erased(kept=2, forgotten=1)
    assert b"bob@example.com" in left["record"]


# Digests of whom something was about.


SPELT = {
    "a phone of two properties": (erasure.phone(PHONE), {"phone": "07700900471"}),
    "a phone as a fraction": (erasure.phone(PHONE), {"phone": "447700900471.0"}),
    "a phone with a zero in brackets": (erasure.phone("+32 2 123 45 67"), {"phone": "+32 (0)2 123 45 67"}),
    "a hash of a phone": (erasure.phone(PHONE), {"phone": dict(PHONES)["its hash"][0].decode()[-67:-3]}),
    "an address in capitals": (erasure.email(EMAIL), {"email": " ADA.L@EXAMPLE.COM "}),
    "an address in another form": (erasure.email("zoë@example.com"), {"email": "zoe\u0308@example.com"}),
    "a hash of an address": (erasure.email(EMAIL), {"email": dict(EMAILS)["its hash"][0].decode()[-67:-3]}),
    "an address as person_id": (erasure.email(EMAIL), {"person": EMAIL}),
    "a phone as person_id": (erasure.phone(PHONE), {"person": "+447700900471"}),
    "a person": (erasure.person("42"), {"person": "42"}),
    "a person as a fraction": (erasure.person("42.0"), {"person": "42"}),
}


@over_both
@pytest.mark.parametrize(("sought", "values"), SPELT.values(), ids=SPELT)
def test_a_digest_goes_when_the_value_meets_it(
    place: Place, tmp_path: Path, sought: Sought, values: dict[str, str]
) -> None:
    """The row of a delivery stays without it. A kept row that is about the person goes, whatever its record shows."""
    hidden = line(nothing="to be seen")
    with place(tmp_path) as location:
        write(location, [delivered(lead(1, **values)), rejected(about(2, hidden, **values)), delivered(lead(3))])
        kinds = _kinds(location)

        erased = erase(location, sought, wait=0)

        assert (erased.kept, erased.forgotten) == (1, 2)
        assert _kinds(location) == kinds
        assert {row[kind] for row in rows(location, tables.deliveries) for kind in _KINDS} == {None, b""}
        assert rows(location, tables.kept) == []


NOT_MET = {
    "a longer number": (erasure.phone("123 4567"), {"phone": "12345670"}),
    "another number": (erasure.phone(PHONE), {"phone": "07700900472"}),
    "another address": (erasure.email(EMAIL), {"email": f"not.{EMAIL}"}),
    "an address within a text": (erasure.email(EMAIL), {"email": f"Ada <{EMAIL}>"}),
    "a person in other capitals": (erasure.person("ada"), {"person": "Ada"}),
}


@pytest.mark.parametrize(("sought", "values"), NOT_MET.values(), ids=NOT_MET)
def test_a_digest_stays_when_the_value_does_not_meet_it(tmp_path: Path, sought: Sought, values: dict[str, str]) -> None:
    """It is another's, or said to be out of reach."""
    location = str(tmp_path / "ledger")
    write(location, [delivered(lead(1, **values)), rejected(about(2, line(nothing=1), **values))])

    assert erase(location, sought, wait=0) == Erased()


_KINDS = ("person", "email", "phone")


def _kinds(location: str) -> set[tuple[Any, ...]]:
    """What is known of deliveries, but for the digests: where each stands, and which kinds were named."""
    return {
        (row["identity"], row["standing"], *(row[kind] is None for kind in _KINDS))
        for row in rows(location, tables.deliveries)
    }


@over_both
def test_an_erased_delivery_names_nobody_when_it_is_dealt_with_again(place: Place, tmp_path: Path) -> None:
    """Neither an intent nor an outcome brings back whom its content was about."""
    content = lead(1, email=EMAIL)
    with place(tmp_path) as location:
        write(location, [rejected(content)])
        erase(location, SEARCHES["email"], wait=0)

        write(location, [Intent(content), delivered(content)])

        (row,) = rows(location, tables.deliveries)
    assert (row["email"], row["standing"]) == (b"", 1)


def test_an_erased_person_is_not_sent_again(stage: Stage) -> None:
    """The delivery stays known by its content."""
    stage.run(schema(), record(1, email=EMAIL))
    stage.finished("rejects", stage.config(), "--delete", "--email", EMAIL)

    again = stage.run(schema(), record(1, email=EMAIL))

    assert "1 already delivered" in again.log
    assert again.events == stage.run(schema()).events


# The command.


def test_it_ends_with_1_when_nothing_was_found(stage: Stage) -> None:
    """And says so, what it could not look into, and no value."""
    stage.run(schema(), record(1, email="bob@example.com"))

    code, out, err = stage.finished("rejects", stage.config(), "--delete", "--email", EMAIL)

    assert (code, err) == (1, "")
    assert "Nothing was found" in out
    assert "base64" in out
    assert EMAIL not in out


def test_the_help_says_what_cannot_be_found(stage: Stage) -> None:
    """Who relies on it should know before."""
    _, out, _ = stage.finished("rejects", "--help")

    assert "base64" in out


@pytest.mark.postgres
def test_a_server_forgets_its_statistics_when_something_is_erased(tmp_path: Path) -> None:
    """The most common values of a column stand in its catalogue, where a table is empty afterwards, too."""
    with server(tmp_path) as location:
        write(location, [*(Lost(lead(number, EMAIL, source=f"capture-{number}")) for number in range(9))])
        analyze(location)
        assert EMAIL.encode() in texts(location)

        erase(location, SEARCHES["email"], wait=0)

        assert EMAIL.encode() not in texts(location)


@pytest.mark.postgres
def test_it_is_said_when_another_user_owns_the_tables(tmp_path: Path) -> None:
    """PostgreSQL writes them anew for nobody else, and says so in a warning only."""
    role = sql.Identifier(f"ledger_test_{uuid4().hex}")
    with server(tmp_path) as location, psycopg.connect(SERVER, autocommit=True) as connection:
        write(location, [rejected(lead(1, email=EMAIL))])
        _, space = location.split("?schema=")
        names = {"role": role, "schema": sql.Identifier(space)}
        connection.execute(sql.SQL("CREATE ROLE {role} LOGIN").format(**names))
        try:
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {schema} TO {role}").format(**names))
            for kind in ("TABLES", "SEQUENCES"):
                connection.execute(sql.SQL(f"GRANT ALL ON ALL {kind} IN SCHEMA {{schema}} TO {{role}}").format(**names))
            theirs = location.replace("postgres@", f"{role.as_string(connection)[1:-1]}@")
            with pytest.raises(LedgerUnavailable, match="only their owner"):
                erase(theirs, SEARCHES["email"], wait=0)
        finally:
            connection.execute(sql.SQL("DROP OWNED BY {role}; DROP ROLE {role}").format(**names))

        assert rows(location, tables.kept) == []
