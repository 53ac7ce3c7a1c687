"""What delivery stands on, made up: the API, its tokens, a ledger and its thread. Each has its whole interface."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from target_driftrock.delivery.life import LIFE, State
from target_driftrock.delivery.pending import PendingEvent
from target_driftrock.errors import LedgerUnavailable
from target_driftrock.events.answer import Answer, Reply
from target_driftrock.events.event import Event
from target_driftrock.ledger.interface import Change, Concluded
from tests.contract.memory import MemoryLedger

ACCEPTED = Answer(status=201)
LATENCY = 0.1


def status(code: int, *, retry_after: str | None = None) -> Answer:
    """An answer of this status."""
    return Answer(status=code, retry_after=retry_after, excerpt=b"the answer's body")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One request: of which record, its how manieth, when, and with what."""

    serial: int
    number: int
    at: float
    token: str


@dataclass(frozen=True)
class After:
    """A reply that takes this many seconds."""

    seconds: float
    reply: Reply


Reaction = Reply | After
React = Callable[[Sent], Reaction]


def accept(_: Sent) -> Reaction:
    """Take everything."""
    return ACCEPTED


def script(replies: Mapping[int, Sequence[Reaction]], *, otherwise: Reaction = ACCEPTED) -> React:
    """Replies by record, for its requests in turn; afterwards, and for all other records, `otherwise`."""

    def react(sent: Sent) -> Reaction:
        own = replies.get(sent.serial, ())
        return own[sent.number - 1] if sent.number <= len(own) else otherwise

    return react


def always(replies: Mapping[int, Reaction], *, otherwise: Reaction = ACCEPTED) -> React:
    """One reply for each of these records, whenever it is tried."""
    return lambda sent: replies.get(sent.serial, otherwise)


class ScriptedTransport:
    """Replies as `react` says, `LATENCY` seconds after the request unless it says otherwise."""

    fault: str | None = None

    def __init__(self, react: React) -> None:
        self._react = react
        self._numbers: Counter[int] = Counter()
        self.sent: list[Sent] = []
        self.flying = 0
        self.most_flying = 0
        self.cancelled: list[int] = []

    async def send(self, events: Sequence[Event], *, token: str) -> Sequence[Reply]:
        """Note each request, and reply."""
        return [await self._post(event.body, token) for event in events]

    async def _post(self, body: bytes, token: str) -> Reply:
        serial = json.loads(body)["serial"]
        self._numbers[serial] += 1
        sent = Sent(serial=serial, number=self._numbers[serial], at=_now(), token=token)
        self.sent.append(sent)
        reaction = self._react(sent)
        after = reaction if isinstance(reaction, After) else After(LATENCY, reaction)
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)
        try:
            await asyncio.sleep(after.seconds)
        except asyncio.CancelledError:
            self.cancelled.append(serial)
            raise
        finally:
            self.flying -= 1
        return after.reply

    async def close(self) -> None:
        """There is nothing to let go of."""

    def serials(self) -> list[int]:
        """The records of the requests, in their order."""
        return [sent.serial for sent in self.sent]

    def moments(self, serial: int) -> list[float]:
        """When this record was sent."""
        return [sent.at for sent in self.sent if sent.serial == serial]


class ScriptedTokens:
    """Tokens by number, `token-1` and so on; a new one takes `latency` seconds, or for ever where it is infinite."""

    is_renewable = True
    fault: str | None = None

    def __init__(self, *, latency: float = 0.05) -> None:
        self.requests = 0
        self._latency = latency
        self._lock = asyncio.Lock()

    @property
    def present(self) -> str:
        """The newest token."""
        return f"token-{self.requests}"

    async def token(self, *, refused: str | None = None) -> str:
        """The present token, or a new one in place of the refused."""
        async with self._lock:
            if self.requests and refused != self.present:
                return self.present
            if self._latency == float("inf"):
                await asyncio.Event().wait()
            await asyncio.sleep(self._latency)
            self.requests += 1
            return self.present


class FixedKey:
    """An API key: never asked for, never renewed."""

    is_renewable = False
    requests = 0
    fault: str | None = None

    async def token(self, *, refused: str | None = None) -> str:
        """The key."""
        assert refused is None
        return "key"


class HeldToItsTable(PendingEvent):
    """Moves only as the table of an event's life says."""

    __slots__ = ()

    def move(self, state: State) -> None:
        """Go there, if it is one of the next."""
        assert state in LIFE[self.state].next, f"{self.state} → {state}"
        super().move(state)


class RecordingLedger(MemoryLedger):
    """Keeps what was committed, transaction by transaction. From call number `fails_from` on it is lost."""

    def __init__(self, *, fails_from: int | None = None) -> None:
        super().__init__()
        self.commits: list[list[Change]] = []
        self.secured: list[int] = []
        """How many transactions lay on the disk, each time that it was waited for."""
        self.fails_from = fails_from

    def earlier(self, *changes: Change) -> None:
        """An earlier run has committed this."""
        super().commit(changes)

    def commit(self, changes: Sequence[Change]) -> None:
        """Make them durable, or fail."""
        self._fail_if_lost()
        super().commit(changes)
        self.commits.append(list(changes))

    def secure(self) -> None:
        """Note what the disk has, or fail."""
        self._fail_if_lost()
        self.secured.append(len(self.commits))

    def changes(self, serial: int) -> list[str]:
        """What was committed of a record, in order, by the names of the changes and outcomes."""
        return [
            type(change.outcome if isinstance(change, Concluded) else change).__name__
            for commit in self.commits
            for change in commit
            if _position(change) == serial
        ]

    def _fail_if_lost(self) -> None:
        if self.fails_from is not None and len(self.commits) >= self.fails_from:
            raise LedgerUnavailable("The ledger is gone.")


class InLoopExecutor(Executor):
    """In place of the ledger's thread: one call after the other on the loop, each after `latency` seconds."""

    def __init__(self, latency: Callable[[], float]) -> None:
        self._latency = latency
        self._free_at = 0.0

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call it when those before it are done."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self._free_at = max(self._free_at, _now()) + self._latency()
        asyncio.get_running_loop().call_at(self._free_at, self._call, future, function, args)
        return future

    @staticmethod
    def _call(future: Future[Any], function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            future.set_result(function(*args))
        except Exception as error:  # noqa: BLE001 - whoever waits gets it, as from a thread
            future.set_exception(error)


def _position(change: Change) -> int | None:
    part = getattr(change, "part", None) or getattr(change, "event", None)
    return None if part is None else part.origin.position


def _now() -> float:
    return asyncio.get_running_loop().time()
