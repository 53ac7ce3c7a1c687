"""What a seed chooses: the input, how the API and the network are, and what happens to each run."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from target_driftrock.events.event import Capture, Endpoint, Event, InvalidPart, Origin, Part
from target_driftrock.events.identity import NOBODY, Who, digest, identity
from target_driftrock.settings import OnChanged

Key = TypeVar("Key")
Kind = TypeVar("Kind")

API = "simulation"
LAST = float("inf")
"""As the number of a run: whatever changes from run to run has changed for the last time."""
EPISODES = ("down", "unreachable", "brown-out", "web page", "quiet", "no tokens", "tokens refused")
"""How the API can be for a while."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What becomes of a part of a record, in every run the same.

    `serial` is its event's identity, shared by its repeats, by its changes, and by what bears it wrongly. `record` is
    the same for what was read from the same record, however it was mapped.
    """

    serial: int
    version: int = 0
    is_refused_by_us: bool = False
    has_identity: bool = True
    who: Who = NOBODY
    record: int = 0
    source: str = "capture-0"

    @cached_property
    def body(self) -> bytes:
        """What is posted. Its serial comes first: see `serial_of`."""
        return json.dumps({"serial": self.serial, "version": self.version, "who": self.who}).encode()


@dataclass(frozen=True, kw_only=True)
class Line:
    """A record, and whether a STATE follows it. `row` is the kept row that one of its parts is read from again.

    In the run `edited_in`, and later, it is read as it was `edited`: somebody changed it, or its mapping.
    """

    number: int
    stream: str
    pieces: tuple[Piece, ...]
    has_state: bool
    edited: tuple[Piece, ...] = ()
    edited_in: int = 0
    is_edited: bool = False
    row: str | None = None
    only: int | None = None

    @property
    def labels(self) -> list[str]:
        """Its parts' names, by its number and theirs."""
        return [f"{self.number}.{index}{'e' * self.is_edited}" for index in range(len(self.pieces))]

    @property
    def forms(self) -> list[Line]:
        """As it is read at first, and as it is read once it was edited, if it ever is."""
        return [self, self.as_read_in(LAST)] if self.edited else [self]

    def as_read_in(self, run: float) -> Line:
        """What the tap reads of it in a run, counted from 0."""
        return replace(self, pieces=self.edited, is_edited=True) if self.edited and run >= self.edited_in else self

    def kept_as(self, row: str, *, index: int) -> Line:
        """What is read of it where one of its parts was kept."""
        return replace(self, row=row, only=index, has_state=False)

    def parts(self, *, position: int, on_changed: OnChanged | None) -> list[Part]:
        """What the sinks would make of it, as the record at this position of a run."""
        return [
            self._part(label, piece, position, on_changed)
            for index, (label, piece) in enumerate(zip(self.labels, self.pieces, strict=True))
            if self.only in {None, index}
        ]

    def _part(self, label: str, piece: Piece, position: int, on_changed: OnChanged | None) -> Part:
        origin = Origin(
            position=position,
            stream=self.stream,
            record=label.encode(),
            schema=b"{}",
            key=label,
            kept_row=self.row,
            digest=b"%d" % piece.record,
        )
        if piece.is_refused_by_us:
            return InvalidPart(origin=origin, mapping=self.stream, reason="schema: /email type", who=piece.who)
        capture = Capture(endpoint=Endpoint.WEBHOOK, source_id=piece.source, label=piece.source)
        event_id = f"leads:{piece.serial}" if piece.has_identity else None
        return Event(
            origin=origin,
            mapping=self.stream,
            capture=capture,
            event_type="lead",
            event_name="leads",
            event_id=event_id,
            person_id=piece.who.person,
            body=piece.body,
            identity=identity(capture, event_type="lead", event_name="leads", event_id=event_id),
            content=digest(piece.body),
            who=piece.who,
            on_changed=on_changed,
        )

    @property
    def state(self) -> bytes:
        """The STATE after it."""
        return b'{"read": %d}' % self.number


