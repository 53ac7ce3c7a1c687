"""A signal at each moment at which a run waits for something, how soon it ends, and the same run again afterwards."""

from __future__ import annotations

import fcntl
import json
import re
import struct
import subprocess
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM, Signals
from typing import Any

import pytest

from tests.acceptance.process import SCHEMA, Command, accepted, bookmark, leads, record, settings, state
from tests.faults.memory import InDirectory, standing
from tests.program import Ended, Running, sandbox
from tests.sandbox.wire import Wire
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.acceptance

FIRST = 10
LEADS = 15
AT_ONCE = 5.0
"""Seconds in which a run ends that has nothing in flight. It takes less than one, but where the machine is busy.

Whatever it might wait for takes fifteen or more.
"""
AT_MOST = 20.0
"""What is promised of every run."""
LOCKED = 1.5
PAUSE = 1.0
ANSWERED, DELIVERED = 3, 1
"""How the ledger says that an answer settled nothing, and that one settled all."""
DOWN: Mapping[str, Any] = {"down": True, "error_retry_after": "seconds", "retry_after_seconds": 60}
SUM = re.compile(r"(\d+) (?:read|made) = (.+)\.$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A run and what is around it. What is on `after` is undone when the run has ended."""

    wire: Wire
    running: Running
    ledger: InDirectory
    after: ExitStack

    def count(self, name: str) -> int:
        """One of the sandbox's figures."""
        return int(self.wire.counts()[name])

    def deliver_first(self) -> None:
        """Have the first leads delivered and recorded, so that there is a STATE to write."""
        self.running.feed(leads(range(1, FIRST + 1)))
        until(lambda: standing(self.ledger, DELIVERED) == FIRST)

    def feed_rest(self) -> None:
        """The other leads."""
        self.running.feed([*(record(number) for number in range(FIRST + 1, LEADS + 1)), state(LEADS)])


Moment = Callable[[Scene], AbstractContextManager[None]]
"""What is entered when it is there, and left when the signal was sent."""


@contextmanager
def starting(scene: Scene) -> Iterator[None]:
    """The signal is caught, and the ledger is not taken yet."""
    scene.running.feed(leads(range(1, LEADS + 1)))
    until(lambda: _catches(scene.running.process.pid, SIGTERM))
    yield


@contextmanager
def waiting_for_the_lock(scene: Scene) -> Iterator[None]:
    """Another run has the ledger."""
    until(lambda: "Waiting up to" in scene.running.log)
    yield


@contextmanager
def between_lines(scene: Scene) -> Iterator[None]:
    """All is delivered, and the tap is silent."""
    scene.deliver_first()
    yield


@contextmanager
def in_a_send(scene: Scene) -> Iterator[None]:
    """The API has the events, and says nothing."""
    scene.deliver_first()
    scene.wire.post("/_sandbox/faults", {"slow_share": 1, "slow_seconds": 60})
    scene.feed_rest()
    until(lambda: scene.count("accepted") > FIRST)
    yield


@contextmanager
def in_backoff(scene: Scene) -> Iterator[None]:
    """Each event has a 503 that asks for a minute."""
    scene.deliver_first()
    scene.wire.post("/_sandbox/faults", DOWN)
    scene.feed_rest()
    until(lambda: standing(scene.ledger, ANSWERED) > 0)
    yield


@contextmanager
def in_backoff_after_the_end(scene: Scene) -> Iterator[None]:
    """The same, and the tap has died."""
    with in_backoff(scene):
        scene.running.close()
        yield


@contextmanager
def throttled(scene: Scene) -> Iterator[None]:
    """A 429 asks everyone for a minute."""
    scene.deliver_first()
    scene.wire.post("/_sandbox/faults", {"rate_limit": 1, "retry_after": "seconds", "retry_after_seconds": 60})
    scene.feed_rest()
    until(lambda: standing(scene.ledger, ANSWERED) > 0)
    yield


@contextmanager
def in_a_token_request(scene: Scene) -> Iterator[None]:
    """The token endpoint says nothing."""
    scene.wire.post("/_sandbox/faults", {"token_latency": 600})
    scene.running.feed(leads(range(1, LEADS + 1)))
    until(lambda: scene.count("max_concurrent_token_requests") == 1)
    yield


@contextmanager
def flooded(scene: Scene) -> Iterator[None]:
    """A tap without end has filled its pipe, the run reads no further, and the token endpoint says nothing."""
    scene.wire.post("/_sandbox/faults", {"token_latency": 600})
    tap = threading.Thread(target=_flood, args=(scene.running,), daemon=True)
    tap.start()
    scene.after.callback(tap.join)
    scene.after.callback(scene.running.process.kill)  # if it lives, nothing else ends the tap
    until(lambda: scene.count("max_concurrent_token_requests") == 1 and _is_full(scene.running.process))
    yield


@contextmanager
def in_a_commit(scene: Scene) -> Iterator[None]:
    """The database is locked from outside when the answers come; it is let go again after a while."""
    scene.deliver_first()
    scene.wire.post("/_sandbox/faults", {"slow_share": 1, "slow_seconds": LOCKED / 3})
    scene.feed_rest()
    until(lambda: scene.count("accepted") > FIRST)
    with scene.ledger.locked():
        yield
        assert scene.running.lasts(LOCKED)


@contextmanager
def in_a_commit_without_end(scene: Scene) -> Iterator[None]:
    """The same, but the database stays locked, and only what the disk had kept before can be passed by STATE."""
    scene.deliver_first()
    scene.running.next_state()
    scene.wire.post("/_sandbox/faults", {"slow_share": 1, "slow_seconds": LOCKED / 3})
    scene.feed_rest()
    until(lambda: scene.count("accepted") > FIRST)
    scene.after.enter_context(scene.ledger.locked())
    yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Signals at a moment, and the seconds from the last one in which the run ends.

    `is_lost`: answers are lost, so that their events may come twice, and are counted. `is_early`: nothing is delivered.
    """

    signals: tuple[Signals, ...]
    moment: Moment
    within: float = AT_ONCE
    is_lost: bool = False
    is_early: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "SIGTERM in a send": Case(signals=(SIGTERM,), moment=in_a_send, within=AT_MOST, is_lost=True),
    "SIGTERM in a commit without end": Case(
        signals=(SIGTERM,), moment=in_a_commit_without_end, within=AT_MOST, is_lost=True
    ),
    "SIGTERM from a flood": Case(signals=(SIGTERM,), moment=flooded, is_early=True, changes={"max_events": LEADS}),
    "SIGTERM in a commit": Case(signals=(SIGTERM,), moment=in_a_commit, within=LOCKED + AT_ONCE),
    "SIGTERM when starting": Case(signals=(SIGTERM,), moment=starting, is_early=True),
    "SIGTERM between lines": Case(signals=(SIGTERM,), moment=between_lines),
    "SIGTERM in backoff": Case(signals=(SIGTERM,), moment=in_backoff),
    "SIGTERM in a token request": Case(signals=(SIGTERM,), moment=in_a_token_request, is_early=True),
    "SIGTERM when waiting for the lock": Case(signals=(SIGTERM,), moment=waiting_for_the_lock, is_early=True),
    "SIGINT twice in a send": Case(signals=(SIGINT, SIGINT), moment=in_a_send, is_lost=True),
    "SIGINT in backoff, without a tap": Case(signals=(SIGINT,), moment=in_backoff_after_the_end),
    "SIGHUP when throttled": Case(signals=(SIGHUP,), moment=throttled),
    "SIGHUP in a token request": Case(signals=(SIGHUP,), moment=in_a_token_request, is_early=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A run that was stopped, and the one after it. `before` and `after` are the leads that had arrived then."""

    first: Ended
    second: Ended
    seconds: float
    """From the last signal to the end."""
    before: list[int]
    after: list[int]
    row: tuple[Any, ...] | None
    """What the ledger holds of the first run: its receipt, and the transactions' own counts."""
    lost: int
    """The answers that both runs count as lost."""

    @property
    def bookmark(self) -> int:
        """Where the first run's STATE stands."""
        return _reached(self.first)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[Stopped]]]:
    """Every case, a few at a time, each with a sandbox and a ledger of its own."""
    with ThreadPoolExecutor(5) as pool:
        yield {name: pool.submit(_play, case, tmp_path_factory.mktemp("case")) for name, case in CASES.items()}


