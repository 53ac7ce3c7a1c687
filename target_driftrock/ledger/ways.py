"""How identities are made: what a ledger remembers of it, so that a mended mapping does not send everything again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_driftrock.events.identity import KnownWay, Way

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from target_driftrock.events.event import Event

NO_WAY = 0
"""Of an event that does not say how its identity was made."""


def remembered(rows: Sequence[Mapping[str, Any]]) -> dict[Way, KnownWay]:
    """The rows of a ledger's ways, all of one API."""
    by_id = {row["id"]: Way(row["scope"], row["templates"]) for row in rows}
    return {
        by_id[row["id"]]: KnownWay(delivered=row["delivered"], successor=by_id.get(row["successor"])) for row in rows
    }


class Ways:
    """The ways of one API, by their numbers in the ledger. A way gets its number with its first event."""

    def __init__(self, api: str, rows: Sequence[Mapping[str, Any]], *, next_id: int) -> None:
        self._api = api
        self._next_id = next_id
        self._ids = {Way(row["scope"], row["templates"]): row["id"] for row in rows}
        self._met: dict[Way, int] = {}
        """The numbers of those that events of this run were made in."""
        self._new: list[dict[str, Any]] = []
        self._followed: list[dict[str, Any]] = []
        self.before_run = remembered(rows)

    def id(self, event: Event) -> int:
        """The number of the way in which an event's identity was made."""
        if event.way is None:
            return NO_WAY
        number = self._met.get(event.way)
        return self.meet(event.way, event.former_ways) if number is None else number

    def ids(self, ways: Iterable[Way]) -> list[int]:
        """The numbers of those ways that have one."""
        return [self._ids[way] for way in ways if way in self._ids]

    def take_new(self) -> list[dict[str, Any]]:
        """The rows of the ways that have got a number since the last call."""
        new, self._new = self._new, []
        return new

    def take_followed(self) -> list[dict[str, Any]]:
        """Which ways have taken the place of which, since the last call."""
        followed, self._followed = self._followed, []
        return followed

    def meet(self, way: Way, formers: Sequence[Way]) -> int:
        """The number of a way, which it gets now if it has none; it takes the place of its former ones."""
        number = self._ids.get(way)
        if number is None:
            number = self._ids[way] = self._next_id
            self._next_id += 1
            self._new.append(
                {
                    "id": number,
                    "api": self._api,
                    "scope": way.scope,
                    "templates": way.templates,
                    "delivered": 0,
                    "successor": None,
                }
            )
        self._met[way] = number
        self._followed += [{"gone": gone, "by": number} for gone in self.ids(formers)]
        return number