def serial_of(body: bytes) -> int:
    """Whose identity it bears."""
    return int(body[len(b'{"serial": ') : body.index(b",")])


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
    failed_after: float = 0.0
    """An event arrives, and a gateway says something else."""
    bad_node: float = 0.0
    """A node that knows no token answers."""
    token_delay: float = 0.0
    """Seconds until a new token is good."""
    long_waits: tuple[str, ...] = ()
    """What a 429 may ask for, beside seconds."""


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
    cuts_power: bool = False
    """With the process goes all that was committed and did not yet surely lie on the disk, or some of it."""
    ledger_fails_at: int | None = None
    """The number of the commit that fails, and all after it."""
    rereads: int = 0
    """So many records before its STATE the tap begins again."""
    is_replay: bool = False
    """Not the tap is read, but what the ledger keeps."""


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
    on_changed: tuple[OnChanged | None, ...] = (None,)
    """What the settings say of changes, by run; the last one holds for all later runs."""
    is_refreshed: bool = False
    """Whether everything is read again in the end, some times."""
    max_open: int = 20
    max_span: int = 100
    batch_rows: int = 5
    commit_seconds: float = 0.01
    silence: float = 0.0
    """How likely the tap falls silent for some seconds after a record."""
    disorder: float = 0.0
    """How likely a task's step is put behind others."""

    def lines_in(self, run: float) -> tuple[Line, ...]:
        """What the tap reads in a run, counted from 0."""
        return tuple(line.as_read_in(run) for line in self.lines)

    def says_in(self, run: float) -> OnChanged | None:
        """What the settings say of changes in a run, counted from 0."""
        return self.on_changed[int(min(run, len(self.on_changed) - 1))]


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
        says_conflict=chance.random() < 0.3,
        weather=_weather(chance),
        episodes=_episodes(chance),
        token_lifetime=chance.choice([float("inf"), float("inf"), 30.0, 5.0]),
        mishaps=tuple(_mishap(chance) for _ in range(chance.choice([0, 1, 1, 2, 3, 5]))),
        max_concurrency=chance.choice([1, 2, 3, 4, 8, 16]),
        max_outage=chance.choice([60.0, 120.0, 300.0]),
        holds_unknown=chance.random() < 0.25,
        on_changed=_on_changed(chance),
        is_refreshed=chance.random() < 0.25,
        max_open=chance.choice([1, 3, 10, 40, 1_000]),
        max_span=chance.choice([1, 5, 20, 1_000]),
        batch_rows=chance.choice([1, 2, 5, 20]),
        commit_seconds=chance.choice([0.0, 0.001, 0.05, 0.5]),
        silence=chance.choice([0.0, 0.0, 0.02, 0.2]),
        disorder=chance.choice([0.0, 0.05, 0.5]),
    )


def _lines(chance: random.Random) -> tuple[Line, ...]:
    count = chance.choice([0, 1, 3, 10, 20, 20, 30, 50])
    persons = _persons(chance, count=chance.choice([1, 3, 10]))
    sources = [f"capture-{number}" for number in range(chance.choice([1, 1, 2, 4]))]
    repeats = chance.choice([0.0, 0.1, 0.3, 0.6])
    kinds = chance.choice([("same", "changed"), ("collides",), REPEATS, REPEATS])
    invalid = chance.choice([0.0, 0.0, 0.05, 0.2])
    anonymous = chance.choice([0.0, 0.0, 0.05])
    states = chance.choice([0.05, 0.3, 1.0])
    edits = chance.choice([0.0, 0.2, 0.6])
    known: list[Piece] = []
    lines = []
    for number in range(1, count + 1):
        pieces: list[Piece] = []
        for _ in range(chance.choice([0, 1, 1, 1, 1, 1, 2, 3])):
            serial = 1_000 * number + len(pieces)
            if known and chance.random() < repeats:
                piece = _repeat(chance, chance.choice(known), kind=chance.choice(kinds), new=serial, persons=persons)
            else:
                piece = Piece(
                    serial=serial,
                    record=serial,
                    is_refused_by_us=chance.random() < invalid,
                    has_identity=chance.random() >= anonymous,
                    who=chance.choice(persons),
                    source=chance.choice(sources),
                )
            if piece.has_identity and not piece.is_refused_by_us:
                known.append(piece)
            pieces.append(piece)
        has_state = chance.random() < states or number == count
        edited = [_edited(chance, piece, new=1_000 * number + 500) for piece in pieces]
        lines.append(
            Line(
                number=number,
                stream=f"stream-{number % 5}",
                pieces=tuple(pieces),
                has_state=has_state,
                edited=tuple(edited) if chance.random() < edits else (),
                edited_in=chance.choice([1, 1, 2, 3]),
            )
        )
    return tuple(lines)


