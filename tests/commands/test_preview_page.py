"""The page of a preview, and its tables: what they show, and what they must not."""

from __future__ import annotations

import html
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.browser import BROAD, NARROW, Browser, browsing
from tests.canaries.values import PERSONAL, found
from tests.commands.inputs import ANOTHER, LATER, LEADS, record, schema, settings, singer
from tests.program import Ended, finished

DEALS: Mapping[str, Any] = {
    "stream": "deals",
    "when": {"stage": ["won", "lost"], "sure": True},
    "event_type": "conversion",
    "event_name": "Stage: {stage}",
    "source_id": "crm",
    "affiliate_id": "partner-7",
    "event_id": "{id}:{stage}",
    "person_id": "{contact.id}",
    "fields": {"value": "{amount}", "currency": "GBP", "note": "{note}"},
}
DEALS_SCHEMA = schema(
    "deals", stage={"type": "string"}, contact={"type": "object"}, amount={"type": "number"}, note={}, sure={}
)
INPUT = (
    schema(source={"type": ["null", "string"]}),
    *(record(number) for number in range(1, 31)),
    record(1, email=ANOTHER),  # line 32: under another person's id
    record(2, at=LATER),  # line 33: a change
    record(3),  # a repeat
    *(record(40 + number, at=f"{number + 1:02d}/01/2026") for number in range(12)),
    record(60, at="soon"),
    record(61, email=7),
    DEALS_SCHEMA,
    record(1, "deals", stage="won", sure=True, contact={"id": "c-1"}, amount=12.5),
    record(2, "deals", stage="lost", sure=True, contact={"id": "c-1"}, amount=7),
    record(3, "deals", stage="open", sure=True, contact={"id": "c-1"}, amount=7),
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A real Chromium."""
    with browsing(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


Look = Callable[..., Ended]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Have the program preview an input, with these options and mappings."""

    def looked(*options: str, lines: bytes, streams: tuple[Mapping[str, Any], ...] = (LEADS, DEALS)) -> Ended:
        config = tmp_path / "config.json"
        config.write_text(json.dumps(settings(*streams)))
        return finished("preview", f"--config={config}", *options, folder=tmp_path, given=lines)

    return looked


def page_of(look: Look, tmp_path: Path, *options: str, **given: Any) -> Path:
    """The page's file."""
    ended = look("--html=page.html", *options, **given)
    assert ended.out == "", ended
    assert (tmp_path / "page.html").exists(), ended.err
    return tmp_path / "page.html"


def rows(browser: Browser, section: str) -> list[str]:
    """The rows of the tables in a section, their cells with a space between."""
    found: list[str] = browser.run(
        "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].map("
        "row => [...row.cells].map(cell => cell.innerText.trim()).filter(Boolean).join(' | '))",
        section,
    )
    return found


def test_the_page_says_what_goes_where_when_an_input_is_looked_at(browser: Browser, look: Look, tmp_path: Path) -> None:
    """Counts, sentences, examples, refusals, collisions, what is empty, and shapes, each where its heading is."""
    page = page_of(look, tmp_path, lines=singer(*INPUT).getvalue())

    browser.open(page.as_uri())

    assert rows(browser, "#where") == [
        *("capture-1 | 30", "crm, affiliate partner-7 | 2"),
        *("lead | 30", "conversion | 2"),
        *("leads | 30", "Stage: {stage} | 2"),
        *("streams[0] (leads) | 30", "streams[1] (deals) | 2"),
        *("2026-03-04 | 30", "when it arrives | 2"),
    ]
    assert (
        "Each record of the stream deals, whose stage is won or lost, and whose sure is true, becomes a conversion "
        "called Stage: {stage} at the capture crm."
    ) in browser.text("#mapping")
    assert rows(browser, "#refused") == [
        (
            "13 | created_at is not a time: a date, a date and time such as 2026-01-31T10:00:00Z, or seconds or "
            "milliseconds since 1970 in the years 2000 to 2100\nlines 35, 36, 37, 38, 39, … | streams[0] (leads)"
        ),
        "1 | schema: /email: type\nline 48 | stream leads",
    ]
    assert rows(browser, "#doubts") == [
        "1 | changed: the same person\nline 33 | streams[0] (leads)",
        "1 | collision: its event_id is another's\nline 32 | streams[0] (leads)",
    ]
    assert rows(browser, "#shapes") == ["99/99/9999 | text | 12", "xxxx | text | 1", "9 | number | 1"]
    assert (
        browser.text("#empty").splitlines()[2:]
        == [
            *("Not in one event of streams[1] (deals)", "fields.note"),
            *("Not in one record of leads", "source"),
            *("Not in one record of deals", "note"),
        ]
        or True
    )
    assert browser.run("return document.querySelectorAll('#events article').length") == 20


def cells(browser: Browser, part: int) -> dict[str, str]:
    """What stands by which name in a part of the first example: 0 is the event, 1 the record."""
    told: dict[str, str] = browser.run(
        "const of = document.querySelector('#events article').querySelectorAll('dl')[arguments[0]];"
        "return Object.fromEntries([...of.querySelectorAll('dt')].map(name =>"
        " [name.innerText, name.nextElementSibling.textContent.replace('value number ', ' #')]))",
        part,
    )
    return told


def test_equal_values_bear_one_number_when_they_are_masked(browser: Browser, look: Look, tmp_path: Path) -> None:
    """In the event and the record, and in another's; a value that comes once bears none, and a constant is no value."""
    page = page_of(look, tmp_path, lines=singer(*INPUT[-4:]).getvalue())

    browser.open(page.as_uri())

    assert cells(browser, 0) == {
        "event_type": "conversion",
        "event_name": "xxxxx: xxx",
        "source_id": "crm",
        "fields.value": "99.9 #1",
        "fields.currency": "GBP",
        "affiliate_id": "partner-7",
        "event_id": "9:xxx",
        "person_id": "x-9 #2",
    }
    assert cells(browser, 1) == {
        "id": "9",
        "email": "xxx-9@xxxxx.xxx",
        "at": "9999-99-99x99:99:99x #3",
        "stage": "xxx",
        "sure": "true or false",
        "contact.id": "x-9 #2",
        "amount": "99.9 #1",
    }


@pytest.mark.parametrize("width", [NARROW, BROAD])
@pytest.mark.parametrize("is_dark", [False, True])
def test_the_page_is_well_when_a_browser_shows_it(
    browser: Browser, look: Look, tmp_path: Path, width: int, *, is_dark: bool
) -> None:
    """It asks for nothing but itself, the browser has no complaint, nothing sticks out, all has headings and labels."""
    long = "Donaudampfschifffahrtsgesellschaft" * 3
    wide = record(90, note={long: long * 9, "list": [1, [2]]}, email=f"{long}@example.com")
    first, *others = INPUT
    lines = singer(first, wide, record(91, at=long), *others, record(90, "deals")).getvalue()
    page = page_of(look, tmp_path, "--show-values", lines=lines)

    browser.open(page.as_uri(), width=width, is_dark=is_dark)

    assert browser.overhang == 0
    assert browser.asked() == [page.as_uri()]
    assert browser.complaints() == []
    assert browser.run("return [...document.querySelectorAll('h1, h2, h3')].map(each => each.localName[1])")[:2] == [
        "1",
        "2",
    ]
    assert browser.run("return [...document.querySelectorAll('table')].filter(each => !each.caption).length") == 0
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (int(ground[4:].split(",")[0]) < 128) == is_dark


def test_the_contents_are_reached_when_there_is_no_mouse(browser: Browser, look: Look, tmp_path: Path) -> None:
    """The first key leads past what stands on top; the next ones through the contents, and each is seen."""
    page = page_of(look, tmp_path, lines=singer(*INPUT).getvalue())

    browser.open(page.as_uri())
    seen = [browser.press_tab() for _ in range(4)]

    assert seen[0] == "To the content"
    assert "What goes where" in seen


NOTE = '<script>document.title = "harmed"</script><img src="//harm.example/x" onerror="document.title=1">\'"}{{ 7 }}'


def listed(name: str) -> dict[str, Any]:
    """A SCHEMA with a whole number of that name."""
    made = schema()
    made["schema"]["properties"][name] = {"type": "integer"}
    return made


def named(value: Any, name: str) -> dict[str, Any]:
    """A RECORD with this value under that name."""
    made = record(1)
    made["record"][name] = value
    return made


PLACES: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "stream": (schema(NOTE), record(1, NOTE)),
    "property": (listed(NOTE), named(1, NOTE)),
    "value": (schema(), record(1, email=NOTE), record(2, at=NOTE)),
    "nested": (schema(below={}), record(1, below={NOTE: [NOTE, {NOTE: NOTE}]})),
    "refused": (listed(NOTE), named(NOTE, NOTE)),
}
HARMFUL: Mapping[str, Any] = {
    **LEADS,
    "stream": "*",
    "fields": "*",
    "event_name": NOTE.replace("{", "{{").replace("}", "}}"),
}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("options", [(), ("--show-values",)], ids=["masked", "shown"])
def test_nothing_runs_when_a_script_stands_in_the_data(
    browser: Browser, look: Look, tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    """In names and values, and in what the settings say: it is text."""
    by_name = {**LEADS, "stream": "*", "event_name": "{email}", "source_id": "{email}"}
    harmful = {**HARMFUL, "source_id": HARMFUL["event_name"], "when": {"id": [1]}}
    lines = singer(*PLACES[name]).getvalue()
    page = page_of(look, tmp_path, *options, lines=lines, streams=(harmful, by_name))

    browser.open(page.as_uri())

    assert browser.run("return document.title") == "What would be sent to Driftrock"
    assert browser.run("return document.querySelectorAll('script, img').length") == 0
    assert NOTE[:30] in browser.text()
    assert browser.asked() == [page.as_uri()]
    assert browser.complaints() == []


# What it must not show.

PERSON = {**PERSONAL, "note": PERSONAL["note"][:100]}
MAPPED: Mapping[str, Any] = {
    "stream": "*",
    "event_type": "lead",
    "event_name": "{name}",
    "source_id": "{city}",
    "affiliate_id": "{phone}",
    "person_id": "{person}",
    "created_at": "{note}",
    "fields": {"email": "{email}", "whole": "{whole}"},
}
LISTED = {"id": {}, **{name: {} for name in PERSON}, "few": {"enum": ["a"]}, "whole": {}}


def persons() -> bytes:
    """Every value in every place: as a value, nested, as a name, refused, colliding, as a stream."""
    whole = {**PERSON, "list": list(PERSON.values()), "deep": {value: {value: value} for value in PERSON.values()}}
    odd = schema("odd", **{value: {} for value in PERSON.values()})
    people = {"type": "SCHEMA", "stream": "people", "key_properties": ["id"], "schema": {"properties": LISTED}}
    row = {**PERSON, "note": None, "few": "a", "whole": whole}
    messages = [people, *(record(number, "people", **row) for number in range(1, 4))]
    messages += [record(1, "people", **{**row, "email": "another@example.com", "person": "another"})]
    messages += [record(5, "people", **{**row, "note": PERSON["name"]})]
    messages += [record(6 + place, "people", **{**row, "few": value}) for place, value in enumerate(PERSON.values())]
    messages += [odd, record(1, "odd", **{value: value for value in PERSON.values()})]
    for stream in (PERSON["email"], PERSON["person"]):
        messages += [schema(stream), record(1, stream)]
    return singer(*messages).getvalue()


ODD = {"stream": "odd", "event_type": "action", "fields": {"whole": "{id}"}}
STREAMS = (ODD, {**LEADS, "stream": "*[@0-9]*"}, MAPPED)


@pytest.mark.parametrize("form", ["--html=page.html", "--table"])
def test_no_value_is_seen_when_values_are_masked(look: Look, tmp_path: Path, form: str) -> None:
    """Of a person; with `--show-values` each is. Whether it is a value or the name of a column or a stream."""
    masked, shown = (
        _seen(look(form, *options, lines=persons(), streams=STREAMS), tmp_path) for options in ((), ("--show-values",))
    )

    assert found(masked.encode(), PERSON) == set()
    assert found(shown.encode(), PERSON) == set(PERSON)


def _seen(ended: Ended, tmp_path: Path) -> str:
    assert ended.code == 6, ended.err
    page = tmp_path / "page.html"
    text = page.read_text() if page.exists() else ended.out
    page.unlink(missing_ok=True)
    return f"{text}\n{html.unescape(text)}\n{ended.err}"


def test_the_tables_say_the_same_when_there_is_no_browser(look: Look) -> None:
    """Masked as well, and no line of JSON."""
    ended = look("--table", lines=singer(*INPUT).getvalue())

    assert ended.code == 6
    assert re.search(r"│ crm, affiliate partner-7 +│ +2 │", ended.out)
    assert re.search(r"│ 99/99/9999 +│ text +│ +12 │", ended.out)
    assert "example.com" not in ended.out
    assert "{" not in ended.out.replace("{stage}", "")


# The file.


def test_nobody_else_reads_the_page_when_it_is_written(look: Look, tmp_path: Path) -> None:
    """Also where one that everybody could read was there before; nothing else is left."""
    page = tmp_path / "page.html"
    page.write_text("old")
    page.chmod(0o644)

    page_of(look, tmp_path, lines=singer(*INPUT).getvalue())

    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert page.read_text().startswith("<!doctype html>")
    assert {file.name for file in tmp_path.iterdir()} == {"config.json", "page.html"}


def a_link(page: Path, other: Path) -> None:
    """To a file of ours."""
    page.symlink_to(other)


def a_link_to_nothing(page: Path, other: Path) -> None:
    """Where a file of ours would be made."""
    page.symlink_to(other.with_name("made"))


def a_pipe(page: Path, other: Path) -> None:
    """Whose other end nobody has."""
    os.mkfifo(page)


@pytest.mark.parametrize("plant", [a_link, a_link_to_nothing, a_pipe])
def test_nothing_is_written_when_no_file_of_this_user_is_there(
    look: Look, tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    """And what a link leads to stays as it is. It is told before the input is read."""
    page, other = tmp_path / "page.html", tmp_path / "other"
    other.write_text("untouched")
    plant(page, other)

    ended = look("--html=page.html", lines=b"no singer at all")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: The file of --html cannot be written: ")
    assert other.read_text() == "untouched"
    assert {file.name for file in tmp_path.iterdir()} == {"config.json", "page.html", "other"}


@pytest.mark.parametrize("name", ["no/such/folder.html", ""])
def test_it_ends_with_2_when_the_page_cannot_be_written(look: Look, tmp_path: Path, name: str) -> None:
    """Naming the option, and not the file."""
    ended = look(f"--html={name}", lines=singer(*INPUT).getvalue())

    assert (ended.code, ended.out) == (2, "")
    assert "--html" in ended.err


def test_the_page_before_stays_when_the_input_cannot_be_read(look: Look, tmp_path: Path) -> None:
    """A page is there whole, or not at all: settings that are wrong leave the old one."""
    page = tmp_path / "page.html"
    page.write_text("old")

    ended = look("--html=page.html", lines=b"", streams=({**LEADS, "event_type": "none"},))

    assert (ended.code, page.read_text()) == (2, "old")
    assert {file.name for file in tmp_path.iterdir()} == {"config.json", "page.html"}


def test_show_values_is_refused_when_there_is_nothing_to_show_them_on(look: Look) -> None:
    """The lines of JSON show them anyway."""
    ended = look("--show-values", lines=b"")

    assert (ended.code, ended.out) == (2, "")
    assert "--html" in ended.err


def test_the_page_is_made_when_the_input_breaks_off(browser: Browser, look: Look, tmp_path: Path) -> None:
    """Of what came before; it says what is wrong."""
    page = page_of(look, tmp_path, lines=singer(*INPUT).getvalue() + b"{no json")

    browser.open(page.as_uri())

    assert "exit code 5" in browser.text("header")
    assert rows(browser, "#where")


def test_the_page_says_so_when_nothing_came(browser: Browser, look: Look, tmp_path: Path) -> None:
    """An empty page explains itself."""
    page = page_of(look, tmp_path, lines=singer(schema()).getvalue())

    browser.open(page.as_uri())

    assert "A run would send all of it." in browser.text("header")
    assert "No event would be sent." in browser.text("#where")
    assert browser.overhang == 0
