"""Where a ledger may lie, what is said of a wrong setting, and what is never said."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from psycopg import sql

from target_driftrock.errors import LedgerUnavailable, SettingsInvalid
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.inspection import doubts
from target_driftrock.ledger.location import parse_location
from target_driftrock.ledger.postgres import Postgres
from target_driftrock.ledger.sqlite import SQLite
from tests.contract.places import SERVER, new_schema, opened, server
from tests.delivery.examples import API
from tests.lying import wherever

SECRET = "s3cret-canary"


def fault_of(location: str) -> str:
    """What a run says when its ledger is wrong: it does not wait for what no waiting mends."""
    with pytest.raises(SettingsInvalid) as invalid:
        open_ledger(location, api=API, wait=600, is_stopped=lambda: False)
    return str(invalid.value)


@pytest.mark.parametrize(
    "location",
    [
        pytest.param(f"mysql://u:{SECRET}@127.0.0.1/d", id="another database"),
        pytest.param(f"sqlite:///{SECRET}", id="another form of URL"),
        pytest.param(f"postgresql://u:{SECRET}@127.0.0.1:port/d", id="a port that is no number"),
        pytest.param(f"postgresql://u:{SECRET}@[::1/d", id="half an address"),
        pytest.param(f"postgresql://u:{SECRET}@127.0.0.1/d?schema=a;drop", id="a schema that is no name"),
        pytest.param(f"postgresql://u:{SECRET}@127.0.0.1/d?schema={'a' * 64}", id="a schema that would be cut off"),
    ],
)
def test_a_location_is_a_setting_to_mend_when_it_is_neither_directory_nor_url(location: str) -> None:
    """The fault names the setting, is one sentence long, and shows nothing of the value."""
    fault = fault_of(location)

    assert fault.startswith("ledger")
    assert "\n" not in fault
    assert SECRET not in fault


def test_a_url_names_the_schema_when_it_has_the_option() -> None:
    """The option is ours and not the driver's, whose own options stay."""
    place = parse_location(f"postgres://u:{SECRET}@127.0.0.1/d?sslmode=disable&schema=leads")

    assert isinstance(place, Postgres)
    assert place.schema == "leads"
    assert place.options["sslmode"] == "disable"
    assert SECRET not in repr(place)
    assert SECRET not in place.name


SOCKET = "/var/run/postgresql"
FORMS = {
    "a socket": ("postgresql:///d?host=/var/run/postgresql", {"host": SOCKET, "dbname": "d"}),
    "a socket before the database": ("postgresql://%2Fvar%2Frun%2Fpostgresql/d", {"host": SOCKET, "dbname": "d"}),
    "no host": ("postgresql:///d", {"dbname": "d"}),
    "nothing at all": ("postgresql://", {}),
    "host and port in the query": ("postgresql:///d?host=a&port=5", {"host": "a", "port": "5", "dbname": "d"}),
    "who asks in the query": (
        f"postgresql://a?user=u&password={SECRET}",
        {"host": "a", "user": "u", "password": SECRET},
    ),
    "several hosts": ("postgresql://a:5,b,[::1]:6/d", {"host": "a,b,::1", "port": "5,,6", "dbname": "d"}),
    "several hosts in the query": ("postgresql:///?host=a,b&port=5", {"host": "a,b", "port": "5"}),
    "signs in a password": (
        "postgresql://u:a%40%2f?#:+@a/d",
        {"password": "a@/?#:+", "user": "u", "host": "a", "dbname": "d"},
    ),
    "the name of SQLAlchemy": ("postgresql+psycopg://a/d", {"host": "a", "dbname": "d"}),
    "the short name": ("postgres://a/d?ssl=true", {"host": "a", "dbname": "d", "sslmode": "require"}),
    "a service": ("postgresql:///?service=leads", {"service": "leads"}),
}