def _edited(chance: random.Random, piece: Piece, *, new: int) -> Piece:
    """As it is read once somebody has changed its record, or its mapping."""
    return replace(piece, version=new, record=chance.choice([piece.record, new]), is_refused_by_us=False)


REPEATS = ("same", "changed", "collides", "nobody", "mapped anew")
"""What bears the identity of another one: itself, its change, another's, one that names nobody, or the same record."""


def _repeat(chance: random.Random, again: Piece, *, kind: str, new: int, persons: Sequence[Who]) -> Piece:
    match kind:
        case "changed":
            return replace(again, version=new, record=new)
        case "collides":
            return replace(again, version=chance.choice([again.version, new]), record=new, who=chance.choice(persons))
        case "nobody":
            return replace(again, version=new, record=new, who=NOBODY)
        case "mapped anew":
            return replace(again, version=new, who=chance.choice([again.who, *persons]))
        case _:
            return again


def _persons(chance: random.Random, *, count: int) -> list[Who]:
    """Several persons, some of them told in several ways; some share an address or a telephone."""
    if chance.random() < 0.5:
        return [NOBODY, *(Who(person=f"person-{number}") for number in range(count))]
    shared = chance.choice([1, count])
    told = []
    for number in range(count):
        whole = Who(f"person-{number}", f"{number % shared}@example.com", f"07000000{number // 2}")
        ways = chance.choice([[(1, 1, 1)], [(1, 0, 0), (0, 1, 0)], [(1, 1, 0), (0, 1, 1)], [(0, 0, 1), (0, 1, 1)]])
        told += [Who(*(kind if is_told else None for kind, is_told in zip(whole, way, strict=True))) for way in ways]
    return [NOBODY, *told]


def _on_changed(chance: random.Random) -> tuple[OnChanged | None, ...]:
    """Mostly the same in all runs; else it is said at last."""
    last = chance.choice([None, None, OnChanged.SKIP, OnChanged.SEND])
    return chance.choice([(last,), (last,), (last,), (None, last), (None, OnChanged.SKIP, last)])


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
        failed_after=likely(),
        bad_node=likely(),
        token_delay=chance.choice([0.0, 0.0, 0.5, 2.0]),
        long_waits=chance.choice([(), (), (), (), ("3600",)]),
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
    kind = chance.choice(["crash", "crash", "crash", "power", "signal", "signal", "two signals", "ledger", "none"])
    moment = chance.choice([0.1, 1.0, 5.0, 60.0]) * chance.random()
    return Mishap(
        signals={"signal": (moment,), "two signals": (moment, moment + 20.0 * chance.random())}.get(kind, ()),
        crash_at_step=chance.randrange(1, chance.choice([30, 300, 3_000])) if kind in {"crash", "power"} else None,
        cuts_power=kind == "power",
        ledger_fails_at=chance.randrange(1, chance.choice([5, 50])) if kind == "ledger" else None,
        rereads=chance.choice([0, 0, 1, 5, 1_000]),
        is_replay=chance.random() < 0.2,
    )
