"""What a seed chooses: the input, how the API and the network are, and what happens to each run."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import TypeVar

from target_driftrock.events.event import Capture, Endpoint, Event, Origin, Part, Refusal

Key = TypeVar("Key")
Kind = TypeVar("Kind")

API = "simulation"
EPISODES = ("down", "unreachable", "brown-out", "web page", "no tokens", "tokens refused")
"""How the API can be for a while."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What becomes of a part of a record, in every run the same. `serial` is the event's, shared by its repeats."""

    serial: int
    version: int = 0
    is_refused_by_us: bool = False
    has_identity: bool = True
    person: str | None = None
    source: str = "capture-0"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A record, and whether a STATE follows it."""

    number: int
    stream: str
    pieces: tuple[Piece, ...]
    has_state: bool

    def parts(self, *, position: int) -> list[Part]:
        """What the sinks would make of it, as the record at this position of a run."""
        return [self._part(index, piece, position) for index, piece in enumerate(self.pieces)]

    def _part(self, index: int, piece: Piece, position: int) -> Part:
        origin = Origin(position=position, stream=self.stream, record=b"{}", schema=b"{}", key=f"{self.number}.{index}")
        if piece.is_refused_by_us:
            return Refusal(origin=origin, mapping=self.stream, reason="schema: /email type")
        return Event(
            origin=origin,
            mapping=self.stream,
            capture=Capture(endpoint=Endpoint.WEBHOOK, source_id=piece.source, label=piece.source),
            event_type="lead",
            event_name="leads",
            event_id=f"leads:{piece.serial}" if piece.has_identity else None,
            person_id=piece.person,
            body=json.dumps({"serial": piece.serial, "version": piece.version}).encode(),
        )

    @property
    def state(self) -> bytes:
        """The STATE after it."""
        return b'{"read": %d}' % self.number


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How likely what is for one request, in calm. `slow` answers come after the client has stopped waiting."""

    latency: float = 0.1
    failed: float = 0.0
    throttled: float = 0.0
    not_sent: float = 0.0
    lost_before: float = 0.0
    lost_after: float = 0.0
    slow: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Episode:
    """A stretch of time in which the API is in one of `EPISODES`."""

    kind: str
    begin: float
    end: float


@dataclass(frozen=True, kw_only=True)
class Mishap:
    """What happens to one run. Moments are seconds after its start; a crash comes before a step of a task."""

    signals: tuple[float, ...] = ()
    crash_at_step: int | None = None
    ledger_fails_at: int | None = None
    """The number of the commit that fails, and all after it."""
    rereads: int = 0
    """So many records before its STATE the tap begins again."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Everything that a seed decides beforehand."""

    lines: tuple[Line, ...]
    refusals: dict[int, int] = field(default_factory=dict)
    """The status for events that the API refuses, by serial."""
    mended: frozenset[int] = frozenset()
    """Those of them that it takes once they come with another payload."""
    poisoned: dict[int, int | None] = field(default_factory=dict)
    """The status for events that it cannot digest, or None where it says nothing."""
    closed: dict[str, int] = field(default_factory=dict)
    """Captures that refuse everything, and how."""
    says_conflict: bool = False
    """Whether the API answers 409 to what it has already."""
    weather: Weather = Weather()
    episodes: tuple[Episode, ...] = ()
    token_lifetime: float = float("inf")
    mishaps: tuple[Mishap, ...] = ()
    """By run; later runs have none, and the API is well then."""
    max_concurrency: int = 4
    max_outage: float = 120.0
    holds_unknown: bool = False
    max_open: int = 20
    max_span: int = 100
    batch_rows: int = 5
    commit_seconds: float = 0.01
    silence: float = 0.0
    """How likely the tap falls silent for some seconds after a record."""
    disorder: float = 0.0
    """How likely a task's step is put behind others."""


