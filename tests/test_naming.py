"""Names in sentences: what is shown of them, and what tells two apart that look alike."""

from __future__ import annotations

import json
import unicodedata

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from target_driftrock.naming import escaped, hint, nearest, shown

NAMES = st.text(max_size=12) | st.text(alphabet="aZ_.\\'\" \n\u00a0\ufeff\u0301\u200b\x1b\x85\u2028\ud800", max_size=6)


@pytest.mark.parametrize(
    "name",
    ["id", "First Name", "utm.source", "crm-leads*", "O'Brien", "Prénom", "日本", "a:b", "public/leads", "fields.a b"],
)
def test_a_name_is_shown_as_it_is_when_all_of_it_is_seen(name: str) -> None:
    """Quotes would only be in the way."""
    assert shown(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("\ufeffId", r"'\ufeffId'", id="a byte order mark"),
        pytest.param("a\nERROR b", r"'a\nERROR b'", id="a line break"),
        pytest.param("a\u2028b", r"'a\u2028b'", id="a line separator"),
        pytest.param("First\u00a0Name", r"'First\u00a0Name'", id="a no-break space"),
        pytest.param("e\u200bmail", r"'e\u200bmail'", id="of no width"),
        pytest.param("a\0b", r"'a\u0000b'", id="NUL"),
        pytest.param("\x1b[2J", r"'\u001b[2J'", id="an escape sequence"),
        pytest.param("a\x9b1mb", r"'a\u009b1mb'", id="a C1 control"),
        pytest.param("\u202egnp.exe", r"'\u202egnp.exe'", id="right to left"),
        pytest.param("\u3164", r"'\u3164'", id="a letter that is blank"),
        pytest.param("\U000e0041", r"'\U000e0041'", id="beyond four digits"),
        pytest.param("\ud800", r"'\ud800'", id="half a character"),
        pytest.param("\u0301a", r"'\u0301a'", id="an accent without a letter"),
        pytest.param("Id ", "'Id '", id="a space at its end"),
        pytest.param("", "''", id="nothing"),
        pytest.param(r"a\nb", r"'a\\nb'", id="a backslash"),
        pytest.param("'Id'", "\"'Id'\"", id="quotes"),
    ],
)
def test_a_name_is_quoted_when_something_in_it_is_not_seen(name: str, expected: str) -> None:
    """It is shown as what it is."""
    assert shown(name) == expected


@given(NAMES, NAMES)
@example("a\\nb", "a\nb")
@example("'a\\nb'", "a\nb")
@example("'a'", '"a"')
def test_two_names_are_shown_apart_when_they_differ(name: str, other: str) -> None:
    """What is shown serves as a key, too."""
    assert (shown(name) == shown(other)) == (name == other)


@given(NAMES)
def test_a_name_stays_on_its_line_when_it_is_shown(name: str) -> None:
    """Whatever is in it: it can be printed, and moves no cursor."""
    for text in (shown(name), escaped(name)):
        assert text.isprintable()
        assert text.encode().decode() == text


@given(NAMES)
def test_a_text_stays_as_it_is_when_it_was_escaped_before(text: str) -> None:
    """The log is the last line of defence, behind those that know what a name is."""
    assert escaped(escaped(text)) == escaped(text)


@pytest.mark.parametrize("name", ["\ufeffId", "First\u00a0Name", "a\nb\tc", "\x1b\x85\u200b"])
def test_an_escape_is_read_back_when_it_stands_in_json_or_yaml(name: str) -> None:
    """A person who must name such a property copies what is shown."""
    text = f'"{escaped(name)}"'

    assert json.loads(text) == name
    assert yaml.safe_load(text) == name


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [
        ("contact.email", ["contact_email", "contact_name", "email"], "contact_email"),
        ("contact.email", ["contact__email", "contact_name"], "contact__email"),
        ("contact.email", ["contact-email"], "contact-email"),
        ("contact_email", ["contact.email"], "contact.email"),
        ("contactEmail", ["contact_email", "contact_name"], "contact_email"),
        ("EMAIL", ["email", "Email"], "Email"),
        ("max-events", ["max_events", "max_events_per_second"], "max_events"),
        ("strasse", ["Straße"], "Straße"),
        ("***", ["email"], None),
        ("zzz", ["email"], None),
        ("email", [], None),
    ],
)
def test_the_nearest_is_found_when_case_and_what_joins_words_differ(
    name: str, names: list[str], expected: str | None
) -> None:
    """One rule for settings, streams, properties and stream maps."""
    assert nearest(name, names) == expected


@given(NAMES, st.lists(NAMES, max_size=5))
def test_the_nearest_is_one_of_them_when_one_is_found(name: str, names: list[str]) -> None:
    """No name is told that does not exist."""
    found = nearest(name, names)

    assert found is None or found in names


@pytest.mark.parametrize(
    ("name", "other", "told"),
    [
        pytest.param("emial", "email", "the nearest is email", id="seen"),
        pytest.param(" Id ", "Id", "the nearest is Id", id="seen, since the other is quoted"),
        pytest.param(
            "Id",
            "\ufeffId",
            r"the nearest is '\ufeffId', which begins with a byte order mark (U+FEFF): have the tap leave that out, or "
            r'write "\ufeffId" in double quotes',
            id="a byte order mark",
        ),
        pytest.param("Id", "Id ", "which ends with a space: have the tap leave that out", id="a space"),
        pytest.param("First Name", "First\u00a0Name", "which holds a no-break space (U+00A0)", id="within"),
        pytest.param(
            "email",
            "\ufeffe\u200bmail",
            "which begins with a byte order mark (U+FEFF) and holds a zero width space (U+200B)",
            id="two",
        ),
        pytest.param("Id", "ID\n", "which ends with a line break (U+000A)", id="and case"),
        pytest.param("email", "Email", "the nearest is Email: upper and lower case count", id="case"),
        pytest.param(
            unicodedata.normalize("NFC", "Prénom"),
            unicodedata.normalize("NFD", "Prénom"),
            r'in another Unicode form: write "Pre\u0301nom" in double quotes',
            id="decomposed",
        ),
        pytest.param("Name", "\uff2eame", r'in another Unicode form: write "\uff2eame"', id="full width"),
    ],
)
def test_two_names_are_told_apart_when_they_look_alike(name: str, other: str, told: str) -> None:
    """The nearest of `Id` would else be `Id`."""
    found = hint(name, [other])

    assert found is not None
    assert told in found
