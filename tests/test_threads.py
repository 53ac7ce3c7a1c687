"""A run on a machine that starts no further thread."""

from __future__ import annotations

from tests import threads
from tests.stage import Stage, record, schema, state


def test_the_run_is_to_be_tried_again_when_no_thread_is_left_at_its_start(stage: Stage) -> None:
    """Nothing is sent, STATE stays where it was, and the last line says what to raise."""
    with threads.none_left():
        done = stage.run(schema(), record(1, email="ada@example.com"), state(at=1))

    assert done.code == 4
    assert done.events == []
    assert done.states == []
    assert "ulimit -u" in done.log.splitlines()[-1]


def test_all_is_delivered_when_there_are_threads_again(stage: Stage) -> None:
    """The ledger was let go, and remembers nothing that did not happen."""
    with threads.none_left():
        stage.run(schema(), record(1, email="ada@example.com"), state(at=1))

    done = stage.run(schema(), record(1, email="ada@example.com"), state(at=1))

    assert done.code == 0
    assert [fields["id"] for fields in done.fields] == [1]
