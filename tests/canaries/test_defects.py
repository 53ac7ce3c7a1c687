"""A defect anywhere: the run ends in time with 70, says so, loses nothing, and prints nothing of what it held."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.canaries.planting import ALWAYS, VALUE, broken
from tests.stage import staged
from tests.warm import Warm, warmed

CALLBACKS = (
    "delivery.dispatcher:Dispatcher.submit",
    "delivery.dispatcher:Dispatcher.end_input",
    "delivery.dispatcher:Dispatcher.secure",
    "delivery.dispatcher:Dispatcher.note_reader_waits",
    "delivery.dispatcher:Dispatcher.outlook",
    "delivery.dispatcher:Dispatcher._end_request",
    "delivery.dispatcher:Dispatcher._end_chore",
    "delivery.dispatcher:Dispatcher._note_end",
    "delivery.door:Delivery._hand_over",
    "delivery.door:Delivery._look",
    "delivery.door:Delivery._note_secured",
    "delivery.door:Delivery._report",
    "client.connection:Connection.data_received",
    "client.connection:Connection.on_message_complete",
    "client.connection:Connection._finish",
)
"""What the event loop calls: asyncio itself would log what is raised there, and go on."""

PLACES = (
    # tasks
    "delivery.dispatcher:Dispatcher._step",
    "delivery.dispatcher:Dispatcher._rest",
    "delivery.dispatcher:Dispatcher._attempt",
    "delivery.dispatcher:Dispatcher._settle",
    "delivery.dispatcher:Dispatcher._settle_invalid",
    "delivery.dispatcher:Dispatcher._secure",
    "delivery.intake:Intake.recall",
    "delivery.intake:Intake.intend",
    "delivery.pool:Pool.put_back",
    # the ledger's thread, and what comes back from it
    "ledger.threaded:LedgerThread._perform",
    "ledger.threaded:LedgerThread._ask",
    "ledger.threaded:LedgerThread._start",
    "ledger.threaded:LedgerThread._finish",
    "ledger.threaded:LedgerThread.close",
    "ledger.threaded:_resolve",
    "ledger.durable:DurableLedger.commit",
    "ledger.durable:DurableLedger.secure",
    # the worker's thread, from its start to its end
    "delivery.worker:ThreadWorker.start",
    "delivery.worker:ThreadWorker._work",
    "delivery.worker:ThreadWorker.call",
    "delivery.worker:ThreadWorker.notify",
    "delivery.worker:ThreadWorker.wait",
    "delivery.door:Delivery._deliver",
    "delivery.dispatcher:Dispatcher.__init__",
    "delivery.dispatcher:Dispatcher.run",
    "delivery.transport:HttpTransport.close",
    # before anything can be logged
    "redaction:install",
    "redaction:_level",
    # the reader's thread
    "cli:run",
    "cli:_flushed",
    "singer.reader:Reader._fill",
    "singer.reader:Reader._hand_over",
    "singer.loop:Loop.take_state",
    "singer.loop:Loop.tick",
    "singer.loop:Loop._write_state",
    "singer.checkpoint:Checkpoint.take",
    "records.door:Records.start",
    "records.door:Records.submit",
    "records.door:Records.conclude",
    "records.door:Records.deliver_rest",
    "records.tally:Tally.settle",
    "delivery.door:Delivery.take_outcomes",
    "delivery.door:Delivery.end",
    "delivery.door:Delivery.close",
)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """What becomes the program, again and again."""
    with warmed(tmp_path_factory.mktemp("warm")) as warm:
        yield warm


@pytest.mark.parametrize(
    ("place", "times"),
    [*((place, 1) for place in (*CALLBACKS, *PLACES)), *((place, ALWAYS) for place in CALLBACKS)],
    ids=[*CALLBACKS, *PLACES, *(f"{place}-always" for place in CALLBACKS)],
)
def test_a_run_ends_with_70_when_a_function_raises(place: str, times: int, warm: Warm, tmp_path: Path) -> None:
    """Within twenty seconds, said once, and STATE passes nothing that is neither delivered nor kept."""
    with staged(tmp_path, latency=0.05) as stage:
        run = broken(place, warm=warm, stage=stage, times=times)

    assert run.ended.code == 70, run.ended.err
    assert run.ended.err.count("A defect of target-driftrock: please report the lines") == 1
    assert "ValueError" in run.ended.err
    assert VALUE not in run.ended.err
    assert not run.lost
