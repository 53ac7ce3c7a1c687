"""The name of a ledger's directory: any sign in it is itself, and what was meant for something else is refused."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from target_driftrock.errors import SettingsInvalid
from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger import tables
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.inspection import doubts, judge_existence
from target_driftrock.ledger.interface import Concluded
from target_driftrock.ledger.reading import reading
from target_driftrock.ledger.sqlite import SQLite, read_folder
from tests.contract.places import opened
from tests.delivery.examples import API, event
from tests.ledger.rows import rows
from tests.lying import warned_of

SECRET = "s3cret-canary"

NAMES = {
    "question-mark": "leads?",
    "options-of-a-url": "leads?mode=memory&cache=shared",
    "percent": "leads%3Fdraft",
    "half-an-escape": "100%",
    "hash": "leads#1",
    "space": "my leads",
    "ampersand": "a&b;c",
    "quotes": "\"leads\" 'draft'",
    "backslash": r"leads\draft",
    "plus": "leads+draft",
    "umlaut": "Anfragen für Läden",
    "another-script": "見込み客",
    "emoji": "leads 🎈",
    "brackets": "[leads] {draft} <1>",
    "tilde": "leads~1",
    "equals-sign": "environment=production",
    "colon": "2026-01-01T00:00",
    "dollar-sign": "leads $",
    "at-sign": "leads@home",
    "name-of-a-memory": ":memory:",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_ledger_lies_in_its_directory_when_that_has_an_odd_name(tmp_path: Path, name: str) -> None:
    """It is made there, found there, read there, and nothing of it lies beside, where others could read it."""
    location = str(tmp_path / name)

    with opened(location) as ledger:
        assert ledger.is_new
        ledger.commit([Concluded(part=event(1), outcome=Delivered())])
    with opened(location) as ledger:
        assert not ledger.is_new
    with reading(location) as reader:
        assert len(reader.runs()) == 2

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["ledger.sqlite3", "lock"]
    judge_existence(SQLite(path=tmp_path / name))
    assert doubts(location) == warned_of(tmp_path / name)
    assert len(rows(location, tables.deliveries)) == 1


def test_a_name_is_the_same_directory_when_it_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but its first sign makes a home directory of it."""
    monkeypatch.chdir(tmp_path)

    assert read_folder("./~") == tmp_path / "~"
    assert read_folder("a/~/b") == tmp_path / "a" / "~" / "b"
    assert read_folder("./host=x") == tmp_path / "host=x"
    assert read_folder("./sqlite:x") == tmp_path / "sqlite:x"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("~", "", id="alone"),
        pytest.param("~/", "", id="with a slash"),
        pytest.param("~/leads/ledger", "leads/ledger", id="before a path"),
    ],
)
def test_a_ledger_lies_in_the_home_directory_when_it_says_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, path: str
) -> None:
    """A file has no shell that would expand it."""
    monkeypatch.setenv("HOME", str(tmp_path))

    assert read_folder(text) == tmp_path / path


def test_a_ledger_lies_in_a_user_s_home_directory_when_it_names_the_user() -> None:
    """As in a shell."""
    user = pwd.getpwuid(os.getuid())

    assert read_folder(f"~{user.pw_name}/ledger") == Path(user.pw_dir) / "ledger"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(f"$HOME/{SECRET}", "variable", id="a variable"),
        pytest.param(f"/srv/${{{SECRET}}}", "variable", id="a variable in braces"),
        pytest.param(f"/srv/${SECRET}/x", "variable", id="a variable further down"),
        pytest.param(f"$(cat {SECRET})", "variable", id="a command"),
        pytest.param(f"~no_such_user_{SECRET}/x", "home directory", id="no such user"),
        pytest.param(f"host=db.example.com password={SECRET}", "postgresql://", id="libpq's keywords"),
        pytest.param(f"dbname = x  password = '{SECRET}'", "postgresql://", id="keywords with spaces"),
        pytest.param(f"sslmode=require user=ada password={SECRET}", "postgresql://", id="other keywords first"),
        pytest.param(f"postgresql:{SECRET}", "postgresql://", id="a scheme alone"),
        pytest.param(f"postgresql:/{SECRET}", "postgresql://", id="a scheme and one slash"),
        pytest.param(f"postgresql+psycopg:{SECRET}", "postgresql://", id="a driver"),
        pytest.param(f"POSTGRES:{SECRET}", "postgresql://", id="a scheme in capitals"),
        pytest.param(f"jdbc:postgresql:{SECRET}", "postgresql://", id="Java's scheme"),
        pytest.param(f"sqlite:{SECRET}", "postgresql://", id="another scheme"),
        pytest.param(f"file:{SECRET}", "postgresql://", id="the scheme of files"),
        pytest.param(f"ada:{SECRET}@db.example.com/leads", "postgresql://", id="no scheme"),
        pytest.param(f"postgresql//ada:{SECRET}@db.example.com/leads", "postgresql://", id="half a scheme"),
        pytest.param(f"ada:5/{SECRET}@db.example.com/leads", "postgresql://", id="no scheme, and a slash"),
        pytest.param(f"{SECRET}@db.example.com:5432/leads", "postgresql://", id="no scheme, and a port"),
        pytest.param(f"/srv/{{{{ {SECRET} }}}}", "variable", id="a template"),
        pytest.param(f"'/srv/{SECRET}'", "quotes", id="quotes"),
        pytest.param(f'"{SECRET}"', "quotes", id="double quotes"),
        pytest.param(f"//ada:{SECRET}@db.example.com/leads", "postgresql://", id="two slashes"),
    ],
)
def test_it_is_refused_unseen_when_it_is_no_name_of_a_directory(text: str, words: str) -> None:
    """A directory of that name would hold the ledger where nobody looks, and its name might be a password."""
    with pytest.raises(SettingsInvalid, match=r"^ledger ") as refused:
        read_folder(text)

    (fault,) = refused.value.faults
    assert words in fault
    assert SECRET not in fault


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 2_100], ids=["a part", "the whole"])
def test_it_is_a_setting_to_mend_when_it_is_too_long_for_a_name(tmp_path: Path, name: str) -> None:
    """No waiting makes it shorter."""
    location = str(tmp_path / name)

    for look in (_open, _find, doubts, _read):
        with pytest.raises(SettingsInvalid, match="ledger is too long"):
            look(location)


def _open(location: str) -> None:
    open_ledger(location, api=API, wait=600, is_stopped=lambda: False)


def _find(location: str) -> None:
    open_ledger(location, api=API, wait=600, is_stopped=lambda: False, may_make=False)


def _read(location: str) -> None:
    with reading(location):
        pass
