"""What a profile makes of sampled stacks: the part of the path that each belongs to."""

from __future__ import annotations

import pytest

from benchmarks import stacks
from benchmarks.stacks import Part

OURS = "/home/me/checkout/target_driftrock"
THEIRS = "/home/me/checkout/.venv/lib/python3.11/site-packages"
PYTHON = "/usr/lib/python3.11"

MAIN = f"thread (7): MainThread;main ({OURS}/cli.py:53)"
READ = f"{MAIN};Loop._read ({OURS}/singer/loop.py:204)"
READER = f"{READ};Reader.process_lines ({OURS}/singer/reader.py:107)"
RECORD = f"{READER};Streams.map ({OURS}/singer/streams.py:112)"
THREAD = f"thread (8): delivery;Thread._bootstrap ({PYTHON}/threading.py:1002)"
LOOP = f"{THREAD};ThreadWorker._work ({OURS}/delivery/worker.py:119);Runner.run ({PYTHON}/asyncio/runners.py:118)"
ATTEMPT = f"{LOOP};Dispatcher._attempt ({OURS}/delivery/dispatcher.py:300)"
POST = f"{ATTEMPT};HttpTransport.post ({OURS}/delivery/transport.py:90)"
CROSSING = (
    f"thread (9): ledger_0;_worker ({PYTHON}/concurrent/futures/thread.py:83)"
    f";LedgerThread._perform ({OURS}/ledger/threaded.py:99)"
)
COMMIT = f"{CROSSING};DurableLedger.commit ({OURS}/ledger/durable.py:110)"
EXECUTE = f"{COMMIT};Connection.exec_driver_sql ({THEIRS}/sqlalchemy/engine/base.py:1779)"
IMPORT = ";_find_and_load (<frozen importlib._bootstrap>:1176)"


