"""What is reported of PostgreSQL in production, through the installed command: a run goes on, or ends as documented."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from target_driftrock.errors import ExitCode
from tests.contract.places import role
from tests.faults.cluster import Cluster
from tests.ledger.test_verdicts import own_server
from tests.program import written
from tests.stage import record, schema, staged

pytestmark = pytest.mark.postgres

SLOTS = 4
LEADS = 200


def _tell(own: Cluster, *statements: str) -> None:
    with psycopg.connect(own.url, autocommit=True, options="-c default_transaction_read_only=off") as session:
        for statement in (*statements, "SELECT pg_reload_conf()"):
            session.execute(statement)


def _forbid_writing(own: Cluster) -> None:
    """As a cloud does it when the disk is nearly full; sessions that stand heed it, too."""
    _tell(own, "ALTER SYSTEM SET default_transaction_read_only = on")


def _allow_writing(own: Cluster) -> None:
    _tell(own, "ALTER SYSTEM RESET default_transaction_read_only")


SWITCHES = {
    "a fail-over": (Cluster.demote, Cluster.promote, ExitCode.TRY_LATER),
    "the server's setting": (_forbid_writing, _allow_writing, ExitCode.SETTINGS),
}


@pytest.mark.parametrize(("switch", "back", "meanwhile"), SWITCHES.values(), ids=SWITCHES)
def test_the_next_run_has_the_rest_when_a_server_is_read_only_in_the_middle(
    tmp_path: Path, switch: Callable[[Cluster], None], back: Callable[[Cluster], None], meanwhile: ExitCode
) -> None:
    """In the middle it is an outage, for a run that starts then a setting where it is one."""
    lines = written([schema(), *(record(number) for number in range(1, LEADS + 1))])
    with own_server() as own, staged(tmp_path, latency=0.05) as stage:
        config = stage.config(ledger=own.url, max_concurrency=SLOTS, max_outage_seconds=1)
        with stage.started(config) as running:
            running.pour([lines])
            assert running.until(lambda: len(stage.accepted()) > LEADS // 10)
            switch(own)
            broken = running.ended()
        again = stage.finished(config, given=lines)
        back(own)
        last = stage.finished(config, given=lines)
        accepted = [event["event_id"] for event in stage.accepted()]

    assert (broken.code, again.code, last.code) == (ExitCode.TRY_LATER, meanwhile, ExitCode.RESOLVED), broken.err
    assert len({*accepted}) == LEADS
    assert len(accepted) - LEADS <= SLOTS


SHORT = "100ms"
LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout")


@pytest.mark.parametrize("whose", ["ROLE", "DATABASE"])
def test_a_run_goes_on_when_the_server_ends_whoever_takes_long(tmp_path: Path, whose: str) -> None:
    """Its tap is silent for longer than any limit that is set there."""
    limits = [f"ALTER {whose} {{name}} SET {limit} = '{SHORT}'" for limit in LIMITS]
    with (
        role("GRANT CREATE ON DATABASE {name} TO {name}", *limits) as location,
        staged(tmp_path) as stage,
        stage.started(stage.config(ledger=location, batch_size_rows=1)) as running,
    ):
        running.feed([schema(), record(1)])
        assert running.until(lambda: len(stage.accepted()) == 1)
        assert running.lasts(1)
        running.feed([record(2)])
        assert running.until(lambda: len(stage.accepted()) == 2)
        done = running.ended()

    assert done.code == ExitCode.RESOLVED, done.err
