"""Every sign of a record is kept, whatever a URL, a process's environment or a server says of encodings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

import pytest
import sqlalchemy as sa
from psycopg import sql

from target_driftrock.errors import LedgerUnavailable, SettingsInvalid
from target_driftrock.events.outcome import Invalid
from target_driftrock.ledger import tables
from target_driftrock.ledger.database import guarded
from target_driftrock.ledger.interface import Concluded
from target_driftrock.ledger.location import parse_location
from tests.contract.places import SERVER, new_schema, opened, server
from tests.delivery.examples import invalid_part
from tests.ledger.rows import rows
from tests.ledger.test_causes import said_by_all

REASON = "Größe 見込み客 🎈"


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        pytest.param("PGCLIENTENCODING", "LATIN1", id="latin"),
        pytest.param("PGCLIENTENCODING", "SQL_ASCII", id="none"),
        pytest.param("PGOPTIONS", "-c client_encoding=LATIN1", id="options"),
    ],
)
def test_every_sign_is_kept_when_the_environment_names_another_encoding(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """As other programs on the machine may want it."""
    monkeypatch.setenv(variable, value)
    with new_schema() as location:
        with opened(location) as ledger:
            ledger.commit([Concluded(part=invalid_part(1), outcome=Invalid(reason=REASON))])

        assert [row["reason"] for row in rows(location, tables.kept)] == [REASON]


@pytest.mark.postgres
@pytest.mark.parametrize("query", ["client_encoding=LATIN1", "options=-c%20client_encoding%3DLATIN1"])
def test_another_encoding_is_named_when_a_url_asks_for_it(query: str) -> None:
    """It would come to nothing."""
    assert "client_encoding, which this program sets itself" in said_by_all(f"{SERVER}?{query}", SettingsInvalid)


@contextmanager
def _database(encoding: str) -> Iterator[str]:
    """The URL of a database of such an encoding."""
    name = f"ledger_test_{uuid4().hex}"
    with server() as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} ENCODING {} LOCALE 'C' TEMPLATE template0").format(
                sql.Identifier(name), sql.Literal(encoding)
            )
        )
        try:
            yield SERVER.removesuffix("postgres") + name
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.postgres
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_JP"])
def test_a_database_is_a_setting_to_mend_when_it_cannot_keep_every_sign(encoding: str) -> None:
    """A run and `check` say which encoding it must have."""
    with _database(encoding) as location:
        assert "ENCODING 'UTF8'" in said_by_all(location, SettingsInvalid)


def test_a_run_stops_as_by_its_ledger_when_a_text_cannot_be_encoded(location: str) -> None:
    """It is no defect of the program's, and nothing of the text is shown."""
    database = parse_location(location)
    question = sa.select(sa.literal("canary \ud83c"))
    with closing(database.connect()) as connection, pytest.raises(LedgerUnavailable) as failed, guarded(database):
        connection.execute(question)

    assert "canary" not in str(failed.value)
    assert failed.value.__suppress_context__