@pytest.mark.parametrize(
    ("stack", "part"),
    [
        pytest.param("thread (7): MainThread", Part.START_UP, id="an interpreter that starts"),
        pytest.param("thread (7)", Part.START_UP, id="a thread without a name"),
        pytest.param(f"{RECORD}{IMPORT};<module> ({THEIRS}/aiohttp/client.py:1)", Part.START_UP, id="an import"),
        pytest.param(f"{MAIN};parse ({OURS}/settings/parsing.py:20)", Part.START_UP, id="settings"),
        pytest.param(f"{MAIN};parse_args ({THEIRS}/click/core.py:1200)", Part.START_UP, id="the command line"),
        pytest.param(
            f"{MAIN};open_ledger ({OURS}/ledger/durable.py:250);has_table ({THEIRS}/sqlalchemy/dialects/base.py:1)",
            Part.START_UP,
            id="a new ledger",
        ),
        pytest.param(READER, Part.READING, id="a line"),
        pytest.param(f"{READER};decode ({OURS}/singer/decoding.py:70)", Part.READING, id="decoding"),
        pytest.param(
            f"{RECORD};RecordValidator.fault ({OURS}/records/validator.py:99)", Part.VALIDATION, id="the validator"
        ),
        pytest.param(RECORD, Part.MAPPING, id="a record"),
        pytest.param(f"{READER};DriftrockSink.process_record ({OURS}/sinks.py:80)", Part.MAPPING, id="the sink"),
        pytest.param(f"{READER};CompiledMapping.part ({OURS}/mapping/stream.py:40)", Part.MAPPING, id="a mapping"),
        pytest.param(f"{RECORD};get_sink ({THEIRS}/singer_sdk/target_base.py:9)", Part.MAPPING, id="the SDK's sink"),
        pytest.param(
            f"{RECORD};encode ({OURS}/mapping/writing.py:9);<genexpr> (<string>:1)", Part.MAPPING, id="encoding"
        ),
        pytest.param(f"{READER};Records.enter ({OURS}/records/door.py:140)", Part.TALLY, id="the door"),
        pytest.param(f"{READER};resolve ({OURS}/singer/checkpoint.py:80)", Part.TALLY, id="the checkpoint"),
        pytest.param(f"{READER};Tally.settle ({OURS}/records/tally.py:90)", Part.TALLY, id="the tally"),
        pytest.param(f"{THREAD};_write ({OURS}/singer/writer.py:30)", Part.TALLY, id="writing STATE"),
        pytest.param(ATTEMPT, Part.DISPATCHER, id="the dispatcher"),
        pytest.param(f"{ATTEMPT};Lanes.enter ({OURS}/delivery/lanes.py:20)", Part.DISPATCHER, id="lanes"),
        pytest.param(POST, Part.CLIENT, id="the transport"),
        pytest.param(f"{POST};_request ({THEIRS}/aiohttp/client.py:600)", Part.CLIENT, id="aiohttp"),
        pytest.param(f"{LOOP};data_received ({THEIRS}/aiohttp/client_proto.py:300)", Part.CLIENT, id="an answer"),
        pytest.param(f"{THREAD};close ({THEIRS}/aiohttp/connector.py:90)", Part.CLIENT, id="aiohttp by itself"),
        pytest.param(LOOP, Part.CLIENT, id="the loop itself"),
        pytest.param(f"{ATTEMPT};commit ({OURS}/ledger/threaded.py:70)", Part.CROSSING, id="handing changes over"),
        pytest.param(CROSSING, Part.CROSSING, id="taking changes over"),
        pytest.param(f"{ATTEMPT};submit ({PYTHON}/concurrent/futures/thread.py:170)", Part.CROSSING, id="a queue"),
        pytest.param(f"{COMMIT};WriteBatch.take ({OURS}/ledger/write_batch.py:60)", Part.LEDGER, id="the entry"),
        pytest.param(EXECUTE, Part.SQLALCHEMY, id="SQLAlchemy"),
        pytest.param(
            f"{EXECUTE};DefaultDialect.do_executemany ({THEIRS}/sqlalchemy/engine/default.py:941)",
            Part.SQLITE,
            id="the driver",
        ),
        pytest.param(
            f"{EXECUTE};CursorFetchStrategy.fetchall ({THEIRS}/sqlalchemy/engine/cursor.py:1140)",
            Part.SQLITE,
            id="rows from the driver",
        ),
        pytest.param(
            f"{EXECUTE};DefaultDialect.get_result ({THEIRS}/sqlalchemy/engine/default.py:941)",
            Part.SQLALCHEMY,
            id="beside the driver",
        ),
        pytest.param(f"{ATTEMPT};token ({OURS}/auth.py:200)", Part.TOKEN, id="the token"),
        pytest.param(
            f"{THREAD};_request ({OURS}/auth.py:300);post ({THEIRS}/requests/sessions.py:630)",
            Part.TOKEN,
            id="a renewal",
        ),
        pytest.param(THREAD, Part.REST, id="a thread that starts"),
    ],
)
def test_the_innermost_frame_that_tells_something_decides(stack: str, part: Part) -> None:
    """Work done for a part is that part's, and what is done once is the start-up's."""
    assert stacks.parts([f"{stack} 3"]) == {part: 3}


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(f";current_task ({PYTHON}/asyncio/tasks.py:38)", id="Python's own"),
        pytest.param(";__create_fn__.<locals>.__init__ (<string>:2)", id="made at run time"),
        pytest.param(f";identity ({OURS}/events/identity.py:20)", id="what all parts share"),
    ],
)
def test_a_frame_that_tells_nothing_does_its_caller_s_work(frames: str) -> None:
    """The same function is the dispatcher's or the ledger's, by whoever called it."""
    assert stacks.parts([f"{ATTEMPT}{frames} 1", f"{COMMIT}{frames} 2"]) == {Part.DISPATCHER: 1, Part.LEDGER: 2}


def test_code_of_another_checkout_is_told_by_the_same_table() -> None:
    """Where a checkout lies says nothing, not even when it is named like the package."""
    elsewhere = READER.replace(OURS, "/tmp/target_driftrock/target_driftrock")  # noqa: S108 - no file

    assert stacks.parts([f"{elsewhere} 1"]) == {Part.READING: 1}


def test_samples_of_a_part_add_up() -> None:
    """Stacks that differ are still of one part."""
    assert stacks.parts([f"{ATTEMPT} 2", f"{READER} 1", f"{ATTEMPT};step ({OURS}/delivery/pending.py:3) 5"]) == {
        Part.DISPATCHER: 7,
        Part.READING: 1,
    }


def test_shares_leave_the_start_up_out() -> None:
    """They are of what each event costs, and add up to one, parts that were never met included."""
    shares = stacks.shares({Part.START_UP: 100, Part.DISPATCHER: 3, Part.CLIENT: 1})

    assert shares[Part.DISPATCHER] == 0.75
    assert shares[Part.TOKEN] == 0
    assert Part.START_UP not in shares
    assert sum(shares.values()) == 1