def _play(case: Case, folder: Path) -> Stopped:
    command, ledger = Command(folder), InDirectory(folder / "ledger")
    with sandbox() as wire, ExitStack() as after:
        config = command.config(settings(wire.url, batch_size_rows=1, **case.changes))
        if case.moment is waiting_for_the_lock:
            after.enter_context(ledger.held())
        running = after.enter_context(command.started("--config", config))
        scene = Scene(wire=wire, running=running, ledger=ledger, after=after)
        with case.moment(scene):
            began = _tell(scene, case.signals)
        running.process.wait(PATIENCE)
        seconds = time.monotonic() - began
        after.close()
        first = running.ended()
        return _again(command, wire, first, seconds=seconds)


def _tell(scene: Scene, signals: tuple[Signals, ...]) -> float:
    """Send them, each when the one before has not ended the run for a while; the moment of the last one."""
    for number in signals[:-1]:
        scene.running.tell(number)
        assert scene.running.lasts(PAUSE)
    began = time.monotonic()
    scene.running.tell(signals[-1])
    return began


def _again(command: Command, wire: Wire, first: Ended, *, seconds: float) -> Stopped:
    """The next run, which begins behind the STATE of the first, with the API well."""
    before, ledger = accepted(wire), InDirectory(command.folder / "ledger")
    (row,) = ledger.rows("SELECT receipt, delivered, unknown FROM runs") or [None]
    wire.post("/_sandbox/faults", {"down": False, "token_latency": 0, "slow_share": 0, "rate_limit": 0})
    second = command.deliver(settings(wire.url), leads(range(_reached(first) + 1, LEADS + 1)))
    lost = ledger.rows("SELECT sum(unknown) FROM runs")[0][0]
    return Stopped(first=first, second=second, seconds=seconds, before=before, after=accepted(wire), row=row, lost=lost)


