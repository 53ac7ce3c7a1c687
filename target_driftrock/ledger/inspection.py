"""Whether a run could keep its ledger where the setting says: looked at, and nothing made or changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_driftrock.errors import SettingsInvalid
from target_driftrock.ledger import tables
from target_driftrock.ledger.database import opening
from target_driftrock.ledger.location import parse_location

if TYPE_CHECKING:
    from target_driftrock.ledger.database import Database


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
