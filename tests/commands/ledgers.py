"""Ledgers that the tests of the commands read: a directory's and a server's, filled by the ledger's own writer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from target_driftrock.delivery.admission import COLLISION, UNDECIDED
from target_driftrock.events.event import Event, InvalidPart, Origin
from target_driftrock.events.identity import digest
from target_driftrock.events.outcome import Delivered, Held, HeldAs, Rejected
from target_driftrock.ledger.durable import DurableLedger, open_ledger
from target_driftrock.ledger.interface import Change, Concluded
from target_driftrock.mapping.who import who
from tests.contract.places import new_schema
from tests.delivery import examples
from tests.stage import schema

REFUSED = Rejected(status=422, excerpt=b"no")
LEADS = json.dumps(schema()).encode()

Make = Callable[[Path], Iterator[str]]


@contextmanager
def directory(folder: Path) -> Iterator[str]:
    """A place for a ledger in files."""
    yield str(folder / "ledger")


@contextmanager
def server(_: Path) -> Iterator[str]:
    """A place for a ledger in a PostgreSQL schema, which ends with the test."""
    with new_schema() as location:
        yield location


PLACES = [pytest.param(directory, id="directory"), pytest.param(server, id="server", marks=pytest.mark.postgres)]


@contextmanager
def writing(location: str) -> Iterator[DurableLedger]:
    """The ledger as a run holds it."""
    ledger = open_ledger(location, api=examples.API, wait=0, is_stopped=lambda: False)
    assert ledger is not None
    with closing(ledger):
        yield ledger


def write(location: str, changes: Iterable[Change], *, exit_code: int | None = 0, receipt: str = "{}") -> None:
    """One run that commits these changes. Without an exit code it is killed."""
    with writing(location) as ledger:
        ledger.commit(list(changes))
        if exit_code is not None:
            ledger.finish(exit_code=exit_code, receipt=receipt)


def origin(number: int, stream: str = "leads", **values: Any) -> Origin:
    """Where a lead came from: its line and its SCHEMA's, as a tap writes them."""
    line = json.dumps({"type": "RECORD", "stream": stream, "record": {"id": number, **values}}).encode()
    lines = json.dumps(schema(stream)).encode()
    return Origin(
        position=number, stream=stream, record=line, schema=lines, key=f"{stream}:{number}", digest=digest(line)
    )


def lead(
    number: int,
    stream: str = "leads",
    /,
    *,
    event_id: str | None = None,
    source: str = "capture-1",
    person: str | None = None,
    **values: Any,
) -> Event:
    """The event of such a lead, about whom its values name. Without an `event_id` of its own its id is `leads:7`."""
    read = origin(number, stream, **values)
    return examples.event(
        number,
        event_id=f"{stream}:{number}" if event_id is None else event_id,
        source=source,
        person=person,
        who=who(person, values),
        content_of=read.record,
        read=read,
    )


def invalid(number: int, stream: str = "leads", /, **values: Any) -> InvalidPart:
    """Such a lead, refused before it could become an event."""
    return examples.invalid_part(number, who=who(None, values), read=origin(number, stream, **values))


def delivered(event: Event) -> Concluded:
    """The API took it."""
    return Concluded(part=event, outcome=Delivered())


def collided(event: Event, kind: HeldAs = HeldAs.COLLISION) -> Concluded:
    """It is held, since its identity is in doubt."""
    reason = COLLISION if kind is HeldAs.COLLISION else UNDECIDED
    return Concluded(part=event, outcome=Held(reason=reason, kind=kind))


def rejected(event: Event, status: int = 422, excerpt: bytes = b"no") -> Concluded:
    """The API refused it."""
    return Concluded(part=event, outcome=Rejected(status=status, excerpt=excerpt))
