"""Lines to messages, over real descriptors."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.errors import InputInvalid
from target_driftrock.singer.messages import Record
from target_driftrock.singer.reader import Reader
from tests.waiting import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from target_driftrock.singer.messages import Message

NAMES = ("José", "Zoë", "李")

SCHEMA = b'{"type":"SCHEMA","stream":"leads","schema":{"properties":{"name":{}}}}\n'


def lead(name: str) -> bytes:
    """The line of a record."""
    return f'{{"type":"RECORD","stream":"leads","record":{{"name":"{name}"}}}}\n'.encode()


LEADS = b"".join(map(lead, NAMES))


@dataclass(slots=True)
class Receiver:
    """Keeps what is handed over; `then` runs after each."""

    then: Callable[[], object] = lambda: None
    messages: list[Message] = field(default_factory=list)

    def receive(self, message: Message) -> None:
        """What every callback does."""
        self.messages.append(message)
        self.then()

    @property
    def callbacks(self) -> dict[str, Callable[[Any], None]]:
        """One for every type of message."""
        return dict.fromkeys(("RECORD", "SCHEMA", "STATE", "ACTIVATE_VERSION"), self.receive)

    @property
    def names(self) -> list[str]:
        """Of the records, in the order received."""
        return [message.record["name"] for message in self.messages if isinstance(message, Record)]

    @property
    def lines(self) -> list[int]:
        """Of all messages, in the order received."""
        return [message.line for message in self.messages]


@dataclass(slots=True)
class Descriptor:
    """All that the reader needs of an input."""

    number: int

    def fileno(self) -> int:
        """As files have it."""
        return self.number


@dataclass(slots=True)
class Pipe:
    """Both ends, unbuffered: the reader's and the tap's."""

    source: IO[bytes]
    tap: IO[bytes]


@contextmanager
def piped(data: bytes = b"") -> Iterator[Pipe]:
    """A pipe with something in it already."""
    reading, writing = os.pipe()
    with io.FileIO(reading) as source, io.FileIO(writing, "w") as tap:
        tap.write(data)
        yield Pipe(source, tap)


def text_over_bytes(data: bytes) -> IO[str]:
    """What a process under a foreign locale has for standard input, as test runners replace it."""
    return io.TextIOWrapper(io.BytesIO(data), encoding="latin-1")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(lambda data: io.BytesIO(data), id="bytes"),  # noqa: PLW0108 - like its neighbours
        pytest.param(lambda data: io.StringIO(data.decode()), id="text"),
        pytest.param(text_over_bytes, id="text of a foreign locale"),
    ],
)
def test_an_input_is_iterated_when_it_has_no_descriptor(source: Callable[[bytes], IO[Any]]) -> None:
    """What tests and other programs hand in is read like a pipe."""
    receiver = Receiver()

    Reader().process_lines(source(LEADS), receiver.callbacks)

    assert receiver.names == list(NAMES)


@pytest.mark.parametrize("mode", ["rb", "r"])
def test_a_file_is_read_as_utf_8_when_its_own_encoding_is_another(mode: str, tmp_path: Path) -> None:
    """José stays José whatever the locale, and however the file was opened."""
    path = tmp_path / "leads.singer"
    path.write_bytes(LEADS)
    receiver = Receiver()

    with path.open(mode, encoding="ascii" if mode == "r" else None) as source:
        Reader().process_lines(source, receiver.callbacks)

    assert receiver.names == list(NAMES)


def test_standard_input_is_read_when_no_file_is_given() -> None:
    """A run without `--input` reads its standard input, under a C locale too."""
    program = (
        "from target_driftrock.singer.reader import Reader;"
        "Reader().process_lines(None, {'RECORD': lambda record: print(ascii(record.record['name']))})"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program], input=LEADS, capture_output=True, check=True, env={"LC_ALL": "C"}
    )

    assert printed.stdout.decode().split() == [ascii(name) for name in NAMES]


def test_the_run_stops_when_standard_input_is_closed() -> None:
    """A target started without an input says so, instead of reporting that all is done."""
    program = (
        "from target_driftrock.errors import InputInvalid\n"
        "from target_driftrock.singer.reader import Reader\n"
        "try: Reader().process_lines(None, {})\n"
        "except InputInvalid as error: print(error)"
    )

    printed = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "$1" <&-', sys.executable, program],
        capture_output=True,
        check=True,
    )

    assert b"Standard input is closed" in printed.stdout


def test_lines_keep_their_numbers_when_blank_ones_and_a_mark_are_passed_over() -> None:
    """A byte order mark, blank lines and carriage returns break nothing, and every line counts."""
    receiver = Receiver()
    data = b"\xef\xbb\xbf" + lead("Ada") + b"\n \t\r\n" + lead("Zoe").replace(b"\n", b"\r\n") + b"\n"

    with piped(data) as pipe:
        pipe.tap.close()
        reader = Reader()
        reader.process_lines(pipe.source, receiver.callbacks)

    assert receiver.names == ["Ada", "Zoe"]
    assert receiver.lines == [1, 4]
    assert reader.line == 5


def test_nothing_is_read_when_the_input_is_empty() -> None:
    """A tap with nothing to say is no error."""
    with piped() as pipe:
        pipe.tap.close()
        counts = Reader().process_lines(pipe.source, {})

    assert counts.total() == 0


def test_messages_are_counted_by_type_when_nobody_wants_them() -> None:
    """The counter has the SDK's keys, and counts what has no callback."""
    state = b'{"type":"STATE","value":{}}\n'

    counts = Reader().process_lines(io.BytesIO(SCHEMA + LEADS + state), {})

    assert counts == {"SCHEMA": 1, "RECORD": 3, "STATE": 1}


