"""The table of filters: what each accepts, refuses, and lets pass as null."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from target_driftrock.mapping.filters.reading import UNREADABLE, Scene
from target_driftrock.mapping.filters.table import EXAMPLE_TABLES, FILTERS, TABLE, Role, boolean_words, filters_table
from tests.mapping.filters.reading import INVALID, TABLES, filled, made

NULLS = (None, "", " ", "\t", "\n", "\r\n", "\u00a0", "\u2003 ", "\u200b", "\ufeff", "\u2060\u200d ")
ROOT = Path(__file__).parents[3]
NO_TEXT: tuple[Any, ...] = (
    *({}, {"a": 1}, [], ["a"], [[1]], {"a": None}),
    *(float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")),
)
READING = [row.name for row in TABLE if row.role is Role.READS]
WRITTEN = {"replace": "replace: a, b", "date": "date: %d.%m.%Y", "phone": "phone: GB", "lookup": "lookup: stages"}


def sha(text: str) -> str:
    """Its digest."""
    return hashlib.sha256(text.encode()).hexdigest()


ACCEPTED: dict[str, list[tuple[Any, Any]]] = {
    "trim": [
        (" Ada", "Ada"),
        ("Ada ", "Ada"),
        ("\tAda\r\n", "Ada"),
        ("\u00a0Ada\u00a0", "Ada"),
        ("\u200bAda\ufeff", "Ada"),
        ("Ada King", "Ada King"),
        ("Ada", "Ada"),
        (" - ", "-"),
        (42, "42"),
        (Decimal("42.00"), "42"),
        (True, "true"),
    ],
    "lower": [
        ("ADA", "ada"),
        ("Ada@Example.ORG", "ada@example.org"),
        ("ada", "ada"),
        ("ÄÖÜ", "äöü"),
        ("ZOË", "zoë"),
        ("ŁÓDŹ", "łódź"),
        ("ΑΔΑ", "αδα"),
        (" A ", " a "),
        ("A1-B2", "a1-b2"),
        (1.5, "1.5"),
    ],
    "upper": [
        ("ada", "ADA"),
        ("gb-4711", "GB-4711"),
        ("ADA", "ADA"),
        ("äöü", "ÄÖÜ"),
        ("zoë", "ZOË"),
        ("straße", "STRASSE"),
        ("łódź", "ŁÓDŹ"),
        (" a ", " A "),
        ("1a", "1A"),
        (False, "FALSE"),
    ],
    "replace: a, b": [
        ("a", "b"),
        ("ada", "bdb"),
        ("b", "b"),
        ("A", "A"),
        ("aa", "bb"),
        ("ä", "ä"),
        (" a ", " b "),
        ("banana", "bbnbnb"),
        ("x", "x"),
        (12, "12"),
    ],
    "number": [
        ("0", 0),
        ("12", 12),
        ("007", 7),
        ("-5", -5),
        ("\u22125", -5),
        ("1.50", Decimal("1.50")),
        ("1,234", 1234),
        ("1,234,567.89", Decimal("1234567.89")),
        ("1 234.5", Decimal("1234.5")),
        ("1\u00a0234", 1234),
        ("1\u202f234", 1234),
        ("1'234", 1234),
        ("1\u2019234.5", Decimal("1234.5")),
        ("€5", 5),
        ("5 €", 5),
        ("-£5", -5),
        ("£-5", -5),
        ("USD 1,234.50", Decimal("1234.50")),
        ("1,234.50 USD", Decimal("1234.50")),
        ("EUR5", 5),
        (" 12 ", 12),
        (12, 12),
        (1.5, 1.5),
        (Decimal("1.10"), Decimal("1.10")),
        (-3, -3),
        (0, 0),
    ],
    "number: comma": [
        ("1,50", Decimal("1.50")),
        ("1.234,50 €", Decimal("1234.50")),
        ("1.234", 1234),
        ("1.234.567,8", Decimal("1234567.8")),
        ("1 234,5", Decimal("1234.5")),
        ("1'234,5", Decimal("1234.5")),
        ("-12,00", Decimal("-12.00")),
        ("0,123", Decimal("0.123")),
        ("CHF 12", 12),
        ("12 EUR", 12),
        ("12", 12),
        (1.5, 1.5),
    ],
    "date: %d.%m.%Y": [
        ("05.03.1980", "1980-03-05"),
        ("5.3.1980", "1980-03-05"),
        ("31.12.2026", "2026-12-31"),
        ("29.02.2024", "2024-02-29"),
        (" 05.03.1980 ", "1980-03-05"),
        ("01.01.0001", "0001-01-01"),
        ("31.12.9999", "9999-12-31"),
        ("05.3.1980", "1980-03-05"),
        ("5.03.1980", "1980-03-05"),
        ("10.10.2010", "2010-10-10"),
    ],
    "date: %Y%m%d": [("20260302", "2026-03-02"), (20260302, "2026-03-02"), ("20261101", "2026-11-01")],
    "date: %m/%d/%y": [("03/05/80", "1980-03-05"), ("1/2/26", "2026-01-02"), ("12/31/69", "1969-12-31")],
    "date: '%A, %B %d, %Y'": [("Friday, May 01, 2026", "2026-05-01"), ("friday, MAY 1, 2026", "2026-05-01")],
    "date: '%a %d %b %Y %I:%M %p'": [
        ("Fri 01 May 2026 12:00 AM", "2026-05-01T00:00:00Z"),
        ("Fri 1 May 2026 12:30 pm", "2026-05-01T12:30:00Z"),
        ("Fri  1  May  2026  1:05 PM", "2026-05-01T13:05:00Z"),
    ],
    "date: %Y-%m-%dT%H:%M:%S.%f%z": [
        ("2026-01-15T10:30:00.250+0100", "2026-01-15T10:30:00.250+01:00"),
        ("2026-01-15T10:30:00.0-05:30", "2026-01-15T10:30:00-05:30"),
        ("2026-01-15T10:30:00.000Z", "2026-01-15T10:30:00Z"),
    ],
    "date: %d/%m/%Y %H:%M, Europe/Berlin": [
        ("15/01/2026 10:30", "2026-01-15T10:30:00+01:00"),
        ("15/07/2026 10:30", "2026-07-15T10:30:00+02:00"),
        ("29/03/2026 03:00", "2026-03-29T03:00:00+02:00"),
        ("29/03/2026 01:59", "2026-03-29T01:59:00+01:00"),
        ("25/10/2026 03:00", "2026-10-25T03:00:00+01:00"),
    ],
    "date: excel": [
        (61, "1900-03-01"),
        (46037, "2026-01-15"),
        ("46037", "2026-01-15"),
        (46037.0, "2026-01-15"),
        (Decimal("46037.4375"), "2026-01-15T10:30:00Z"),
        (46037.604166666664, "2026-01-15T14:30:00Z"),
        (" 46037.5 ", "2026-01-15T12:00:00Z"),
        (29285, "1980-03-05"),
        (2958465, "9999-12-31"),
        (Decimal("46037.99999999999"), "2026-01-16T00:00:00Z"),
    ],
    "date: excel, Europe/Berlin": [(46037, "2026-01-15"), (46037.4375, "2026-01-15T10:30:00+01:00")],
    "date: epoch": [
        (1773230400, "2026-03-11T12:00:00Z"),
        (1773230400123, "2026-03-11T12:00:00.123Z"),
        ("1773230400", "2026-03-11T12:00:00Z"),
        ("1773230400.5", "2026-03-11T12:00:00.500Z"),
        (1773230400.25, "2026-03-11T12:00:00.250Z"),
        (Decimal(1773230400), "2026-03-11T12:00:00Z"),
        (946684800, "2000-01-01T00:00:00Z"),
        (4133980799, "2100-12-31T23:59:59Z"),
        (" 1773230400 ", "2026-03-11T12:00:00Z"),
        (946684800000, "2000-01-01T00:00:00Z"),
    ],
    "boolean": [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        (1.0, True),
        (Decimal("0.0"), False),
        ("Ja", True),
        ("NEIN", False),
        (" yes ", True),
        ("No", False),
        ("on", True),
        ("off", False),
        ("WAHR", True),
        ("Falsch", False),
        ("oui", True),
        ("SÍ", True),
        ("não", False),
        ("T", True),
        ("f", False),
    ],
    "phone: GB": [
        ("0044 20 7946 0018", "+442079460018"),
        ("+44 (0)20 7946 0018", "+442079460018"),
        ("020 7946 0018", "+442079460018"),
        ("(020) 7946-0018", "+442079460018"),
        ("(+44) 20 7946 0018", "+442079460018"),
        ("07700/900471", "+447700900471"),
        ("07700.900.471", "+447700900471"),
        ("07700\u00a0900471", "+447700900471"),
        (7700900471, "+447700900471"),
        (447700900471, "+447700900471"),
        (447700900471.0, "+447700900471"),
        ("+1 202 555 0100", "+12025550100"),
        ("00 1 202 555 0100", "+12025550100"),
    ],
    "phone: US": [("(202) 555-0100", "+12025550100"), ("011 44 20 7946 0018", "+442079460018")],
    "sha256": [(text, sha(text)) for text in ("a", " a", "A", "ä", "ada@example.com", "1", "\n1", "true", "{}")]
    + [(1, sha("1")), (1.0, sha("1")), (Decimal("1.50"), sha("1.5")), (True, sha("true"))],
    "lookup: stages": [("won", "Closed"), ("lost", None), ("3", True), (3, True), (3.0, True), (Decimal("3.00"), True)],
    "lookup: any": [("a", "A"), ("b", "other"), ("*", "other"), (7, "other")],
    "json": [
        ("{}", {}),
        ("[]", []),
        ("1", 1),
        ("1.10", Decimal("1.10")),
        ("true", True),
        ("null", None),
        ('"a"', "a"),
        (' {"a": [1]} ', {"a": [1]}),
        ({"a": 1}, {"a": 1}),
        ([1], [1]),
        (7, 7),
        ('""', None),
    ],
    "json: a.b.0": [
        ('{"a": {"b": ["x"]}}', "x"),
        ({"a": {"b": ["x"]}}, "x"),
        ('{"a": {"b": []}}', None),
        ('{"a": {"b": {"0": "x"}}}', "x"),
        ('{"a.b.0": "x", "a": 1}', "x"),
        ('{"a": 1}', None),
        ("[]", None),
        ("7", None),
        ("{}", None),
        ('{"a": {"b": [null]}}', None),
    ],
    "json: 0.mail": [('[{"mail": "ada@example.com"}]', "ada@example.com")],
}
REFUSED: dict[str, list[Any]] = {
    "trim": [*NO_TEXT],
    "lower": [*NO_TEXT],
    "upper": [*NO_TEXT],
    "replace: a, b": [*NO_TEXT],
    "sha256": [*NO_TEXT, "\ud800"],
    "number": [
        *("1,50", "1,5", "0,123", "1.2.3", "1,23,456", "12,34", "1234,567", "1,234'567", "1 234,567", "1.234,50"),
        *("1,2345", ",5", ".5", "5.", "1e5", "1E5", "+5", "--5", "-", "5-", "(5)", "- 5", "5%", "½", "٣", "0x10"),
        *("€5 EUR", "€€5", "5 €€", "5 Mio", "5 Tsd", "5 kg", "5 cup", "eur 5", "US$5", "€", "EUR", "-€-5", "NaN"),
        *("Infinity", "five", "1 2", "1  234", "1_234", "9" * 65, True, False, [], {}, [1]),
        *(float("nan"), Decimal("NaN")),
    ],
    "number: comma": [
        *("1.50", "1.5", "1,234,567", "1,2,3", "0.123", "12.34", "1.23.456", ".5", "1,", ",5", "1.234.5", True),
    ],
    "date: %d.%m.%Y": [
        *("31.02.2026", "29.02.2026", "00.01.2026", "32.01.2026", "01.13.2026", "1.1.26", "01/01/2026", "2026-01-01"),
        *("01.01.2026 10:00", "x01.01.2026", "01.01.20266", "1. 1. 2026", "01.01.0000", True, [], 46037),
        "\u0660\u0661.\u0660\u0661.2026",
    ],
    "date: %Y%m%d": ["2026111", "202611", 2026111, "20261301"],
    "date: '%A, %B %d, %Y'": ["Thursday, May 01, 2026", "Freitag, Mai 01, 2026", "Fri, May 01, 2026"],
    "date: %d/%m/%Y %H:%M, Europe/Berlin": [
        *("29/03/2026 02:00", "29/03/2026 02:30", "29/03/2026 02:59", "25/10/2026 02:00", "25/10/2026 02:30"),
        *("25/10/2026 02:59", "15/01/2026 24:00", "15/01/2026 10:60", "15/01/2026", "15/01/2026 10:30 Uhr"),
    ],
    "date: %Y-%m-%dT%H:%M:%S.%f%z": [
        *("2026-01-15T10:30:00.250", "2026-01-15T10:30:00.250CET", "9999-12-31T23:59:59.0-0100"),
    ],
    "date: excel": [
        *(0, 1, 59, 60, 60.5, -46037, 2958466, 20260302000, "46037,5", "46037.5.1", "15.01.2026", "1e5", True, [], {}),
        *(float("nan"), float("inf"), Decimal("sNaN"), "-46037", "+46037"),
    ],
    "date: epoch": [0, 1, 46037, -1773230400, 20260302, 99999999999999, "soon", "2026-01-01", True, [], float("nan")],
    "boolean": [
        *("perhaps", "ok", "x", "ne", "da", "tak", "nej", "2", "-1", "yes!", "y e s", "consent", "☑", "0.5", "null"),
        *(2, -1, 0.5, [], {}, [True], {"a": True}, float("nan")),
    ],
    "phone: GB": [
        *("none", "7946 0018", "07700", "0", "+", "---", "020 7946 0018 ext. 7", "0800 FLOWERS", "020-7946-0018;7"),
        *("07700 900471 / 07700 900472", "07700+900471", "++447700900471", True, [], {}),
        *("\u0660\u0667\u0667\u0660\u0660900471", "07700\u2013900471"),
        *("+999 12345678", "0" * 41, 1, float("nan"), "tel:07700900471"),
    ],
    "phone: US": ["0044 20 7946 0018", "555-0100"],
    "lookup: stages": ["Won", " won", "won ", "open", "*", "3.0", True, [], {}, ["won"], {"won": 1}, float("nan"), 4],
    "json": ["{", "{'a': 1}", "a", "[1,]", "NaN", '"\ud800"', "{]", "1 2", float("nan"), "True", "9" * 5000, "1e9999"],
}


def _cases(table: dict[str, list[Any]]) -> Iterator[Any]:
    for filters, rows in table.items():
        yield from (pytest.param(filters, row, id=f"{filters}-{number}") for number, row in enumerate(rows))


@pytest.mark.parametrize(("filters", "case"), list(_cases(ACCEPTED)))
def test_a_filter_gives_the_value_when_it_can_read_it(filters: str, case: tuple[Any, Any]) -> None:
    """And of its type: a number is no text."""
    value, result = case

    found = made(filters, value, scene=TABLES)

    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(("filters", "value"), list(_cases(REFUSED)))
def test_a_filter_refuses_a_value_when_it_cannot_read_it(filters: str, value: Any) -> None:
    """Nothing is guessed: an amount that is wrong by a hundred buys the wrong advertising."""
    assert made(filters, value, scene=TABLES) is INVALID
    assert made(f"{filters} | else", value, scene=TABLES) is None
    assert made(f"{filters} | else: odd", value, scene=TABLES) == "odd"


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("value", NULLS, ids=ascii)
def test_null_passes_every_filter_when_there_is_no_value(name: str, value: Any) -> None:
    """A blank too, and what is missing; but for `default`, which is for these."""
    filters = WRITTEN.get(name, name)

    assert made(filters, value, scene=TABLES) is None
    assert filled(f"{{y | {filters}}}", {"x": value}, scene=TABLES) is None
    assert made(f"{filters} | else: odd", value, scene=TABLES) is None
    assert made(f"{filters} | default: 0", value, scene=TABLES) == 0


def test_every_filter_is_tried_when_the_table_has_it() -> None:
    """Ten inputs and more that each accepts, and that it refuses."""
    for name in READING:
        for table in (ACCEPTED, REFUSED):
            tried = [row for filters, rows in table.items() if filters.partition(":")[0] == name for row in rows]
            assert len(tried) >= 10, name


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0", 0),
        ("-7", -7),
        ("1.50", Decimal("1.50")),
        ("true", True),
        ("false", False),
        ("'0'", "0"),
        ("'true'", "true"),
        ('"1.5"', "1.5"),
        ("'null'", "null"),
        ("007", "007"),
        ("True", "True"),
        ("direct", "direct"),
        ("a b", "a b"),
        ("'a, b'", "a, b"),
        ("1:2", "1:2"),
        ("[1]", "[1]"),
    ],
)
def test_a_default_has_its_type_when_it_is_without_quotes(written: str, value: Any) -> None:
    """Numbers, true and false are these; all else, and all in quotes, is a text."""
    found = made(f"default: {written}", None)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("value", ["x", 0, False, [], {}, 1.5])
def test_a_value_stays_when_there_is_one_before_a_default(value: Any) -> None:
    """Zero and false are values."""
    assert made("default: y", value) is value


def test_filters_work_in_their_order_when_there_are_several() -> None:
    """Each on what the one before it gives; an `else` on what any of those before it could not read."""
    assert made("trim | lower | replace: a, b", " ADA ") == "bdb"
    assert made("number | else | default: 0", "x") == 0
    assert made("default: x | number", None) is INVALID
    assert made("default: x | number | else: y", None) == "y"
    assert made("trim | number | else: odd | upper", "x") == "ODD"
    assert made("replace: x, '' | default: none", "xx") == "none"
    assert made("json: a | trim", '{"a": " "}') is None


@pytest.mark.parametrize(
    ("filters", "moment"),
    [
        pytest.param("date: %d.%m.%Y, Europe/Berlin", "1980-03-05T00:00:00+01:00", id="a form"),
        pytest.param("date: %d.%m.%Y", "1980-03-05T00:00:00Z", id="without a zone"),
        pytest.param("date: %d.%m.%Y, America/New_York", "1980-03-05T00:00:00-05:00", id="in the west"),
    ],
)
def test_a_day_is_its_zone_s_midnight_when_a_moment_is_made(filters: str, moment: str) -> None:
    """In a field it is the day itself, and not the evening before."""
    assert made(filters, "05.03.1980", scene=Scene(is_moment=True)) == moment
    assert made(filters, "05.03.1980") == "1980-03-05"


def test_a_day_is_no_moment_when_its_zone_has_no_midnight_then() -> None:
    """São Paulo went from 23:59 to 1:00, and Havana had midnight twice; the days themselves are there."""
    for zone, day in (("America/Sao_Paulo", "04.11.2018"), ("America/Havana", "01.11.2026")):
        assert made(f"date: %d.%m.%Y, {zone}", day, scene=Scene(is_moment=True)) is INVALID
        assert made(f"date: %d.%m.%Y, {zone}", day) != INVALID


def test_a_serial_is_a_moment_when_one_is_made() -> None:
    """The midnight of its zone."""
    assert made("date: excel, Europe/Berlin", 46037, scene=Scene(is_moment=True)) == "2026-01-15T00:00:00+01:00"


GERMAN = """
import locale, time
from tests.mapping.filters.reading import made
locale.setlocale(locale.LC_ALL, "")
print(time.strftime("%B", time.gmtime(5_500_000)), made("date: '%A, %d %B %Y'", "Wednesday, 05 March 1980"))
"""


@pytest.mark.skipif(shutil.which("localedef") is None, reason="no localedef on this machine, which makes a locale")
def test_months_are_english_when_the_process_speaks_another_language(tmp_path: Path) -> None:
    """What `strptime` reads depends on LC_TIME."""
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", tmp_path / "de_DE.UTF-8"], check=True)  # noqa: S607
    environment = {**os.environ, "LOCPATH": str(tmp_path), "LC_ALL": "de_DE.UTF-8"}

    printed = subprocess.run(
        [sys.executable, "-c", GERMAN], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout

    assert printed.split() == ["März", "1980-03-05"]


# The docs.


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_an_example_is_true_when_the_table_shows_it(row: Any) -> None:
    """The examples of the table are tests."""
    assert row.examples
    for written, value, result in row.examples:
        found = made(written, value, scene=TABLES)
        assert (found, type(found)) == ((INVALID, str) if result is UNREADABLE else (result, type(result))), written


@pytest.mark.parametrize("part", [filters_table(), boolean_words()], ids=["filters", "boolean"])
def test_the_table_is_the_code_s_when_the_page_shows_it(part: str) -> None:
    """docs/mapping.md has what `filters_table()` and `boolean_words()` give: print them, and put them there."""
    page = (ROOT / "docs/mapping.md").read_text(encoding="utf-8")

    assert part in page


def test_a_filter_stands_once_when_the_table_has_it() -> None:
    """By its name."""
    assert len(FILTERS) == len(TABLE)
    assert EXAMPLE_TABLES
