"""The runs before this one that have no end: they were killed, or lost their ledger. To end one also fences it off."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from target_driftrock.ledger import tables
from target_driftrock.ledger.interface import Standing
from target_driftrock.ledger.rows import rows_of
from target_driftrock.ledger.tables import CODES, COUNTERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_driftrock.ledger.database import Database

log = logging.getLogger(__name__)


def close_killed_runs(database: Database, connection: sa.Connection) -> None:
    """Within a transaction of whoever has the lock. What a killed run has done is what its transactions say.

    A task of a killed job may still be at work. Each of its transactions shares the row of its run and asks whether
    that has an end, so this waits for those that are under way, and none comes after.
    """
    table = tables.runs
    killed = rows_of(connection, sa.select(table).where(table.c.ended_at.is_(None)).with_for_update())
    if not killed:
        return
    in_doubt = _intents_by_run(database, connection)
    for run in killed:
        counted = {name: run[name] + more for name, more in of_tasks(connection, run["id"]).items()}
        receipt = _receipt(counted, intents=in_doubt.get(run["id"], 0))
        values = {**counted, "ended_at": time.time(), "receipt": receipt}
        connection.execute(table.update().where(table.c.id == run["id"]).values(values))
        forget_job(connection, run["id"])


def of_tasks(connection: sa.Connection, run: int) -> dict[str, int]:
    """What the tasks of a job have added up, all attempts together; nothing of a run that is none."""
    table = tables.tasks
    sums = [sa.func.coalesce(sa.func.sum(table.c[name]), 0).label(name) for name in COUNTERS]
    return {
        name: int(value) for name, value in rows_of(connection, sa.select(*sums).where(table.c.run == run))[0].items()
    }


def forget_job(connection: sa.Connection, run: int) -> None:
    """The rows that a job needs as long as it lasts."""
    for table in (tables.tasks, tables.trials):
        connection.execute(table.delete().where(table.c.run == run))


def _intents_by_run(database: Database, connection: sa.Connection) -> dict[int, int]:
    table = tables.deliveries
    intended = sa.select(table.c.run, sa.func.count()).where(table.c.standing == CODES[Standing.INTENDED])
    log.info("A run before this one left no receipt: counting in the ledger what it left open.")
    with database.unhurried(connection):  # for the sake of this an index would cost 2 % of each commit
        return {row[0]: row[1] for row in connection.execute(intended.group_by(table.c.run))}


def _receipt(counted: Mapping[str, Any], *, intents: int) -> str:
    """What is known of a run that could not say it. `intents`: requests that may have begun, and nobody knows."""
    events = {name: counted[name] for name in COUNTERS if name != "unknown"}
    receipt = {"kind": "cut off", "events": events, "answers_lost": counted["unknown"], "intents_open": intents}
    return msgspec.json.encode(receipt).decode()