def test_a_line_of_a_megabyte_is_ordinary_when_it_comes_in_pieces() -> None:
    """A line may be longer than any buffer and any pipe."""
    receiver = Receiver()
    name = "x" * 1_000_000

    def speak(tap: IO[bytes]) -> None:
        tap.write(lead(name))
        tap.write(LEADS)
        tap.close()

    with piped() as pipe:
        tap = threading.Thread(target=speak, args=(pipe.tap,))
        tap.start()
        Reader().process_lines(pipe.source, receiver.callbacks)
        tap.join()

    assert receiver.names == [name, *NAMES]


@pytest.mark.parametrize("is_pipe", [True, False], ids=["a pipe", "memory"])
def test_the_run_stops_when_a_line_does_not_end(is_pipe: bool) -> None:  # noqa: FBT001
    """It is given up while it is read, and never held as a whole; what came before it was handed over."""
    receiver, told = Receiver(), "Line 2 is longer than 64 MiB: mend the tap"
    piece = b"x" * 1_000_000

    def speak(tap: IO[bytes]) -> None:
        with suppress(BrokenPipeError):
            while True:
                tap.write(piece)

    if not is_pipe:
        with pytest.raises(InputInvalid, match=told):
            Reader().process_lines(io.BytesIO(lead("Ada") + piece * 70), receiver.callbacks)
        assert receiver.names == ["Ada"]
        return
    with piped(lead("Ada")) as pipe:
        tap = threading.Thread(target=speak, args=(pipe.tap,))
        tap.start()
        with pytest.raises(InputInvalid, match=told):
            Reader().process_lines(pipe.source, receiver.callbacks)
        pipe.source.close()
        tap.join()

    assert receiver.names == ["Ada"]


def chop(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """The data in pieces."""
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(edges)]


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(min_value=0, max_value=10_000), max_size=12))
def test_lines_are_whole_when_the_pipe_cuts_them_anywhere(cuts: list[int]) -> None:
    """Where one read ends and the next begins is never seen."""
    receiver = Receiver()

    with piped() as pipe:
        pieces = iter(chop(LEADS, cuts))

        def write_the_next() -> None:
            piece = next(pieces, None)
            if piece is None:
                pipe.tap.close()
            else:
                pipe.tap.write(piece)

        Reader(tick=write_the_next, tick_seconds=0.0).process_lines(pipe.source, receiver.callbacks)

    assert receiver.names == list(NAMES)


@pytest.mark.parametrize(
    ("rest", "names", "told"),
    [
        pytest.param(lead("Zoe")[:-1], ["Ada", "Zoe"], None, id="a whole message"),
        pytest.param(lead("Zoe")[:-2], ["Ada"], "ends inside line 2", id="a message cut short"),
        pytest.param(b"rubbish\n" + lead("Zoe"), ["Ada"], "Line 2 is not JSON", id="a line that is no message"),
    ],
)
def test_all_before_it_is_handed_over_when_a_line_is_bad(rest: bytes, names: list[str], told: str | None) -> None:
    """A bad line costs nothing that came before it; a last line that lacks only its newline is good."""
    receiver = Receiver()
    fault = None

    with piped(lead("Ada") + rest) as pipe:
        pipe.tap.close()
        try:
            Reader().process_lines(pipe.source, receiver.callbacks)
        except InputInvalid as error:
            fault = str(error)

    assert receiver.names == names
    assert (fault is None) if told is None else (fault is not None and told in fault)