@pytest.mark.parametrize(("location", "options"), FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("schema", [None, "leads"], ids=["no schema", "a schema"])
def test_a_url_is_read_as_libpq_reads_it_when_it_has_one_of_its_forms(
    location: str, options: dict[str, str], schema: str | None
) -> None:
    """All that it says is handed on; the schema is ours."""
    named = "" if schema is None else f"{'&' if '?' in location.rpartition('@')[2] else '?'}schema={schema}"

    assert parse_location(location + named) == Postgres(options=options, schema=schema or "target_driftrock")


@pytest.mark.postgres
def test_a_ledger_is_reached_when_its_server_is_named_by_a_socket() -> None:
    """And when the first of several hosts is not there."""
    with new_schema() as location, server() as connection:
        schema = location.partition("schema=")[2]
        directory = connection.execute("SHOW unix_socket_directories").fetchone()
        assert directory is not None
        socket = directory[0].split(",")[0].strip()

        with opened(f"postgresql:///postgres?host={socket}&user=postgres&schema={schema}") as ledger:
            assert ledger.is_new
        with opened(f"postgresql://postgres@127.0.0.1:1,127.0.0.1:5432/postgres?schema={schema}") as ledger:
            assert not ledger.is_new


DROPPED = {
    "an option that there is none of": (f"postgresql://a/d?odd_option={SECRET}", "odd_option"),
    "an option without a value": ("postgresql://a/d?sslmode", "no usable PostgreSQL URL"),
    "an option twice": (f"postgresql://a/d?sslmode=disable&sslmode={SECRET}", "sslmode twice"),
    "the schema twice": (f"postgresql://a/d?schema=a&schema={SECRET}", "schema twice"),
    "the user twice": (f"postgresql://{SECRET}@a/d?user={SECRET}", "user twice"),
    "the host twice": (f"postgresql://a/d?host={SECRET}", "host twice"),
    "the database twice": (f"postgresql://a/d?dbname={SECRET}", "dbname twice"),
    "an option and its other name": ("postgresql://a/d?ssl=true&sslmode=disable", "sslmode twice"),
    "who we are": (f"postgresql://a/d?application_name={SECRET}", "application_name"),
    "a schema of libpq": (f"postgresql://a/d?options=-c%20search_path%3D{SECRET}", "schema=NAME"),
    "a limit of ours": ("postgresql://a/d?options=-cstatement_timeout%3D0%20-c%20work_mem%3D1MB", "statement_timeout"),
    "a limit of ours by another name": ("postgresql://a/d?options=--lock-timeout%3D0", "lock_timeout"),
    "an @ in a password": (f"postgresql://u:a@{SECRET}@a/d", "%40"),
    "a / in a password": (f"postgresql://u:5/{SECRET}@a/d", "%2F"),
    "a % in a password": (f"postgresql://u:{SECRET}%@a/d", "%25"),
    "a part of a password": (f"postgresql://a/d?password=x&{SECRET}=1", "which is no plain name"),
    "a port too high": ("postgresql://a:65536/d", "port"),
    "a port too many": ("postgresql://a,b,c:1,d/d?port=1", "port twice"),
    "a port for no host": ("postgresql:///d?host=a&port=1,2", "one port"),
}


@pytest.mark.parametrize(("location", "words"), DROPPED.values(), ids=DROPPED)
def test_an_option_is_named_when_it_would_come_to_nothing(location: str, words: str) -> None:
    """And its value is not: in silence a run would go to another place than the URL says."""
    fault = fault_of(location)

    assert fault.startswith("ledger: ")
    assert words in fault
    assert SECRET not in fault


def test_a_ledger_lies_where_the_command_was_typed_when_its_path_is_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays there when the process goes elsewhere."""
    monkeypatch.chdir(tmp_path)

    assert parse_location("state/ledger") == SQLite(path=tmp_path / "state" / "ledger")


def test_a_file_is_a_setting_to_mend_when_it_stands_where_the_directory_should(tmp_path: Path) -> None:
    """The person meant the directory."""
    (tmp_path / "ledger").write_text("a file")

    for look in (fault_of, _doubts_fault):
        assert "must be a directory" in look(str(tmp_path / "ledger"))


def test_a_file_that_is_no_database_is_a_setting_to_mend_when_it_has_the_ledger_s_name(tmp_path: Path) -> None:
    """It is left as it is."""
    found = tmp_path / "ledger.sqlite3"
    found.write_bytes(b"something else entirely, " * 100)

    assert "SQLITE_NOTADB" in fault_of(str(tmp_path))
    assert found.read_bytes() == b"something else entirely, " * 100


@contextmanager
def _role(*, rights: str | None = None) -> Iterator[str]:
    """The URL of a user who may log in; `rights` is a schema of his."""
    name = f"ledger_test_{uuid4().hex}"
    with server() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        try:
            if rights is not None:
                connection.execute(
                    sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(sql.Identifier(rights), sql.Identifier(name))
                )
            yield SERVER.replace("postgres@", f"{name}@")
        finally:
            if rights is not None:
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(rights)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.mark.postgres
@pytest.mark.parametrize(
    "location",
    [
        pytest.param(f"postgresql://postgres:{SECRET}@127.0.0.1/no_such_database", id="no such database"),
        pytest.param(f"postgresql://no_such_user:{SECRET}@127.0.0.1/postgres", id="no such user"),
    ],
)
def test_a_url_is_a_setting_to_mend_when_the_server_says_so(location: str) -> None:
    """No waiting helps, and neither the URL nor the server's text is shown."""
    with server():
        for look in (fault_of, _doubts_fault):
            fault = look(location)

            assert fault.startswith("ledger: the PostgreSQL schema target_driftrock cannot be used: there is no such")
            assert SECRET not in fault
            assert "no_such" not in fault


@pytest.mark.postgres
def test_a_url_is_a_setting_to_mend_when_its_user_may_not_make_the_schema() -> None:
    """Somebody has to grant it."""
    with _role() as location:
        assert fault_of(location) == _doubts_fault(location)
        assert "grant it CREATE" in fault_of(location)


@pytest.mark.postgres
def test_a_schema_is_used_when_it_was_made_for_the_user() -> None:
    """Whoever may not make schemas needs no such right where one is there."""
    schema = f"ledger_test_{uuid4().hex}"
    with _role(rights=schema) as location:
        owned = f"{location}?schema={schema}"
        assert doubts(owned) == []
        with opened(owned) as ledger:
            assert ledger.is_new


@pytest.mark.postgres
def test_a_schema_is_found_again_when_its_name_has_capitals() -> None:
    """As it is written, whatever PostgreSQL does with unquoted names."""
    with new_schema() as location:
        capitals = location.replace("ledger_test_", "Ledger_Test_")
        try:
            with opened(capitals) as ledger:
                assert ledger.is_new
            with opened(capitals) as ledger:
                assert not ledger.is_new
        finally:
            with server() as connection:
                schema = capitals.removeprefix(f"{SERVER}?schema=")
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))