def scenario(seed: int) -> Scenario:
    """What this seed chooses."""
    chance = random.Random(seed)  # noqa: S311 - the same for the same seed, on purpose
    lines = _lines(chance)
    serials = sorted({piece.serial for line in lines for piece in line.pieces if not piece.is_refused_by_us})
    sources = sorted({piece.source for line in lines for piece in line.pieces})
    return Scenario(
        lines=lines,
        mended=frozenset(one for one in serials if chance.random() < 0.5),
        refusals=_some(chance, serials, rarely=0.1, kinds=(400, 413, 422, 403, 404, 401)),
        poisoned=_some(chance, serials, rarely=0.04, kinds=(500, 503, 408, None)),
        closed=_some(chance, sources, rarely=0.15, kinds=(403, 404, 422)),
        says_conflict=chance.random() < 0.2,
        weather=_weather(chance),
        episodes=_episodes(chance),
        token_lifetime=chance.choice([float("inf"), float("inf"), 30.0, 5.0]),
        mishaps=tuple(_mishap(chance) for _ in range(chance.choice([0, 1, 1, 2, 3, 5]))),
        max_concurrency=chance.choice([1, 2, 3, 4, 8, 16]),
        max_outage=chance.choice([60.0, 120.0, 300.0]),
        holds_unknown=chance.random() < 0.25,
        max_open=chance.choice([1, 3, 10, 40, 1_000]),
        max_span=chance.choice([1, 5, 20, 1_000]),
        batch_rows=chance.choice([1, 2, 5, 20]),
        commit_seconds=chance.choice([0.0, 0.001, 0.05, 0.5]),
        silence=chance.choice([0.0, 0.0, 0.02, 0.2]),
        disorder=chance.choice([0.0, 0.05, 0.5]),
    )


def _lines(chance: random.Random) -> tuple[Line, ...]:
    count = chance.choice([0, 1, 3, 10, 20, 20, 30, 50])
    persons = [None, *(f"person-{number}" for number in range(chance.choice([1, 3, 10])))]
    sources = [f"capture-{number}" for number in range(chance.choice([1, 1, 2, 4]))]
    repeats = chance.choice([0.0, 0.05, 0.2])
    invalid = chance.choice([0.0, 0.0, 0.05, 0.2])
    anonymous = chance.choice([0.0, 0.0, 0.05])
    states = chance.choice([0.05, 0.3, 1.0])
    known: list[Piece] = []
    lines = []
    for number in range(1, count + 1):
        pieces: list[Piece] = []
        for _ in range(chance.choice([0, 1, 1, 1, 1, 1, 2, 3])):
            if known and chance.random() < repeats:
                again = chance.choice(known)
                piece = Piece(
                    serial=again.serial,
                    version=chance.choice([again.version, number]),
                    person=chance.choice([again.person, again.person, *persons]),
                    source=again.source,
                )
            else:
                piece = Piece(
                    serial=1_000 * number + len(pieces),
                    is_refused_by_us=chance.random() < invalid,
                    has_identity=chance.random() >= anonymous,
                    person=chance.choice(persons),
                    source=chance.choice(sources),
                )
            if piece.has_identity and not piece.is_refused_by_us:
                known.append(piece)
            pieces.append(piece)
        has_state = chance.random() < states or number == count
        lines.append(Line(number=number, stream=f"stream-{number % 5}", pieces=tuple(pieces), has_state=has_state))
    return tuple(lines)


def _some(chance: random.Random, keys: list[Key], *, rarely: float, kinds: tuple[Kind, ...]) -> dict[Key, Kind]:
    share = chance.choice([0.0, 0.0, rarely, 3 * rarely])
    return {key: chance.choice(kinds) for key in keys if chance.random() < share}


def _weather(chance: random.Random) -> Weather:
    def likely() -> float:
        return chance.choice([0.0, 0.0, 0.0, 0.02, 0.1])

    return Weather(
        latency=chance.choice([0.0, 0.02, 0.1, 1.0]),
        failed=likely(),
        throttled=likely(),
        not_sent=likely(),
        lost_before=likely(),
        lost_after=likely(),
        slow=likely() / 4,
    )


def _episodes(chance: random.Random) -> tuple[Episode, ...]:
    episodes = []
    begin = 0.0
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        begin += chance.choice([0.0, 1.0, 5.0, 30.0]) * chance.random()
        end = begin + chance.choice([1.0, 20.0, 100.0, 1_000.0]) * chance.random()
        episodes.append(Episode(kind=chance.choice(EPISODES), begin=begin, end=end))
        begin = end
    return tuple(episodes)


def _mishap(chance: random.Random) -> Mishap:
    kind = chance.choice(["crash", "crash", "crash", "signal", "signal", "two signals", "ledger", "none"])
    moment = chance.choice([0.1, 1.0, 5.0, 60.0]) * chance.random()
    return Mishap(
        signals={"signal": (moment,), "two signals": (moment, moment + 20.0 * chance.random())}.get(kind, ()),
        crash_at_step=chance.randrange(1, chance.choice([30, 300, 3_000])) if kind == "crash" else None,
        ledger_fails_at=chance.randrange(1, chance.choice([5, 50])) if kind == "ledger" else None,
        rereads=chance.choice([0, 0, 1, 5, 1_000]),
    )
