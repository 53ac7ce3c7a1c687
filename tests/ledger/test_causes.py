"""A PostgreSQL ledger that cannot be had says why, in our words: what a person mends at once, what may pass later."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psycopg
import pytest
from psycopg import sql

from target_driftrock.errors import LedgerUnavailable, SettingsInvalid
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.inspection import doubts
from target_driftrock.ledger.reading import reading
from tests.contract.places import SERVER, opened, role, server
from tests.delivery.examples import API
from tests.ledger.refusing import answering, error_response

SECRET = "s3cret-canary"


def said_by_all(location: str, kind: type[Exception]) -> str:
    """What a run, `check` and the commands that read say of a ledger there: the same."""
    return said(location, kind, by=[_run, doubts, _read])


def said(location: str, kind: type[Exception], *, by: Sequence[Callable[[str], object]]) -> str:
    """What each of these says of a ledger there: the same, in one line."""
    sentences = set()
    for look in by:
        with pytest.raises(kind) as refused:
            look(location)
        sentences.add(str(refused.value))
        assert refused.value.__suppress_context__ or refused.value.__context__ is None  # the driver's is not shown
    (sentence,) = sentences
    assert "\n" not in sentence
    assert SECRET not in sentence
    return sentence


def _run(location: str) -> None:
    open_ledger(location, api=API, wait=0, is_stopped=lambda: False)


def _read(location: str) -> None:
    with reading(location):
        pass


MENDED_BY_A_PERSON = {
    "a wrong password": ("28P01", f'password authentication failed for user "{SECRET}"', "refuses the password"),
    "no such user": ("28000", f'role "{SECRET}" does not exist', "there is no such role"),
    "no such user, by a pooler": ("08P01", f"no such user: {SECRET}", "there is no such role"),
    "no such database": ("3D000", f'database "{SECRET}" does not exist', "there is no such database"),
    "a user who may not log in": ("28000", f'role "{SECRET}" is not permitted to log in', "may not log in"),
    "no right to connect": ("42501", f'permission denied for database "{SECRET}"', "may not connect"),
    "no line in pg_hba.conf": (
        "28000",
        f'no pg_hba.conf entry for host "10.0.0.1", user "{SECRET}", database "d", SSL encryption',
        "does not let this user in from here: have a line added",
    ),
    "a line in pg_hba.conf for TLS alone": (
        "28000",
        f'no pg_hba.conf entry for host "10.0.0.1", user "{SECRET}", database "d", no encryption',
        "without TLS: set sslmode=require",
    ),
    "another kind of authentication": ("28000", f'Peer authentication failed for user "{SECRET}"', "way of authentic"),
    "TLS alone, as a pooler says it": ("08P01", "SSL required", "TLS connections alone: set sslmode=require"),
    "TLS alone, as a cloud says it": ("28000", "SSL connection is required. Please specify…", "TLS connections alone"),
    "an option that the server lacks": ("42704", 'unrecognized configuration parameter "x"', "mend its options"),
}


@pytest.mark.parametrize(("code", "text", "words"), MENDED_BY_A_PERSON.values(), ids=MENDED_BY_A_PERSON)
def test_a_run_ends_at_once_when_a_person_must_mend_what_the_server_refuses(code: str, text: str, words: str) -> None:
    """Its own text, which names users and databases, is not shown."""
    with answering(error_response(code, text)) as port:
        sentence = said_by_all(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d", SettingsInvalid)

    assert sentence.startswith("ledger: the PostgreSQL schema target_driftrock cannot be used: ")
    assert words in sentence


MAY_PASS = {
    "too many connections": ("53300", "sorry, too many clients already", "too many connections"),
    "too many, but for a few": ("53300", "remaining connection slots are reserved for roles", "too many connections"),
    "a server that starts": ("57P03", "the database system is starting up", "starting up, shutting down or recovering"),
    "another language": ("28P01", f"Passwort-Authentifizierung für »{SECRET}« fehlgeschlagen", "(OperationalError)"),
}


@pytest.mark.parametrize(("code", "text", "words"), MAY_PASS.values(), ids=MAY_PASS)
def test_a_server_is_waited_for_when_what_it_says_may_pass(code: str, text: str, words: str) -> None:
    """The cause is named all the same; what is not known is taken for such a thing."""
    with answering(error_response(code, text)) as port:
        sentence = said_by_all(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d", LedgerUnavailable)

    assert sentence.startswith("The ledger in the PostgreSQL schema target_driftrock cannot be used at present (")
    assert words in sentence


def test_the_place_is_named_when_nobody_listens_there() -> None:
    """Host and port; of several, all that the URL names."""
    with answering(b"") as port:
        pass  # nobody listens there any more
    one = said_by_all(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d", LedgerUnavailable)
    several = said_by_all(f"postgresql://u:{SECRET}@127.0.0.1:{port},127.0.0.2:{port}/d", LedgerUnavailable)

    assert f"connection refused at 127.0.0.1, port {port}:" in one
    assert f"connection refused at 127.0.0.1,127.0.0.2, port {port},{port}:" in several


UNREACHED = {
    "no such host": ("@ledger.invalid/d", "no machine is known by the name in ledger.invalid, port 5432"),
    "no such socket": ("@/d?host=/nowhere/at/all", "no server has a socket at /nowhere/at/all, port 5432"),
}


@pytest.mark.parametrize(("rest", "words"), UNREACHED.values(), ids=UNREACHED)
def test_the_place_is_named_when_there_is_no_way_to_it(rest: str, words: str) -> None:
    """A name that is not known may be known in a moment, where machines start together."""
    assert words in said_by_all(f"postgresql://u:{SECRET}{rest}", LedgerUnavailable)


def test_one_host_of_several_decides_when_it_says_what_a_person_must_mend() -> None:
    """Also where the last one merely does not listen."""
    with answering(b"") as other:
        pass  # nobody listens there any more
    with answering(error_response("28P01", "password authentication failed")) as port:
        location = f"postgresql://u:{SECRET}@127.0.0.1:{port},127.0.0.1:{other}/d"
        assert "refuses the password" in said_by_all(location, SettingsInvalid)


def test_the_place_is_named_when_what_answers_there_is_no_postgresql() -> None:
    """Such as a web server: no waiting makes one of it."""
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n", encryption=b"H") as port:
        sentence = said_by_all(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d", SettingsInvalid)

    assert f"what answers at 127.0.0.1, port {port} is no PostgreSQL server" in sentence


OPTIONS = {
    "sslmode": ("sslmode=" + SECRET, "the URL's option sslmode cannot be used"),
    "a number": ("keepalives_idle=" + SECRET, "the URL's option keepalives_idle cannot be used"),
    "seconds": ("connect_timeout=" + SECRET, "the URL's option connect_timeout cannot be used"),
    "a service": ("service=" + SECRET, "no such service"),
    "a standby": ("target_session_attrs=standby", "asks for a standby"),
    "TLS that there is none of": ("sslmode=require", "asks for encryption, and the server has none"),
    "a file that there is none of": (f"sslmode=verify-ca&sslrootcert=/{SECRET}", "sslrootcert"),
    "what the server does not take": (f"client_encoding={SECRET}", "client_encoding"),
}


@pytest.mark.postgres
@pytest.mark.parametrize(("query", "words"), OPTIONS.values(), ids=OPTIONS)
def test_an_option_is_named_when_its_value_cannot_be_used(query: str, words: str) -> None:
    """And its value is not."""
    with server():
        if "sslrootcert" in query:
            with answering(b"", encryption=b"S") as port:
                location = f"postgresql://postgres@127.0.0.1:{port}/postgres?{query}"
                assert words in said_by_all(location, SettingsInvalid)
        else:
            assert words in said_by_all(f"{SERVER}?{query}", SettingsInvalid)


# A server as it is.


LACKING = {
    "no right to connect": (["REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"], "grant it CONNECT"),
    "no right to log in": (["ALTER ROLE {name} NOLOGIN"], "may not log in: give it LOGIN"),
    "no right to make the schema": ([], "may not make the schema leads: grant it CREATE on the database"),
    "no right to make tables": (
        ["CREATE SCHEMA leads", "GRANT USAGE ON SCHEMA leads TO {name}"],
        "may not make tables in the schema leads: grant it USAGE and CREATE there",
    ),
    "no right to look into the schema": (["CREATE SCHEMA leads"], "may not make tables in the schema leads"),
}


@pytest.mark.postgres
@pytest.mark.parametrize(("statements", "words"), LACKING.values(), ids=LACKING)
def test_a_right_is_named_when_the_user_lacks_it(statements: list[str], words: str) -> None:
    """A run and `check` say the same, and neither waits."""
    with role(*statements) as location:
        assert words in said(location, SettingsInvalid, by=[_run, doubts])


@pytest.mark.postgres
def test_the_tables_are_named_when_another_user_has_made_them() -> None:
    """With rights on them, they are used, though the user could not make them."""
    with role() as location:
        ours = location.removeprefix("postgresql://").partition("@")[0]
        with opened(location.replace(f"{ours}@", "postgres@")):
            pass
        with psycopg.connect(SERVER, dbname=ours, autocommit=True) as inside:
            inside.execute(sql.SQL("GRANT USAGE ON SCHEMA leads TO {}").format(sql.Identifier(ours)))
            assert "may not use the tables in the schema leads" in said(location, SettingsInvalid, by=[_run, doubts])
            for kind in ("TABLES", "SEQUENCES"):
                grant = f"GRANT ALL ON ALL {kind} IN SCHEMA leads TO {{}}"
                inside.execute(sql.SQL(grant).format(sql.Identifier(ours)))

        assert doubts(location) == []
        with opened(location) as ledger:
            assert not ledger.is_new


@pytest.mark.postgres
def test_a_server_is_waited_for_when_the_user_has_too_many_connections() -> None:
    """One of them may end."""
    with role("ALTER ROLE {name} CONNECTION LIMIT 0") as location:
        assert "too many connections" in said(location, LedgerUnavailable, by=[_run, doubts, _read])