def test_counts_hold_when_a_callback_stops_the_run() -> None:
    """A record that was read counts, even if what was to become of it was never known."""

    def stop() -> None:
        raise InputInvalid("enough")

    reader = Reader()
    with pytest.raises(InputInvalid, match="enough"):
        reader.process_lines(io.BytesIO(LEADS), Receiver(then=stop).callbacks)

    assert reader.counts == {"RECORD": 1}
    assert reader.line == 1


def test_reading_ends_when_it_is_woken_in_the_middle_of_a_silent_line() -> None:
    """A wait for a silent tap is over at once; half a line is no error then, and the wake pipe is left as it was."""
    receiver = Receiver()

    with piped(lead("Ada") + b'{"type":') as pipe, piped(b"!") as wake:
        Reader(wake_fd=wake.source.fileno()).process_lines(pipe.source, receiver.callbacks)
        left = wake.source.read(1)

    assert left == b"!"
    assert receiver.names == []


def test_reading_ends_after_what_was_read_when_a_callback_wakes_it() -> None:
    """The next wait is the last, and no message is made of what follows it."""
    with piped(lead("Ada") + b'{"type":') as pipe, piped() as wake:
        receiver = Receiver(then=lambda: wake.tap.write(b"!"))
        Reader(wake_fd=wake.source.fileno()).process_lines(pipe.source, receiver.callbacks)

    assert receiver.names == ["Ada"]


def test_reading_ends_between_two_lines_when_it_is_told_to_stop() -> None:
    """Lines that are read already are not handed over any more."""
    stopped: list[bool] = []
    receiver = Receiver(then=lambda: stopped.append(True))

    with piped(LEADS) as pipe:
        reader = Reader(is_stopped=lambda: bool(stopped))
        reader.process_lines(pipe.source, receiver.callbacks)

    assert receiver.names == ["José"]
    assert reader.line == 1


def test_it_is_known_whether_reading_was_stopped_when_it_is_over() -> None:
    """Before the end of the input was seen, or at it."""
    stopped, whole = Reader(is_stopped=lambda: True), Reader()

    for reader in (stopped, whole):
        reader.process_lines(io.BytesIO(SCHEMA + LEADS), Receiver().callbacks)

    assert stopped.was_stopped
    assert not whole.was_stopped


def test_a_file_tells_how_far_it_is_read_when_ticks_come(tmp_path: Path) -> None:
    """In bytes, and how many it has; at its end without a tick; a pipe has no such thing."""
    file = tmp_path / "leads.singer"
    file.write_bytes(SCHEMA + LEADS * 20_000)
    size = file.stat().st_size
    places: list[tuple[int, int] | None] = []
    reader = Reader(tick=lambda: places.append(reader.place), tick_seconds=0.0)

    with file.open("rb") as source:
        reader.process_lines(source, Receiver().callbacks)

    read = [place[0] for place in places if place is not None]
    assert len(read) == len(places)
    assert read == sorted(read)
    assert 0 < read[1] < size
    assert reader.place == (size, size)
    with piped(SCHEMA + LEADS) as pipe:
        pipe.tap.close()
        reader.process_lines(pipe.source, {})
    assert reader.place is None


def test_reading_ends_at_a_tick_when_it_is_told_to_stop_in_silence() -> None:
    """Even without a wake pipe, a silent tap cannot hold the run."""
    stopped: list[bool] = []

    with piped() as pipe:
        Reader(
            is_stopped=lambda: len(stopped) > 2, tick=lambda: stopped.append(True), tick_seconds=0.001
        ).process_lines(pipe.source, {})

    assert len(stopped) == 3


def test_ticks_go_on_when_lines_keep_coming() -> None:
    """A busy tap does not starve what waits for its turn: a tick each second, however many lines."""
    clock = ManualClock(100.0)
    ticks: list[float] = []

    def pass_time() -> None:
        clock.seconds += 0.25

    Reader(tick=lambda: ticks.append(clock.seconds), tick_seconds=1.0, clock=clock).process_lines(
        io.BytesIO(lead("Ada") * 12), Receiver(then=pass_time).callbacks
    )

    assert ticks == [101.0, 102.0]


def test_the_run_stops_by_name_of_the_fault_when_the_input_cannot_be_read(tmp_path: Path) -> None:
    """A read error is an input that ends in the wrong place, and never taken for its end."""
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(InputInvalid, match=r"after line 0 \(EISDIR\)"):
            Reader().process_lines(Descriptor(directory), {})  # type: ignore[arg-type] # its number is all it has
    finally:
        os.close(directory)