@pytest.mark.parametrize("name", CASES)
def test_it_ends_in_time_with_the_signal_s_code_when_one_comes(
    name: str, played: Mapping[str, Future[Stopped]]
) -> None:
    """The input is open all the while, and its end would tell nothing."""
    case, run = CASES[name], played[name].result()

    assert run.first.code == 128 + case.signals[-1]
    assert case.signals[-1].name in run.first.last_line
    assert run.seconds < case.within


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_lost_when_a_signal_comes_at_any_moment(name: str, played: Mapping[str, Future[Stopped]]) -> None:
    """STATE does not pass what arrived, and does not stay behind what was delivered long before."""
    case, run = CASES[name], played[name].result()

    assert set(range(1, run.bookmark + 1)) <= set(run.before)
    assert run.bookmark >= (0 if case.is_early else FIRST)
    assert run.second.code == 0
    assert set(run.after) == set(range(1, LEADS + 1))


@pytest.mark.parametrize("name", CASES)
def test_what_comes_twice_is_counted_when_a_signal_comes_at_any_moment(
    name: str, played: Mapping[str, Future[Stopped]]
) -> None:
    """Only what had no answer, or one that could not be recorded, is sent again."""
    case, run = CASES[name], played[name].result()
    twice = sum(times - 1 for times in Counter(run.after).values())

    assert (twice > 0) == case.is_lost
    assert (run.lost > 0) == case.is_lost
    assert twice <= run.lost


