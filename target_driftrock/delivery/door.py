"""The door of delivery: parts go in in the order read, and each comes back with its outcome.

Behind it are the ledger, the tokens, the connections, and the thread in which all of that works. Whoever delivers
stands on this door, and knows nothing of what is behind it.
"""

from __future__ import annotations

import os
import random
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_driftrock.auth import tokens_for
from target_driftrock.client.dialler import connection_fault
from target_driftrock.delivery.dispatcher import UNPROVEN_AT_END, Dispatcher
from target_driftrock.delivery.pending import DeliveryConfig, Statistics
from target_driftrock.delivery.transport import HttpTransport
from target_driftrock.delivery.worker import ThreadWorker
from target_driftrock.errors import RejectsAboveLimit, SetupRefused
from target_driftrock.events.outcome import Open
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.threaded import LedgerThread
from target_driftrock.network import Network, sandbox_missing
from target_driftrock.settings import Environment, NewLedger, OnUnknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from target_driftrock.auth import Tokens
    from target_driftrock.delivery.pending import Outlook
    from target_driftrock.delivery.transport import Transport
    from target_driftrock.delivery.worker import Worker
    from target_driftrock.events.event import Part
    from target_driftrock.events.outcome import Outcome
    from target_driftrock.ledger.interface import Ledger, RunLedger
    from target_driftrock.settings import Settings

    IsStopped = Callable[[], bool]

GRACE_SECONDS = 15.0
"""How long requests in flight may still take when a run stops."""
WAIT_SECONDS = 0.5
"""How often a wait looks up, at the least."""
GATHER_SECONDS = 0.02
"""How long what is settled gathers before a reader that waits goes on: to change threads for each costs much more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a delivery stands on. `hold` takes the ledger; the other callables are called in the worker's loop."""

    config: DeliveryConfig
    tokens: Tokens
    hold: Callable[[IsStopped], RunLedger | None]
    open_transport: Callable[[], Transport]
    in_thread: Callable[[Ledger], LedgerThread]
    wall: Callable[[], float] = time.time
    roll: Callable[[], float] = random.random
    make_dispatcher: Callable[..., Dispatcher] = Dispatcher


def resources_of(settings: Settings) -> Resources:
    """What these settings name. Nothing is connected, and nothing opened.

    Raises:
        SettingsInvalid: What the environment says of a proxy or of certificates is wrong.
        SetupRefused: The sandbox is meant, and none runs.
    """
    network = Network.from_environment(settings.api, os.environ)
    if settings.api.environment is Environment.SANDBOX and connection_fault(network) is not None:
        raise SetupRefused(sandbox_missing(settings.api))
    return Resources(
        config=DeliveryConfig(
            api=settings.api.name,
            max_concurrency=settings.pace.max_concurrency,
            most_per_second=settings.pace.max_events_per_second,
            max_outage=settings.patience.max_outage,
            holds_unknown=settings.keeping.on_unknown is OnUnknown.HOLD,
            bears_refusals=settings.keeping.bears_refusals,
        ),
        tokens=tokens_for(settings.credentials, network, patience=settings.patience.max_outage),
        hold=exclusive(settings),
        open_transport=lambda: HttpTransport(network, read_timeout=settings.patience.read_timeout),
        in_thread=LedgerThread,
    )


def exclusive(settings: Settings) -> Callable[[IsStopped], RunLedger | None]:
    """A run's hold on its ledger: nobody else delivers with it at the same time. See `open_ledger`."""
    return lambda is_stopped: open_ledger(
        settings.keeping.ledger,
        api=settings.api.name,
        may_make=settings.keeping.new_ledger is NewLedger.ALLOW,
        wait=settings.patience.max_outage,
        is_stopped=is_stopped,
    )


