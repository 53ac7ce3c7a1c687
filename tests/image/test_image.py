"""The image where it may do nothing: user 10001, no capabilities, nothing to write to but a volume, 256 MiB.

`make test-image` builds it and runs these.
"""

from __future__ import annotations

import re
import signal
import tomllib

import pytest

from tests.contract import places
from tests.image.conftest import Run
from tests.image.container import Image
from tests.program import ROOT, written
from tests.stage import record, schema, state, wired
from tests.waiting import until

pytestmark = pytest.mark.image

GRACE = 20.0
"""Seconds in which docs/promises.md has a run ended by a signal."""
LEADS = [schema(), *(record(number, email=f"lead-{number}@example.com") for number in range(1, 41)), state(at=40)]
MANY = 20_000


# What it is.


def test_it_runs_as_a_number_without_a_shell_when_nothing_is_said(image: Image) -> None:
    """An orchestrator can tell by the number that it is not root; the program itself is the first process."""
    config = image.config

    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["/opt/target-driftrock/bin/target-driftrock"]
    assert config["StopSignal"] == "SIGTERM"
    assert not config.get("Cmd")
    assert not config.get("Volumes")


def test_it_says_what_it_is_when_it_is_looked_at(image: Image) -> None:
    """By the labels that registries and scanners read."""
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in image.config["Labels"].items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert labels["version"] == project["version"]
    assert labels["licenses"] == project["license"]
    assert re.fullmatch("[0-9a-f]{40}", labels["revision"])


def test_it_builds_and_installs_nothing_when_somebody_is_in_it(image: Image) -> None:
    """No compiler and no installer beside the program; of the checkout only what the wheel has."""
    programs = {path.name for folder in ("usr/bin", "usr/local/bin") for path in (image.root / folder).glob("*")}
    there = {path.name for path in image.root.glob("opt/target-driftrock/lib/python3*/site-packages/*")}

    assert not programs & {"cc", "gcc", "g++", "clang", "ld", "make", "git"}
    assert "target_driftrock" in there
    assert not {name for name in there if re.match(r"pip|setuptools|wheel|tests|build|hatchling", name)}


def test_its_ledger_s_folder_is_its_user_s_when_a_volume_takes_it_over(image: Image) -> None:
    """A new named volume gets owner and rights of the folder that it is mounted on."""
    found = (image.root / "ledger").stat()

    assert (found.st_uid, found.st_gid, found.st_mode & 0o022) == (10001, 10001, 0)


# What it does.


def test_a_job_arrives_once_when_it_runs_twice_with_one_volume(contained: Run) -> None:
    """Settings by variables alone; what the first container delivered the second one knows, by the volume."""
    with wired() as wire:
        container = contained({"api_url": wire.url})
        first = container.run("--config=ENV", given=written(LEADS))
        second = container.run("--config=ENV", given=written(LEADS))
        counts = wire.counts()

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert first.states[-1] == second.states[-1] == {"at": 40}
    assert (counts["accepted"], counts["requests"]) == (40, 40)
    assert "WARNING" not in first.err + second.err


def test_memory_is_enough_when_there_are_many_records(contained: Run) -> None:
    """A run needs no more for many than for a few."""
    with wired() as wire:
        container = contained({"api_url": wire.url, "max_concurrency": 64})
        lines = [schema(), *(record(number, note="x" * 500) for number in range(MANY)), state(at=MANY)]
        done = container.run("--config=ENV", given=written(lines))
        accepted = wire.counts()["accepted"]

    assert done.code == 0, done.err
    assert accepted == MANY


def test_it_ends_in_time_and_loses_nothing_when_it_is_told_to_as_the_first_process(contained: Run) -> None:
    """`docker stop`, or a pod's deletion: what is under way is settled, and the next container goes on."""
    with wired(latency=0.2) as wire:
        container = contained({"api_url": wire.url, "max_concurrency": 2})
        with container.started("--config=ENV") as running:
            running.feed(LEADS)
            until(lambda: wire.counts()["accepted"] >= 2)
            running.tell(signal.SIGTERM)
            first = running.ended(seconds=GRACE)
        second = container.run("--config=ENV", given=written(LEADS))
        counts = wire.counts()

    assert (first.code, second.code) == (128 + signal.SIGTERM, 0), first.err + second.err
    assert (counts["accepted"], counts["requests"]) == (40, 40)


@pytest.mark.postgres
def test_a_job_arrives_once_when_its_ledger_is_in_postgresql(contained: Run) -> None:
    """Then no container needs a disk: the second one has no volume of the first one's, nor any other."""
    with wired() as wire, places.new_schema() as url:
        container = contained({"api_url": wire.url, "ledger": url}, volumes={})
        done = [container.run("--config=ENV", given=written(LEADS)) for _ in range(2)]
        checked = container.run("check", "--config=ENV")
        counts = wire.counts()

    assert [each.code for each in done] == [0, 0], done[0].err
    assert (counts["accepted"], counts["requests"]) == (40, 40)
    assert "ok: There is a ledger in the PostgreSQL schema" in checked.out


# What it says.


def test_it_warns_when_the_ledger_ends_with_the_container(contained: Run) -> None:
    """In a run and in `check` alike: nothing else is wrong, and the next container would send everything again."""
    with wired() as wire:
        container = contained({"api_url": wire.url}, volumes={}, is_read_only=False)
        checked = container.run("check", "--config=ENV")
        done = container.run("--config=ENV", given=written(LEADS))

    told = "The ledger in the directory /ledger ends with this container"
    assert f"warning: {told}" in checked.out
    assert told in done.err
    assert "WARNING" in done.err
    assert (checked.code, done.code) == (0, 0)


def test_it_says_which_setting_when_the_ledger_cannot_be_written(contained: Run) -> None:
    """The container's own disk is closed, and no volume is mounted."""
    done = contained({}, volumes={}).run("check", "--config=ENV")

    assert done.code == 2
    assert "error: ledger: the directory /ledger lies on a file system that is mounted read-only" in done.out


@pytest.mark.parametrize("command", ["preview", "rejects", "trace", "report", "sandbox"])
def test_every_command_is_there_when_it_is_asked_for_help(contained: Run, command: str) -> None:
    """None needs more than the image has."""
    assert contained({}).run(command, "--help").code == 0
