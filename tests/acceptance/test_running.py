"""What a user does with the installed command, and what happens to it while it runs."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.process import SCHEMA, Command, accepted, bookmark, leads, record, settings, state
from tests.program import PROGRAM, written
from tests.sandbox.wire import Wire
from tests.waiting import until

pytestmark = pytest.mark.acceptance


def test_a_file_is_delivered_when_input_names_it(command: Command, double: Wire, tmp_path: Path) -> None:
    """`--input FILE` stands for standard input."""
    path = tmp_path / "leads.singer"
    path.write_bytes(written(leads([1, 2, 3])))

    ended = command.run("--config", command.config(settings(double.url)), "--input", str(path))

    assert (ended.code, accepted(double)) == (0, [1, 2, 3])
    assert [bookmark(value) for value in ended.states] == [3]


def test_a_later_file_wins_when_config_is_given_twice(command: Command, double: Wire) -> None:
    """Secrets may lie in a file of their own; environment variables win over both."""
    first = command.config(settings(double.url, source_id="first", api_key="wrong", client_id=None, client_secret=None))
    second = command.config({"source_id": "second"})

    ended = command.run(
        *("--config", first, "--config", second, "--config", "ENV"),
        tap=written(leads([1])),
        environ={"TARGET_DRIFTROCK_API_KEY": "sandbox"},
    )

    assert (ended.code, accepted(double, "second")) == (0, [1])


@pytest.mark.parametrize("place", ["before", "after", "on both sides"])
def test_options_count_when_they_stand_before_a_command_or_after_it(
    place: str, command: Command, double: Wire, tmp_path: Path
) -> None:
    """Meltano puts a plugin's own before, whoever types may put them behind; the later one wins."""
    path = tmp_path / "leads.singer"
    path.write_bytes(written(leads([1, 2, 3])))
    config = command.config(settings(double.url, source_id="first"))
    second = command.config({"source_id": "second"})
    options = ("--config", config, "--input", str(path))
    arguments = {
        "before": (*options, "preview"),
        "after": ("preview", *options),
        "on both sides": ("--config", config, "--input", "nowhere", "preview", "--config", second, *options[2:]),
    }

    ended = command.run(*arguments[place])

    assert ended.code == 0
    assert ended.out.count("leads:") == 3
    assert ("second" in ended.out) == (place == "on both sides")


def test_a_key_of_stream_maps_is_told_at_the_end_when_no_stream_met_it(command: Command, double: Wire) -> None:
    """A warning here, since the next input may have that stream; an error in `check` and in `preview`."""
    given = settings(double.url, stream_maps={"lead": {"name": "name"}})

    ended = command.deliver(given, leads([1, 2, 3]))

    assert (ended.code, len(accepted(double))) == (0, 3)
    assert ended.err.count("WARNING stream_maps has the key lead,") == 1


def test_it_runs_in_a_container_when_there_is_nothing_but_an_environment(double: Wire, tmp_path: Path) -> None:
    """No home, a folder that cannot be written, nothing else in the environment, a locale that is not UTF-8."""
    folder, volume = tmp_path / "folder", tmp_path / "volume"
    folder.mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    given = settings(double.url, ledger=str(volume))

    ended = Command(folder).run(
        "--config=ENV",
        tap=written([SCHEMA, record(1, email="josé@example.com", name="José"), state(1)]).replace(
            b"\\u00e9", b"\xc3\xa9"
        ),
        command=["/usr/bin/env", "--ignore-environment", *_variables(given), PROGRAM],
    )

    assert (ended.code, [bookmark(value) for value in ended.states]) == (0, [1])
    assert double.arrivals()[0]["event"]["fields"]["name"] == "José"
    assert os.listdir(folder) == []  # noqa: PTH208


def _variables(given: dict[str, object]) -> list[str]:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    return [f"TARGET_DRIFTROCK_{name.upper()}={text}" for name, text in texts.items()]