class Delivery:
    """Takes parts, and gives each back with its outcome.

    All methods are for one thread, the reader's. None blocks but `start` and those that say that they wait; a wait is
    over when something is settled, when delivery has ended, or when its time is. What stopped delivery is `failure`.
    """

    def __init__(
        self,
        resources: Callable[[], Resources],
        *,
        grace: float = GRACE_SECONDS,
        worker: Worker | None = None,
    ) -> None:
        self._open_resources = resources
        self._grace = grace
        self._worker = worker or ThreadWorker()
        self._resources: Resources | None = None
        self._dispatcher: Dispatcher | None = None
        self._inbox: deque[Part] = deque()
        self._outcomes: deque[tuple[Part, Outcome]] = deque()
        self._is_secured = False
        self._is_over = False
        self._outlook: Outlook | None = None
        self._absorbed = Statistics()
        self._absorbed_token_requests = 0
        self.ledger: RunLedger | None = None
        """For the reader before the first part, and once delivery has ended; in between it is the worker's."""

    @contextmanager
    def opened(self, *, is_stopped: IsStopped) -> Iterator[Delivery]:
        """Deliver what is submitted in the `with`; at its end all is settled, and the ledger let go of.

        Once it `is_stopped()`, and after an exception, only what is in flight may finish; `take_outcomes` tells then
        what is open. See `start` for what is raised, and beside that what stopped delivery.
        """
        try:
            self.start(is_stopped=is_stopped)
            yield self
            self.end_input()
            while self.is_running and not is_stopped():
                self.wait(WAIT_SECONDS)
        finally:
            self.give_up()
        if self.failure is not None:
            raise self.failure

    def start(self, *, is_stopped: IsStopped) -> bool:
        """Take the ledger, and begin to deliver. May be called twice. False if it `is_stopped()` before it was taken.

        Raises:
            SettingsInvalid: The ledger's place is wrong, or what the environment says of a proxy or of certificates.
            SetupRefused: The sandbox is meant, and none runs.
            LedgerUnavailable: The ledger is unavailable, or another run has it.
            NoThread: The machine has none left.
        """
        if self.is_started:
            return True
        if not self.hold(is_stopped=is_stopped):
            return False
        self._worker.start(self._deliver)
        return True

    def hold(self, *, is_stopped: IsStopped) -> bool:
        """Take the ledger, and deliver nothing yet: see `start`, which does the rest."""
        if self.ledger is None:
            self._resources = self._open_resources()  # before the ledger: what is wrong with it leaves no trace
            self.ledger = self._resources.hold(is_stopped)
        return self.ledger is not None

    def submit(self, parts: Sequence[Part]) -> None:
        """Hand parts over, in the order read. What can no longer be taken comes back open."""
        self._inbox.extend(parts)
        self._worker.call(self._hand_over)

    def end_input(self) -> None:
        """Nothing more will be submitted: delivery ends when all is settled."""
        self._tell(Dispatcher.end_input)

    def stop(self) -> None:
        """Start nothing more, and let what is in flight finish for the grace. A second call ends that too."""
        self._tell(Dispatcher.stop)

    def end(self) -> None:
        """Stop, and wait until delivery has ended. Two threads must not use the ledger at once."""
        if self.is_running:
            self.stop()
        while self.is_running:
            self._worker.wait(WAIT_SECONDS)

    def give_up(self) -> None:
        """Whatever goes on: end it, and let go of the ledger. Interrupted while it waits, it waits for nothing more."""
        try:
            self.end()
        except BaseException:
            self.stop()  # for the second time
            self.end()
            raise
        finally:
            self.close()

    def secure(self) -> None:
        """Have the disk keep all that was reported so far. `is_secured` says when it does."""
        self._is_secured = False
        self._tell(Dispatcher.secure, self._note_secured)

    @property
    def is_secured(self) -> bool:
        """Whether the disk has kept what `secure` was called for."""
        return self._is_secured

    def wait(self, timeout: float) -> None:
        """Return when something was settled, when delivery has ended, or after `timeout` seconds."""
        self._worker.wait(timeout)

    def wait_for_room(self, timeout: float) -> None:
        """Say that the reader can go on only when something is settled, `wait`, and let some more gather."""
        self._tell(Dispatcher.note_reader_waits)
        self._worker.wait(timeout)
        self._worker.pause(GATHER_SECONDS)

    def take_outcomes(self) -> list[tuple[Part, Outcome]]:
        """What was settled since the last call, in the order of the commits; after the end, what was not taken too."""
        if not self.is_running:
            self._outcomes.extend((part, Open(reason="never sent")) for part in self._take_inbox())
        return [self._outcomes.popleft() for _ in range(len(self._outcomes))]

    @property
    def is_started(self) -> bool:
        """Whether the worker was started."""
        return self._worker.is_started

    @property
    def is_running(self) -> bool:
        """Whether parts are still delivered."""
        return self._worker.is_running

    @property
    def failure(self) -> BaseException | None:
        """What stopped delivery, if it stopped by itself."""
        return RejectsAboveLimit(UNPROVEN_AT_END) if self._absorbed.was_judged_late else self._worker.failure

    @property
    def statistics(self) -> Statistics:
        """What was counted, as it is at this moment."""
        return self._absorbed if self._dispatcher is None else self._dispatcher.statistics

    @property
    def token_requests(self) -> int:
        """How many tokens were asked for."""
        requests = self._resources.tokens.requests if self._resources is not None and self.is_started else 0
        return requests + self._absorbed_token_requests

    def absorb(self, told: Mapping[str, Any], *, token_requests: int) -> None:
        """Count what was delivered in another process, where nothing is in this one."""
        self._absorbed.absorb(told)
        self._absorbed_token_requests += token_requests

    def look_ahead(self) -> Outlook | None:
        """How things stood with the API when this was called last; it is asked for anew. None at first."""
        self._worker.call(self._look)
        return self._outlook

    def close(self) -> None:
        """Let go of the ledger. To be called once delivery has ended; may be called twice."""
        if self.ledger is not None:
            self.ledger.close()

    # What runs in the worker.

    async def _deliver(self) -> None:
        assert self._resources is not None  # noqa: S101 - both are there before the worker is started
        assert self.ledger is not None  # noqa: S101
        resources = self._resources
        transport, ledger = resources.open_transport(), resources.in_thread(self.ledger)
        try:
            self._dispatcher = resources.make_dispatcher(
                config=resources.config,
                transport=transport,
                tokens=resources.tokens,
                ledger=ledger,
                wall=resources.wall,
                roll=resources.roll,
                report=self._report,
            )
            self._worker.notify()
            await self._dispatcher.run(grace=self._grace)
        finally:
            self._is_over = True
            try:
                await transport.close()
            finally:
                ledger.close()

    def _tell(self, say: Callable[..., None], *arguments: object) -> None:
        if self._dispatcher is not None:
            self._worker.call(say, self._dispatcher, *arguments)

    def _hand_over(self) -> None:
        if self._dispatcher is not None and not self._is_over:
            self._dispatcher.submit(self._take_inbox())

    def _take_inbox(self) -> list[Part]:
        return [self._inbox.popleft() for _ in range(len(self._inbox))]

    def _report(self, part: Part, outcome: Outcome) -> None:
        self._outcomes.append((part, outcome))
        self._worker.notify()

    def _note_secured(self) -> None:
        self._is_secured = True

    def _look(self) -> None:
        if self._dispatcher is not None:
            self._outlook = self._dispatcher.outlook()
