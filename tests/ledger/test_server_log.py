"""PostgreSQL's own log: whether it shows what a run writes to the ledger, and whether `check` says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg
import pytest
from msgspec import structs
from psycopg import sql

from target_driftrock.events.outcome import Rejected
from target_driftrock.ledger.inspection import doubts
from target_driftrock.ledger.interface import Concluded
from target_driftrock.ledger.location import parse_location
from tests.contract.places import opened
from tests.delivery.examples import event, origin
from tests.faults.cluster import Cluster
from tests.ledger.test_verdicts import own_server

pytestmark = pytest.mark.postgres

SHOWN = {
    "every statement": ({"log_statement": "all"}, "log_statement"),
    "what changes data": ({"log_statement": "mod"}, "log_statement"),
    "whatever it takes": ({"log_min_duration_statement": "0"}, "log_min_duration_statement"),
    "a sample": ({"log_min_duration_sample": "0"}, "log_min_duration_sample"),
    "a sample of transactions": ({"log_transaction_sample_rate": "1"}, "log_transaction_sample_rate"),
    "the start of it": ({"log_statement": "all", "log_parameter_max_length": "500"}, "log_statement"),
}
NOT_SHOWN: Mapping[str, Mapping[str, str]] = {
    "nothing set": {},
    "statements without their values": {"log_statement": "all", "log_parameter_max_length": "0"},
    "what makes tables": {"log_statement": "ddl"},
    "a sample of none": {"log_min_duration_sample": "0", "log_statement_sample_rate": "0"},
}


@pytest.fixture(scope="module")
def own() -> Iterator[Cluster]:
    """A server whose log is ours to read."""
    with own_server() as own:
        yield own


def kept(own: Cluster, settings: Mapping[str, str], *, canary: str) -> str:
    """Where a run has kept a record on a server that is set so."""
    location = f"{own.url}?schema={canary}"
    with psycopg.connect(own.url, autocommit=True) as connection:
        connection.execute("ALTER ROLE postgres RESET ALL")
        for name, value in settings.items():
            connection.execute(sql.SQL("ALTER ROLE postgres SET {} = {}").format(sql.Identifier(name), value))
    with opened(location) as ledger:
        part = structs.replace(event(1), origin=origin(1, record=f"record-{canary}".encode()))
        ledger.commit([Concluded(part=part, outcome=Rejected(status=400))])
    return location


def shows(own: Cluster, canary: str) -> bool:
    """Whether the record stands in the server's log, as its driver or the server writes bytes."""
    log = (own.folder / "log").read_text()
    return any(form in log for form in (f"record-{canary}", f"record-{canary}".encode().hex()))


@pytest.mark.parametrize(("settings", "name"), SHOWN.values(), ids=SHOWN)
def test_a_parameter_is_named_when_by_it_the_server_logs_records(
    own: Cluster, settings: Mapping[str, str], name: str, request: pytest.FixtureRequest
) -> None:
    """What the server does with it is seen in its log."""
    canary = f"shown_{list(SHOWN).index(request.node.callspec.id)}"

    location = kept(own, settings, canary=canary)

    (doubt,) = doubts(location)
    assert f" {name} = {settings[name]} " in doubt
    assert "log_parameter_max_length = 0" in doubt
    assert shows(own, canary)


@pytest.mark.parametrize("settings", NOT_SHOWN.values(), ids=NOT_SHOWN)
def test_nothing_is_said_when_the_server_logs_no_record(
    own: Cluster, settings: Mapping[str, str], request: pytest.FixtureRequest
) -> None:
    """Nor is one in its log."""
    canary = f"not_shown_{list(NOT_SHOWN).index(request.node.callspec.id)}"

    location = kept(own, settings, canary=canary)

    assert doubts(location) == []
    assert not shows(own, canary)


def test_a_parameter_is_named_when_only_slow_statements_are_logged(own: Cluster) -> None:
    """Some day one is slow. And also where there is no ledger yet."""
    location = kept(own, {"log_min_duration_statement": "60000"}, canary="slow")

    for each in (location, location.replace("slow", "later")):
        (doubt,) = doubts(each)
        assert " log_min_duration_statement = 60000 " in doubt


def test_no_value_is_logged_with_an_error_when_the_server_would_do_so(own: Cluster) -> None:
    """That is the session's own to say."""
    location = kept(own, {"log_parameter_max_length_on_error": "-1"}, canary="failing")
    connection = parse_location(location).connect()

    with connection:
        said = connection.exec_driver_sql("SHOW log_parameter_max_length_on_error").scalar_one()

    assert said in {"0", "0B"}
    assert doubts(location) == []
