"""Whether a run could keep its ledger where the setting says: looked at, and nothing made or changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_driftrock.errors import SettingsInvalid
from target_driftrock.ledger import apis, tables
from target_driftrock.ledger.database import opening
from target_driftrock.ledger.location import parse_location

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_driftrock.ledger.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What shows whether a ledger is the right one. `last_run_at` is when its last run began, in Unix time."""

    last_run_at: float | None
    delivered: Mapping[str, int]
    """See `apis.delivered`."""


def doubts(location: str, *, may_make: bool = True) -> list[str]:
    """What a person should know of the ledger at a location before a run relies on it, a sentence each.

    Raises:
        SettingsInvalid: No run could keep its ledger there, or there is none and no run may make it.
        LedgerUnavailable: It cannot be reached at present.
    """
    database = parse_location(location)
    with opening(database), database.inspect() as ask:
        is_there = ask is not None and ask(tables.is_there)
        if not (is_there or may_make):
            raise _missing(database)
        of_the_log = [] if ask is None else database.log_doubts(ask)
    return [*database.warnings(), *of_the_log]


def sighted(location: str) -> Sight | None:
    """The ledger at a location; None where there is none yet. Raises what `doubts` does."""
    database = parse_location(location)
    with opening(database), database.look() as ask:
        return None if ask is None else ask(_seen)


def _seen(connection: sa.Connection) -> Sight | None:
    if not tables.is_there(connection):
        return None
    runs = tables.runs
    last = sa.select(runs.c.started_at).order_by(runs.c.id.desc()).limit(1)
    return Sight(last_run_at=connection.execute(last).scalar(), delivered=apis.delivered(connection))


def judge_existence(database: Database) -> None:
    """Whether a run that must not make a ledger finds one there.

    Raises:
        SettingsInvalid: There is none, or the database says that the setting is wrong.
        LedgerUnavailable: It cannot be reached at present.
    """
    with opening(database), database.look() as ask:
        if ask is None or not ask(tables.is_there):
            raise _missing(database)


def _missing(database: Database) -> SettingsInvalid:
    return SettingsInvalid([_NONE_THERE.format(name=database.name)])


_NONE_THERE = (
    "ledger: there is none in {name}, and new_ledger is `refuse`: check that the setting names the ledger of the runs "
    "before, and that its disk is there. For a first run set new_ledger: allow."
)
