"""The API and the network before it, as a seed has them: they outlive every run, and see what really happened."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from target_driftrock.events.answer import Answer, NoAnswer, Reply
from target_driftrock.events.event import Event
from tests.simulation.scenario import Scenario, Weather, serial_of
from tests.simulation.trace import Trace

READ_TIMEOUT = 60.0
FINAL = frozenset({400, 403, 404, 409, 413, 422})
CONTENT = frozenset({400, 413, 422})
REFUSALS_BORNE = 10
"""So many refusals stop a run at a capture that has accepted nothing, every time."""
SETUP = frozenset({403, 404})
QUIET = frozenset({401, 402, 423})
"""Judge no event."""
PERHAPS_DONE, AS_LOST = (500, 502, 503, 200), (408, 504)
"""What a gateway may say of what has arrived, 200 with a page: the latter are held under `on_unknown: hold`."""
PAGE = b"<html>"


@dataclass(kw_only=True, eq=False)
class Request:
    """One request on its way. Its body is the content of its event."""

    body: bytes
    token: str
    due: float
    loses_answer: bool
    back: float
    answer: asyncio.Future[Reply] | None
    has_arrived: bool = False


@dataclass(kw_only=True)
class Seen:
    """What one run was told, as the API knows it."""

    statuses: Counter[int] = field(default_factory=Counter)
    pages: int = 0
    quiet: int = 0
    """Of the pages, and the statuses that judge no event."""
    waits: int = 0
    """Answers that asked to be left alone for an hour."""
    verdicts: list[float] = field(default_factory=list)
    """When the API said something final."""


class SimulatedApi:
    """Accepts and refuses by the scenario. From `heal` on all is well, but for some events that it refuses."""

    def __init__(self, scenario: Scenario, chance: random.Random, trace: Trace) -> None:
        self._scenario = scenario
        self._chance = chance
        self._trace = trace
        self._is_healed = False
        self._says_conflict = scenario.says_conflict
        self._refusals = scenario.refusals
        self._issued: dict[str, float] = {}
        self._network: list[Request] = []
        self._pieces = [piece for line in scenario.lines for form in line.forms for piece in form.pieces]
        self._sources = {piece.serial: piece.source for piece in self._pieces}
        self._anonymous = {piece.body for piece in self._pieces if not piece.has_identity}
        self.acceptances: dict[bytes, list[float]] = defaultdict(list)
        """When each content was accepted, every time."""
        self.arrived: set[int] = set()
        """Events of which some content was accepted, by serial."""
        self.refused: set[bytes] = set()
        """Contents that were refused at some time."""
        self.posted: set[bytes] = set()
        """Contents of which a request began."""
        self.misreported: set[bytes] = set()
        """Contents that had arrived, while something said that they had perhaps not, and nobody holds them for that."""
        self.unauthorized: set[bytes] = set()
        """Contents that met a 401."""
        self.seen = Seen()

    def heal(self) -> None:
        """The operators on both sides have mended what stops a run; some events are refused all the same."""
        self._is_healed = True
        if any(mishap.cuts_power for mishap in self._scenario.mishaps):
            self._says_conflict = False  # else ten of these stop each run at a capture whose proof went with the power
        refusals = {serial: status for serial, status in self._refusals.items() if serial in self._sources}
        lasting = {serial: status for serial, status in refusals.items() if status in CONTENT}
        by_source = Counter(piece.source for piece in self._pieces if piece.serial in lasting)
        self._refusals = {
            serial: status for serial, status in lasting.items() if by_source[self._sources[serial]] < REFUSALS_BORNE
        }

    def still_refuses(self, body: bytes) -> bool:
        """Whether it would refuse this content now."""
        serial = serial_of(body)
        return self._is_known(body) or (serial in self._refusals and not self._is_mended(body))

    @property
    def _lifetime(self) -> float:
        return float("inf") if self._is_healed else self._scenario.token_lifetime

    @property
    def weather(self) -> Weather:
        """How the network is."""
        return Weather() if self._is_healed else self._scenario.weather

    def episode(self, now: float) -> str:
        """In which episode the API is, or none."""
        if self._is_healed:
            return ""
        return next((each.kind for each in self._scenario.episodes if each.begin <= now < each.end), "")

    def without_tokens_for(self, now: float) -> float:
        """Seconds until the token endpoint answers again."""
        if self._is_healed:
            return 0.0
        return max(
            (one.end - now for one in self._scenario.episodes if one.kind == "no tokens" and one.begin <= now),
            default=0.0,
        )

    def begin_run(self) -> None:
        """Another run begins: what is still in the network arrives in its time, or was lost with its connection."""
        self.seen = Seen()
        pending, self._network = self._network, []
        for request in pending:
            request.answer = None
            if not request.has_arrived and self._chance.random() < 0.5:
                self.send(request)

    def send(self, request: Request) -> None:
        """Put a request into the network."""
        loop = asyncio.get_running_loop()
        self._network.append(request)
        loop.call_at(max(request.due, loop.time()), self._arrive, request)

    def issue(self) -> str:
        """A new token."""
        token = f"token-{len(self._issued) + 1}"
        self._issued[token] = _now()
        return token

    def _arrive(self, request: Request) -> None:
        request.has_arrived = True
        self._network.remove(request)
        reply = self._judge(request)
        self._trace.note("arrived", request.body, reply)
        if request.answer is not None:
            told = NoAnswer.LOST if request.loses_answer else reply
            asyncio.get_running_loop().call_later(request.back, self._answer, request.answer, told)

    def _answer(self, answer: asyncio.Future[Reply], reply: Reply) -> None:
        if answer.done():
            return
        answer.set_result(reply)
        if isinstance(reply, Answer):
            self.seen.statuses[reply.status] += 1
            is_page = reply.excerpt == PAGE
            self.seen.pages += is_page
            self.seen.quiet += is_page or reply.status in QUIET
            self.seen.waits += reply.retry_after == "3600"
            if not is_page and (reply.status == 201 or reply.status in FINAL):
                self.seen.verdicts.append(_now())

    def _judge(self, request: Request) -> Reply:
        episode = self.episode(_now())
        if episode == "down" or (episode == "brown-out" and self._chance.random() < 0.5):
            return Answer(status=503, retry_after=self._chance.choice([None, None, "1", "30"]))
        if episode == "web page":
            return Answer(status=self._chance.choice([200, 302, 403]), excerpt=PAGE)
        if episode == "quiet":
            return Answer(status=402)
        weather = self.weather
        is_good = self._is_good(request.token)
        if episode == "tokens refused" or not is_good or self._chance.random() < weather.bad_node:
            self.unauthorized.add(request.body)
            return Answer(status=401)
        if self._chance.random() < weather.throttled:
            return Answer(status=429, retry_after=self._chance.choice([None, "1", "10", *weather.long_waits]))
        if self._chance.random() < weather.failed:
            return self._fail(*PERHAPS_DONE, *AS_LOST, 403, 423)
        reply = self._judge_event(request.body)
        if reply == Answer(status=201) and self._chance.random() < weather.failed_after:
            reply = self._fail(*PERHAPS_DONE, *AS_LOST)  # a gateway's word, while the event has arrived behind it
            if reply.status in PERHAPS_DONE:
                self.misreported.add(request.body)
        return reply

    def _fail(self, *statuses: int) -> Answer:
        status = self._chance.choice(statuses)
        is_page = status in {200, 403} or (status == 502 and self._chance.random() < 0.5)
        return Answer(status=status, excerpt=PAGE if is_page else b"")

    def _is_good(self, token: str) -> bool:
        issued = self._issued[token]
        return issued + self.weather.token_delay <= _now() < issued + self._lifetime

    def _judge_event(self, body: bytes) -> Reply:
        serial = serial_of(body)
        if not self._is_healed and self._sources[serial] in self._scenario.closed:
            return self._refuse(body, self._scenario.closed[self._sources[serial]])
        if serial in self._refusals and not self._is_mended(body):
            return self._refuse(body, self._refusals[serial])
        if not self._is_healed and serial in self._scenario.poisoned:
            status = self._scenario.poisoned[serial]
            return NoAnswer.LOST if status is None else Answer(status=status)
        if self._is_known(body):
            return self._refuse(body, 409)  # so whoever takes it for a refusal loses what has arrived
        self.acceptances[body].append(_now())
        self.arrived.add(serial)
        return Answer(status=201)

    def _is_known(self, body: bytes) -> bool:
        """What has no id is recognised by its content alone."""
        is_there = body in self.acceptances if body in self._anonymous else serial_of(body) in self.arrived
        return self._says_conflict and is_there

    def _is_mended(self, body: bytes) -> bool:
        """Of some of what it refuses it takes every content but the first."""
        return serial_of(body) in self._scenario.mended and b'"version": 0,' not in body

    def _refuse(self, body: bytes, status: int) -> Reply:
        self.refused.add(body)
        return Answer(status=status)


class Wire:
    """A run's `Transport`."""

    fault: str | None = None

    def __init__(self, api: SimulatedApi, chance: random.Random, trace: Trace) -> None:
        self._api = api
        self._chance = chance
        self._trace = trace
        self.is_cut = False
        """The process is dead: nothing leaves it any more."""
        self.in_doubt: set[bytes] = set()
        """Contents of which a request began, and of which the ledger knows no end."""
        self.most_in_doubt = 0
        self.accepted: list[bytes] = []
        """Contents that the API took in this run, and said so."""

    async def send(self, events: Sequence[Event], *, token: str) -> Sequence[Reply]:
        """Send, and wait as the real one does."""
        return [await self._post(event.body, token) for event in events]

    async def _post(self, body: bytes, token: str) -> Reply:
        if self.is_cut:
            return NoAnswer.NOT_SENT
        self.in_doubt.add(body)
        self.most_in_doubt = max(self.most_in_doubt, len(self.in_doubt))
        self._api.posted.add(body)
        self._trace.note("post", body, token)
        reply = await self._exchange(body, token)
        if isinstance(reply, Answer) and reply.status == 201:
            self.accepted.append(body)
        self._trace.note("reply", body, reply)
        return reply

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _exchange(self, body: bytes, token: str) -> Reply:
        weather, roll = self._api.weather, self._chance.random()
        latency = weather.latency * self._chance.random()
        if self._api.episode(_now()) == "unreachable" or roll < weather.not_sent:
            await asyncio.sleep(latency)
            return NoAnswer.NOT_SENT
        if roll < weather.not_sent + weather.lost_before:
            await asyncio.sleep(latency)
            return NoAnswer.LOST
        is_slow = self._chance.random() < weather.slow
        request = Request(
            body=body,
            token=token,
            due=_now() + latency + (self._chance.uniform(1.0, 200.0) if is_slow else 0.0),
            loses_answer=self._chance.random() < weather.lost_after,
            back=weather.latency * self._chance.random(),
            answer=asyncio.get_running_loop().create_future(),
        )
        self._api.send(request)
        assert request.answer is not None
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                return await request.answer
        except TimeoutError:
            return NoAnswer.LOST


class SimulatedTokens:
    """A run's `Tokens`: asks for one at a time, and waits while none is to be had."""

    is_renewable = True
    fault: str | None = None

    def __init__(self, api: SimulatedApi, chance: random.Random) -> None:
        self._api = api
        self._chance = chance
        self._present: str | None = None
        self._lock = asyncio.Lock()
        self.requests = 0

    async def token(self, *, refused: str | None = None) -> str:
        """The present one, or another in place of the refused."""
        async with self._lock:
            if self._present in {None, refused}:
                await asyncio.sleep(0.1 * self._chance.random())
                await asyncio.sleep(max(0.0, self._api.without_tokens_for(_now())))
                self.requests += 1
                self._present = self._api.issue()
            assert self._present is not None
            return self._present


def _now() -> float:
    return asyncio.get_running_loop().time()