def test_the_extra_is_asked_for_when_the_driver_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault says what to install, however the program was; by the extra that has it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)

    fault = fault_of(f"postgresql://u:{SECRET}@127.0.0.1/d")

    assert "pipx inject target-driftrock 'psycopg[binary]>=3.3'" in fault
    assert "target-driftrock[postgres]" in fault


def test_nothing_of_a_url_is_shown_when_its_server_is_not_there() -> None:
    """A server that is away may come back, so it is no setting to mend."""
    with pytest.raises(LedgerUnavailable) as away:
        open_ledger(f"postgresql://u:{SECRET}@127.0.0.1:1/d", api=API, wait=0, is_stopped=lambda: False)

    assert SECRET not in str(away.value)
    assert away.value.__cause__ is None
    assert away.value.__suppress_context__


# What `check` is told.


def _doubts_fault(location: str) -> str:
    with pytest.raises(SettingsInvalid) as invalid:
        doubts(location)
    return str(invalid.value)


def test_nothing_is_made_when_a_ledger_is_only_looked_at(tmp_path: Path) -> None:
    """The first run makes it, and says so."""
    assert wherever(doubts(str(tmp_path / "to" / "be" / "made"))) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.postgres
def test_no_schema_is_made_when_a_server_is_only_looked_at() -> None:
    """A server that is reached directly gives no doubts, with a ledger and without one."""
    with new_schema() as location:
        assert doubts(location) == []
        with opened(location) as ledger:
            assert ledger.is_new
        assert doubts(location) == []


@pytest.mark.postgres
def test_a_server_is_unavailable_when_it_is_looked_at_and_away() -> None:
    """`check` says it in the words of a run."""
    with pytest.raises(LedgerUnavailable):
        doubts("postgresql://u@127.0.0.1:1/d")