def test_a_half_full_batch_leaves_when_the_tap_falls_silent(command: Command, double: Wire) -> None:
    """No record waits for company for more than five seconds; its STATE follows, though the input goes on."""
    with command.started("--config", command.config(settings(double.url, batch_size_rows=1000))) as running:
        running.feed(leads([1, 2, 3]))

        assert bookmark(running.next_state()) == 3
        assert accepted(double) == [1, 2, 3]
        assert running.process.poll() is None
        assert running.ended().code == 0


def test_one_token_is_asked_for_at_a_time_when_tokens_live_two_seconds(command: Command, double: Wire) -> None:
    """Renewed at half of its life, before it dies: no event meets a 401 because of age."""
    double.post("/_sandbox/faults", {"token_lifetime": 2, "latency": 0.05})
    with command.started("--config", command.config(settings(double.url, batch_size_rows=1))) as running:
        running.feed([SCHEMA])
        sent = 0
        while double.counts()["token_requests"] < 4:
            sent += 1
            running.feed([record(sent)])
            until(lambda: double.counts()["accepted"] >= sent)  # noqa: B023 - called at once
        ended = running.ended()

    counts = double.counts()
    assert (ended.code, counts["unauthorized"], counts["repeats"]) == (0, 0, 0)
    assert (counts["accepted"], counts["max_concurrent_token_requests"]) == (sent, 1)


def test_one_new_token_serves_all_when_the_old_one_is_revoked(command: Command, double: Wire) -> None:
    """Each event that met the 401 is sent once more, and none is lost or taken for refused."""
    double.post("/_sandbox/faults", {"latency": 0.05})
    with command.started("--config", command.config(settings(double.url, batch_size_rows=5))) as running:
        running.feed(leads(range(1, 101)))
        until(lambda: double.counts()["accepted"] >= 20)
        double.post("/_sandbox/revoke")
        ended = running.ended()

    counts = double.counts()
    assert ended.code == 0
    assert sorted(accepted(double)) == list(range(1, 101))
    assert (counts["token_requests"], counts["max_concurrent_token_requests"]) == (2, 1)
    assert 0 < counts["unauthorized"] <= 16


def test_reading_ends_when_so_many_events_had_a_first_request(command: Command, double: Wire) -> None:
    """`max_events` is the step between preview and everything: exactly so many, and STATE at the last of them."""
    config = settings(double.url, max_events=25, batch_size_rows=4)

    ended = command.deliver(config, leads(range(1, 1001), every=5))

    assert ended.code == 0
    assert sorted(accepted(double)) == list(range(1, 26))
    assert 20 <= bookmark(ended.states[-1]) <= 25
    assert double.counts()["requests"] == 25


def test_retries_do_not_count_when_events_are_limited(command: Command, double: Wire) -> None:
    """With half of all answers a 503 there are more requests, and still as many events."""
    double.post("/_sandbox/faults", {"error_share": 0.3})

    ended = command.deliver(settings(double.url, max_events=10, batch_size_rows=4), leads(range(1, 101)))

    assert ended.code == 0
    assert sorted(accepted(double)) == list(range(1, 11))
    assert double.counts()["requests"] > 10


def test_events_of_a_person_keep_their_order_when_many_are_in_flight(command: Command, double: Wire) -> None:
    """Across batches, and while others overtake."""
    double.post("/_sandbox/faults", {"latency": 0.01, "error_share": 0.05})
    given = settings(double.url, batch_size_rows=7)
    given["streams"][0]["person_id"] = "{name}"
    messages = [SCHEMA, *(record(number, name=f"person-{number % 9}") for number in range(1, 181)), state(180)]

    ended = command.deliver(given, messages)

    arrived = accepted(double)
    assert (ended.code, bookmark(ended.states[-1])) == (0, 180)
    assert Counter(arrived) == Counter(range(1, 181))
    for person in range(9):
        numbers = [number for number in arrived if number % 9 == person]
        assert numbers == sorted(numbers)
