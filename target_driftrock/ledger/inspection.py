"""Whether a run could keep its ledger where the setting says: looked at, and nothing made or changed."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_driftrock.errors import SettingsInvalid
from target_driftrock.ledger import tables
from target_driftrock.ledger.looking import looker
from target_driftrock.ledger.mounts import NETWORK_ADVICE, network_file_system
from target_driftrock.ledger.place import (
    Directory,
    engine,
    has_database,
    judge_rights,
    opening,
    parse_place,
    reaching,
)

if TYPE_CHECKING:
    from pathlib import Path

    from target_driftrock.ledger.place import Place, Server


def doubts(location: str) -> list[str]:
    """What a person should know of the ledger at a location before a run relies on it, a sentence each.

    Raises:
        SettingsInvalid: No run could keep its ledger there.
        LedgerUnavailable: It cannot be reached at present.
    """
    place = parse_place(location)
    match place:
        case Directory():
            return _of_directory(place)
        case _:
            return _of_server(place)


def _of_directory(place: Directory) -> list[str]:
    with reaching(place):
        nearest = _nearest(place.path)
        if not nearest.is_dir():
            raise SettingsInvalid([f"ledger must be a directory, and {nearest} is a file: name another."])
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise PermissionError
    if has_database(place):
        _judge_version(place)
    kind = network_file_system(place.path)
    return (
        [] if kind is None else [f"The ledger in {place.name} lies on a network file system ({kind}): {NETWORK_ADVICE}"]
    )


def _of_server(place: Server) -> list[str]:
    made = engine(place)
    with opening(place), made.connect() as ours, made.connect() as another:
        judge_rights(place, ours)
        ours.commit()
        is_pooled = any(is_shared(*_processes(ours, another)) for _ in range(_TRIES))
    _judge_version(place)
    return [_POOLED.format(name=place.name)] if is_pooled else []


def _judge_version(place: Place) -> None:
    with opening(place), closing(looker(place)) as look:
        tables.judge_version(look.ask(tables.version))


def _nearest(path: Path) -> Path:
    """The path itself, or what exists of it."""
    return next(each for each in (path, *path.parents) if each.exists())


# A pooler in transaction mode gives the server's process to whoever begins a transaction next.


def _processes(ours: sa.Connection, another: sa.Connection) -> tuple[int, int, int]:
    """Which process serves us, another session, and us again while the other one is in a transaction."""
    first = _process(ours)
    with another.begin():
        other = int(another.execute(_PROCESS).scalar_one())
        return first, other, _process(ours)


def _process(connection: sa.Connection) -> int:
    with connection.begin():
        return int(connection.execute(_PROCESS).scalar_one())


def is_shared(ours: int, another: int, ours_again: int) -> bool:
    """A session of its own keeps its process, and nobody else has it."""
    return ours == another or ours != ours_again


_TRIES = 3
_PROCESS = sa.text("SELECT pg_backend_pid()")
_POOLED = (
    "The ledger in {name} is reached through a pooler in transaction mode, where no lock lasts, so two runs could send "
    "the same events: name the server itself in ledger, or a pool in session mode."
)