@pytest.mark.parametrize("name", CASES)
def test_the_sums_close_when_a_signal_comes_at_any_moment(name: str, played: Mapping[str, Future[Stopped]]) -> None:
    """In the log and in the receipt, which agrees with what the transactions added up."""
    case, run = CASES[name], played[name].result()
    sums = SUM.findall(run.first.err)

    assert len(sums) == 2
    assert [int(total) for total, _ in sums] == [sum(map(int, re.findall(r"\d+", parts))) for _, parts in sums]
    if run.row is not None and run.row[0] is not None:
        receipt, delivered, lost = json.loads(run.row[0]), *run.row[1:]
        assert (receipt["events"]["delivered"], receipt["answers_lost"]) == (delivered, lost)
        assert delivered + lost == len(run.before)
    else:
        assert case.is_early or case.moment is in_a_commit_without_end


# Standard output.


def test_it_ends_with_141_when_nobody_reads_state_any_more(tmp_path: Path) -> None:
    """In the middle of a backoff, and with the input open: nothing more is sent, and the sums close."""
    with sandbox() as wire, _unread(tmp_path, wire) as running:
        assert running.process.stdout is not None
        running.feed(leads(range(1, FIRST + 1)))
        until(lambda: len(accepted(wire)) == FIRST)
        wire.post("/_sandbox/faults", DOWN)
        running.process.stdout.close()
        running.feed(record(number) for number in range(FIRST + 1, LEADS + 1))

        assert running.process.wait(PATIENCE) == 141
        run = _again(Command(tmp_path), wire, running.ended(), seconds=0)

    assert "(exit 141)" in run.first.last_line
    assert f"{LEADS} made = {FIRST} delivered" in run.first.err
    assert run.second.code == 0
    assert Counter(run.after) == Counter(range(1, LEADS + 1))


def test_a_signal_ends_it_when_state_is_not_read(tmp_path: Path) -> None:
    """Whoever keeps STATE is there, and has stopped to read: a STATE larger than the pipe is stuck in it."""
    with sandbox() as wire, _unread(tmp_path, wire) as running:
        assert running.process.stdout is not None
        long = {"type": "STATE", "value": {**state(FIRST)["value"], "pad": "x" * 1_000_000}}
        running.feed([*leads(range(1, FIRST + 1)), long])
        pipe = running.process.stdout.fileno()
        until(lambda: _readable(pipe) == fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ))

        running.tell(SIGTERM)
        began = time.monotonic()

        assert running.process.wait(PATIENCE) == 128 + SIGTERM
        assert time.monotonic() - began < AT_MOST
        run = _again(Command(tmp_path), wire, running.ended(), seconds=0)

    assert f"{FIRST} made = {FIRST} delivered" in run.first.err
    assert run.second.code == 0
    assert Counter(run.after) == Counter(range(1, LEADS + 1))


def _unread(folder: Path, wire: Wire) -> AbstractContextManager[Running]:
    """A run whose standard output is a pipe that nobody reads."""
    command = Command(folder)
    return command.started("--config", command.config(settings(wire.url, batch_size_rows=1)), is_read=False)


def _readable(pipe: int) -> int:
    """How many bytes lie in it."""
    (found,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))
    return int(found)


# What is watched.


def _catches(pid: int, number: Signals) -> bool:
    """Whether a process has a handler for a signal."""
    (line,) = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("SigCgt")]
    return bool(int(line.split()[1], 16) >> (number - 1) & 1)


def _flood(running: Running) -> None:
    """Feed until nobody reads."""
    with suppress(BrokenPipeError):
        running.feed([SCHEMA])
        for hundred in count():
            numbers = range(100 * hundred + 1, 100 * hundred + 101)
            running.feed([*map(record, numbers), state(numbers[-1])])


def _is_full(process: subprocess.Popen[bytes]) -> bool:
    """Whether its input holds more lines than are ever written at once."""
    assert process.stdin is not None
    pipe = process.stdin.fileno()
    return _readable(pipe) > fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) // 2


def _reached(first: Ended) -> int:
    return bookmark(first.states[-1]) if first.states else 0
